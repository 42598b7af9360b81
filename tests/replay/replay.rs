//! Tests of the library in a crate without libpcap, BPF programs and the command line: a committed
//! capture is replayed from its file.
#![cfg(test)]

use std::error::Error;

const HTTP: &str = "../../fixtures/http.pcap";

#[test]
fn packets_are_replayed() -> Result<(), Box<dyn Error>> {
    let mut requests = 0;
    let counts = lcap::open(HTTP)?.port(8080).packets(|packet| {
        requests += usize::from(packet.payload().bytes.starts_with(b"GET "));
    })?;
    assert_eq!((counts.packets, requests), (12, 1));
    Ok(())
}

#[test]
fn flows_are_replayed() -> Result<(), Box<dyn Error>> {
    let flows: Vec<lcap::FlowRecord> = lcap::open(HTTP)?.port(8080).flows()?;
    let bytes: Vec<[u64; 2]> = flows
        .iter()
        .map(|flow| flow.sides.map(|side| side.bytes))
        .collect();
    assert_eq!(bytes, [[78, 1006]]);
    Ok(())
}

#[test]
fn streams_are_replayed() -> Result<(), Box<dyn Error>> {
    let streams: Vec<lcap::FlowStreams> = lcap::open(HTTP)?.port(8080).streams()?;
    assert_eq!(streams.len(), 1);
    assert!(streams[0].orig.starts_with(b"GET / HTTP/1.1\r\n"));
    assert!(streams[0].resp.starts_with(b"HTTP/1."));
    assert_eq!((streams[0].orig.len(), streams[0].resp.len()), (78, 1006));
    Ok(())
}

#[test]
fn other_ports_are_left_out() -> Result<(), Box<dyn Error>> {
    assert!(lcap::open(HTTP)?.port(80).flows()?.is_empty());
    Ok(())
}
