//! Fuzz target: arbitrary bytes as input of the parsers of messages and files from the kernel and
//! other programs, and of owners in comments. The first byte selects the parser.
#![no_main]

use lcap::internals::parsers::PARSERS;
use lcap::internals::process::comment::{self, CommentDetail};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [choice, bytes @ ..] = bytes else {
        return;
    };
    match PARSERS.get(usize::from(*choice)) {
        Some((_, parser)) => parser(bytes),
        None => parse_comment(&String::from_utf8_lossy(bytes)),
    }
});

/// Asserts that the owners in a comment that lcap writes are read as they were written.
fn parse_comment(text: &str) {
    let Some(recorded) = comment::parse(text) else {
        return;
    };
    if recorded.detail == CommentDetail::Full {
        let written = comment::encode(&recorded.owners, CommentDetail::Full);
        let again = comment::parse(&written).expect("a comment of lcap");
        assert_eq!(again.detail, CommentDetail::Full);
        assert_eq!(comment::encode(&again.owners, CommentDetail::Full), written);
    }
}
