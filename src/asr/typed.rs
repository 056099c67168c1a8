//! The keyboard as a recognizer: what is typed comes word by word, as if it were said. For rehearsal, demo and tests.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::tape::{TapeReader, from_ms, to_ms};
use super::{AsrEvent, EVENT_QUEUE, Recognizer, StreamOptions};
use crate::ident::Spoken;

/// Words of one typed line that are told; the rest is left out.
pub const MAX_WORDS: usize = 400;
/// Typed lines that may wait while earlier ones are being "said".
pub const MAX_LINES: usize = 32;

/// How often the audio that nobody needs is let go, milliseconds.
const LOOK_MS: u64 = 1_000;

/// A recognizer that hears nothing and tells what is typed.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    word: Duration,
}

impl Typed {
    /// Tells every word at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes `word` for each word, as a person would: 250 ms is a calm speaker.
    pub fn at_pace(word: Duration) -> Self {
        Self { word }
    }
}

impl Recognizer for Typed {
    fn name(&self) -> &str {
        "typed"
    }

    fn open(&self, audio: TapeReader, _options: StreamOptions) -> mpsc::Receiver<AsrEvent> {
        let (told, events) = mpsc::channel(EVENT_QUEUE);
        tokio::spawn(run(self.word, audio, told));
        events
    }
}

/// One line that is being told.
struct Line {
    words: VecDeque<String>,
    so_far: String,
    start_ms: Option<u64>,
}

impl Line {
    fn new(text: &str, start_ms: Option<u64>) -> Option<Self> {
        let words: VecDeque<String> = text
            .split_whitespace()
            .take(MAX_WORDS)
            .map(str::to_owned)
            .collect();
        (!words.is_empty()).then_some(Self {
            words,
            so_far: String::new(),
            start_ms,
        })
    }
}

async fn run(word: Duration, mut audio: TapeReader, events: mpsc::Sender<AsrEvent>) {
    let _ = events.send(AsrEvent::Ready).await;
    let mut waiting: VecDeque<String> = VecDeque::new();
    let mut line: Option<Line> = None;
    let mut next = Instant::now();
    loop {
        // Nothing is heard: nothing is kept.
        audio.pass_over();
        while waiting.len() < MAX_LINES
            && let Some(text) = audio.typed()
        {
            waiting.push_back(text);
        }
        let heard_ms = Some(to_ms(audio.end())).filter(|ms| *ms > 0);
        if line.is_none()
            && let Some(text) = waiting.pop_front()
        {
            line = Line::new(&text, heard_ms);
            next = Instant::now() + word;
            continue;
        }
        let open = !audio.is_closed();
        if !open && line.is_none() {
            return;
        }
        tokio::select! {
            // Typed lines and the end of the call are seen before the next word is told.
            biased;
            () = events.closed() => return,
            () = audio.news(from_ms(LOOK_MS)), if open => {}
            () = tokio::time::sleep_until(next), if line.is_some() => {
                next += word;
                if let Some(saying) = line.as_mut() {
                    let event = say_next(saying, heard_ms);
                    let last = matches!(event, AsrEvent::Final { .. });
                    if events.send(event).await.is_err() {
                        return;
                    }
                    if last {
                        line = None;
                    }
                }
            }
        }
    }
}

fn say_next(line: &mut Line, heard_ms: Option<u64>) -> AsrEvent {
    match line.words.pop_front() {
        Some(word) => {
            if !line.so_far.is_empty() {
                line.so_far.push(' ');
            }
            line.so_far.push_str(&word);
            AsrEvent::Partial {
                text: Spoken::new(line.so_far.clone()),
            }
        }
        None => AsrEvent::Final {
            text: Spoken::new(std::mem::take(&mut line.so_far)),
            start_ms: line.start_ms,
            end_ms: heard_ms,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asr::tape::Tape;
    use crate::asr::{RecognizerStream, listen};
    use crate::audio::Frame;

    async fn told(stream: &mut RecognizerStream, n: usize) -> Vec<String> {
        let mut all = Vec::new();
        while all.len() < n {
            all.push(match stream.events.recv().await.unwrap() {
                AsrEvent::Ready => continue,
                AsrEvent::Partial { text } => format!("~{}", text.as_str()),
                AsrEvent::Final {
                    text,
                    start_ms,
                    end_ms,
                } => format!("{} {start_ms:?} {end_ms:?}", text.as_str()),
                other => panic!("{other:?}"),
            });
        }
        all
    }

    #[tokio::test(start_paused = true)]
    async fn words_come_one_by_one_and_then_the_final() {
        let typed = Typed::at_pace(Duration::from_millis(250));
        let mut stream = listen(&typed, StreamOptions::default());
        let from = Instant::now();
        stream.tape.typed(" да,  приеду ".into());
        assert_eq!(
            told(&mut stream, 3).await,
            ["~да,", "~да, приеду", "да, приеду None None"]
        );
        assert_eq!(from.elapsed(), Duration::from_millis(750));
    }

    #[tokio::test(start_paused = true)]
    async fn audio_is_the_clock_and_empty_lines_are_silence() {
        let mut stream = listen(&Typed::new(), StreamOptions::default());
        for _ in 0..5 {
            stream.tape.push(&Frame::SILENCE);
        }
        stream.tape.end_of_utterance();
        for line in ["  ", "нет", "да"] {
            stream.tape.typed(line.into());
        }
        stream.tape = Tape::new();
        let all = told(&mut stream, 4).await;
        assert_eq!(
            all,
            [
                "~нет",
                "нет Some(100) Some(100)",
                "~да",
                "да Some(100) Some(100)"
            ]
        );
        assert!(stream.events.recv().await.is_none());
    }
}
