//! Capture files of every shape: byte orders, resolutions, sections, and damage at every byte.

use crate::craft::{
    BYTE_ORDERS, ByteOrder, CaptureBuilder, gzip, read_stored, read_streamed, zstd,
};
use lcap::internals::error::Error;
use lcap::internals::packet::{LinkType, Resolution, Timestamp};
use lcap::internals::source::SourceEvent;
use proptest::prelude::*;
use std::io::Cursor;

const MAGIC_MICROS: u32 = 0xA1B2_C3D4;
const MAGIC_NANOS: u32 = 0xA1B2_3C4D;
const MAGIC_KUZNETZOV: u32 = 0xA1B2_CD34;

#[test]
fn pcap_is_read_in_both_byte_orders_and_resolutions() {
    for order in BYTE_ORDERS {
        for (magic, resolution, nanos) in [
            (MAGIC_MICROS, Resolution::Micro, 7_000_005_000),
            (MAGIC_NANOS, Resolution::Nano, 7_000_000_005),
        ] {
            let mut file = CaptureBuilder::pcap(order, magic, (2, 4), 113);
            file.record((7, 5), 60, b"abc").record((8, 0), 0, b"");
            let contents = read_stored(&file.bytes);
            assert_eq!(contents.error_text(), "");
            assert_eq!(contents.nanos(), [nanos, 8_000_000_000]);
            let first = &contents.frames[0];
            assert_eq!((first.number, first.wire_len), (1, 60));
            assert_eq!(first.bytes, b"abc");
            assert_eq!(first.link, LinkType::LINUX_SLL);
            assert_eq!(first.interface.resolution, resolution);
            assert_eq!(first.interface.snap_len, 65_535);
        }
    }
}

#[test]
fn records_of_the_kuznetzov_variant_are_read() {
    for order in BYTE_ORDERS {
        let mut file = CaptureBuilder::pcap(order, MAGIC_KUZNETZOV, (2, 4), 1);
        for data in [b"abc", b"def"] {
            file.u32(1).u32(2).u32(3).u32(60);
            file.u32(9).u16(8).raw(&[0, 0]).raw(data);
        }
        let contents = read_stored(&file.bytes);
        assert_eq!(contents.error_text(), "");
        assert_eq!(contents.frames[1].bytes, b"def");
        assert_eq!(contents.frames[1].wire_len, 60);
    }
}

#[test]
fn pcap_fields_at_their_limits_are_read() {
    let mut file = CaptureBuilder::pcap(ByteOrder::Little, MAGIC_MICROS, (2, 4), 0x1400_0001);
    file.record(
        (u32::MAX, 999_999),
        1,
        b"after 2038, more captured than there was",
    );
    file.record((1, u32::MAX), u32::MAX, b"a fraction above one second");
    let contents = read_stored(&file.bytes);
    assert_eq!(contents.error_text(), "");
    assert_eq!(
        contents.nanos(),
        [4_294_967_295_999_999_000, 4_295_967_295_000]
    );
    assert_eq!(contents.frames[0].wire_len, 1);
    assert_eq!(
        contents.frames[0].link,
        LinkType::ETHERNET,
        "bits of the frame check sequence"
    );

    // Packets of the maximum length, and one byte more.
    let mut file = CaptureBuilder::pcap(ByteOrder::Big, MAGIC_MICROS, (2, 4), 1);
    file.record((0, 0), 0, &[1; 262_144]);
    assert_eq!(read_stored(&file.bytes).frames.len(), 1);
    file.record((0, 0), 0, &[1; 262_145]);
    let contents = read_stored(&file.bytes);
    assert_eq!(contents.frames.len(), 1);
    assert!(
        contents
            .error_text()
            .contains("a captured length of 262145 bytes")
    );
}

#[test]
fn swapped_lengths_of_old_pcap_versions_are_read() {
    for (version, first, second) in [((2, 2), 3, 40), ((2, 3), 3, 3), ((543, 0), 3, 40)] {
        let mut file = CaptureBuilder::pcap(ByteOrder::Little, MAGIC_MICROS, version, 1);
        let (captured, original) = if first == second { (3, 40) } else { (40, 3) };
        file.u32(0).u32(0).u32(captured).u32(original).raw(b"abc");
        let contents = read_stored(&file.bytes);
        assert_eq!(contents.error_text(), "", "{version:?}");
        assert_eq!(contents.frames[0].bytes, b"abc", "{version:?}");
        assert_eq!(contents.frames[0].wire_len, 40, "{version:?}");
    }
}

#[test]
fn files_of_other_formats_are_rejected() {
    for (bytes, message) in [
        (Vec::new(), "empty"),
        (
            CaptureBuilder::pcap(ByteOrder::Little, MAGIC_MICROS, (1, 4), 1).bytes,
            "pcap version 1.4",
        ),
        (
            CaptureBuilder::pcap(ByteOrder::Big, MAGIC_MICROS, (2, 5), 1).bytes,
            "pcap version 2.5",
        ),
        (
            CaptureBuilder::pcap(ByteOrder::Little, MAGIC_NANOS, (2, 4), 0x0030_0000).bytes,
            "reserved bits",
        ),
        (
            b"snoop\0\0\0\0\0\0\x02\0\0\0\x04".to_vec(),
            "snoop format: convert it",
        ),
        (gzip(b""), "empty"),
        (
            zstd(&gzip(&CaptureBuilder::pcapng(ByteOrder::Big).bytes)),
            "compressed twice, with gzip inside",
        ),
    ] {
        for contents in [read_stored(&bytes), read_streamed(&bytes, 5)] {
            assert!(
                matches!(contents.error, Some(Error::Format { .. })),
                "{message}"
            );
            assert!(
                contents.error_text().contains(message),
                "{}",
                contents.error_text()
            );
        }
    }
}

#[test]
fn pcapng_sections_have_their_own_byte_order_and_interfaces() {
    let mut file = CaptureBuilder::pcapng(ByteOrder::Big);
    file.interface(1, 96, &[(2, b"lo\0"), (3, b"caf\xE9"), (9, &[9]), (0, b"")]);
    file.interface(101, 0, &[]);
    file.enhanced_packet(0, 5, 1500, b"one", &[(1, b"comment")]);
    file.section(ByteOrder::Little);
    file.interface(0, 0, &[(9, &[0x80]), (14, &100_i64.to_le_bytes())]);
    file.enhanced_packet(0, 5, 3, b"two", &[]);
    let contents = read_stored(&file.bytes);
    assert_eq!(contents.error_text(), "");
    assert_eq!(contents.nanos(), [5, 105_000_000_000]);
    let [first, second] = &contents.frames[..] else {
        panic!("two frames, not {}", contents.frames.len());
    };
    assert_eq!(first.interface.id, 0);
    assert_eq!(first.interface.name.as_deref(), Some("lo"));
    assert_eq!(first.interface.description.as_deref(), Some("caf\u{FFFD}"));
    assert_eq!(first.interface.resolution, Resolution::Nano);
    assert_eq!(first.interface.snap_len, 96);
    assert_eq!(first.options, (b"\0\x01\0\x07comment\0".to_vec(), true));
    assert_eq!(first.wire_len, 1500);
    assert_eq!(second.interface.id, 2, "numbered across sections");
    assert_eq!(second.link, LinkType::NULL);
    assert_eq!(second.bytes, b"two");
    assert_eq!(second.options, (Vec::new(), false));
}

#[test]
fn interfaces_are_listed_as_they_are_read() {
    let file = CaptureBuilder::pcap(ByteOrder::Big, MAGIC_MICROS, (2, 4), 276);
    let source = lcap::internals::source::file::read("empty", Cursor::new(file.bytes)).unwrap();
    let links: Vec<LinkType> = source
        .interfaces()
        .iter()
        .map(|interface| interface.link)
        .collect();
    assert_eq!(links, [LinkType::LINUX_SLL2]);

    let mut file = CaptureBuilder::pcapng(ByteOrder::Big);
    file.interface(1, 0, &[]).interface(101, 0, &[]);
    let mut source = lcap::internals::source::file::read("empty", Cursor::new(file.bytes)).unwrap();
    assert_eq!(source.interfaces().len(), 0);
    assert!(matches!(source.next(), Ok(SourceEvent::End)));
    let links: Vec<LinkType> = source
        .interfaces()
        .iter()
        .map(|interface| interface.link)
        .collect();
    assert_eq!(links, [LinkType::ETHERNET, LinkType::RAW]);
}

#[test]
fn simple_and_obsolete_packet_blocks_are_read_and_others_skipped() {
    let mut file = CaptureBuilder::pcapng(ByteOrder::Little);
    file.interface(1, 6, &[]);
    // Simple packet blocks: cut by the snapshot length, shorter than it, and written without
    // padding.
    for (original, data) in [(100, &b"abcdefgh"[..]), (5, b"abcde\0\0\0"), (100, b"abcd")] {
        let mut body = file.empty_body();
        body.u32(original).raw(data);
        file.block(3, &body.bytes);
    }
    let mut body = file.empty_body();
    body.u16(0).u16(7).u32(0).u32(1).u32(2).u32(40);
    body.raw(b"hi\0\0").raw(b"options!");
    file.block(2, &body.bytes);
    for kind in [4, 5, 9, 10, 0xBAD, 0x4000_0BAD, 0x8000_0001] {
        file.block(kind, b"whatever");
    }
    let contents = read_stored(&file.bytes);
    assert_eq!(contents.error_text(), "");
    let data: Vec<&[u8]> = contents
        .frames
        .iter()
        .map(|frame| &frame.bytes[..])
        .collect();
    assert_eq!(data, [&b"abcdef"[..], b"abcde", b"abcd", b"hi"]);
    assert_eq!(contents.frames[0].nanos, Timestamp::ABSENT.0);
    assert_eq!(contents.frames[3].nanos, 1000);
    assert_eq!(contents.frames[3].options.0, b"options!");
    assert_eq!(contents.losses.skipped_blocks, 7);
}

#[test]
fn broken_pcapng_is_reported_after_the_frames_before_it() {
    for order in BYTE_ORDERS {
        let mut good = CaptureBuilder::pcapng(order);
        good.interface(1, 0, &[])
            .enhanced_packet(0, 5, 3, b"one", &[]);
        let mut broken = [(); 8].map(|()| good.clone());
        broken[0].enhanced_packet(1, 0, 0, b"", &[]);
        broken[1].section(order).enhanced_packet(0, 0, 0, b"", &[]);
        broken[2].section(order).block(3, b"1234abcd");
        broken[3].block(6, b"much too short!!");
        broken[4].u32(5).u32(16).raw(b"body").u32(20);
        broken[5].u32(5).u32(8).raw(b"body");
        broken[6].u32(5).u32(1 << 30).raw(b"body");
        broken[7].u32(0x0A0D_0D0A).u32(28).raw(&[0; 20]).u32(28);
        let messages = [
            "interface 1, but the section describes only 1",
            "interface 0, but the section describes only 0",
            "interface 0, but the section describes only 0",
            "a packet block",
            "16 before its body and 20 after it",
            "a block length of 8 bytes",
            "a block length of 1073741824 bytes",
            "byte-order magic",
        ];
        for (file, message) in broken.iter().zip(messages) {
            for contents in [read_stored(&file.bytes), read_streamed(&file.bytes, 3)] {
                assert_eq!(contents.frames.len(), 1, "{message}");
                assert!(
                    contents.error_text().contains(message),
                    "{}",
                    contents.error_text()
                );
                let Some(Error::Damaged {
                    offset, packets, ..
                }) = contents.error
                else {
                    panic!("{:?}", contents.error);
                };
                assert!(offset >= good.bytes.len() as u64);
                assert_eq!(packets, 1);
            }
        }
    }
}

#[test]
fn block_lengths_that_are_not_a_multiple_of_four_are_rounded_up() {
    let mut file = CaptureBuilder::pcapng(ByteOrder::Little);
    file.interface(1, 0, &[]);
    file.u32(6).u32(35).u32(0).u32(0).u32(0).u32(3).u32(3);
    file.raw(b"abc\0")
        .u32(35)
        .enhanced_packet(0, 0, 3, b"two", &[]);
    let contents = read_stored(&file.bytes);
    assert_eq!(contents.error_text(), "");
    assert_eq!(contents.frames[1].bytes, b"two");
}

/// Every frame before the cut is returned; a cut between records is a normal end, any other is
/// damage.
#[test]
fn a_truncated_file_returns_every_frame_before_the_cut() {
    let mut pcap = CaptureBuilder::pcap(ByteOrder::Little, MAGIC_MICROS, (2, 4), 1);
    let mut pcapng = CaptureBuilder::pcapng(ByteOrder::Big);
    let mut kuznetzov = CaptureBuilder::pcap(ByteOrder::Big, MAGIC_KUZNETZOV, (2, 4), 1);
    let mut files = [
        (vec![pcap.bytes.len()], Vec::new()),
        (vec![pcapng.bytes.len()], Vec::new()),
        (vec![kuznetzov.bytes.len()], Vec::new()),
    ];
    pcapng.interface(1, 0, &[(2, b"lo")]);
    files[1].0.push(pcapng.bytes.len());
    for length in 0..5_u8 {
        let data = vec![length; usize::from(length)];
        pcap.record((1, 2), 60, &data);
        pcapng.enhanced_packet(0, 1, 60, &data, &[(1, b"hello")]);
        kuznetzov.u32(1).u32(2).u32(u32::from(length)).u32(60);
        kuznetzov.raw(&[0; 8]).raw(&data);
        for ((_, ends), builder) in files.iter_mut().zip([&pcap, &pcapng, &kuznetzov]) {
            ends.push(builder.bytes.len());
        }
    }
    for ((boundaries, ends), builder) in files.iter().zip([pcap, pcapng, kuznetzov]) {
        for cut in 0..=builder.bytes.len() {
            let expected = ends.iter().filter(|end| **end <= cut).count();
            let clean = boundaries.contains(&cut) || ends.contains(&cut);
            for contents in [
                read_stored(&builder.bytes[..cut]),
                read_streamed(&builder.bytes[..cut], 7),
            ] {
                assert_eq!(contents.frames.len(), expected, "cut at {cut}");
                assert_eq!(contents.error.is_none(), clean, "cut at {cut}");
                if cut >= 4 && !clean {
                    let error = contents.error_text();
                    assert!(error.contains("the file ends inside"), "{error}");
                }
            }
        }
    }
}

/// Almost valid files: valid ones with a few bytes changed, removed or inserted.
fn mutated_files() -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..6);
    (0..4_usize, edits).prop_map(|(which, edits)| {
        let order = BYTE_ORDERS[which % 2];
        let mut file = CaptureBuilder::pcap(order, MAGIC_NANOS, (2, 4), 1);
        if which < 2 {
            file = CaptureBuilder::pcapng(order);
            file.interface(1, 0, &[(2, b"lo"), (9, &[0x8A]), (14, &[1; 8])]);
            file.enhanced_packet(0, 1 << 40, 60, b"abc", &[(1, b"x")]);
            file.block(3, b"\0\0\0\x04abcd").block(5, b"1234");
            file.section(BYTE_ORDERS[(which + 1) % 2])
                .interface(1, 0, &[]);
            file.enhanced_packet(0, 1, 60, b"defgh", &[]);
        } else {
            file.record((1, 2), 60, b"abc").record((3, 4), 60, b"defgh");
        }
        for (at, byte, edit) in edits {
            let at = at.index(file.bytes.len());
            match edit {
                0 => file.bytes[at] = byte,
                1 => {
                    file.bytes.remove(at);
                }
                _ => file.bytes.insert(at, byte),
            }
        }
        file.bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn all_readers_return_the_same_frames(bytes in mutated_files(), read_size in 1..200_usize) {
        let expected = read_stored(&bytes);
        let halves = bytes.split_at(bytes.len() / 2);
        let members = [gzip(halves.0), gzip(halves.1)].concat();
        let frames = [zstd(halves.0), zstd(halves.1)].concat();
        for (reader, contents) in [
            ("stream", read_streamed(&bytes, read_size)),
            ("stream of single bytes", read_streamed(&bytes, 1)),
            ("gzip", read_stored(&members)),
            ("gzip stream", read_streamed(&members, read_size)),
            ("zstd", read_stored(&frames)),
            ("zstd stream", read_streamed(&frames, read_size)),
        ] {
            prop_assert_eq!(&contents.frames, &expected.frames, "{}", reader);
            prop_assert_eq!(contents.losses, expected.losses, "{}", reader);
            let message = |error: String| {
                error.split_once(": ").map(|(_, message)| message.to_owned())
            };
            let (actual, expected) = (contents.error_text(), expected.error_text());
            prop_assert_eq!(message(actual), message(expected), "{}", reader);
        }
    }
}
