//! The lines of fixtures/CASES beside those of tcpdump 4.99, where it is installed: the same, except where tcpdump dissects further.

use crate::cases::cases;
use crate::command::{feed, fixture, run};
use std::io::Write;
use std::process::Command;

/// Whether tcpdump is there, in the version whose lines lcap's are.
fn is_there() -> bool {
    let version = Command::new("tcpdump").arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    version.is_ok_and(|text| text.contains("tcpdump version 4.99"))
}

/// Arguments that tcpdump does not have or that mean something else to it.
const OURS: [&str; 4] = ["--format", "-p", "--max-bytes", "--micro"];

#[test]
fn lines_are_tcpdumps() {
    if !is_there() {
        // Not by a macro, whose words the test runner keeps to itself.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: there is no tcpdump 4.99 to compare with"
        );
        return;
    }
    let (mut compared, mut wrong) = (0, String::new());
    for case in cases() {
        let ours = case.arguments.iter().any(|word| OURS.contains(&&word[..]));
        // Nor does it know of processes.
        let ours = ours || case.capture == "named.pcapng";
        if ours || case.has_command() {
            continue;
        }
        // What is packed tcpdump does not read; what lcap writes is tested elsewhere.
        let path = fixture(&case.capture);
        let capture = match path.rsplit('.').next() {
            Some("gz" | "zst") => run(["-r", &path, "-w", "-"]).out,
            _ => std::fs::read(&path).unwrap(),
        };
        let mut tcpdump = Command::new("tcpdump");
        tcpdump.env("TZ", "UTC").args(["-nn", "-r", "-"]);
        let theirs = feed(tcpdump.args(&case.arguments), &capture);
        let theirs = String::from_utf8_lossy(&theirs.out).into_owned();
        let ours = case.run();
        let ours = String::from_utf8_lossy(&ours.out).into_owned();
        if let Err(difference) = agree(&ours, &theirs) {
            wrong += &format!("{}: {difference}\n", case.name);
        }
        compared += 1;
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(compared > 50, "only {compared} cases compared");
}

/// Every line of ours is theirs, or theirs goes on with a dissection, behind which it may have more lines.
fn agree(ours: &str, theirs: &str) -> Result<(), String> {
    let mut theirs = theirs.lines();
    let mut dissected = false;
    for (at, line) in ours.lines().enumerate() {
        let rest = |theirs: &str| theirs.strip_prefix(line).map(str::to_owned);
        let found = if dissected {
            theirs.find(|theirs| rest(theirs).is_some())
        } else {
            theirs.next()
        };
        let found = found.unwrap_or("no line more");
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
    match theirs.next() {
        Some(line) if !dissected => Err(format!("tcpdump has a line more: {line}")),
        _ => Ok(()),
    }
}
