//! Findings of the checks, from which text and JSON are rendered.

/// One result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The name of the check.
    pub check: &'static str,
    /// The severity.
    pub severity: Severity,
    /// The stable identifier, in kebab case.
    pub code: &'static str,
    /// One sentence for people.
    pub message: String,
    /// The observations that support the finding, one line each.
    pub evidence: Vec<String>,
    /// A shell command that fixes the problem.
    pub remedy: Option<String>,
}

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// No fault.
    Ok,
    /// Worth attention, but not a fault.
    Note,
    /// Could not be determined, for the stated reason.
    Unknown,
    /// Prevents clients from reaching the port.
    Problem,
}

impl Severity {
    /// Returns `Note` if a condition reduces a problem to a note.
    pub(super) fn problem_unless(condition: bool) -> Severity {
        match condition {
            true => Severity::Note,
            false => Severity::Problem,
        }
    }

    /// Returns `Ok` if a condition is met, else `Note`.
    pub(super) fn note_unless(condition: bool) -> Severity {
        match condition {
            true => Severity::Ok,
            false => Severity::Note,
        }
    }

    /// The name in text and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Ok => "ok",
            Severity::Note => "note",
            Severity::Unknown => "unknown",
            Severity::Problem => "problem",
        }
    }
}

/// The name of a check, and a factory for its findings.
#[derive(Debug, Clone, Copy)]
pub(super) struct CheckName(pub(super) &'static str);

impl CheckName {
    pub(super) fn ok(self, code: &'static str, message: impl Into<String>) -> Finding {
        self.finding(Severity::Ok, code, message)
    }

    pub(super) fn note(self, code: &'static str, message: impl Into<String>) -> Finding {
        self.finding(Severity::Note, code, message)
    }

    pub(super) fn unknown(self, code: &'static str, message: impl Into<String>) -> Finding {
        self.finding(Severity::Unknown, code, message)
    }

    pub(super) fn problem(self, code: &'static str, message: impl Into<String>) -> Finding {
        self.finding(Severity::Problem, code, message)
    }

    pub(super) fn finding(
        self,
        severity: Severity,
        code: &'static str,
        message: impl Into<String>,
    ) -> Finding {
        Finding {
            check: self.0,
            severity,
            code,
            message: message.into(),
            evidence: Vec::new(),
            remedy: None,
        }
    }
}

impl Finding {
    /// Adds a line of evidence.
    pub(super) fn with_evidence(mut self, line: impl Into<String>) -> Finding {
        self.evidence.push(line.into());
        self
    }

    /// Adds several lines of evidence.
    pub(super) fn with_evidence_lines(
        mut self,
        lines: impl IntoIterator<Item = String>,
    ) -> Finding {
        self.evidence.extend(lines);
        self
    }

    /// Sets the command that fixes the problem.
    pub(super) fn with_remedy(self, command: impl Into<String>) -> Finding {
        self.with_remedy_if(true, command)
    }

    /// Sets the command that fixes the problem, if a condition is met.
    pub(super) fn with_remedy_if(mut self, condition: bool, command: impl Into<String>) -> Finding {
        self.remedy = condition.then(|| command.into());
        self
    }
}
