//! Language checks: words, sentences and names of the project's own text.

use super::tokens::{Token, tokens};
use super::{SourceFile, source_files};
use crate::command::ROOT;
use std::fs;
use std::path::Path;

/// Forbidden words, which describe people and not software. Standard terms are report, show,
/// return, request, query, detect, limit, evict, inspect, after, next to, recent, task, similarly,
/// fix, started.
const WORDS: [&str; 43] = [
    "tell", "tells", "told", "telling", "untold", "ask", "asks", "asked", "asking", "say", "says",
    "said", "saying", "hear", "hears", "heard", "know", "knows", "known", "knowing", "want",
    "wants", "wanted", "stand", "stands", "stood", "standing", "behind", "beside", "besides",
    "young", "errand", "errands", "likewise", "mend", "mends", "mended", "mending", "begun", "yet",
    "whoever", "whomever", "patience",
];

/// Forbidden phrases of two words.
const PHRASES: [&str; 9] = [
    "so many",
    "so long",
    "let go",
    "lets go",
    "look at",
    "looks at",
    "looked at",
    "looking at",
    "may not",
];

/// Forbidden starts of a sentence: the subject is not a noun. Questions can start with them.
const OPENINGS: [&str; 7] = [
    "Who ",
    "What ",
    "Whoever ",
    "Whose ",
    "Whom ",
    "Those who ",
    "Nobody ",
];

/// Permitted uses of forbidden words, in text of a protocol, a tool or an interface: the phrase,
/// and the start of the paths in which it is permitted.
const PERMITTED_USES: [(&str, &str); 11] = [
    // The class of ports below 1024 (RFC 6335).
    ("well-known", ""),
    ("WellKnown", ""),
    // tcpdump's line for an ARP request: "who-has 127.0.0.2 tell 127.0.0.1".
    ("tell ", "src/sink/text/arp"),
    // A function of Zeek; a method of gRPC's example service.
    ("WantConnection", ""),
    ("SayHello", "src/detect/tests"),
    // Codes of the doctor, which programs read.
    ("begun-by", ""),
    ("says-nothing", ""),
    ("starts-when-asked", ""),
    ("may-not-capture", ""),
    // Payload of the committed captures.
    ("you said ", "fixtures/make"),
    ("all that I have to say", "fixtures/make"),
];

/// Modules that exist only for speed, whose language is not checked: each is to be removed or
/// rewritten as a whole.
const EXEMPT: [&str; 0] = [];

const MAX_COMMENT_COLUMNS: usize = 100;
const MAX_README_LINES: usize = 200;
const MAX_README_WORDS: usize = 1600;

/// Returns the words of a text in lower case, also inside identifiers such as `is_known` and
/// `LetGo`.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in text.chars() {
        if !c.is_ascii_alphabetic() || before.is_ascii_lowercase() && c.is_ascii_uppercase() {
            words.push(String::new());
        }
        if c.is_ascii_alphabetic()
            && let Some(word) = words.last_mut()
        {
            word.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Returns the forbidden words and phrases in a text.
fn word_faults(text: &str) -> Vec<String> {
    let words = words(text);
    let singles = words
        .iter()
        .filter(|word| WORDS.contains(&&word[..]))
        .cloned();
    let pairs = words.windows(2).map(|pair| pair.join(" "));
    singles
        .chain(pairs.filter(|pair| PHRASES.contains(&&pair[..])))
        .collect()
}

/// Returns the sentences of a text that start with one of [`OPENINGS`] and are not questions.
fn sentence_faults(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let ends = rest.match_indices(['.', '!', '?']).map(|(at, _)| at + 1);
        let mut ends = ends.filter(|end| rest[*end..].starts_with([' ', '\n']));
        let end = ends.next().unwrap_or(rest.len());
        let sentence = rest[..end].trim();
        let is_faulty = OPENINGS.iter().any(|opening| sentence.starts_with(opening));
        if is_faulty && !sentence.ends_with('?') {
            faults.push(sentence.to_owned());
        }
        rest = &rest[end..];
    }
    faults
}

/// Joins the lines of each block of consecutive comments.
fn comment_blocks(tokens: &[Token]) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    let mut continues = false;
    for token in tokens {
        match token {
            Token::Comment(comment) => {
                let text = comment.trim_start_matches(['/', '!']).trim();
                match blocks.last_mut().filter(|_| continues && !text.is_empty()) {
                    Some(block) => *block = format!("{block} {text}"),
                    None => blocks.push(text.to_owned()),
                }
                continues = !text.is_empty();
            }
            Token::Code(code) if code.trim().is_empty() && code.matches('\n').count() < 2 => {}
            _ => continues = false,
        }
    }
    blocks
}

/// Returns the language faults of a Rust file.
fn faults(text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let mut faults = word_faults(text);
    for block in comment_blocks(&tokens) {
        faults.extend(sentence_faults(&block));
    }
    for token in &tokens {
        if let Token::String(string) = token {
            faults.extend(sentence_faults(string.trim_matches('"')));
        }
    }
    faults
}

/// Removes the permitted uses of forbidden words from the text of files.
fn without_permitted_uses(mut files: Vec<SourceFile>) -> Vec<SourceFile> {
    // The lists in this file, and the faults that its tests find.
    files.retain(|file| file.path != "tests/it/tidy/language.rs");
    for file in &mut files {
        for (phrase, place) in PERMITTED_USES {
            if file.path.starts_with(place) {
                file.text = file.text.replace(phrase, "");
            }
        }
    }
    files
}

/// Returns the Rust files of src and tests whose language is checked, with paths from the top
/// level.
pub(super) fn checked_files() -> Vec<SourceFile> {
    let mut files = Vec::new();
    for top in ["src", "tests"] {
        for mut file in source_files(top, ".rs") {
            file.path = format!("{top}/{}", file.path);
            files.push(file);
        }
    }
    for path in EXEMPT {
        let is_used = files.iter().any(|file| file.path.starts_with(path));
        assert!(is_used, "{path} does not exist: remove it from the list");
    }
    files.retain(|file| !EXEMPT.iter().any(|path| file.path.starts_with(path)));
    files
}

/// Asserts that a check finds no faults in the text of any of the files.
pub(super) fn assert_no_faults(files: &[SourceFile], check: impl Fn(&str) -> Vec<String>) {
    let with_path = |file: &SourceFile| {
        let path = file.path.clone();
        let faults = check(&file.text).into_iter();
        faults.map(move |fault| format!("{path}: {fault}"))
    };
    let all: Vec<String> = files.iter().flat_map(with_path).collect();
    assert!(all.is_empty(), "{} faults\n{}", all.len(), all.join("\n"));
}

#[test]
fn rust_files_are_in_technical_english() {
    assert_no_faults(&without_permitted_uses(checked_files()), faults);
}

#[test]
fn other_files_are_in_technical_english() {
    let mut files = vec![];
    for (top, end) in [
        ("src/doc", ".md"),
        ("fixtures", ".md"),
        ("fixtures", "CASES"),
        ("tests", ".c"),
        ("src", ".c"),
        (".github", ".md"),
    ] {
        for mut file in source_files(top, end) {
            file.path = format!("{top}/{}", file.path);
            files.push(file);
        }
    }
    for path in [
        "README.md",
        "CHANGELOG.md",
        "Cargo.toml",
        "fixtures/make",
        "tests/bpf",
        "tests/fuzz/run",
        "tests/bench/peers",
        "tests/bench/owners",
    ] {
        let text = fs::read_to_string(Path::new(ROOT).join(path)).unwrap();
        files.push(SourceFile {
            path: path.to_owned(),
            text,
        });
    }
    assert_no_faults(&without_permitted_uses(files), |text| {
        let paragraphs = text
            .split("\n\n")
            .map(|paragraph| paragraph.replace('\n', " "));
        let sentences = paragraphs.flat_map(|paragraph| sentence_faults(&paragraph));
        word_faults(text).into_iter().chain(sentences).collect()
    });
}

/// Returns the comments of a Rust file that exceed [`MAX_COMMENT_COLUMNS`].
fn wide_comments(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut before = String::new();
    for token in tokens(text) {
        match token {
            Token::Comment(comment) => {
                let indentation = before.rsplit('\n').next().unwrap_or("");
                let columns = indentation.chars().count() + comment.chars().count();
                if columns > MAX_COMMENT_COLUMNS {
                    faults.push(format!("{columns} columns: {comment}"));
                }
                before.clear();
            }
            Token::Code(text) | Token::String(text) => before += text,
        }
    }
    faults
}

/// Returns the first sentence of a Rust file if it is not a noun phrase that ends in a full stop.
fn opening_faults(text: &str) -> Vec<String> {
    const NO_NOUNS: [&str; 9] = [
        "How ", "Whether ", "Where ", "When ", "It ", "This ", "There ", "Which ", "Why ",
    ];
    /// Names that are written in lower case.
    const NAMES: [&str; 4] = ["gRPC", "lcap", "memcached", "pcap"];
    let lines = text.lines().map_while(|line| line.strip_prefix("//! "));
    let text = lines.collect::<Vec<_>>().join(" ");
    let sentence = text.split_inclusive(". ").next().unwrap_or("").trim();
    let starts_with = |words: &[&str]| words.iter().any(|word| sentence.starts_with(word));
    let is_closed = sentence.ends_with(['.', ':']);
    let is_noun = !starts_with(&OPENINGS) && !starts_with(&NO_NOUNS);
    let is_upper = sentence.starts_with(|c: char| c.is_uppercase() || c == '`' || c == '[');
    match is_closed && is_noun && (is_upper || starts_with(&NAMES)) {
        true => Vec::new(),
        false => vec![sentence.to_owned()],
    }
}

#[test]
fn comments_are_wrapped() {
    assert_no_faults(&checked_files(), wide_comments);
}

#[test]
fn files_open_with_a_noun_phrase() {
    assert_no_faults(&checked_files(), opening_faults);
}

#[test]
fn readme_is_short() {
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    assert!(readme.lines().count() <= MAX_README_LINES);
    assert!(readme.split_whitespace().count() <= MAX_README_WORDS);
}

/// The checks find the faults in these texts, and no others.
#[test]
fn the_checks_find_faults() {
    for (text, expected) in [
        ("// The reader is told.", &["told"][..]),
        ("fn is_asked() {}", &["asked"]),
        ("struct LetGo;", &["let go"]),
        ("const SO_MANY: u8 = 1;", &["so many"]),
        ("let text = \"it may not be read\";", &["may not"]),
        ("// Who reads is counted.", &["Who reads is counted."]),
        (
            "/// The end.\n/// What is left\n/// is one text.",
            &["What is left is one text."],
        ),
        (
            "let text = \"What came is shown\";",
            &["What came is shown"],
        ),
        ("// Who reads it?", &[]),
        ("// Somewhat unknown; standard.", &[]),
        ("let c = '\"'; // The quote is no string.", &[]),
        ("let text = r#\"a \"quoted\" word\"#; // It ends.", &[]),
        ("fn f<'a>(text: &'a str) -> &'a str { text }", &[]),
    ] {
        assert_eq!(faults(text), expected, "{text}");
    }
    let wide = format!("    // {}", "x".repeat(MAX_COMMENT_COLUMNS));
    assert_eq!(wide_comments(&wide).len(), 1);
    assert_eq!(wide_comments(&wide.replace("//", "\"//\";")), [""; 0]);
    for (text, is_faulty) in [
        ("//! Checks of names.", false),
        ("//! Lines: one\n//! per packet. It goes on.", false),
        ("//! What a file is for.", true),
        ("//! How it works.", true),
        ("//! lower case.", true),
        ("//! No full stop", true),
        ("fn main() {}", true),
    ] {
        assert_eq!(!opening_faults(text).is_empty(), is_faulty, "{text}");
    }
}
