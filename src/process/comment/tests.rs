//! Tests of the comment codec.

use super::*;
use proptest::prelude::*;

fn process(pid: u32, name: &str) -> Arc<Process> {
    let identity = ProcessIdentity {
        pid,
        start_time: 98_765,
        parent: 1,
        comm: String::new(),
        uid: 1000,
    };
    Arc::new(Process::new(
        identity,
        ProcessDetails {
            name: name.into(),
            exe: Some(format!("/usr/bin/{name}")),
            command_line: vec![name.into(), "-s".into(), "a b".into(), String::new()],
            container: Some("0123456789ab".into()),
            run_id: Some(77),
        },
    ))
}

fn owner(processes: Vec<Arc<Process>>, matched: Match) -> Option<Arc<Owner>> {
    Some(Arc::new(Owner {
        processes,
        matched,
        uid: Some(33),
        lookup_time: Timestamp(1_790_000_000_123_456_789),
    }))
}

fn options(bytes: &[u8]) -> FrameOptions<'_> {
    FrameOptions {
        bytes,
        big_endian: cfg!(target_endian = "big"),
    }
}

#[test]
fn owners_round_trip_through_a_comment() {
    let single = owner(vec![process(4121, "curl")], Match::Socket);
    let pair = owner(
        vec![process(7, "a %+]b[c\n"), process(8, "näme")],
        Match::Socket,
    );
    for (orig, resp) in [
        (
            single.clone(),
            owner(vec![process(9, "nginx")], Match::Acceptor),
        ),
        (pair, owner(vec![], Match::NoListener)),
        (owner(vec![], Match::NotPermitted), None),
        (None, single),
    ] {
        let owners = Owners { orig, resp };
        let (mut full, mut names_only) = (
            encode(&owners, CommentDetail::Full),
            encode(&owners, CommentDetail::Names),
        );
        let expected = owners.to_string();
        for flags in [0, 0x200, 0] {
            let options_in_full = options(full.with_flags(flags));
            assert_eq!(parse_owners(&options_in_full), Some(owners.clone()));
            assert_eq!(summary(&options_in_full), Some(&*expected));
            let short_options = options(names_only.with_flags(flags));
            assert_eq!(summary(&short_options), Some(&*expected));
            assert_eq!(parse_owners(&short_options), None);
            let encoded_flags = short_options.records().find(|(code, _)| *code == EPB_FLAGS);
            let encoded_flags = encoded_flags
                .map(|(_, value)| u32::from_ne_bytes(value.try_into().expect("four bytes")));
            assert_eq!(encoded_flags, Some(flags).filter(|flags| *flags > 0));
        }
    }
}

#[test]
fn summary_is_parsed_into_processes() {
    for (text, src, dst) in [
        (
            "curl[4121] → node[4100]",
            vec![("curl", 4121, true)],
            vec![("node", 4100, true)],
        ),
        (
            "a[1,2]+b c[3] → x[5]?",
            vec![("a", 1, true), ("a", 2, true), ("b c", 3, true)],
            vec![("x", 5, false)],
        ),
        ("? → nobody", vec![], vec![]),
        ("?(uid 33) → a[[1]", vec![], vec![("a[", 1, true)]),
    ] {
        assert_eq!(parse_summary(text), Some([src, dst]), "{text}");
    }
    assert_eq!(parse_summary("a[1]"), None);
}

#[test]
fn comments_of_other_programs_are_ignored() {
    for (text, is_ours) in [
        ("lcap: a[1] → b[2]", true),
        ("a[1] → b[2]", false),
        ("", false),
    ] {
        let mut bytes = Vec::new();
        push_option(OPT_COMMENT, b"from another program", &mut bytes);
        push_option(OPT_COMMENT, text.as_bytes(), &mut bytes);
        push_option(OPT_ENDOFOPT, &[], &mut bytes);
        assert_eq!(summary(&options(&bytes)).is_some(), is_ours);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_options_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), big_endian: bool) {
        let options = FrameOptions { bytes: &bytes, big_endian };
        let _ = summary(&options);
        let _ = parse_owners(&options);
    }

    #[test]
    fn arbitrary_details_do_not_panic(text in "(lcap: )?[ -~→\\n%=]{0,100}\n?(src|dst)?( (how|uid|at|pid|name|arg)=[a-z0-9%]{0,5}){0,6}") {
        let mut bytes = Vec::new();
        push_option(OPT_COMMENT, text.as_bytes(), &mut bytes);
        let options = options(&bytes);
        let _ = parse_owners(&options);
        let _ = summary(&options).map(parse_summary);
    }
}
