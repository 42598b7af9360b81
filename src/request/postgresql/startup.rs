//! Messages without a type, which start a connection.

use super::fields::FieldReader;
use super::queue::{Awaited, Entry};
use super::{Phase, Postgresql};
use crate::flow::Side;
use crate::request::analyzer::{Context, Step};
use crate::request::{Detail, Request, text};

/// Request codes in place of a protocol version.
const CANCEL_REQUEST_CODE: u32 = 80_877_102;
const SSL_REQUEST_CODE: u32 = 80_877_103;
const GSSENC_REQUEST_CODE: u32 = 80_877_104;

/// Maximum length of a startup packet that servers accept, in bytes.
const MAX_STARTUP_PACKET_LEN: u32 = 10_000;

/// Parameters of a StartupMessage.
#[derive(Debug, Default)]
struct Parameters<'a> {
    user: &'a [u8],
    database: &'a [u8],
    application: &'a [u8],
}

impl<'a> Parameters<'a> {
    /// Parses names and values up to an empty name.
    fn parse(fields: &mut FieldReader<'a>) -> Option<Parameters<'a>> {
        let mut parameters = Parameters::default();
        loop {
            let value = match fields.string()? {
                b"" => return Some(parameters),
                b"user" => &mut parameters.user,
                b"database" => &mut parameters.database,
                b"application_name" => &mut parameters.application,
                _ => &mut &b""[..],
            };
            *value = fields.string()?;
        }
    }
}

/// Parses a message without a type.
pub(super) fn parse_startup(
    connection: &mut Postgresql,
    bytes: &[u8],
    context: &mut Context,
) -> Step {
    let mut fields = FieldReader::new(bytes);
    let (Some(len), Some(code)) = (fields.u32(), fields.u32()) else {
        return Step::Incomplete(8);
    };
    if !(8..=MAX_STARTUP_PACKET_LEN).contains(&len) {
        return Step::Unrecognized;
    }
    let Some(message) = usize::try_from(len).ok().and_then(|len| bytes.get(..len)) else {
        return Step::Incomplete(usize::try_from(len).unwrap_or(0));
    };
    let mut row = context.new_request();
    row.add_request(context.time, u64::from(len));
    let mut fields = FieldReader::new(&message[8..]);
    let awaited = match code {
        SSL_REQUEST_CODE if len == 8 => Awaited::Encryption(b'S'),
        GSSENC_REQUEST_CODE if len == 8 => Awaited::Encryption(b'G'),
        CANCEL_REQUEST_CODE => {
            let Some(process) = fields.u32() else {
                return Step::Unrecognized;
            };
            row.operation = "CANCEL".into();
            row.target = format!("process {process}");
            connection.phase = Phase::Messages;
            Awaited::Cancel
        }
        0x0003_0000..=0x0003_ffff => {
            let Some(parameters) = Parameters::parse(&mut fields) else {
                return Step::Unrecognized;
            };
            describe_connection(&mut row, &parameters);
            connection.phase = Phase::Messages;
            Awaited::Startup
        }
        _ => return Step::Unrecognized,
    };
    match awaited {
        Awaited::Encryption(b'S') => row.operation = "SSL".into(),
        Awaited::Encryption(_) => row.operation = "GSSENC".into(),
        _ if context.needs_contents() => {
            let line = format!("{}: {}", row.operation, row.target);
            context.head(&mut row, Side::Orig, &line);
        }
        _ => {}
    }
    connection.push_single(row, awaited, context);
    Step::Consumed(message.len())
}

/// Parses the byte that accepts or refuses encryption; `None` if no such byte is expected, or
/// an error message follows instead.
pub(super) fn parse_encryption_answer(
    connection: &mut Postgresql,
    byte: u8,
    context: &mut Context,
) -> Option<Step> {
    let group = connection.queue.front_group()?;
    let Some(Awaited::Encryption(accepted)) = group.awaited.front() else {
        return None;
    };
    match byte {
        b'N' => {
            connection.queue.pop(context);
            Some(Step::Consumed(1))
        }
        b'E' => None,
        _ if byte != *accepted => Some(Step::Unrecognized),
        _ => {
            if let Some(row) = &mut group.row {
                row.add_answer(context.start, context.time, 1);
                row.status = Some(text(&[byte]).into());
            }
            if let Some(Entry::Group(group)) = connection.queue.pop(context) {
                group.report(context);
            }
            Some(Step::Opaque)
        }
    }
}

fn describe_connection(row: &mut Request, parameters: &Parameters) {
    let database = match parameters.database {
        b"" => parameters.user,
        database => database,
    };
    row.operation = "CONNECT".into();
    row.target = format!("{}@{}", text(parameters.user), text(database));
    if !parameters.application.is_empty() {
        let application = text(parameters.application);
        row.details
            .set("application", Detail::Text(application.into()));
    }
}
