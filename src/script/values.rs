//! Values of scripts as JSON and back: what 1C gives and gets.

use std::borrow::Cow;

use rhai::{Array, Dynamic, ImmutableString, Map};
use serde_json::Value;

use super::fill::{plain, written};
use super::reply::ScriptReply;

/// Deepest nesting of what a script leaves.
const MAX_DEPTH: usize = 16;

/// JSON from outside as a script sees it: `null` is `()`, objects are maps.
pub(super) fn to_script(value: &Value) -> Dynamic {
    of_json(value, plain)
}

/// The same for what the dialog's author wrote: its `${name}` are to be filled.
pub(super) fn own_to_script(value: &Value) -> Dynamic {
    of_json(value, written)
}

fn of_json(value: &Value, text: fn(&str) -> Cow<'_, str>) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(b) => (*b).into(),
        Value::Number(n) => match n.as_i64() {
            Some(i) => i.into(),
            None => n.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(s) => text(s).as_ref().into(),
        Value::Array(items) => {
            Dynamic::from_array(items.iter().map(|v| of_json(v, text)).collect())
        }
        Value::Object(fields) => Dynamic::from_map(
            fields
                .iter()
                .map(|(k, v)| (k.as_str().into(), of_json(v, text)))
                .collect::<Map>(),
        ),
    }
}

/// A script's value as JSON. A reply becomes what was said. The error is the type's name, where JSON has no such thing
/// (functions, ranges, times) or it is nested too deep.
pub(super) fn to_json(value: &Dynamic) -> Result<Value, String> {
    convert(value, 0)
}

fn convert(value: &Dynamic, depth: usize) -> Result<Value, String> {
    if depth > MAX_DEPTH {
        return Err(format!("nesting over {MAX_DEPTH}"));
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(b) = value.as_bool() {
        return Ok(Value::Bool(b));
    }
    if let Ok(i) = value.as_int() {
        return Ok(Value::from(i));
    }
    if let Ok(f) = value.as_float() {
        // JSON has neither infinity nor NaN.
        return Ok(Value::from(f));
    }
    if let Some(s) = value.read_lock::<ImmutableString>() {
        return Ok(Value::from(plain(&s)));
    }
    if let Ok(c) = value.as_char() {
        return Ok(Value::from(c.to_string()));
    }
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().map(|v| convert(v, depth + 1)).collect();
    }
    if let Some(fields) = value.read_lock::<Map>() {
        return fields
            .iter()
            .map(|(k, v)| Ok((plain(k).into_owned(), convert(v, depth + 1)?)))
            .collect::<Result<serde_json::Map<_, _>, String>>()
            .map(Value::Object);
    }
    if let Some(reply) = value.read_lock::<ScriptReply>() {
        return Ok(Value::from(reply.reply().text.as_str()));
    }
    Err(value.type_name().to_owned())
}

/// JSON as it is spoken or shown inside a text: strings without quotes, `null` as nothing.
pub(super) fn to_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_survives_the_way_through_a_script() {
        let value = serde_json::json!({
            "имя": "Анна", "n": 5, "x": 1.5, "да": true, "пусто": null, "список": [1, "два", {"k": []}],
        });
        assert_eq!(to_json(&to_script(&value)).unwrap(), value);
        assert!(to_json(&Dynamic::from(rhai::FnPtr::new("f").unwrap())).is_err());
        let mut deep = Dynamic::UNIT;
        for _ in 0..40 {
            deep = Dynamic::from_array(vec![deep]);
        }
        assert!(to_json(&deep).is_err());
    }
}
