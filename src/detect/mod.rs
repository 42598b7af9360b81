//! What is spoken, told from the first bytes that each side says, never from a port: one protocol per file.
//!
//! A detector is asked again whenever more bytes of either side are known, until it is sure or the bytes cannot be its protocol's.

mod amqp;
mod cursor;
mod dns;
mod facts;
mod grpc;
mod http;
mod http2;
mod kafka;
mod memcached;
mod mongodb;
mod mqtt;
mod mysql;
mod nats;
mod postgresql;
mod redis;
mod smtp;
mod ssh;
mod tls;
mod websocket;

#[cfg(test)]
mod tests;

pub use facts::Facts;

/// Every detector, in the order in which they are asked: what is more special stands before what would take it for its own.
pub const DETECTORS: &[Detector] = &[
    websocket::DETECTOR,
    http::DETECTOR,
    grpc::DETECTOR,
    http2::DETECTOR,
    tls::DETECTOR,
    ssh::DETECTOR,
    dns::DETECTOR,
    dns::OVER_TCP,
    postgresql::DETECTOR,
    mysql::DETECTOR,
    redis::DETECTOR,
    mongodb::DETECTOR,
    memcached::DETECTOR,
    mqtt::DETECTOR,
    amqp::DETECTOR,
    nats::DETECTOR,
    kafka::DETECTOR,
    smtp::DETECTOR,
];

/// A row of [`DETECTORS`].
#[derive(Debug)]
pub struct Detector {
    /// Its service's name, as Zeek and IANA have it.
    pub name: &'static str,
    /// The transports that carry it: [`TCP`](crate::packet::TCP), [`UDP`](crate::packet::UDP) or both.
    pub transports: &'static [u8],
    /// Whether the opening is this protocol's.
    pub detect: fn(&Opening) -> Verdict,
}

/// The first bytes of a conversation: of each side what was captured without a gap, from its first byte on.
///
/// Over UDP each side's first datagram.
#[derive(Debug, Clone, Copy, Default)]
pub struct Opening<'a> {
    /// What the originator said first.
    pub orig: &'a [u8],
    /// What the responder said first.
    pub resp: &'a [u8],
}

/// What a detector says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// No continuation of these bytes is this protocol.
    No,
    /// Some continuation may be.
    Maybe,
    /// They are this protocol, and more bytes may tell more facts.
    Yes(Facts),
    /// They are this protocol, and there is nothing more to learn.
    Done(Facts),
}

/// A recognised service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The detector's name.
    pub name: &'static str,
    /// What the opening says beside that.
    pub facts: Facts,
}

/// What all detectors together say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// What is spoken as far as is known; more bytes may tell more.
    Open(Option<Service>),
    /// What is spoken; asking again is of no use.
    Final(Option<Service>),
}

impl Answer {
    /// What is spoken as far as is known.
    pub fn service(&self) -> Option<&Service> {
        match self {
            Answer::Open(service) | Answer::Final(service) => service.as_ref(),
        }
    }

    /// The same, to be kept.
    pub fn into_service(self) -> Option<Service> {
        match self {
            Answer::Open(service) | Answer::Final(service) => service,
        }
    }
}

/// The most that is looked at of each side, in bytes.
pub const OPENING: usize = 4096;

/// What is spoken: what the first detector says that is sure.
pub fn detect(transport: u8, opening: &Opening) -> Answer {
    let mut may_change = false;
    for detector in DETECTORS {
        if !detector.transports.contains(&transport) {
            continue;
        }
        let service = |facts| {
            Some(Service {
                name: detector.name,
                facts,
            })
        };
        match (detector.detect)(opening) {
            Verdict::No => {}
            Verdict::Maybe => may_change = true,
            Verdict::Yes(facts) => return Answer::Open(service(facts)),
            // Who was asked before is more special, and may still be right.
            Verdict::Done(facts) if may_change => return Answer::Open(service(facts)),
            Verdict::Done(facts) => return Answer::Final(service(facts)),
        }
    }
    match may_change {
        true => Answer::Open(None),
        false => Answer::Final(None),
    }
}
