//! Questions to the kernel that many messages answer: dumps of netlink(7), in this thread's network namespace.

use std::io;

/// Whom a question is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// sock_diag(7).
    Sockets,
    /// rtnetlink(7).
    Routes,
}

/// Asks for everything of a kind; `each` gets every answer's type and what follows its header.
///
/// # Errors
/// The kernel refuses, or does not answer.
pub(super) fn dump(
    family: Family,
    kind: u16,
    body: &[u8],
    mut each: impl FnMut(u16, &[u8]),
) -> io::Result<()> {
    use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
    use rustix::net::{netlink, recv, send, socket_with, sockopt};
    let protocol = match family {
        Family::Sockets => Some(netlink::SOCK_DIAG),
        // NETLINK_ROUTE is 0.
        Family::Routes => None,
    };
    let (domain, flags) = (AddressFamily::NETLINK, SocketFlags::CLOEXEC);
    let socket = socket_with(domain, SocketType::DGRAM, flags, protocol)?;
    // A kernel that gives no answer must not stop anybody.
    let patience = Some(std::time::Duration::from_secs(1));
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, patience)?;
    send(&socket, &question(kind, body), SendFlags::empty())?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let (len, _) = recv(&socket, &mut buffer, RecvFlags::empty())?;
        if len == 0 || answers(&buffer[..len], &mut each)? == More::No {
            return Ok(());
        }
    }
}

/// Whether messages follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum More {
    Yes,
    No,
}

const HEADER: usize = 16;
const REQUEST_DUMP: u16 = 0x301;
const ERROR: u16 = 2;
const DONE: u16 = 3;

//   0     4      6       8     12    16
//   | len | type | flags | seq | pid | body
fn question(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend_from_slice(&((HEADER + body.len()) as u32).to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&REQUEST_DUMP.to_ne_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(body);
    bytes
}

fn answers(mut bytes: &[u8], each: &mut impl FnMut(u16, &[u8])) -> io::Result<More> {
    while let (Some(len), Some(kind)) = (word(bytes, 0), half(bytes, 4)) {
        let len = len as usize;
        let Some(body) = bytes.get(HEADER..len) else {
            break;
        };
        match kind {
            DONE => return Ok(More::No),
            ERROR => {
                let number = word(body, 0).unwrap_or(0) as i32;
                return match number {
                    0 => Ok(More::No),
                    number => Err(io::Error::from_raw_os_error(number.saturating_neg())),
                };
            }
            kind => each(kind, body),
        }
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(More::Yes)
}

/// The attributes that begin at this place (netlink(7), `struct nlattr`): their types and values.
pub(super) fn attributes(body: &[u8], at: usize) -> impl Iterator<Item = (u16, &[u8])> {
    /// What is above says how a value is laid out.
    const TYPE: u16 = 0x3fff;
    let mut rest = body.get(at..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (len, kind) = (usize::from(half(rest, 0)?), half(rest, 2)?);
        let value = rest.get(4..len)?;
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind & TYPE, value))
    })
}

/// A 32-bit number of this machine's byte order.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

/// A 16-bit number of this machine's byte order.
pub(super) fn half(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_may_be_anything() {
        for len in 0..100 {
            for fill in [0, 2, 3, 16, 20, 255] {
                let bytes = vec![fill; len];
                let _ = answers(&bytes, &mut |_, body| {
                    assert!(attributes(body, 0).count() < 100);
                });
            }
        }
    }
}
