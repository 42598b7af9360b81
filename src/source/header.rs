//! What a capture file begins with: its bytes are recognised and unpacked, its header is read.

use super::blocks::Blocks;
use super::file::failure;
use super::format::Format;
use super::found::Found;
use super::input::Input;
use super::records::{FILE_HEADER, Records};
use super::signature::{self, Kind};
use crate::error::{Error, Result};
use std::path::Path;

/// Recognises what `input` holds, unpacks it and reads its header.
///
/// # Errors
/// As [`open`](super::file::open).
pub(super) fn begin(path: &Path, mut input: Input) -> Result<(Input, Format)> {
    let mut kind = recognise(path, &mut input)?;
    if let Kind::Compressed(compression) = kind {
        input = input.unpack(compression).map_err(|source| Error::File {
            action: "cannot unpack",
            path: path.to_owned(),
            source,
        })?;
        kind = recognise(path, &mut input)?;
    }
    let format = match kind {
        Kind::Pcap => Format::Records(file_header(path, &mut input)?),
        Kind::PcapNg => Format::Blocks(first_section(path, &mut input)?),
        Kind::Compressed(inner) => {
            let what = format!(
                "packed twice, {} inside: unpack it once and read the result",
                inner.name()
            );
            return Err(refusal(path, what));
        }
    };
    input.read_ahead();
    Ok((input, format))
}

fn recognise(path: &Path, input: &mut Input) -> Result<Kind> {
    reach(path, input, signature::LENGTH)?;
    let bytes = input.bytes();
    let first = &bytes[..bytes.len().min(signature::LENGTH)];
    signature::recognise(first).map_err(|what| refusal(path, what))
}

/// Reads until there are `needed` bytes; fewer only at the end.
fn reach(path: &Path, input: &mut Input, needed: usize) -> Result<()> {
    while input.bytes().len() < needed {
        match input.fill(needed) {
            Ok(0) => break,
            Ok(_) => {}
            Err(e) => return Err(failure(path, input, 0, e)),
        }
    }
    Ok(())
}

fn file_header(path: &Path, input: &mut Input) -> Result<Records> {
    reach(path, input, FILE_HEADER)?;
    let Some(header) = input.bytes().first_chunk() else {
        let what = format!(
            "the file ends inside its header: {FILE_HEADER} bytes expected, {} present; \
             it was cut, perhaps while being written",
            input.bytes().len()
        );
        return Err(cut_header(path, what));
    };
    let records = Records::new(header).map_err(|what| refusal(path, what))?;
    input.take(FILE_HEADER);
    Ok(records)
}

fn first_section(path: &Path, input: &mut Input) -> Result<Blocks> {
    let mut blocks = Blocks::default();
    loop {
        match blocks.step(input.bytes()) {
            Found::More(needed) if needed > input.bytes().len() => {
                let before = input.bytes().len();
                reach(path, input, before + 1)?;
                if input.bytes().len() == before {
                    return Err(cut_header(path, blocks.cut(input.bytes())));
                }
            }
            Found::Skip(size) => {
                input.take(size);
                return Ok(blocks);
            }
            Found::Damage(what) => return Err(refusal(path, what)),
            // The signature is that of a section header, which is neither.
            Found::More(_) | Found::Packet(_) => {
                return Err(refusal(path, "no section header".to_owned()));
            }
        }
    }
}

fn refusal(path: &Path, what: String) -> Error {
    Error::Format {
        file: path.display().to_string(),
        what,
    }
}

fn cut_header(path: &Path, what: String) -> Error {
    Error::Damaged {
        file: path.display().to_string(),
        offset: 0,
        packets: 0,
        what,
    }
}
