//! Ways through made-up chains.

use super::*;
use crate::host::firewall::Hook;

fn chain(
    name: &str,
    hook: Option<(&str, &str, bool)>,
    rules: Vec<(Vec<Condition>, Action)>,
) -> Chain {
    let rule = |(at, (conditions, action)): (usize, (Vec<Condition>, Action))| Rule {
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
            drops,
        }),
        rules: rules.into_iter().enumerate().map(rule).collect(),
    }
}

fn port(port: u16) -> Condition {
    Condition::Port(Side::Destination, vec![(port, port)])
}

fn on(name: &str) -> Condition {
    Condition::Interface(Side::Source, vec![name.into()])
}

fn network(text: &str, bits: u8) -> Condition {
    Condition::Address(
        Side::Destination,
        vec![(text.parse().expect("an address"), bits)],
    )
}

const INPUT: Option<(&str, &str, bool)> = Some(("filter", "input", false));
const OUTPUT: Option<(&str, &str, bool)> = Some(("filter", "output", false));

#[test]
fn ways_of_a_connection_to_this_machine() {
    let state = |name: &str| Condition::State(vec![name.into()]);
    let not = |condition| Condition::Not(Box::new(condition));
    for (chains, expected) in [
        (vec![], ""),
        (
            vec![chain("a", INPUT, vec![(vec![port(80)], Action::Drop)])],
            "a 1 dropped",
        ),
        (
            vec![chain("a", INPUT, vec![(vec![port(81)], Action::Drop)])],
            "",
        ),
        (
            vec![chain(
                "a",
                INPUT,
                vec![(vec![on("lo")], Action::Accept), (vec![], Action::Drop)],
            )],
            "a 1 accepted",
        ),
        (
            vec![chain("a", INPUT, vec![(vec![on("eth*")], Action::Drop)])],
            "",
        ),
        (
            vec![chain(
                "a",
                INPUT,
                vec![(vec![not(on("eth0")), port(80)], Action::Reject)],
            )],
            "a 1 rejected",
        ),
        // Nothing comes in where it goes out.
        (
            vec![chain("a", OUTPUT, vec![(vec![on("lo")], Action::Drop)])],
            "",
        ),
        (
            vec![chain(
                "a",
                OUTPUT,
                vec![(vec![network("127.0.0.0", 8)], Action::Drop)],
            )],
            "a 1 dropped",
        ),
        (
            vec![chain(
                "a",
                OUTPUT,
                vec![(vec![network("::1", 128)], Action::Drop)],
            )],
            "",
        ),
        (
            vec![chain(
                "a",
                INPUT,
                vec![
                    (vec![state("established")], Action::Drop),
                    (vec![state("new")], Action::Drop),
                ],
            )],
            "a 2 dropped",
        ),
        (
            vec![chain(
                "a",
                INPUT,
                vec![(vec![Condition::Unknown, port(80)], Action::Drop)],
            )],
            "a 1 dropped?",
        ),
        (
            vec![chain(
                "a",
                INPUT,
                vec![(vec![Condition::Unknown, port(81)], Action::Drop)],
            )],
            "",
        ),
        (
            vec![chain(
                "a",
                INPUT,
                vec![(vec![Condition::Protocol(vec!["udp".into()])], Action::Drop)],
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
                vec![(vec![on("lo")], Action::Accept)],
            )],
            "a 1 accepted",
        ),
        (
            vec![chain(
                "a",
                INPUT,
                vec![(vec![port(80)], Action::Unknown), (vec![], Action::Accept)],
            )],
            "a 1 looked at?, a 2 accepted",
        ),
        // Chains that are called.
        (
            vec![
                chain(
                    "a",
                    INPUT,
                    vec![(vec![], Action::Jump("b".into())), (vec![], Action::Drop)],
                ),
                chain(
                    "b",
                    None,
                    vec![(vec![], Action::Return), (vec![], Action::Reject)],
                ),
            ],
            "a 2 dropped",
        ),
        (
            vec![
                chain(
                    "a",
                    INPUT,
                    vec![(vec![], Action::Goto("b".into())), (vec![], Action::Drop)],
                ),
                chain("b", None, vec![]),
            ],
            "",
        ),
        (
            vec![
                chain(
                    "a",
                    INPUT,
                    vec![(vec![Condition::Unknown], Action::Jump("b".into()))],
                ),
                chain("b", None, vec![(vec![], Action::Drop)]),
            ],
            "b 1 dropped?",
        ),
        (
            vec![chain("a", INPUT, vec![(vec![], Action::Jump("a".into()))])],
            "",
        ),
        // Where it is led elsewhere, what follows sees that.
        (
            vec![
                chain(
                    "n",
                    Some(("nat", "output", false)),
                    vec![(vec![port(80)], Action::Redirect(Some(90)))],
                ),
                chain(
                    "a",
                    INPUT,
                    vec![
                        (vec![port(80)], Action::Reject),
                        (vec![port(90)], Action::Drop),
                    ],
                ),
            ],
            "n 1 led elsewhere, a 2 dropped",
        ),
        // That was done when it left.
        (
            vec![chain(
                "n",
                Some(("nat", "prerouting", false)),
                vec![(vec![port(80)], Action::Redirect(Some(90)))],
            )],
            "",
        ),
    ] {
        let fate = round(&chains, "lo", "127.0.0.1".parse().expect("an address"), 80);
        let told: Vec<String> = fate
            .hits
            .iter()
            .map(|hit| {
                let place = hit.text.split(": ").nth(1).unwrap_or("");
                let place = place.split(" # ").next().unwrap_or("");
                let sure = if hit.is_sure { "" } else { "?" };
                match hit.text.contains("policy drop") {
                    true => "policy".to_owned(),
                    false => format!("{place} {}{sure}", verb(&hit.action)),
                }
            })
            .collect();
        assert_eq!(told.join(", "), expected, "{chains:#?}");
    }
}
