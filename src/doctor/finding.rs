//! What a check has to say. Text and JSON are made of it.

pub(super) use crate::source::live::shell_word;

/// Something that a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The check's name.
    pub check: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Its name, which stays the same.
    pub code: &'static str,
    /// What it is, in a sentence.
    pub what: String,
    /// What says so, a line each.
    pub evidence: Vec<String>,
    /// The command that mends it.
    pub remedy: Option<String>,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// It could not be told, and why.
    Unknown,
    /// It keeps somebody from something.
    Problem,
}

impl Severity {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Ok => "ok",
            Severity::Note => "note",
            Severity::Unknown => "unknown",
            Severity::Problem => "problem",
        }
    }
}

/// What a check finds things with: its own name is on all of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Check(pub(super) &'static str);

impl Check {
    pub(super) fn ok(self, code: &'static str, what: impl Into<String>) -> Finding {
        self.finding(Severity::Ok, code, what.into())
    }

    pub(super) fn note(self, code: &'static str, what: impl Into<String>) -> Finding {
        self.finding(Severity::Note, code, what.into())
    }

    pub(super) fn unknown(self, code: &'static str, what: impl Into<String>) -> Finding {
        self.finding(Severity::Unknown, code, what.into())
    }

    pub(super) fn problem(self, code: &'static str, what: impl Into<String>) -> Finding {
        self.finding(Severity::Problem, code, what.into())
    }

    pub(super) fn finding(self, severity: Severity, code: &'static str, what: String) -> Finding {
        Finding {
            check: self.0,
            severity,
            code,
            what,
            evidence: Vec::new(),
            remedy: None,
        }
    }
}

impl Finding {
    /// With a line that says so.
    pub(super) fn because(mut self, line: impl Into<String>) -> Finding {
        self.evidence.push(line.into());
        self
    }

    /// With lines that say so.
    pub(super) fn because_of(mut self, lines: impl IntoIterator<Item = String>) -> Finding {
        self.evidence.extend(lines);
        self
    }

    /// With the command that mends it.
    pub(super) fn mended_by(mut self, command: impl Into<String>) -> Finding {
        self.remedy = Some(command.into());
        self
    }
}

/// So many of something: `1 place`, `2 places`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
