//! Tests of the main loop: segments in order in the fixtures, and ticks.

use std::cell::RefCell;
use std::fs;
use std::ops::ControlFlow;
use std::time::Duration;

use super::{FlushPolicy, Output, RunOptions, Totals, open, run};
use crate::error::Result;
use crate::event::{CONTINUE, Event, Requirement, Sink};
use crate::filter::Filter;
use crate::flow::{FlowEventKind, FlowSettings, segment_counts};
use crate::packet::{Frame, FrameOptions, Interface, LinkType, Timestamp};
use crate::source::{FileSource, IdleClock, Losses, Source, SourceEvent, SourceHandler, file};

/// Fixtures that consist of what the short path leaves to the general one: refused connections,
/// retransmissions and duplicate acknowledgements, zero windows and their probes, and sockets that
/// are connected to themselves.
const ANOMALIES: [&str; 4] = [
    "refused.pcap",
    "retransmission.pcap",
    "self-connection.pcap",
    "zero-window.pcap",
];

#[test]
fn nearly_all_segments_of_the_fixtures_are_in_order() {
    let before = segment_counts();
    for entry in fs::read_dir("fixtures").unwrap() {
        let path = entry.unwrap().path();
        if !ANOMALIES.iter().any(|name| path.ends_with(name))
            && let Ok(capture) = open(&path)
        {
            // One fixture is damaged.
            let _ = capture.each_flow(|_| {});
        }
    }
    let after = segment_counts();
    let (all, in_order) = (after.all - before.all, after.in_order - before.in_order);
    assert!(
        all > 200 && in_order * 100 >= all * 95,
        "{in_order} of {all} segments"
    );
}

/// A source of datagrams, one for each port and time in seconds, and of pauses.
struct ScriptedSource<'a>(&'a [ScriptedEvent]);

enum ScriptedEvent {
    Datagram { seconds: i64, port: u8 },
    Pause { seconds: i64 },
    Silence { clock: IdleClock },
}

impl Source for ScriptedSource<'_> {
    fn for_each(&mut self, handler: &mut impl SourceHandler) -> Result<()> {
        let interface = Interface::default();
        for event in self.0 {
            let (seconds, port) = match *event {
                ScriptedEvent::Datagram { seconds, port } => (seconds, port),
                ScriptedEvent::Silence { clock } => {
                    let _ = handler.handle(&SourceEvent::Idle(clock));
                    continue;
                }
                ScriptedEvent::Pause { seconds } => {
                    let _ = handler.handle(&SourceEvent::Idle(IdleClock::Time(timestamp(seconds))));
                    continue;
                }
            };
            let mut bytes = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0];
            bytes.extend([127, 0, 0, 1, 127, 0, 0, 1, 99, port, 99, 0, 0, 8, 0, 0]);
            let frame = Frame {
                number: 1,
                time: timestamp(seconds),
                interface: &interface,
                link: LinkType::RAW,
                wire_len: bytes.len() as u32,
                bytes: &bytes,
                options: FrameOptions::default(),
            };
            let _ = handler.handle(&SourceEvent::Frame(frame));
        }
        Ok(())
    }

    fn losses(&mut self) -> Losses {
        Losses::default()
    }
}

fn timestamp(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1_000_000_000)
}

/// A sink that records the ticks: time in seconds, whether no packet is waiting, and the number of
/// open flows.
struct TickRecorder<'a>(&'a RefCell<Vec<RecordedTick>>);

type RecordedTick = (i64, bool, Option<usize>);

impl Sink for TickRecorder<'_> {
    fn requires(&self) -> Requirement {
        Requirement::Flows
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        if let Event::Tick(tick) = event {
            let open_flows = tick.flows.map(|flows| flows.open_flows().count());
            let seconds = tick.time.0 / 1_000_000_000;
            self.0
                .borrow_mut()
                .push((seconds, tick.is_idle, open_flows));
        }
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

fn recorded_ticks(script: &[ScriptedEvent], options: RunOptions) -> Vec<RecordedTick> {
    let ticks = RefCell::default();
    let sink = Box::new(TickRecorder(&ticks));
    let mut output = Output::new(vec![sink], FlushPolicy::WhenFull, None);
    let mut filter = Filter::new(None, "").unwrap();
    let totals = Totals::default();
    run(
        &mut ScriptedSource(script),
        &mut filter,
        &mut output,
        options,
        &totals,
    )
    .unwrap();
    drop(output);
    ticks.into_inner()
}

#[test]
fn ticks_come_at_the_interval_and_when_no_packet_is_waiting() {
    use ScriptedEvent::{Datagram, Pause};
    let script = [
        // The first tick comes with the first packet. A tick comes before the packet that is due
        // to cause it.
        Datagram {
            seconds: 100,
            port: 1,
        },
        Datagram {
            seconds: 109,
            port: 2,
        },
        Datagram {
            seconds: 110,
            port: 3,
        },
        Datagram {
            seconds: 119,
            port: 4,
        },
        Datagram {
            seconds: 145,
            port: 1,
        },
        Pause { seconds: 146 },
        // The interval starts at the last packet that caused a tick.
        Datagram {
            seconds: 154,
            port: 5,
        },
        Datagram {
            seconds: 155,
            port: 5,
        },
        // Flows without a packet for 60 seconds have timed out before the tick.
        Pause { seconds: 175 },
    ];
    let tick_interval = Some(10_000_000_000);
    let flows = Some(FlowSettings::FLOWS);
    let options = RunOptions {
        flows,
        tick_interval,
        ..RunOptions::default()
    };
    let expected = [
        (100, false, Some(0)),
        (110, false, Some(2)),
        (145, false, Some(4)),
        (146, true, Some(4)),
        (155, false, Some(5)),
        (175, true, Some(3)),
    ];
    assert_eq!(recorded_ticks(&script, options), expected);

    let no_interval = RunOptions {
        flows,
        ..RunOptions::default()
    };
    assert_eq!(
        recorded_ticks(&script, no_interval),
        [expected[3], expected[5]]
    );

    let no_flows = RunOptions {
        tick_interval,
        ..RunOptions::default()
    };
    let without_flows = expected.map(|(time, is_idle, _)| (time, is_idle, None));
    assert_eq!(recorded_ticks(&script, no_flows), without_flows);
}

#[test]
fn clock_of_the_flows_goes_on_while_a_live_pipe_is_silent() {
    use ScriptedEvent::{Datagram, Silence};
    let silence = |clock| Silence { clock };
    let elapsed = |seconds| silence(IdleClock::Elapsed(Duration::from_secs(seconds)));
    let stopped = || silence(IdleClock::Stopped);
    let datagram = |seconds| Datagram { seconds, port: 1 };
    let options = || RunOptions {
        flows: Some(FlowSettings::FLOWS),
        ..RunOptions::default()
    };
    // Before the first packet there is no time, and the clock of a stored capture is stopped.
    // A flow of datagrams ends after 60 s of silence, counted from its last packet.
    let script = [
        elapsed(5),
        datagram(100),
        stopped(),
        elapsed(59),
        datagram(130),
        elapsed(30),
        elapsed(29),
        elapsed(1),
    ];
    let seconds = |ticks: Vec<RecordedTick>| -> Vec<(i64, Option<usize>)> {
        let ticks = ticks.into_iter();
        ticks.map(|(seconds, _, open)| (seconds, open)).collect()
    };
    let absent = i64::MIN / 1_000_000_000;
    let expected = [
        (absent, Some(0)),
        (100, Some(1)),
        (159, Some(1)),
        (189, Some(1)),
        (218, Some(1)),
        (219, Some(0)),
    ];
    assert_eq!(seconds(recorded_ticks(&script, options())), expected);
}

#[test]
fn ended_flows_of_a_pipe_linger_briefly_once_it_is_live() {
    let contents = fs::read("fixtures/http.pcap").unwrap();
    let closed_flows = |clocks: &[IdleClock]| {
        let closed = RefCell::new(0);
        let sink = ClosedFlowCounter(&closed);
        let mut output = Output::new(vec![Box::new(sink)], FlushPolicy::WhenFull, None);
        let mut source = SilentSource {
            file: file::read("http", std::io::Cursor::new(contents.clone())).unwrap(),
            clocks,
            closed: &closed,
            closed_before_end: 0,
        };
        let options = RunOptions {
            flows: Some(FlowSettings::FLOWS),
            ..RunOptions::default()
        };
        let mut filter = Filter::new(None, "").unwrap();
        run(
            &mut source,
            &mut filter,
            &mut output,
            options,
            &Totals::default(),
        )
        .unwrap();
        source.closed_before_end
    };
    let elapsed = |ms| IdleClock::Elapsed(Duration::from_millis(ms));
    assert_eq!(closed_flows(&[IdleClock::Stopped; 9]), 0);
    assert_eq!(closed_flows(&[elapsed(0), elapsed(999)]), 0);
    assert_eq!(closed_flows(&[elapsed(0), elapsed(999), elapsed(1)]), 1);
    assert_eq!(closed_flows(&[IdleClock::Stopped, elapsed(1000)]), 1);
    assert_eq!(closed_flows(&[elapsed(u64::MAX)]), 0, "a jump of the clock");
}

/// A file, and a silence before its end.
struct SilentSource<'a> {
    file: FileSource,
    clocks: &'a [IdleClock],
    closed: &'a RefCell<u32>,
    /// Number of flows closed at the end of the silence.
    closed_before_end: u32,
}

impl Source for SilentSource<'_> {
    fn for_each(&mut self, handler: &mut impl SourceHandler) -> Result<()> {
        self.file.for_each(handler)?;
        for clock in self.clocks {
            let _ = handler.handle(&SourceEvent::Idle(*clock));
        }
        self.closed_before_end = *self.closed.borrow();
        Ok(())
    }

    fn losses(&mut self) -> Losses {
        Losses::default()
    }
}

/// A sink that counts the flows that were closed.
struct ClosedFlowCounter<'a>(&'a RefCell<u32>);

impl Sink for ClosedFlowCounter<'_> {
    fn requires(&self) -> Requirement {
        Requirement::Flows
    }

    fn handle(&mut self, event: Event) -> Result<ControlFlow<()>> {
        if let Event::Flow(event) = event
            && let FlowEventKind::Closed(_) = event.kind
        {
            *self.0.borrow_mut() += 1;
        }
        CONTINUE
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}
