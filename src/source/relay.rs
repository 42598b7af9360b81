//! A thread that fills batches, as a source: the capture goes on while packets are printed or written.
//!
//! The hand-off blocks: when every batch is on its way the thread waits, and the kernel's ring takes what comes meanwhile. So
//! the ring is the only place that can lose a packet, and its counters tell of every loss.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::{Losses, Next, Source};
use crate::error::{Error, Result};
use crate::packet::{Frame, Interface, Options, Timestamp};

/// Frames copied out of memory that will be used again.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    frames: Vec<Held>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    time: Timestamp,
    start: usize,
    wire_len: u32,
    len: u32,
}

impl Batch {
    /// Copies a frame in: the one copy that a live packet costs.
    #[inline]
    pub fn push(&mut self, time: Timestamp, wire_len: u32, bytes: &[u8]) {
        let (start, len) = (self.bytes.len(), bytes.len() as u32);
        self.bytes.extend_from_slice(bytes);
        self.frames.push(Held {
            time,
            start,
            wire_len,
            len,
        });
    }

    /// How many bytes of frames it holds.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it holds no frame.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Forgets the frames and keeps the memory, unless one burst of large packets made it huge.
    fn recycle(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.frames.clear();
    }
}

/// What fills batches on a thread of its own.
pub trait Fill: Send {
    /// Waits for frames and copies them into the batch.
    ///
    /// # Errors
    /// No more frames can be had; those in the batch are good.
    fn fill(&mut self, batch: &mut Batch) -> Result<Filled>;

    /// What was lost so far.
    fn losses(&mut self) -> Losses;
}

/// What [`Fill::fill`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// There may be more.
    More,
    /// There will be no more.
    End,
}

/// Batches on their way: enough to keep both threads at work, few enough to stay in the cache.
const BATCHES: usize = 8;
/// A recycled batch keeps this many bytes.
const KEPT: usize = 4 << 20;

/// A source that another thread fills.
pub struct Relay {
    interface: Interface,
    full: Receiver<Result<Batch>>,
    empty: SyncSender<Batch>,
    losses: Arc<Mutex<Losses>>,
    batch: Batch,
    /// Index of the batch's next frame.
    at: usize,
    number: u64,
    last_time: Timestamp,
    /// Whether the loop was told that nothing is waiting.
    idle: bool,
    ended: bool,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Starts the thread. All frames carry `interface`.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(interface: Interface, fill: impl Fill + 'static) -> Result<Relay> {
        let (full_sender, full) = sync_channel(BATCHES);
        let (empty, empty_receiver) = sync_channel(BATCHES);
        for _ in 0..BATCHES {
            // The channel has room for all of them.
            let _ = empty.try_send(Batch::default());
        }
        let losses = Arc::new(Mutex::new(Losses::default()));
        let shared = Arc::clone(&losses);
        let thread = std::thread::Builder::new()
            .name("capture".into())
            .spawn(move || hand_over(fill, &full_sender, &empty_receiver, &shared))
            .map_err(Error::Write)?;
        Ok(Relay {
            interface,
            full,
            empty,
            losses,
            batch: Batch::default(),
            at: 0,
            number: 0,
            last_time: Timestamp(0),
            idle: false,
            ended: false,
            thread: Some(thread),
        })
    }

    /// The counters that [`losses`](Source::losses) reads, for another thread to look at.
    pub fn shared_losses(&self) -> Arc<Mutex<Losses>> {
        Arc::clone(&self.losses)
    }

    /// Takes the next batch; false where there will be none, none where the loop is to be told first that it must wait.
    fn refill(&mut self) -> Result<Option<bool>> {
        let next = match self.full.try_recv() {
            Ok(next) => next,
            Err(TryRecvError::Empty) if !self.idle => {
                self.idle = true;
                return Ok(None);
            }
            Err(_) => match self.full.recv() {
                Ok(next) => next,
                Err(_) => {
                    self.ended = true;
                    return Ok(Some(false));
                }
            },
        };
        let mut used = std::mem::replace(&mut self.batch, next?);
        used.recycle();
        // A thread that has ended wants no batch.
        let _ = self.empty.try_send(used);
        self.at = 0;
        self.idle = false;
        Ok(Some(true))
    }
}

/// The thread: fill, hand over, until the end.
fn hand_over(
    mut fill: impl Fill,
    full: &SyncSender<Result<Batch>>,
    empty: &Receiver<Batch>,
    losses: &Mutex<Losses>,
) {
    while let Ok(mut batch) = empty.recv() {
        let filled = fill.fill(&mut batch);
        *losses.lock().unwrap_or_else(PoisonError::into_inner) = fill.losses();
        if full.send(Ok(batch)).is_err() {
            return;
        }
        match filled {
            Ok(Filled::More) => {}
            Ok(Filled::End) => return,
            Err(error) => {
                // Nobody is left to be told where this fails.
                let _ = full.send(Err(error));
                return;
            }
        }
    }
}

impl Source for Relay {
    fn next(&mut self) -> Result<Next<'_>> {
        while self.at == self.batch.frames.len() {
            if self.ended {
                return Ok(Next::End);
            }
            match self.refill()? {
                Some(true) => {}
                Some(false) => return Ok(Next::End),
                None => return Ok(Next::Idle(self.last_time)),
            }
        }
        let held = self.batch.frames[self.at];
        self.at += 1;
        self.number += 1;
        self.last_time = held.time;
        Ok(Next::Frame(Frame {
            number: self.number,
            time: held.time,
            interface: &self.interface,
            link: self.interface.link,
            wire_len: held.wire_len,
            bytes: &self.batch.bytes[held.start..held.start + held.len as usize],
            options: Options::default(),
        }))
    }

    fn losses(&mut self) -> Losses {
        *self.losses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Relay {
    /// Lets the thread go: its hand-off fails once both channels are closed here.
    fn drop(&mut self) {
        let (full, empty) = (sync_channel(0).1, sync_channel(0).0);
        drop(std::mem::replace(&mut self.full, full));
        drop(std::mem::replace(&mut self.empty, empty));
        if let Some(thread) = self.thread.take().filter(JoinHandle::is_finished) {
            // A panic there was reported when it happened.
            let _ = thread.join();
        }
    }
}
