//! Tests of packet JSON, parsed with serde_json.

use serde_json::{Value, json};

use super::Json;
use crate::decode::decode;
use crate::packet::{Frame, FrameOptions, Interface, LinkType, Timestamp};
use crate::sink::{Event, LineSink, Sink};

fn packet_json(bytes: &[u8], time: Timestamp, name: Option<&str>) -> Value {
    let interface = Interface {
        link: LinkType::RAW,
        name: name.map(str::to_owned),
        ..Interface::default()
    };
    let frame = Frame {
        number: 7,
        time,
        interface: &interface,
        link: interface.link,
        wire_len: bytes.len() as u32 + 1,
        bytes,
        options: FrameOptions::default(),
    };
    let mut out = Vec::new();
    let mut json = LineSink::new(&mut out, Json::default());
    let _ = json.handle(Event::Packet(&decode(&frame))).unwrap();
    json.finish().unwrap();
    drop(json);
    assert_eq!(out.last(), Some(&b'\n'));
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn tcp_segment_with_options_is_written_in_full() {
    let mut bytes = vec![
        0x45, 0, 0, 64, 0, 1, 0x40, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1,
    ];
    bytes.extend([
        0x1f, 0x90, 0, 80, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2, 0xb0, 0x12, 2, 0, 0, 0, 0, 0,
    ]);
    bytes.extend([2, 4, 0xff, 0xd7, 4, 2, 1, 3, 3, 7, 254, 2]);
    bytes.extend([5, 10, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0]);
    let expected = json!({
        "number": 7, "time": "2026-01-02T03:04:05.000000006Z", "time_ns": 1_767_323_045_000_000_006_i64,
        "interface": "lo", "link": "RAW", "wire_len": 65, "cap_len": 64,
        "src": "127.0.0.1", "dst": "127.0.0.1", "ip_proto": 6, "proto": "tcp",
        "src_port": 8080, "dst_port": 80, "payload_len": 0,
        "tcp": {"flags": "S.", "seq": 4_294_967_295_u32, "ack": 2, "window": 512, "options": {
            "mss": 65495, "sack_permitted": true, "wscale": 7, "sack": [[1, 9]], "others": [254]}}
    });
    assert_eq!(
        packet_json(&bytes, Timestamp(1_767_323_045_000_000_006), Some("lo")),
        expected
    );
}

#[test]
fn non_first_fragment_has_no_ports_and_unknown_time_is_omitted() {
    let bytes = [
        0x45, 0, 0, 21, 0, 9, 0x20, 2, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 2, b'x',
    ];
    let value = packet_json(&bytes, Timestamp::ABSENT, None);
    assert_eq!(
        value["fragment"],
        json!({"id": 9, "offset": 16, "more": true})
    );
    assert_eq!(
        (&value["ip_proto"], value.get("src_port")),
        (&json!(17), None)
    );
    assert!(value.get("time").is_none() && value.get("interface").is_none());
}

#[test]
fn undecodable_packet_has_a_reason() {
    assert_eq!(
        packet_json(&[0x95], Timestamp(-1), None)["opaque"],
        "IP version 9"
    );
}
