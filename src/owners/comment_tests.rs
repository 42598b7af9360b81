//! Owners as comments, and back.

use super::*;
use proptest::prelude::*;

fn process(pid: u32, name: &str) -> Arc<Process> {
    let identity = Identity {
        pid,
        start_time: 98_765,
        parent: 1,
        comm: String::new(),
        uid: 1000,
    };
    Arc::new(Process::new(
        identity,
        More {
            name: name.into(),
            exe: Some(format!("/usr/bin/{name}")),
            command_line: vec![name.into(), "-s".into(), "a b".into(), String::new()],
            container: Some("0123456789ab".into()),
            run: Some(77),
        },
    ))
}

fn owner(processes: Vec<Arc<Process>>, how: How) -> Option<Arc<Owner>> {
    Some(Arc::new(Owner {
        processes,
        how,
        uid: Some(33),
        looked_up: Timestamp(1_790_000_000_123_456_789),
    }))
}

fn options(bytes: &[u8]) -> Options<'_> {
    Options {
        bytes,
        big_endian: cfg!(target_endian = "big"),
    }
}

#[test]
fn what_is_known_comes_back() {
    let one = owner(vec![process(4121, "curl")], How::Socket);
    let two = owner(
        vec![process(7, "a %+]b[c\n"), process(8, "näme")],
        How::Socket,
    );
    for (orig, resp) in [
        (one.clone(), owner(vec![process(9, "nginx")], How::Acceptor)),
        (two, owner(vec![], How::Nobody)),
        (owner(vec![], How::NotPermitted), None),
        (None, one),
    ] {
        let owners = Owners { orig, resp };
        let (mut details, mut short) = (
            write(&owners, Extent::Details),
            write(&owners, Extent::Words),
        );
        let words = owners.to_string();
        for flags in [0, 0x200, 0] {
            let told = options(details.with(flags));
            assert_eq!(super::owners(&told), Some(owners.clone()));
            assert_eq!(in_words(&told), Some(&*words));
            let told = options(short.with(flags));
            assert_eq!(in_words(&told), Some(&*words));
            assert_eq!(super::owners(&told), None);
            let own = told.records().find(|(code, _)| *code == FLAGS);
            let own =
                own.map(|(_, value)| u32::from_ne_bytes(value.try_into().expect("four bytes")));
            assert_eq!(own, Some(flags).filter(|flags| *flags > 0));
        }
    }
}

#[test]
fn processes_in_words() {
    for (words, src, dst) in [
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
        assert_eq!(named(words), Some([src, dst]), "{words}");
    }
    assert_eq!(named("a[1]"), None);
}

#[test]
fn comments_of_others_are_not_ours() {
    for (text, is_ours) in [
        ("lcap: a[1] → b[2]", true),
        ("a[1] → b[2]", false),
        ("", false),
    ] {
        let mut bytes = Vec::new();
        option(COMMENT, b"from somebody else", &mut bytes);
        option(COMMENT, text.as_bytes(), &mut bytes);
        option(END, &[], &mut bytes);
        assert_eq!(in_words(&options(&bytes)).is_some(), is_ours);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn options_may_be_anything(bytes in prop::collection::vec(any::<u8>(), 0..200), big_endian: bool) {
        let options = Options { bytes: &bytes, big_endian };
        let _ = in_words(&options);
        let _ = owners(&options);
    }

    #[test]
    fn details_may_be_anything(text in "(lcap: )?[ -~→\\n%=]{0,100}\n?(src|dst)?( (how|uid|at|pid|name|arg)=[a-z0-9%]{0,5}){0,6}") {
        let mut bytes = Vec::new();
        option(COMMENT, text.as_bytes(), &mut bytes);
        let options = options(&bytes);
        let _ = owners(&options);
        let _ = in_words(&options).map(named);
    }
}
