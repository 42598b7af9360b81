//! Fuzz target: arbitrary bytes as a capture file, in every output format. Nothing panics, no
//! control character reaches the output, JSON is valid, and a capture file that lcap writes has
//! the same packets.
#![no_main]

use lcap::internals::error::Error;
use lcap::internals::filter::Filter;
use lcap::internals::flow::{FlowSettings, Side, StreamMode};
use lcap::internals::packet::{Interface, LinkType, Timestamp};
use lcap::internals::pipeline::{FlushPolicy, Output, RunOptions, Totals, run};
use lcap::internals::request::RequestSettings;
use lcap::internals::sink::follow::{MessageLimit, StreamOptions};
use lcap::internals::sink::requests::{LeftOutCount, Repeats, RequestLayout, TimePrecision};
use lcap::internals::sink::rows::{ProcessColumn, TableLayout};
use lcap::internals::sink::text::{Dump, Style};
use lcap::internals::sink::{
    CaptureFileOptions, FORMATS, Format, Requirement, Rotation, Sink, SinkFactory,
};
use lcap::internals::source::{FileSource, SourceEvent, file};
use libfuzzer_sys::fuzz_target;
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

/// The capture file that is written and read again.
static WRITTEN: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("lcap-fuzz-{}.pcap", std::process::id())));

/// The bytes that a sink has written.
#[derive(Clone, Default)]
struct SharedBytes(Arc<Mutex<Vec<u8>>>);

impl Write for SharedBytes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("one thread").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const LAYOUT: TableLayout = TableLayout {
    width: None,
    colour: false,
    nano: true,
    processes: ProcessColumn::IfPresent,
};
const STREAMS: StreamOptions = StreamOptions {
    flow: None,
    side: Side::Orig,
    limit: MessageLimit::Beginning,
    colour: false,
    nano: true,
    show_processes: true,
};

fuzz_target!(|bytes: &[u8]| {
    let mut file = File::from(memfd_create("capture", MemfdFlags::CLOEXEC).expect("memory"));
    file.write_all(bytes).expect("memory");
    let capture = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let style = Style {
        verbose: 3,
        link_header: true,
        dump: Dump::HexAscii,
        processes: true,
        ..Style::default()
    };
    for format in FORMATS {
        let out = SharedBytes::default();
        let writer = Box::new(out.clone());
        let (sink, is_capture) = match format.factory {
            SinkFactory::Packets(new_sink) => (new_sink(writer, &style), false),
            SinkFactory::Flows(new_sink) => (new_sink(writer, &LAYOUT), false),
            SinkFactory::Requests(new_sink) => (new_sink(writer, &request_layout()), false),
            SinkFactory::Streams(new_sink) => (new_sink(writer, &STREAMS), false),
            SinkFactory::CaptureFile(new_sink) => (
                new_sink(&capture_file_options(), None).expect("a file"),
                true,
            ),
            SinkFactory::Directory(_) => continue,
        };
        // A file keeps its old contents until there is something to write.
        File::create(&*WRITTEN).expect("an empty file");
        let is_complete = convert(&capture, sink);
        if is_capture {
            check_capture(format, &capture, is_complete);
        } else {
            check_text(format, &out.0.lock().expect("one thread"));
        }
    }
});

fn request_layout() -> RequestLayout {
    RequestLayout {
        table: TableLayout {
            width: Some(80),
            ..LAYOUT
        },
        precision: TimePrecision::Milliseconds,
        has_bodies: true,
        left_out: LeftOutCount::default(),
        groups: None,
        repeats: Repeats::default(),
    }
}

/// Writes a capture to a sink; returns true if all of its packets were written.
fn convert(capture: &Path, sink: Box<dyn Sink>) -> bool {
    let Ok(mut source) = file::open(capture) else {
        return false;
    };
    let flows = (sink.requires() > Requirement::Packets).then_some(FlowSettings {
        stream_mode: StreamMode::Reassemble,
        max_flows: 64,
        max_out_of_order_bytes: 64 << 10,
        ..FlowSettings::FLOWS
    });
    let requests = flows.map(|_| RequestSettings {
        has_messages: true,
        body_limit: 4096,
        ..RequestSettings::default()
    });
    let options = RunOptions {
        flows,
        requests,
        ..RunOptions::default()
    };
    let mut output = Output::new(vec![sink], FlushPolicy::WhenFull, None);
    let mut filter = Filter::default();
    let result = run(
        &mut source,
        &mut filter,
        &mut output,
        options,
        &Totals::default(),
    );
    let is_finished = output.finish().is_ok();
    // Packets before the damage were written.
    matches!(result, Ok(()) | Err(Error::Damaged { .. })) && is_finished
}

fn check_text(format: &Format, out: &[u8]) {
    // This format writes the bytes of the streams.
    if format.name == "raw" {
        return;
    }
    let text = std::str::from_utf8(out).expect(format.name);
    let is_control = |c: char| c.is_control() && c != '\n' && c != '\t';
    assert!(!text.contains(is_control), "{}: {text:?}", format.name);
    if format.extension == "json" || format.name == "json" {
        for line in text.lines() {
            let value: Result<serde_json::Value, _> = serde_json::from_str(line);
            assert!(value.is_ok_and(|value| value.is_object()), "{line}");
        }
    }
}

fn check_capture(format: &Format, capture: &Path, is_complete: bool) {
    let Some(expected) = frames(file::open(capture)) else {
        return;
    };
    let written = frames(file::open(&WRITTEN)).unwrap_or_default();
    let len = if is_complete {
        expected.len()
    } else {
        written.len()
    };
    assert_eq!(written, expected[..len], "{}", format.name);
}

/// First four bytes of a pcap file as a number: a packet whose time in seconds is this number
/// looks like the start of another capture that was appended.
const MAGIC_NUMBERS: [i64; 4] = [0xa1b2_c3d4, 0xd4c3_b2a1, 0xa1b2_3c4d, 0x4d3c_b2a1];

/// Returns the link type, length and bytes of each frame; `None` if a frame in a pcap file can be
/// understood in two ways.
fn frames(source: Result<FileSource, Error>) -> Option<Vec<(LinkType, u32, Vec<u8>)>> {
    let mut frames = Vec::new();
    let Ok(mut source) = source else {
        return Some(frames);
    };
    while let Ok(event) = source.next() {
        match event {
            SourceEvent::Frame(frame) if MAGIC_NUMBERS.contains(&frame.time.seconds()) => {
                return None;
            }
            SourceEvent::Frame(frame) => {
                frames.push((frame.link, frame.wire_len, frame.bytes.to_vec()));
            }
            SourceEvent::End => break,
            SourceEvent::Idle(_) | SourceEvent::Dropped(_) => {}
        }
    }
    Some(frames)
}

/// The input determines the interface.
static NO_INTERFACE: LazyLock<Arc<OnceLock<Interface>>> = LazyLock::new(Arc::default);

fn capture_file_options<'a>() -> CaptureFileOptions<'a> {
    CaptureFileOptions {
        path: &WRITTEN,
        rotation: Rotation::default(),
        resolution: None,
        interface: &NO_INTERFACE,
        now: Timestamp::ABSENT,
        annotate: false,
    }
}
