//! Tests of the comment codec.

use super::encode::{MAX_ARGS, MAX_COMMENT_LEN};
use super::*;
use proptest::prelude::*;

fn process(pid: u32, name: &str) -> Arc<Process> {
    let identity = ProcessIdentity {
        pid,
        start_time: 98_765,
        parent: 1,
        comm: String::new(),
        uid: 1000,
        run: RunMembership::Member { root: 77 },
    };
    Arc::new(Process::new(
        identity,
        ProcessDetails {
            name: name.into(),
            exe: Some(format!("/usr/bin/{name}")),
            command_line: vec![name.into(), "-s".into(), "x=y".into(), String::new()],
            container: Some("0123456789ab".into()),
            forwards_to: pid.is_multiple_of(2).then(|| {
                let listener = ProxyListener {
                    pid,
                    name: name.into(),
                    container: Some("fedcba987654".into()),
                };
                Box::new(ProxyTarget {
                    address: "[fd00::2]:80".parse().expect("an address"),
                    listener: pid.is_multiple_of(4).then_some(listener),
                })
            }),
        },
    ))
}

fn owner(processes: Vec<Arc<Process>>, evidence: Evidence) -> Option<Arc<Owner>> {
    Some(Arc::new(Owner {
        processes,
        evidence,
        uid: Some(33),
        lookup_time: Timestamp(1_790_000_000_123_456_789),
        hidden_run: RunMembership::Unknown,
    }))
}

fn names_only(owners: Owners) -> Option<RecordedComment> {
    let detail = CommentDetail::Names;
    Some(RecordedComment { owners, detail })
}

/// Returns the name, PID and evidence of each process, by end.
fn processes(owners: &Owners) -> [Vec<(String, u32)>; 2] {
    [&owners.orig, &owners.resp].map(|owner| {
        let owner = owner.iter().flat_map(|owner| {
            let of = |process: &Arc<Process>| (process.name().to_owned(), process.pid);
            owner.processes.iter().map(of)
        });
        owner.collect()
    })
}

#[test]
fn comments_have_a_stable_text() {
    let owners = Owners {
        orig: owner(vec![process(4121, "a b")], Evidence::NotPermitted),
        resp: owner(vec![], Evidence::Kernel),
    };
    let full = "lcap: a b[4121]? → kernel\n\
        src how=not-permitted uid=33 at=1790000000123456789 pid=4121 start=98765 ppid=1 euid=1000 \
        name=a%20b exe=/usr/bin/a%20b container=0123456789ab run=77 arg=a%20b arg=-s arg=x%3dy \
        arg=\ndst how=kernel uid=33 at=1790000000123456789";
    assert_eq!(encode(&owners, CommentDetail::Full), full);
    let names = full.lines().next().expect("a line");
    assert_eq!(encode(&owners, CommentDetail::Names), names);
}

#[test]
fn comments_of_lcap_0_1_are_parsed() {
    let details = "lcap: nginx[1] → a[7] → b[2]\n\
        src how=socket at=5 pid=7 start=1 ppid=1 euid=0 name=nginx[1]%20→%20a arg=100%25 arg=a=b\n\
        dst how=not%20permitted uid=33 at=5";
    let parsed = parse(details).expect("details");
    assert_eq!(parsed.detail, CommentDetail::Full);
    let [sender, receiver] =
        [parsed.owners.orig, parsed.owners.resp].map(|end| end.expect("an end"));
    assert_eq!(sender.evidence, Evidence::Holds);
    assert_eq!(sender.processes[0].name(), "nginx[1] → a");
    assert_eq!(sender.processes[0].details().command_line, ["100%", "a=b"]);
    assert_eq!(
        (&receiver.evidence, receiver.uid),
        (&Evidence::NotPermitted, Some(33))
    );
    let named = |name: &str, pid| (name.to_owned(), pid);
    for (summary, sender, receiver) in [
        (
            "my app[12] → node[4]",
            vec![named("my app", 12)],
            vec![named("node", 4)],
        ),
        (
            "a[1,2]+b c[3] → x[5]?",
            vec![named("a", 1), named("a", 2), named("b c", 3)],
            vec![named("x", 5)],
        ),
        (
            "100%[1] → a=b+c?[2]",
            vec![named("100%", 1)],
            vec![named("a=b+c?", 2)],
        ),
        // An escape that lcap does not write is part of the name.
        ("a%20b[1] → ?", vec![named("a%2520b", 1)], vec![]),
        // Ambiguous ends have no processes.
        ("a[[1] → b]c[2]", vec![], vec![]),
        ("a[1],b[2] → b[+2]", vec![], vec![]),
        ("a[1 → b[]", vec![], vec![]),
    ] {
        let comment = parse(&format!("lcap: {summary}")).expect("a summary");
        assert_eq!(processes(&comment.owners), [sender, receiver], "{summary}");
    }
    for other in [
        "lcap: nginx[1] → a[7] → b[2]",
        "lcap: a[1]",
        "a[1] → b[2]",
        "lcap: ",
        "",
    ] {
        assert_eq!(parse(other), None, "{other}");
    }
}

#[test]
fn ends_without_processes_are_parsed_from_a_summary() {
    let end = |evidence, uid| {
        Some(Arc::new(Owner {
            processes: Vec::new(),
            evidence,
            uid,
            lookup_time: Timestamp::ABSENT,
            hidden_run: RunMembership::Unknown,
        }))
    };
    let expected = Owners {
        orig: end(Evidence::NotPermitted, Some(33)),
        resp: end(Evidence::Nobody, None),
    };
    assert_eq!(parse("lcap: ?(uid 33) → nobody"), names_only(expected));
    let expected = Owners {
        orig: None,
        resp: end(Evidence::Kernel, None),
    };
    assert_eq!(parse("lcap: ? → kernel"), names_only(expected));
}

#[test]
fn unknown_evidence_is_written_again() {
    let text = "lcap: a[1]? → ?\nsrc how=foretold%20by at=5 pid=1 start=0 ppid=0 euid=0 name=a";
    let comment = parse(text).expect("a comment");
    assert_eq!(encode(&comment.owners, CommentDetail::Full), text);
}

#[test]
fn long_comments_lose_arguments_then_processes() {
    let big = |count: u32, argument: &str, name: &str| {
        let processes = (0..count).map(|pid| {
            let identity = ProcessIdentity {
                pid,
                ..ProcessIdentity::default()
            };
            let details = ProcessDetails {
                name: name.into(),
                command_line: vec![argument.into(); MAX_ARGS],
                ..ProcessDetails::default()
            };
            Arc::new(Process::new(identity, details))
        });
        owner(processes.collect(), Evidence::Holds)
    };
    // The arguments alone are too long.
    let owners = Owners {
        orig: big(20, &"é ".repeat(200), "server"),
        resp: big(1, "-s", "client"),
    };
    let text = encode(&owners, CommentDetail::Full);
    assert!(text.len() <= MAX_COMMENT_LEN && !text.contains(" arg=") && !text.contains("more="));
    let parsed = parse(&text).expect("a comment");
    assert_eq!(processes(&parsed.owners), processes(&owners));
    // The processes are too long, too.
    for detail in [CommentDetail::Names, CommentDetail::Full] {
        for name in ["server", &"[".repeat(600)] {
            let owners = Owners {
                orig: big(20_000, "-s", name),
                resp: big(2, "-s", "client"),
            };
            let text = encode(&owners, detail);
            assert!(text.len() <= MAX_COMMENT_LEN, "{}", text.len());
            let more = text.split_once(" more=").expect("a number").1;
            let more: usize = more
                .split_whitespace()
                .next()
                .expect("a number")
                .parse()
                .expect("a number");
            let parsed = parse(&text).expect("a comment");
            assert_eq!(parsed.detail, detail);
            let sender = parsed.owners.orig.expect("a sender");
            assert_eq!(sender.processes.len() + more, 20_000);
            assert!(more < 19_990 && name.starts_with(sender.processes[0].name()));
            assert_eq!(parsed.owners.resp.expect("a receiver").processes.len(), 2);
        }
    }
}

/// An owner with 1 to 4 processes of arbitrary names.
fn any_owner() -> impl Strategy<Value = Option<Arc<Owner>>> {
    let name = prop_oneof![
        prop::collection::vec(1..=u8::MAX, 1..=15),
        "([]\\[+,?%= ]|→| ⇒ |nobody|\\[1\\]|%5b|a){1,4}"
            .prop_map(|name| name.into_bytes()[..].to_vec()),
    ];
    let evidence = prop_oneof![Just(Evidence::Sent), Just(Evidence::Listener)];
    let process = (any::<u32>(), name);
    (prop::collection::vec(process, 1..=4), evidence).prop_map(|(processes, evidence)| {
        let processes = processes
            .into_iter()
            .map(|(pid, name)| self::process(pid, &name_from_bytes(&name)));
        owner(processes.collect(), evidence)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn owners_round_trip_through_a_comment(orig in any_owner(), resp in any_owner()) {
        let owners = Owners { orig, resp };
        let full = parse(&encode(&owners, CommentDetail::Full)).expect("a comment");
        prop_assert_eq!(full.detail, CommentDetail::Full);
        prop_assert_eq!(&full.owners, &owners);
        let names = parse(&encode(&owners, CommentDetail::Names)).expect("a comment");
        prop_assert_eq!(names.detail, CommentDetail::Names);
        prop_assert_eq!(processes(&names.owners), processes(&owners));
    }

    #[test]
    fn arbitrary_comments_do_not_panic(
        text in "lcap: [ -~→\\n%=]{0,100}\n?(src|dst)?( (how|uid|at|pid|name|arg|more)=[a-z0-9%é]{0,5}){0,6}",
        end in "[a1\\[\\],+?% ]{0,12}",
    ) {
        let _ = parse(&text);
        let _ = parse(&format!("lcap: {end} → {end}"));
    }
}
