//! Tests of the netlink messages, with valid and with arbitrary input.

use super::*;
use proptest::prelude::*;

/// Datagrams with many zeros and small numbers: lengths are often plausible.
pub(in crate::host) fn datagrams() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![4 => Just(0), 3 => 0..40_u8, 1 => any::<u8>()];
    prop::collection::vec(byte, 0..200)
}

/// Encodes an attribute, padded to the next multiple of 4 bytes.
fn encode_attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = ATTRIBUTE_HEADER_LEN + value.len();
    let mut bytes = Vec::new();
    bytes.extend((len as u16).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(len.next_multiple_of(ALIGNMENT), 0);
    bytes
}

/// Encodes messages, and pads all but the last one.
fn encode_all(encoded: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in encoded {
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        bytes.extend(message);
    }
    bytes
}

/// Asserts that parts lie inside a slice, in order and without overlap.
fn assert_inside<'a>(whole: &[u8], parts: impl Iterator<Item = &'a [u8]>) {
    let mut free = whole.as_ptr_range();
    for part in parts {
        let part = part.as_ptr_range();
        assert!(free.start <= part.start && part.end <= free.end);
        free.start = part.end;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn messages_and_attributes_of_arbitrary_input_lie_inside_it(datagram in datagrams()) {
        let all: Vec<_> = messages(&datagram).collect();
        assert_inside(&datagram, all.iter().flatten().map(|message| message.body));
        // Only the last message can be an error.
        let errors = all.iter().rev().skip(1).filter(|message| message.is_err());
        prop_assert_eq!(errors.count(), 0);
        assert_inside(&datagram, attributes(&datagram).map(|(_, value)| value));
        for start in [0, 16, 300] {
            let value = attribute(&datagram, start, 3);
            assert_inside(&datagram, value.into_iter());
        }
    }

    #[test]
    fn reply_of_arbitrary_input_is_read_or_rejected(datagram in datagrams()) {
        let mut len = 0;
        let _ = read_reply(&datagram, &mut |body| len += HEADER_LEN + body.len());
        prop_assert!(len <= datagram.len());
    }

    #[test]
    fn encoded_messages_are_parsed(
        sent in prop::collection::vec((any::<u16>(), any::<u16>(), datagrams()), 0..4),
    ) {
        let datagram = encode_all(sent.iter().map(|(kind, flags, body)| encode(*kind, *flags, body)));
        let received: Vec<_> = messages(&datagram).collect::<io::Result<_>>().expect("messages");
        let expected: Vec<_> = sent
            .iter()
            .map(|(kind, flags, body)| Message { kind: *kind, flags: *flags, body })
            .collect();
        prop_assert_eq!(received, expected);
    }

    #[test]
    fn truncated_datagram_ends_with_an_error(body in datagrams(), len in 1..200_usize) {
        let mut datagram = encode(16, 0, &body);
        prop_assume!(len < datagram.len());
        datagram.truncate(len);
        let results: Vec<_> = messages(&datagram).map(|message| message.is_ok()).collect();
        prop_assert_eq!(results, [false]);
        let error = read_reply(&datagram, &mut |_| {}).expect_err("truncated");
        prop_assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn encoded_attributes_are_found(first in datagrams(), second in datagrams()) {
        let mut body = vec![7; 8];
        body.extend(encode_attribute(1, &first));
        body.extend(encode_attribute(2 | 1 << 15, &second));
        prop_assert_eq!(attribute(&body, 8, 1), Some(&first[..]));
        prop_assert_eq!(attribute(&body, 8, 2), Some(&second[..]));
        prop_assert_eq!(attribute(&body, 8, 3), None);
    }
}

#[test]
fn reply_ends_with_its_last_message() {
    let object = |flags| encode(20, flags, &[1]);
    let status = |kind, number: i32| encode(kind, 0, &number.to_ne_bytes());
    for (encoded, expected, objects) in [
        (vec![object(0)], Ok(Reply::Complete), 1),
        (vec![object(NLM_F_MULTI); 2], Ok(Reply::Continues), 2),
        (
            vec![object(NLM_F_MULTI), status(NLMSG_DONE, 0)],
            Ok(Reply::Complete),
            1,
        ),
        (vec![status(NLMSG_ERROR, 0)], Ok(Reply::Complete), 0),
        (
            vec![status(NLMSG_ERROR, -2)],
            Err(io::ErrorKind::NotFound),
            0,
        ),
        (
            vec![status(NLMSG_DONE, -1)],
            Err(io::ErrorKind::PermissionDenied),
            0,
        ),
        (
            vec![encode(NLMSG_ERROR, 0, &[])],
            Err(io::ErrorKind::InvalidData),
            0,
        ),
    ] {
        let mut count = 0;
        let reply = read_reply(&encode_all(encoded), &mut |_| count += 1);
        assert_eq!(
            (reply.map_err(|error| error.kind()), count),
            (expected, objects)
        );
    }
}
