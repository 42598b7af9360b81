//! Capture files of every shape: byte orders, resolutions, sections, and damage at every byte.

use crate::craft::{Craft, ORDERS, Order, gzip, mapped, streamed, zstd};
use lcap::error::Error;
use lcap::packet::{LinkType, Resolution, Timestamp};
use lcap::source::Next;
use proptest::prelude::*;
use std::io::Cursor;

const MICROS: u32 = 0xA1B2_C3D4;
const NANOS: u32 = 0xA1B2_3C4D;
const KUZNETZOV: u32 = 0xA1B2_CD34;

#[test]
fn pcap_in_both_byte_orders_and_resolutions() {
    for order in ORDERS {
        for (magic, resolution, nanos) in [
            (MICROS, Resolution::Micro, 7_000_005_000),
            (NANOS, Resolution::Nano, 7_000_000_005),
        ] {
            let mut file = Craft::pcap(order, magic, (2, 4), 113);
            file.record((7, 5), 60, b"abc").record((8, 0), 0, b"");
            let whole = mapped(&file.bytes);
            assert_eq!(whole.complaint(), "");
            assert_eq!(whole.nanos(), [nanos, 8_000_000_000]);
            let first = &whole.frames[0];
            assert_eq!((first.number, first.wire_len), (1, 60));
            assert_eq!(first.bytes, b"abc");
            assert_eq!(first.link, LinkType::LINUX_SLL);
            assert_eq!(first.interface.resolution, resolution);
            assert_eq!(first.interface.snap_len, 65_535);
        }
    }
}

#[test]
fn kuznetzovs_records_have_longer_headers() {
    for order in ORDERS {
        let mut file = Craft::pcap(order, KUZNETZOV, (2, 4), 1);
        for data in [b"abc", b"def"] {
            file.u32(1).u32(2).u32(3).u32(60);
            file.u32(9).u16(8).raw(&[0, 0]).raw(data);
        }
        let whole = mapped(&file.bytes);
        assert_eq!(whole.complaint(), "");
        assert_eq!(whole.frames[1].bytes, b"def");
        assert_eq!(whole.frames[1].wire_len, 60);
    }
}

#[test]
fn pcap_numbers_at_their_edges() {
    let mut file = Craft::pcap(Order::Little, MICROS, (2, 4), 0x1400_0001);
    file.record(
        (u32::MAX, 999_999),
        1,
        b"after 2038, more captured than there was",
    );
    file.record((1, u32::MAX), u32::MAX, b"a fraction above one second");
    let whole = mapped(&file.bytes);
    assert_eq!(whole.complaint(), "");
    assert_eq!(
        whole.nanos(),
        [4_294_967_295_999_999_000, 4_295_967_295_000]
    );
    assert_eq!(whole.frames[0].wire_len, 1);
    assert_eq!(
        whole.frames[0].link,
        LinkType::ETHERNET,
        "bits of the frame check sequence"
    );

    // Packets as large as they may be, and one byte more.
    let mut file = Craft::pcap(Order::Big, MICROS, (2, 4), 1);
    file.record((0, 0), 0, &[1; 262_144]);
    assert_eq!(mapped(&file.bytes).frames.len(), 1);
    file.record((0, 0), 0, &[1; 262_145]);
    let whole = mapped(&file.bytes);
    assert_eq!(whole.frames.len(), 1);
    assert!(whole.complaint().contains("a packet of 262145 bytes"));
}

#[test]
fn old_pcap_versions_have_their_lengths_swapped() {
    for (version, first, second) in [((2, 2), 3, 40), ((2, 3), 3, 3), ((543, 0), 3, 40)] {
        let mut file = Craft::pcap(Order::Little, MICROS, version, 1);
        let (captured, original) = if first == second { (3, 40) } else { (40, 3) };
        file.u32(0).u32(0).u32(captured).u32(original).raw(b"abc");
        let whole = mapped(&file.bytes);
        assert_eq!(whole.complaint(), "", "{version:?}");
        assert_eq!(whole.frames[0].bytes, b"abc", "{version:?}");
        assert_eq!(whole.frames[0].wire_len, 40, "{version:?}");
    }
}

#[test]
fn what_is_no_capture_file_is_refused() {
    for (bytes, words) in [
        (Vec::new(), "empty"),
        (
            Craft::pcap(Order::Little, MICROS, (1, 4), 1).bytes,
            "version 1.4",
        ),
        (
            Craft::pcap(Order::Big, MICROS, (2, 5), 1).bytes,
            "version 2.5",
        ),
        (
            Craft::pcap(Order::Little, NANOS, (2, 4), 0x0030_0000).bytes,
            "reserved bits",
        ),
        (
            b"snoop\0\0\0\0\0\0\x02\0\0\0\x04".to_vec(),
            "snoop format: convert it",
        ),
        (gzip(b""), "empty"),
        (
            zstd(&gzip(&Craft::pcapng(Order::Big).bytes)),
            "packed twice, gzip inside",
        ),
    ] {
        for whole in [mapped(&bytes), streamed(&bytes, 5)] {
            assert!(matches!(whole.error, Some(Error::Format { .. })), "{words}");
            assert!(whole.complaint().contains(words), "{}", whole.complaint());
        }
    }
}

#[test]
fn pcapng_sections_have_their_own_byte_order_and_interfaces() {
    let mut file = Craft::pcapng(Order::Big);
    file.interface(1, 96, &[(2, b"lo\0"), (3, b"caf\xE9"), (9, &[9]), (0, b"")]);
    file.interface(101, 0, &[]);
    file.enhanced(0, 5, 1500, b"one", &[(1, b"comment")]);
    file.section(Order::Little);
    file.interface(0, 0, &[(9, &[0x80]), (14, &100_i64.to_le_bytes())]);
    file.enhanced(0, 5, 3, b"two", &[]);
    let whole = mapped(&file.bytes);
    assert_eq!(whole.complaint(), "");
    assert_eq!(whole.nanos(), [5, 105_000_000_000]);
    let [first, second] = &whole.frames[..] else {
        panic!("two frames, not {}", whole.frames.len());
    };
    assert_eq!(first.interface.id, 0);
    assert_eq!(first.interface.name.as_deref(), Some("lo"));
    assert_eq!(first.interface.description.as_deref(), Some("caf\u{FFFD}"));
    assert_eq!(first.interface.resolution, Resolution::Nano);
    assert_eq!(first.interface.snap_len, 96);
    assert_eq!(first.options, (b"\0\x01\0\x07comment\0".to_vec(), true));
    assert_eq!(first.wire_len, 1500);
    assert_eq!(second.interface.id, 2, "it counts on");
    assert_eq!(second.link, LinkType::NULL);
    assert_eq!(second.bytes, b"two");
    assert_eq!(second.options, (Vec::new(), false));
}

#[test]
fn interfaces_are_known_as_soon_as_they_are_read() {
    let file = Craft::pcap(Order::Big, MICROS, (2, 4), 276);
    let source = lcap::source::file::read("empty", Cursor::new(file.bytes)).unwrap();
    let links: Vec<LinkType> = source.interfaces().map(|about| about.link).collect();
    assert_eq!(links, [LinkType::LINUX_SLL2]);

    let mut file = Craft::pcapng(Order::Big);
    file.interface(1, 0, &[]).interface(101, 0, &[]);
    let mut source = lcap::source::file::read("empty", Cursor::new(file.bytes)).unwrap();
    assert_eq!(source.interfaces().count(), 0);
    assert!(matches!(source.next(), Ok(Next::End)));
    let links: Vec<LinkType> = source.interfaces().map(|about| about.link).collect();
    assert_eq!(links, [LinkType::ETHERNET, LinkType::RAW]);
}

#[test]
fn simple_obsolete_and_other_blocks() {
    let mut file = Craft::pcapng(Order::Little);
    file.interface(1, 6, &[]);
    // Simple: cut by the snap length, shorter than it, and cut short of its padding by the writer.
    for (original, data) in [(100, &b"abcdefgh"[..]), (5, b"abcde\0\0\0"), (100, b"abcd")] {
        let mut body = file.body();
        body.u32(original).raw(data);
        file.block(3, &body.bytes);
    }
    let mut body = file.body();
    body.u16(0).u16(7).u32(0).u32(1).u32(2).u32(40);
    body.raw(b"hi\0\0").raw(b"options!");
    file.block(2, &body.bytes);
    for kind in [4, 5, 9, 10, 0xBAD, 0x4000_0BAD, 0x8000_0001] {
        file.block(kind, b"whatever");
    }
    let whole = mapped(&file.bytes);
    assert_eq!(whole.complaint(), "");
    let data: Vec<&[u8]> = whole.frames.iter().map(|frame| &frame.bytes[..]).collect();
    assert_eq!(data, [&b"abcdef"[..], b"abcde", b"abcd", b"hi"]);
    assert_eq!(whole.frames[0].nanos, Timestamp::UNKNOWN.0);
    assert_eq!(whole.frames[3].nanos, 1000);
    assert_eq!(whole.frames[3].options.0, b"options!");
    assert_eq!(whole.losses.skipped_blocks, 7);
}

#[test]
fn broken_pcapng_is_told_after_the_frames_before_it() {
    for order in ORDERS {
        let mut good = Craft::pcapng(order);
        good.interface(1, 0, &[]).enhanced(0, 5, 3, b"one", &[]);
        let mut broken = [(); 8].map(|()| good.clone());
        broken[0].enhanced(1, 0, 0, b"", &[]);
        broken[1].section(order).enhanced(0, 0, 0, b"", &[]);
        broken[2].section(order).block(3, b"1234abcd");
        broken[3].block(6, b"much too short!!");
        broken[4].u32(5).u32(16).raw(b"body").u32(20);
        broken[5].u32(5).u32(8).raw(b"body");
        broken[6].u32(5).u32(1 << 30).raw(b"body");
        broken[7].u32(0x0A0D_0D0A).u32(28).raw(&[0; 20]).u32(28);
        let words = [
            "interface 1, and the section has described 1",
            "interface 0, and the section has described 0",
            "interface 0, and the section has described 0",
            "a packet block",
            "16 bytes by the length before it and 20",
            "a block of 8 bytes",
            "a block of 1073741824 bytes",
            "byte order mark",
        ];
        for (file, words) in broken.iter().zip(words) {
            for whole in [mapped(&file.bytes), streamed(&file.bytes, 3)] {
                assert_eq!(whole.frames.len(), 1, "{words}");
                assert!(whole.complaint().contains(words), "{}", whole.complaint());
                let Some(Error::Damaged {
                    offset, packets, ..
                }) = whole.error
                else {
                    panic!("{:?}", whole.error);
                };
                assert!(offset >= good.bytes.len() as u64);
                assert_eq!(packets, 1);
            }
        }
    }
}

#[test]
fn a_block_length_that_is_no_multiple_of_four_is_rounded_up() {
    let mut file = Craft::pcapng(Order::Little);
    file.interface(1, 0, &[]);
    file.u32(6).u32(35).u32(0).u32(0).u32(0).u32(3).u32(3);
    file.raw(b"abc\0").u32(35).enhanced(0, 0, 3, b"two", &[]);
    let whole = mapped(&file.bytes);
    assert_eq!(whole.complaint(), "");
    assert_eq!(whole.frames[1].bytes, b"two");
}

/// Every frame before the cut comes; a cut between records is an end, and any other is damage.
#[test]
fn cut_at_every_byte() {
    let mut pcap = Craft::pcap(Order::Little, MICROS, (2, 4), 1);
    let mut pcapng = Craft::pcapng(Order::Big);
    let mut kuznetzov = Craft::pcap(Order::Big, KUZNETZOV, (2, 4), 1);
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
        pcapng.enhanced(0, 1, 60, &data, &[(1, b"hello")]);
        kuznetzov.u32(1).u32(2).u32(u32::from(length)).u32(60);
        kuznetzov.raw(&[0; 8]).raw(&data);
        for ((_, ends), made) in files.iter_mut().zip([&pcap, &pcapng, &kuznetzov]) {
            ends.push(made.bytes.len());
        }
    }
    for ((boundaries, ends), made) in files.iter().zip([pcap, pcapng, kuznetzov]) {
        for cut in 0..=made.bytes.len() {
            let expected = ends.iter().filter(|end| **end <= cut).count();
            let clean = boundaries.contains(&cut) || ends.contains(&cut);
            for whole in [mapped(&made.bytes[..cut]), streamed(&made.bytes[..cut], 7)] {
                assert_eq!(whole.frames.len(), expected, "cut at {cut}");
                assert_eq!(whole.error.is_none(), clean, "cut at {cut}");
                if cut >= 4 && !clean {
                    let complaint = whole.complaint();
                    assert!(complaint.contains("the file ends inside"), "{complaint}");
                }
            }
        }
    }
}

/// Files that are almost right: good ones with a few bytes changed, cut out or put in.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..6);
    (0..4_usize, edits).prop_map(|(which, edits)| {
        let order = ORDERS[which % 2];
        let mut file = Craft::pcap(order, NANOS, (2, 4), 1);
        if which < 2 {
            file = Craft::pcapng(order);
            file.interface(1, 0, &[(2, b"lo"), (9, &[0x8A]), (14, &[1; 8])]);
            file.enhanced(0, 1 << 40, 60, b"abc", &[(1, b"x")]);
            file.block(3, b"\0\0\0\x04abcd").block(5, b"1234");
            file.section(ORDERS[(which + 1) % 2]).interface(1, 0, &[]);
            file.enhanced(0, 1, 60, b"defgh", &[]);
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
    fn every_way_in_reads_the_same(bytes in mutated(), portion in 1..200_usize) {
        let expected = mapped(&bytes);
        let halves = bytes.split_at(bytes.len() / 2);
        let members = [gzip(halves.0), gzip(halves.1)].concat();
        let frames = [zstd(halves.0), zstd(halves.1)].concat();
        for (way, whole) in [
            ("portions", streamed(&bytes, portion)),
            ("bytes", streamed(&bytes, 1)),
            ("gzip", mapped(&members)),
            ("gzip in portions", streamed(&members, portion)),
            ("zstd", mapped(&frames)),
            ("zstd in portions", streamed(&frames, portion)),
        ] {
            prop_assert_eq!(&whole.frames, &expected.frames, "{}", way);
            prop_assert_eq!(whole.losses, expected.losses, "{}", way);
            let words = |complaint: String| complaint.split_once(": ").map(|(_, what)| what.to_owned());
            prop_assert_eq!(words(whole.complaint()), words(expected.complaint()), "{}", way);
        }
    }
}
