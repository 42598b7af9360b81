//! Limits of the system (prlimit(2)) and full devices: a message with the object and a remedy, and
//! everything before it is written.

use crate::command::{RunOutput, fixture_path, run_command_with_stdin};
use crate::craft::{ByteOrder, CaptureBuilder};
use std::path::Path;
use std::process::Command;

/// Number and length of the packets of the capture: more than the limits of file sizes below.
const PACKET_COUNT: u32 = 1000;
const PACKET_LEN: usize = 1000;
const FILE_LIMIT_KIB: usize = 100;

fn write_capture(directory: &Path) -> String {
    let mut capture = CaptureBuilder::pcap(ByteOrder::Little, 0xA1B2_C3D4, (2, 4), 101);
    for number in 0..PACKET_COUNT {
        capture.record((number, 0), PACKET_LEN as u32, &[0x45; PACKET_LEN]);
    }
    let path = directory.join("many.pcap").display().to_string();
    std::fs::write(&path, capture.bytes).unwrap();
    path
}

/// Runs lcap in bash, which sets limits and redirects, in a directory.
fn run_script(script: &str, directory: &Path) -> RunOutput {
    let script = script.replace("LCAP", env!("CARGO_BIN_EXE_lcap"));
    let mut command = Command::new("bash");
    command.args(["-c", &script]).current_dir(directory);
    run_command_with_stdin(&mut command, b"")
}

#[test]
fn limits_are_reported_with_a_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let file = write_capture(directory);
    let http = fixture_path("http.pcap");
    const FULL: &str = "No space left on device (os error 28); free some space, or write to another \
                        file system";
    const TOO_LARGE: &str = "File too large (os error 27); raise the limit of file sizes \
                             (ulimit -f), or rotate files (-C)";
    const TOO_MANY: &str =
        "Too many open files (os error 24); raise the limit of open files (ulimit -n)";
    for (script, message) in [
        (
            "LCAP -r FILE > /dev/full",
            format!("cannot write standard output: {FULL}"),
        ),
        (
            "LCAP -r FILE --format json > /dev/full",
            format!("cannot write standard output: {FULL}"),
        ),
        (
            "LCAP -r FILE --count > /dev/full",
            format!("cannot write standard output: {FULL}"),
        ),
        (
            "LCAP -r FILE -w - > /dev/full",
            format!("cannot write standard output: {FULL}"),
        ),
        (
            "LCAP -r FILE -w /dev/full",
            format!("cannot write /dev/full: {FULL}"),
        ),
        (
            "LCAP flows -r HTTP > /dev/full",
            format!("cannot write standard output: {FULL}"),
        ),
        (
            "LCAP flows -r HTTP -o /dev/full",
            format!("cannot write /dev/full: {FULL}"),
        ),
        (
            "LCAP follow -r HTTP > /dev/full",
            format!("cannot write standard output: {FULL}"),
        ),
        (
            "ulimit -f LIMIT; LCAP -r FILE -w o.pcap",
            format!("cannot write o.pcap: {TOO_LARGE}"),
        ),
        (
            "ulimit -f LIMIT; LCAP -r FILE -XX > o.txt",
            format!("cannot write standard output: {TOO_LARGE}"),
        ),
        (
            "ulimit -f 0; LCAP flows -r HTTP -o o.csv",
            format!("cannot write o.csv: {TOO_LARGE}"),
        ),
        (
            "ulimit -n 5; LCAP -r HTTP",
            format!("cannot open HTTP: {TOO_MANY}"),
        ),
        (
            "ulimit -n 6; LCAP -r HTTP",
            format!("cannot open standard output: {TOO_MANY}"),
        ),
    ] {
        let replace = |text: &str| {
            let text = text.replace("FILE", &file).replace("HTTP", &http);
            text.replace("LIMIT", &FILE_LIMIT_KIB.to_string())
        };
        let run = run_script(&replace(script), directory);
        assert_eq!(run.exit_code, 1, "{script}: {}", run.stderr);
        let message = format!("lcap: {}\n", replace(&message));
        assert!(run.stderr.ends_with(&message), "{script}: {}", run.stderr);
    }
    let saved = std::fs::metadata(directory.join("o.pcap")).unwrap();
    assert_eq!(saved.len(), FILE_LIMIT_KIB as u64 * 1024);
}

/// The helper thread of `-w` needs a file descriptor; without it, lcap writes itself.
#[test]
fn file_is_saved_with_few_file_descriptors() {
    let directory = tempfile::tempdir().unwrap();
    let file = write_capture(directory.path());
    let mut successes = 0;
    for limit in 6..20 {
        let script = format!("ulimit -n {limit}; LCAP -r {file} -w o{limit}.pcap");
        let run = run_script(&script, directory.path());
        if run.exit_code == 0 {
            successes += 1;
            let saved = std::fs::read(directory.path().join(format!("o{limit}.pcap")));
            assert!(saved.unwrap() == std::fs::read(&file).unwrap(), "{limit}");
            continue;
        }
        assert_eq!(run.exit_code, 1, "{limit}: {}", run.stderr);
        let reason = "Too many open files (os error 24)";
        assert!(run.stderr.contains(reason), "{limit}: {}", run.stderr);
    }
    assert!(successes > 5, "{successes}");
}
