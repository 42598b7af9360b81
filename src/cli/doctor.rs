//! `lcap doctor`: a verdict first, then what was found, as text or as JSON.

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use super::args::{self, ReportFormat};
use super::json::object;
use super::look::is_coloured;
use super::report::{self, clean_line};
use super::signals;
use crate::doctor::{
    Finding, Health, Severity, Talk, Verdict, Watched, findings, gather, own, watch,
};
use crate::error::Result;
use crate::source::Stop;

/// Carries it out.
pub(super) fn run(args: &args::Doctor) -> Result<u8> {
    let began = Instant::now();
    let found = match &args.target {
        Some(target) => {
            let talk = if args.talk { Talk::Yes } else { Talk::No };
            let mut facts = gather(target, talk);
            if let Some(seconds) = args.watch {
                facts.watched = Some(watched(target.port, seconds)?);
            }
            findings(&facts)
        }
        None => own::findings(&own::look()),
    };
    let subject = args.target.as_ref().map(ToString::to_string);
    let verdict = Verdict::of(&found);
    let report = Report {
        subject: subject.as_deref().unwrap_or("lcap"),
        verdict: &verdict,
        findings: &found,
        milliseconds: began.elapsed().as_secs_f64() * 1e3,
    };
    let text = match args.format {
        ReportFormat::Json => report.json(),
        ReportFormat::Text => report.text(&Look {
            is_coloured: is_coloured(args.color),
            is_full: args.verbose,
        }),
    };
    super::print(text.as_bytes())?;
    Ok(match verdict.health {
        Health::Healthy => 0,
        Health::Problem => 1,
        Health::Unknown => 2,
    })
}

/// Watches the port until the time is over, or somebody asks for an end.
fn watched(port: u16, seconds: u64) -> Result<Watched> {
    let stop = Stop::new()?;
    signals::listen(stop.clone(), Arc::default(), Arc::default(), None)?;
    report::watching(port, seconds);
    Ok(watch(port, seconds, stop))
}

/// All that is to be told.
struct Report<'a> {
    subject: &'a str,
    verdict: &'a Verdict,
    findings: &'a [Finding],
    milliseconds: f64,
}

/// How text looks.
struct Look {
    is_coloured: bool,
    /// Whether the evidence of what is fine is told, too.
    is_full: bool,
}

const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const PLAIN: &str = "\x1b[0m";

impl Look {
    /// A word in the colour of how bad it is.
    fn painted(&self, word: &str, severity: Severity) -> String {
        let colour = match severity {
            Severity::Problem => RED,
            Severity::Note | Severity::Unknown => YELLOW,
            Severity::Ok => return word.to_owned(),
        };
        match self.is_coloured {
            true => format!("{colour}{word}{PLAIN}"),
            false => word.to_owned(),
        }
    }
}

/// Whether people want to know what a finding rests on.
fn is_told(finding: &Finding, look: &Look) -> bool {
    // Who listens is what is asked for.
    finding.severity != Severity::Ok || look.is_full || finding.code == "listens"
}

impl Report<'_> {
    fn text(&self, look: &Look) -> String {
        let Verdict {
            health,
            what,
            remedy,
            ..
        } = self.verdict;
        let subject = clean_line(self.subject);
        let severity = match health {
            Health::Healthy => Severity::Ok,
            Health::Problem => Severity::Problem,
            Health::Unknown => Severity::Unknown,
        };
        let word = look.painted(health.name(), severity);
        let mut text = format!("{subject}: {word}: {}\n", clean_line(what));
        if let Some(remedy) = remedy {
            text += &format!("  $ {}\n", clean_line(remedy));
        }
        text.push('\n');
        for finding in self.findings {
            let Finding {
                check,
                severity,
                what,
                ..
            } = finding;
            let word = look.painted(&format!("{:8}", severity.name()), *severity);
            text += &format!("{word} {check:14} {}\n", clean_line(what));
            if !is_told(finding, look) {
                continue;
            }
            for line in &finding.evidence {
                text += &format!("{:24}{}\n", "", clean_line(line));
            }
            if let Some(remedy) = &finding.remedy {
                text += &format!("{:22}$ {}\n", "", clean_line(remedy));
            }
        }
        text + &format!("\n{:.0} ms\n", self.milliseconds)
    }

    fn json(&self) -> String {
        let verdict = object(&[
            ("health", self.verdict.health.name().into()),
            ("code", self.verdict.code.into()),
            ("what", self.verdict.what.clone().into()),
            (
                "remedy",
                self.verdict.remedy.clone().map_or(Value::Null, Value::from),
            ),
        ]);
        let finding = |finding: &Finding| {
            object(&[
                ("check", finding.check.into()),
                ("severity", finding.severity.name().into()),
                ("code", finding.code.into()),
                ("what", finding.what.clone().into()),
                ("evidence", finding.evidence.clone().into()),
                (
                    "remedy",
                    finding.remedy.clone().map_or(Value::Null, Value::from),
                ),
            ])
        };
        let findings: Vec<String> = self.findings.iter().map(finding).collect();
        let subject = object(&[("target", self.subject.into())]);
        format!(
            "{},\"verdict\":{verdict},\"findings\":[{}],\"milliseconds\":{:.1}}}\n",
            subject.trim_end_matches('}'),
            findings.join(","),
            self.milliseconds
        )
    }
}
