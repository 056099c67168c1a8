//! The pool and the streams with an engine whose speed and words the test decides.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::pool::HeardText;
use super::*;
use crate::asr::tape::Tape;
use crate::asr::{RecognizerStream, listen};
use crate::audio::Frame;
use crate::audio::frame::FRAME_SAMPLES;

/// Frames in a step of [`Letters`].
const STEP: usize = 5;

/// Hears a letter in each step of voice, the first sample's; silence is silence. Passes only while the gate is open.
#[derive(Default)]
struct Letters {
    shut: Mutex<bool>,
    opened: Condvar,
    batches: AtomicUsize,
    largest: AtomicUsize,
}

#[derive(Default)]
struct LettersEar {
    heard: Mutex<(Vec<i16>, String)>,
    finished: bool,
}

impl Engine for Arc<Letters> {
    type Ear = LettersEar;

    fn step_frames(&self) -> usize {
        STEP
    }

    fn open(&self) -> LettersEar {
        LettersEar::default()
    }

    fn hear(&self, ear: &mut LettersEar, frames: &[Frame]) {
        let mut heard = ear.heard.lock().unwrap();
        heard.0.extend(frames.iter().map(|frame| frame.0[0]));
    }

    fn finish(&self, ear: &mut LettersEar) {
        ear.finished = true;
    }

    fn decode(&self, ears: &mut [&mut LettersEar]) {
        let mut shut = self.shut.lock().unwrap();
        while *shut {
            shut = self.opened.wait(shut).unwrap();
        }
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.largest.fetch_max(ears.len(), Ordering::Relaxed);
        for ear in ears {
            let mut heard = ear.heard.lock().unwrap();
            let (frames, text) = &mut *heard;
            let whole = if ear.finished {
                frames.len()
            } else {
                frames.len() - frames.len() % STEP
            };
            for step in frames.drain(..whole).collect::<Vec<_>>().chunks(STEP) {
                text.extend(char::from_u32(step[0] as u32).filter(|c| *c > '\0'));
            }
        }
    }

    fn text(&self, ear: &LettersEar) -> HeardText {
        HeardText {
            text: ear.heard.lock().unwrap().1.clone(),
            start_ms: Some(0),
            end_ms: Some(100),
        }
    }
}

impl Letters {
    fn shut(&self, shut: bool) {
        *self.shut.lock().unwrap() = shut;
        self.opened.notify_all();
    }
}

fn recognizer(streams: usize) -> (Sherpa<Arc<Letters>>, Arc<Letters>) {
    let letters = Arc::new(Letters::default());
    let sherpa = Sherpa::with_engine(Arc::clone(&letters), "here", 2, streams).unwrap();
    (sherpa, letters)
}

async fn say(stream: &RecognizerStream, text: &str) {
    for letter in text.chars() {
        let sample = if letter == '_' { 0 } else { letter as i16 };
        for _ in 0..STEP {
            let frame = Frame([sample; FRAME_SAMPLES]);
            stream.tape.push(&frame);
        }
    }
}

async fn next(stream: &mut RecognizerStream) -> String {
    match stream.events.recv().await {
        Some(AsrEvent::Ready) => Box::pin(next(stream)).await,
        Some(AsrEvent::Partial { text }) => format!("~{}", text.as_str()),
        Some(AsrEvent::Final {
            text,
            start_ms,
            end_ms,
        }) => format!("{} {start_ms:?} {end_ms:?}", text.as_str()),
        Some(AsrEvent::Failed { reason, .. }) => format!("failed: {reason}"),
        Some(AsrEvent::Note { text }) => format!("note: {text}"),
        None => "closed".to_owned(),
    }
}

async fn next_final(stream: &mut RecognizerStream) -> String {
    loop {
        let event = next(stream).await;
        if !event.starts_with('~') {
            return event;
        }
    }
}

#[tokio::test]
async fn partials_then_a_final_then_a_new_utterance() {
    let (sherpa, _) = recognizer(1);
    let mut stream = listen(&sherpa, StreamOptions::default());
    say(&stream, "д").await;
    assert_eq!(next(&mut stream).await, "~д");
    say(&stream, "а").await;
    assert_eq!(next(&mut stream).await, "~да");
    stream.tape.end_of_utterance();
    assert_eq!(next(&mut stream).await, "да Some(0) Some(100)");
    // An end is answered even where nothing was said.
    say(&stream, "_").await;
    stream.tape.end_of_utterance();
    assert_eq!(next(&mut stream).await, " Some(200) Some(300)");
    say(&stream, "нет").await;
    // The call hangs up: what it said last is told, and then all is over.
    stream.tape = Tape::new();
    assert_eq!(next_final(&mut stream).await, "нет Some(300) Some(400)");
    assert_eq!(next(&mut stream).await, "closed");
}

#[tokio::test]
async fn an_end_in_the_middle_of_a_step_splits_nothing_wrongly() {
    let (sherpa, letters) = recognizer(1);
    let mut stream = listen(&sherpa, StreamOptions::default());
    letters.shut(true);
    // All of it waits while the pool is busy: three ends, one of them inside a step.
    say(&stream, "да").await;
    stream.tape.end_of_utterance();
    for _ in 0..STEP - 2 {
        let frame = Frame(['в' as i16; FRAME_SAMPLES]);
        stream.tape.push(&frame);
    }
    stream.tape.end_of_utterance();
    say(&stream, "нет").await;
    stream.tape.end_of_utterance();
    letters.shut(false);
    for expect in ["да", "в", "нет"] {
        let told = next_final(&mut stream).await;
        assert_eq!(told.split(' ').next(), Some(expect), "{told}");
    }
}

#[tokio::test]
async fn without_anyone_telling_the_end_silence_ends_it() {
    let (sherpa, _) = recognizer(1);
    let mut stream = listen(&sherpa, StreamOptions::default());
    // A job may hold two steps, so what is silent after the word is counted from up to a step later.
    say(&stream, "____да____________________").await;
    assert_eq!(
        next_final(&mut stream).await,
        "да Some(0) Some(100)",
        "1500 ms of silence end it"
    );
    // And no utterance is endless.
    let steps = stream::LONGEST_MS / 100 + 2;
    let mut partials = 0;
    for _ in 0..steps {
        say(&stream, "а").await;
        let told = next(&mut stream).await;
        if let Some(partial) = told.strip_prefix('~') {
            partials += 1;
            assert_eq!(partial.chars().count(), partials);
        } else {
            assert!(told.starts_with("ааааа"), "{told}");
            return;
        }
    }
    panic!("no final after {steps} steps of voice");
}

#[tokio::test]
async fn over_the_bound_the_next_recognizer_is_asked() {
    let (sherpa, _) = recognizer(2);
    let first = listen(&sherpa, StreamOptions::default());
    let second = listen(&sherpa, StreamOptions::default());
    let mut third = listen(&sherpa, StreamOptions::default());
    assert_eq!(
        next(&mut third).await,
        "failed: recognizer \"here\": all of its 2 streams are in use (`streams`)"
    );
    assert_eq!(next(&mut third).await, "closed");
    assert_eq!(sherpa.open_streams(), 2);
    // A call that ends makes room, whether it said something or not.
    say(&first, "да").await;
    drop((first, second));
    tokio::time::timeout(Duration::from_secs(5), async {
        while sherpa.open_streams() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .expect("streams are given back");
    let mut again = listen(&sherpa, StreamOptions::default());
    say(&again, "д").await;
    assert_eq!(next(&mut again).await, "~д");
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_cannot_keep_up_is_told_in_time() {
    let (sherpa, letters) = recognizer(1);
    letters.shut(true);
    let mut stream = listen(&sherpa, StreamOptions::default());
    let from = tokio::time::Instant::now();
    say(&stream, "д").await;
    assert_eq!(
        next(&mut stream).await,
        "failed: recognizer \"here\" is more than 10 s behind: its threads can't keep up with 1 calls at once; \
         lower `streams` or raise `threads`"
    );
    assert_eq!(from.elapsed().as_secs(), 10);
    assert_eq!(next(&mut stream).await, "closed");
    assert!(!stream.tape.has_reader());
    letters.shut(false);
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_for_a_takeover_is_not_being_late() {
    let (sherpa, letters) = recognizer(1);
    letters.shut(true);
    let tape = Tape::new();
    for _ in 0..1_000 {
        tape.push(&Frame::SILENCE);
    }
    let events = sherpa.open(tape.reader(), StreamOptions::default());
    let mut stream = RecognizerStream { tape, events };
    let from = tokio::time::Instant::now();
    let told = next(&mut stream).await;
    assert!(told.contains("more than 10 s behind"), "{told}");
    assert_eq!(from.elapsed().as_secs(), 10);
    letters.shut(false);
}

#[tokio::test]
async fn many_calls_share_batches_and_none_hears_another() {
    let (sherpa, letters) = recognizer(40);
    letters.shut(true);
    let mut streams: Vec<_> = (0..40)
        .map(|_| listen(&sherpa, StreamOptions::default()))
        .collect();
    for (n, stream) in streams.iter().enumerate() {
        let letter = char::from_u32('а' as u32 + n as u32 % 32).unwrap();
        say(stream, &format!("{letter}д{letter}")).await;
        stream.tape.end_of_utterance();
    }
    // Two threads hold a job each; the others wait and are taken together.
    tokio::time::sleep(Duration::from_millis(20)).await;
    letters.shut(false);
    for (n, stream) in streams.iter_mut().enumerate() {
        let letter = char::from_u32('а' as u32 + n as u32 % 32).unwrap();
        let told = next_final(stream).await;
        let expect = format!("{letter}д{letter}");
        assert_eq!(told.split(' ').next(), Some(&*expect));
    }
    let largest = letters.largest.load(Ordering::Relaxed);
    assert!((2..=16).contains(&largest), "largest batch {largest}");
    let batches = letters.batches.load(Ordering::Relaxed);
    assert!(batches < 80, "{batches} batches for 80 jobs");
}
