//! Captures that start in the middle of a connection: what was sent before is a retransmission, and
//! starts neither a gap nor another flow.

use lcap::internals::flow::Side;

use super::script::{describe_analysis, outcomes, run_script};

#[test]
fn repeated_fins_are_retransmissions() {
    for (name, script, outcome, [orig, resp]) in [
        (
            "acknowledged in the end",
            "0      > F. 100 1
             200000 > F. 100 1
             600000 > F. 100 1
             600010 < .  1   101",
            "SH Fa HalfClosed(Orig) Capture",
            ["retrans 2", ""],
        ),
        (
            "never acknowledged, with the back-off of RFC 6298",
            "0         > F. 100 1
             61000000  > F. 100 1
             181000000 > F. 100 1",
            "SH F NoAnswer Capture",
            ["retrans 2", ""],
        ),
        (
            "of both sides",
            "0      > F. 100 1
             200000 > F. 100 1
             200010 < F. 1   101
             400000 < F. 1   101
             400010 > .  101 2",
            "SF FfA Normal Closed",
            ["retrans 1", "retrans 1"],
        ),
        (
            "with data",
            "0      > FP. 100 1 *50
             200000 > FP. 100 1 *50
             200010 < .   1   151",
            "SH FTa HalfClosed(Orig) Capture",
            ["retrans 1 bytes 50", ""],
        ),
        (
            "with data that was sent before the capture",
            "0      > F.  150 1
             200000 > FP. 100 1 *50
             200010 < .   1   151",
            "SH FTa HalfClosed(Orig) Capture",
            ["retrans 1 bytes 50", ""],
        ),
        (
            "acknowledged before the first one was captured",
            "0      < .  1   101
             200000 > F. 100 1
             200010 < .  1   101",
            "SHR Af HalfClosed(Resp) Capture",
            ["", "retrans 1"],
        ),
        (
            "acknowledged by the other FIN",
            "0      < F. 1   101
             200000 > F. 100 1
             200010 > .  101 2",
            "SF Ffa Normal Closed",
            ["", "retrans 1"],
        ),
        (
            "first sent after the capture started",
            "0      < .  1   100
             200000 > F. 100 1",
            "SHR Af HalfClosed(Resp) Capture",
            ["", ""],
        ),
    ] {
        let log = run_script(script);
        assert_eq!(outcomes(&log), [outcome], "{name}");
        let flow = log.only_flow();
        let counters = Side::BOTH.map(|side| describe_analysis(flow, side));
        assert_eq!(counters, [orig, resp], "{name}");
        assert_eq!(flow.missed_bytes(), 0, "{name}");
        let has_gap = log.stream_events.iter().any(|line| line.contains("lost"));
        assert!(!has_gap, "{name}: {:?}", log.stream_events);
    }
}

/// The first captured number is not the first of the connection.
#[test]
fn data_from_before_the_capture_is_a_retransmission() {
    let log = run_script(
        "0  > P. 150 1 *50
         10 > P. 100 1 *50
         20 > P. 120 1 *90
         30 < .  1   210",
    );
    let flow = log.only_flow();
    assert_eq!(describe_analysis(flow, Side::Orig), "retrans 2 bytes 130");
    assert_eq!(flow.sides.map(|side| side.bytes), [60, 0]);
    assert_eq!(log.payload(Side::Orig).len(), 60);
}
