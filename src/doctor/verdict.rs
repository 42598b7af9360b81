//! The verdict: the finding that summarises all others.

use super::{Finding, Severity};

/// The summary of all findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoctorVerdict {
    /// The health of the port.
    pub health: Health,
    /// The code of the finding that determined the verdict, or `unknown`.
    pub code: &'static str,
    /// The message of that finding.
    pub message: String,
    /// The command that fixes the problem.
    pub remedy: Option<String>,
}

/// The health of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// The port can be reached.
    Healthy,
    /// At least one problem was found.
    Problem,
    /// Neither of these could be determined.
    Unknown,
}

impl Health {
    /// The name in text and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Health::Healthy => "healthy",
            Health::Problem => "problem",
            Health::Unknown => "unknown",
        }
    }
}

/// Codes of problems by rank: a root cause precedes its symptoms. Codes that are not listed follow
/// in the order of the checks.
const PROBLEM_CODES_BY_RANK: [&str; 23] = [
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

impl DoctorVerdict {
    /// Derives the verdict: the problem of the highest rank, otherwise the proof that the port can
    /// be reached, otherwise the first `unknown` finding.
    pub fn from_findings(findings: &[Finding]) -> DoctorVerdict {
        let rank = |finding: &&Finding| {
            let rank = PROBLEM_CODES_BY_RANK
                .iter()
                .position(|code| *code == finding.code);
            rank.unwrap_or(PROBLEM_CODES_BY_RANK.len())
        };
        let with_severity = |severity| {
            let findings = findings.iter();
            findings.filter(move |finding| finding.severity == severity)
        };
        let verdict = |health, finding: &Finding| DoctorVerdict {
            health,
            code: finding.code,
            message: finding.message.clone(),
            remedy: finding.remedy.clone(),
        };
        if let Some(problem) = with_severity(Severity::Problem).min_by_key(rank) {
            return verdict(Health::Problem, problem);
        }
        if let Some(proof) =
            with_severity(Severity::Ok).find(|finding| HEALTHY_CODES.contains(&finding.code))
        {
            return verdict(Health::Healthy, proof);
        }
        match with_severity(Severity::Unknown).next() {
            Some(unknown) => verdict(Health::Unknown, unknown),
            None => DoctorVerdict {
                health: Health::Unknown,
                code: "unknown",
                message: "no check could determine if the port can be reached".into(),
                remedy: None,
            },
        }
    }
}

/// Codes of findings that prove that the port, or lcap itself, is healthy.
const HEALTHY_CODES: [&str; 2] = ["accepted", "may-capture"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::CheckName;

    #[test]
    fn verdict_prefers_the_root_cause() {
        let check = CheckName("test");
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
            let verdict = DoctorVerdict::from_findings(&findings);
            assert_eq!((verdict.health, verdict.code), (health, code));
        }
    }
}
