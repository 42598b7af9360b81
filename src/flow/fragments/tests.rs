//! Tests of fragment reassembly: order, overlaps and limits.

use super::*;

fn id(id: u32) -> DatagramId {
    let localhost = std::net::Ipv4Addr::LOCALHOST.into();
    DatagramId {
        src: localhost,
        dst: localhost,
        proto: 17,
        id,
    }
}

fn add(
    fragments: &mut FragmentReassembler,
    n: u32,
    offset: u32,
    bytes: &[u8],
    more: bool,
) -> Option<Vec<u8>> {
    let fragment = Fragment {
        id: n,
        offset,
        more_fragments: more,
    };
    let len = bytes.len() as u32;
    let whole = fragments.add_part(id(n), fragment, Payload { bytes, len }, (60, 20), None, 0)?;
    assert_eq!((whole.wire_len % 60, whole.header_len), (0, 20));
    Some(whole.bytes[20..].to_vec())
}

#[test]
fn fragments_in_any_order_keep_the_first_copy() {
    let mut fragments = FragmentReassembler::default();
    assert_eq!(add(&mut fragments, 1, 16, b"last", false), None);
    assert_eq!(add(&mut fragments, 2, 0, b"other...", true), None);
    assert_eq!(add(&mut fragments, 1, 8, b"middle..", true), None);
    // Overlaps the next fragment.
    let whole = add(&mut fragments, 1, 0, b"begin...MIDDLE", true);
    assert_eq!(whole.as_deref(), Some(&b"begin...middle..last"[..]));
    assert_eq!((fragments.pending.len(), fragments.incomplete), (1, 0));
}

#[test]
fn incomplete_datagrams_are_dropped_and_counted() {
    let mut fragments = FragmentReassembler::default();
    let large = vec![0; 60_000];
    for n in 0..1000 {
        assert_eq!(add(&mut fragments, n, 8, &large[..5000], true), None);
    }
    assert!(fragments.buffered_bytes <= MAX_FRAGMENT_BYTES);
    let late = Fragment {
        id: 9,
        offset: 0,
        more_fragments: true,
    };
    let payload = Payload {
        bytes: b"late....",
        len: 8,
    };
    fragments.add_part(
        id(5000),
        late,
        payload,
        (60, 20),
        None,
        REASSEMBLY_TIMEOUT_NS + 1,
    );
    assert_eq!(fragments.pending.len(), 1);
    assert_eq!(fragments.incomplete, 1000);
    let cut = Payload {
        bytes: b"cut",
        len: 8,
    };
    assert!(
        fragments
            .add_part(
                id(5000),
                late,
                cut,
                (60, 20),
                None,
                REASSEMBLY_TIMEOUT_NS + 1
            )
            .is_none()
    );
    fragments.drop_all();
    assert_eq!((fragments.incomplete, fragments.buffered_bytes), (1001, 0));
}

#[test]
fn a_datagram_beyond_65535_bytes_is_dropped() {
    let mut fragments = FragmentReassembler::default();
    assert_eq!(add(&mut fragments, 1, 65_528, b"too much", false), None);
    fragments.drop_all();
    assert_eq!(fragments.incomplete, 1);
}
