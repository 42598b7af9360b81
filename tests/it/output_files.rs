//! Files and directories that are written: links, files and directories that other users have put
//! there, their owners and modes, and the names of descriptors.

mod lab;

use lab::{CALLERS, Caller, Lab, Owner, Planted, USER, plant, state};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

#[derive(Debug, Clone, Copy)]
enum Expected {
    /// A new file of the user for whom lcap runs, with mode 0600.
    New,
    /// Written; owner and mode remain.
    Kept,
    /// The target of the link is written; its owner remains, if it existed.
    Followed,
    /// Nothing changes; the error contains this text.
    Refused(&'static str),
}

use Expected::{Followed, Kept, New, Refused};

const LINK: Expected = Refused("symbolic link");
const FOREIGN: Expected = Refused("it belongs to user 54321");
const HARD: Expected = Refused("hard links");

/// The directory with its mode, what is at the name of the file, and what happens for each of
/// `CALLERS`: to files (`-w`, `-o`), and to the files of `--output-dir`.
type Row = ((Owner, u32), (Planted, Owner), [Expected; 3], [Expected; 3]);

#[rustfmt::skip]
const ROWS: &[Row] = {
    use {Owner::*, Planted::*};
    &[
        ((Own, 0o755), (Nothing, Own), [New; 3], [New; 3]),
        ((Root, 0o1777), (Nothing, Own), [New; 3], [New; 3]),
        ((Other, 0o777), (Nothing, Own), [New; 3], [FOREIGN; 3]),
        ((Other, 0o1777), (Nothing, Own), [New; 3], [FOREIGN; 3]),
        ((Own, 0o755), (File, Own), [Kept; 3], [New; 3]),
        ((Root, 0o1777), (File, Own), [Kept; 3], [New; 3]),
        ((Own, 0o755), (File, Root), [Kept, Kept, Refused("Permission denied")], [New; 3]),
        ((Own, 0o755), (File, Other), [Kept, Kept, Refused("Permission denied")], [New; 3]),
        ((Own, 0o775), (File, Other), [FOREIGN; 3], [New; 3]),
        ((Root, 0o1777), (File, Other), [FOREIGN; 3],
            [New, Refused("Operation not permitted"), Refused("Operation not permitted")]),
        ((Other, 0o777), (File, Other), [FOREIGN; 3], [FOREIGN; 3]),
        ((Own, 0o755), (Link, Other), [LINK; 3], [LINK; 3]),
        ((Root, 0o1777), (Link, Other), [LINK; 3], [LINK; 3]),
        ((Other, 0o777), (Link, Other), [LINK; 3],
            [Refused("e.g. with the link 000001_"); 3]),
        ((Own, 0o755), (Link, Own), [Followed, LINK, Followed], [LINK; 3]),
        ((Root, 0o1777), (Link, Own), [Followed, LINK, Followed], [LINK; 3]),
        ((Own, 0o755), (DanglingLink, Other), [LINK; 3], [LINK; 3]),
        ((Own, 0o755), (DanglingLink, Own), [Followed, LINK, Followed], [LINK; 3]),
        ((Own, 0o755), (LinkToDirectory, Other), [LINK; 3], [LINK; 3]),
        ((Own, 0o755), (LinkToDirectory, Own),
            [Refused("Is a directory"), LINK, Refused("Is a directory")], [LINK; 3]),
        ((Own, 0o755), (HardLink, Other), [HARD; 3], [New; 3]),
        ((Root, 0o1777), (HardLink, Own), [HARD; 3], [New; 3]),
        ((Root, 0o1777), (Fifo, Other), [FOREIGN; 3], [Refused("not a regular file"); 3]),
    ]
};

/// Arguments whose last one is completed with the name of the file, and the name of the file that
/// they write, or write after another one.
const FILES: [(&[&str], &str); 5] = [
    (&["-r", "long.pcap", "-w", "x"], "x"),
    (&["-r", "long.pcap", "-C", "1", "-w", "x"], "x1"),
    (&["-r", "long.pcap", "-C", "1", "-W", "2", "-w", "x"], "x1"),
    (&["-r", "long.pcap", "-G", "1000", "-w", "x%s"], "x3000"),
    (&["flows", "-r", "http.pcap", "-o", "x"], "x"),
];

/// Returns what happens to the later files of a rotation: links are not followed, and lcap has no
/// capabilities, and is not root under sudo.
fn expected_of_rotation(row: &Row, caller: Caller, expected: Expected) -> Expected {
    let (planted, owner) = row.1;
    match (expected, planted) {
        (Followed | Refused("Is a directory"), _) => LINK,
        (Kept, Planted::File) if caller.uid(owner) != caller.user() => Refused("Permission denied"),
        _ => expected,
    }
}

/// Runs a row in the directory `lab/out` with these arguments, which write the file `path`.
fn check_row(
    lab: &Lab,
    caller: Caller,
    row: &Row,
    expected: Expected,
    args: &[String],
    name: &str,
) {
    let &((directory_owner, mode), (planted, owner), ..) = row;
    let label = format!("{caller:?} {directory_owner:?} {mode:o} {planted:?} {owner:?} {args:?}");
    let elsewhere = lab.directory("elsewhere", caller.user(), 0o755);
    let victim = elsewhere.join("victim");
    fs::write(&victim, "precious").unwrap();
    chown(&victim, Some(caller.user()), None).unwrap();
    let directory = lab.directory("out", caller.uid(directory_owner), mode);
    let path = directory.join(name);
    plant(planted, caller.uid(owner), &path, &elsewhere);
    let before = [&victim, &path, &directory].map(|path| state(path));

    let output = lab.run(caller, args.iter().cloned());
    let [victim_after, after, directory_after] =
        [&victim, &path, &directory].map(|path| state(path));
    assert_eq!(directory_after, before[2], "{label}");
    match expected {
        Refused(message) => {
            assert_eq!((output.exit_code, output.stdout.len()), (1, 0), "{label}");
            assert!(
                output.stderr.contains(message),
                "{label}: {}",
                output.stderr
            );
            assert!(output.stderr.contains("out"), "{label}: {}", output.stderr);
            assert_eq!([&victim_after, &after], [&before[0], &before[1]], "{label}");
            assert!(!elsewhere.join("absent").exists(), "{label}");
            return;
        }
        Followed => {
            let target = ["victim", "absent"][usize::from(planted == Planted::DanglingLink)];
            let (content, uid, _) = state(&elsewhere.join(target)).unwrap();
            assert!(content.len() > 100, "{label}");
            assert_eq!((uid, &after), (caller.user(), &before[1]), "{label}");
        }
        New => {
            let (content, uid, mode) = after.unwrap();
            assert!(content.len() > 10 && content != b"planted", "{label}");
            assert_eq!((uid, mode), (caller.user(), 0o100_600), "{label}");
            assert_eq!(victim_after, before[0], "{label}");
        }
        Kept => {
            let ((content, uid, mode), before) = (after.unwrap(), before[1].clone().unwrap());
            assert!(content.len() > 10 && content != b"planted", "{label}");
            assert_eq!((uid, mode), (before.1, before.2), "{label}");
        }
    }
    assert_eq!((output.exit_code, &output.stderr[..]), (0, ""), "{label}");
}

#[test]
fn files_are_not_redirected_or_given_away() {
    let Some(lab) = Lab::new() else { return };
    let stream = "000001_127.0.0.1-56116_127.0.0.1-8080.orig";
    let follow = ["follow", "-r", "http.pcap", "--output-dir", "out"].map(String::from);
    for row in ROWS {
        for (index, caller) in CALLERS.into_iter().enumerate() {
            for (args, name) in FILES {
                let mut args: Vec<String> = args.iter().map(ToString::to_string).collect();
                let last = args.pop().unwrap();
                args.push(format!("out/{last}"));
                let expected = match args.iter().any(|arg| ["-C", "-G"].contains(&&arg[..])) {
                    true => expected_of_rotation(row, caller, row.2[index]),
                    false => row.2[index],
                };
                check_row(&lab, caller, row, expected, &args, name);
            }
            check_row(&lab, caller, row, row.3[index], &follow, stream);
        }
    }
}

/// Links to a directory, as part of a path or as `--output-dir`.
#[test]
fn links_to_directories_are_followed_if_they_are_trusted() {
    let Some(lab) = Lab::new() else { return };
    let written = [true; 3];
    for (owner, args, expected) in [
        (Owner::Own, "-r http.pcap -w out/link/x", written),
        (Owner::Own, "-r http.pcap -C 1 -w out/link/x", written),
        (Owner::Root, "flows -r http.pcap -o out/link/x", written),
        (Owner::Other, "-r http.pcap -w out/link/x", [false; 3]),
        (Owner::Other, "-r http.pcap -C 1 -w out/link/x", [false; 3]),
        (Owner::Other, "flows -r http.pcap -o out/link/x", [false; 3]),
        (
            Owner::Own,
            "follow -r http.pcap --output-dir out/link/x",
            written,
        ),
        (
            Owner::Other,
            "follow -r http.pcap --output-dir out/link/x",
            [false; 3],
        ),
        (
            Owner::Own,
            "follow -r http.pcap --output-dir out/link",
            [true, false, true],
        ),
        (
            Owner::Own,
            "follow -r http.pcap --output-dir out/link/",
            [true, false, true],
        ),
        (
            Owner::Other,
            "follow -r http.pcap --output-dir out/link",
            [false; 3],
        ),
    ] {
        for (caller, expected) in CALLERS.into_iter().zip(expected) {
            let label = format!("{caller:?} {owner:?} {args}");
            let elsewhere = lab.directory("elsewhere", caller.user(), 0o755);
            let link = lab.directory("out", 0, 0o1777).join("link");
            plant(
                Planted::LinkToDirectory,
                caller.uid(owner),
                &link,
                &elsewhere,
            );
            let output = lab.run(caller, args.split(' ').map(str::to_owned));
            assert_eq!(
                output.exit_code,
                i32::from(!expected),
                "{label}: {}",
                output.stderr
            );
            assert_eq!(
                elsewhere.read_dir().unwrap().count() > 0,
                expected,
                "{label}"
            );
            assert_eq!(
                output.stderr.contains("link is a symbolic link"),
                !expected,
                "{label}"
            );
        }
    }
}

#[test]
fn created_directories_belong_to_the_user_and_are_private() {
    let Some(lab) = Lab::new() else { return };
    for caller in CALLERS {
        let top = lab.directory("out", caller.user(), 0o755);
        let args = [
            "follow",
            "-r",
            "http.pcap",
            "--output-dir",
            "out/new/streams/",
        ];
        let output = lab.run(caller, args.map(String::from));
        assert_eq!(
            (output.exit_code, &output.stderr[..]),
            (0, ""),
            "{caller:?}"
        );
        for path in [top.join("new"), top.join("new/streams")] {
            let meta = path.metadata().unwrap();
            let actual = (meta.uid(), meta.mode() & 0o777);
            assert_eq!(actual, (caller.user(), 0o700), "{caller:?}");
        }
    }
}

/// Outputs that are neither files nor directories; `$0` is lcap, and `out` remains.
#[test]
fn devices_pipes_and_descriptors_are_written() {
    let Some(lab) = Lab::new() else { return };
    for script in [
        "$0 -r http.pcap -w - > out/x",
        "$0 -r http.pcap -w /dev/stdout > out/x",
        "$0 -r http.pcap -w /dev/fd/1 > out/x",
        "$0 -r http.pcap -w /proc/self/fd/1 > out/x",
        "$0 -r http.pcap -w /dev/stdout | cat > out/x",
        "$0 -r http.pcap -w /dev/fd/3 3> out/x",
        "$0 flows -r http.pcap -o /dev/stderr 2> out/x",
        "$0 flows -r http.pcap -o /dev/fd/2 2> out/x",
        "echo first > out/x; $0 -r http.pcap -w /dev/stdout >> out/x; grep -qa ^first out/x",
        "cat out/fifo > out/x & $0 -r http.pcap -w out/fifo; wait",
        "cat out/fifo > out/x & $0 flows -r http.pcap -o out/fifo; wait",
        "$0 -r http.pcap -w /dev/null; $0 flows -r http.pcap -o /dev/null; cp http.pcap out/x",
    ] {
        for caller in CALLERS {
            let label = format!("{caller:?} {script}");
            let directory = lab.directory("out", caller.user(), 0o755);
            let (fifo, absent) = (directory.join("fifo"), Path::new("/none"));
            plant(Planted::Fifo, caller.user(), &fifo, absent);
            let before = [state(&fifo), state(Path::new("/dev/null"))];
            let output = lab.run_shell(caller, script);
            assert_eq!((output.exit_code, &output.stderr[..]), (0, ""), "{label}");
            assert!(
                directory.join("x").metadata().unwrap().len() > 100,
                "{label}"
            );
            assert_eq!(
                [state(&fifo), state(Path::new("/dev/null"))],
                before,
                "{label}"
            );
        }
    }
}

#[test]
fn limits_are_reported_with_the_file_and_the_remedy() {
    let Some(lab) = Lab::new() else { return };
    for (script, message) in [
        (
            "$0 -r http.pcap -w /dev/full",
            "cannot write /dev/full: No space left on device",
        ),
        (
            "$0 flows -r http.pcap -o /dev/full",
            "/dev/full: No space left on device",
        ),
        (
            "$0 -r http.pcap -w out/x/",
            "cannot create out/x/: Is a directory",
        ),
        (
            "$0 -r http.pcap -w none/x",
            "cannot create none/x: No such file or directory",
        ),
        (
            "$0 -r http.pcap -C 1 -w none/x",
            "cannot open none: No such file or directory",
        ),
    ] {
        lab.directory("out", USER, 0o755);
        let output = lab.run_shell(Caller::Plain, script);
        assert_eq!(output.exit_code, 1, "{script}");
        assert!(
            output.stderr.contains(message),
            "{script}: {}",
            output.stderr
        );
    }
    // The number of descriptors that a run needs varies: with fewer, the limit is reported.
    for args in [
        "-r http.pcap -w out/x",
        "-r http.pcap -C 1 -w out/x",
        "flows -r http.pcap -o out/x",
        "follow -r http.pcap --output-dir out",
    ] {
        let outputs = (5..20).map(|limit| {
            lab.directory("out", USER, 0o755);
            lab.run_shell(Caller::Plain, &format!("ulimit -n {limit}; exec $0 {args}"))
        });
        let (complete, failed): (Vec<_>, Vec<_>) = outputs.partition(|run| run.exit_code == 0);
        let messages = failed.iter().map(|run| &run.stderr);
        let named = messages.filter(|text| text.contains("out"));
        let reported = named.map(|text| text.contains("Too many open files (os error 24); raise"));
        let reported: Vec<bool> = reported.collect();
        assert!(!complete.is_empty() && !reported.is_empty(), "{args}");
        assert!(!reported.contains(&false), "{args}: {failed:?}");
    }
}
