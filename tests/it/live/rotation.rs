//! Rotation of capture files.

use super::session::{Session, can_capture_or_skip, frames};
use super::traffic::{ReservedPort, number};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Returns the paths of the files in a directory, sorted.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn rotation_by_time_ends_after_the_last_file() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let directory = tempfile::tempdir().unwrap();
    let pattern = directory.path().join("%s.pcap");
    let args = ["-p", &port.arg(), "-G", "1", "-W", "2", "-w"];
    let session = Session::start(args.into_iter().chain(pattern.to_str()));
    let steady = port.keep_sending(100, Duration::from_millis(10));
    let ended = session.wait();
    drop(steady);
    let files = files(directory.path());
    assert_eq!(files.len(), 2, "{files:?}");
    let saved: Vec<_> = files.iter().flat_map(|path| frames(path)).collect();
    assert_eq!(ended.code, Some(0), "{:?}", ended.errors);
    let numbers: Vec<u32> = saved.iter().map(|(_, bytes)| number(bytes)).collect();
    assert!(
        numbers.iter().copied().eq(0..numbers.len() as u32),
        "packets are missing between two files: {numbers:?}"
    );
    // The packet at which the last interval ends is counted, but is in no file.
    let unsaved = ended.captured() - numbers.len() as u64;
    assert!(unsaved <= 1, "{:?}", ended.errors);
}

#[test]
fn file_ring_overwrites_the_oldest_file() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture");
    let args = ["-p", &port.arg(), "-C", "1", "-W", "3", "-w"];
    let session = Session::start(args.into_iter().chain(path.to_str()));
    port.send(0, 130, 50_000);
    let ended = session.interrupt();
    assert_eq!(ended.assert_lossless().captured(), 130);
    let files = files(directory.path());
    let names: Vec<_> = files
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(names, ["capture0", "capture1", "capture2"]);
    // A file is complete when it is larger than 1 MB: 20 packets with headers are 1,001,184 bytes.
    // The seventh file replaces the first one.
    let numbers = |index: usize| {
        let frames = frames(&files[index]);
        frames
            .iter()
            .map(|(_, bytes)| number(bytes))
            .collect::<Vec<_>>()
    };
    assert_eq!(numbers(0), (120..130).collect::<Vec<_>>());
    assert_eq!(numbers(1), (80..100).collect::<Vec<_>>());
    assert_eq!(numbers(2), (100..120).collect::<Vec<_>>());
}

/// A link that replaces the directory during the capture does not redirect the files.
#[test]
fn rotated_files_stay_in_the_directory_that_was_opened() {
    if !can_capture_or_skip() {
        return;
    }
    let port = ReservedPort::reserve();
    let top = tempfile::tempdir().unwrap();
    let [directory, moved, other] = ["caps", "moved", "other"].map(|name| top.path().join(name));
    std::fs::create_dir(&directory).unwrap();
    std::fs::create_dir(&other).unwrap();
    let path = directory.join("capture");
    let args = ["-p", &port.arg(), "-C", "1", "-w"];
    let session = Session::start(args.into_iter().chain(path.to_str()));
    std::fs::rename(&directory, &moved).unwrap();
    std::os::unix::fs::symlink(&other, &directory).unwrap();
    port.send(0, 50, 50_000);
    session.interrupt().assert_lossless();
    let names = ["capture", "capture1", "capture2"].map(|name| moved.join(name));
    assert_eq!(files(&moved), names);
    assert_eq!(files(&other), Vec::<PathBuf>::new());
}
