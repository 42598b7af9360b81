//! Service detection from the first bytes of each side, never from a port: one protocol per file.
//!
//! The detectors run again when more bytes of either side have arrived, until the result is final.

mod amqp;
mod attributes;
mod cursor;
mod dns;
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

pub use attributes::ServiceAttributes;

/// All detectors, in the order in which they run: a specialized protocol comes before the general
/// protocol whose detector also accepts its bytes.
pub const DETECTORS: &[Detector] = &[
    websocket::DETECTOR,
    http::DETECTOR,
    grpc::DETECTOR,
    http2::DETECTOR,
    tls::DETECTOR,
    ssh::DETECTOR,
    dns::DETECTOR,
    dns::TCP_DETECTOR,
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

/// Detector of one protocol.
#[derive(Debug)]
pub struct Detector {
    /// Service name, as in Zeek and the IANA registry.
    pub name: &'static str,
    /// Transports that carry the protocol: [`TCP`](crate::packet::TCP), [`UDP`](crate::packet::UDP)
    /// or both.
    pub transports: &'static [u8],
    /// Tests an opening for this protocol.
    pub detect: fn(&Opening) -> DetectorVerdict,
}

/// First bytes of each side of a conversation, up to the first gap in the capture.
///
/// For UDP, the first datagram of each side.
#[derive(Debug, Clone, Copy, Default)]
pub struct Opening<'a> {
    /// First bytes from the originator.
    pub orig: &'a [u8],
    /// First bytes from the responder.
    pub resp: &'a [u8],
}

/// Result of one detector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DetectorVerdict {
    /// The bytes are not this protocol, and no later bytes can change that.
    No,
    /// The bytes can be the beginning of this protocol; more bytes are required to decide.
    Maybe,
    /// The bytes are this protocol; more bytes may provide more attributes.
    Yes(ServiceAttributes),
    /// The bytes are this protocol; more bytes provide no further attributes.
    Done(ServiceAttributes),
}

/// A detected service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Name of the detector.
    pub name: &'static str,
    /// Attributes read from the opening.
    pub attributes: ServiceAttributes,
}

/// Combined result of all detectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DetectionResult {
    /// Service detected so far; more bytes may change the result.
    Tentative(Option<Service>),
    /// Final service; more bytes do not change the result.
    Final(Option<Service>),
}

impl DetectionResult {
    /// Returns the service detected so far.
    pub fn service(&self) -> Option<&Service> {
        match self {
            DetectionResult::Tentative(service) | DetectionResult::Final(service) => {
                service.as_ref()
            }
        }
    }

    /// Consumes the result and returns the service detected so far.
    pub fn into_service(self) -> Option<Service> {
        match self {
            DetectionResult::Tentative(service) | DetectionResult::Final(service) => service,
        }
    }
}

/// Maximum number of bytes of each side that detectors inspect.
pub const MAX_OPENING_LEN: usize = 4096;

/// Runs the detectors of a transport protocol and returns the first service that matches.
pub fn detect(transport: u8, opening: &Opening) -> DetectionResult {
    let mut may_change = false;
    for detector in DETECTORS {
        if !detector.transports.contains(&transport) {
            continue;
        }
        let service = |attributes| {
            Some(Service {
                name: detector.name,
                attributes,
            })
        };
        match (detector.detect)(opening) {
            DetectorVerdict::No => {}
            DetectorVerdict::Maybe => may_change = true,
            DetectorVerdict::Yes(attributes) => {
                return DetectionResult::Tentative(service(attributes));
            }
            // An earlier detector is more specialized and can still match.
            DetectorVerdict::Done(attributes) if may_change => {
                return DetectionResult::Tentative(service(attributes));
            }
            DetectorVerdict::Done(attributes) => {
                return DetectionResult::Final(service(attributes));
            }
        }
    }
    match may_change {
        true => DetectionResult::Tentative(None),
        false => DetectionResult::Final(None),
    }
}
