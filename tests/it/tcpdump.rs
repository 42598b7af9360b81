//! Comparison of the packet lines of fixtures/CASES with the lines of tcpdump 4.99, if installed.
//! They are equal, except where tcpdump also dissects the payload.

use crate::cases::cases;
use crate::command::{fixture_path, run, run_command_with_stdin};
use std::io::Write;
use std::process::Command;

/// Returns true if the version of tcpdump whose lines lcap reproduces is installed.
fn is_tcpdump_installed() -> bool {
    let version = Command::new("tcpdump").arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    version.is_ok_and(|text| text.contains("tcpdump version 4.99"))
}

/// Options that tcpdump does not have or that have another meaning there.
const LCAP_ONLY_OPTIONS: [&str; 4] = ["--format", "-p", "--max-bytes", "--micro"];

#[test]
fn lines_match_tcpdump() {
    if !is_tcpdump_installed() {
        // Not with eprintln!, whose output the test runner captures.
        let _ = writeln!(std::io::stderr(), "skipped: tcpdump 4.99 is not installed");
        return;
    }
    let (mut compared, mut differences) = (0, String::new());
    for case in cases() {
        let is_lcap_only = case
            .arguments
            .iter()
            .any(|argument| LCAP_ONLY_OPTIONS.contains(&&argument[..]));
        // Lines of this capture end with the names of processes, which tcpdump does not print.
        let is_lcap_only = is_lcap_only || case.capture == "named.pcapng";
        if is_lcap_only || case.has_command() {
            continue;
        }
        // tcpdump does not read compressed files: lcap decompresses them.
        let path = fixture_path(&case.capture);
        let capture = match path.rsplit('.').next() {
            Some("gz" | "zst") => run(["-r", &path, "-w", "-"]).stdout,
            _ => std::fs::read(&path).unwrap(),
        };
        let mut tcpdump = Command::new("tcpdump");
        tcpdump.env("TZ", "UTC").args(["-nn", "-r", "-"]);
        let tcpdump = run_command_with_stdin(tcpdump.args(&case.arguments), &capture);
        let tcpdump = String::from_utf8_lossy(&tcpdump.stdout).into_owned();
        let lcap = case.run();
        let lcap = String::from_utf8_lossy(&lcap.stdout).into_owned();
        if let Err(difference) = compare_lines(&lcap, &tcpdump) {
            differences += &format!("{}: {difference}\n", case.name);
        }
        compared += 1;
    }
    assert!(differences.is_empty(), "{differences}");
    assert!(compared > 50, "only {compared} cases compared");
}

/// Returns an error unless each line of lcap is equal to the line of tcpdump. A line of tcpdump can
/// also continue with a dissection, after which tcpdump can print more lines.
fn compare_lines(lcap: &str, tcpdump: &str) -> Result<(), String> {
    let mut tcpdump = tcpdump.lines();
    let mut dissected = false;
    for (at, line) in lcap.lines().enumerate() {
        let rest = |tcpdump: &str| tcpdump.strip_prefix(line).map(str::to_owned);
        let found = if dissected {
            tcpdump.find(|tcpdump| rest(tcpdump).is_some())
        } else {
            tcpdump.next()
        };
        let found = found.unwrap_or("(no line)");
        match rest(found) {
            Some(rest) if rest.is_empty() => {}
            Some(rest) if rest.starts_with(": ") => dissected = true,
            _ => {
                return Err(format!(
                    "line {}\n  lcap    {line}\n  tcpdump {found}",
                    at + 1
                ));
            }
        }
    }
    match tcpdump.next() {
        Some(line) if !dissected => Err(format!("additional line of tcpdump: {line}")),
        _ => Ok(()),
    }
}
