//! Services of flows as text: the protocol, the first request with its status, and the number of
//! further requests: `http GET /cart/7 200 +499`.

use std::ops::Range;

use crate::detect::Service;
use crate::error::count_noun;
use crate::flow::{FlowRecord, FlowRequests};
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
/// Width of the text before the status that is shown in any case.
const MIN_TEXT_WIDTH: usize = 8;

/// Writes the service, or the transport protocol, without a width limit.
pub(super) fn write_service(flow: &FlowRecord, out: &mut Vec<u8>) {
    let text = ServiceText::of_flow(flow);
    for part in [text.description, text.status, text.further] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Writes the service into a cell. Statuses that report errors are coloured if `has_highlights`.
pub(super) fn write_service_cell(
    flow: &FlowRecord,
    format: &mut CellFormat,
    has_highlights: bool,
    out: &mut Vec<u8>,
) {
    let highlights = ServiceText::of_flow(flow).write_cell(format.width, out);
    if has_highlights {
        for (part, colour) in highlights {
            format.highlight(part, colour);
        }
    }
}

/// Text of a service.
struct ServiceText {
    /// Name of the service and its attributes, without the status.
    description: String,
    /// Status of the first HTTP answer, after a space.
    status: String,
    /// Number of requests apart from the one that is described, and the errors among all of them:
    /// ` +499, worst 503, 3 errors`.
    further: String,
}

/// Text before the worst status.
const WORST_LABEL: &str = ", worst ";

impl ServiceText {
    fn of_flow(flow: &FlowRecord) -> ServiceText {
        let responses = flow
            .response_times
            .map_or(0, |times| u64::from(times.count));
        match &flow.service {
            Some(service) => ServiceText::new(service, responses, flow.requests.as_deref()),
            None => ServiceText {
                description: flow.id.transport().into(),
                status: String::new(),
                further: further_requests(false, responses, flow.requests.as_deref()),
            },
        }
    }

    fn new(service: &Service, responses: u64, requests: Option<&FlowRequests>) -> ServiceText {
        let mut description = service.name.to_owned();
        let mut status = String::new();
        for (name, value) in service.attributes.iter() {
            let text = match service.name == "http" && name == "status" {
                true => &mut status,
                false => &mut description,
            };
            text.push(' ');
            text.push_str(value);
        }
        let describes_request = REQUEST_SERVICES.contains(&service.name);
        ServiceText {
            description,
            status,
            further: further_requests(describes_request, responses, requests),
        }
    }

    /// Writes the text; a narrow cell shows the status and the number of further requests, too.
    /// Returns the positions of statuses that report errors, and their colours.
    fn write_cell(
        &self,
        width: Option<usize>,
        out: &mut Vec<u8>,
    ) -> impl Iterator<Item = (Range<usize>, Colour)> + use<> {
        let fixed_width = text_width(self.status.as_bytes()) + text_width(self.further.as_bytes());
        match width.map(|width| width.saturating_sub(fixed_width)) {
            Some(width) if width >= MIN_TEXT_WIDTH => push_text(out, &self.description, width),
            _ => out.extend_from_slice(self.description.as_bytes()),
        }
        let status = self.status.trim_start();
        out.extend_from_slice(self.status.as_bytes());
        let first = (out.len() - status.len()..out.len(), status_colour(status));
        let worst = self.further.split_once(WORST_LABEL);
        let worst = worst.map_or("", |(_, worst)| worst);
        let start = out.len() + self.further.len() - worst.len();
        let worst = worst.split(',').next().unwrap_or_default();
        out.extend_from_slice(self.further.as_bytes());
        let worst = (start..start + worst.len(), status_colour(worst));
        let parts = [first, worst].into_iter();
        parts.filter_map(|(part, colour)| Some((part, colour?)))
    }
}

/// Returns the number of further requests, and the errors among all of them.
fn further_requests(
    describes_request: bool,
    responses: u64,
    requests: Option<&FlowRequests>,
) -> String {
    let count = match requests {
        Some(requests) => requests.count,
        None if describes_request => responses,
        None => 0,
    };
    let mut text = match count {
        0 | 1 => return String::new(),
        _ if describes_request => format!(" +{}", count - 1),
        _ => format!(", {}", count_noun(count, "request")),
    };
    let Some(requests) = requests.filter(|requests| requests.errors > 0) else {
        return text;
    };
    if let Some(worst) = &requests.worst_status {
        text += WORST_LABEL;
        text += worst;
    }
    text + &format!(", {}", count_noun(requests.errors, "error"))
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

    fn service(path: &str, status: &str) -> Service {
        Service {
            name: "http",
            attributes: ServiceAttributes::new(
                &["method", "path", "status"],
                [b"GET", path.as_bytes(), status.as_bytes()],
            ),
        }
    }

    /// Returns the text of a cell, and the texts that are coloured.
    fn cell(text: &ServiceText, width: Option<usize>) -> (String, Vec<(String, Colour)>) {
        let mut out = b"before ".to_vec();
        let highlights: Vec<_> = text.write_cell(width, &mut out).collect();
        let out = String::from_utf8(out).expect("UTF-8");
        let coloured = highlights.into_iter();
        let coloured = coloured.map(|(part, colour)| (out[part].to_owned(), colour));
        (out["before ".len()..].to_owned(), coloured.collect())
    }

    #[test]
    fn the_first_request_and_the_number_of_others_are_shown() {
        let service = service("/cart/7", "200");
        let text = ServiceText::new(&service, 500, None);
        assert_eq!(cell(&text, None).0, "http GET /cart/7 200 +499");
        let requests = FlowRequests {
            count: 510,
            errors: 3,
            worst_status: Some("503".into()),
        };
        let text = ServiceText::new(&service, 500, Some(&requests));
        let expected = "http GET /cart/7 200 +509, worst 503, 3 errors";
        let coloured = vec![("503".to_owned(), Colour::RED)];
        assert_eq!(cell(&text, None), (expected.to_owned(), coloured));
        assert_eq!(
            further_requests(false, 500, Some(&requests)),
            ", 510 requests, worst 503, 3 errors"
        );
        assert_eq!(further_requests(false, 500, None), "");
    }

    #[test]
    fn narrow_cells_show_the_status_and_the_number_of_others() {
        let text = ServiceText::new(&service("/a/long/path/404", "404"), 20, None);
        let (shown, coloured) = cell(&text, Some(24));
        assert_eq!(shown, "http GET /a/lon… 404 +19");
        assert_eq!(coloured, [("404".to_owned(), Colour::YELLOW)]);
        // The table truncates what does not fit.
        let (shown, _) = cell(&text, Some(14));
        assert_eq!(shown, "http GET /a/long/path/404 404 +19");
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
