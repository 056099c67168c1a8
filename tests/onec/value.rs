//! Values of the 1C language, as far as the examples hold any.

use std::cell::RefCell;
use std::rc::Rc;

/// Seconds of 1C's empty date, `'00010101'`, from 1970.
pub const EMPTY_DATE: i64 = -62_135_596_800;

/// Fields of a structure, a record or a map, in order.
pub type Pairs = Vec<(Value, Value)>;

#[derive(Clone, Debug)]
pub enum Value {
    Undefined,
    Bool(bool),
    Number(f64),
    Text(Rc<str>),
    Bytes(Rc<[u8]>),
    /// Seconds from 1970 on the session's clock.
    Date(i64),
    /// A module, an enumeration's word, a manager: known by its path.
    Name(Rc<str>),
    Object(Rc<RefCell<Object>>),
}

#[derive(Debug)]
pub enum Object {
    Struct(Pairs),
    Map(Pairs),
    Array(Vec<Value>),
    Buffer(Vec<u8>),
    Hash(Vec<u8>),
    JsonWriter(String),
    JsonReader(String),
    Request {
        address: String,
        headers: Pairs,
        body: Option<String>,
    },
    Connection {
        server: String,
        port: u16,
        timeout: f64,
    },
    Response {
        code: u16,
        body: Vec<u8>,
    },
    ServiceRequest {
        headers: Pairs,
        body: Vec<u8>,
    },
    ServiceResponse {
        code: u16,
        body: String,
    },
    Record {
        register: String,
        fields: Pairs,
        chosen: bool,
    },
    Set {
        register: String,
        key: Option<Value>,
    },
    Filter {
        set: Value,
    },
    Query(String),
    Rows(Vec<Pairs>),
    Selection {
        rows: Vec<Pairs>,
        at: Option<usize>,
    },
    Pair(Value, Value),
    /// Locks, certificates, settings of writers: nothing to be asked.
    Opaque(String),
}

impl Value {
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::Text(text.as_ref().into())
    }

    pub fn new(object: Object) -> Self {
        Self::Object(Rc::new(RefCell::new(object)))
    }

    pub fn array(all: Vec<Value>) -> Self {
        Self::new(Object::Array(all))
    }

    /// As `Строка(…)` and concatenation write it.
    pub fn shown(&self) -> String {
        match self {
            Self::Undefined => String::new(),
            Self::Bool(true) => "Да".to_owned(),
            Self::Bool(false) => "Нет".to_owned(),
            Self::Number(n) => n.to_string(),
            Self::Text(text) => text.to_string(),
            Self::Name(name) => name.to_string(),
            other => panic!("{other:?} is no text"),
        }
    }

    pub fn number(&self) -> f64 {
        match self {
            Self::Number(n) => *n,
            Self::Date(seconds) => *seconds as f64,
            other => panic!("{other:?} is no number"),
        }
    }

    pub fn truth(&self) -> bool {
        match self {
            Self::Bool(b) => *b,
            other => panic!("{other:?} is no Булево"),
        }
    }

    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Undefined, Self::Undefined) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::Text(a), Self::Text(b)) | (Self::Name(a), Self::Name(b)) => a == b,
            (Self::Date(a), Self::Date(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => Rc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// `ЗначениеЗаполнено(…)`
    pub fn filled(&self) -> bool {
        match self {
            Self::Undefined => false,
            Self::Text(text) => !text.trim().is_empty(),
            Self::Number(n) => *n != 0.0,
            Self::Date(seconds) => *seconds != EMPTY_DATE,
            _ => true,
        }
    }
}

/// Case means nothing in names.
pub fn same_name(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

/// A field by its name.
pub fn field<'a>(fields: &'a Pairs, name: &str) -> Option<&'a Value> {
    fields
        .iter()
        .find(|(key, _)| matches!(key, Value::Text(key) if same_name(key, name)))
        .map(|(_, value)| value)
}

/// Sets a key, or adds it.
pub fn put(pairs: &mut Pairs, key: Value, value: Value) {
    match pairs.iter_mut().find(|(known, _)| known.same(&key)) {
        Some((_, old)) => *old = value,
        None => pairs.push((key, value)),
    }
}
