//! `lcap run`: what a command says on loopback, and its exit code.

use std::process::Command;

use super::session::{LCAP, PATIENCE, permitted, skip};
use super::traffic::{Port, V4};
use std::time::{Duration, Instant};

/// Runs lcap with these words: its exit code, its standard output and its standard error.
fn run(words: &[&str]) -> (Option<i32>, String, String) {
    let began = Instant::now();
    let output = Command::new(LCAP).arg("run").args(words).output().unwrap();
    assert!(began.elapsed() < PATIENCE);
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code(), out, err)
}

#[test]
fn exit_codes_are_the_commands() {
    if !permitted() {
        return;
    }
    for (command, code) in [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)] {
        let (ended, output, errors) = run(&["--", "sh", "-c", command]);
        assert_eq!(ended, Some(code), "{command}: {errors}");
        assert_eq!(output, "");
    }
    let (ended, _, errors) = run(&["flows", "--", "no-such-program"]);
    assert_eq!(ended, Some(127), "{errors}");
    assert!(errors.contains("cannot run no-such-program"), "{errors}");
}

#[test]
fn a_command_stands_behind_two_hyphens() {
    for words in [
        &["flows"][..],
        &["--"],
        &["flows", "--"],
        &["-r", "fixtures/http.pcap", "--", "true"],
        &["completions", "bash", "--", "true"],
    ] {
        let (ended, _, errors) = run(words);
        assert_eq!(ended, Some(2), "{words:?}: {errors}");
    }
}

/// The command talks to a server, as does another process at the same time.
#[test]
fn only_what_the_command_says_is_shown() {
    if !permitted() {
        return;
    }
    if Command::new("bash")
        .arg("-c")
        .arg("exit 0")
        .status()
        .is_err()
    {
        return skip("bash talks to ports, other shells do not");
    }
    let port = Port::take();
    let listening = std::net::TcpListener::bind((V4, 0)).unwrap();
    let number = listening.local_addr().unwrap().port();
    let others = port.keep_sending(100, Duration::from_millis(1));
    let say = format!("exec 3<>/dev/tcp/127.0.0.1/{number}; echo hello >&3; sleep 0.2");
    // By a child of a child.
    let script = format!("sleep 0.2; bash -c '{say}'; echo done; exit 3");
    let (code, output, errors) = run(&["flows", "--format", "json", "--", "bash", "-c", &script]);
    drop(others);
    assert_eq!(code, Some(3), "{errors}");
    assert_eq!(output, "done\n");
    let rows: Vec<&str> = errors
        .lines()
        .filter(|line| line.starts_with('{'))
        .collect();
    assert_eq!(rows.len(), 1, "{errors}");
    let row: serde_json::Value = serde_json::from_str(rows[0]).unwrap();
    assert_eq!(row["id.resp_p"], number, "{errors}");
    // The shell becomes its last command.
    let name = row["orig_process"]["name"].as_str().unwrap();
    assert!(["bash", "sleep"].contains(&name), "{name}");
}

#[test]
fn a_private_loopback_is_the_commands_own() {
    let possible = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "true"])
        .status();
    if !possible.is_ok_and(|status| status.success()) {
        return skip("no user namespaces");
    }
    let listening = std::net::TcpListener::bind((V4, 0)).unwrap();
    let number = listening.local_addr().unwrap().port();
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{number} || exit 5");
    let (code, _, errors) = run(&["--private", "flows", "--", "bash", "-c", &script]);
    assert_eq!(code, Some(5), "{errors}");
    assert!(
        errors.contains("refused: nothing was listening"),
        "{errors}"
    );
}
