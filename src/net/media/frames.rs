//! The queue of frames between a stream and its call: one writer, one reader. tokio's channels take memory in blocks of 32,
//! which is ten kilobytes a block of frames; this takes what is waiting.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use crate::audio::Frame;

/// Room for frames that is kept when nothing waits: 160 ms.
const KEPT: usize = 8;

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Frame>,
    reader: Option<Waker>,
    no_writer: bool,
    no_reader: bool,
}

#[derive(Debug)]
struct Shared(Mutex<Queue>);

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stream's end.
#[derive(Debug)]
pub struct FrameSender {
    shared: Arc<Shared>,
    most: usize,
}

/// The call's end.
#[derive(Debug)]
pub struct FrameReceiver(Arc<Shared>);

/// A queue of at most `most` frames.
pub fn frame_queue(most: usize) -> (FrameSender, FrameReceiver) {
    let shared = Arc::new(Shared(Mutex::default()));
    let sender = FrameSender {
        shared: Arc::clone(&shared),
        most,
    };
    (sender, FrameReceiver(shared))
}

impl FrameSender {
    /// `false`: there is no room, and the frame is lost. A reader that is gone has room for everything.
    pub fn send(&self, frame: Frame) -> bool {
        let mut queue = self.shared.queue();
        if queue.no_reader {
            return true;
        }
        if queue.frames.len() >= self.most {
            return false;
        }
        queue.frames.push_back(frame);
        let reader = queue.reader.take();
        drop(queue);
        if let Some(reader) = reader {
            reader.wake();
        }
        true
    }
}

impl Drop for FrameSender {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        queue.no_writer = true;
        let reader = queue.reader.take();
        drop(queue);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl FrameReceiver {
    /// The next frame; `None`: the stream ended, and all were read. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Frame> {
        poll_fn(|context| {
            let mut queue = self.0.queue();
            if let Some(frame) = queue.frames.pop_front() {
                if queue.frames.is_empty() && queue.frames.capacity() > 2 * KEPT {
                    queue.frames.shrink_to(KEPT);
                }
                return Poll::Ready(Some(frame));
            }
            if queue.no_writer {
                return Poll::Ready(None);
            }
            queue.reader = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// How many are here already.
    pub fn waiting(&self) -> usize {
        self.0.queue().frames.len()
    }

    /// The next one if it is here already.
    pub fn try_recv(&mut self) -> Option<Frame> {
        self.0.queue().frames.pop_front()
    }
}

impl Drop for FrameReceiver {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.no_reader = true;
        queue.frames = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(level: i16) -> Frame {
        let mut frame = Frame::SILENCE;
        frame.0[0] = level;
        frame
    }

    #[tokio::test]
    async fn frames_come_in_order_and_the_newest_are_lost() {
        let (sender, mut receiver) = frame_queue(3);
        assert!((0..3).all(|level| sender.send(frame(level))));
        assert!(!sender.send(frame(3)), "there is room for three");
        for level in 0..3 {
            assert_eq!(receiver.recv().await.unwrap().0[0], level);
        }
        assert!(receiver.try_recv().is_none());
        // A reader that waits is woken by a frame, and by the end.
        let reading = tokio::spawn(async move {
            let mut levels = Vec::new();
            while let Some(frame) = receiver.recv().await {
                levels.push(frame.0[0]);
            }
            levels
        });
        for level in 10..60 {
            while !sender.send(frame(level)) {
                tokio::task::yield_now().await;
            }
        }
        drop(sender);
        assert_eq!(reading.await.unwrap(), (10..60).collect::<Vec<i16>>());
    }

    #[tokio::test]
    async fn a_reader_that_is_gone_is_no_loss() {
        let (sender, receiver) = frame_queue(1);
        drop(receiver);
        assert!((0..9).all(|level| sender.send(frame(level))));
    }
}
