//! `${name}` in the texts of `say`, `ask` and `play`.
//!
//! Only what stands in the script itself is filled: where the parser meets a string with `${`, the `$` becomes [`SLOT`],
//! which no value from outside can hold. So `say("Для вас: " + param("note"))` speaks the note as 1C wrote it, `${` and all.

use std::borrow::Cow;

/// Stands for the `$` of a `${` that the script's author wrote. A private character, one as the `$` is, so that lengths
/// and columns stay.
const SLOT: char = '\u{e024}';
const OPEN: &str = "\u{e024}{";

/// A string of the author's own, in a script or in a dialog's YAML.
pub(super) fn written(text: &str) -> Cow<'_, str> {
    if text.contains("${") {
        Cow::Owned(text.replace("${", OPEN))
    } else {
        Cow::Borrowed(text)
    }
}

/// A text as it is told to people and to 1C, and as it comes from them: without slots.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if text.contains(SLOT) {
        Cow::Owned(text.replace(SLOT, "$"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Fills every slot from `lookup`; the error is the first name that it doesn't know. An unclosed `${` stays as it is.
pub(super) fn fill(
    text: &str,
    mut lookup: impl FnMut(&str) -> Option<String>,
) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(OPEN) {
        let Some(len) = rest[start + OPEN.len()..].find('}') else {
            break;
        };
        let name = rest[start + OPEN.len()..start + OPEN.len() + len].trim();
        filled.push_str(&rest[..start]);
        filled.push_str(&lookup(name).ok_or_else(|| name.to_owned())?);
        rest = &rest[start + OPEN.len() + len + 1..];
    }
    filled.push_str(rest);
    Ok(plain(&filled).into_owned())
}

/// The names that `text` wants filled, in their order.
pub(super) fn names(text: &str) -> Vec<&str> {
    text.split(OPEN)
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name.trim()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_and_unknown_ones_named() {
        let lookup = |name: &str| (name == "имя").then(|| "Анна ${x}".to_owned());
        for (text, want) in [
            ("Здравствуйте, ${имя}!", Ok("Здравствуйте, Анна ${x}!")),
            ("${ имя }${имя}", Ok("Анна ${x}Анна ${x}")),
            ("5 $ и ${не закрыто", Ok("5 $ и ${не закрыто")),
            ("${name}", Err("name")),
            ("", Ok("")),
        ] {
            let own = written(text);
            assert_eq!(own.chars().count(), text.chars().count());
            assert_eq!(plain(&own), text);
            let got = fill(&own, lookup);
            assert_eq!(got.as_deref().map_err(String::as_str), want, "{text}");
            // The same from outside is only a text.
            assert_eq!(fill(text, lookup).as_deref(), Ok(text));
        }
        assert_eq!(names(&written("${a} ${ b} ${c")), ["a", "b"]);
        assert!(names("${a}").is_empty());
    }
}
