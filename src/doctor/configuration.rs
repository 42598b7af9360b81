//! Where the port is named: on command lines, in environments, in units, and in files below the directory in which who listens works.

use super::facts::Facts;
use super::finding::{Check, Finding, counted};
use crate::host::mentions::Mention;

const CHECK: Check = Check("configuration");
/// So many lines tell enough.
const TOLD: usize = 8;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let port = facts.target.port;
    let in_files = facts.searched.iter().flat_map(|(_, found)| &found.mentions);
    let in_units = facts.units.iter().map(|unit| &unit.mention);
    let all: Vec<&Mention> = facts.named.iter().chain(in_units).chain(in_files).collect();
    let (own, others): (Vec<&Mention>, Vec<&Mention>) = all
        .into_iter()
        .partition(|mention| mention.ports.contains(&port));
    let mut found = Vec::new();
    let is_served = facts.servers().chain(facts.datagrams()).next().is_some();
    if !own.is_empty() {
        let what = match is_served {
            true => format!("{port} is named in {}", counted(own.len(), "place")),
            false => format!("{port} is named, by a process that listens on another port"),
        };
        let named = match is_served {
            true => CHECK.ok("named", what),
            false => CHECK.note("named", what),
        };
        found.push(named.because_of(lines(&own)));
    }
    // What files say of other ports may be about others. It matters where none says this one.
    let in_file = |mention: &&&Mention| mention.line > 0;
    let is_in_file = own.iter().any(|mention| in_file(&mention));
    let sure: Vec<&Mention> = others
        .into_iter()
        .filter(|mention| mention.line > 0 && mention.is_sure && is_near(facts, mention))
        .collect();
    if is_served && !is_in_file && !sure.is_empty() {
        let what = format!(
            "who listens on {port} works where files name other ports, and none names {port}"
        );
        found.push(
            CHECK
                .note("other-port-named", what)
                .because_of(lines(&sure)),
        );
    }
    found.extend(left_out(facts));
    found
}

/// Whether a file is in the working directory itself, or where programs keep their configuration: further down are other programs'.
fn is_near(facts: &Facts, mention: &Mention) -> bool {
    let below = |directory: &str| {
        let rest = mention.place.strip_prefix(directory)?;
        Some(rest.trim_start_matches('/').to_owned())
    };
    let mut directories = facts.searched.iter().map(|(directory, _)| directory);
    directories.any(|directory| {
        below(directory).is_some_and(|rest| match rest.split_once('/') {
            None => true,
            Some((first, _)) => first.starts_with("conf") || first == "etc",
        })
    })
}

fn lines(mentions: &[&Mention]) -> Vec<String> {
    let line = |mention: &&Mention| match mention.line {
        0 => format!("{}: {}", mention.place, mention.text),
        line => format!("{}:{line}: {}", mention.place, mention.text),
    };
    let mut lines: Vec<String> = mentions.iter().take(TOLD).map(line).collect();
    let more = mentions.len().saturating_sub(TOLD);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

/// What was not looked at.
fn left_out(facts: &Facts) -> Option<Finding> {
    let all = facts.searched.iter().map(|(_, found)| found);
    let (files, directories) = all.fold((0, 0), |(files, directories), found| {
        (
            files + found.files_left_out,
            directories + found.directories_left_out,
        )
    });
    let what = match (files, directories) {
        (0, 0) => return None,
        (files, 0) => format!(
            "{} of the working directory left out",
            counted(files, "file")
        ),
        (0, directories) => {
            format!("{directories} directories below the working directory left out")
        }
        (files, directories) => format!(
            "{} and {directories} directories below the working directory left out",
            counted(files, "file")
        ),
    };
    Some(CHECK.ok(
        "left-out",
        format!("{what}: too deep, too many, too large, or not to be read"),
    ))
}
