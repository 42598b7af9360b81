//! Threads that append to files: to create very many takes the system longer than to find what stands in them.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::error::{Error, Result};
use crate::sink::behind::join;
use crate::sink::save::give_to_invoking_user;

/// More threads than this wait for each other: a directory takes one new file at a time.
const MOST: usize = 4;
/// How many pieces may wait for a thread.
const WAITING: usize = 64;

/// Bytes for the end of a file.
pub(super) struct Piece {
    /// The file's name in the directory.
    pub(super) name: Arc<str>,
    /// Whether the file is made for it.
    pub(super) is_first: bool,
    pub(super) bytes: Vec<u8>,
}

/// Appends to files of one directory.
pub(super) struct Writers {
    threads: Vec<Thread>,
}

struct Thread {
    /// None once it has failed.
    orders: Option<SyncSender<Order>>,
    /// None once its result was taken.
    running: Option<JoinHandle<Result<()>>>,
}

enum Order {
    Write(Piece),
    /// Answer when everything before is written.
    Tell(SyncSender<()>),
}

impl Writers {
    /// Begins with threads for files of this directory.
    ///
    /// # Errors
    /// The system has no more threads.
    pub(super) fn start(directory: &Path) -> Result<Writers> {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let mut threads = Vec::new();
        for _ in 0..count.min(MOST) {
            let (orders, taken) = sync_channel(WAITING);
            let path = directory.to_owned();
            let thread = std::thread::Builder::new().name("write".into());
            let running = thread.spawn(move || write_all(&path, &taken));
            let running = running.map_err(|source| Error::File {
                action: "cannot start a thread that writes into",
                path: directory.into(),
                source,
            })?;
            threads.push(Thread {
                orders: Some(orders),
                running: Some(running),
            });
        }
        Ok(Writers { threads })
    }

    /// Has a piece written; pieces of one file have to have the same number, and are written in their order.
    ///
    /// # Errors
    /// This one could not be handed on because another could not be written.
    pub(super) fn write(&mut self, number: u64, piece: Piece) -> Result<()> {
        let at = number as usize % self.threads.len();
        self.threads[at].order(Order::Write(piece))
    }

    /// Waits until everything is written.
    ///
    /// # Errors
    /// Something could not be.
    pub(super) fn flush(&mut self) -> Result<()> {
        let (tell, told) = sync_channel(self.threads.len());
        for thread in &mut self.threads {
            thread.order(Order::Tell(tell.clone()))?;
        }
        drop(tell);
        let answers = told.iter().count();
        match answers == self.threads.len() {
            true => Ok(()),
            // One ended without an answer.
            false => self.threads.iter_mut().try_for_each(Thread::end),
        }
    }
}

impl Thread {
    fn order(&mut self, order: Order) -> Result<()> {
        match &self.orders {
            Some(orders) if orders.send(order).is_ok() => Ok(()),
            Some(_) => self.end(),
            // It was told already what went wrong.
            None => Ok(()),
        }
    }

    /// Ends it; how it ended.
    fn end(&mut self) -> Result<()> {
        self.orders = None;
        join(&mut self.running)
    }
}

impl Drop for Writers {
    /// What was handed on is written all the same.
    fn drop(&mut self) {
        for thread in &mut self.threads {
            thread.orders = None;
        }
        for thread in &mut self.threads {
            let _ = thread.running.take().map(JoinHandle::join);
        }
    }
}

fn write_all(directory: &Path, orders: &Receiver<Order>) -> Result<()> {
    for order in orders {
        match order {
            Order::Write(piece) => write(directory.join(&*piece.name), &piece)?,
            // Who does not wait any more is not told.
            Order::Tell(tell) => drop(tell.send(())),
        }
    }
    Ok(())
}

fn write(path: PathBuf, piece: &Piece) -> Result<()> {
    let opened = match piece.is_first {
        true => File::create(&path),
        false => OpenOptions::new().append(true).open(&path),
    };
    let mut action = "cannot create";
    let written = opened.and_then(|mut file| {
        if piece.is_first {
            give_to_invoking_user(&file);
        }
        action = "cannot write";
        file.write_all(&piece.bytes)
    });
    written.map_err(|source| Error::File {
        action,
        path,
        source,
    })
}
