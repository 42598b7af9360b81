//! Traces of packets through synthetic chains.

use super::*;

fn chain(
    name: &str,
    hook: Option<(&str, &str, bool)>,
    rules: Vec<(Vec<RuleCondition>, RuleAction)>,
) -> Chain {
    let rule = |(at, (conditions, action)): (usize, (Vec<RuleCondition>, RuleAction))| Rule {
        handle: at as u64 + 1,
        text: format!("{name} {}", at + 1),
        conditions,
        action,
    };
    Chain {
        family: "inet".into(),
        table: "t".into(),
        name: name.into(),
        hook: hook.map(|(kind, hook, drops)| Hook {
            name: hook.into(),
            kind: kind.into(),
            priority: 0,
            drops_by_default: drops,
        }),
        rules: rules.into_iter().enumerate().map(rule).collect(),
    }
}

fn dport(port: u16) -> RuleCondition {
    RuleCondition::Port(PacketEnd::Destination, vec![(port, port)])
}

fn iifname(name: &str) -> RuleCondition {
    RuleCondition::Interface(PacketEnd::Source, vec![name.into()])
}

fn daddr(text: &str, bits: u8) -> RuleCondition {
    RuleCondition::Address(
        PacketEnd::Destination,
        vec![(text.parse().expect("an address"), bits)],
    )
}

const INPUT_HOOK: Option<(&str, &str, bool)> = Some(("filter", "input", false));
const OUTPUT_HOOK: Option<(&str, &str, bool)> = Some(("filter", "output", false));

#[test]
fn loopback_trace_lists_the_matched_rules() {
    let state = |name: &str| RuleCondition::State(vec![name.into()]);
    let not = |condition| RuleCondition::Not(Box::new(condition));
    for (chains, expected) in [
        (vec![], ""),
        (
            vec![chain(
                "a",
                INPUT_HOOK,
                vec![(vec![dport(80)], RuleAction::Drop)],
            )],
            "a 1 dropped",
        ),
        (
            vec![chain(
                "a",
                INPUT_HOOK,
                vec![(vec![dport(81)], RuleAction::Drop)],
            )],
            "",
        ),
        (
            vec![chain(
                "a",
                INPUT_HOOK,
                vec![
                    (vec![iifname("lo")], RuleAction::Accept),
                    (vec![], RuleAction::Drop),
                ],
            )],
            "a 1 accepted",
        ),
        (
            vec![chain(
                "a",
                INPUT_HOOK,
                vec![(vec![iifname("eth*")], RuleAction::Drop)],
            )],
            "",
        ),
        (
            vec![chain(
                "a",
                INPUT_HOOK,
                vec![(vec![not(iifname("eth0")), dport(80)], RuleAction::Reject)],
            )],
            "a 1 rejected",
        ),
        // A packet has no input interface in the output hook.
        (
            vec![chain(
                "a",
                OUTPUT_HOOK,
                vec![(vec![iifname("lo")], RuleAction::Drop)],
            )],
            "",
        ),
        (
            vec![chain(
                "a",
                OUTPUT_HOOK,
                vec![(vec![daddr("127.0.0.0", 8)], RuleAction::Drop)],
            )],
            "a 1 dropped",
        ),
        (
            vec![chain(
                "a",
                OUTPUT_HOOK,
                vec![(vec![daddr("::1", 128)], RuleAction::Drop)],
            )],
            "",
        ),
        (
            vec![chain(
                "a",
                INPUT_HOOK,
                vec![
                    (vec![state("established")], RuleAction::Drop),
                    (vec![state("new")], RuleAction::Drop),
                ],
            )],
            "a 2 dropped",
        ),
        (
            vec![chain(
                "a",
                INPUT_HOOK,
                vec![(vec![RuleCondition::Unknown, dport(80)], RuleAction::Drop)],
            )],
            "a 1 dropped?",
        ),
        (
            vec![chain(
                "a",
                INPUT_HOOK,
                vec![(vec![RuleCondition::Unknown, dport(81)], RuleAction::Drop)],
            )],
            "",
        ),
        (
            vec![chain(
                "a",
                INPUT_HOOK,
                vec![(
                    vec![RuleCondition::Protocol(vec!["udp".into()])],
                    RuleAction::Drop,
                )],
            )],
            "",
        ),
        (
            vec![chain("a", Some(("filter", "input", true)), vec![])],
            "policy",
        ),
        (
            vec![chain(
                "a",
                Some(("filter", "input", true)),
                vec![(vec![iifname("lo")], RuleAction::Accept)],
            )],
            "a 1 accepted",
        ),
        (
            vec![chain(
                "a",
                INPUT_HOOK,
                vec![
                    (vec![dport(80)], RuleAction::Unknown),
                    (vec![], RuleAction::Accept),
                ],
            )],
            "a 1 matched?, a 2 accepted",
        ),
        // Jumps to other chains.
        (
            vec![
                chain(
                    "a",
                    INPUT_HOOK,
                    vec![
                        (vec![], RuleAction::Jump("b".into())),
                        (vec![], RuleAction::Drop),
                    ],
                ),
                chain(
                    "b",
                    None,
                    vec![(vec![], RuleAction::Return), (vec![], RuleAction::Reject)],
                ),
            ],
            "a 2 dropped",
        ),
        (
            vec![
                chain(
                    "a",
                    INPUT_HOOK,
                    vec![
                        (vec![], RuleAction::Goto("b".into())),
                        (vec![], RuleAction::Drop),
                    ],
                ),
                chain("b", None, vec![]),
            ],
            "",
        ),
        (
            vec![
                chain(
                    "a",
                    INPUT_HOOK,
                    vec![(vec![RuleCondition::Unknown], RuleAction::Jump("b".into()))],
                ),
                chain("b", None, vec![(vec![], RuleAction::Drop)]),
            ],
            "b 1 dropped?",
        ),
        (
            vec![chain(
                "a",
                INPUT_HOOK,
                vec![(vec![], RuleAction::Jump("a".into()))],
            )],
            "",
        ),
        // Later chains evaluate the redirected port.
        (
            vec![
                chain(
                    "n",
                    Some(("nat", "output", false)),
                    vec![(vec![dport(80)], RuleAction::Redirect(Some(90)))],
                ),
                chain(
                    "a",
                    INPUT_HOOK,
                    vec![
                        (vec![dport(80)], RuleAction::Reject),
                        (vec![dport(90)], RuleAction::Drop),
                    ],
                ),
            ],
            "n 1 redirected, a 2 dropped",
        ),
        // The addresses of a local connection are translated in the output hook only.
        (
            vec![chain(
                "n",
                Some(("nat", "prerouting", false)),
                vec![(vec![dport(80)], RuleAction::Redirect(Some(90)))],
            )],
            "",
        ),
    ] {
        let trace = trace_loopback(&chains, "lo", "127.0.0.1".parse().expect("an address"), 80);
        let listed: Vec<String> = trace
            .iter()
            .map(|hit| {
                let rule = hit.text.split(": ").nth(1).unwrap_or("");
                let rule = rule.split(" # ").next().unwrap_or("");
                let mark = if hit.is_certain { "" } else { "?" };
                match hit.text.contains("policy drop") {
                    true => "policy".to_owned(),
                    false => format!("{rule} {}{mark}", action_verb(&hit.action)),
                }
            })
            .collect();
        assert_eq!(listed.join(", "), expected, "{chains:#?}");
    }
}
