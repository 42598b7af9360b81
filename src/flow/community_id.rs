//! Community ID, version 1: a flow identifier shared by many tools
//! (<https://github.com/corelight/community-id-spec>).

use std::net::{IpAddr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use super::icmp;
use super::record::FlowId;

/// Returns the Community ID of a flow, with seed 0: `1:`, followed by 28 base64 characters that
/// encode the SHA-1 hash of these fields (length in bytes if more than one; addresses 4 or 16):
///
/// ```text
///  | seed (2) | lower address | higher address | protocol | 0 | lower port (2) | higher port (2) |
/// ```
pub fn community_id(id: &FlowId) -> String {
    let (mut first, mut second) = (id.orig(), id.resp());
    if !is_ordered(first, second) && icmp::is_two_way(&id.endpoints) {
        std::mem::swap(&mut first, &mut second);
    }
    let mut hash = Sha1::new();
    hash.update([0, 0]);
    for end in [first, second] {
        match end.ip() {
            IpAddr::V4(ip) => hash.update(ip.octets()),
            IpAddr::V6(ip) => hash.update(ip.octets()),
        }
    }
    hash.update([id.proto(), 0]);
    hash.update(first.port().to_be_bytes());
    hash.update(second.port().to_be_bytes());
    let mut text = String::from("1:");
    STANDARD.encode_string(hash.finalize(), &mut text);
    text
}

fn is_ordered(first: SocketAddr, second: SocketAddr) -> bool {
    (first.ip(), first.port()) <= (second.ip(), second.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Endpoints, Timestamp};

    /// Rows of the specification's baseline data for seed 0.
    #[test]
    fn community_ids_match_the_specification_baseline() {
        for (proto, orig, resp, expected) in [
            (
                6,
                "128.232.110.120:34855",
                "66.35.250.204:80",
                "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
            ),
            (
                6,
                "66.35.250.204:80",
                "128.232.110.120:34855",
                "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
            ),
            (
                17,
                "192.168.1.52:54585",
                "8.8.8.8:53",
                "1:d/FP5EW3wiY1vCndhwleRRKHowQ=",
            ),
            (
                1,
                "192.168.0.89:8",
                "192.168.0.1:0",
                "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=",
            ),
            (
                1,
                "192.168.0.1:0",
                "192.168.0.89:8",
                "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=",
            ),
        ] {
            let [orig, resp] = [orig, resp].map(|end| end.parse().expect("an address"));
            let id = FlowId {
                first_time: Timestamp(0),
                first_frame: 1,
                number: 1,
                endpoints: Endpoints::new(orig, resp, proto),
            };
            assert_eq!(community_id(&id), expected, "{orig} {resp}");
        }
    }
}
