//! Core data types: captured frames and decoded packets.

mod drops;
mod endpoints;
mod frame;
mod layers;
mod link;
mod problem;
mod tcp;

pub use drops::Drops;
pub use endpoints::Endpoints;
#[cfg(feature = "cli")]
pub(crate) use frame::OPT_COMMENT;
pub use frame::{Frame, FrameOptions, Interface, Resolution};
pub use layers::{Fragment, Packet, PacketKind, Payload};
pub(crate) use layers::{Layers, MIN_TCP_HEADER_LEN};
pub use link::LinkType;
pub use problem::DecodeProblem;
pub use tcp::{Tcp, TcpFlags, TcpOption, TcpOptions};

pub use crate::time::{TimeDelta, Timestamp};

/// IANA protocol number of ICMP.
pub const ICMP: u8 = 1;
/// IANA protocol number of TCP.
pub const TCP: u8 = 6;
/// IANA protocol number of UDP.
pub const UDP: u8 = 17;
/// IANA protocol number of ICMPv6.
pub const ICMPV6: u8 = 58;
