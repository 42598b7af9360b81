//! The two sides of a flow: originator and responder.

/// One of a flow's two endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Side {
    /// The originator: the side that opened the flow, the client.
    Orig = 0,
    /// The responder: the server.
    Resp = 1,
}

impl Side {
    /// Both sides, the originator first.
    pub const BOTH: [Side; 2] = [Side::Orig, Side::Resp];

    /// Returns the opposite side.
    #[inline]
    pub fn other(self) -> Side {
        match self {
            Side::Orig => Side::Resp,
            Side::Resp => Side::Orig,
        }
    }

    /// Returns Zeek's name of the side: `orig` or `resp`.
    pub fn name(self) -> &'static str {
        match self {
            Side::Orig => "orig",
            Side::Resp => "resp",
        }
    }

    /// Returns the name of the side in reports: `client` or `server`.
    pub fn role(self) -> &'static str {
        match self {
            Side::Orig => "client",
            Side::Resp => "server",
        }
    }
}
