//! Where a speaker takes back what was said: "нет, то есть да", "в пять, ой, в шесть". What follows counts.

/// Word rows after which the speaker begins anew; the longer first.
const MARKS: &[&[&str]] = &[
    &["ой", "нет", "нет"],
    &["ах", "нет"],
    &["ой", "нет"],
    &["ой", "не"],
    &["а", "нет"],
    &["а", "не"],
    &["хотя", "нет"],
    &["то", "есть", "нет"],
    &["нет", "вернее"],
    &["нет", "точнее"],
    &["в", "смысле"],
    &["то", "есть"],
    &["тоесть"],
    &["вообще", "то"],
    &["не", "так"],
    &["i", "mean"],
    &["no", "wait"],
    &["or", "rather"],
    &["scratch", "that"],
    &["no", "sorry"],
    &["ой"],
    &["вернее"],
    &["точнее"],
    &["хотя"],
    &["вру"],
    &["стоп"],
    &["погодите"],
    &["погоди"],
    &["подождите"],
    &["подожди"],
    &["ошибся"],
    &["ошиблась"],
    &["оговорился"],
    &["оговорилась"],
    &["простите"],
    &["извините"],
    &["извиняюсь"],
    &["пардон"],
    &["actually"],
    &["sorry"],
    &["wait"],
    &["rather"],
    &["oops"],
];

/// A place where a speaker begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Correction {
    /// Index of the mark's first word.
    pub mark: usize,
    /// Index of the first word after the mark.
    pub after: usize,
}

/// All such places among `count` words, in the order in which they were said. "хотя бы" is none.
pub(super) fn corrections<'a>(count: usize, word: impl Fn(usize) -> &'a str) -> Vec<Correction> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < count {
        let mark = MARKS.iter().find(|mark| {
            at + mark.len() <= count
                && mark
                    .iter()
                    .enumerate()
                    .all(|(n, wanted)| word(at + n) == *wanted)
        });
        match mark {
            Some(mark) if !(mark[0] == "хотя" && at + 1 < count && word(at + 1) == "бы") => {
                found.push(Correction {
                    mark: at,
                    after: at + mark.len(),
                });
                at += mark.len();
            }
            _ => at += 1,
        }
    }
    found
}
