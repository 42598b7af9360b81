//! Life of the command of `lcap run`: what it inherits, its signals, and what remains of it.

use rustix::process::{Pid, Signal, kill_process};

use super::run_command::run;
use super::session::{Session, can_capture_or_skip};

/// Starts `lcap run` with a script of sh, and waits for a line of its output.
fn start(script: &str, line: &str) -> Session {
    let session = Session::start(["run", "--", "sh", "-c", script]);
    session.output.wait_for(|other| other.starts_with(line));
    session
}

#[test]
fn command_inherits_only_the_standard_descriptors() {
    if !can_capture_or_skip() {
        return;
    }
    // The process is listed by another one, which has a descriptor of its own for this.
    let script = "sleep 60 & ls /proc/$!/fd; kill $!";
    for options in [&[][..], &["-w", "/dev/null"], &["--no-processes"]] {
        let (code, output, errors) = run(&[options, &["--", "sh", "-c", script]].concat());
        assert_eq!(code, Some(0), "{errors}");
        assert_eq!(output, "0\n1\n2\n", "{options:?}: {errors}");
    }
}

#[test]
fn signals_are_passed_on_to_the_command() {
    if !can_capture_or_skip() {
        return;
    }
    for (signal, name, code) in [
        (Signal::TERM, "TERM", 143),
        (Signal::HUP, "HUP", 129),
        (Signal::INT, "INT", 130),
    ] {
        let session = start("echo ready; exec sleep 60", "ready");
        session.signal(signal);
        let ended = session.wait();
        assert_eq!(ended.code, Some(code), "{:?}", ended.errors);

        let trap = format!("trap 'echo {name}; kill $!; exit 5' {name}");
        let script = format!("sleep 60 >/dev/null 2>&1 & {trap}; echo ready; wait");
        let session = start(&script, "ready");
        session.signal(signal);
        let ended = session.wait();
        assert_eq!(ended.code, Some(5), "{:?}", ended.errors);
        assert_eq!(ended.output, ["ready", name]);
    }
}

#[test]
fn second_signal_ends_lcap_and_reports_a_command_that_ignores_it() {
    if !can_capture_or_skip() {
        return;
    }
    let script = "trap '' TERM; echo pid $$; exec sleep 60";
    let mut session = start(script, "pid ");
    session.signal(Signal::TERM);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(session.is_running());
    session.signal(Signal::TERM);
    session
        .errors
        .wait_for(|line| line.contains("1 process of the command is still running: sleep["));
    session.output.wait_for(|line| {
        let pid = line.strip_prefix("pid ").and_then(|pid| pid.parse().ok());
        let pid = pid.and_then(Pid::from_raw).unwrap();
        kill_process(pid, Signal::KILL).is_ok()
    });
    assert_eq!(session.wait().code, Some(143));
}

#[test]
fn process_that_outlives_the_command_is_reported() {
    if !can_capture_or_skip() {
        return;
    }
    for start in ["sleep 60", "setsid sh -c 'sleep 60 & exec sleep 0'"] {
        let script = format!("{start} >/dev/null 2>&1 & sleep 0.3");
        let (code, _, errors) = run(&["--", "sh", "-c", &script]);
        assert_eq!(code, Some(0), "{errors}");
        let report = "lcap: 1 process of the command is still running: sleep[";
        let line = errors.lines().find_map(|line| line.strip_prefix(report));
        let pid = line.and_then(|rest| rest.strip_suffix(']')?.parse().ok());
        let pid = pid.and_then(Pid::from_raw);
        kill_process(pid.unwrap_or_else(|| panic!("{errors}")), Signal::KILL).unwrap();
    }
    let (_, _, errors) = run(&["--", "sh", "-c", "sleep 0.1 & wait"]);
    assert!(!errors.contains("still running"), "{errors}");
}
