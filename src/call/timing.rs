//! How long the person waits in a turn (rule 9 of "Hearing"), counted over all calls.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use super::answerer::Who;

/// Upper bounds of the buckets, milliseconds.
pub const BOUNDS_MS: [u64; 12] = [10, 20, 50, 100, 200, 300, 500, 700, 1000, 1500, 2500, 5000];

/// The steps of a turn: name, from which time, to which.
pub(crate) const STEPS: [(&str, &str, &str); 5] = [
    (
        "end_of_utterance",
        "end_of_speech_ms",
        "end_of_utterance_ms",
    ),
    ("final_text", "end_of_utterance_ms", "final_text_ms"),
    ("decision", "final_text_ms", "decision_ms"),
    ("first_audio", "decision_ms", "first_audio_ms"),
    ("whole", "end_of_speech_ms", "first_audio_ms"),
];

/// A final text that comes so much after the utterance's end is late: the last partial stands for it soon (`settle`).
const LATE_MS: u64 = 480;

/// How soon it is known who answered, by who it is.
#[derive(Debug, Default)]
pub struct AnswererTimes {
    after: [Histogram; Who::ALL.len()],
    /// Told by Asterisk's cause, or by the operator before any answer: no time from an answer.
    unanswered: [AtomicU64; Who::ALL.len()],
}

impl AnswererTimes {
    /// Counts a verdict by its history line ([`super::history::kind::ANSWERER`]); other lines count for nothing.
    pub fn observe(&self, line: &Value) {
        let who = Who::ALL
            .into_iter()
            .position(|who| line["event"] == "verdict" && line["who"] == who.as_str());
        let Some(at) = who else { return };
        match line["after_ms"].as_u64() {
            Some(after_ms) => self.after[at].count(after_ms),
            None => {
                self.unanswered[at].fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// After the answer: all histograms now.
    pub fn read(&self) -> Vec<StepTimes> {
        let each = Who::ALL.iter().zip(&self.after);
        each.map(|(who, histogram)| histogram.read(who.as_str()))
            .collect()
    }

    /// Before any answer: who, and how often.
    pub fn unanswered(&self) -> Vec<(String, u64)> {
        let each = Who::ALL.iter().zip(&self.unanswered);
        each.map(|(who, n)| (who.as_str().to_owned(), n.load(Ordering::Relaxed)))
            .filter(|(who, _)| matches!(who.as_str(), "unreachable" | "invalid_number"))
            .collect()
    }
}

/// Histograms of all steps.
#[derive(Debug, Default)]
pub struct TurnTimings {
    steps: [Histogram; STEPS.len()],
    finals: AtomicU64,
    late_finals: AtomicU64,
}

#[derive(Debug, Default)]
struct Histogram {
    /// One more than bounds: the last takes what is over all.
    counts: [AtomicU64; BOUNDS_MS.len() + 1],
    sum_ms: AtomicU64,
}

impl Histogram {
    fn count(&self, took_ms: u64) {
        let bucket = BOUNDS_MS.partition_point(|bound| *bound < took_ms);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_ms.fetch_add(took_ms, Ordering::Relaxed);
    }

    fn read(&self, step: &'static str) -> StepTimes {
        let mut total = 0;
        let cumulative = self.counts.iter().map(|count| {
            total += count.load(Ordering::Relaxed);
            total
        });
        StepTimes {
            step,
            cumulative: cumulative.collect(),
            sum_ms: self.sum_ms.load(Ordering::Relaxed),
        }
    }
}

/// One step's histogram at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepTimes {
    /// The step (`end_of_utterance`, `final_text`, `decision`, `first_audio`, `whole`), or who answered.
    pub step: &'static str,
    /// Turns at or under each of [`BOUNDS_MS`], cumulative; the last is all of them.
    pub cumulative: Vec<u64>,
    /// Their sum, milliseconds.
    pub sum_ms: u64,
}

impl TurnTimings {
    /// Counts a turn by its history line ([`super::history::kind::TURN`]); steps whose times aren't known are left out.
    pub fn observe(&self, turn: &Value) {
        for ((step, from, to), histogram) in STEPS.iter().zip(&self.steps) {
            if let (Some(from), Some(to)) = (turn[from].as_u64(), turn[to].as_u64()) {
                let took = to.saturating_sub(from);
                histogram.count(took);
                if *step == "final_text" {
                    let late = u64::from(took >= LATE_MS);
                    self.finals.fetch_add(1, Ordering::Relaxed);
                    self.late_finals.fetch_add(late, Ordering::Relaxed);
                }
            }
        }
    }

    /// Utterances whose text was awaited, and those of them whose text came late, or not at all before the last partial stood
    /// for it.
    pub fn finals(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.finals), read(&self.late_finals))
    }

    /// All histograms now.
    pub fn read(&self) -> Vec<StepTimes> {
        let told = STEPS.iter().zip(&self.steps);
        told.map(|((step, ..), histogram)| histogram.read(step))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn steps_are_counted_where_both_ends_are_known() {
        let timings = TurnTimings::default();
        timings.observe(&json!({
            "end_of_speech_ms": 1000, "end_of_utterance_ms": 1700, "final_text_ms": 1700,
            "decision_ms": 1704, "first_audio_ms": null,
        }));
        let read = timings.read();
        let of = |step: &str| read.iter().find(|t| t.step == step).unwrap().clone();
        assert_eq!(
            of("end_of_utterance").cumulative[..8],
            [0, 0, 0, 0, 0, 0, 0, 1]
        );
        assert_eq!(of("decision").cumulative, vec![1; 13]);
        assert_eq!((of("decision").sum_ms, of("whole").cumulative[12]), (4, 0));
        assert_eq!(timings.finals(), (1, 0));
        timings.observe(&json!({"end_of_utterance_ms": 1000, "final_text_ms": 1500}));
        timings.observe(&json!({"end_of_utterance_ms": 1000, "final_text_ms": 1300}));
        assert_eq!(timings.finals(), (3, 1));
    }
}
