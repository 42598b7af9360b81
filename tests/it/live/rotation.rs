//! One file after the other, live.

use super::session::{Session, frames, permitted};
use super::traffic::{Port, number};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The files of a directory, by name.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn by_time_and_ends_after_the_last() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let directory = tempfile::tempdir().unwrap();
    let pattern = directory.path().join("%s.pcap");
    let words = ["-p", &port.word(), "-G", "1", "-W", "2", "-w"];
    let session = Session::start(words.into_iter().chain(pattern.to_str()));
    let steady = port.keep_sending(100, Duration::from_millis(10));
    let ended = session.ended();
    drop(steady);
    let files = files(directory.path());
    assert_eq!(files.len(), 2, "{files:?}");
    let held: Vec<_> = files.iter().flat_map(|path| frames(path)).collect();
    assert_eq!(ended.code, Some(0), "{:?}", ended.errors);
    let numbers: Vec<u32> = held.iter().map(|(_, bytes)| number(bytes)).collect();
    assert!(
        numbers.iter().copied().eq(0..numbers.len() as u32),
        "none is missing between two files"
    );
    // The packet that shows that time is over was counted and is in no file.
    let over = ended.captured() - numbers.len() as u64;
    assert!(over <= 1, "{:?}", ended.errors);
}

#[test]
fn a_ring_of_files() {
    if !permitted() {
        return;
    }
    let port = Port::take();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture");
    let words = ["-p", &port.word(), "-C", "1", "-W", "3", "-w"];
    let session = Session::start(words.into_iter().chain(path.to_str()));
    port.send(0, 130, 50_000);
    let ended = session.interrupt();
    assert_eq!(ended.is_whole().captured(), 130);
    let files = files(directory.path());
    let names: Vec<_> = files
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(names, ["capture0", "capture1", "capture2"]);
    // A file takes packets until it is larger than 1 MB: 20 make 1 001 184 bytes with their headers. The seventh file is the
    // ring's first again.
    let numbers = |at: usize| {
        let frames = frames(&files[at]);
        frames
            .iter()
            .map(|(_, bytes)| number(bytes))
            .collect::<Vec<_>>()
    };
    assert_eq!(numbers(0), (120..130).collect::<Vec<_>>());
    assert_eq!(numbers(1), (80..100).collect::<Vec<_>>());
    assert_eq!(numbers(2), (100..120).collect::<Vec<_>>());
}
