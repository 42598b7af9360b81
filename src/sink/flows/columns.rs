//! Columns of flows: each entry is a field in JSON and CSV and, if Zeek has it, a field in
//! conn.log.

use crate::flow::{FlowRecord, ResponseTimes, Side, SideRecord, community_id, uid};
use crate::packet::TimeDelta;
use crate::sink::rows::{ColumnType, ColumnValue, RowColumn, optional, text};

/// Returns a column that is also in conn.log.
const fn zeek_column(
    name: &'static str,
    kind: ColumnType,
    value: fn(&FlowRecord) -> ColumnValue<'_>,
) -> RowColumn<FlowRecord> {
    RowColumn {
        in_conn_log: true,
        ..RowColumn::new(name, kind, value)
    }
}

/// Returns a column that is not in conn.log.
const fn lcap_column(
    name: &'static str,
    kind: ColumnType,
    value: fn(&FlowRecord) -> ColumnValue<'_>,
) -> RowColumn<FlowRecord> {
    RowColumn::new(name, kind, value)
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

fn response_time(flow: &FlowRecord, select: fn(&ResponseTimes) -> u64) -> ColumnValue<'static> {
    let nanos = flow.response_times.as_ref().map(select);
    optional(nanos, |nanos| {
        ColumnValue::Duration(TimeDelta(nanos.min(i64::MAX as u64) as i64))
    })
}

/// All columns, in output order.
#[rustfmt::skip]
pub const COLUMNS: &[RowColumn<FlowRecord>] = &[
    lcap_column("number", ColumnType::Count, |f| ColumnValue::Count(f.id.number)),
    zeek_column("ts", ColumnType::Time, |f| ColumnValue::Time(f.first_time)),
    zeek_column("uid", ColumnType::Text, |f| text(uid(&f.id))),
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
    lcap_column("requests", ColumnType::Count, |f| optional(f.requests.as_ref(), |requests| ColumnValue::Count(requests.count))),
    lcap_column("request_errors", ColumnType::Count, |f| optional(f.requests.as_ref(), |requests| ColumnValue::Count(requests.errors))),
    lcap_column("worst_status", ColumnType::Text, |f| optional(f.requests.as_ref().and_then(|requests| requests.worst_status.as_deref()), text)),
];
