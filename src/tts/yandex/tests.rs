//! How texts are cut. What the service answers is in tests/yandex.rs, on the vendor's own stubs.

use super::split;

#[test]
fn texts_are_cut_where_a_speaker_would_breathe() {
    for (text, most, expect) in [
        ("Да.", 250, &["Да."][..]),
        ("", 250, &[]),
        ("Один. Два. Три.", 11, &["Один. Два.", "Три."]),
        // No sentence ends in a number or a time.
        (
            "Сумма 3.50 рубля. Ждём в 10:30 утра.",
            20,
            &["Сумма 3.50 рубля.", "Ждём в 10:30 утра."],
        ),
        ("Раз, два, три, четыре", 12, &["Раз, два,", "три, четыре"]),
        ("раз два три", 8, &["раз два", "три"]),
        ("абвгдежз", 3, &["абв", "где", "жз"]),
        ("Уже? Да! Нет…  Пора.", 6, &["Уже?", "Да!", "Нет…", "Пора."]),
    ] {
        assert_eq!(split(text, most), expect, "{text:?} at {most}");
    }
}

proptest::proptest! {
    #[test]
    fn no_letter_is_lost_and_no_piece_is_too_long(text in "[а-я.,! ]{0,300}", most in 1usize..40) {
        let pieces = split(&text, most);
        proptest::prop_assert!(pieces.iter().all(|p| !p.is_empty() && p.chars().count() <= most));
        let letters = |t: &str| t.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        proptest::prop_assert_eq!(letters(&pieces.concat()), letters(&text));
    }
}
