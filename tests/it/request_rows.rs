//! Rows of requests in every format: documented fields, types of values, and tables that fit.

use crate::command::ROOT;
use crate::formats_page::documented_fields;
use crate::printable::assert_printable;
use lcap::internals::request::{Detail, Message, RequestEvent};
use lcap::internals::sink::requests::{
    COLUMNS, LeftOutCount, Repeats, RequestFilter, RequestLayout, StatusPattern, TimePrecision,
};
use lcap::internals::sink::rows::{ProcessColumn, TableLayout};
use lcap::internals::sink::{Event, FORMATS, Sink, SinkFactory};
use lcap::{Request, RequestOutcome, TimeDelta};
use serde_json::Value;
use std::io::Write;
use std::sync::{Arc, Mutex};

/// A writer whose bytes are shared.
#[derive(Clone, Default)]
struct SharedBytes(Arc<Mutex<Vec<u8>>>);

impl Write for SharedBytes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn layout(width: Option<u16>) -> RequestLayout {
    RequestLayout {
        table: TableLayout {
            width,
            processes: ProcessColumn::IfPresent,
            ..TableLayout::default()
        },
        precision: TimePrecision::Milliseconds,
        has_bodies: false,
        left_out: LeftOutCount::default(),
        groups: None,
        repeats: Repeats::default(),
    }
}

/// Returns the output for requests in a format.
fn written(format: &str, layout: &RequestLayout, requests: &[Request]) -> String {
    let out = SharedBytes::default();
    let open = FORMATS.iter().find_map(|entry| match entry.factory {
        SinkFactory::Requests(open) if entry.name == format => Some(open),
        _ => None,
    });
    let mut sink: Box<dyn Sink> = open.unwrap()(Box::new(out.clone()), layout);
    for request in requests {
        let event = Event::Request(RequestEvent::Request(request));
        let _ = sink.handle(event).unwrap();
    }
    sink.finish().unwrap();
    let bytes = out.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

/// Returns a request with this operation, target and status.
fn request(operation: &'static str, target: &str, status: &'static str) -> Request {
    let captured = lcap::open(format!("{ROOT}/fixtures/http.pcap"));
    let mut request = captured.unwrap().requests().unwrap().remove(0);
    request.operation = operation.into();
    request.target = target.into();
    request.status =
        Some(status.into()).filter(|status: &std::borrow::Cow<str>| !status.is_empty());
    request.outcome = RequestOutcome::Ok;
    request.error = None;
    request.details = lcap::Details::default();
    (request.request, request.answer) = (Message::default(), Message::default());
    request
}

fn with_outcome(outcome: RequestOutcome, request: Request) -> Request {
    Request { outcome, ..request }
}

/// Returns requests with wide, unprintable and long texts.
fn unusual_requests() -> Vec<Request> {
    let mut statement = request(
        "SELECT",
        "select *\n\tfrom item -- 漢字\r\n where name = $1 and x = $2",
        "00000",
    );
    let parameters = [
        Detail::Integer(7),
        Detail::Text("it's\u{202e}\n漢".into()),
        Detail::Null,
        Detail::List(vec![Detail::Bool(true), Detail::Float(f64::NAN)]),
    ];
    statement
        .details
        .set("parameters", Detail::List(parameters.into()));
    statement.details.set("rows", Detail::Count(12));
    let mut slow = request("GET", &"/漢字😀\u{1b}[2J/".repeat(200), "200");
    slow.answer_end.0 += 7_200_000_000_000;
    slow.answer_bytes = u64::MAX;
    vec![
        statement,
        slow,
        request("GET", "", ""),
        request("", "", ""),
        with_outcome(
            RequestOutcome::Error,
            request("GET", "/", "\u{9b}503 e\u{301}\u{301}\u{301}"),
        ),
        with_outcome(
            RequestOutcome::Unrequested,
            request("", "漢字".repeat(50).as_str(), "404"),
        ),
        with_outcome(
            RequestOutcome::Cancelled,
            request("a\tb", "❤\u{fe0f}".repeat(50).as_str(), ""),
        ),
    ]
}

/// Returns the width of a character, at least: East Asian scripts and emoji are wide.
fn width(character: char) -> usize {
    match character {
        '\u{300}'..='\u{36f}' => 0,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{ffdc}' | '\u{1f300}'..='\u{1faff}' => {
            1 + usize::from(!matches!(character, '\u{fffd}' | '\u{fe0f}'))
        }
        _ => 1,
    }
}

#[test]
fn no_line_is_wider_than_the_table() {
    let requests = unusual_requests();
    for precision in [
        TimePrecision::Milliseconds,
        TimePrecision::Microseconds,
        TimePrecision::Nanoseconds,
    ] {
        for columns in [40, 60, 80, 99, 100, 120, 200] {
            let layout = RequestLayout {
                precision,
                ..layout(Some(columns))
            };
            let text = written("text", &layout, &requests);
            assert_printable(&text, &[]);
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), 1 + requests.len() + 1, "{text}");
            // The last line is the summary.
            for line in &lines[..=requests.len()] {
                let total: usize = line.chars().map(width).sum();
                assert!(total <= usize::from(columns), "{columns}: {total} {line:?}");
            }
        }
    }
}

#[test]
fn rows_are_aligned_and_on_one_line() {
    let mut requests = unusual_requests();
    let mut missing = request("GET", "/missing", "404");
    missing.details.set("status_code", Detail::Count(404));
    requests.truncate(1);
    requests.push(with_outcome(RequestOutcome::Error, missing));
    requests.push(with_outcome(
        RequestOutcome::Error,
        request("INSERT", "insert into a", "23505"),
    ));
    requests.push(with_outcome(
        RequestOutcome::Unanswered,
        request("GET", "cart:7", ""),
    ));
    let mut coloured = layout(Some(120));
    coloured.table.colour = true;
    let text = written("text", &coloured, &requests);
    let rows: Vec<&str> = text.lines().skip(1).collect();
    let contains = |row: usize, expected: &str| {
        assert!(rows[row].contains(expected), "{expected}: {}", rows[row]);
    };
    contains(
        0,
        " → 127.0.0.1:8080   select * from item -- 漢字 where name = …  12 rows ",
    );
    contains(1, "  GET /missing  ");
    contains(1, "  \x1b[33m404\x1b[0m  ");
    contains(2, "  insert into a  ");
    contains(2, "  \x1b[31m23505\x1b[0m  ");
    contains(3, "  \x1b[31munanswered\x1b[0m  ");
    assert_eq!(rows[4], "4 requests, 2 failed, 1 unanswered");
    let whole = written("text", &layout(None), &requests);
    let parameters = "where name = $1 and x = $2  [7, 'it''s\u{fffd} 漢', NULL, [true, NaN]]";
    assert!(whole.contains(parameters), "{whole}");
}

#[test]
fn contents_are_fields_and_indented_lines() {
    let mut all = request("POST", "/", "200");
    all.request = Message {
        head: "POST / HTTP/1.1\nHost: \u{1b}a".into(),
        body: "é\u{202e}\nx".into(),
        left_out: 0,
    };
    all.answer = Message {
        head: "HTTP/1.1 200 OK".into(),
        body: b"\xff\x00".to_vec(),
        left_out: 7,
    };
    let mut cut = all.clone();
    cut.answer.body = "ab漢".as_bytes()[..4].to_vec();
    let layout = RequestLayout {
        has_bodies: true,
        ..layout(None)
    };
    let rows = [all, cut];
    let json = written("json", &layout, &rows);
    let json: Vec<Value> = json
        .lines()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect();
    assert_eq!(json[0]["request_head"], "POST / HTTP/1.1\nHost: \u{1b}a");
    assert_eq!(json[0]["request_body"], "é\u{202e}\nx");
    assert_eq!(json[0]["request_left_out"], Value::Null);
    assert_eq!(json[0]["answer_body"], Value::Null);
    assert_eq!(json[0]["answer_body_base64"], "/wA=");
    assert_eq!(json[0]["answer_left_out"], 7);
    // A character that the limit cut is left out.
    assert_eq!(json[1]["answer_body"], "ab");
    assert_eq!(json[1]["answer_body_base64"], Value::Null);
    assert_eq!(json[1]["answer_left_out"], 9);
    let text = written("text", &layout, &rows);
    assert_printable(&text, &[]);
    let expected = "\n    > POST / HTTP/1.1\n    > Host: \u{fffd}a\n    >\n    > é\u{fffd}\n    > x\n\
                    \x20   < HTTP/1.1 200 OK\n    <\n    < [2 bytes that are not text]\n\
                    \x20   < [7 bytes left out]\n";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn filters_match_statuses_texts_and_times() {
    let mut insert = request("INSERT", "insert into Item values ($1)", "23505");
    insert.outcome = RequestOutcome::Error;
    let pattern = |text: &str| text.parse::<StatusPattern>().unwrap();
    for (statuses, expected) in [
        (vec!["23505"], true),
        (vec!["500-599", "23000-23999"], true),
        (vec!["500-599"], false),
        (vec!["2350"], false),
        (vec!["23505-23505"], true),
    ] {
        let filter = RequestFilter {
            statuses: statuses.iter().map(|text| pattern(text)).collect(),
            ..RequestFilter::default()
        };
        assert_eq!(filter.matches(&insert), expected, "{statuses:?}");
    }
    for (text, expected) in [
        ("INTO item", true),
        ("insert insert", true),
        ("delete", false),
    ] {
        let filter = RequestFilter {
            text: Some(text.into()),
            ..RequestFilter::default()
        };
        assert_eq!(filter.matches(&insert), expected, "{text}");
    }
    // Without an answer, the time until the end of the connection counts.
    let mut waiting = request("GET", "/", "");
    waiting.answer_end = lcap::Timestamp::ABSENT;
    waiting.end.0 = waiting.request_end.0 + 50;
    for (limit, expected) in [(50, true), (51, false)] {
        let filter = RequestFilter {
            slower: Some(TimeDelta(limit)),
            ..RequestFilter::default()
        };
        assert_eq!(filter.matches(&waiting), expected, "{limit}");
    }
}

#[test]
fn every_field_is_documented_and_in_order() {
    let mut documented = documented_fields("Request fields in JSON and CSV");
    let mut columns: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
    let csv = written("csv", &layout(None), &unusual_requests());
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    // Contents only on request.
    assert_eq!(reader.headers().unwrap(), &columns[..columns.len() - 8]);
    assert_eq!(reader.records().map(Result::unwrap).count(), 7);
    let json = written("json", &layout(None), &unusual_requests());
    let positions = columns
        .iter()
        .filter_map(|name| json.find(&format!("\"{name}\":")));
    assert!(positions.is_sorted());
    documented.sort_unstable();
    columns.sort_unstable();
    assert_eq!(documented, columns);
}
