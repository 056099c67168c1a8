//! What 1C orders: one person to be called, by one dialog.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::ident::{CallId, Phone};

/// An order, checked. Its id makes repeats harmless.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// 1C's own id, or ours where it gave none.
    pub id: CallId,
    /// Whom to call.
    pub phone: Phone,
    /// By which dialog (the file's name without ending).
    pub dialog: String,
    /// What the dialog is given: `param("name")` and `${name}`.
    pub params: Map<String, Value>,
    /// Prompt file (in `sounds/`) played first; the simple `GET /call` has it.
    pub file: Option<String>,
    /// Higher goes first; 0 by default, -100 to 100.
    pub priority: i32,
    /// Not to be called before.
    pub not_before: Option<Timestamp>,
    /// Not to be called after: the order becomes `expired`.
    pub expires: Option<Timestamp>,
    /// How often at most, 1 to 20; 0: as the rules say, which is once where they say nothing.
    pub attempts: u32,
    /// Where the end is told, too (http or https URL).
    pub callback: Option<String>,
    /// The set of rules to call by, by its name in the config; `None`: the dialog's, else the first.
    pub rules: Option<String>,
    /// The callee's time zone (`Asia/Kamchatka`); `None`: by the number.
    pub zone: Option<String>,
    /// Calling hours of this order alone (`пн-пт 9:00-20:00`); `None`: by the rules.
    pub hours: Option<String>,
}

impl Order {
    /// An order with everything optional left at its default: tests, `demo` and `GET /call` start from it.
    pub fn simple(id: CallId, phone: Phone, dialog: impl Into<String>) -> Self {
        Self {
            id,
            phone,
            dialog: dialog.into(),
            params: Map::new(),
            file: None,
            priority: 0,
            not_before: None,
            expires: None,
            attempts: 0,
            callback: None,
            rules: None,
            zone: None,
            hours: None,
        }
    }
}

/// What may be changed of an order while it waits. `None` leaves it as it is; an inner `None` takes it away.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OrderPatch {
    /// Higher goes first.
    pub priority: Option<i32>,
    /// Not to be called before.
    pub not_before: Option<Option<Timestamp>>,
    /// Not to be called after.
    pub expires: Option<Option<Timestamp>>,
    /// What the dialog is given, all of it.
    pub params: Option<Map<String, Value>>,
    /// How often at most.
    pub attempts: Option<u32>,
    /// Where the end is told, too.
    pub callback: Option<Option<String>>,
    /// Prompt file played first.
    pub file: Option<Option<String>>,
    /// The set of rules to call by.
    pub rules: Option<Option<String>>,
    /// The callee's time zone.
    pub zone: Option<Option<String>>,
    /// Calling hours of this order alone.
    pub hours: Option<Option<String>>,
}

impl OrderPatch {
    /// Makes `order` what it asks for.
    pub fn apply(&self, order: &mut Order) {
        fn set<T: Clone>(target: &mut T, wish: &Option<T>) {
            if let Some(value) = wish {
                target.clone_from(value);
            }
        }
        set(&mut order.priority, &self.priority);
        set(&mut order.not_before, &self.not_before);
        set(&mut order.expires, &self.expires);
        set(&mut order.params, &self.params);
        set(&mut order.attempts, &self.attempts);
        set(&mut order.callback, &self.callback);
        set(&mut order.file, &self.file);
        set(&mut order.rules, &self.rules);
        set(&mut order.zone, &self.zone);
        set(&mut order.hours, &self.hours);
    }
}
