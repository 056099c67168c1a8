//! Reads `<dialog>.test.yaml`: every key in Russian and in English, every mistake with its line and what may be meant.

use std::collections::BTreeSet;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::case::{Again, Canned, Case, Deed, FarEnd, Step, Wants, What, When};
use super::tree::{self, Broken, Node, Tree};
use super::voice::Voice;
use crate::call::{Fault, outcome};
use crate::config::Language;
use crate::ident::Phone;
use crate::net::web::{WebAnswer, WebFault};
use crate::script::words::answer_en;
use crate::script::{not_utf8, perhaps};

/// Cases without a time of their own are answered at that time: a Wednesday at noon, in Moscow.
const NOW: &str = "2026-01-14T12:00:00+03:00[+03:00]";
/// And at that number.
const PHONE: &str = "+79120000000";
/// A polite person answers so long after the prompt's end, milliseconds.
const POLITE_MS: u64 = 300;
/// A cough.
const NOISE_MS: u64 = 600;
/// Most cases in a file.
const MAX_CASES: usize = 10_000;
/// Most steps in a case.
const MAX_STEPS: usize = 1_000;
/// Longest times in a case, seconds.
const MAX_SECONDS: f64 = 900.0;

/// A key's names, Russian and English.
type Key = (&'static str, &'static str);

const TOP: [Key; 2] = [("общее", "common"), ("проверки", "cases")];
const CASE: [Key; 15] = [
    ("проверка", "case"),
    ("параметры", "params"),
    ("телефон", "phone"),
    ("попытка", "attempt"),
    ("входящий", "incoming"),
    ("сейчас", "now"),
    ("звонок", "far_end"),
    ("разговор", "talk"),
    ("итог", "outcome"),
    ("данные", "data"),
    ("этапы", "stages"),
    ("не_звучит", "never"),
    ("перезвонить", "call_again"),
    ("длится", "lasts"),
    ("запросы", "requests"),
];
const STEPS: [Key; 7] = [
    ("робот", "robot"),
    ("человек", "person"),
    ("цифры", "digits"),
    ("тишина", "silence"),
    ("шум", "noise"),
    ("отбой", "hang_up"),
    ("перевод", "transfer"),
];
const OF_ROBOT: [Key; 1] = [("за", "within")];
const OF_PERSON: [Key; 6] = [
    ("перебивает", "interrupts"),
    ("через", "after"),
    ("частями", "partials"),
    ("длится", "lasts"),
    ("понято", "understood"),
    ("причина", "closed"),
];
const OF_TRANSFER: [Key; 1] = [("на", "to")];
const OF_WEB: [Key; 6] = [
    ("запрос", "request"),
    ("тело", "body"),
    ("ответ", "answer"),
    ("статус", "status"),
    ("сбой", "fault"),
    ("через", "after"),
];
const WEB_FAULTS: [(Key, &str); 3] = [
    (("время вышло", "timeout"), "timeout"),
    (("не отвечает", "unreachable"), "unreachable"),
    (("не json", "not_json"), "not_json"),
];
const FAR_ENDS: [(Key, FarEnd); 10] = [
    (("человек", "person"), FarEnd::Person),
    (("автоответчик", "machine"), FarEnd::Machine),
    (("помощник", "assistant"), FarEnd::Assistant),
    (("объявление", "announcement"), FarEnd::Announcement),
    (("занято", "busy"), FarEnd::Nobody(outcome::BUSY)),
    (
        ("не берут", "no_answer"),
        FarEnd::Nobody(outcome::NO_ANSWER),
    ),
    (("сбросили", "rejected"), FarEnd::Nobody(outcome::REJECTED)),
    (
        ("недоступен", "unreachable"),
        FarEnd::Nobody(outcome::UNREACHABLE),
    ),
    (
        ("нет номера", "invalid_number"),
        FarEnd::Nobody(outcome::INVALID_NUMBER),
    ),
    (
        ("перегрузка", "congestion"),
        FarEnd::Nobody(outcome::CONGESTION),
    ),
];
const TRANSFERS: [(Key, &str); 4] = [
    (("ответили", "answered"), "answered"),
    (("занято", "busy"), "busy"),
    (("не ответили", "no_answer"), "no_answer"),
    (("не вышло", "failed"), "failed"),
];
const KINDS: [(Key, &str); 6] = [
    (("речь", "speech"), "speech"),
    (("цифры", "digits"), "digits"),
    (("молчание", "no_input"), "no_input"),
    (("слишком_долго", "too_long"), "too_long"),
    (("отбой", "hang_up"), "hang_up"),
    (("сбой", "failed"), "failed"),
];

/// Reads a file of tests: the sound cases, and what is wrong with the others.
pub fn read(file: &str, bytes: &[u8]) -> (Vec<Case>, Vec<Fault>) {
    let mut reading = Reading::default();
    let cases = match std::str::from_utf8(bytes) {
        Ok(text) => reading.file(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(_) => {
            reading.faults.push(Broken {
                line: 0,
                column: 0,
                message: not_utf8(Language::Ru),
            });
            Vec::new()
        }
    };
    let faults = reading.faults.into_iter().map(|broken| Fault {
        file: file.to_owned(),
        line: broken.line,
        column: broken.column,
        message: broken.message,
    });
    (cases, faults.collect())
}

#[derive(Default)]
struct Reading {
    faults: Vec<Broken>,
}

/// What a key stands for: its English name, its own node and its value.
type Entry<'n> = (&'static str, &'n Node, &'n Node);

impl Reading {
    fn wrong(&mut self, node: &Node, message: impl Into<String>) {
        self.faults.push(node.broken(message));
    }

    fn file(&mut self, text: &str) -> Vec<Case> {
        let root = match tree::parse(text) {
            Ok(Some(root)) => root,
            Ok(None) => return Vec::new(),
            Err(broken) => {
                self.faults.push(broken);
                return Vec::new();
            }
        };
        let mut common = Vec::new();
        let cases = match &root.value {
            Tree::List(list) => list.as_slice(),
            Tree::Map(_) => {
                let mut cases: &[Node] = &[];
                for (key, node, value) in self.entries(&root, &[&TOP]) {
                    match (key, &value.value) {
                        ("common", Tree::Map(_)) => common = self.entries(value, &[&CASE[1..]]),
                        ("cases", Tree::List(list)) => cases = list,
                        _ => self.wrong(node, "здесь нужно: «проверки» — список, «общее» — ключи, одинаковые для всех проверок"),
                    }
                }
                cases
            }
            Tree::Text { .. } => {
                self.wrong(&root, "файл проверок — это список: каждая проверка начинается с «- проверка: название»");
                &[]
            }
        };
        if cases.len() > MAX_CASES {
            self.wrong(
                &root,
                format!("проверок {}, можно не больше {MAX_CASES}", cases.len()),
            );
            return Vec::new();
        }
        cases
            .iter()
            .filter_map(|node| self.case(node, &common))
            .collect()
    }

    /// The entries of a map by their keys' English names; unknown and repeated keys are told.
    fn entries<'n>(&mut self, node: &'n Node, known: &[&[Key]]) -> Vec<Entry<'n>> {
        let Tree::Map(pairs) = &node.value else {
            self.wrong(node, "здесь нужны ключи со значениями: «ключ: значение»");
            return Vec::new();
        };
        let all = || known.iter().flat_map(|keys| keys.iter());
        let mut seen = BTreeSet::new();
        let mut entries = Vec::new();
        for (key, value) in pairs {
            let name = key.text().unwrap_or_default();
            let Some((_, en)) = all().find(|(ru, en)| *ru == name || *en == name) else {
                let mut hint = perhaps(Language::Ru, name, all().flat_map(|(ru, en)| [*ru, *en]));
                if hint.is_empty() {
                    let names: Vec<&str> = all().map(|(ru, _)| *ru).collect();
                    hint = format!("; есть: {}", names.join(", "));
                }
                self.wrong(key, format!("ключа «{name}» нет{hint}"));
                continue;
            };
            if !seen.insert(*en) {
                self.wrong(key, format!("ключ «{name}» стоит дважды: оставьте один"));
                continue;
            }
            entries.push((*en, key, value));
        }
        entries
    }

    fn case(&mut self, node: &Node, common: &[Entry<'_>]) -> Option<Case> {
        let before = self.faults.len();
        let own = self.entries(node, &[&CASE]);
        let mut case = Case {
            name: String::new(),
            line: node.line,
            params: serde_json::Map::new(),
            phone: Phone::parse(PHONE).ok(),
            attempt: 1,
            incoming: false,
            now: now_default(),
            far_end: FarEnd::Person,
            steps: Vec::new(),
            web: Vec::new(),
            wants: Wants::default(),
        };
        for (key, name, value) in common.iter().chain(&own) {
            self.field(&mut case, key, name, value);
        }
        if case.name.is_empty() && !own.iter().any(|(key, ..)| *key == "case") {
            self.wrong(
                node,
                "у проверки нет названия: начните её с «- проверка: что проверяем»",
            );
        }
        if case.wants == Wants::default() && case.steps.is_empty() {
            self.wrong(
                node,
                "проверка ничего не проверяет: нужен разговор или итог",
            );
        }
        (self.faults.len() == before).then_some(case)
    }

    fn field(&mut self, case: &mut Case, key: &str, name: &Node, value: &Node) {
        match key {
            "case" => case.name = self.text(value),
            "params" => match value.json() {
                serde_json::Value::Object(params) => case.params.extend(params),
                _ => self.wrong(value, "параметры — это «имя: значение» построчно"),
            },
            "phone" => match value.text() {
                Some("" | "скрыт" | "hidden" | "~") => case.phone = None,
                Some(text) => match Phone::parse(text) {
                    Ok(phone) => case.phone = Some(phone),
                    Err(_) => self.wrong(value, format!("«{text}» — не номер телефона: нужны цифры, можно с плюсом впереди, или «скрыт»")),
                },
                None => self.wrong(value, "нужен номер телефона"),
            },
            "attempt" => match value.text().and_then(|text| text.parse().ok()).filter(|n| (1..=20).contains(n)) {
                Some(attempt) => case.attempt = attempt,
                None => self.wrong(value, "попытка — это число от 1 до 20"),
            },
            "incoming" => case.incoming = self.flag(value),
            "now" => match value.text().and_then(now) {
                Some(now) => case.now = now,
                None => self.wrong(value, "время пишут так: 2026-01-14 12:00, можно с поясом: 2026-01-14T12:00+05:00"),
            },
            "far_end" => {
                if let Some(far_end) = self.choice(value, &FAR_ENDS) {
                    case.far_end = far_end;
                }
            }
            "talk" => case.steps = self.steps(value),
            "outcome" => case.wants.outcome = Some(self.text(value)),
            "data" => match value.json() {
                serde_json::Value::Object(data) => case.wants.data = data.into_iter().collect(),
                _ => self.wrong(value, "данные — это «имя: значение» построчно"),
            },
            "stages" => case.wants.stages = Some(self.texts(value)),
            "never" => case.wants.never = self.texts(value),
            "call_again" => {
                case.wants.call_again = match value.text() {
                    Some("да" | "true" | "yes" | "истина") => Some(Again::Some),
                    Some("нет" | "false" | "no" | "ложь") => Some(Again::None),
                    Some(text) => match text.replace('T', " ").parse::<DateTime>() {
                        Ok(at) => Some(Again::At(at.strftime("%Y-%m-%d %H:%M").to_string())),
                        Err(_) => {
                            self.wrong(value, "перезвонить — это да, нет или время: 2026-01-14 18:30");
                            None
                        }
                    },
                    None => None,
                }
            }
            "lasts" => case.wants.lasts_ms = self.seconds(value),
            _ => match &value.value {
                Tree::List(list) => case.web = list.iter().filter_map(|node| self.canned(node)).collect(),
                _ => self.wrong(name, "запросы — это список: «- запрос: часть адреса», под ним «ответ: …»"),
            },
        }
    }

    fn canned(&mut self, node: &Node) -> Option<Canned> {
        let entries = self.entries(node, &[&OF_WEB]);
        let get = |key: &str| {
            entries
                .iter()
                .find(|(en, ..)| *en == key)
                .map(|(_, _, value)| *value)
        };
        let Some(url) = get("request").map(|value| self.text(value)) else {
            self.wrong(
                node,
                "у запроса нет адреса: начните с «- запрос: часть адреса»",
            );
            return None;
        };
        let status = match get("status") {
            None => 200,
            Some(value) => match value
                .text()
                .and_then(|text| text.parse().ok())
                .filter(|n| (100..=599).contains(n))
            {
                Some(status) => status,
                None => {
                    self.wrong(value, "статус — это число от 100 до 599, например 404");
                    return None;
                }
            },
        };
        let data = get("answer").map_or(serde_json::Value::Null, Node::json);
        let answer = match get("fault") {
            None => WebAnswer::of(status, data),
            Some(value) => WebAnswer::failed(match self.choice(value, &WEB_FAULTS)? {
                "timeout" => WebFault::Timeout { ms: 0 },
                "not_json" => WebFault::NotJson("test".to_owned()),
                _ => WebFault::Unreachable("test".to_owned()),
            }),
        };
        Some(Canned {
            line: node.line,
            url,
            body: get("body").map(Node::json),
            answer,
            after_ms: get("after")
                .and_then(|value| self.seconds(value))
                .unwrap_or(0),
        })
    }

    fn steps(&mut self, value: &Node) -> Vec<Step> {
        let Tree::List(list) = &value.value else {
            self.wrong(
                value,
                "разговор — это список: «- робот: …», «- человек: …», «- тишина», «- отбой»",
            );
            return Vec::new();
        };
        if list.len() > MAX_STEPS {
            self.wrong(
                value,
                format!("шагов {}, можно не больше {MAX_STEPS}", list.len()),
            );
            return Vec::new();
        }
        list.iter().filter_map(|node| self.step(node)).collect()
    }

    fn step(&mut self, node: &Node) -> Option<Step> {
        let nothing = Node {
            line: node.line,
            column: node.column,
            value: Tree::Text {
                text: String::new(),
                plain: true,
            },
        };
        // `- тишина`, `- шум` and `- отбой` stand alone.
        let entries = match &node.value {
            Tree::Text { text, .. } => {
                let alone = STEPS.iter().find(|(ru, en)| ru == text || en == text);
                match alone {
                    Some((_, en)) if matches!(*en, "silence" | "noise" | "hang_up") => {
                        vec![(*en, node, &nothing)]
                    }
                    _ => {
                        self.wrong(node, format!("«{text}» — не шаг: нужно «робот: …», «человек: …», «цифры: …», «тишина», «шум», «отбой» или «перевод: …»"));
                        return None;
                    }
                }
            }
            _ => {
                let Tree::Map(pairs) = &node.value else {
                    self.wrong(node, "шаг — это «робот: …», «человек: …» и тому подобное");
                    return None;
                };
                let names = |key: &Node| {
                    STEPS
                        .iter()
                        .find(|(ru, en)| key.text() == Some(ru) || key.text() == Some(en))
                };
                let kinds: Vec<&str> = pairs
                    .iter()
                    .filter_map(|(key, _)| names(key))
                    .map(|(_, en)| *en)
                    .collect();
                let of: &[Key] = match kinds.as_slice() {
                    ["robot"] => &OF_ROBOT,
                    ["transfer"] => &OF_TRANSFER,
                    [_] => &OF_PERSON,
                    [] => {
                        // The nearest word is told by the list of all.
                        let before = self.faults.len();
                        self.entries(node, &[&STEPS, &OF_ROBOT, &OF_PERSON, &OF_TRANSFER]);
                        if self.faults.len() == before {
                            self.wrong(node, "не сказано, чей это шаг: нужно «робот: …», «человек: …», «цифры: …»");
                        }
                        return None;
                    }
                    _ => {
                        self.wrong(
                            node,
                            "здесь два шага вместе: начните второй с новой строки и дефиса",
                        );
                        return None;
                    }
                };
                self.entries(node, &[&STEPS, of])
            }
        };
        let get = |key: &str| {
            entries
                .iter()
                .find(|(en, ..)| *en == key)
                .map(|(_, _, value)| *value)
        };
        let (kind, _, value) = *entries
            .iter()
            .find(|(en, ..)| STEPS.iter().any(|(_, step)| step == en))?;
        let what = match kind {
            "robot" => What::Robot {
                text: self.text(value),
                within_ms: get("within").and_then(|value| self.seconds(value)),
            },
            "transfer" => What::Transfer {
                status: self.choice(value, &TRANSFERS)?,
                to: get("to").map(|value| self.text(value)),
            },
            _ => {
                let deed = self.deed(kind, value, get("partials"), get("lasts"))?;
                let when = match (get("interrupts"), get("after")) {
                    (Some(value), None) => self.interrupts(value),
                    (None, Some(value)) => When::Polite(self.seconds(value)?),
                    (Some(_), Some(value)) => {
                        self.wrong(
                            value,
                            "«перебивает» и «через» вместе не бывают: оставьте одно",
                        );
                        return None;
                    }
                    (None, None) => When::Polite(POLITE_MS),
                };
                What::Person {
                    deed,
                    when,
                    understood: get("understood")
                        .map(|value| answer_en(&self.text(value)).to_owned()),
                    closed: get("closed").and_then(|value| self.choice(value, &KINDS)),
                }
            }
        };
        Some(Step {
            line: node.line,
            what,
        })
    }

    fn deed(
        &mut self,
        kind: &str,
        value: &Node,
        partials: Option<&Node>,
        lasts: Option<&Node>,
    ) -> Option<Deed> {
        let lasts_ms = match lasts {
            Some(node) => Some(self.seconds(node)?),
            None => None,
        };
        if let Some(node) = partials.filter(|_| kind != "person") {
            self.wrong(node, "«частями» бывает только у «человек»");
        }
        Some(match kind {
            "person" => {
                let mut voice = Voice::says(&self.text(value));
                if let Some(node) = partials {
                    voice.partials = self.partials(node);
                    if let Some((last_ms, _)) = voice.partials.last() {
                        voice.length_ms = voice.length_ms.max(*last_ms);
                    }
                }
                if let Some(ms) = lasts_ms {
                    // The words are spread over the whole time.
                    let was = voice.length_ms.max(1);
                    if partials.is_none() {
                        voice
                            .partials
                            .iter_mut()
                            .for_each(|(at_ms, _)| *at_ms = *at_ms * ms / was);
                    }
                    voice.length_ms = ms;
                }
                Deed::Speak(voice)
            }
            "digits" => {
                let keys: String = self
                    .text(value)
                    .chars()
                    .filter(|c| !c.is_whitespace())
                    .collect();
                if let Some(wrong) = keys.chars().find(|c| !"0123456789*#".contains(*c)) {
                    self.wrong(
                        value,
                        format!("клавиши «{wrong}» на телефоне нет: есть 0–9, * и #"),
                    );
                    return None;
                }
                Deed::Press(keys)
            }
            "silence" => Deed::Silence(match value.is_nothing() {
                true => None,
                false => Some(self.seconds(value)?),
            }),
            "noise" => Deed::Speak(Voice::noise(match value.is_nothing() {
                true => lasts_ms.unwrap_or(NOISE_MS),
                false => self.seconds(value)?,
            })),
            _ => Deed::HangUp,
        })
    }

    /// `{0.4: да, 0.9: да приеду}`
    fn partials(&mut self, node: &Node) -> Vec<(u64, String)> {
        let Tree::Map(pairs) = &node.value else {
            self.wrong(node, "части пишут так: {0.4: да, 0.9: да приеду} — секунды и что к этому времени услышано");
            return Vec::new();
        };
        let mut parts: Vec<(u64, String)> = pairs
            .iter()
            .filter_map(|(at, text)| Some((self.seconds(at)?, self.text(text))))
            .collect();
        parts.sort();
        parts
    }

    /// Seconds into the prompt, or words of it.
    fn interrupts(&mut self, node: &Node) -> When {
        match node.value {
            Tree::Text { plain: true, .. } if number(node).is_some() => {
                self.seconds(node).map_or(When::Into(0), When::Into)
            }
            _ => When::At(self.text(node)),
        }
    }

    fn text(&mut self, node: &Node) -> String {
        match node.text() {
            Some(text) if !text.trim().is_empty() => text.to_owned(),
            _ => {
                self.wrong(node, "здесь нужен текст");
                String::new()
            }
        }
    }

    fn texts(&mut self, node: &Node) -> Vec<String> {
        match &node.value {
            Tree::List(list) => list.iter().map(|node| self.text(node)).collect(),
            _ => vec![self.text(node)],
        }
    }

    fn flag(&mut self, node: &Node) -> bool {
        match node.text() {
            Some("да" | "true" | "yes" | "истина") => true,
            Some("нет" | "false" | "no" | "ложь") => false,
            _ => {
                self.wrong(node, "здесь нужно да или нет");
                false
            }
        }
    }

    /// Seconds, as milliseconds.
    fn seconds(&mut self, node: &Node) -> Option<u64> {
        let seconds = number(node).filter(|seconds| (0.0..=MAX_SECONDS).contains(seconds));
        if seconds.is_none() {
            self.wrong(
                node,
                format!("здесь нужны секунды: число от 0 до {MAX_SECONDS}"),
            );
        }
        // Bounded above, so it fits.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        seconds.map(|seconds| (seconds * 1000.0).round() as u64)
    }

    fn choice<T: Copy>(&mut self, node: &Node, all: &[(Key, T)]) -> Option<T> {
        let text = node.text().unwrap_or_default();
        let found = all.iter().find(|((ru, en), _)| *ru == text || *en == text);
        if found.is_none() {
            let known: Vec<&str> = all.iter().map(|((ru, _), _)| *ru).collect();
            self.wrong(
                node,
                format!("«{text}» здесь не бывает; бывает: {}", known.join(", ")),
            );
        }
        found.map(|(_, value)| *value)
    }
}

fn number(node: &Node) -> Option<f64> {
    node.text()?.replace(',', ".").parse().ok()
}

fn now_default() -> Zoned {
    NOW.parse()
        .unwrap_or_else(|_| Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC))
}

/// `2026-01-14 12:00` by the default zone, or with an offset.
fn now(text: &str) -> Option<Zoned> {
    if let Ok(now) = Zoned::strptime("%Y-%m-%dT%H:%M%:z", text)
        .or_else(|_| Zoned::strptime("%Y-%m-%dT%H:%M:%S%:z", text))
    {
        return Some(now);
    }
    let at: DateTime = text.replace(' ', "T").parse().ok()?;
    at.to_zoned(now_default().time_zone().clone()).ok()
}
