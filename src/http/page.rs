//! A page of a list: where it begins and how long it is, as `?after=&limit=` asks.

use super::query;
use super::refusal::Refusal;
use super::routes::Route;
use super::schema::{usual, whole};
use crate::store::MAX_PAGE;

/// Rows of a page where the request doesn't say.
pub(super) const USUAL: usize = 100;

/// The page that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// What comes after this place, from 0.
    pub(super) after: i64,
    /// At most so many rows, 1 to [`MAX_PAGE`].
    pub(super) limit: usize,
}

impl Page {
    /// What the query says; `usual` rows where it doesn't.
    pub(super) fn of(raw: Option<&str>, usual: usize) -> Result<Self, Refusal> {
        let [after, limit] = numbers(
            raw,
            [
                ("after", 0, 0, i64::MAX as u64),
                ("limit", usual as u64, 1, MAX_PAGE as u64),
            ],
        )?;
        Ok(Self {
            after: i64::try_from(after).unwrap_or(i64::MAX),
            limit: usize::try_from(limit).unwrap_or(MAX_PAGE),
        })
    }
}

impl Route {
    /// It answers by pages of `rows` (what they are, in Russian and English), read by [`Page::of`] with the same `usual`.
    pub(super) fn pages(
        self,
        usual_rows: usize,
        after: (&'static str, &'static str),
        rows: (&'static str, &'static str),
    ) -> Self {
        let (usual_rows, most) = (usual_rows as i64, MAX_PAGE as i64);
        self.asks("after", usual(whole(0, i64::MAX), 0), after.0, after.1)
            .asks("limit", usual(whole(1, most), usual_rows), rows.0, rows.1)
    }
}

/// Whole numbers of a query: `(name, usual, least, most)`. That nothing else is in it the table has seen to.
pub(super) fn numbers<const N: usize>(
    raw: Option<&str>,
    known: [(&str, u64, u64, u64); N],
) -> Result<[u64; N], Refusal> {
    let mut found = known.map(|(_, usual, _, _)| usual);
    for (name, value) in query::parse(raw.unwrap_or_default())? {
        let Some(at) = known.iter().position(|(key, ..)| *key == name) else {
            continue;
        };
        let (key, _, least, most) = known[at];
        found[at] = match value.parse::<u64>() {
            Ok(number) if (least..=most).contains(&number) => number,
            _ => {
                return Err(Refusal::field(
                    "out_of_range",
                    key,
                    format!("нужно целое число от {least} до {most}"),
                    format!("a whole number from {least} to {most} is wanted"),
                ));
            }
        };
    }
    Ok(found)
}
