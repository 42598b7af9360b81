//! Process objects in the JSON of packets, flows and listening ports.

use super::writer::{JsonObject, JsonValue, array, object};
use crate::process::{Evidence, Owner, Process, ProxyTarget, UNKNOWN_UID};

/// Fields of a process object; a field that is `None` is omitted.
#[derive(Clone, Copy, Default)]
pub(crate) struct ProcessFields<'a> {
    pub(crate) pid: u32,
    /// Start time in clock ticks since boot, PID of the parent, effective user ID.
    pub(crate) identity: Option<(u64, u32, u32)>,
    pub(crate) name: &'a str,
    pub(crate) exe: Option<&'a str>,
    pub(crate) container: Option<&'a str>,
    pub(crate) command_line: Option<&'a [String]>,
    pub(crate) forwards_to: Option<&'a ProxyTarget>,
}

impl<'a> ProcessFields<'a> {
    fn new(process: &'a Process) -> ProcessFields<'a> {
        let details = process.details();
        // The summary of a comment contains only the PID and the name.
        let is_complete = process.uid != UNKNOWN_UID;
        ProcessFields {
            pid: process.pid,
            identity: is_complete.then_some((process.start_time, process.parent, process.uid)),
            name: &details.name,
            exe: details.exe.as_deref(),
            container: details.container.as_deref(),
            command_line: is_complete.then_some(&details.command_line),
            forwards_to: details.forwards_to.as_deref(),
        }
    }

    fn write_fields(self, fields: &mut JsonObject) {
        fields.field("pid", self.pid);
        if let Some((start_time, parent, uid)) = self.identity {
            fields.field("start_time", start_time);
            fields.field("ppid", parent);
            fields.field("euid", uid);
        }
        fields.field("name", self.name);
        fields.optional("exe", self.exe);
        fields.optional("container", self.container);
        fields.optional("command_line", self.command_line.map(array));
        fields.optional("forwards_to", self.forwards_to.map(proxy_target));
    }
}

impl JsonValue for ProcessFields<'_> {
    fn write(self, out: &mut Vec<u8>) {
        object(|fields| self.write_fields(fields)).write(out);
    }
}

/// Returns the target of a proxy as an object.
fn proxy_target(target: &ProxyTarget) -> impl JsonValue {
    object(|fields| {
        fields.field("address", target.address.to_string().as_str());
        if let Some(listener) = &target.listener {
            fields.field("pid", listener.pid);
            fields.field("name", listener.name.as_str());
            fields.optional("container", listener.container.as_deref());
        }
    })
}

/// Adds the evidence for an owner to an object.
pub(crate) fn write_evidence(evidence: &Evidence, fields: &mut JsonObject) {
    fields.field("how", evidence.word());
    fields.field("certain", evidence.is_certain());
}

/// Adds the processes that share a socket with the first one to an object.
fn write_shared_with<'a>(
    others: impl ExactSizeIterator<Item = ProcessFields<'a>>,
    fields: &mut JsonObject,
) {
    fields.optional("shared_with", (others.len() > 0).then(|| array(others)));
}

/// Returns the owner of one end of a connection as an object: the fields of the first process, then
/// further processes that share the socket as the list `shared_with`.
pub(in crate::sink) fn owner(owner: &Owner) -> impl JsonValue {
    object(|fields| {
        write_evidence(&owner.evidence, fields);
        fields.optional("uid", owner.uid);
        let mut processes = owner.processes.iter();
        if let Some(first) = processes.next() {
            ProcessFields::new(first).write_fields(fields);
            write_shared_with(processes.map(|other| ProcessFields::new(other)), fields);
        }
        let lookup_time = owner.lookup_time;
        fields.optional(
            "looked_up_ns",
            lookup_time.is_present().then_some(lookup_time.0),
        );
    })
}
