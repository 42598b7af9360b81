//! Systemd units that mention a port (systemd.socket(5), systemd.service(5)), and their states.

use std::io;
use std::process::Command;

use super::config_search::{self, PortMention};
use crate::host::subprocess;

/// A unit that mentions a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemdUnit {
    /// The name of the unit.
    pub name: String,
    /// The line that mentions the port.
    pub mention: PortMention,
    /// `active`, `inactive`, `failed`, …; `None` if systemd is not running.
    pub state: Option<String>,
}

/// Unit directories, highest precedence first: a unit overrides units with the same name in later
/// directories.
const UNIT_DIRECTORIES: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
/// Prefixes of the lines that can contain ports.
const PORT_KEYS: [&str; 4] = ["Listen", "Exec", "Environment=", "X-"];
/// Maximum number of unit files that are read.
const MAX_UNIT_FILES: usize = 2000;
/// Maximum size of a unit file, in bytes; no real unit is this large.
const MAX_UNIT_FILE_BYTES: u64 = 64 << 10;
/// Maximum number of units that are returned.
const MAX_UNITS: usize = 8;

/// Returns the units that mention this port.
pub fn mentioning_port(port: u16) -> Vec<SystemdUnit> {
    let mut found: Vec<SystemdUnit> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let mut files = 0;
    for directory in UNIT_DIRECTORIES {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_unit = name.ends_with(".service") || name.ends_with(".socket");
            files += usize::from(is_unit);
            if !is_unit
                || files > MAX_UNIT_FILES
                || found.len() >= MAX_UNITS
                || !seen.insert(name.clone())
            {
                continue;
            }
            let is_small = std::fs::metadata(entry.path())
                .is_ok_and(|meta| meta.is_file() && meta.len() <= MAX_UNIT_FILE_BYTES);
            let text = is_small.then(|| std::fs::read_to_string(entry.path()));
            let text = text.and_then(Result::ok).unwrap_or_default();
            if let Some(mut mention) = find_mention(&text, port) {
                mention.location = entry.path().to_string_lossy().into_owned();
                found.push(SystemdUnit {
                    name,
                    mention,
                    state: None,
                });
            }
        }
    }
    if let Ok(states) = active_states(&found) {
        for (unit, state) in found.iter_mut().zip(states) {
            unit.state = Some(state);
        }
    }
    found
}

pub(in crate::host) fn find_mention(text: &str, port: u16) -> Option<PortMention> {
    let mut lines = text.lines().enumerate();
    lines.find_map(|(at, line)| {
        if !PORT_KEYS.iter().any(|key| line.starts_with(key)) {
            return None;
        }
        // The whole line is searched: in `ListenStream=62893`, the key contains the keyword.
        let mention = config_search::find_in_text("", line)?;
        mention.ports.contains(&port).then_some(PortMention {
            line: at + 1,
            ..mention
        })
    })
}

/// Queries the states of the units with systemctl(1), which prints one per line.
fn active_states(units: &[SystemdUnit]) -> io::Result<Vec<String>> {
    if units.is_empty() {
        return Ok(Vec::new());
    }
    let names = units.iter().map(|unit| unit.name.as_str());
    let mut command = Command::new("systemctl");
    let running = subprocess::spawn(command.args(["is-active", "--"]).args(names))?;
    let states: Vec<String> = running.wait()?.stdout.lines().map(str::to_owned).collect();
    match states.len() == units.len() {
        true => Ok(states),
        // systemctl is installed, but systemd is not running.
        false => Err(io::ErrorKind::NotConnected.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_lines_that_mention_the_port_are_found() {
        let text = "[Socket]\nDescription=62893\nListenStream=127.0.0.1:62893\n";
        assert_eq!(
            find_mention(text, 62893).map(|mention| mention.line),
            Some(3)
        );
        assert_eq!(find_mention(text, 6289), None);
        assert!(find_mention("ExecStart=/bin/x --port 80", 80).is_some());
        assert_eq!(find_mention("ExecStart=/bin/x -n 80", 80), None);
    }
}
