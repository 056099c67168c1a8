//! The platform as the examples use it: functions, types, HTTP. What they don't use is not here, and panics.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::base::Base;
use super::value::{EMPTY_DATE, Object, Pairs, Value, field, put, same_name};

/// The session's zone is Moscow's, seconds.
const ZONE: i64 = 3 * 3600;

pub struct Platform {
    pub base: Base,
    /// Lines of the event log: level and text.
    pub log: Vec<(String, String)>,
    /// Requests that were sent: method, address, status.
    pub sent: Vec<(String, String, u16)>,
    /// The next answers are lost on their way, so many.
    pub lose: usize,
    /// While the next request is on its way, another session marks this row of the queue as cancelled.
    pub cancelled_meanwhile: Option<String>,
}

impl Platform {
    pub fn new(base: Base) -> Self {
        Self {
            base,
            log: Vec::new(),
            sent: Vec::new(),
            lose: 0,
            cancelled_meanwhile: None,
        }
    }

    /// What a `Для Каждого` walks over.
    pub fn items(&self, value: &Value) -> Vec<Value> {
        let Value::Object(object) = value else {
            panic!("{value:?} can't be walked over");
        };
        match &*object.borrow() {
            Object::Array(all) => all.clone(),
            Object::Map(pairs) | Object::Struct(pairs) => pairs
                .iter()
                .map(|(key, value)| Value::new(Object::Pair(key.clone(), value.clone())))
                .collect(),
            other => panic!("{other:?} can't be walked over"),
        }
    }

    pub fn get(&self, owner: &Value, name: &str) -> Value {
        let object = match owner {
            Value::Name(path) => return Value::Name(format!("{path}.{name}").into()),
            Value::Object(object) => object,
            other => panic!("{other:?} has no {name}"),
        };
        let text = |text: &str| Value::text(text);
        match (&*object.borrow(), name) {
            (Object::Struct(fields) | Object::Record { fields, .. }, _) => field(fields, name)
                .cloned()
                .unwrap_or_else(|| panic!("no field {name} in {fields:?}")),
            (Object::Selection { rows, at }, _) => {
                field(&rows[at.unwrap()], name).cloned().unwrap()
            }
            (Object::Pair(key, _), "Ключ") => key.clone(),
            (Object::Pair(_, value), "Значение") => value.clone(),
            (Object::Buffer(bytes), "Размер") => Value::Number(bytes.len() as f64),
            (Object::Hash(bytes), "ХешСумма") => {
                Value::Bytes(Sha256::digest(bytes).as_slice().into())
            }
            (Object::Response { code, .. }, "КодСостояния") => {
                Value::Number(f64::from(*code))
            }
            (Object::ServiceRequest { headers, .. }, "Заголовки") => {
                Value::new(Object::Map(headers.clone()))
            }
            (Object::ServiceResponse { .. }, "Заголовки") => {
                Value::new(Object::Map(Vec::new()))
            }
            (Object::Set { .. }, "Отбор") => Value::new(Object::Filter { set: owner.clone() }),
            (Object::Filter { set }, dimension) => {
                let Value::Object(inner) = set else {
                    unreachable!()
                };
                let Object::Set { register, .. } = &*inner.borrow() else {
                    unreachable!()
                };
                assert_eq!(self.base.dimension(register), dimension);
                set.clone()
            }
            (Object::Opaque(told), "Описание") => text(told),
            (other, _) => panic!("{other:?} has no {name}"),
        }
    }

    pub fn set(&mut self, owner: &Value, name: &str, value: Value) {
        let Value::Object(object) = owner else {
            panic!("{owner:?}.{name} can't be set");
        };
        match &mut *object.borrow_mut() {
            Object::Struct(fields) => {
                let (_, old) = fields
                    .iter_mut()
                    .find(|(key, _)| same_name(&key.shown(), name))
                    .unwrap();
                *old = value;
            }
            Object::Record {
                register, fields, ..
            } => {
                self.base.check(register, name, &value);
                let (_, old) = fields
                    .iter_mut()
                    .find(|(key, _)| same_name(&key.shown(), name))
                    .unwrap();
                *old = value;
            }
            Object::Query(text) if name == "Текст" => *text = value.shown(),
            other => panic!("{other:?}.{name} can't be set"),
        }
    }

    pub fn at(&self, owner: &Value, index: &Value) -> Value {
        let Value::Object(object) = owner else {
            panic!("{owner:?} has no places");
        };
        match &*object.borrow() {
            Object::Array(all) => all[index.number() as usize].clone(),
            other => panic!("{other:?} has no places"),
        }
    }

    pub fn create(&mut self, name: &str, args: Vec<Value>) -> Value {
        let object = match name {
            "Структура" => Object::Struct(Vec::new()),
            "Соответствие" => Object::Map(Vec::new()),
            "Массив" => Object::Array(Vec::new()),
            "БуферДвоичныхДанных" => {
                Object::Buffer(vec![0; args[0].number() as usize])
            }
            "ХешированиеДанных" => {
                assert!(matches!(&args[0], Value::Name(name) if &**name == "ХешФункция.SHA256"));
                Object::Hash(Vec::new())
            }
            "ЗаписьJSON" => Object::JsonWriter(String::new()),
            "ЧтениеJSON" => Object::JsonReader(String::new()),
            "Запрос" => Object::Query(String::new()),
            "HTTPЗапрос" => Object::Request {
                address: args[0].shown(),
                headers: self.items(&args[1]).iter().map(pair).collect(),
                body: None,
            },
            "HTTPСоединение" => {
                assert!(matches!(args[6], Value::Undefined), "the test has no TLS");
                Object::Connection {
                    server: args[0].shown(),
                    port: args[1].number() as u16,
                    timeout: args[5].number(),
                }
            }
            "HTTPСервисОтвет" => Object::ServiceResponse {
                code: args[0].number() as u16,
                body: String::new(),
            },
            "БлокировкаДанных" | "ПараметрыЗаписиJSON" => {
                Object::Opaque(name.to_owned())
            }
            other => panic!("Новый {other} is not known here"),
        };
        Value::new(object)
    }

    pub fn function(
        &mut self,
        name: &str,
        args: &[Value],
        caught: Option<&str>,
    ) -> Result<Value, String> {
        let chars = |value: &Value| value.shown().chars().collect::<Vec<char>>();
        Ok(match name {
            "ПустаяСтрока" => Value::Bool(args[0].shown().trim().is_empty()),
            "ЗначениеЗаполнено" => Value::Bool(args[0].filled()),
            "НРег" => Value::text(args[0].shown().to_lowercase()),
            "СокрЛП" => Value::text(args[0].shown().trim()),
            "Строка" => Value::text(args[0].shown()),
            "Число" => Value::Number(
                args[0]
                    .shown()
                    .parse()
                    .map_err(|_| "Преобразование к типу Число".to_owned())?,
            ),
            "СтрДлина" => Value::Number(chars(&args[0]).len() as f64),
            "Лев" => Value::text(
                chars(&args[0])
                    .into_iter()
                    .take(args[1].number() as usize)
                    .collect::<String>(),
            ),
            "Сред" => {
                let rest = chars(&args[0])
                    .into_iter()
                    .skip(args[1].number() as usize - 1);
                Value::text(rest.take(args[2].number() as usize).collect::<String>())
            }
            "КодСимвола" => Value::Number(f64::from(
                chars(&args[0])[args[1].number() as usize - 1] as u32,
            )),
            "СтрНайти" => {
                let (text, part) = (args[0].shown(), args[1].shown());
                Value::Number(
                    text.find(&part)
                        .map_or(0.0, |at| text[..at].chars().count() as f64 + 1.0),
                )
            }
            "СтрШаблон" => {
                let mut text = args[0].shown();
                for (n, value) in args.iter().enumerate().skip(1) {
                    text = text.replace(&format!("%{n}"), &value.shown());
                }
                Value::text(text)
            }
            "НСтр" => {
                let text = args[0].shown();
                let (_, rest) = text.split_once("ru = '").expect("НСтр wants ru = '...'");
                Value::text(
                    rest.strip_suffix('\'')
                        .expect("НСтр: the quote is not closed"),
                )
            }
            "Формат" => {
                assert_eq!(args[1].shown(), "ЧН=0; ЧГ=0");
                Value::text(args[0].number().to_string())
            }
            "КодироватьСтроку" => Value::text(percent(&args[0].shown())),
            "ПобитовоеИсключающееИли" => {
                Value::Number(f64::from(args[0].number() as u32 ^ args[1].number() as u32))
            }
            "ПолучитьДвоичныеДанныеИзСтроки" => {
                assert_eq!(args[1].shown(), "UTF-8");
                Value::Bytes(args[0].shown().as_bytes().into())
            }
            "ПолучитьСтрокуИзДвоичныхДанных" => {
                Value::text(String::from_utf8_lossy(&bytes(&args[0])))
            }
            "ПолучитьHexСтрокуИзДвоичныхДанных" => {
                // The platform writes capitals.
                Value::text(
                    bytes(&args[0])
                        .iter()
                        .map(|b| format!("{b:02X}"))
                        .collect::<String>(),
                )
            }
            "ПолучитьБуферДвоичныхДанныхИзДвоичныхДанных" => {
                Value::new(Object::Buffer(bytes(&args[0])))
            }
            "ПолучитьДвоичныеДанныеИзБуфераДвоичныхДанных" => {
                Value::Bytes(bytes(&args[0]).into())
            }
            "ТекущаяУниверсальнаяДата" => {
                Value::Date(Timestamp::now().as_second())
            }
            "ТекущаяДатаСеанса" => {
                Value::Date(Timestamp::now().as_second() + ZONE)
            }
            "ЗаписатьДатуJSON" => {
                let at = Timestamp::from_second(args[0].number() as i64).unwrap();
                Value::text(format!("{}+03:00", &at.to_string()[..19]))
            }
            "ПрочитатьДатуJSON" => {
                let at: Timestamp = args[0]
                    .shown()
                    .parse()
                    .map_err(|_| "ПрочитатьДатуJSON".to_owned())?;
                assert_eq!(at.subsec_nanosecond(), 0, "1C's dates have no fractions");
                Value::Date(at.as_second() + ZONE)
            }
            "ЗаписатьJSON" => {
                let Value::Object(writer) = &args[0] else {
                    panic!("no writer")
                };
                *writer.borrow_mut() = Object::JsonWriter(to_json(&args[1]).to_string());
                Value::Undefined
            }
            "ПрочитатьJSON" => {
                assert!(args[1].truth(), "the examples read into Соответствие");
                let Value::Object(reader) = &args[0] else {
                    panic!("no reader")
                };
                let Object::JsonReader(text) = &*reader.borrow() else {
                    panic!("no reader")
                };
                let json = serde_json::from_str(text)
                    .map_err(|e| format!("Ошибка при чтении JSON: {e}"))?;
                from_json(&json)
            }
            "ИнформацияОбОшибке" => Value::new(Object::Opaque(
                caught.expect("outside of Исключение").to_owned(),
            )),
            "ПодробноеПредставлениеОшибки" => {
                self.get(&args[0], "Описание")
            }
            "УстановитьПривилегированныйРежим" => Value::Undefined,
            "ЗаписьЖурналаРегистрации" => {
                self.log.push((args[1].shown(), args[4].shown()));
                Value::Undefined
            }
            "НачатьТранзакцию" => {
                self.base.begin();
                Value::Undefined
            }
            "ЗафиксироватьТранзакцию" => {
                self.base.commit();
                Value::Undefined
            }
            "ОтменитьТранзакцию" => {
                self.base.cancel();
                Value::Undefined
            }
            other => panic!("{other}() is not known here"),
        })
    }

    pub fn method(&mut self, owner: &Value, name: &str, args: &[Value]) -> Result<Value, String> {
        let object = match owner {
            Value::Name(path) => return Ok(self.manager(path, name, args)),
            Value::Bytes(bytes) if name == "Размер" => {
                return Ok(Value::Number(bytes.len() as f64));
            }
            Value::Object(object) => Rc::clone(object),
            other => panic!("{other:?}.{name}()"),
        };
        if name == "ВызватьHTTPМетод" {
            return self.send(&object, &args[0].shown(), &args[1]);
        }
        let mut object = object.borrow_mut();
        Ok(match (&mut *object, name) {
            (Object::Struct(pairs) | Object::Map(pairs), "Вставить") => {
                put(pairs, args[0].clone(), args[1].clone());
                Value::Undefined
            }
            (Object::Map(pairs), "Получить") => {
                let found = pairs.iter().find(|(key, _)| key.same(&args[0]));
                found.map_or(Value::Undefined, |(_, value)| value.clone())
            }
            (Object::Array(all), "Добавить") => {
                all.push(args[0].clone());
                Value::Undefined
            }
            (Object::Array(all), "Количество") => Value::Number(all.len() as f64),
            (Object::Buffer(bytes), "Получить") => {
                Value::Number(f64::from(bytes[args[0].number() as usize]))
            }
            (Object::Buffer(bytes), "Установить") => {
                bytes[args[0].number() as usize] = args[1].number() as u8;
                Value::Undefined
            }
            (Object::Hash(all), "Добавить") => {
                all.extend(bytes(&args[0]));
                Value::Undefined
            }
            (Object::JsonWriter(_), "УстановитьСтроку") | (Object::JsonReader(_), "Закрыть") => {
                Value::Undefined
            }
            (Object::JsonWriter(text), "Закрыть") => Value::text(&*text),
            (Object::JsonReader(text), "УстановитьСтроку") => {
                *text = args[0].shown();
                Value::Undefined
            }
            (Object::Request { body, .. }, "УстановитьТелоИзСтроки") => {
                *body = Some(args[0].shown());
                Value::Undefined
            }
            (Object::ServiceResponse { body, .. }, "УстановитьТелоИзСтроки") =>
            {
                *body = args[0].shown();
                Value::Undefined
            }
            (Object::Response { body, .. }, "ПолучитьТелоКакСтроку") => {
                Value::text(String::from_utf8_lossy(body))
            }
            (Object::ServiceRequest { body, .. }, "ПолучитьТелоКакДвоичныеДанные") => {
                Value::Bytes(body.as_slice().into())
            }
            (Object::Opaque(_), "Добавить") => {
                Value::new(Object::Opaque("ЭлементБлокировки".to_owned()))
            }
            (Object::Opaque(_), "УстановитьЗначение") => Value::Undefined,
            (Object::Opaque(_), "Заблокировать") => {
                assert!(
                    self.base.in_transaction(),
                    "a lock outside of a transaction"
                );
                Value::Undefined
            }
            (Object::Query(text), "Выполнить") => {
                Value::new(Object::Rows(self.base.query(text)))
            }
            (Object::Rows(rows), "Выбрать") => Value::new(Object::Selection {
                rows: rows.clone(),
                at: None,
            }),
            (Object::Selection { rows, at }, "Следующий") => {
                let next = at.map_or(0, |at| at + 1);
                *at = Some(next);
                Value::Bool(next < rows.len())
            }
            (
                Object::Record {
                    register,
                    fields,
                    chosen,
                },
                "Прочитать",
            ) => {
                let key = field(fields, self.base.dimension(register))
                    .unwrap()
                    .clone();
                let found = self.base.read(register, &key);
                *chosen = found.is_some();
                *fields = found.unwrap_or_else(|| self.base.blank(register));
                Value::Undefined
            }
            (Object::Record { chosen, .. }, "Выбран") => Value::Bool(*chosen),
            (
                Object::Record {
                    register, fields, ..
                },
                "Записать",
            ) => {
                self.base.write(register, fields.clone());
                Value::Undefined
            }
            // The filter's own object is its set.
            (Object::Set { key, .. }, "Установить") => {
                *key = Some(args[0].clone());
                Value::Undefined
            }
            (Object::Set { register, key }, "Записать") => {
                let key = key
                    .clone()
                    .expect("a set without its filter would empty the register");
                self.base.delete(register, &key);
                Value::Undefined
            }
            (other, _) => panic!("{other:?}.{name}() is not known here"),
        })
    }

    /// `Константы.X`, `РегистрыСведений.X`
    fn manager(&mut self, path: &str, name: &str, args: &[Value]) -> Value {
        let (kind, of) = path.split_once('.').unwrap_or((path, ""));
        match (kind, name) {
            ("Константы", "Получить") => self
                .base
                .constants
                .get(of)
                .unwrap_or_else(|| panic!("the README describes no constant {of}"))
                .clone(),
            ("Константы", "Установить") => {
                let old = self.base.constants.insert(of.to_owned(), args[0].clone());
                assert!(old.is_some(), "the README describes no constant {of}");
                assert!(
                    self.base.in_transaction(),
                    "{of} goes with its results, in one transaction"
                );
                Value::Undefined
            }
            ("РегистрыСведений", "СоздатьМенеджерЗаписи") => {
                Value::new(Object::Record {
                    register: of.to_owned(),
                    fields: self.base.blank(of),
                    chosen: false,
                })
            }
            ("РегистрыСведений", "СоздатьНаборЗаписей") => {
                Value::new(Object::Set {
                    register: of.to_owned(),
                    key: None,
                })
            }
            _ => panic!("{path}.{name}() is not known here"),
        }
    }

    fn send(
        &mut self,
        connection: &Rc<RefCell<Object>>,
        method: &str,
        request: &Value,
    ) -> Result<Value, String> {
        let Object::Connection {
            server,
            port,
            timeout,
        } = &*connection.borrow()
        else {
            panic!("no connection");
        };
        let Value::Object(request) = request else {
            panic!("no request")
        };
        let Object::Request {
            address,
            headers,
            body,
        } = &*request.borrow()
        else {
            panic!("no request")
        };
        assert!(address.is_ascii(), "the address is not encoded: {address}");
        let body = body.clone().unwrap_or_default();
        let mut text = format!(
            "{method} {address} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            text += &format!("{}: {}\r\n", name.shown(), value.shown());
        }
        let exchanged = (|| -> std::io::Result<Vec<u8>> {
            let mut stream = TcpStream::connect((server.as_str(), *port))?;
            stream.set_read_timeout(Some(Duration::from_secs_f64(*timeout)))?;
            stream.write_all(format!("{text}\r\n{body}").as_bytes())?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            Ok(answer)
        })();
        let answer = exchanged.map_err(|e| format!("Ошибка работы с Интернет: {e}"))?;
        let end = answer
            .windows(4)
            .position(|w| w == b"\r\n\r\n")
            .expect("an HTTP answer");
        let code = String::from_utf8_lossy(&answer[9..12]).parse().unwrap();
        self.sent.push((method.to_owned(), address.clone(), code));
        if let Some(id) = self.cancelled_meanwhile.take() {
            let mut row = self.base.read("ГоворунОчередь", &Value::text(id)).unwrap();
            put(&mut row, Value::text("Отменен"), Value::Bool(true));
            self.base.write("ГоворунОчередь", row);
        }
        if self.lose > 0 {
            self.lose -= 1;
            return Err("Ошибка работы с Интернет: соединение разорвано".to_owned());
        }
        Ok(Value::new(Object::Response {
            code,
            body: answer[end + 4..].to_vec(),
        }))
    }
}

fn pair(item: &Value) -> (Value, Value) {
    let Value::Object(object) = item else {
        unreachable!()
    };
    let Object::Pair(key, value) = &*object.borrow() else {
        unreachable!()
    };
    (key.clone(), value.clone())
}

pub fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::Bytes(bytes) => bytes.to_vec(),
        Value::Object(object) => match &*object.borrow() {
            Object::Buffer(bytes) => bytes.clone(),
            other => panic!("{other:?} has no bytes"),
        },
        other => panic!("{other:?} has no bytes"),
    }
}

fn percent(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    text.bytes()
        .map(|b| {
            if plain(b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

pub fn to_json(value: &Value) -> serde_json::Value {
    use serde_json::{Map, Value as Json};
    match value {
        Value::Undefined => Json::Null,
        Value::Bool(b) => Json::Bool(*b),
        Value::Number(n) if n.fract() == 0.0 => Json::from(*n as i64),
        Value::Number(n) => Json::from(*n),
        Value::Text(text) => Json::from(&**text),
        Value::Object(object) => match &*object.borrow() {
            Object::Array(all) => all.iter().map(to_json).collect(),
            Object::Struct(pairs) | Object::Map(pairs) => Json::Object(
                pairs
                    .iter()
                    .map(|(key, value)| (key.shown(), to_json(value)))
                    .collect::<Map<_, _>>(),
            ),
            other => panic!("{other:?} can't be JSON"),
        },
        other => panic!("{other:?} can't be JSON"),
    }
}

pub fn from_json(json: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Undefined,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => Value::Number(n.as_f64().unwrap()),
        Json::String(text) => Value::text(text),
        Json::Array(all) => Value::array(all.iter().map(from_json).collect()),
        Json::Object(map) => {
            let pairs: Pairs = map
                .iter()
                .map(|(key, value)| (Value::text(key), from_json(value)))
                .collect();
            Value::new(Object::Map(pairs))
        }
    }
}

/// For a date that a test makes: on the session's clock.
pub fn local(at: Timestamp) -> Value {
    Value::Date(at.as_second() + ZONE)
}

#[allow(dead_code)]
pub fn no_date() -> Value {
    Value::Date(EMPTY_DATE)
}
