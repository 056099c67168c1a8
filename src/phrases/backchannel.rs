//! What a listener says to show that he listens: no answer, and no reason to stop a prompt.

use super::words::words;

const BACKCHANNELS: [&str; 17] = [
    "угу",
    "ага",
    "мгм",
    "мм",
    "хм",
    "так",
    "ну",
    "э",
    "а",
    "алло",
    "але",
    "понятно",
    "ясно",
    "слушаю",
    "mhm",
    "uh",
    "hmm",
];

/// Nothing but such sounds (an empty text too).
pub fn is_backchannel(text: &str) -> bool {
    words(text)
        .iter()
        .all(|word| BACKCHANNELS.contains(&word.text.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_sounds_are_no_answers() {
        for text in ["угу", "Ага, угу.", "алло", "ну так", "угу, понятно", ""]
        {
            assert!(is_backchannel(text), "{text:?}");
        }
        for text in ["да", "угу приеду", "нет"] {
            assert!(!is_backchannel(text), "{text:?}");
        }
    }
}
