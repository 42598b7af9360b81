//! What all findings come to: one sentence.

use super::{Finding, Severity};

/// What all findings come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// In a word.
    pub health: Health,
    /// The code of the finding that decided.
    pub code: &'static str,
    /// In a sentence.
    pub what: String,
    /// The command that mends it.
    pub remedy: Option<String>,
}

/// How a port is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It can be reached.
    Healthy,
    /// Something keeps somebody from it.
    Problem,
    /// It could not be told.
    Unknown,
}

impl Health {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Health::Healthy => "healthy",
            Health::Problem => "problem",
            Health::Unknown => "unknown",
        }
    }
}

/// Codes of problems, those that explain others before those.
const CAUSES: [&str; 23] = [
    "lo-down",
    "lo-no-address",
    "hosts-broken",
    "localhost-wrong",
    "localhost-unresolved",
    "name-not-resolved",
    "dropped",
    "rejected",
    "redirected",
    "held-by-client",
    "held-unlistening",
    "stopped",
    "backlog-full",
    "never-accepts",
    "udp-only",
    "only-ipv4",
    "only-ipv6",
    "two-servers",
    "other-address",
    "other-namespace",
    "unit-down",
    "container-down",
    "nothing-listens",
];

impl Verdict {
    /// Of these findings: the problem that explains most, else that somebody was let in, else that nobody knows.
    pub fn of(findings: &[Finding]) -> Verdict {
        let rank = |finding: &&Finding| {
            let known = CAUSES.iter().position(|code| *code == finding.code);
            known.unwrap_or(CAUSES.len())
        };
        let of = |severity| {
            let all = findings.iter();
            all.filter(move |finding| finding.severity == severity)
        };
        let decided = |health, finding: &Finding| Verdict {
            health,
            code: finding.code,
            what: finding.what.clone(),
            remedy: finding.remedy.clone(),
        };
        if let Some(problem) = of(Severity::Problem).min_by_key(rank) {
            return decided(Health::Problem, problem);
        }
        if let Some(proof) = of(Severity::Ok).find(|finding| PROOFS.contains(&finding.code)) {
            return decided(Health::Healthy, proof);
        }
        match of(Severity::Unknown).next() {
            Some(unknown) => decided(Health::Unknown, unknown),
            None => Verdict {
                health: Health::Unknown,
                code: "unknown",
                what: "nothing was found that says whether it can be reached".into(),
                remedy: None,
            },
        }
    }
}

/// Codes of what shows that all is well.
const PROOFS: [&str; 2] = ["accepted", "may-capture"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Check;

    #[test]
    fn causes_come_before_what_they_cause() {
        let check = Check("test");
        let [down, nothing] = ["lo-down", "nothing-listens"].map(|code| check.problem(code, code));
        let (accepted, fine) = (check.ok("accepted", "it is"), check.ok("fine", "fine"));
        let hidden = check.unknown("hidden", "hidden");
        let note = check.note("noted", "noted");
        for (findings, health, code) in [
            (vec![&nothing, &down, &accepted], Health::Problem, "lo-down"),
            (vec![&note, &accepted, &hidden], Health::Healthy, "accepted"),
            (vec![&fine, &hidden], Health::Unknown, "hidden"),
            (vec![&fine], Health::Unknown, "unknown"),
            (vec![], Health::Unknown, "unknown"),
        ] {
            let findings: Vec<Finding> = findings.into_iter().cloned().collect();
            let verdict = Verdict::of(&findings);
            assert_eq!((verdict.health, verdict.code), (health, code));
        }
    }
}
