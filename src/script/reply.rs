//! What the person answered, as a script holds it.

use std::sync::Arc;

use jiff::Zoned;
use jiff::civil::{DateTime, Time};
use rhai::{Dynamic, Map};

use crate::call::{Reply, ReplyKind};
use crate::phrases::{self, Extracted, Found, Span};

use super::words::{answer_en, answer_ru};

/// A reply in a script's hand. Cheap to clone, never changes. Figures are read when the script asks for them.
#[derive(Clone)]
pub(super) struct ScriptReply(Arc<Reply>, DateTime, Option<Hours>);

/// Whole hours of a day between which an answer lies, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hours {
    pub(super) from: i8,
    /// Up to 24.
    pub(super) to: i8,
}

impl Hours {
    fn holds(self, time: Time) -> bool {
        let minutes = i32::from(time.hour()) * 60 + i32::from(time.minute());
        (i32::from(self.from) * 60..=i32::from(self.to) * 60).contains(&minutes)
    }

    /// The one reading that lies within; what was sure stays so.
    fn choose(self, found: Found<Span<Time>>) -> Found<Span<Time>> {
        let Found::Unsure(readings) = &found else {
            return found;
        };
        let mut within = readings.iter().filter(|span| {
            [span.from, span.to]
                .into_iter()
                .flatten()
                .all(|t| self.holds(t))
        });
        match (within.next(), within.next()) {
            (Some(one), None) => Found::Sure(*one),
            _ => found,
        }
    }
}

impl ScriptReply {
    /// Wraps what was said at `now`, by the call's clock: "завтра" counts from here.
    pub(super) fn new(reply: Reply, now: &Zoned) -> Self {
        Self(Arc::new(reply), now.datetime(), None)
    }

    /// The same where the dialog knows between which hours the answer lies.
    pub(super) fn within(self, hours: Option<Hours>) -> Self {
        Self(self.0, self.1, hours)
    }

    /// What was said; keys where nothing was.
    fn figures(&self) -> &str {
        if self.0.text.is_empty() {
            self.0.digits.as_str()
        } else {
            self.0.text.as_str()
        }
    }

    /// When it was said, by the call's clock, as `call_again` counts.
    fn heard_at(&self) -> DateTime {
        self.1
    }

    /// The number, whole or with a fraction; `()` where there is none for sure.
    pub(super) fn number(&self) -> Dynamic {
        let found = phrases::number(self.figures()).sure();
        found.map_or(Dynamic::UNIT, |n| {
            n.whole().map_or_else(|| n.as_f64().into(), Dynamic::from)
        })
    }

    /// Roubles: whole, or with kopecks; `()` where there is no sum for sure.
    pub(super) fn sum(&self) -> Dynamic {
        let found = phrases::sum(self.figures()).sure();
        found.map_or(Dynamic::UNIT, |sum| {
            let whole = sum.roubles().and_then(|r| i64::try_from(r).ok());
            whole.map_or_else(|| sum.as_f64().into(), Dynamic::from)
        })
    }

    /// The telephone number as `+79121234567`; `()` where there is none for sure.
    pub(super) fn phone(&self) -> Dynamic {
        let found = phrases::phone(self.figures()).sure();
        found.map_or(Dynamic::UNIT, Dynamic::from)
    }

    /// The day as `2026-11-25`, a stretch as `#{ from, to }`; `()` where there is none for sure.
    pub(super) fn date(&self) -> Dynamic {
        let today = self.heard_at().date();
        shown(phrases::date(self.0.text.as_str(), today), |day| {
            day.to_string()
        })
    }

    /// The time as `17:30`, a stretch as `#{ from, to }`; `()` where there is none for sure.
    pub(super) fn time(&self) -> Dynamic {
        shown(self.heard_time(), |time| time.strftime("%H:%M").to_string())
    }

    fn heard_time(&self) -> Found<Span<Time>> {
        let found = phrases::time(self.0.text.as_str(), self.heard_at());
        match self.2 {
            Some(hours) => hours.choose(found),
            None => found,
        }
    }

    /// Names of the fields that were spoken of unclearly, English.
    pub(super) fn unsure(&self) -> Vec<&'static str> {
        let mut names = Extracted::of(self.0.text.as_str(), self.heard_at()).unsure();
        if !self.heard_time().is_unsure() {
            names.retain(|name| *name != "time");
        }
        names
    }

    /// The number of the recorded message; `()` where nothing was recorded.
    pub(super) fn recording(&self) -> Dynamic {
        let recorded = self.0.recorded.as_ref();
        recorded.map_or(Dynamic::UNIT, |one| i64::from(one.number).into())
    }

    /// How long it is, seconds.
    pub(super) fn seconds(&self) -> Dynamic {
        let ms = self.0.recorded.map_or(0, |one| one.ms);
        // A tenth is exact enough for an analyst, and reads well in 1C.
        ((ms as f64 / 100.0).round() / 10.0).into()
    }

    /// The reply itself.
    pub(super) fn reply(&self) -> &Reply {
        &self.0
    }

    /// `is(name)`: the best answer has that name, English or Russian. Digits are compared, too: `is("2")`.
    pub(super) fn is(&self, name: &str) -> bool {
        if self.0.kind == ReplyKind::Digits {
            return self.0.digits.as_str() == name;
        }
        self.0.is(answer_en(name)) || self.0.is(name)
    }

    /// The best answer's name in Russian, where it has one.
    pub(super) fn intent_ru(&self) -> &str {
        self.0.intent().map_or("", answer_ru)
    }

    /// The kind's word in Russian.
    pub(super) fn kind_ru(&self) -> &'static str {
        match self.0.kind {
            ReplyKind::Speech => "речь",
            ReplyKind::Digits => "цифры",
            ReplyKind::NoInput => "молчание",
            ReplyKind::TooLong => "слишком_долго",
            ReplyKind::HangUp => "отбой",
            ReplyKind::Failed => "сбой",
            ReplyKind::Played => "проиграно",
        }
    }
}

impl std::fmt::Debug for ScriptReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reply({:?}, {:?})", self.0.kind, self.0.intents)
    }
}

fn shown<T: Copy + PartialEq>(found: Found<Span<T>>, show: impl Fn(T) -> String) -> Dynamic {
    let Some(span) = found.sure() else {
        return Dynamic::UNIT;
    };
    if let Some(one) = span.single() {
        return show(one).into();
    }
    let end = |end: Option<T>| end.map_or(Dynamic::UNIT, |end| show(end).into());
    let mut map = Map::new();
    map.insert("from".into(), end(span.from));
    map.insert("to".into(), end(span.to));
    map.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ident::Spoken;

    fn said(text: &str) -> ScriptReply {
        let mut reply = Reply::empty(ReplyKind::Speech);
        reply.text = Spoken::new(text);
        // A Tuesday, at noon.
        ScriptReply(Arc::new(reply), "2026-11-24T12:00".parse().unwrap(), None)
    }

    #[test]
    fn figures_are_read_when_they_are_sure() {
        let reply = said("двадцать пятого ноября в семнадцать тридцать");
        assert_eq!(reply.date().into_string().unwrap(), "2026-11-25");
        assert_eq!(reply.time().into_string().unwrap(), "17:30");
        let reply = said("завтра в пять");
        assert_eq!(reply.date().into_string().unwrap(), "2026-11-25");
        assert!(reply.time().is_unit());
        assert_eq!(reply.unsure(), ["time"]);
        let stretch = said("после обеда").time().cast::<Map>();
        assert_eq!(stretch["from"].clone().into_string().unwrap(), "13:00");
        assert_eq!(said("две тысячи").sum().as_int(), Ok(2_000));
        assert_eq!(said("полтора").number().as_float(), Ok(1.5));
        assert!(said("погода").phone().is_unit());
    }

    #[test]
    fn hours_of_the_day_make_a_time_sure() {
        let within = |text: &str, from, to| {
            let reply = said(text).within(Some(Hours { from, to }));
            let time = reply.time();
            (
                time.into_string().unwrap_or_default(),
                reply.unsure().contains(&"time"),
            )
        };
        assert_eq!(within("завтра в шесть", 9, 20), ("18:00".to_owned(), false));
        assert_eq!(within("в десять", 9, 20), ("10:00".to_owned(), false));
        assert_eq!(within("в полшестого", 9, 20), ("17:30".to_owned(), false));
        assert_eq!(within("в девять", 8, 22), (String::new(), true));
        // What was said for sure isn't changed.
        assert_eq!(within("в семь утра", 9, 20), ("07:00".to_owned(), false));
    }

    #[test]
    fn keys_are_figures_too() {
        let mut reply = Reply::empty(ReplyKind::Digits);
        reply.digits = Spoken::new("9121234567");
        let reply = ScriptReply::new(reply, &Zoned::now());
        assert_eq!(reply.phone().into_string().unwrap(), "+79121234567");
        assert!(reply.date().is_unit() && reply.unsure().is_empty());
    }
}
