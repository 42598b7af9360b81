//! The systemd units that name a port (systemd.socket(5), systemd.service(5)), and whether they are active.

use std::io;
use std::process::Command;

use super::mentions::{self, Mention};
use super::tool;

/// A unit that names a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its name.
    pub name: String,
    /// Where it names the port.
    pub mention: Mention,
    /// `active`, `inactive`, `failed`, …; none where nobody is there to ask.
    pub state: Option<String>,
}

/// Where units are, those first that hide others of the same name.
const DIRECTORIES: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
/// Lines that have ports in them.
const KEYS: [&str; 4] = ["Listen", "Exec", "Environment=", "X-"];
/// No more files are read, in all.
const FILES: usize = 2000;
/// Longer than any unit, in bytes.
const SIZE: u64 = 64 << 10;
/// No more are asked for.
const MOST: usize = 8;

/// The units that name this port.
pub fn naming(port: u16) -> Vec<Unit> {
    let mut found: Vec<Unit> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let mut files = 0;
    for directory in DIRECTORIES {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_unit = name.ends_with(".service") || name.ends_with(".socket");
            files += usize::from(is_unit);
            if !is_unit || files > FILES || found.len() >= MOST || !seen.insert(name.clone()) {
                continue;
            }
            let is_small = std::fs::metadata(entry.path())
                .is_ok_and(|meta| meta.is_file() && meta.len() <= SIZE);
            let text = is_small.then(|| std::fs::read_to_string(entry.path()));
            let text = text.and_then(Result::ok).unwrap_or_default();
            if let Some(mut mention) = line(&text, port) {
                mention.place = entry.path().to_string_lossy().into_owned();
                found.push(Unit {
                    name,
                    mention,
                    state: None,
                });
            }
        }
    }
    if let Ok(states) = states(&found) {
        for (unit, state) in found.iter_mut().zip(states) {
            unit.state = Some(state);
        }
    }
    found
}

fn line(text: &str, port: u16) -> Option<Mention> {
    let mut lines = text.lines().enumerate();
    lines.find_map(|(at, line)| {
        if !KEYS.iter().any(|key| line.starts_with(key)) {
            return None;
        }
        // ListenStream=62893 has no other word for it.
        let mention = mentions::inside("", line)?;
        mention.ports.contains(&port).then_some(Mention {
            line: at + 1,
            ..mention
        })
    })
}

/// What systemctl(1) says of them, one word a line.
fn states(units: &[Unit]) -> io::Result<Vec<String>> {
    if units.is_empty() {
        return Ok(Vec::new());
    }
    let names = units.iter().map(|unit| unit.name.as_str());
    let mut command = Command::new("systemctl");
    let asked = tool::ask(command.args(["is-active", "--"]).args(names))?;
    let states: Vec<String> = asked.answer()?.output.lines().map(str::to_owned).collect();
    match states.len() == units.len() {
        true => Ok(states),
        // There is a program, and no systemd.
        false => Err(io::ErrorKind::NotConnected.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_name_ports() {
        let text = "[Socket]\nDescription=62893\nListenStream=127.0.0.1:62893\n";
        assert_eq!(line(text, 62893).map(|mention| mention.line), Some(3));
        assert_eq!(line(text, 6289), None);
        assert!(line("ExecStart=/bin/x --port 80", 80).is_some());
        assert_eq!(line("ExecStart=/bin/x -n 80", 80), None);
    }
}
