//! Columns of flows: each entry is a field in JSON and CSV and, if Zeek has it, a field in
//! conn.log.

use std::fmt::Display;
use std::net::IpAddr;

use crate::detect::ServiceAttributes;
use crate::flow::{FlowRecord, Side, SideRecord, community_id};
use crate::packet::{TimeDelta, Timestamp};
use crate::process::Owner;

/// A reported field of a flow.
pub struct FlowColumn {
    /// Name of the field, as in Zeek's conn.log if the field is in it.
    pub name: &'static str,
    /// Short description with the unit.
    pub about: &'static str,
    /// Type in conn.log; `None` if conn.log does not have the field.
    pub zeek_type: Option<&'static str>,
    /// Returns the value of the field in a flow.
    pub value: fn(&FlowRecord) -> ColumnValue<'_>,
}

/// Value of a field.
#[derive(Clone)]
pub enum ColumnValue<'a> {
    /// The field does not apply to the flow.
    Absent,
    /// Non-negative integer.
    Count(u64),
    /// Point in time.
    Time(Timestamp),
    /// Duration.
    Span(TimeDelta),
    /// IP address.
    Address(IpAddr),
    /// Borrowed text.
    Text(&'a str),
    /// Owned text.
    OwnedText(String),
    /// Text that is formatted when it is written.
    Displayed(&'a dyn Display),
    /// Attributes of a service: names and values.
    Attributes(&'a ServiceAttributes),
    /// Processes at one end.
    Owner(&'a Owner),
}

/// Returns a column that is also in conn.log.
const fn zeek_column(
    name: &'static str,
    zeek_type: &'static str,
    about: &'static str,
    value: fn(&FlowRecord) -> ColumnValue<'_>,
) -> FlowColumn {
    FlowColumn {
        zeek_type: Some(zeek_type),
        ..lcap_column(name, about, value)
    }
}

/// Returns a column that is not in conn.log.
const fn lcap_column(
    name: &'static str,
    about: &'static str,
    value: fn(&FlowRecord) -> ColumnValue<'_>,
) -> FlowColumn {
    FlowColumn {
        name,
        about,
        zeek_type: None,
        value,
    }
}

fn orig(flow: &FlowRecord) -> &SideRecord {
    flow.side(Side::Orig)
}

fn resp(flow: &FlowRecord) -> &SideRecord {
    flow.side(Side::Resp)
}

fn count(count: u32) -> ColumnValue<'static> {
    ColumnValue::Count(u64::from(count))
}

fn optional_span(span: Option<TimeDelta>) -> ColumnValue<'static> {
    span.map_or(ColumnValue::Absent, ColumnValue::Span)
}

fn optional_owner(owner: Option<&Owner>) -> ColumnValue<'_> {
    owner.map_or(ColumnValue::Absent, ColumnValue::Owner)
}

fn response_time(
    flow: &FlowRecord,
    select: fn(&crate::flow::ResponseTimes) -> u64,
) -> ColumnValue<'static> {
    let times = flow.response_times.as_ref();
    optional_span(times.map(|times| TimeDelta(select(times).min(i64::MAX as u64) as i64)))
}

/// All columns, in output order.
#[rustfmt::skip]
pub const COLUMNS: &[FlowColumn] = &[
    lcap_column("number", "flow number, from 1, in the order of the first packets", |f| ColumnValue::Count(f.id.number)),
    zeek_column("ts", "time", "time of the first packet, seconds since 1970-01-01 UTC", |f| ColumnValue::Time(f.first_time)),
    zeek_column("uid", "string", "Zeek-style identifier, identical each time the same capture is read", |f| ColumnValue::OwnedText(uid(f))),
    zeek_column("id.orig_h", "addr", "address of the originator", |f| ColumnValue::Address(f.id.orig().ip())),
    zeek_column("id.orig_p", "port", "port of the originator; ICMP: type of the message", |f| ColumnValue::Count(u64::from(f.id.orig().port()))),
    zeek_column("id.resp_h", "addr", "address of the responder", |f| ColumnValue::Address(f.id.resp().ip())),
    zeek_column("id.resp_p", "port", "port of the responder; ICMP: type of the reply, or the code if there is no reply type", |f| ColumnValue::Count(u64::from(f.id.resp().port()))),
    zeek_column("proto", "enum", "tcp, udp or icmp", |f| ColumnValue::Text(f.id.transport())),
    zeek_column("service", "string", "application protocol, detected from the payload", |f| f.service.as_ref().map_or(ColumnValue::Absent, |service| ColumnValue::Text(service.name))),
    zeek_column("duration", "interval", "from the first packet to the last, seconds", |f| ColumnValue::Span(f.duration)),
    zeek_column("orig_bytes", "count", "originator payload bytes (by sequence number)", |f| ColumnValue::Count(orig(f).bytes)),
    zeek_column("resp_bytes", "count", "responder payload bytes (by sequence number)", |f| ColumnValue::Count(resp(f).bytes)),
    zeek_column("conn_state", "string", "state of the connection, as Zeek defines it", |f| ColumnValue::Text(f.conn_state.name())),
    zeek_column("missed_bytes", "count", "bytes that were acknowledged but not captured", |f| ColumnValue::Count(f.missed_bytes())),
    zeek_column("history", "string", "events of the connection, as letters that Zeek defines", |f| if f.history.is_empty() { ColumnValue::Absent } else { ColumnValue::Text(&f.history) }),
    zeek_column("orig_pkts", "count", "originator packets", |f| ColumnValue::Count(orig(f).traffic.pkts)),
    zeek_column("orig_ip_bytes", "count", "bytes of originator packets, IP headers included", |f| ColumnValue::Count(orig(f).traffic.ip_bytes)),
    zeek_column("resp_pkts", "count", "responder packets", |f| ColumnValue::Count(resp(f).traffic.pkts)),
    zeek_column("resp_ip_bytes", "count", "bytes of responder packets, IP headers included", |f| ColumnValue::Count(resp(f).traffic.ip_bytes)),
    zeek_column("ip_proto", "count", "IANA protocol number", |f| ColumnValue::Count(u64::from(f.id.proto()))),
    zeek_column("community_id", "string", "Community ID, version 1, seed 0", |f| ColumnValue::OwnedText(community_id(&f.id))),
    lcap_column("orig_wire_bytes", "bytes of originator frames on the wire", |f| ColumnValue::Count(orig(f).traffic.wire_bytes)),
    lcap_column("resp_wire_bytes", "bytes of responder frames on the wire", |f| ColumnValue::Count(resp(f).traffic.wire_bytes)),
    lcap_column("orig_payload_bytes", "originator payload bytes, retransmissions included", |f| ColumnValue::Count(orig(f).traffic.payload_bytes)),
    lcap_column("resp_payload_bytes", "responder payload bytes, retransmissions included", |f| ColumnValue::Count(resp(f).traffic.payload_bytes)),
    lcap_column("orig_retrans_pkts", "originator segments that retransmit data, a SYN or a FIN, in whole or in part", |f| count(orig(f).analysis.retrans_pkts)),
    lcap_column("resp_retrans_pkts", "responder segments that retransmit data, a SYN or a FIN, in whole or in part", |f| count(resp(f).analysis.retrans_pkts)),
    lcap_column("orig_retrans_bytes", "bytes that the originator retransmitted", |f| ColumnValue::Count(orig(f).analysis.retrans_bytes)),
    lcap_column("resp_retrans_bytes", "bytes that the responder retransmitted", |f| ColumnValue::Count(resp(f).analysis.retrans_bytes)),
    lcap_column("orig_spurious_pkts", "originator retransmissions of data that was already acknowledged", |f| count(orig(f).analysis.spurious_pkts)),
    lcap_column("resp_spurious_pkts", "responder retransmissions of data that was already acknowledged", |f| count(resp(f).analysis.spurious_pkts)),
    lcap_column("orig_ooo_pkts", "originator segments out of order: new data that arrived after later data", |f| count(orig(f).analysis.ooo_pkts)),
    lcap_column("resp_ooo_pkts", "responder segments out of order: new data that arrived after later data", |f| count(resp(f).analysis.ooo_pkts)),
    lcap_column("orig_lost_pkts", "originator segments that follow a gap", |f| count(orig(f).analysis.lost_pkts)),
    lcap_column("resp_lost_pkts", "responder segments that follow a gap", |f| count(resp(f).analysis.lost_pkts)),
    lcap_column("orig_dup_acks", "duplicate acknowledgements that the originator sent (RFC 5681)", |f| count(orig(f).analysis.dup_acks)),
    lcap_column("resp_dup_acks", "duplicate acknowledgements that the responder sent (RFC 5681)", |f| count(resp(f).analysis.dup_acks)),
    lcap_column("orig_zero_windows", "segments with which the originator closed its receive window", |f| count(orig(f).analysis.zero_windows)),
    lcap_column("resp_zero_windows", "segments with which the responder closed its receive window", |f| count(resp(f).analysis.zero_windows)),
    lcap_column("orig_window_probes", "zero-window probes of the originator: segments of one byte to a closed window", |f| count(orig(f).analysis.window_probes)),
    lcap_column("resp_window_probes", "zero-window probes of the responder: segments of one byte to a closed window", |f| count(resp(f).analysis.window_probes)),
    lcap_column("orig_keep_alives", "originator keep-alive segments", |f| count(orig(f).analysis.keep_alives)),
    lcap_column("resp_keep_alives", "responder keep-alive segments", |f| count(resp(f).analysis.keep_alives)),
    lcap_column("handshake_rtt", "from the SYN to the ACK of the SYN-ACK, seconds", |f| optional_span(f.handshake_rtt)),
    lcap_column("response_count", "responses: each from the originator's last byte to the responder's first", |f| f.response_times.map_or(ColumnValue::Absent, |times| count(times.count))),
    lcap_column("response_time", "median response time, seconds", |f| response_time(f, |times| times.median)),
    lcap_column("response_time_p99", "99th percentile of the response times, seconds", |f| response_time(f, |times| times.p99)),
    lcap_column("response_time_max", "longest response time, seconds", |f| response_time(f, |times| times.max)),
    lcap_column("service_info", "attributes of the service, from its first bytes: method, path, status …", |f| f.service.as_ref().filter(|service| !service.attributes.is_empty()).map_or(ColumnValue::Absent, |service| ColumnValue::Attributes(&service.attributes))),
    lcap_column("orig_process", "process of the originator, with the evidence for it", |f| optional_owner(f.owners.orig.as_deref())),
    lcap_column("resp_process", "process of the responder, with the evidence for it", |f| optional_owner(f.owners.resp.as_deref())),
    lcap_column("outcome", "outcome of the flow, in plain language", |f| ColumnValue::Displayed(&f.outcome)),
    lcap_column("evidence", "packets on which the outcome is based", |f| ColumnValue::OwnedText(f.outcome.evidence().to_string())),
];

/// Returns an identifier in the style of Zeek, `C` and 17 letters and digits, derived from the time
/// and number of the first packet and from the ports.
fn uid(flow: &FlowRecord) -> String {
    const BASE62_DIGITS: &[u8; 62] =
        b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let ports = u64::from(flow.id.orig().port()) << 16 | u64::from(flow.id.resp().port());
    let low = splitmix64(flow.first_time.0 as u64 ^ splitmix64(ports));
    let high = splitmix64(low ^ flow.first_frame);
    let mut bits = u128::from(high) << 64 | u128::from(low);
    let mut text = String::with_capacity(18);
    text.push('C');
    for _ in 0..17 {
        text.push(char::from(BASE62_DIGITS[(bits % 62) as usize]));
        bits /= 62;
    }
    text
}

/// Applies the mixing step of SplitMix64 (G. Steele, D. Lea, C. Flood, 2014).
fn splitmix64(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}
