//! Messages on standard error: counters, losses, errors. Losses are reported here and nowhere else.

use clap::error::ContextValue;

use super::size::format_size;
use super::terminal;
use crate::attribution::AttributionMethod;
use crate::error::{Error, count_noun};
use crate::filter::Filter;
use crate::flow::FlowCounts;
use crate::packet::Interface;
use crate::pipeline::{Counts, UnknownTraffic};
use crate::printable;
use crate::privileges::sandbox::Restrictions;
use crate::process::Process;
use crate::request::RequestCounts;
use crate::sink::ByteCount;
use crate::source::{AppendedCaptures, Losses};

/// Prints an error.
pub(super) fn error(error: &Error) {
    print_stderr(&format!("lcap: {error}\n"));
}

/// Prints a message of clap (help, or an error with arguments in it) and returns the exit code.
pub(super) fn clap_message(mut message: clap::Error) -> u8 {
    let printable = |value: &ContextValue| match value {
        ContextValue::String(text) => Some(ContextValue::String(printable::line(text))),
        ContextValue::Strings(texts) => {
            let texts = texts.iter().map(|text| printable::line(text));
            Some(ContextValue::Strings(texts.collect()))
        }
        // Suggestions; the styles of clap are lost.
        ContextValue::StyledStrs(texts) => {
            let texts = texts.iter().map(|text| printable::line(&text.to_string()));
            Some(ContextValue::StyledStrs(texts.map(Into::into).collect()))
        }
        _ => None,
    };
    let values = message.context();
    let values: Vec<_> = values
        .filter_map(|(kind, value)| Some((kind, printable(value)?)))
        .collect();
    for (kind, value) in values {
        message.insert(kind, value);
    }
    // clap selects the stream for each message. A closed pipe is not an error.
    let _ = message.print();
    message.exit_code() as u8
}

/// Reports that a live capture has started, with its settings and the attribution method, if any.
pub(super) fn listening(interface: &Interface, ring: u64, method: Option<&AttributionMethod>) {
    let name = interface.name.as_deref().unwrap_or("?");
    let link = interface.link.name().unwrap_or("?");
    let (snap_len, ring) = (interface.snap_len, format_size(ring));
    let processes = match method {
        Some(AttributionMethod::Bpf) => ", processes by BPF",
        Some(AttributionMethod::Lookup { .. }) => ", processes by lookup",
        None => "",
    };
    print_stderr(&format!(
        "lcap: listening on {name}, link-type {link}, snapshot length {snap_len} bytes, \
         ring {ring}{processes}\n"
    ));
}

/// Reports the reason why processes are not attributed by BPF, and the consequence (`-v`).
pub(super) fn attribution_method(method: &AttributionMethod) {
    let AttributionMethod::Lookup {
        bpf_error,
        fork_events_error,
    } = method
    else {
        return;
    };
    print_stderr(&format!(
        "lcap: no BPF: {bpf_error}\n\
         lcap: short-lived or refused clients might not be identified\n"
    ));
    if let Some(error) = fork_events_error {
        print_stderr(&format!(
            "lcap: no process connector: {error}\n\
             lcap: forked children that exit immediately might not be identified\n"
        ));
    }
}

/// Reports connection events for which the kernel had no buffer space.
pub(super) fn lost_events(count: u64) {
    let consequence = "lost (BPF ring full): some processes might not be identified";
    report_count(count, "connection event", consequence);
}

/// Reports the restrictions of this process.
pub(super) fn restrictions(restrictions: &Restrictions) {
    print_stderr(&format!(
        "lcap: packets are processed with {restrictions}\n"
    ));
}

/// Reports that processes were not looked up from some time on.
pub(super) fn lookups_ended(error: &str) {
    print_stderr(&format!(
        "lcap: the process that looks up processes has ended ({error}): processes of later \
         connections can be missing\n"
    ));
}

/// Reports that a signal cannot be passed on to the command of `lcap run`.
pub(super) fn signal_not_passed_on(pid: i32) {
    print_stderr(&format!(
        "lcap: not permitted to signal the command, which runs as another user: end process {pid} \
         yourself, or repeat the signal to end lcap\n"
    ));
}

/// Reports that the capture continues without processes.
pub(super) fn attribution_failed(error: &Error) {
    print_stderr(&format!("lcap: processes are not shown: {error}\n"));
}

/// Reports that the doctor has started to capture a port.
pub(super) fn watching(port: u16, seconds: u64) {
    print_stderr(&format!("lcap: watching port {port} for {seconds} s\n"));
}

/// Reports listeners whose process is unknown because some processes cannot be inspected.
pub(super) fn hidden_processes(listeners: usize, hidden: usize) {
    if listeners > 0 && hidden > 0 {
        let have = if listeners == 1 { "has" } else { "have" };
        let listeners = count_noun(listeners, "listener");
        let hidden = count_noun(hidden, "process");
        print_stderr(&format!(
            "lcap: {listeners} {have} an unknown process ({hidden} cannot be inspected); \
             try sudo lcap ports\n"
        ));
    }
}

/// Reports packets that a process filter skipped because their owner is unknown.
pub(super) fn unattributed(packets: u64) {
    let reason = "skipped by the process filter: the process is unknown";
    report_count(packets, "packet", reason);
}

/// Reports that none of the packets seen belonged to the command of `lcap run`.
pub(super) fn none_of_command(seen: u64) {
    report_count(seen, "packet", "seen, none belonged to the command");
}

/// Reports traffic that may belong to the command of `lcap run`, because its processes are unknown.
pub(super) fn unknown_traffic(unknown: UnknownTraffic, method: Option<&AttributionMethod>) {
    let UnknownTraffic {
        packets,
        connections,
    } = unknown;
    if packets == 0 {
        return;
    }
    let (packets, connections) = (
        count_noun(packets, "packet"),
        count_noun(connections, "connection"),
    );
    let reason = match method {
        Some(AttributionMethod::Lookup { bpf_error, .. }) => {
            format!(" (without BPF, short-lived processes are missed: {bpf_error})")
        }
        Some(AttributionMethod::Bpf) | None => String::new(),
    };
    print_stderr(&format!(
        "lcap: {packets} of {connections}: process unknown{reason}\n"
    ));
}

/// Reports the processes of the command of `lcap run` that have not exited.
pub(super) fn running_processes(processes: &[Process]) {
    /// Maximum number of processes that are named.
    const MAX_NAMED: usize = 10;
    let verb = match processes {
        [] => return,
        [_] => "is",
        _ => "are",
    };
    let names = processes.iter().take(MAX_NAMED).map(ToString::to_string);
    let more = (processes.len() > MAX_NAMED).then(|| "…".to_owned());
    let names: Vec<String> = names.chain(more).collect();
    let count = count_noun(processes.len() as u64, "process");
    print_stderr(&format!(
        "lcap: {count} of the command {verb} still running: {}\n",
        names.join(", ")
    ));
}

/// Prints the counters of a live capture, worded as in tcpdump.
pub(super) fn counters(counts: &Counts, losses: Option<Losses>) {
    let mut text = count_line(counts.packets, "packet", "captured");
    if let Some(losses) = losses {
        text += &count_line(losses.received, "packet", "received by filter");
        text += &count_line(losses.dropped, "packet", "dropped by kernel");
        let dropped = losses.dropped_by_interface;
        if dropped > 0 {
            text += &count_line(dropped, "packet", "dropped by interface");
        }
    }
    print_stderr(&text);
}

/// Reports the counters and losses of a live capture that has ended.
pub(super) fn device_summary(counts: &Counts, losses: Losses, ring: u64) {
    counters(counts, Some(losses));
    if losses.dropped > 0 {
        let sufficient = sufficient_ring_bytes(counts, losses, ring);
        let advice = if sufficient <= MAX_RING_BYTES {
            let (size, mebibytes) = (format_size(sufficient), sufficient >> 20);
            format!(
                "a ring of about {size} (-B {mebibytes}MiB) would have held all packets; \
                 a filter or a smaller -s also helps"
            )
        } else {
            "not even the largest ring would have held all packets; \
             use a filter or a smaller -s"
                .into()
        };
        print_stderr(&format!(
            "lcap: the ring of {} was full: {advice}\n",
            format_size(ring)
        ));
    }
    undecoded_frames(counts);
}

/// Largest ring to recommend, in bytes: below 2 GiB, the limit of `-B`, in steps of 16 MiB.
const MAX_RING_BYTES: u64 = (2 << 30) - (16 << 20);

/// Returns the size of a ring that would have held all packets, in bytes, a multiple of 16 MiB.
/// Lost packets are assumed to be as large as the captured ones.
fn sufficient_ring_bytes(counts: &Counts, losses: Losses, ring: u64) -> u64 {
    /// Ring space per packet in addition to its bytes: header, address and alignment.
    const PACKET_OVERHEAD_BYTES: u64 = 96;
    let mean = counts.bytes / counts.frames.max(1) + PACKET_OVERHEAD_BYTES;
    (ring + losses.dropped * mean).next_multiple_of(16 << 20)
}

/// Reports captures that are appended to the first one of a file, and were read as well.
pub(super) fn appended_captures(captures: &AppendedCaptures) {
    for offset in &captures.offsets {
        print_stderr(&format!("lcap: another capture starts at byte {offset}\n"));
    }
    let unlisted = captures.count - captures.offsets.len() as u64;
    report_count(unlisted, "more capture", "in the file");
}

/// Reports the frames and blocks of a file that were not usable.
pub(super) fn file_summary(counts: &Counts, losses: Losses, filter: &Filter) {
    undecoded_frames(counts);
    let reason = "dropped during the capture, according to the file";
    report_count(losses.dropped, "packet", reason);
    let blocks = losses.skipped_blocks;
    report_count(blocks, "block", "skipped: no packets in them");
    let reason = "skipped: the filter is not valid for the link type";
    report_count(filter.undecided(), "frame", reason);
}

/// Reports the command that shows the messages of a flow.
pub(super) fn follow_command(command: &str) {
    print_stderr(&format!(
        "lcap: to read the conversation of flow 1: {command}\n"
    ));
}

/// Reports flows that were evicted, and packets that could not be assigned to a flow.
pub(super) fn flow_summary(counts: FlowCounts) {
    report_count(counts.evicted, "flow", "evicted: --max-flows reached");
    let reason = "with missing or truncated fragments";
    report_count(counts.incomplete, "IP datagram", reason);
    let reason = "in no flow: truncated or invalid header";
    report_count(counts.unreadable, "packet", reason);
}

/// Reports the bytes that were not analyzed for requests.
pub(super) fn request_summary(counts: RequestCounts) {
    if counts.unanalyzed_flows > 0 {
        print_stderr(&format!(
            "lcap: {} of {} not analyzed for requests: missing bytes before them, or another \
             protocol\n",
            ByteCount(counts.unanalyzed_bytes),
            count_noun(counts.unanalyzed_flows, "flow")
        ));
    }
}

fn undecoded_frames(counts: &Counts) {
    let reason = "with an unsupported link type";
    report_count(counts.unknown_link, "frame", reason);
    let reason = "with a truncated or invalid header";
    report_count(counts.malformed, "frame", reason);
}

/// Reports a number of things and what happened to them, if there are any.
fn report_count(count: u64, noun: &str, rest: &str) {
    if count > 0 {
        print_stderr(&format!("lcap: {}", count_line(count, noun, rest)));
    }
}

fn count_line(count: u64, noun: &str, rest: &str) -> String {
    format!("{} {rest}\n", count_noun(count, noun))
}

/// Prints text on standard error, with unprintable characters replaced. Errors are ignored:
/// standard error may be closed.
fn print_stderr(text: &str) {
    let text = printable::lines(text);
    if text.is_empty() {
        return;
    }
    // On a terminal, the current line may contain the status line or the echo of Ctrl-C.
    let prefix = if terminal::is_available() {
        terminal::CLEAR_LINE
    } else {
        ""
    };
    let _ = terminal::write_stderr(format!("{prefix}{text}").as_bytes());
}
