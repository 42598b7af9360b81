//! Manual pages in roff (man(7)): one for lcap, one for each command, one for each reference page.

mod roff;
mod sections;

use clap::{Arg, ArgAction, Command, CommandFactory};
use clap_mangen::Man;

use super::args::Cli;
use super::usage_error;
use crate::error::Result;
use roff::{escape, roff};
use sections::SECTIONS;

/// A reference page, printed alone or as part of other manual pages.
struct Reference {
    name: &'static str,
    /// Manual pages that include this reference page.
    included_by: &'static [&'static str],
    markdown: &'static str,
}

const REFERENCES: [Reference; 5] = [
    Reference {
        name: "formats",
        included_by: &["lcap"],
        markdown: include_str!("../doc/formats.md"),
    },
    Reference {
        name: "limits",
        included_by: &["lcap"],
        markdown: include_str!("../doc/limits.md"),
    },
    Reference {
        name: "codes",
        included_by: &["doctor"],
        markdown: include_str!("../doc/doctor.md"),
    },
    Reference {
        name: "performance",
        included_by: &[],
        markdown: include_str!("../doc/performance.md"),
    },
    Reference {
        name: "internals",
        included_by: &[],
        markdown: include_str!("../doc/internals.md"),
    },
];

/// Returns the manual page of lcap, of one of its commands, or of a reference page.
pub(super) fn page(name: Option<&str>) -> Result<Vec<u8>> {
    let mut whole = Cli::command();
    whole.build();
    let name = name.unwrap_or("lcap");
    if let Some(reference) = REFERENCES.iter().find(|reference| reference.name == name) {
        return Ok(reference_page(reference).into_bytes());
    }
    let command = match name {
        "lcap" => Some(&whole),
        _ => whole.find_subcommand(name),
    };
    match command {
        Some(command) => command_page(command, name),
        None => {
            let commands = whole
                .get_subcommands()
                .filter(|command| !command.is_hide_set());
            let commands = commands.map(Command::get_name);
            let references = REFERENCES.iter().map(|reference| reference.name);
            let pages: Vec<&str> = commands.chain(references).collect();
            usage_error(format!(
                "no manual page {name:?}; available pages: lcap, {}",
                pages.join(", ")
            ))
        }
    }
}

fn command_page(command: &Command, name: &str) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let sections = SECTIONS.iter().find(|sections| sections.command == name);
    // The examples and exit codes after the options become sections of the manual page.
    let page = Man::new(command.clone().after_help("").after_long_help(""));
    page.render_title(&mut out)?;
    page.render_name_section(&mut out)?;
    out.extend(synopsis(command, name).into_bytes());
    page.render_description_section(&mut out)?;
    page.render_options_section(&mut out)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut out)?;
    }
    if let Some(sections) = sections {
        out.extend(rows("EXAMPLES", sections.examples).into_bytes());
        out.extend(rows("EXIT STATUS", sections.exit_status).into_bytes());
        out.extend(rows("FILES", sections.files).into_bytes());
    }
    let references = REFERENCES.iter();
    for reference in references.filter(|reference| reference.included_by.contains(&name)) {
        out.extend(roff(reference.markdown).into_bytes());
    }
    out.extend(".SH \"SEE ALSO\"\ntcpdump(8), pcap\\-filter(7), wireshark(1), ss(8)\n".bytes());
    Ok(out)
}

fn reference_page(reference: &Reference) -> String {
    let name = reference.name;
    format!(
        ".TH \"lcap\\-{name}\" 7 \"\" \"lcap {}\"\n{}",
        env!("CARGO_PKG_VERSION"),
        roff(reference.markdown)
    )
}

/// Returns the SYNOPSIS section with the values of options, which clap_mangen leaves out.
fn synopsis(command: &Command, name: &str) -> String {
    let mut out = String::from(".SH SYNOPSIS\n");
    if let Some(usage) = command.get_overridden_usage() {
        return out + &format!("\\fB{}\\fR\n", escape(&usage.to_string()));
    }
    out += &match name {
        "lcap" => "\\fBlcap\\fR".to_owned(),
        _ => format!("\\fBlcap {}\\fR", escape(name)),
    };
    let shown = || command.get_arguments().filter(|arg| !arg.is_hide_set());
    let options = shown().filter(|arg| !arg.is_positional());
    for argument in options.chain(shown().filter(|arg| arg.is_positional())) {
        out += &format!("\n[{}]", usage(argument));
    }
    if command.has_subcommands() {
        out += "\n.br\n\\fBlcap\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]";
    }
    out + "\n"
}

/// Returns the usage of one argument: `-p, --port PORTS`, or the name of a positional argument.
fn usage(argument: &Arg) -> String {
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let value = argument.get_value_names().map(|names| {
        names
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    });
    let takes_value = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
    let value = value
        .filter(|_| takes_value)
        .map(|value| format!("\\fI{}\\fR", escape(&value)));
    let names = (!names.is_empty()).then(|| format!("\\fB{}\\fR", escape(&names.join(", "))));
    names.into_iter().chain(value).collect::<Vec<_>>().join(" ")
}

/// Returns a section of terms and their descriptions; empty if there are no rows.
fn rows(title: &str, rows: &[(&str, &str)]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let rows = rows.iter();
    let rows: String = rows
        .map(|(term, text)| format!(".TP\n\\fB{}\\fR\n{}\n", escape(term), escape(text)))
        .collect();
    format!(".SH \"{title}\"\n{rows}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_reference_has_a_page() {
        let mut whole = Cli::command();
        whole.build();
        let commands = whole
            .get_subcommands()
            .map(|command| command.get_name().to_owned());
        let references = REFERENCES.iter().map(|reference| reference.name.to_owned());
        for name in commands.chain(references).chain(["lcap".to_owned()]) {
            let page = String::from_utf8(page(Some(&name)).expect("a page")).expect("UTF-8");
            assert!(page.contains(".TH "), "{name}");
            // Code or bold text that spans two lines of Markdown would stay bold to the end.
            let is_unclosed =
                |line: &&str| line.matches("\\fB").count() > line.matches("\\fR").count();
            assert_eq!(page.lines().find(is_unclosed), None, "{name}");
        }
        assert!(page(Some("nonsense")).is_err());
    }

    #[test]
    fn pages_have_their_sections() {
        for sections in &SECTIONS {
            let page = page(Some(sections.command)).expect("a page");
            let page = String::from_utf8(page).expect("UTF-8");
            for (title, is_expected) in [
                (".SH SYNOPSIS", true),
                (".SH \"EXAMPLES\"", true),
                (".SH \"EXIT STATUS\"", true),
                (".SH \"FILES\"", !sections.files.is_empty()),
            ] {
                assert_eq!(
                    page.contains(title),
                    is_expected,
                    "{}: {title}",
                    sections.command
                );
            }
        }
    }

    #[test]
    fn synopsis_shows_values() {
        let page = String::from_utf8(page(Some("flows")).expect("a page")).expect("UTF-8");
        assert!(page.contains("[\\fB\\-p, \\-\\-port\\fR \\fIPORTS\\fR]"));
        assert!(page.contains("[\\fB\\-D, \\-\\-list\\-interfaces\\fR]"));
    }
}
