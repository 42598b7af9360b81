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
    value: fn(&FlowRecord) -> ColumnValue<'_>,
) -> FlowColumn {
    FlowColumn {
        zeek_type: Some(zeek_type),
        ..lcap_column(name, value)
    }
}

/// Returns a column that is not in conn.log.
const fn lcap_column(name: &'static str, value: fn(&FlowRecord) -> ColumnValue<'_>) -> FlowColumn {
    FlowColumn {
        name,
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

/// All columns, in output order; src/doc/formats.md describes them.
#[rustfmt::skip]
pub const COLUMNS: &[FlowColumn] = &[
    lcap_column("number", |f| ColumnValue::Count(f.id.number)),
    zeek_column("ts", "time", |f| ColumnValue::Time(f.first_time)),
    zeek_column("uid", "string", |f| ColumnValue::OwnedText(uid(f))),
    zeek_column("id.orig_h", "addr", |f| ColumnValue::Address(f.id.orig().ip())),
    zeek_column("id.orig_p", "port", |f| ColumnValue::Count(u64::from(f.id.orig().port()))),
    zeek_column("id.resp_h", "addr", |f| ColumnValue::Address(f.id.resp().ip())),
    zeek_column("id.resp_p", "port", |f| ColumnValue::Count(u64::from(f.id.resp().port()))),
    zeek_column("proto", "enum", |f| ColumnValue::Text(f.id.transport())),
    zeek_column("service", "string", |f| f.service.as_ref().map_or(ColumnValue::Absent, |service| ColumnValue::Text(service.name))),
    zeek_column("duration", "interval", |f| ColumnValue::Span(f.duration)),
    zeek_column("orig_bytes", "count", |f| ColumnValue::Count(orig(f).bytes)),
    zeek_column("resp_bytes", "count", |f| ColumnValue::Count(resp(f).bytes)),
    zeek_column("conn_state", "string", |f| ColumnValue::Text(f.conn_state.name())),
    zeek_column("missed_bytes", "count", |f| ColumnValue::Count(f.missed_bytes())),
    zeek_column("history", "string", |f| if f.history.is_empty() { ColumnValue::Absent } else { ColumnValue::Text(&f.history) }),
    zeek_column("orig_pkts", "count", |f| ColumnValue::Count(orig(f).traffic.pkts)),
    zeek_column("orig_ip_bytes", "count", |f| ColumnValue::Count(orig(f).traffic.ip_bytes)),
    zeek_column("resp_pkts", "count", |f| ColumnValue::Count(resp(f).traffic.pkts)),
    zeek_column("resp_ip_bytes", "count", |f| ColumnValue::Count(resp(f).traffic.ip_bytes)),
    zeek_column("ip_proto", "count", |f| ColumnValue::Count(u64::from(f.id.proto()))),
    zeek_column("community_id", "string", |f| ColumnValue::OwnedText(community_id(&f.id))),
    lcap_column("orig_wire_bytes", |f| ColumnValue::Count(orig(f).traffic.wire_bytes)),
    lcap_column("resp_wire_bytes", |f| ColumnValue::Count(resp(f).traffic.wire_bytes)),
    lcap_column("orig_payload_bytes", |f| ColumnValue::Count(orig(f).traffic.payload_bytes)),
    lcap_column("resp_payload_bytes", |f| ColumnValue::Count(resp(f).traffic.payload_bytes)),
    lcap_column("orig_retrans_pkts", |f| count(orig(f).analysis.retrans_pkts)),
    lcap_column("resp_retrans_pkts", |f| count(resp(f).analysis.retrans_pkts)),
    lcap_column("orig_retrans_bytes", |f| ColumnValue::Count(orig(f).analysis.retrans_bytes)),
    lcap_column("resp_retrans_bytes", |f| ColumnValue::Count(resp(f).analysis.retrans_bytes)),
    lcap_column("orig_spurious_pkts", |f| count(orig(f).analysis.spurious_pkts)),
    lcap_column("resp_spurious_pkts", |f| count(resp(f).analysis.spurious_pkts)),
    lcap_column("orig_ooo_pkts", |f| count(orig(f).analysis.ooo_pkts)),
    lcap_column("resp_ooo_pkts", |f| count(resp(f).analysis.ooo_pkts)),
    lcap_column("orig_lost_pkts", |f| count(orig(f).analysis.lost_pkts)),
    lcap_column("resp_lost_pkts", |f| count(resp(f).analysis.lost_pkts)),
    lcap_column("orig_dup_acks", |f| count(orig(f).analysis.dup_acks)),
    lcap_column("resp_dup_acks", |f| count(resp(f).analysis.dup_acks)),
    lcap_column("orig_zero_windows", |f| count(orig(f).analysis.zero_windows)),
    lcap_column("resp_zero_windows", |f| count(resp(f).analysis.zero_windows)),
    lcap_column("orig_window_probes", |f| count(orig(f).analysis.window_probes)),
    lcap_column("resp_window_probes", |f| count(resp(f).analysis.window_probes)),
    lcap_column("orig_keep_alives", |f| count(orig(f).analysis.keep_alives)),
    lcap_column("resp_keep_alives", |f| count(resp(f).analysis.keep_alives)),
    lcap_column("handshake_rtt", |f| optional_span(f.handshake_rtt)),
    lcap_column("response_count", |f| f.response_times.map_or(ColumnValue::Absent, |times| count(times.count))),
    lcap_column("response_time", |f| response_time(f, |times| times.median)),
    lcap_column("response_time_p99", |f| response_time(f, |times| times.p99)),
    lcap_column("response_time_max", |f| response_time(f, |times| times.max)),
    lcap_column("service_info", |f| f.service.as_ref().filter(|service| !service.attributes.is_empty()).map_or(ColumnValue::Absent, |service| ColumnValue::Attributes(&service.attributes))),
    lcap_column("orig_process", |f| optional_owner(f.owners.orig.as_deref())),
    lcap_column("resp_process", |f| optional_owner(f.owners.resp.as_deref())),
    lcap_column("outcome", |f| ColumnValue::Displayed(&f.outcome)),
    lcap_column("evidence", |f| ColumnValue::OwnedText(f.outcome.evidence().to_string())),
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
