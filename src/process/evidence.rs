//! Evidence for the owner of a connection's end.

use std::sync::Arc;

/// The evidence for an owner, or the reason why no process was identified.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "live", derive(serde::Serialize, serde::Deserialize))]
pub enum Evidence {
    /// The process opened the connection: BPF reported its connect(2).
    Opened,
    /// The process sent the datagram, or wrote to the connection: BPF reported its system call.
    Sent,
    /// The process read from the connection: BPF reported its system call.
    Reads,
    /// The processes had the socket open at the time of a lookup, or received a datagram from it.
    /// Another process may have used the socket. On a device other than the loopback, the
    /// processes used a socket with the addresses of the packet.
    Holds,
    /// The processes accepted the connection, or were the last to have its socket open. A child
    /// process may have had the socket in the meantime.
    Acceptor,
    /// The processes have the listening socket open: at the time of the lookup, no process had
    /// accepted the connection, or the accepting process had already exited.
    Listener,
    /// No socket listens on the address and port.
    Nobody,
    /// The kernel itself sends or receives the packet.
    Kernel,
    /// The socket was closed, or its process exited, before the lookup.
    Gone,
    /// The process belongs to another user and cannot be inspected.
    NotPermitted,
    /// There was no lookup, because too many connections were waiting for one, or because the
    /// device is not the loopback.
    Missed,
    /// A word from a file that is none of the words above, at most 32 bytes.
    #[cfg_attr(feature = "live", serde(skip))]
    Other(Arc<str>),
}

/// Maximum length of an unknown word, in bytes; longer words are truncated.
const MAX_WORD_LEN: usize = 32;

impl Evidence {
    /// Returns the value of `how` in JSON and in pcapng comments.
    pub fn word(&self) -> &str {
        match self {
            Evidence::Opened => "opened",
            Evidence::Sent => "sent",
            Evidence::Reads => "reads",
            Evidence::Holds => "holds",
            Evidence::Acceptor => "acceptor",
            Evidence::Listener => "listener",
            Evidence::Nobody => "nobody",
            Evidence::Kernel => "kernel",
            Evidence::Gone => "gone",
            Evidence::NotPermitted => "not-permitted",
            Evidence::Missed => "missed",
            Evidence::Other(word) => word,
        }
    }

    /// Returns the evidence for a word, including the words of lcap 0.1.
    pub fn from_word(word: &str) -> Evidence {
        match word {
            "opened" => Evidence::Opened,
            "sent" => Evidence::Sent,
            "reads" => Evidence::Reads,
            "holds" | "socket" => Evidence::Holds,
            "acceptor" => Evidence::Acceptor,
            "listener" => Evidence::Listener,
            "nobody" => Evidence::Nobody,
            "kernel" => Evidence::Kernel,
            "gone" => Evidence::Gone,
            "not-permitted" | "not permitted" => Evidence::NotPermitted,
            "missed" => Evidence::Missed,
            other => Evidence::Other(other[..other.floor_char_boundary(MAX_WORD_LEN)].into()),
        }
    }

    /// True if the evidence identifies the owner of this very connection or datagram: the process
    /// that BPF reported, the kernel, or that there is none.
    pub fn is_certain(&self) -> bool {
        match self {
            Evidence::Opened
            | Evidence::Sent
            | Evidence::Reads
            | Evidence::Nobody
            | Evidence::Kernel => true,
            Evidence::Holds
            | Evidence::Acceptor
            | Evidence::Listener
            | Evidence::Gone
            | Evidence::NotPermitted
            | Evidence::Missed
            | Evidence::Other(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_parsed_and_written_again() {
        for word in [
            "opened",
            "sent",
            "reads",
            "holds",
            "acceptor",
            "listener",
            "nobody",
            "kernel",
            "gone",
            "not-permitted",
            "missed",
        ] {
            let evidence = Evidence::from_word(word);
            assert_eq!(evidence.word(), word);
            assert!(!matches!(evidence, Evidence::Other(_)), "{word}");
        }
        assert_eq!(Evidence::from_word("socket"), Evidence::Holds);
        assert_eq!(Evidence::from_word("not permitted"), Evidence::NotPermitted);
        let later = Evidence::from_word("foretold");
        assert_eq!((later.word(), later.is_certain()), ("foretold", false));
        let long = "ä".repeat(MAX_WORD_LEN);
        assert_eq!(Evidence::from_word(&long).word().len(), MAX_WORD_LEN);
    }
}
