//! Services of flows as text: the protocol, the first request with its status, and the number of
//! further requests: `http GET /cart/7 200 +499`.

use std::io::Write;

use crate::detect::Service;
use crate::error::count_noun;
use crate::flow::FlowRecord;
use crate::sink::rows::{CellFormat, Colour, push_text, text_width};

/// Services whose attributes are those of the first request; one response is expected for each.
const REQUEST_SERVICES: [&str; 7] = [
    "http",
    "grpc",
    "dns",
    "redis",
    "memcached",
    "mongodb",
    "kafka",
];
/// Name of the attribute that is the status of the first answer.
const STATUS_NAME: &str = "status";
/// Width of the text before the status that is shown in any case.
const MIN_TEXT_WIDTH: usize = 8;

/// Writes the service, or the transport protocol, without a width limit.
pub(super) fn write_service(flow: &FlowRecord, out: &mut Vec<u8>) {
    out.extend_from_slice(description(flow).as_bytes());
    if let Some(status) = first_status(flow) {
        // Writing to a Vec cannot fail.
        let _ = write!(out, " {status}");
    }
    out.extend_from_slice(further_requests(flow).as_bytes());
}

/// Writes the service into a cell: the status and the number of further requests are shown, too,
/// if the cell is narrow. Statuses that report errors are coloured if `has_highlights`.
pub(super) fn write_service_cell(
    flow: &FlowRecord,
    format: &mut CellFormat,
    has_highlights: bool,
    out: &mut Vec<u8>,
) {
    let (description, further) = (description(flow), further_requests(flow));
    let status = first_status(flow).map_or_else(String::new, |status| format!(" {status}"));
    let fixed_width = status.len() + text_width(further.as_bytes());
    match format.width.map(|width| width.saturating_sub(fixed_width)) {
        Some(width) if width >= MIN_TEXT_WIDTH => push_text(out, &description, width),
        _ => out.extend_from_slice(description.as_bytes()),
    }
    let start = out.len();
    out.extend_from_slice(status.as_bytes());
    if has_highlights && let Some(colour) = status_colour(status.trim_start()) {
        format.highlight(start + 1..out.len(), colour);
    }
    let start = out.len();
    out.extend_from_slice(further.as_bytes());
    let worst = worst_status(flow).unwrap_or_default();
    if has_highlights
        && let Some(colour) = status_colour(worst)
        && let Some(at) = further.find(&format!("{WORST_LABEL}{worst}"))
    {
        let start = start + at + WORST_LABEL.len();
        format.highlight(start..start + worst.len(), colour);
    }
}

/// Text before the worst status.
const WORST_LABEL: &str = ", worst ";

/// Returns the name of the service and its attributes, without the status.
fn description(flow: &FlowRecord) -> String {
    let Some(service) = &flow.service else {
        return flow.id.transport().into();
    };
    let mut text = service.name.to_owned();
    for (name, value) in service.attributes.iter() {
        if !(is_http(service) && name == STATUS_NAME) {
            text.push(' ');
            text.push_str(value);
        }
    }
    text
}

/// Returns the status of the first HTTP answer.
fn first_status(flow: &FlowRecord) -> Option<&str> {
    let service = flow.service.as_ref().filter(|service| is_http(service))?;
    service.attributes.get(STATUS_NAME)
}

fn is_http(service: &Service) -> bool {
    service.name == "http"
}

/// Returns the number of requests besides the one that is described, and the errors among all of
/// them: ` +499, worst 503, 3 errors`.
fn further_requests(flow: &FlowRecord) -> String {
    let describes_request = flow
        .service
        .as_ref()
        .is_some_and(|service| REQUEST_SERVICES.contains(&service.name));
    let responses = flow
        .response_times
        .map_or(0, |times| u64::from(times.count));
    let count = match &flow.requests {
        Some(requests) => requests.count,
        None if describes_request => responses,
        None => 0,
    };
    let mut text = match count {
        0 | 1 => return String::new(),
        _ if describes_request => format!(" +{}", count - 1),
        _ => format!(", {}", count_noun(count, "request")),
    };
    if let Some(worst) = worst_status(flow) {
        text += WORST_LABEL;
        text += worst;
    }
    let errors = flow.requests.as_ref().map_or(0, |requests| requests.errors);
    if errors > 0 {
        text += &format!(", {}", count_noun(errors, "error"));
    }
    text
}

fn worst_status(flow: &FlowRecord) -> Option<&str> {
    flow.requests.as_ref()?.worst_status.as_deref()
}

/// Returns the colour of a status: that of errors of the client for 4xx, and of errors of the
/// server for 5xx and for statuses that are not numbers of three digits.
fn status_colour(status: &str) -> Option<Colour> {
    let is_number = status.len() == 3 && status.bytes().all(|digit| digit.is_ascii_digit());
    match status.bytes().next()? {
        b'4' if is_number => Some(Colour::YELLOW),
        b'1'..=b'3' if is_number => None,
        _ => Some(Colour::RED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::ServiceAttributes;
    use crate::flow::{FlowRequests, ResponseTimes};
    use crate::sink::clock::{Clock, TIME_OF_DAY};
    use crate::sink::rows::{Align, RowTable, TableColumn, TableLayout, WidthPlan};

    /// Returns an HTTP flow with this path, status and number of responses.
    fn flow(path: &str, status: &str, count: u32) -> FlowRecord {
        let flows = crate::open("fixtures/http.pcap").and_then(crate::Capture::flows);
        let mut flow = flows.expect("a capture").remove(0);
        flow.service = Some(Service {
            name: "http",
            attributes: ServiceAttributes::new(
                &["method", "path", "status"],
                [b"GET", path.as_bytes(), status.as_bytes()],
            ),
        });
        flow.response_times = Some(ResponseTimes {
            count,
            median: 1,
            p99: 1,
            max: 1,
        });
        flow
    }

    fn text(flow: &FlowRecord) -> String {
        let mut out = Vec::new();
        write_service(flow, &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn the_first_request_and_the_number_of_others_are_shown() {
        let mut flow = flow("/cart/7", "200", 500);
        assert_eq!(text(&flow), "http GET /cart/7 200 +499");
        flow.requests = Some(Box::new(FlowRequests {
            count: 510,
            errors: 3,
            worst_status: Some("503".into()),
        }));
        let errors = ", worst 503, 3 errors";
        assert_eq!(text(&flow), format!("http GET /cart/7 200 +509{errors}"));
        flow.service = None;
        assert_eq!(text(&flow), format!("tcp, 510 requests{errors}"));
        flow.requests = None;
        assert_eq!(text(&flow), "tcp");
    }

    #[test]
    fn narrow_cells_show_the_status_and_the_number_of_others() {
        static COLUMN: TableColumn<FlowRecord> = TableColumn {
            title: "SERVICE",
            width: 30,
            min_width: 24,
            drop_priority: 0,
            align: Align::Left,
            write: |flow, format, out| write_service_cell(flow, format, true, out),
            colour: |_| None,
        };
        const PLAN: WidthPlan = WidthPlan {
            gap: 1,
            growth: &[],
            flexible: "SERVICE",
        };
        let cell = |colour, flow: &FlowRecord| {
            let layout = TableLayout {
                width: Some(24),
                colour,
                ..TableLayout::default()
            };
            let mut table = RowTable::new(layout, Clock::local(TIME_OF_DAY, false));
            let mut out = Vec::new();
            table.write_head(vec![(&COLUMN, 0)], &PLAN, false, &mut out);
            out.clear();
            table.write_line(Some(flow), &mut out);
            String::from_utf8(out).expect("UTF-8")
        };
        let mut flow = flow("/a/long/path/503", "404", 20);
        assert_eq!(cell(false, &flow), "http GET /a/lon… 404 +19");
        assert_eq!(cell(true, &flow), "http GET /a/lo… \x1b[33m404\x1b[0m +19");
        flow.requests = Some(Box::new(FlowRequests {
            count: 2,
            errors: 2,
            worst_status: Some("503".into()),
        }));
        // The errors fill the cell.
        assert_eq!(cell(false, &flow), "http GET /a/long/path/5…");
        assert_eq!(cell(true, &flow), "http GET /a/long/path/5…");
    }

    #[test]
    fn statuses_that_report_errors_are_coloured() {
        for (status, colour) in [
            ("", None),
            ("200", None),
            ("304", None),
            ("404", Some(Colour::YELLOW)),
            ("503", Some(Colour::RED)),
            ("42P01", Some(Colour::RED)),
            ("ERR", Some(Colour::RED)),
        ] {
            assert_eq!(status_colour(status), colour, "{status}");
        }
    }
}
