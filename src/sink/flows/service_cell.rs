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
