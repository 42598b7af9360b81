//! The command that shows a conversation of `lcap flows`.

use super::args::CommonArgs;
use crate::error::shell_quote;
use crate::filter::Ports;
use crate::printable;

/// Returns the command that shows the messages of flow 1 of a file, with the same filters, which
/// also determine the numbers of the flows. Returns `None` if the packets are read only once.
pub(super) fn follow_command(args: &CommonArgs) -> Option<String> {
    let path = args.input.read.as_ref()?.to_str()?;
    if path == "-" {
        return None;
    }
    let mut words = ["lcap", "follow", "-r", path].map(str::to_owned).to_vec();
    let mut add = |option: &str, value: &str| {
        words.extend([option.to_owned(), value.to_owned()]);
    };
    if let Some(ports) = &args.port {
        add("-p", &port_list(ports));
    }
    if let Some(file) = &args.expression_file {
        add("-F", file.to_str()?);
    }
    let processes = &args.process_filter;
    for pid in &processes.pid {
        add("--pid", &pid.to_string());
    }
    for name in &processes.process {
        add("--process", name);
    }
    for user in &processes.user {
        add("--user", user);
    }
    add("--flow", "1");
    if args.expression_file.is_none() {
        words.extend(args.expression.iter().cloned());
    }
    // A command that must not be printed as it is cannot be copied, either.
    let is_printable = |word: &String| word.chars().all(printable::is_printable);
    let quoted: Vec<String> = words.iter().map(|word| shell_quote(word)).collect();
    words.iter().all(is_printable).then(|| quoted.join(" "))
}

/// Returns ports as on the command line: `80,8000-8100`.
fn port_list(ports: &Ports) -> String {
    let ranges = ports
        .ranges()
        .iter()
        .map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        });
    ranges.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Cli, Command};
    use clap::Parser;

    #[test]
    fn the_command_has_the_same_input_and_filters() {
        for (line, expected) in [
            (
                "lcap flows -r a.pcap -p 80,8000-8100 --sort start",
                Some("lcap follow -r a.pcap -p 80,8000-8100 --flow 1"),
            ),
            (
                "lcap flows -r it's.pcap --process nginx --pid 7 tcp and not port 22",
                Some(
                    r"lcap follow -r 'it'\''s.pcap' --pid 7 --process nginx --flow 1 tcp and not port 22",
                ),
            ),
            ("lcap flows -r \u{202e}.pcap", None),
            ("lcap flows -r -", None),
            ("lcap flows -p 80", None),
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).expect(line);
            let Some(Command::Flows(args)) = cli.command else {
                unreachable!("{line}");
            };
            assert_eq!(follow_command(&args.common).as_deref(), expected, "{line}");
        }
    }
}
