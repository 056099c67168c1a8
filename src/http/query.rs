//! The query of a request: strict percent-decoding, UTF-8 only, nothing twice.
//!
//! 1C's `КодироватьСтроку` gives UTF-8; what was sent as windows-1251 is refused with a word on it, not guessed at.

use super::refusal::Refusal;
use crate::config::nearest;

/// Most parameters of a query.
const MAX_PAIRS: usize = 100;

/// The parameters in their order. `phone` keeps a plus that wasn't encoded: elsewhere a plus is a blank.
pub(super) fn parse(query: &str) -> Result<Vec<(String, String)>, Refusal> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for piece in query.split('&').filter(|piece| !piece.is_empty()) {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        let name = decode(name, true).ok_or_else(|| not_utf8(name))?;
        let value = decode(value, name != "phone").ok_or_else(|| not_utf8(&name))?;
        if pairs.iter().any(|(known, _)| *known == name) {
            return Err(Refusal::field(
                "repeated",
                &name,
                format!("параметр {name} указан дважды; оставьте один"),
                format!("{name} is there twice; keep one"),
            ));
        }
        if pairs.len() == MAX_PAIRS {
            return Err(Refusal::bad(
                "too_many",
                format!("в запросе больше {MAX_PAIRS} параметров"),
                format!("more than {MAX_PAIRS} parameters in the query"),
            ));
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

/// Refuses a query that has other names than `known`.
pub(super) fn only(query: &str, known: &[&'static str]) -> Result<(), Refusal> {
    for (name, _) in parse(query)? {
        if !known.contains(&name.as_str()) {
            return Err(unknown(&name, known));
        }
    }
    Ok(())
}

fn unknown(name: &str, known: &[&'static str]) -> Refusal {
    let short: String = name.chars().take(40).collect();
    if known.is_empty() {
        return Refusal::field(
            "unknown_field",
            &short,
            format!("параметра {short} нет: у этого запроса их не бывает"),
            format!("there is no parameter {short}: this request has none"),
        );
    }
    let (near_ru, near_en) = match nearest(name, known.iter().copied()) {
        Some(near) => (
            format!("может быть, {near}? "),
            format!("did you mean {near}? "),
        ),
        None => Default::default(),
    };
    let all = known.join(", ");
    Refusal::field(
        "unknown_field",
        &short,
        format!("параметра {short} нет; {near_ru}Есть: {all}"),
        format!("there is no parameter {short}; {near_en}There are: {all}"),
    )
}

fn not_utf8(name: &str) -> Refusal {
    let name: String = name.chars().take(40).collect();
    let mut refusal = Refusal::bad(
        "not_utf8",
        format!(
            "параметр {name}: это не UTF-8 в процентной записи; в 1С: КодироватьСтроку(Текст, СпособКодированияСтроки.КодировкаURL)"
        ),
        format!("{name}: this is no percent-encoded UTF-8; encode the text as UTF-8 first"),
    );
    refusal.field = Some(name);
    refusal
}

/// Decodes `%XX`, and `+` as a blank where `plus_is_blank`; nothing where a `%` isn't followed by two digits or the bytes aren't UTF-8.
fn decode(text: &str, plus_is_blank: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'%' => {
                let digit = |at: usize| rest.get(at).and_then(|b| char::from(*b).to_digit(16));
                let value = digit(0)? * 16 + digit(1)?;
                bytes.push(u8::try_from(value).ok()?);
                rest = &rest[2..];
            }
            b'+' if plus_is_blank => bytes.push(b' '),
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_1c_sends() {
        let query = "phone=+79121234567&dialog=%D0%B2%D0%B8%D0%B7%D0%B8%D1%82&name=%D0%98%D0%B2%D0%B0%D0%BD+%D0%98.&empty=&flag";
        let pairs = parse(query).unwrap();
        let expect = [
            ("phone", "+79121234567"),
            ("dialog", "визит"),
            ("name", "Иван И."),
            ("empty", ""),
            ("flag", ""),
        ];
        let got: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(got, expect);
        assert_eq!(parse("phone=%2B7912").unwrap()[0].1, "+7912");
    }

    #[test]
    fn refuses_what_it_would_have_to_guess() {
        for (query, code, field) in [
            ("a=%", "not_utf8", Some("a")),
            ("a=%zz", "not_utf8", Some("a")),
            ("a=%E8%E2%E0%ED", "not_utf8", Some("a")),
            ("a=1&a=2", "repeated", Some("a")),
        ] {
            let refusal = parse(query).unwrap_err();
            assert_eq!(
                (refusal.code, refusal.field.as_deref()),
                (code, field),
                "{query}"
            );
        }
        let many: Vec<String> = (0..=MAX_PAIRS).map(|i| format!("p{i}=1")).collect();
        assert_eq!(parse(&many.join("&")).unwrap_err().code, "too_many");
    }
}
