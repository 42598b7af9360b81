//! What is reported of a flow, column by column: one row here is a field in JSON, CSV and, if Zeek has it, in conn.log.

use std::fmt::Display;
use std::net::IpAddr;

use crate::detect::Facts;
use crate::flow::{FlowRecord, Side, SideRecord, community_id};
use crate::owners::Owner;
use crate::packet::{Span, Timestamp};

/// A field of a flow.
pub struct Column {
    /// Its name: Zeek's where Zeek has one.
    pub name: &'static str,
    /// What it is, with its unit.
    pub about: &'static str,
    /// Its type in conn.log; none if it is not there.
    pub zeek: Option<&'static str>,
    /// Its value for a flow.
    pub value: fn(&FlowRecord) -> Value<'_>,
}

/// A field's value.
#[derive(Clone)]
pub enum Value<'a> {
    /// The flow has none.
    Absent,
    /// A number.
    Count(u64),
    /// A point in time.
    Time(Timestamp),
    /// A length of time.
    Span(Span),
    /// An address.
    Address(IpAddr),
    /// Text.
    Text(&'a str),
    /// Text that is put together.
    Owned(String),
    /// Text that is put together where it is written.
    Shown(&'a dyn Display),
    /// Names and values.
    Facts(&'a Facts),
    /// Processes.
    Owner(&'a Owner),
}

/// A column that conn.log has too.
const fn zeek(
    name: &'static str,
    kind: &'static str,
    about: &'static str,
    value: fn(&FlowRecord) -> Value<'_>,
) -> Column {
    Column {
        zeek: Some(kind),
        ..own(name, about, value)
    }
}

/// A column of our own.
const fn own(
    name: &'static str,
    about: &'static str,
    value: fn(&FlowRecord) -> Value<'_>,
) -> Column {
    Column {
        name,
        about,
        zeek: None,
        value,
    }
}

fn orig(flow: &FlowRecord) -> &SideRecord {
    flow.side(Side::Orig)
}

fn resp(flow: &FlowRecord) -> &SideRecord {
    flow.side(Side::Resp)
}

fn small(count: u32) -> Value<'static> {
    Value::Count(u64::from(count))
}

fn optional(span: Option<Span>) -> Value<'static> {
    span.map_or(Value::Absent, Value::Span)
}

fn owner(owner: Option<&Owner>) -> Value<'_> {
    owner.map_or(Value::Absent, Value::Owner)
}

fn response(flow: &FlowRecord, of: fn(&crate::flow::ResponseTimes) -> u64) -> Value<'static> {
    let times = flow.response_times.as_ref();
    optional(times.map(|times| Span(of(times).min(i64::MAX as u64) as i64)))
}

/// Every column, in the order in which they are written.
#[rustfmt::skip]
pub const COLUMNS: &[Column] = &[
    own("number", "in the order of the flows' first packets, from 1", |f| Value::Count(f.id.number)),
    zeek("ts", "time", "the first packet's time, seconds since 1970", |f| Value::Time(f.first)),
    zeek("uid", "string", "a name for it, the same whenever the same capture is read", |f| Value::Owned(uid(f))),
    zeek("id.orig_h", "addr", "the originator's address", |f| Value::Address(f.id.orig().ip())),
    zeek("id.orig_p", "port", "its port; for ICMP the message's type", |f| Value::Count(u64::from(f.id.orig().port()))),
    zeek("id.resp_h", "addr", "the responder's address", |f| Value::Address(f.id.resp().ip())),
    zeek("id.resp_p", "port", "its port; for ICMP the type that answers, or the code", |f| Value::Count(u64::from(f.id.resp().port()))),
    zeek("proto", "enum", "tcp, udp or icmp", |f| Value::Text(f.id.transport())),
    zeek("service", "string", "what is spoken, by its first bytes", |f| f.service.as_ref().map_or(Value::Absent, |service| Value::Text(service.name))),
    zeek("duration", "interval", "from the first packet to the last, seconds", |f| Value::Span(f.duration)),
    zeek("orig_bytes", "count", "bytes that the originator said, by sequence numbers", |f| Value::Count(orig(f).bytes)),
    zeek("resp_bytes", "count", "bytes that the responder said, likewise", |f| Value::Count(resp(f).bytes)),
    zeek("conn_state", "string", "how far it came, in Zeek's letters", |f| Value::Text(f.conn_state.name())),
    zeek("missed_bytes", "count", "bytes that were acknowledged and not captured", |f| Value::Count(f.missed_bytes())),
    zeek("history", "string", "what happened, in Zeek's letters", |f| if f.history.is_empty() { Value::Absent } else { Value::Text(&f.history) }),
    zeek("orig_pkts", "count", "packets of the originator", |f| Value::Count(orig(f).traffic.pkts)),
    zeek("orig_ip_bytes", "count", "their bytes with IP headers", |f| Value::Count(orig(f).traffic.ip_bytes)),
    zeek("resp_pkts", "count", "packets of the responder", |f| Value::Count(resp(f).traffic.pkts)),
    zeek("resp_ip_bytes", "count", "their bytes with IP headers", |f| Value::Count(resp(f).traffic.ip_bytes)),
    zeek("ip_proto", "count", "IANA's protocol number", |f| Value::Count(u64::from(f.id.proto()))),
    zeek("community_id", "string", "its Community ID, version 1, seed 0", |f| Value::Owned(community_id(&f.id))),
    own("orig_wire_bytes", "bytes of the originator's frames on the wire", |f| Value::Count(orig(f).traffic.wire_bytes)),
    own("resp_wire_bytes", "bytes of the responder's frames on the wire", |f| Value::Count(resp(f).traffic.wire_bytes)),
    own("orig_payload_bytes", "bytes of data that the originator's packets carried, repetitions too", |f| Value::Count(orig(f).traffic.payload_bytes)),
    own("resp_payload_bytes", "bytes of data that the responder's packets carried, repetitions too", |f| Value::Count(resp(f).traffic.payload_bytes)),
    own("orig_retrans_pkts", "segments of the originator of which something had been sent before", |f| small(orig(f).analysis.retrans_pkts)),
    own("resp_retrans_pkts", "segments of the responder of which something had been sent before", |f| small(resp(f).analysis.retrans_pkts)),
    own("orig_retrans_bytes", "bytes that the originator sent again", |f| Value::Count(orig(f).analysis.retrans_bytes)),
    own("resp_retrans_bytes", "bytes that the responder sent again", |f| Value::Count(resp(f).analysis.retrans_bytes)),
    own("orig_spurious_pkts", "retransmissions of what had been acknowledged", |f| small(orig(f).analysis.spurious_pkts)),
    own("resp_spurious_pkts", "retransmissions of what had been acknowledged", |f| small(resp(f).analysis.spurious_pkts)),
    own("orig_ooo_pkts", "segments that came behind later ones", |f| small(orig(f).analysis.ooo_pkts)),
    own("resp_ooo_pkts", "segments that came behind later ones", |f| small(resp(f).analysis.ooo_pkts)),
    own("orig_lost_pkts", "segments before which something was missing", |f| small(orig(f).analysis.lost_pkts)),
    own("resp_lost_pkts", "segments before which something was missing", |f| small(resp(f).analysis.lost_pkts)),
    own("orig_dup_acks", "acknowledgements that the originator repeated (RFC 5681)", |f| small(orig(f).analysis.dup_acks)),
    own("resp_dup_acks", "acknowledgements that the responder repeated (RFC 5681)", |f| small(resp(f).analysis.dup_acks)),
    own("orig_zero_windows", "segments with which the originator let nothing more be sent", |f| small(orig(f).analysis.zero_windows)),
    own("resp_zero_windows", "segments with which the responder let nothing more be sent", |f| small(resp(f).analysis.zero_windows)),
    own("orig_window_probes", "segments of one byte to a closed window", |f| small(orig(f).analysis.window_probes)),
    own("resp_window_probes", "segments of one byte to a closed window", |f| small(resp(f).analysis.window_probes)),
    own("orig_keep_alives", "segments that only ask for an answer", |f| small(orig(f).analysis.keep_alives)),
    own("resp_keep_alives", "segments that only ask for an answer", |f| small(resp(f).analysis.keep_alives)),
    own("handshake_rtt", "from SYN to the ACK of the SYN-ACK, seconds", |f| optional(f.handshake_rtt)),
    own("response_count", "answers: each from the originator's last byte to the responder's first", |f| f.response_times.map_or(Value::Absent, |times| small(times.count))),
    own("response_time", "their median, seconds", |f| response(f, |times| times.median)),
    own("response_time_p99", "99 of 100 were at most this long, seconds", |f| response(f, |times| times.p99)),
    own("response_time_max", "the longest, seconds", |f| response(f, |times| times.max)),
    own("service_info", "what the first bytes say: method, path, status, server name …", |f| f.service.as_ref().filter(|service| !service.facts.is_empty()).map_or(Value::Absent, |service| Value::Facts(&service.facts))),
    own("orig_process", "the originator's process: pid, name … and how it was found, or why not", |f| owner(f.owners.orig.as_deref())),
    own("resp_process", "the responder's process, likewise", |f| owner(f.owners.resp.as_deref())),
    own("outcome", "how it ended, in words", |f| Value::Shown(&f.outcome)),
    own("evidence", "what was seen that says so", |f| Value::Owned(f.outcome.evidence().to_string())),
];

/// A name as Zeek makes them: `C` and 17 letters and digits; of the first packet's time, the number and the ends.
fn uid(flow: &FlowRecord) -> String {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let ports = u64::from(flow.id.orig().port()) << 16 | u64::from(flow.id.resp().port());
    let low = mix(flow.first.0 as u64 ^ mix(ports));
    let high = mix(low ^ flow.first_frame);
    let mut bits = u128::from(high) << 64 | u128::from(low);
    let mut text = String::with_capacity(18);
    text.push('C');
    for _ in 0..17 {
        text.push(char::from(LETTERS[(bits % 62) as usize]));
        bits /= 62;
    }
    text
}

/// The mixing step of SplitMix64 (G. Steele, D. Lea, C. Flood, 2014).
fn mix(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}
