//! Range requests (RFC 9110, 14): one range of bytes, or the whole.

use std::ops::Range;

/// What of a body of `length` bytes is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it: no range, one that can't be read, or several.
    Whole,
    /// This part.
    Part(Range<u64>),
    /// What isn't there.
    Nothing,
}

/// Reads the header `Range`.
pub(super) fn wanted(header: Option<&str>, length: u64) -> Wanted {
    let Some(range) = header.and_then(|text| text.trim().strip_prefix("bytes=")) else {
        return Wanted::Whole;
    };
    // Several ranges may be answered by the whole, and nobody asks a recording for them.
    let Some((first, last)) = range.split_once('-').filter(|_| !range.contains(',')) else {
        return Wanted::Whole;
    };
    let number = |text: &str| -> Result<Option<u64>, ()> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(());
        }
        // More digits than a number holds lead beyond any end.
        Ok(Some(text.parse().unwrap_or(u64::MAX)))
    };
    let (Ok(first), Ok(last)) = (number(first), number(last)) else {
        return Wanted::Whole;
    };
    let part = match (first, last) {
        (None, None) => return Wanted::Whole,
        (None, Some(count)) => length.saturating_sub(count)..length,
        (Some(first), Some(last)) if last < first => return Wanted::Whole,
        (Some(first), last) => {
            first..last.map_or(length, |last| last.saturating_add(1).min(length))
        }
    };
    if part.start < part.end {
        Wanted::Part(part)
    } else {
        Wanted::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_a_part_and_what_cannot_be_read_is_the_whole() {
        use Wanted::{Nothing, Part, Whole};
        for (header, expect) in [
            ("bytes=0-9", Part(0..10)),
            ("bytes=90-", Part(90..100)),
            ("bytes=90-1000", Part(90..100)),
            ("bytes=-10", Part(90..100)),
            ("bytes=-1000", Part(0..100)),
            ("bytes=99-99", Part(99..100)),
            ("bytes=0-18446744073709551615", Part(0..100)),
            ("bytes=100-", Nothing),
            ("bytes=99999999999999999999999-", Nothing),
            ("bytes=-0", Nothing),
            ("bytes=5-4", Whole),
            ("bytes=0-1,5-6", Whole),
            ("bytes=-", Whole),
            ("bytes=a-b", Whole),
            ("bytes=+1-2", Whole),
            ("lines=0-9", Whole),
            ("", Whole),
        ] {
            assert_eq!(wanted(Some(header), 100), expect, "{header}");
        }
        assert_eq!(wanted(None, 100), Whole);
        assert_eq!(wanted(Some("bytes=0-"), 0), Nothing);
        assert_eq!(wanted(Some("bytes=-5"), 0), Nothing);
    }
}
