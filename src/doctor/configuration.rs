//! Places that name the port: command lines, environments, systemd units, and configuration files
//! below the server's working directory.

use super::facts::PortFacts;
use super::finding::{CheckName, Finding, Severity};
use crate::error::count_noun;
use crate::host::services::config_search::PortMention;

const CHECK: CheckName = CheckName("configuration");
/// Maximum number of places shown in the evidence.
const MAX_SHOWN_MENTIONS: usize = 8;

pub(super) fn check(facts: &PortFacts) -> Vec<Finding> {
    let port = facts.target.port;
    let searches = facts.config_searches.iter();
    let in_files = searches.flat_map(|(_, found)| &found.mentions);
    let in_units = facts.units.iter().map(|unit| &unit.mention);
    let mentions = facts
        .process_mentions
        .iter()
        .chain(in_units)
        .chain(in_files);
    let (named, others): (Vec<&PortMention>, Vec<&PortMention>) =
        mentions.partition(|mention| mention.ports.contains(&port));
    let mut found = Vec::new();
    let is_served = facts.port_listeners().next().is_some();
    if !named.is_empty() {
        let places = count_noun(named.len(), "place");
        let suffix = if is_served {
            ""
        } else {
            ", but nothing listens on it"
        };
        let message = format!("port {port} is named in {places}{suffix}");
        let finding = CHECK.finding(Severity::note_unless(is_served), "named", message);
        found.push(finding.with_evidence_lines(mention_lines(&named)));
    }
    // Other ports in files may belong to other programs, so they matter only if no file names the
    // port of the target.
    let is_in_file = named.iter().any(|mention| mention.line > 0);
    let mut certain = others;
    certain.retain(|mention| {
        mention.line > 0 && mention.is_certain && is_in_config_directory(facts, mention)
    });
    if is_served && !is_in_file && !certain.is_empty() {
        let message = format!(
            "files in the server's working directory name other ports, but none names port {port}"
        );
        let finding = CHECK.note("other-port-named", message);
        found.push(finding.with_evidence_lines(mention_lines(&certain)));
    }
    found.extend(check_skipped_files(facts));
    found
}

/// True if a file is directly in the working directory or in one of its configuration
/// subdirectories. Other subdirectories may belong to other programs.
fn is_in_config_directory(facts: &PortFacts, mention: &PortMention) -> bool {
    let is_config_path = |path: &str| match path.trim_start_matches('/').split_once('/') {
        None => true,
        Some((first, _)) => first.starts_with("conf") || first == "etc",
    };
    let mut directories = facts.config_searches.iter().map(|(directory, _)| directory);
    directories.any(|directory| {
        let path = mention.location.strip_prefix(directory.as_str());
        path.is_some_and(is_config_path)
    })
}

fn mention_lines(mentions: &[&PortMention]) -> Vec<String> {
    let line = |mention: &&PortMention| match mention.line {
        0 => format!("{}: {}", mention.location, mention.text),
        line => format!("{}:{line}: {}", mention.location, mention.text),
    };
    let mut lines: Vec<String> = mentions.iter().take(MAX_SHOWN_MENTIONS).map(line).collect();
    let more = mentions.len().saturating_sub(MAX_SHOWN_MENTIONS);
    if more > 0 {
        lines.push(format!("and {}", count_noun(more, "more place")));
    }
    lines
}

/// Reports files and directories that were not searched.
fn check_skipped_files(facts: &PortFacts) -> Option<Finding> {
    let searches = || facts.config_searches.iter().map(|(_, search)| search);
    let counts: [(usize, &str); 2] = [
        (searches().map(|search| search.skipped_files).sum(), "file"),
        (
            searches().map(|search| search.skipped_directories).sum(),
            "directory",
        ),
    ];
    let skipped = counts.into_iter().filter(|(count, _)| *count > 0);
    let skipped: Vec<String> = skipped
        .map(|(count, noun)| count_noun(count, noun))
        .collect();
    if skipped.is_empty() {
        return None;
    }
    let skipped = skipped.join(" and ");
    let message = format!(
        "not searched: {skipped} below the server's working directory (too deep, too many, too \
         large or unreadable)"
    );
    Some(CHECK.ok("left-out", message))
}
