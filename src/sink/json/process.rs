//! Process objects in the JSON of packets and flows.

use super::{number, write_field, write_i64, write_quoted, write_text};
use crate::process::Process;
use crate::process::{Owner, comment};

/// Writes `src_process` and `dst_process` from the summary of a packet's comment, e.g.
/// `curl[4121] → node[4100]`.
pub(super) fn write_packet_processes(summary: &str, out: &mut Vec<u8>) {
    let ends = comment::parse_summary(summary).into_iter().flatten();
    for (name, processes) in ["src_process", "dst_process"].into_iter().zip(ends) {
        let Some((first, others)) = processes.split_first() else {
            continue;
        };
        write_text(out, ",\"");
        write_text(out, name);
        write_text(out, "\":{");
        write_process_summary(*first, out);
        if let (_, _, false) = first {
            write_text(out, ",\"how\":\"listener\"");
        }
        for (at, other) in others.iter().enumerate() {
            write_text(out, if at == 0 { ",\"shared_with\":[{" } else { ",{" });
            write_process_summary(*other, out);
            write_text(out, "}");
        }
        write_text(out, if others.is_empty() { "}" } else { "]}" });
    }
}

fn write_process_summary((name, pid, _): comment::NamedProcess, out: &mut Vec<u8>) {
    write_text(out, "\"pid\":");
    number::decimal(out, pid);
    write_text(out, ",\"name\":");
    write_quoted(out, name);
}

/// Writes the owner of one end of a connection as an object: the fields of the first process, then
/// further processes that share the socket as the list `shared_with`.
pub(in crate::sink) fn write_owner(out: &mut Vec<u8>, owner: &Owner) {
    let first = owner.processes.first();
    write_text(out, "{\"how\":");
    write_quoted(out, owner.matched.name());
    if let Some(uid) = owner.uid {
        write_field(out, "uid", uid);
    }
    if let Some(process) = first {
        write_text(out, ",");
        write_process(out, process);
    }
    if owner.processes.len() > 1 {
        write_text(out, ",\"shared_with\":[");
        for (at, process) in owner.processes.iter().skip(1).enumerate() {
            write_text(out, if at == 0 { "{" } else { ",{" });
            write_process(out, process);
            write_text(out, "}");
        }
        write_text(out, "]");
    }
    if owner.lookup_time.is_present() {
        write_text(out, ",\"looked_up_ns\":");
        write_i64(out, owner.lookup_time.0);
    }
    write_text(out, "}");
}

fn write_process(out: &mut Vec<u8>, process: &Process) {
    write_text(out, "\"pid\":");
    number::decimal(out, process.pid);
    write_text(out, ",\"start_time\":");
    number::decimal64(out, process.start_time);
    write_field(out, "ppid", process.parent);
    write_field(out, "euid", process.uid);
    let details = process.details();
    let texts = [
        ("name", Some(&details.name)),
        ("exe", details.exe.as_ref()),
        ("container", details.container.as_ref()),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            write_text(out, ",\"");
            write_text(out, name);
            write_text(out, "\":");
            write_quoted(out, value);
        }
    }
    write_text(out, ",\"command_line\":[");
    for (at, argument) in details.command_line.iter().enumerate() {
        write_text(out, if at == 0 { "" } else { "," });
        write_quoted(out, argument);
    }
    write_text(out, "]");
}
