//! Packet to yes or no: ports by set, everything else by BPF, alike live and on files.

mod bpf;
mod ports;

pub use ports::Ports;

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::decode::{brief, decode, quoted};
use crate::error::{Error, Result};
use crate::packet::{Body, Brief, Fragment, Frame, LinkType, Packet, Reason};
use bpf::Program;

/// What the user wants to see: every part that is given must agree.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Whether it may leave anything out: that is asked of every packet.
    chooses: bool,
    ports: Option<Ports>,
    /// Set where the kernel has looked at the ports of every packet that this does not match.
    unsure: Option<Program>,
    expression: Option<String>,
    /// The expression for every link type met so far; none where it does not compile there.
    programs: Vec<(LinkType, Option<Program>)>,
    undecided: u64,
    datagrams: Datagrams,
}

/// The last fragmented datagrams whose first fragment was wanted: the others have no ports, and are wanted too.
#[derive(Debug, Clone, Default)]
struct Datagrams {
    wanted: VecDeque<(IpAddr, IpAddr, u32)>,
}

/// More than are ever in the middle of being sent over loopback.
const MOST_DATAGRAMS: usize = 64;

impl Datagrams {
    #[cold]
    fn wants(
        &mut self,
        packet: &Packet,
        fragment: Fragment,
        is_about: impl Fn(&Packet) -> bool,
    ) -> bool {
        let Some((src, dst)) = packet.addresses() else {
            return false;
        };
        let id = (src, dst, fragment.id);
        if fragment.offset > 0 {
            return self.wanted.contains(&id);
        }
        let is_wanted = is_about(packet);
        if is_wanted {
            self.wanted.truncate(MOST_DATAGRAMS - 1);
            self.wanted.push_front(id);
        }
        is_wanted
    }
}

/// Link types on which an expression is tried before any frame is seen, in this order.
const USUAL: [LinkType; 4] = [
    LinkType::ETHERNET,
    LinkType::LINUX_SLL2,
    LinkType::NULL,
    LinkType::RAW,
];

impl Filter {
    /// A filter for these ports and this pcap-filter(7) expression; an empty expression is none.
    ///
    /// # Errors
    /// The expression compiles on no usual link type. One that asks for a packet's direction does on those that say it, as
    /// cooked headers do; frames of others are then [`undecided`](Self::undecided).
    pub fn new(ports: Option<Ports>, expression: &str) -> Result<Filter> {
        let expression = Some(expression.trim()).filter(|words| !words.is_empty());
        let mut filter = Filter {
            chooses: ports.is_some() || expression.is_some(),
            ports,
            expression: expression.map(str::to_owned),
            ..Filter::default()
        };
        if let Some(expression) = expression {
            let (mut found, mut first_error) = (None, None);
            for link in USUAL {
                match Program::compile(link, expression) {
                    Ok(program) => {
                        found = Some((link, Some(program)));
                        break;
                    }
                    Err(error) => first_error = first_error.or(Some(error)),
                }
            }
            match (found, first_error) {
                (Some(program), _) => filter.programs.push(program),
                (None, Some(error)) => return Err(error),
                (None, None) => {}
            }
        }
        Ok(filter)
    }

    /// Whether the packet is wanted.
    #[inline]
    pub fn matches(&mut self, packet: &Packet) -> bool {
        if let Some(ports) = &self.ports
            && !self.was_sure_of(packet.frame)
        {
            let decoded;
            let packet = if let Body::Opaque(Reason::NotRead) = packet.body {
                decoded = decode(packet.frame);
                &decoded
            } else {
                packet
            };
            let is_wanted = match packet.fragment {
                None => is_about(packet, ports),
                Some(fragment) => self
                    .datagrams
                    .wants(packet, fragment, |packet| is_about(packet, ports)),
            };
            if !is_wanted {
                return false;
            }
        }
        self.expression.is_none() || self.expression_matches(packet.frame)
    }

    /// The same of a usual packet.
    #[inline]
    pub fn matches_brief(&mut self, brief: &Brief) -> bool {
        if !self.chooses {
            return true;
        }
        if let Some(ports) = &self.ports
            // The kernel was sure of it.
            && self.unsure.is_none()
            && !brief.ports.iter().any(|&port| ports.contains(port))
        {
            return false;
        }
        self.expression.is_none() || self.expression_matches(&brief.apart().frame)
    }

    /// Whether it leaves nothing out.
    pub fn is_empty(&self) -> bool {
        !self.chooses
    }

    /// Whether it has to see all packets that are no usual segments or datagrams: fragments are told by the first of them.
    pub fn remembers(&self) -> bool {
        self.ports.is_some()
    }

    /// Sets what [`undecided`](Self::undecided) says: copies that are given parts of the packets have one count together.
    pub fn set_undecided(&mut self, count: u64) {
        self.undecided = count;
    }

    /// Looks whether the expression means anything on at least one of these link types, if there are any.
    ///
    /// # Errors
    /// It does not compile for the first, nor for any other.
    pub fn check(&self, links: impl IntoIterator<Item = LinkType>) -> Result<()> {
        let Some(expression) = &self.expression else {
            return Ok(());
        };
        let mut compiled = links
            .into_iter()
            .map(|link| Program::compile(link, expression).map(drop));
        let first = compiled.next().unwrap_or(Ok(()));
        if compiled.any(|other| other.is_ok()) {
            Ok(())
        } else {
            first
        }
    }

    /// Whether it looks at more than the bytes of most frames.
    pub fn reads_packets(&self) -> bool {
        self.ports.is_some() && self.unsure.is_none()
    }

    /// Whether the kernel's look at the ports was exact.
    #[inline]
    fn was_sure_of(&self, frame: &Frame) -> bool {
        // A usual segment or datagram is none of those that a program cannot walk.
        let unsure = self.unsure.as_ref();
        unsure.is_some_and(|program| {
            brief(frame).is_some() || !program.matches(frame.bytes, frame.wire_len)
        })
    }

    /// Frames that could not be decided because the expression means nothing on their link type; they were left out.
    pub fn undecided(&self) -> u64 {
        self.undecided
    }

    /// Splits the filter for a live capture on `link`: what the kernel is to do, and what is left to do here.
    ///
    /// The kernel lets ICMP, fragments and IPv6 packets with extension headers through to the exact check, because BPF cannot walk them.
    ///
    /// # Errors
    /// The expression does not compile for `link`, or asks for a packet's direction.
    pub fn into_kernel(self, link: LinkType) -> Result<(String, Filter)> {
        const UNSURE: &str = "icmp or icmp6 or ip[6:2] & 0x1fff != 0 or ip6[6] == 0 or ip6[6] == 43 or ip6[6] == 44 or ip6[6] == 60";
        let ports = self
            .ports
            .as_ref()
            .map(|ports| format!("({} or {UNSURE})", ports.as_bpf()));
        let words = self
            .expression
            .as_ref()
            .map(|expression| format!("({expression})"));
        let whole: Vec<String> = ports.into_iter().chain(words).collect();
        let whole = whole.join(" and ");
        if let Some(expression) = &self.expression {
            Program::compile(link, expression)?;
        }
        let unsure = match &self.ports {
            Some(_) => Some(Program::compile(link, UNSURE)?),
            None => None,
        };
        let rest = Filter {
            chooses: self.ports.is_some(),
            ports: self.ports,
            unsure,
            ..Filter::default()
        };
        Ok((whole, rest))
    }

    fn expression_matches(&mut self, frame: &Frame) -> bool {
        let at = match self
            .programs
            .iter()
            .position(|(link, _)| *link == frame.link)
        {
            Some(at) => at,
            None => {
                let expression = self.expression.as_deref().unwrap_or_default();
                let program = Program::compile(frame.link, expression).ok();
                self.programs.push((frame.link, program));
                self.programs.len() - 1
            }
        };
        match &self.programs[at].1 {
            Some(program) => program.matches(frame.bytes, frame.wire_len),
            None => {
                self.undecided += 1;
                false
            }
        }
    }
}

/// Whether either port is among these, or of the packet that an ICMP error is about.
fn is_about(packet: &Packet, ports: &Ports) -> bool {
    let named = match packet.body {
        Body::Icmp { proto, payload, .. } => {
            quoted(proto, payload).map(|tuple| (tuple.src.port(), tuple.dst.port()))
        }
        _ => packet.ports(),
    };
    named.is_some_and(|(src, dst)| ports.contains(src) || ports.contains(dst))
}

/// An expression as a user gave it, with why it cannot be used.
fn refused(expression: &str, what: impl Into<String>) -> Error {
    Error::Filter {
        expression: expression.to_owned(),
        what: what.into(),
    }
}

#[cfg(test)]
mod tests;
