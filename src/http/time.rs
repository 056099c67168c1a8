//! Moments as 1C writes and reads them.
//!
//! Written: `2026-11-25T10:00:00+03:00`, without fractions, in the server's zone. `ПрочитатьДатуJSON(…, ФорматДатыJSON.ISO)` and
//! `XMLЗначение(Тип("Дата"), …)` read it, and its first 19 characters are the server's own clock. Read: the same, with `Z`
//! or another offset, with fractions, or without a zone, which then is the server's.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Longest text that is looked at, bytes.
const MAX_BYTES: usize = 40;
/// `'00010101'`, 1C's empty date: as good as none.
const EMPTY: &str = "0001-01-01T00:00:00";
/// Years that a time may lie in.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=9998;

/// As 1C reads it.
pub(super) fn written(at: Timestamp, zone: &TimeZone) -> String {
    let zoned = at.to_zoned(zone.clone());
    zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// The same of what may be absent.
pub(super) fn written_opt(at: Option<Timestamp>, zone: &TimeZone) -> Option<String> {
    at.map(|at| written(at, zone))
}

/// What 1C wrote; `Some(None)`: its empty date. `None`: that is no time.
pub(super) fn read(text: &str, zone: &TimeZone) -> Option<Option<Timestamp>> {
    if text.starts_with(EMPTY) {
        return Some(None);
    }
    // Both parsers take more than we promise (a bare date, for instance, would be midnight).
    if text.len() > MAX_BYTES || !text.contains(['T', 't', ' ']) {
        return None;
    }
    let at = match text.parse::<Timestamp>() {
        Ok(at) => at,
        Err(_) => {
            let local: DateTime = text.parse().ok()?;
            local.to_zoned(zone.clone()).ok()?.timestamp()
        }
    };
    let year = at.to_zoned(TimeZone::UTC).year();
    YEARS.contains(&year).then_some(Some(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_1c_writes_is_read_and_what_it_reads_is_written() {
        let moscow = TimeZone::fixed(jiff::tz::offset(3));
        for (text, expect) in [
            ("2026-11-25T10:00:00", Some("2026-11-25T10:00:00+03:00")),
            ("2026-11-25T10:00:00Z", Some("2026-11-25T13:00:00+03:00")),
            (
                "2026-11-25T10:00:00+05:00",
                Some("2026-11-25T08:00:00+03:00"),
            ),
            ("2026-11-25T10:00:00.123", Some("2026-11-25T10:00:00+03:00")),
            ("2026-11-25 10:00:00", Some("2026-11-25T10:00:00+03:00")),
            ("2026-11-25T10:00", Some("2026-11-25T10:00:00+03:00")),
            ("2026-11-25", None),
            ("25.11.2026 10:00:00", None),
            ("10:00", None),
            ("", None),
            ("-009000-01-01T00:00:00Z", None),
            ("2026-13-25T10:00:00", None),
            ("/Date(1416873600000)/", None),
        ] {
            let got = read(text, &moscow);
            let got = got.map(|at| written(at.unwrap(), &moscow));
            assert_eq!(got.as_deref(), expect, "{text}");
        }
        for empty in ["0001-01-01T00:00:00", "0001-01-01T00:00:00Z"] {
            assert_eq!(read(empty, &moscow), Some(None));
        }
        let at: Timestamp = "2026-11-25T07:00:00.999Z".parse().unwrap();
        assert_eq!(written(at, &TimeZone::UTC), "2026-11-25T07:00:00+00:00");
    }
}
