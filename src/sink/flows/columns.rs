//! Columns of flows: each entry is a field in JSON and CSV and, if Zeek has it, a field in
//! conn.log.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::detect::ServiceAttributes;
use crate::flow::{FlowRecord, ResponseTimes, Side, SideRecord, community_id};
use crate::packet::{TimeDelta, Timestamp};
use crate::process::Owner;

/// A reported field of a flow.
pub struct FlowColumn {
    /// Name of the field, as in Zeek's conn.log if the field is in it.
    pub name: &'static str,
    /// Type of the values.
    pub kind: ColumnType,
    /// True if the field is also in Zeek's conn.log.
    pub in_conn_log: bool,
    /// Returns the value of the field in a flow.
    pub value: fn(&FlowRecord) -> ColumnValue<'_>,
}

/// Type of a column's values. Any column can also have [`ColumnValue::Absent`] and
/// [`ColumnValue::Unknown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Non-negative integer of up to 64 bits.
    Count,
    /// Point in time, in nanoseconds since 1970-01-01 UTC.
    Time,
    /// Signed duration in nanoseconds.
    Duration,
    /// IPv4 or IPv6 address.
    Address,
    /// Port of TCP or UDP; ICMP: message type or code.
    Port,
    /// UTF-8 text.
    Text,
    /// Attributes of a service: names and values, both text.
    Attributes,
    /// Processes at one end, with the evidence for them.
    Process,
}

/// Value of a field.
#[derive(Clone)]
pub enum ColumnValue<'a> {
    /// The field does not apply to the flow.
    Absent,
    /// The value cannot be determined, because packets were dropped.
    Unknown,
    /// Non-negative integer.
    Count(u64),
    /// Point in time.
    Time(Timestamp),
    /// Duration.
    Duration(TimeDelta),
    /// IP address.
    Address(IpAddr),
    /// Port.
    Port(u16),
    /// Text.
    Text(Cow<'a, str>),
    /// Attributes of a service: names and values.
    Attributes(&'a ServiceAttributes),
    /// Processes at one end.
    Process(&'a Owner),
}

/// Returns a column that is also in conn.log.
const fn zeek_column(
    name: &'static str,
    kind: ColumnType,
    value: fn(&FlowRecord) -> ColumnValue<'_>,
) -> FlowColumn {
    FlowColumn {
        in_conn_log: true,
        ..lcap_column(name, kind, value)
    }
}

/// Returns a column that is not in conn.log.
const fn lcap_column(
    name: &'static str,
    kind: ColumnType,
    value: fn(&FlowRecord) -> ColumnValue<'_>,
) -> FlowColumn {
    FlowColumn {
        name,
        kind,
        in_conn_log: false,
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

fn text<'a>(text: impl Into<Cow<'a, str>>) -> ColumnValue<'a> {
    ColumnValue::Text(text.into())
}

fn optional<'a, T>(value: Option<T>, wrap: fn(T) -> ColumnValue<'a>) -> ColumnValue<'a> {
    value.map_or(ColumnValue::Absent, wrap)
}

fn response_time(flow: &FlowRecord, select: fn(&ResponseTimes) -> u64) -> ColumnValue<'static> {
    let nanos = flow.response_times.as_ref().map(select);
    optional(nanos, |nanos| {
        ColumnValue::Duration(TimeDelta(nanos.min(i64::MAX as u64) as i64))
    })
}

/// All columns, in output order.
#[rustfmt::skip]
pub const COLUMNS: &[FlowColumn] = &[
    lcap_column("number", ColumnType::Count, |f| ColumnValue::Count(f.id.number)),
    zeek_column("ts", ColumnType::Time, |f| ColumnValue::Time(f.first_time)),
    zeek_column("uid", ColumnType::Text, |f| text(uid(f))),
    zeek_column("id.orig_h", ColumnType::Address, |f| ColumnValue::Address(f.id.orig().ip())),
    zeek_column("id.orig_p", ColumnType::Port, |f| ColumnValue::Port(f.id.orig().port())),
    zeek_column("id.resp_h", ColumnType::Address, |f| ColumnValue::Address(f.id.resp().ip())),
    zeek_column("id.resp_p", ColumnType::Port, |f| ColumnValue::Port(f.id.resp().port())),
    zeek_column("proto", ColumnType::Text, |f| text(f.id.transport())),
    zeek_column("service", ColumnType::Text, |f| optional(f.service.as_ref(), |service| text(service.name))),
    zeek_column("duration", ColumnType::Duration, |f| ColumnValue::Duration(f.duration)),
    zeek_column("orig_bytes", ColumnType::Count, |f| ColumnValue::Count(orig(f).bytes)),
    zeek_column("resp_bytes", ColumnType::Count, |f| ColumnValue::Count(resp(f).bytes)),
    zeek_column("conn_state", ColumnType::Text, |f| text(f.conn_state.name())),
    zeek_column("missed_bytes", ColumnType::Count, |f| if f.dropped_pkts > 0 { ColumnValue::Unknown } else { ColumnValue::Count(f.missed_bytes()) }),
    zeek_column("history", ColumnType::Text, |f| if f.history.is_empty() { ColumnValue::Absent } else { text(&*f.history) }),
    zeek_column("orig_pkts", ColumnType::Count, |f| ColumnValue::Count(orig(f).traffic.pkts)),
    zeek_column("orig_ip_bytes", ColumnType::Count, |f| ColumnValue::Count(orig(f).traffic.ip_bytes)),
    zeek_column("resp_pkts", ColumnType::Count, |f| ColumnValue::Count(resp(f).traffic.pkts)),
    zeek_column("resp_ip_bytes", ColumnType::Count, |f| ColumnValue::Count(resp(f).traffic.ip_bytes)),
    zeek_column("ip_proto", ColumnType::Count, |f| ColumnValue::Count(u64::from(f.id.proto()))),
    zeek_column("community_id", ColumnType::Text, |f| text(community_id(&f.id))),
    lcap_column("orig_wire_bytes", ColumnType::Count, |f| ColumnValue::Count(orig(f).traffic.wire_bytes)),
    lcap_column("resp_wire_bytes", ColumnType::Count, |f| ColumnValue::Count(resp(f).traffic.wire_bytes)),
    lcap_column("orig_payload_bytes", ColumnType::Count, |f| ColumnValue::Count(orig(f).traffic.payload_bytes)),
    lcap_column("resp_payload_bytes", ColumnType::Count, |f| ColumnValue::Count(resp(f).traffic.payload_bytes)),
    lcap_column("orig_retrans_pkts", ColumnType::Count, |f| count(orig(f).analysis.retrans_pkts)),
    lcap_column("resp_retrans_pkts", ColumnType::Count, |f| count(resp(f).analysis.retrans_pkts)),
    lcap_column("orig_retrans_bytes", ColumnType::Count, |f| ColumnValue::Count(orig(f).analysis.retrans_bytes)),
    lcap_column("resp_retrans_bytes", ColumnType::Count, |f| ColumnValue::Count(resp(f).analysis.retrans_bytes)),
    lcap_column("orig_spurious_pkts", ColumnType::Count, |f| count(orig(f).analysis.spurious_pkts)),
    lcap_column("resp_spurious_pkts", ColumnType::Count, |f| count(resp(f).analysis.spurious_pkts)),
    lcap_column("orig_ooo_pkts", ColumnType::Count, |f| count(orig(f).analysis.ooo_pkts)),
    lcap_column("resp_ooo_pkts", ColumnType::Count, |f| count(resp(f).analysis.ooo_pkts)),
    lcap_column("orig_lost_pkts", ColumnType::Count, |f| count(orig(f).analysis.lost_pkts)),
    lcap_column("resp_lost_pkts", ColumnType::Count, |f| count(resp(f).analysis.lost_pkts)),
    lcap_column("orig_dup_acks", ColumnType::Count, |f| count(orig(f).analysis.dup_acks)),
    lcap_column("resp_dup_acks", ColumnType::Count, |f| count(resp(f).analysis.dup_acks)),
    lcap_column("orig_zero_windows", ColumnType::Count, |f| count(orig(f).analysis.zero_windows)),
    lcap_column("resp_zero_windows", ColumnType::Count, |f| count(resp(f).analysis.zero_windows)),
    lcap_column("orig_window_probes", ColumnType::Count, |f| count(orig(f).analysis.window_probes)),
    lcap_column("resp_window_probes", ColumnType::Count, |f| count(resp(f).analysis.window_probes)),
    lcap_column("orig_keep_alives", ColumnType::Count, |f| count(orig(f).analysis.keep_alives)),
    lcap_column("resp_keep_alives", ColumnType::Count, |f| count(resp(f).analysis.keep_alives)),
    lcap_column("orig_duplicate_pkts", ColumnType::Count, |f| count(orig(f).analysis.duplicate_pkts)),
    lcap_column("resp_duplicate_pkts", ColumnType::Count, |f| count(resp(f).analysis.duplicate_pkts)),
    lcap_column("dropped_pkts", ColumnType::Count, |f| ColumnValue::Count(f.dropped_pkts)),
    lcap_column("handshake_rtt", ColumnType::Duration, |f| optional(f.handshake_rtt, ColumnValue::Duration)),
    lcap_column("response_count", ColumnType::Count, |f| optional(f.response_times, |times| count(times.count))),
    lcap_column("response_time", ColumnType::Duration, |f| response_time(f, |times| times.median)),
    lcap_column("response_time_p99", ColumnType::Duration, |f| response_time(f, |times| times.p99)),
    lcap_column("response_time_max", ColumnType::Duration, |f| response_time(f, |times| times.max)),
    lcap_column("service_info", ColumnType::Attributes, |f| optional(f.service.as_ref().map(|service| &service.attributes).filter(|attributes| !attributes.is_empty()), ColumnValue::Attributes)),
    lcap_column("orig_process", ColumnType::Process, |f| optional(f.owners.orig.as_deref(), ColumnValue::Process)),
    lcap_column("resp_process", ColumnType::Process, |f| optional(f.owners.resp.as_deref(), ColumnValue::Process)),
    lcap_column("outcome", ColumnType::Text, |f| text(f.outcome.to_string())),
    lcap_column("evidence", ColumnType::Text, |f| text(f.outcome.evidence().to_string())),
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
