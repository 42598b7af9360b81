//! The start of a capture file: format detection, decompression and the file header.

use super::format_reader::FormatReader;
use super::input::InputStream;
use super::parse_step::ParseStep;
use super::pcap_reader::FILE_HEADER_LEN;
use super::signature::{self, FileKind};
use crate::error::{Error, Result};
use std::path::Path;

/// Detects the format of `input`, decompresses it and reads its header.
///
/// # Errors
/// The same as [`open`](super::file::open).
pub(super) fn read_header(
    path: &Path,
    mut input: InputStream,
) -> Result<(InputStream, FormatReader)> {
    let mut kind = detect_file_kind(path, &mut input)?;
    if let FileKind::Compressed(compression) = kind {
        input = input
            .decompress(compression)
            .map_err(Error::file("cannot decompress", path))?;
        kind = detect_file_kind(path, &mut input)?;
    }
    let format = match kind {
        FileKind::Pcap => read_file_header(path, &mut input)?,
        FileKind::PcapNg => read_first_section(path, &mut input)?,
        FileKind::Compressed(inner) => {
            let what = format!(
                "compressed twice, with {} inside: decompress it once and read the result",
                inner.name()
            );
            return Err(format_error(path, what));
        }
    };
    Ok((input, format))
}

fn detect_file_kind(path: &Path, input: &mut InputStream) -> Result<FileKind> {
    fill_to(path, input, signature::SIGNATURE_LEN)?;
    let bytes = input.bytes();
    let first = &bytes[..bytes.len().min(signature::SIGNATURE_LEN)];
    signature::detect(first).map_err(|what| format_error(path, what))
}

/// Reads until `needed` bytes are available; fewer only at the end of the input.
fn fill_to(path: &Path, input: &mut InputStream, needed: usize) -> Result<()> {
    while input.bytes().len() < needed {
        match input.fill(needed) {
            Ok(0) => break,
            Ok(_) => {}
            Err(e) if input.is_empty_pipe(&e) => {
                input.wait_readable(None, None);
            }
            Err(e) => return Err(input.read_error(path, 0, e)),
        }
    }
    Ok(())
}

fn read_file_header(path: &Path, input: &mut InputStream) -> Result<FormatReader> {
    fill_to(path, input, FILE_HEADER_LEN)?;
    let Some(header) = input.bytes().first_chunk() else {
        let what = format!(
            "the file ends inside its header: {FILE_HEADER_LEN} bytes expected, {} present; \
             it was truncated, perhaps while being written",
            input.bytes().len()
        );
        return Err(truncated_header_error(path, what));
    };
    let records = FormatReader::pcap(header).map_err(|what| format_error(path, what))?;
    input.consume(FILE_HEADER_LEN);
    Ok(records)
}

fn read_first_section(path: &Path, input: &mut InputStream) -> Result<FormatReader> {
    let mut blocks = FormatReader::pcapng();
    loop {
        match blocks.parse_next(input.bytes()) {
            ParseStep::NeedMore(needed) if needed > input.bytes().len() => {
                let before = input.bytes().len();
                fill_to(path, input, before + 1)?;
                if input.bytes().len() == before {
                    return Err(truncated_header_error(
                        path,
                        blocks.truncation_message(input.bytes()),
                    ));
                }
            }
            ParseStep::Skip(size) => {
                input.consume(size);
                return Ok(blocks);
            }
            ParseStep::Damage(what) => return Err(format_error(path, what)),
            // The signature is that of a section header, for which the parser returns none of these
            // results.
            ParseStep::NeedMore(_) | ParseStep::Packet(_) | ParseStep::NewCapture(_) => {
                return Err(format_error(path, "no section header".to_owned()));
            }
        }
    }
}

fn format_error(path: &Path, what: String) -> Error {
    Error::Format {
        file: path.display().to_string(),
        what,
    }
}

fn truncated_header_error(path: &Path, what: String) -> Error {
    Error::Damaged {
        file: path.display().to_string(),
        offset: 0,
        packets: 0,
        what,
    }
}
