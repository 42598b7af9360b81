//! Conversations of `lcap follow` as JSON Lines: one object per part of a message, per gap, and per
//! flow that ended (RFC 8259, <https://jsonlines.org>).

use base64::prelude::{BASE64_STANDARD, Engine};

use super::part::{ConversationPart, PartContent, SidePart};
use super::part_sink::{PartFormatter, PartSink};
use crate::flow::{GapCause, uid};
use crate::sink::json::{JsonObject, JsonValue, object, owner};
use crate::sink::rows::ColumnValue;
use crate::sink::{Format, SinkFactory};

/// The entry of conversations as JSON in [`FORMATS`](crate::sink::FORMATS).
pub(in crate::sink) const FORMAT: Format = Format {
    name: "json",
    extension: "json",
    about: "one JSON object per part of a message",
    factory: SinkFactory::Streams(|writer, options| {
        let json = ConversationJson {
            show_processes: options.show_processes,
        };
        Box::new(PartSink::new(writer, options, usize::MAX, json))
    }),
};

/// Formatter of conversations as JSON objects.
struct ConversationJson {
    /// True if the processes at both ends are written.
    show_processes: bool,
}

impl PartFormatter for ConversationJson {
    fn write_part(&mut self, part: &ConversationPart, out: &mut Vec<u8>) {
        let row = object(|fields| {
            write_identity(part, fields);
            match &part.content {
                PartContent::Side {
                    side,
                    message,
                    part: content,
                } => {
                    fields.field("side", side.name());
                    fields.optional("protocol", part.protocol);
                    fields.optional("message", (*message > 0).then_some(*message));
                    write_content(content, fields);
                }
                PartContent::Closed(record) => {
                    fields.optional("protocol", part.protocol);
                    fields.field("outcome", &record.outcome.to_string());
                    let dropped = record.dropped_pkts;
                    fields.optional("dropped_pkts", (dropped > 0).then_some(dropped));
                }
            }
            if self.show_processes {
                fields.optional("orig_process", part.owners.orig.as_deref().map(owner));
                fields.optional("resp_process", part.owners.resp.as_deref().map(owner));
            }
        });
        row.write(out);
        out.push(b'\n');
    }
}

fn write_identity(part: &ConversationPart, fields: &mut JsonObject) {
    let id = part.id;
    fields.field("flow", id.number);
    fields.field("uid", uid(id).as_str());
    fields.field("ts", ColumnValue::Time(part.time));
    fields.field("id.orig_h", ColumnValue::Address(id.orig().ip()));
    fields.field("id.orig_p", id.orig().port());
    fields.field("id.resp_h", ColumnValue::Address(id.resp().ip()));
    fields.field("id.resp_p", id.resp().port());
}

fn write_content(content: &SidePart, fields: &mut JsonObject) {
    match content {
        SidePart::Head(head) => fields.field("head", *head),
        SidePart::Body(body) => {
            fields.optional("encoding", body.encoding);
            match std::str::from_utf8(body.bytes) {
                Ok(text) => fields.field("body", text),
                Err(_) => fields.field("body_base64", BASE64_STANDARD.encode(body.bytes).as_str()),
            }
        }
        SidePart::LeftOut(len) => fields.field("left_out", *len),
        SidePart::Undecoded(len) => fields.field("undecoded", *len),
        SidePart::Gap(len, cause) => {
            fields.field("missing", *len);
            let cause = match cause {
                GapCause::Lost => "lost",
                GapCause::Cut => "cut",
            };
            fields.field("cause", cause);
        }
        SidePart::Mismatch { offset, len } => {
            fields.field("mismatch", *len);
            fields.field("offset", *offset);
        }
    }
}
