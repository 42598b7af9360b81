//! Checks by made-up facts.

use super::facts::Facts;
use super::*;

fn codes(facts: &Facts) -> Vec<&'static str> {
    findings(facts).iter().map(|finding| finding.code).collect()
}

#[test]
fn nothing_is_known_of_nothing() {
    let facts = Facts::of("127.0.0.1:62893".parse().expect("a target"));
    assert!(codes(&facts).contains(&"nothing-listens"));
}
