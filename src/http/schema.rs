//! JSON Schema of what comes in and what goes out, as OpenAPI 3.1 writes it: small words to build it of. Pure.

use serde_json::{Map, Value, json};

/// A text.
pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

/// A text of `least` to `most` characters.
pub(super) fn text_of(least: usize, most: usize) -> Value {
    json!({ "type": "string", "minLength": least, "maxLength": most })
}

/// One of `words`.
pub(super) fn word<'w>(words: impl IntoIterator<Item = &'w str>) -> Value {
    let words: Vec<&str> = words.into_iter().collect();
    json!({ "type": "string", "enum": words })
}

/// A whole number.
pub(super) fn whole(least: i64, most: i64) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most })
}

/// A count: a whole number from 0.
pub(super) fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

/// `true` or `false`.
pub(super) fn flag() -> Value {
    json!({ "type": "boolean" })
}

/// A moment, as [`super::time::written`] writes it.
pub(super) fn time() -> Value {
    json!({ "type": "string", "format": "date-time", "examples": ["2026-11-25T10:00:00+03:00"] })
}

/// An object whose fields are the dialog's or 1C's own.
pub(super) fn free() -> Value {
    json!({ "type": "object" })
}

/// A list.
pub(super) fn list(of: Value) -> Value {
    json!({ "type": "array", "items": of })
}

/// `of`, or `null`.
pub(super) fn maybe(mut of: Value) -> Value {
    if let Some(words) = of.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
    }
    match of.get("type").cloned() {
        Some(Value::String(kind)) => {
            of["type"] = json!([kind, "null"]);
            of
        }
        _ => json!({ "anyOf": [of, { "type": "null" }] }),
    }
}

/// The form of that name among the document's `components`.
pub(super) fn named(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// One of several forms.
pub(super) fn either(forms: Vec<Value>) -> Value {
    json!({ "anyOf": forms })
}

/// An object with all of these fields and no others.
pub(super) fn object(fields: Vec<(&str, Value)>) -> Value {
    let required: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    closed(&fields, &required)
}

/// An object with these fields only, of which `required` must be there.
pub(super) fn closed(fields: &[(&str, Value)], required: &[&str]) -> Value {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|(name, form)| ((*name).to_owned(), form.clone()))
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// `form` with a word on it.
pub(super) fn saying(mut form: Value, what: &str) -> Value {
    if form.get("$ref").is_some() {
        form = json!({ "allOf": [form] });
    }
    form["description"] = what.into();
    form
}

/// `form` with the value that stands for an absent one.
pub(super) fn usual(mut form: Value, value: impl Into<Value>) -> Value {
    form["default"] = value.into();
    form
}

/// Makes, from one list of fields, the function that writes an object and the one that tells its form, so that the
/// OpenAPI document can't lag behind: a new field is a new line.
///
/// ```ignore
/// told! {
///     /// A line of history.
///     pub(super) fn event(event: &EventRecord), event_form {
///         "seq": count() => event.seq,
///     }
/// }
/// ```
macro_rules! told {
    (
        $(#[$doc:meta])*
        $sight:vis fn $name:ident($($arg:ident: $kind:ty),*), $form_name:ident {
            $($field:literal: $form:expr => $value:expr,)*
        }
    ) => {
        $(#[$doc])*
        $sight fn $name($($arg: $kind),*) -> serde_json::Value {
            let mut map = serde_json::Map::new();
            $(map.insert($field.to_owned(), serde_json::json!($value));)*
            serde_json::Value::Object(map)
        }

        /// The form of it.
        $sight fn $form_name() -> serde_json::Value {
            $crate::http::schema::object(vec![$(($field, $form)),*])
        }
    };
}
pub(super) use told;

/// Why `value` isn't of `form`; the subset of JSON Schema that is built here.
#[cfg(test)]
pub(super) fn mismatch(value: &Value, form: &Value, named: &Map<String, Value>) -> Option<String> {
    if let Some(name) = form["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap_or_default();
        return mismatch(value, &named[name], named).map(|why| format!("{name}: {why}"));
    }
    if let Some(all) = form["allOf"].as_array() {
        return all.iter().find_map(|form| mismatch(value, form, named));
    }
    if let Some(any) = form["anyOf"].as_array() {
        let whys: Vec<String> = any
            .iter()
            .map_while(|form| mismatch(value, form, named))
            .collect();
        return (whys.len() == any.len()).then(|| whys.join("; or "));
    }
    let is = |kind: &str| match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        other => panic!("{other} is no type"),
    };
    let fits = match &form["type"] {
        Value::String(kind) => is(kind),
        Value::Array(kinds) => kinds.iter().any(|kind| is(kind.as_str().unwrap())),
        _ => true,
    };
    if !fits {
        return Some(format!("{value} is no {}", form["type"]));
    }
    if let Some(words) = form["enum"].as_array()
        && !words.contains(value)
    {
        return Some(format!("{value} is none of {words:?}"));
    }
    if form["format"] == "date-time" && value.is_string() {
        let text = value.as_str().unwrap();
        // The form that 1C reads: seconds, and an offset in hours and minutes.
        if text.len() != 25 || text.parse::<jiff::Timestamp>().is_err() {
            return Some(format!("{text} is no time of ours"));
        }
    }
    if let Some(map) = value.as_object() {
        let known = form["properties"].as_object();
        for name in form["required"].as_array().into_iter().flatten() {
            if !map.contains_key(name.as_str().unwrap()) {
                return Some(format!("{name} isn't there"));
            }
        }
        for (name, value) in map {
            match known.and_then(|known| known.get(name)) {
                Some(form) => {
                    if let Some(why) = mismatch(value, form, named) {
                        return Some(format!("{name}: {why}"));
                    }
                }
                None if form["additionalProperties"] == false => {
                    return Some(format!("{name} isn't in the document"));
                }
                None => {}
            }
        }
    }
    let items = value.as_array().into_iter().flatten();
    items.enumerate().find_map(|(at, item)| {
        form.get("items")
            .and_then(|form| mismatch(item, form, named))
            .map(|why| format!("[{at}]: {why}"))
    })
}
