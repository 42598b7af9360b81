//! `lcap doctor`: the verdict, then the findings, as text or as JSON.

use std::time::Instant;

use super::args::{self, ReportFormat};
use super::report;
use super::signals::{self, SignalTargets};
use super::style::{is_coloured, stdout_width};
use crate::doctor::{
    DoctorVerdict, Finding, Health, ServiceProbing, Severity, Watch, WatchResult, findings, gather,
    self_check,
};
use crate::error::Result;
use crate::printable::line;
use crate::sink::json::{JsonValue, array, fixed, object};
use crate::source::Stop;

/// Runs the checks, prints the report and returns the exit code: 0 healthy, 1 a problem, 2 unknown.
pub(super) fn run(args: &args::DoctorArgs) -> Result<u8> {
    let started = Instant::now();
    let results = match &args.target {
        Some(target) => {
            let probing = if args.talk {
                ServiceProbing::Enabled
            } else {
                ServiceProbing::Disabled
            };
            let stop = Stop::new()?;
            let watch = args
                .watch
                .map(|seconds| Watch::open(target.port, seconds, stop.clone()));
            let mut facts = gather(target, probing);
            if let Some(watch) = watch {
                report::watching(target.port, watch.seconds());
                facts.watch_result = Some(run_watch(watch, stop)?);
            }
            findings(&facts)
        }
        None => self_check::findings(&self_check::inspect()),
    };
    let subject = args.target.as_ref().map(ToString::to_string);
    let verdict = DoctorVerdict::from_findings(&results);
    let report = DoctorReport {
        subject: subject.as_deref().unwrap_or("lcap"),
        verdict: &verdict,
        findings: &results,
        milliseconds: started.elapsed().as_secs_f64() * 1e3,
    };
    let text = match args.format {
        ReportFormat::Json => report.to_json(),
        ReportFormat::Text => report
            .to_text(&DoctorStyle {
                is_coloured: is_coloured(args.color),
                is_verbose: args.verbose,
                width: stdout_width().map(usize::from),
            })
            .into_bytes(),
    };
    super::print(&text)?;
    Ok(match verdict.health {
        Health::Healthy => 0,
        Health::Problem => 1,
        Health::Unknown => 2,
    })
}

/// Captures the traffic of a port until the time has elapsed or a signal arrives.
fn run_watch(watch: Watch, stop: Stop) -> Result<WatchResult> {
    let signals = signals::register()?;
    watch.give_up_privileges()?;
    signals.listen(stop, SignalTargets::default())?;
    Ok(watch.run())
}

/// Contents of the report.
struct DoctorReport<'a> {
    subject: &'a str,
    verdict: &'a DoctorVerdict,
    findings: &'a [Finding],
    milliseconds: f64,
}

/// Style of the text report.
struct DoctorStyle {
    is_coloured: bool,
    /// True if the evidence of passed checks is also printed, at full length.
    is_verbose: bool,
    /// Number of columns, if the report goes to a terminal.
    width: Option<usize>,
}

const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const RESET: &str = "\x1b[0m";

impl DoctorStyle {
    /// Colours a label by severity.
    fn colorize(&self, label: &str, severity: Severity) -> String {
        let colour = match severity {
            Severity::Problem => RED,
            Severity::Note | Severity::Unknown => YELLOW,
            Severity::Ok => return label.to_owned(),
        };
        match self.is_coloured {
            true => format!("{colour}{label}{RESET}"),
            false => label.to_owned(),
        }
    }
}

/// True if the evidence of a finding is printed. The evidence of passed checks is printed only on
/// request, except for the listening process, which is always of interest.
fn should_show_evidence(finding: &Finding, style: &DoctorStyle) -> bool {
    finding.severity != Severity::Ok || style.is_verbose || finding.code == "listens"
}

/// Indentation of a line of evidence, in columns.
const EVIDENCE_INDENT: usize = 24;

/// Formats one line of evidence. The evidence of passed checks, e.g. a long command line, is cut to
/// the width of the terminal.
fn evidence_line(evidence: &str, finding: &Finding, style: &DoctorStyle) -> String {
    let mut text = format!("{:EVIDENCE_INDENT$}{}", "", line(evidence));
    if let Some(width) = style.width
        && finding.severity == Severity::Ok
        && !style.is_verbose
        && text.chars().count() > width
    {
        text = text.chars().take(width.saturating_sub(1)).collect();
        text.push('…');
    }
    text.push('\n');
    text
}

impl DoctorReport<'_> {
    fn to_text(&self, style: &DoctorStyle) -> String {
        let DoctorVerdict {
            health,
            message,
            remedy,
            ..
        } = self.verdict;
        let subject = line(self.subject);
        let severity = match health {
            Health::Healthy => Severity::Ok,
            Health::Problem => Severity::Problem,
            Health::Unknown => Severity::Unknown,
        };
        let label = style.colorize(health.name(), severity);
        let mut text = format!("{subject}: {label}: {}\n", line(message));
        if let Some(remedy) = remedy {
            text += &format!("  $ {}\n", line(remedy));
        }
        text.push('\n');
        for finding in self.findings {
            let Finding {
                check,
                severity,
                message,
                ..
            } = finding;
            let label = style.colorize(&format!("{:8}", severity.name()), *severity);
            text += &format!("{label} {check:14} {}\n", line(message));
            if !should_show_evidence(finding, style) {
                continue;
            }
            for evidence in &finding.evidence {
                text += &evidence_line(evidence, finding, style);
            }
            if let Some(remedy) = &finding.remedy {
                text += &format!("{:22}$ {}\n", "", line(remedy));
            }
        }
        text + &format!("\nchecked in {:.0} ms\n", self.milliseconds)
    }

    fn to_json(&self) -> Vec<u8> {
        let verdict = object(|fields| {
            fields.field("health", self.verdict.health.name());
            fields.field("code", self.verdict.code);
            fields.field("what", &self.verdict.message);
            fields.optional("remedy", self.verdict.remedy.as_ref());
        });
        let report = object(|fields| {
            fields.field("target", self.subject);
            fields.field("verdict", verdict);
            fields.field("findings", array(self.findings));
            fields.field("milliseconds", fixed(self.milliseconds, 1));
        });
        report.into_line()
    }
}

impl JsonValue for &Finding {
    fn write(self, out: &mut Vec<u8>) {
        let finding = object(|fields| {
            fields.field("check", self.check);
            fields.field("severity", self.severity.name());
            fields.field("code", self.code);
            fields.field("what", &self.message);
            fields.field("evidence", array(&self.evidence));
            fields.optional("remedy", self.remedy.as_ref());
        });
        finding.write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printable::{is_printable, unprintable_characters};

    #[test]
    fn all_formats_replace_unprintable_characters() {
        let text = String::from_iter(unprintable_characters());
        let finding = Finding {
            check: "check",
            severity: Severity::Problem,
            code: "code",
            message: text.clone(),
            evidence: vec![text.clone()],
            remedy: Some(text.clone()),
        };
        let findings = [finding];
        let report = DoctorReport {
            subject: &text,
            verdict: &DoctorVerdict::from_findings(&findings),
            findings: &findings,
            milliseconds: 0.0,
        };
        let style = DoctorStyle {
            is_coloured: false,
            is_verbose: true,
            width: None,
        };
        let shown = report.to_text(&style);
        let json = String::from_utf8(report.to_json()).expect("UTF-8");
        for (output, line_count) in [(shown, 8), (json, 1)] {
            assert_eq!(output.lines().count(), line_count, "{output}");
            let mut characters = output.lines().flat_map(str::chars);
            assert!(characters.all(is_printable), "{output:?}");
        }
    }
}
