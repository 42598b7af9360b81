//! Places that name the port: command lines, environments, systemd units, and configuration files
//! below the server's working directory.

use super::facts::PortFacts;
use super::finding::{CheckName, Finding};
use crate::error::count_noun;
use crate::host::services::config_search::PortMention;

const CHECK: CheckName = CheckName("configuration");
/// Maximum number of places shown in the evidence.
const MAX_SHOWN_MENTIONS: usize = 8;

pub(super) fn check(facts: &PortFacts) -> Vec<Finding> {
    let port = facts.target.port;
    let in_files = facts
        .config_searches
        .iter()
        .flat_map(|(_, found)| &found.mentions);
    let in_units = facts.units.iter().map(|unit| &unit.mention);
    let mentions: Vec<&PortMention> = facts
        .process_mentions
        .iter()
        .chain(in_units)
        .chain(in_files)
        .collect();
    let (named, others): (Vec<&PortMention>, Vec<&PortMention>) = mentions
        .into_iter()
        .partition(|mention| mention.ports.contains(&port));
    let mut found = Vec::new();
    let is_served = facts
        .tcp_listeners()
        .chain(facts.udp_listeners())
        .next()
        .is_some();
    if !named.is_empty() {
        let finding = match is_served {
            true => {
                let places = count_noun(named.len(), "place");
                CHECK.ok("named", format!("port {port} is named in {places}"))
            }
            false => CHECK.note(
                "named",
                format!(
                    "port {port} is named in {}, but nothing listens on it",
                    count_noun(named.len(), "place")
                ),
            ),
        };
        found.push(finding.with_evidence_lines(mention_lines(&named)));
    }
    // Other ports in files may belong to other programs, so they matter only if no file names the
    // port of the target.
    let in_file = |mention: &&&PortMention| mention.line > 0;
    let is_in_file = named.iter().any(|mention| in_file(&mention));
    let certain: Vec<&PortMention> = others
        .into_iter()
        .filter(|mention| {
            mention.line > 0 && mention.is_certain && is_in_config_directory(facts, mention)
        })
        .collect();
    if is_served && !is_in_file && !certain.is_empty() {
        let message = format!(
            "files in the server's working directory name other ports, but none names port {port}"
        );
        found.push(
            CHECK
                .note("other-port-named", message)
                .with_evidence_lines(mention_lines(&certain)),
        );
    }
    found.extend(check_skipped_files(facts));
    found
}

/// True if a file is directly in the working directory or in one of its configuration
/// subdirectories. Other subdirectories may belong to other programs.
fn is_in_config_directory(facts: &PortFacts, mention: &PortMention) -> bool {
    let relative_path = |directory: &str| {
        let rest = mention.location.strip_prefix(directory)?;
        Some(rest.trim_start_matches('/').to_owned())
    };
    let mut directories = facts.config_searches.iter().map(|(directory, _)| directory);
    directories.any(|directory| {
        relative_path(directory).is_some_and(|rest| match rest.split_once('/') {
            None => true,
            Some((first, _)) => first.starts_with("conf") || first == "etc",
        })
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
    let searches = facts.config_searches.iter().map(|(_, search)| search);
    let (files, directories) = searches.fold((0, 0), |(files, directories), search| {
        (
            files + search.skipped_files,
            directories + search.skipped_directories,
        )
    });
    let file_count = count_noun(files, "file");
    let directory_count = count_noun(directories, "directory");
    let skipped = match (files, directories) {
        (0, 0) => return None,
        (_, 0) => file_count,
        (0, _) => directory_count,
        _ => format!("{file_count} and {directory_count}"),
    };
    let message = format!(
        "not searched: {skipped} below the server's working directory (too deep, too many, too \
         large or unreadable)"
    );
    Some(CHECK.ok("left-out", message))
}
