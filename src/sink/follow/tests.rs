//! Tests of conversations over scripted messages.

use std::io::Write;
use std::sync::{Arc, Mutex};

use super::{MessageLimit, StreamOptions, conversation, json};
use crate::event::Tick;
use crate::flow::{FlowEvent, FlowEventKind, FlowId, GapCause, Side};
use crate::packet::{Endpoints, TCP, Timestamp, UDP};
use crate::process::Owners;
use crate::request::{MessageEvent, MessagePart, RequestEvent};
use crate::sink::{Event, Format, Sink, SinkFactory};

const OPTIONS: StreamOptions = StreamOptions {
    flow: None,
    side: Orig,
    limit: MessageLimit::Beginning,
    colour: false,
    nano: false,
    show_processes: true,
};

/// Writer whose bytes the test reads.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A sink to which the messages of flows are passed, one every 10 ms.
struct Script {
    sink: Box<dyn Sink>,
    written: Written,
    now: i64,
    transport: u8,
}

impl Script {
    fn new(format: &Format, options: StreamOptions) -> Script {
        let written = Written::default();
        let SinkFactory::Streams(open) = format.factory else {
            panic!("not a format of streams");
        };
        Script {
            sink: open(Box::new(written.clone()), &options),
            written,
            now: 0,
            transport: TCP,
        }
    }

    fn id(&self, number: u64) -> FlowId {
        FlowId {
            number,
            first_time: Timestamp(0),
            first_frame: number,
            endpoints: Endpoints::from_ipv4(
                [127, 0, 0, 1],
                [127, 0, 0, 1],
                [50_000 + number as u16, 80],
                self.transport,
            ),
        }
    }

    fn part(&mut self, number: u64, side: Side, part: MessagePart) -> &mut Script {
        self.now += 10_000_000;
        let event = MessageEvent {
            flow: &self.id(number),
            owners: &Owners::default(),
            protocol: "http",
            time: Timestamp(self.now),
            side,
            part,
        };
        self.handle(Event::Request(RequestEvent::Message(&event)))
    }

    fn gap(&mut self, number: u64, side: Side, len: u64) -> &mut Script {
        let event = FlowEvent {
            id: &self.id(number),
            time: Timestamp(self.now),
            due: None,
            kind: FlowEventKind::Gap {
                side,
                offset: 0,
                len,
                cause: GapCause::Lost,
            },
        };
        self.handle(Event::Flow(&event))
    }

    fn wait(&mut self, milliseconds: i64) -> &mut Script {
        self.now += milliseconds * 1_000_000;
        let time = Timestamp(self.now);
        self.handle(Event::Tick(Tick {
            time,
            is_idle: true,
            flows: None,
        }))
    }

    fn handle(&mut self, event: Event) -> &mut Script {
        let handled = self.sink.handle(event).expect("a writable output");
        assert!(handled.is_continue());
        self
    }

    /// Returns the output so far; of status lines only the flow number and the sender.
    fn so_far(&mut self) -> Vec<String> {
        self.sink.flush().expect("a writable output");
        let bytes = self.written.0.lock().expect("no panic").clone();
        let text = String::from_utf8(bytes).expect("UTF-8");
        let lines = text.lines().map(|line| match line.strip_prefix("── ") {
            Some(status) => {
                let words: Vec<&str> = status.split_whitespace().collect();
                let is_client = words[2].starts_with("127.0.0.1:50");
                format!(
                    "-- {} {}",
                    words[1],
                    if is_client { "client" } else { "server" }
                )
            }
            None => line.to_owned(),
        });
        lines.collect()
    }

    fn finish(&mut self) -> Vec<String> {
        self.sink.finish().expect("a writable output");
        self.so_far()
    }
}

use MessagePart::{Body, Encoding, Head, Missing, Unanalyzed};
use Side::{Orig, Resp};

#[test]
fn each_message_has_a_status_line_and_each_line_a_prefix() {
    let mut script = Script::new(&conversation::FORMAT, OPTIONS);
    script
        .part(1, Orig, Head("POST / HTTP/1.1\nHost: a"))
        .part(1, Orig, Body(b"one\r\n\r\ntw"))
        .part(1, Orig, Body(b"o"))
        .part(1, Orig, Head("GET /2 HTTP/1.1\nHost: a"))
        .part(1, Resp, Head("HTTP/1.1 200 OK\nContent-Encoding: gzip"))
        .part(1, Resp, Encoding("gzip"))
        .part(1, Resp, Body(b"three"))
        .part(2, Orig, Head("Q: select 1"))
        .part(2, Orig, Head("Q: select 2"))
        .part(1, Resp, Body(b" four\n"));
    let expected = [
        "-- 1 client",
        "> POST / HTTP/1.1",
        "> Host: a",
        ">",
        "> one",
        ">",
        "> two",
        "-- 1 client",
        "> GET /2 HTTP/1.1",
        "> Host: a",
        "-- 1 server",
        "< HTTP/1.1 200 OK",
        "< Content-Encoding: gzip",
        "<",
        "[decoded from gzip]",
        "< three",
        "-- 2 client",
        "> Q: select 1",
        "> Q: select 2",
        "-- 1 server",
        "<  four",
    ];
    assert_eq!(script.finish(), expected);
}

#[test]
fn long_messages_are_limited() {
    let text = "x".repeat(3000);
    let send = |options| {
        let mut script = Script::new(&conversation::FORMAT, options);
        script
            .part(1, Resp, Head("HTTP/1.1 200 OK"))
            .part(1, Resp, Body(text.as_bytes()))
            .part(1, Resp, Body("ä".repeat(3000).as_bytes()))
            .part(1, Resp, Body(b"end"))
            .part(1, Orig, Head("GET /next"));
        script.finish()
    };
    let lines = send(OPTIONS);
    // 15 bytes of the head and 3000 of the body; 1081 more are 540 characters and a half.
    let shown = format!("< {text}{}", "ä".repeat(540));
    let expected = [
        "-- 1 server",
        "< HTTP/1.1 200 OK",
        &shown,
        "[4923 more bytes; --full shows all]",
        "-- 1 client",
        "> GET /next",
    ];
    assert_eq!(lines, expected);
    let full = send(StreamOptions {
        limit: MessageLimit::Full,
        ..OPTIONS
    });
    assert_eq!(full[2], format!("< {text}{}end", "ä".repeat(3000)));
    assert_eq!(full.len(), 5);
}

#[test]
fn binary_bodies_are_hexadecimal() {
    let mut script = Script::new(&conversation::FORMAT, OPTIONS);
    script
        .part(1, Resp, Head("HTTP/1.1 200 OK"))
        .part(1, Resp, Body(&[0; 20]))
        .part(1, Resp, Body(&[b'a'; 1000]));
    let lines = script.finish();
    assert!(lines[2].starts_with("< 00000000  00 00"), "{lines:?}");
    assert!(
        lines[3].starts_with("< 00000010  00 00 00 00  "),
        "{lines:?}"
    );
    // The rest is binary, too, because a body that starts as binary data contains text by chance.
    assert!(lines[4].starts_with("< 00000014  61 61"), "{lines:?}");
    assert_eq!(lines[19], "[764 more bytes; --full shows all]");
    assert_eq!(lines.len(), 20, "{lines:?}");
}

#[test]
fn endless_messages_are_reported_once_a_second() {
    let mut script = Script::new(&conversation::FORMAT, OPTIONS);
    let chunk = [b'x'; 5000];
    script
        .part(1, Resp, Body(&chunk))
        .part(1, Resp, Body(b"yy"));
    assert_eq!(script.so_far().len(), 2);
    script.wait(900);
    assert_eq!(script.so_far().len(), 2);
    script.wait(100);
    assert_eq!(script.so_far()[2], "[906 more bytes; --full shows all]");
    script.part(1, Resp, Body(b"zzz")).wait(1000);
    assert_eq!(script.so_far()[3], "[3 more bytes; --full shows all]");
    assert_eq!(script.finish().len(), 4);
}

#[test]
fn turns_end_when_the_other_side_sends() {
    let mut script = Script::new(&conversation::FORMAT, OPTIONS);
    let chunk = [b'x'; 5000];
    for _ in 0..2 {
        script
            .part(1, Orig, Body(&chunk))
            .part(1, Resp, Body(b"yes\n"));
    }
    let lines = script.finish();
    let line = format!("> {}", "x".repeat(4096));
    let turn = [
        "-- 1 client",
        &line,
        "[904 more bytes; --full shows all]",
        "-- 1 server",
        "< yes",
    ];
    assert_eq!(lines, [turn, turn].concat());
}

#[test]
fn each_datagram_is_a_message() {
    let mut script = Script::new(&conversation::FORMAT, OPTIONS);
    script.transport = UDP;
    script
        .part(1, Orig, Body(b"one"))
        .part(1, Orig, Body(b""))
        .part(1, Orig, Body(b"two"));
    let expected = [
        "-- 1 client",
        "> one",
        "-- 1 client",
        "[empty datagram]",
        "-- 1 client",
        "> two",
    ];
    assert_eq!(script.finish(), expected);
}

#[test]
fn missing_bytes_are_reported_once() {
    let mut script = Script::new(&conversation::FORMAT, OPTIONS);
    script
        .part(1, Resp, Head("HTTP/1.1 200 OK"))
        .part(1, Resp, Body(b"one"))
        .part(1, Resp, Missing(100))
        .gap(1, Resp, 100)
        .part(1, Resp, Missing(20))
        .part(1, Resp, Missing(30))
        .part(1, Resp, Unanalyzed(b"rest"))
        .part(1, Resp, Unanalyzed(b"less\n"));
    let expected = [
        "-- 1 server",
        "< HTTP/1.1 200 OK",
        "< one",
        "[gap 100 bytes]",
        "[50 bytes not decoded]",
        "< restless",
    ];
    assert_eq!(script.finish(), expected);
}

#[test]
fn one_flow_is_selected() {
    let options = StreamOptions {
        flow: Some(2),
        ..OPTIONS
    };
    let mut script = Script::new(&conversation::FORMAT, options);
    script
        .part(1, Orig, Body(b"one\n"))
        .gap(1, Orig, 5)
        .part(2, Orig, Body(b"two\n"));
    assert_eq!(script.finish(), ["-- 2 client", "> two"]);
}

#[test]
fn json_has_one_object_per_part() {
    let mut script = Script::new(&json::FORMAT, OPTIONS);
    script
        .part(1, Resp, Head("HTTP/1.1 200 OK\nA: \u{202e}"))
        .part(1, Resp, Encoding("gzip"))
        .part(1, Resp, Body(&[b'x'; 5000]))
        .part(1, Resp, Missing(7))
        .part(1, Resp, Head("HTTP/1.1 204 No Content"))
        .part(1, Resp, Body(b"\xff\x00"))
        .gap(1, Resp, 3);
    let lines = script.finish();
    let objects: Vec<serde_json::Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).expect("a JSON object"))
        .collect();
    let identity = [
        "flow",
        "uid",
        "ts",
        "id.orig_h",
        "id.orig_p",
        "id.resp_h",
        "id.resp_p",
        "side",
        "protocol",
    ];
    let contents: Vec<String> = objects
        .iter()
        .map(|object| {
            let mut object = object.as_object().expect("an object").clone();
            for field in identity {
                assert!(object.remove(field).is_some(), "{field}");
            }
            serde_json::Value::Object(object).to_string()
        })
        .collect();
    let body = "x".repeat(4096 - "HTTP/1.1 200 OK\nA: \u{202e}".len());
    let expected = [
        "{\"head\":\"HTTP/1.1 200 OK\\nA: \u{202e}\",\"message\":1}".to_owned(),
        format!("{{\"body\":\"{body}\",\"encoding\":\"gzip\",\"message\":1}}"),
        "{\"message\":1,\"undecoded\":7}".to_owned(),
        format!("{{\"left_out\":{},\"message\":1}}", 5000 - body.len()),
        "{\"head\":\"HTTP/1.1 204 No Content\",\"message\":2}".to_owned(),
        "{\"body_base64\":\"/wA=\",\"message\":2}".to_owned(),
        "{\"cause\":\"lost\",\"message\":2,\"missing\":3}".to_owned(),
    ];
    assert_eq!(contents, expected);
    assert!(lines[0].contains("\\u202e"));
}
