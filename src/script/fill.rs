//! `${name}` in the texts of `say`, `ask` and `play`.

/// Fills every `${name}` from `lookup`; the error is the first name that it doesn't know. An unclosed `${` stays as it is.
pub(super) fn fill(
    text: &str,
    mut lookup: impl FnMut(&str) -> Option<String>,
) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(len) = rest[start + 2..].find('}') else {
            break;
        };
        let name = rest[start + 2..start + 2 + len].trim();
        filled.push_str(&rest[..start]);
        filled.push_str(&lookup(name).ok_or_else(|| name.to_owned())?);
        rest = &rest[start + 2 + len + 1..];
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The names that `text` wants filled, in their order.
pub(super) fn names(text: &str) -> Vec<&str> {
    text.split("${")
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
            let got = fill(text, lookup);
            assert_eq!(got.as_deref().map_err(String::as_str), want, "{text}");
        }
        assert_eq!(names("${a} ${ b} ${c"), ["a", "b"]);
    }
}
