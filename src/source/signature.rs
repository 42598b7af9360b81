//! File type detection from the first bytes, never from the name: pcap-savefile(5),
//! draft-ietf-opsawg-pcapng, RFC 1952 (gzip), RFC 8878 (zstd).

/// Maximum number of bytes that [`detect`] inspects; of a shorter file, all bytes are inspected.
pub(super) const SIGNATURE_LEN: usize = 16;

/// A file type that lcap reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    /// A pcap file: records.
    Pcap,
    /// A pcapng file: blocks.
    PcapNg,
    /// A compressed file.
    Compressed(Compression),
}

/// A compression format that lcap reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    #[cfg(feature = "zstd")]
    Zstd,
}

impl Compression {
    /// Returns the name used in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Compression::Gzip => "gzip",
            #[cfg(feature = "zstd")]
            Compression::Zstd => "zstd",
        }
    }
}

/// Detects the type of a file from `first`: its first [`SIGNATURE_LEN`] bytes, or all if it has
/// fewer.
///
/// # Errors
/// A message that names the file's actual type and a remedy.
pub(super) fn detect(first: &[u8]) -> Result<FileKind, String> {
    if let Some(kind) = capture_kind(first) {
        return Ok(kind);
    }
    match first {
        [] => {
            return Err("the file is empty: it has no capture file header; \
                 the program that writes it has failed, or has written nothing so far"
                .to_owned());
        }
        [0x1F, 0x8B, ..] => return Ok(FileKind::Compressed(Compression::Gzip)),
        // A zstd frame, or a skippable frame that may come before it.
        [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => {
            #[cfg(feature = "zstd")]
            return Ok(FileKind::Compressed(Compression::Zstd));
            #[cfg(not(feature = "zstd"))]
            return Err(
                "compressed with zstd, which this build of lcap cannot read: enable the \
                 feature `zstd` of the crate lcap, or decompress the file with `zstd -d FILE`"
                    .to_owned(),
            );
        }
        _ => {}
    }
    for (signature, name, remedy) in UNSUPPORTED_FORMATS {
        if first.starts_with(signature) {
            return Err(format!("{name}: {remedy}"));
        }
    }
    if first
        .iter()
        .all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n'))
    {
        return Err(
            "not a capture file (plain text); convert a hex dump with `text2pcap FILE out.pcap`"
                .to_owned(),
        );
    }
    Err(format!(
        "not a capture file (it starts with {}); \
         lcap reads pcap and pcapng, plain or compressed with gzip or zstd; \
         if Wireshark opens it, convert it with `editcap FILE out.pcap`",
        hex_prefix(first)
    ))
}

/// Detects the format of a capture that is not compressed, from its magic number.
#[inline(always)]
pub(super) fn capture_kind(first: &[u8]) -> Option<FileKind> {
    match first.first_chunk()? {
        [0xA1, 0xB2, 0xC3, 0xD4]
        | [0xD4, 0xC3, 0xB2, 0xA1]
        | [0xA1, 0xB2, 0x3C, 0x4D]
        | [0x4D, 0x3C, 0xB2, 0xA1]
        | [0xA1, 0xB2, 0xCD, 0x34]
        | [0x34, 0xCD, 0xB2, 0xA1] => Some(FileKind::Pcap),
        [0x0A, 0x0D, 0x0D, 0x0A] => Some(FileKind::PcapNg),
        _ => None,
    }
}

const CONVERT_REMEDY: &str = "convert it with `editcap FILE out.pcap`";

/// Formats that are detected but not read: first bytes, name, remedy.
const UNSUPPORTED_FORMATS: &[(&[u8], &str, &str)] = &[
    (b"snoop\0\0\0", "snoop format", CONVERT_REMEDY),
    (b"btsnoop\0", "btsnoop format (Bluetooth)", CONVERT_REMEDY),
    (
        b"RTSS",
        "Microsoft Network Monitor 1 format",
        CONVERT_REMEDY,
    ),
    (
        b"GMBU",
        "Microsoft Network Monitor 2 format",
        CONVERT_REMEDY,
    ),
    (b"TRSNIFF data", "Sniffer format", CONVERT_REMEDY),
    (b"XCP\0", "NetXRay format", CONVERT_REMEDY),
    (b"\x7Fver", "OmniPeek format", CONVERT_REMEDY),
    (b"iptrace ", "AIX iptrace format", CONVERT_REMEDY),
    (b"ObserverPktBuffe", "Observer format", CONVERT_REMEDY),
    (b"\xA1\x2B\x3C\x4D", "Navtel pcap format", CONVERT_REMEDY),
    (b"\x4D\x3C\x2B\xA1", "Navtel pcap format", CONVERT_REMEDY),
    (b"\x1C\x00\x01\xAC", "Ixia lcap format", CONVERT_REMEDY),
    (b"\xAC\x01\x00\x1C", "Ixia lcap format", CONVERT_REMEDY),
    (
        b"\x04\x22\x4D\x18",
        "compressed with lz4",
        "decompress it with `lz4 -dc FILE | lcap -r -`",
    ),
    (
        b"\xFD7zXZ\0",
        "compressed with xz",
        "decompress it with `xz -dc FILE | lcap -r -`",
    ),
    (
        b"BZh",
        "compressed with bzip2",
        "decompress it with `bzip2 -dc FILE | lcap -r -`",
    ),
    (
        b"\x1F\x9D",
        "compressed with compress",
        "decompress it with `gzip -dc FILE | lcap -r -`",
    ),
    (
        b"PK\x03\x04",
        "a ZIP archive",
        "decompress it with `unzip -p FILE | lcap -r -`",
    ),
    (
        b"7z\xBC\xAF\x27\x1C",
        "a 7-Zip archive",
        "decompress it with `7z x -so FILE | lcap -r -`",
    ),
];

fn hex_prefix(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    digits.join(" ")
}

#[cfg(test)]
mod tests {
    use super::{UNSUPPORTED_FORMATS, detect};

    #[test]
    fn unsupported_formats_are_named_with_a_remedy() {
        for (signature, name, remedy) in UNSUPPORTED_FORMATS {
            let what = detect(signature).unwrap_err();
            assert_eq!(what, format!("{name}: {remedy}"));
        }
        assert!(detect(b"").unwrap_err().contains("empty"));
        assert!(detect(b"0000  45 00").unwrap_err().contains("text2pcap"));
        assert!(
            detect(&[0, 1, 2, 3, 4])
                .unwrap_err()
                .contains("00 01 02 03")
        );
    }
}
