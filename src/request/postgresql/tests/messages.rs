//! Messages of the client and the server.

/// Returns a message.
pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len() + 4).unwrap();
    [&[kind], &len.to_be_bytes()[..], body].concat()
}

pub(super) fn query(text: &str) -> Vec<u8> {
    message(b'Q', format!("{text}\0").as_bytes())
}

pub(super) fn parse(name: &str, text: &str, types: &[u32]) -> Vec<u8> {
    let count = u16::try_from(types.len()).unwrap().to_be_bytes();
    let types: Vec<u8> = types.iter().flat_map(|oid| oid.to_be_bytes()).collect();
    let names = format!("{name}\0{text}\0");
    message(b'P', &[names.as_bytes(), &count, &types].concat())
}

/// Returns a Bind message with parameters in one format.
pub(super) fn bind(
    portal: &str,
    statement: &str,
    format: u16,
    values: &[Option<&[u8]>],
) -> Vec<u8> {
    let mut body = format!("{portal}\0{statement}\0").into_bytes();
    body.extend([0, 1]);
    body.extend(format.to_be_bytes());
    body.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
    body.extend(data(values));
    body.extend([0, 0]);
    message(b'B', &body)
}

pub(super) fn data(values: &[Option<&[u8]>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in values {
        match value {
            Some(value) => {
                bytes.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
                bytes.extend(*value);
            }
            None => bytes.extend(u32::MAX.to_be_bytes()),
        }
    }
    bytes
}

pub(super) fn execute(portal: &str) -> Vec<u8> {
    message(b'E', &[portal.as_bytes(), &[0; 5]].concat())
}

pub(super) fn describe(kind: &str, name: &str) -> Vec<u8> {
    message(b'D', format!("{kind}{name}\0").as_bytes())
}

pub(super) fn close(kind: &str, name: &str) -> Vec<u8> {
    message(b'C', format!("{kind}{name}\0").as_bytes())
}

pub(super) fn sync() -> Vec<u8> {
    message(b'S', b"")
}

/// Returns a description of columns in the text format, by their names and types.
pub(super) fn columns(columns: &[(&str, u32)]) -> Vec<u8> {
    let mut body = u16::try_from(columns.len()).unwrap().to_be_bytes().to_vec();
    for (name, type_oid) in columns {
        body.extend(format!("{name}\0").into_bytes());
        body.extend([0; 6]);
        body.extend(type_oid.to_be_bytes());
        body.extend([0; 8]);
    }
    message(b'T', &body)
}

pub(super) fn row(values: &[Option<&[u8]>]) -> Vec<u8> {
    let count = u16::try_from(values.len()).unwrap().to_be_bytes();
    message(b'D', &[&count[..], &data(values)].concat())
}

pub(super) fn complete(tag: &str) -> Vec<u8> {
    message(b'C', format!("{tag}\0").as_bytes())
}

pub(super) fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

pub(super) fn error(code: &str, text: &str) -> Vec<u8> {
    let fields = format!("SERROR\0VERROR\0C{code}\0M{text}\0\0");
    message(b'E', fields.as_bytes())
}

pub(super) fn fatal(code: &str, text: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C{code}\0M{text}\0\0");
    message(b'E', fields.as_bytes())
}

/// Returns ParseComplete, BindComplete and CloseComplete.
pub(super) fn done(kinds: &str) -> Vec<u8> {
    kinds.bytes().flat_map(|kind| message(kind, b"")).collect()
}

pub(super) fn startup(parameters: &str) -> Vec<u8> {
    let len = u32::try_from(parameters.len() + 9).unwrap();
    let version = 0x0003_0000u32;
    [
        &len.to_be_bytes()[..],
        &version.to_be_bytes(),
        parameters.as_bytes(),
        &[0],
    ]
    .concat()
}

/// Returns StartupMessage, and its answer without a password.
pub(super) fn connected() -> [Vec<u8>; 2] {
    let accepted = [message(b'R', &[0; 4]), message(b'K', &[0; 8]), ready()].concat();
    [startup("user\0ann\0database\0shop\0"), accepted]
}
