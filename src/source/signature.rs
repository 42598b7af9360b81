//! What a file is, by its first bytes and never by its name: pcap-savefile(5), draft-ietf-opsawg-pcapng, RFC 1952 (gzip), RFC 8878 (zstd).

/// The most bytes that [`recognise`] looks at. Every whole file of a kind that lcap reads has more of them, or shows them all.
pub(super) const LENGTH: usize = 16;

/// What lcap reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A pcap file: records.
    Pcap,
    /// A pcapng file: blocks.
    PcapNg,
    /// Something compressed.
    Compressed(Compression),
}

/// How something is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Compression {
    /// As the user knows it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        }
    }
}

/// What begins with `first`: the file's first [`LENGTH`] bytes, or all of them if it has fewer.
///
/// # Errors
/// What it is instead and what to do, in words.
pub(super) fn recognise(first: &[u8]) -> Result<Kind, String> {
    match first {
        [] => {
            return Err(
                "empty: there is not even the header that every capture file has; \
                            whoever wrote it has not begun, or could not"
                    .to_owned(),
            );
        }
        [0xA1, 0xB2, 0xC3, 0xD4, ..]
        | [0xD4, 0xC3, 0xB2, 0xA1, ..]
        | [0xA1, 0xB2, 0x3C, 0x4D, ..]
        | [0x4D, 0x3C, 0xB2, 0xA1, ..]
        | [0xA1, 0xB2, 0xCD, 0x34, ..]
        | [0x34, 0xCD, 0xB2, 0xA1, ..] => return Ok(Kind::Pcap),
        [0x0A, 0x0D, 0x0D, 0x0A, ..] => return Ok(Kind::PcapNg),
        [0x1F, 0x8B, ..] => return Ok(Kind::Compressed(Compression::Gzip)),
        // A frame, or one that is to be skipped and may stand before it.
        [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => {
            return Ok(Kind::Compressed(Compression::Zstd));
        }
        _ => {}
    }
    for (signature, name, remedy) in FOREIGN {
        if first.starts_with(signature) {
            return Err(format!("{name}: {remedy}"));
        }
    }
    if first
        .iter()
        .all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n'))
    {
        return Err(
            "text, no capture file: if it is a hex dump, `text2pcap FILE out.pcap` makes a capture of it"
                .to_owned(),
        );
    }
    Err(format!(
        "not a capture file: it begins with {}, and lcap reads pcap and pcapng, as they are or packed by gzip or zstd; \
         if Wireshark reads it, `editcap FILE out.pcap` converts it",
        hexadecimal(first)
    ))
}

const CONVERT: &str = "convert it with `editcap FILE out.pcap`";

/// What is known and not read: first bytes, name, remedy.
const FOREIGN: &[(&[u8], &str, &str)] = &[
    (b"snoop\0\0\0", "snoop format", CONVERT),
    (b"btsnoop\0", "btsnoop format (Bluetooth)", CONVERT),
    (b"RTSS", "Microsoft Network Monitor 1 format", CONVERT),
    (b"GMBU", "Microsoft Network Monitor 2 format", CONVERT),
    (b"TRSNIFF data", "Sniffer format", CONVERT),
    (b"XCP\0", "NetXRay format", CONVERT),
    (b"\x7Fver", "OmniPeek format", CONVERT),
    (b"iptrace ", "AIX iptrace format", CONVERT),
    (b"ObserverPktBuffe", "Observer format", CONVERT),
    (b"\xA1\x2B\x3C\x4D", "Navtel pcap format", CONVERT),
    (b"\x4D\x3C\x2B\xA1", "Navtel pcap format", CONVERT),
    (b"\x1C\x00\x01\xAC", "Ixia lcap format", CONVERT),
    (b"\xAC\x01\x00\x1C", "Ixia lcap format", CONVERT),
    (
        b"\x04\x22\x4D\x18",
        "packed by lz4",
        "unpack it with `lz4 -dc FILE | lcap -r -`",
    ),
    (
        b"\xFD7zXZ\0",
        "packed by xz",
        "unpack it with `xz -dc FILE | lcap -r -`",
    ),
    (
        b"BZh",
        "packed by bzip2",
        "unpack it with `bzip2 -dc FILE | lcap -r -`",
    ),
    (
        b"\x1F\x9D",
        "packed by compress",
        "unpack it with `gzip -dc FILE | lcap -r -`",
    ),
    (
        b"PK\x03\x04",
        "a ZIP archive",
        "unpack it with `unzip -p FILE | lcap -r -`",
    ),
    (
        b"7z\xBC\xAF\x27\x1C",
        "a 7-Zip archive",
        "unpack it with `7z x -so FILE | lcap -r -`",
    ),
];

fn hexadecimal(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    digits.join(" ")
}

#[cfg(test)]
mod tests {
    use super::{FOREIGN, recognise};

    #[test]
    fn other_formats_are_refused_by_name_with_what_to_do() {
        for (signature, name, remedy) in FOREIGN {
            let what = recognise(signature).unwrap_err();
            assert_eq!(what, format!("{name}: {remedy}"));
        }
        assert!(recognise(b"").unwrap_err().starts_with("empty"));
        assert!(recognise(b"0000  45 00").unwrap_err().contains("text2pcap"));
        assert!(
            recognise(&[0, 1, 2, 3, 4])
                .unwrap_err()
                .contains("00 01 02 03")
        );
    }
}
