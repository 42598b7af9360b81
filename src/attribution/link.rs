//! Connection between the side that records connections and the side that looks up processes:
//! typed messages in both directions, over a socket pair.
//!
//! Each message is its length in bytes, 32 bits, followed by its postcard encoding. Sending never
//! waits: messages that do not fit into the socket are queued, and the thread that receives sends
//! them as soon as the socket accepts more.

use std::io;
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, recv, send, shutdown,
    socketpair,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::lookup_queue::Waker;

/// Length of the length field of a message, in bytes.
const LENGTH_BYTES: usize = 4;
/// Maximum length of a message, in bytes: more than the longest command line.
const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// Number of queued bytes beyond which messages are rejected: their lookup would be too late.
const MAX_QUEUED_BYTES: usize = 1 << 20;
/// Number of bytes that are received at once.
const RECEIVE_BYTES: usize = 64 << 10;

/// Creates both ends of a connection: the requests of the first are received by the second, and the
/// answers of the second by the first.
///
/// # Errors
/// The limit on file descriptors is reached.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    Ok(socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        flags,
        None,
    )?)
}

/// One end of a connection, shared by all threads that send messages of the type `S`.
#[derive(Debug)]
pub(super) struct Sender<S> {
    socket: OwnedFd,
    queue: Mutex<Vec<u8>>,
    /// True once the connection has ended.
    is_closed: AtomicBool,
    /// Wakes the receiving thread when it must send queued messages.
    waker: Waker,
    messages: PhantomData<fn(S)>,
}

/// The receiving half of an end, used by one thread; `R` is the type of the messages.
#[derive(Debug)]
pub(super) struct Receiver<S, R> {
    sender: Arc<Sender<S>>,
    received: Vec<u8>,
    messages: PhantomData<fn() -> R>,
}

/// The two halves of an end.
pub(super) type End<S, R> = (Arc<Sender<S>>, Receiver<S, R>);

impl<S: Serialize> Sender<S> {
    /// Creates the two halves of an end.
    ///
    /// # Errors
    /// The limit on file descriptors is reached.
    pub(super) fn new<R>(socket: OwnedFd) -> io::Result<End<S, R>> {
        let sender = Arc::new(Sender {
            socket,
            queue: Mutex::default(),
            is_closed: AtomicBool::new(false),
            waker: Waker::new()?,
            messages: PhantomData,
        });
        let receiver = Receiver {
            sender: Arc::clone(&sender),
            received: Vec::new(),
            messages: PhantomData,
        };
        Ok((sender, receiver))
    }

    /// Queues a message for the next [`flush`](Self::flush). Returns false if the queue is
    /// full, or the connection has ended.
    pub(super) fn push(&self, message: &S) -> bool {
        let mut queue = self.lock();
        let start = queue.len();
        if start > MAX_QUEUED_BYTES || self.is_closed.load(Relaxed) {
            return false;
        }
        queue.extend_from_slice(&[0; LENGTH_BYTES]);
        let encoded = postcard::to_extend(message, std::mem::take(&mut *queue));
        let Ok(mut encoded) = encoded else {
            // Encoding into a vector cannot fail.
            return false;
        };
        let len = encoded.len() - start - LENGTH_BYTES;
        let is_valid = len <= MAX_MESSAGE_BYTES;
        if is_valid {
            encoded[start..start + LENGTH_BYTES].copy_from_slice(&(len as u32).to_ne_bytes());
        } else {
            encoded.truncate(start);
        }
        *queue = encoded;
        is_valid
    }

    /// Sends the queued messages, as far as possible without waiting.
    pub(super) fn flush(&self) {
        let mut queue = self.lock();
        if !queue.is_empty() && !self.send_queued(&mut queue) {
            self.waker.wake();
        }
    }

    /// Sends a message. Returns false if the queue is full, or the connection has ended.
    pub(super) fn send(&self, message: &S) -> bool {
        let is_queued = self.push(message);
        self.flush();
        is_queued
    }

    /// Ends the connection in both directions.
    pub(super) fn close(&self) {
        // Fails if the connection has already ended.
        let _ = shutdown(&self.socket, Shutdown::Both);
    }

    /// Sends queued bytes. Returns false if some remain because the socket is full.
    fn send_queued(&self, queue: &mut Vec<u8>) -> bool {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let mut sent = 0;
        let is_complete = loop {
            match send(&self.socket, &queue[sent..], flags) {
                Ok(len) => sent += len,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break false,
                // The receiving thread finds out, too.
                Err(_) => {
                    self.is_closed.store(true, Relaxed);
                    sent = queue.len();
                }
            }
            if sent == queue.len() {
                break true;
            }
        };
        queue.drain(..sent);
        is_complete
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Serialize, R: DeserializeOwned> Receiver<S, R> {
    /// Waits for messages, and passes each of them to `handle`. Sends queued messages meanwhile.
    ///
    /// # Errors
    /// The connection has ended, or the other side sent something that is not a message.
    pub(super) fn receive(&mut self, mut handle: impl FnMut(R)) -> io::Result<()> {
        self.wait()?;
        self.read()?;
        let mut rest = &self.received[..];
        while let Some((length, after)) = rest.split_first_chunk() {
            let len = u32::from_ne_bytes(*length) as usize;
            if len > MAX_MESSAGE_BYTES {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let Some((message, after)) = after.split_at_checked(len) else {
                break;
            };
            rest = after;
            handle(postcard::from_bytes(message).map_err(io::Error::other)?);
        }
        let handled = self.received.len() - rest.len();
        self.received.drain(..handled);
        Ok(())
    }

    /// Waits until the socket is readable; sends queued messages when it is writable.
    fn wait(&self) -> io::Result<()> {
        let sender = &*self.sender;
        loop {
            let mut events = PollFlags::IN;
            if !sender.lock().is_empty() {
                events |= PollFlags::OUT;
            }
            let mut poll_fds = [
                PollFd::new(&sender.socket, events),
                PollFd::new(&sender.waker, PollFlags::IN),
            ];
            match poll(&mut poll_fds, None) {
                Err(Errno::INTR) => continue,
                result => result?,
            };
            let ready = poll_fds[0].revents();
            sender.waker.reset();
            if ready.contains(PollFlags::OUT) {
                sender.send_queued(&mut sender.lock());
            }
            if ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
                return Ok(());
            }
        }
    }

    fn read(&mut self) -> io::Result<()> {
        let before = self.received.len();
        self.received.resize(before + RECEIVE_BYTES, 0);
        let result = recv(
            &self.sender.socket,
            &mut self.received[before..],
            RecvFlags::DONTWAIT,
        );
        let len = match result {
            Ok((_, 0)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok((_, len)) => Ok(len),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        };
        self.received.truncate(before + *len.as_ref().unwrap_or(&0));
        len.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn ends() -> (End<String, u64>, End<u64, String>) {
        let (near, far) = pair().expect("sockets");
        let near = Sender::new(near).expect("a waker");
        (near, Sender::new(far).expect("a waker"))
    }

    #[test]
    fn messages_arrive_in_order_in_both_directions() {
        let ((near, mut near_receiver), (far, mut far_receiver)) = ends();
        assert!(near.push(&"first".to_owned()) && near.send(&"x".repeat(200_000)));
        // The rest is sent by the thread that waits for the answer.
        let answering = thread::spawn(move || {
            let mut lengths = Vec::new();
            while lengths.len() < 2 {
                let each = |text: String| lengths.push(text.len() as u64);
                far_receiver.receive(each).expect("a message");
            }
            lengths.iter().for_each(|len| assert!(far.send(len)));
        });
        let mut answers = Vec::new();
        while answers.len() < 2 {
            near_receiver
                .receive(|answer| answers.push(answer))
                .expect("an answer");
        }
        assert_eq!(answers, [5, 200_000]);
        answering.join().expect("a normal end");
        let error = near_receiver.receive(|_| ()).expect_err("the end");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn full_queue_rejects_messages() {
        let ((near, _near_receiver), _far) = ends();
        let accepted = (0..100_000).take_while(|_| near.send(&"x".repeat(1000)));
        let accepted = accepted.count() * 1000;
        assert!((MAX_QUEUED_BYTES..MAX_QUEUED_BYTES * 2).contains(&accepted));
        assert!(!near.push(&"x".repeat(MAX_MESSAGE_BYTES)));
    }

    #[test]
    fn invalid_messages_end_the_connection() {
        for bytes in [&[255; 4][..], &[2, 0, 0, 0, 9, 9]] {
            let (near, far) = pair().expect("sockets");
            let (_sender, mut receiver) = Sender::<u64>::new::<String>(near).expect("a waker");
            send(&far, bytes, SendFlags::empty()).expect("a send");
            receiver.receive(|_| ()).expect_err("an invalid message");
        }
    }
}
