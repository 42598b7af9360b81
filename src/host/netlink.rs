//! Netlink messages: requests to the kernel and its replies (netlink(7), linux/netlink.h).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::{Protocol, RecvFlags};

/// Requests all objects of a kind; the reply has one message for each.
pub(super) const NLM_F_DUMP: u16 = 0x300;
/// Requests a reply without objects, which reports success or an error.
#[cfg(feature = "cli")]
pub(super) const NLM_F_ACK: u16 = 4;
const NLM_F_REQUEST: u16 = 1;
/// More messages follow, up to one of type [`NLMSG_DONE`].
const NLM_F_MULTI: u16 = 2;
const NLMSG_ERROR: u16 = 2;
/// The end of a reply; also the type of the messages of a connector.
pub(super) const NLMSG_DONE: u16 = 3;
/// Length of the header of a message, in bytes.
const HEADER_LEN: usize = 16;
/// Length of the header of an attribute, in bytes.
const ATTRIBUTE_HEADER_LEN: usize = 4;
/// Messages and attributes begin at multiples of this number of bytes.
const ALIGNMENT: usize = 4;
/// The kernel sends at most this number of bytes at once.
const MAX_DATAGRAM_BYTES: usize = 32 << 10;
/// The kernel replies immediately; a lost reply must not block the thread.
const REPLY_TIMEOUT: Duration = Duration::from_secs(1);

/// A netlink socket.
#[derive(Debug)]
pub(super) struct Netlink(OwnedFd);

impl Netlink {
    /// Opens a socket in this thread's network namespace; without a protocol, one of rtnetlink(7).
    ///
    /// # Errors
    /// The kernel does not support the protocol.
    pub(super) fn open(protocol: Option<Protocol>) -> io::Result<Netlink> {
        use rustix::net::sockopt::{Timeout, set_socket_timeout};
        use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
        let (family, flags) = (AddressFamily::NETLINK, SocketFlags::CLOEXEC);
        let socket = socket_with(family, SocketType::DGRAM, flags, protocol)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(REPLY_TIMEOUT))?;
        Ok(Netlink(socket))
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The kernel does not accept the message.
    pub(super) fn send(&self, message: &[u8]) -> io::Result<()> {
        rustix::net::send(&self.0, message, rustix::net::SendFlags::empty())?;
        Ok(())
    }

    /// Sends a request, and calls `each` with the body of every message in the reply.
    ///
    /// # Errors
    /// The kernel reports an error, sends a truncated reply, or does not reply.
    pub(super) fn request(
        &self,
        kind: u16,
        flags: u16,
        body: &[u8],
        mut each: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        self.send(&encode(kind, flags | NLM_F_REQUEST, body))?;
        let mut buffer = [MaybeUninit::uninit(); MAX_DATAGRAM_BYTES];
        loop {
            let ((datagram, _), _) = rustix::net::recv(&self.0, &mut buffer, RecvFlags::empty())?;
            if read_reply(datagram, &mut each)? == Reply::Complete {
                return Ok(());
            }
        }
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The state of a reply after a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    Complete,
    Continues,
}

/// Calls `each` with the body of every message in a datagram of a reply.
pub(super) fn read_reply(datagram: &[u8], each: &mut impl FnMut(&[u8])) -> io::Result<Reply> {
    let mut reply = Reply::Continues;
    for message in messages(datagram) {
        let Message { kind, flags, body } = message?;
        if kind == NLMSG_ERROR || kind == NLMSG_DONE {
            // The number of the error, negative; 0 reports success.
            let number = u32_at(body, 0).ok_or_else(truncated)? as i32;
            return match number {
                0 => Ok(Reply::Complete),
                number => Err(io::Error::from_raw_os_error(number.saturating_neg())),
            };
        }
        each(body);
        if flags & NLM_F_MULTI == 0 {
            reply = Reply::Complete;
        }
    }
    Ok(reply)
}

fn truncated() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "truncated netlink message")
}

/// A received message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message<'a> {
    kind: u16,
    flags: u16,
    pub(super) body: &'a [u8],
}

//   0        4      6       8          12    16
//   | length | type | flags | sequence | pid | body
/// Encodes a message. The sequence number and the PID are 0: every socket has one request at a
/// time, and the kernel fills in the address of the sender.
pub(super) fn encode(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let len = HEADER_LEN + body.len();
    let mut bytes = Vec::with_capacity(len);
    bytes.extend((len as u32).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.resize(HEADER_LEN, 0);
    bytes.extend(body);
    bytes
}

/// Returns the messages in a datagram. The last item is an error if the datagram is truncated.
pub(super) fn messages(datagram: &[u8]) -> impl Iterator<Item = io::Result<Message<'_>>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let message = match rest {
            [] => return None,
            _ => first_message(rest).ok_or_else(truncated),
        };
        rest = match &message {
            Ok(message) => after(rest, HEADER_LEN + message.body.len()),
            Err(_) => &[],
        };
        Some(message)
    })
}

fn first_message(bytes: &[u8]) -> Option<Message<'_>> {
    Some(Message {
        kind: u16_at(bytes, 4)?,
        flags: u16_at(bytes, 6)?,
        body: bytes.get(HEADER_LEN..u32_at(bytes, 0)? as usize)?,
    })
}

/// Returns the value of the first attribute of a type (`struct nlattr`). `body` is the body of a
/// message; its attributes begin at `start`.
pub(super) fn attribute(body: &[u8], start: usize, kind: u16) -> Option<&[u8]> {
    let mut attributes = attributes(body.get(start..)?);
    attributes.find_map(|(found, value)| (found == kind).then_some(value))
}

//   0        2      4
//   | length | type | value
/// Returns the types and the values of attributes, up to one that is truncated.
fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    /// The other two bits describe the format of the value.
    const NLA_TYPE_MASK: u16 = 0x3fff;
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let len = usize::from(u16_at(rest, 0)?);
        let kind = u16_at(rest, 2)?;
        let value = rest.get(ATTRIBUTE_HEADER_LEN..len)?;
        rest = after(rest, len);
        Some((kind & NLA_TYPE_MASK, value))
    })
}

/// Returns the bytes after a message or an attribute of this length.
fn after(bytes: &[u8], len: usize) -> &[u8] {
    let next = len.next_multiple_of(ALIGNMENT);
    bytes.get(next..).unwrap_or_default()
}

/// Returns the 32-bit number at an offset, in this machine's byte order.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

/// Returns the 16-bit number at an offset, in this machine's byte order.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*bytes))
}

#[cfg(test)]
#[path = "netlink/tests.rs"]
mod tests;
#[cfg(test)]
pub(super) use tests::datagrams;
