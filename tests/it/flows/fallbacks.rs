//! Refused connections whose client then reached the loopback address of the other family (RFC
//! 8305, Happy Eyeballs).

use lcap::internals::flow::FlowSettings;

use super::script::{CapturedFrame, FlowLog, PORT, Peers, run_checked, script_frames};

const REFUSAL: &str = "
    0  > S  0
    10 < R. 0 1
";

/// Returns the frames of a script that starts at a time in microseconds.
fn frames_at(start: i64, script: &str, peers: &Peers) -> Vec<CapturedFrame> {
    let mut frames = script_frames(script, peers);
    for frame in &mut frames {
        frame.time += start * 1000;
    }
    frames
}

fn texts(log: &FlowLog) -> Vec<String> {
    let records = log.records.iter();
    let texts = records.map(|flow| flow.outcome.to_string());
    texts.collect()
}

#[test]
fn a_refusal_is_a_note_if_the_other_family_answers_within_a_second() {
    let handshake = "
        0  > S  0
        10 < S. 0 1
        20 > .  1 1";
    let (v4, v6) = (Peers::on_port(PORT), Peers::on_port_v6(PORT));
    let other_port = Peers::on_port(PORT + 1);
    const REFUSED: &str = "refused: nothing was listening";
    for (name, refused, answered, delay, script, expected) in [
        (
            "IPv6 first",
            v6,
            v4,
            500_000,
            handshake,
            "refused; 127.0.0.1 answered",
        ),
        (
            "IPv4 first",
            v4,
            v6,
            500_000,
            handshake,
            "refused; ::1 answered",
        ),
        (
            "one family",
            v4,
            Peers {
                client: ([127, 0, 0, 1], 40_001).into(),
                ..v4
            },
            500_000,
            handshake,
            REFUSED,
        ),
        ("another port", v6, other_port, 500_000, handshake, REFUSED),
        ("too late", v6, v4, 1_000_011, handshake, REFUSED),
        ("both refused", v6, v4, 500_000, REFUSAL, REFUSED),
        ("answered before", v6, v4, -500_000, handshake, REFUSED),
    ] {
        let mut frames = frames_at(1_000_000, REFUSAL, &refused);
        frames.extend(frames_at(1_000_000 + delay, script, &answered));
        frames.sort_by_key(|frame| frame.time);
        let log = run_checked(&frames, FlowSettings::FLOWS);
        let texts = texts(&log);
        assert!(
            texts.iter().any(|text| text == expected),
            "{name}: {texts:?}"
        );
    }
}

#[test]
fn an_address_outside_the_loopback_has_no_fallback() {
    let v4 = Peers::on_port(PORT);
    let refused = Peers {
        server: (std::net::Ipv6Addr::from_bits(0xfd00 << 112 | 1), PORT).into(),
        client: (std::net::Ipv6Addr::from_bits(0xfd00 << 112 | 1), 40_000).into(),
        ..v4
    };
    let mut frames = frames_at(0, REFUSAL, &refused);
    frames.extend(frames_at(100, super::script::HANDSHAKE, &v4));
    let texts = texts(&run_checked(&frames, FlowSettings::FLOWS));
    assert_eq!(texts, ["refused: nothing was listening", "still open"]);
}

/// The number of refused connections that are kept is limited: the oldest are failures.
#[test]
fn many_refusals_are_limited() {
    let mut frames = Vec::new();
    for number in 0..2000 {
        let mut peers = Peers::on_port_v6(PORT);
        peers.client.set_port(10_000 + number);
        frames.extend(frames_at(i64::from(number) * 20, REFUSAL, &peers));
    }
    frames.extend(frames_at(
        40_000,
        super::script::HANDSHAKE,
        &Peers::on_port(PORT),
    ));
    let texts = texts(&run_checked(&frames, FlowSettings::FLOWS));
    let notes = texts
        .iter()
        .filter(|text| text.ends_with("answered"))
        .count();
    assert_eq!(notes, 256);
}
