//! Where ports are named in configuration files below a directory. What is looked at is bounded, and what was left out is counted.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A line that names a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// The file, or what else it is in: `command line`, `environment`.
    pub place: String,
    /// The line's number, from 1; 0 where there are no lines.
    pub line: usize,
    /// The line, cut where it is long.
    pub text: String,
    /// The ports that it names.
    pub ports: Vec<u16>,
    /// Whether a word in it says that they are ports, and it is no longer than what people write.
    pub is_sure: bool,
}

/// What was found below a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Searched {
    /// The lines.
    pub mentions: Vec<Mention>,
    /// Files that were not looked at, because there were too many, or they are too large, or may not be read.
    pub files_left_out: usize,
    /// Directories that were not looked into, because they are too deep or too many.
    pub directories_left_out: usize,
}

const DEPTH: usize = 3;
const FILES: usize = 200;
const DIRECTORIES: usize = 200;
const ENTRIES: usize = 10_000;
/// The longest file that is read, in bytes.
const SIZE: u64 = 256 << 10;
/// No more bytes are read, in all.
const TOTAL: u64 = 8 << 20;
const MENTIONS: usize = 50;
/// So many characters of a line are kept.
const LINE: usize = 160;
/// What others wrote and what was built; not counted as left out.
const PASSED_OVER: [&str; 6] = [
    "node_modules",
    "target",
    "vendor",
    "venv",
    "__pycache__",
    "dist",
];
const EXTENSIONS: [&str; 8] = [
    "toml",
    "yaml",
    "yml",
    "json",
    "conf",
    "ini",
    "cfg",
    "properties",
];
/// Words near which a number is a port.
const HINTS: [&str; 6] = ["port", "listen", "bind", "addr", "url", "host"];
/// Words that leave no doubt.
const SURE: [&str; 3] = ["port", "listen", "bind"];

/// Searches the configuration files below a directory. Symbolic links are not followed.
pub fn below(directory: &Path) -> Searched {
    let mut found = Searched::default();
    let mut waiting: Vec<(PathBuf, usize)> = vec![(directory.to_owned(), 0)];
    let (mut files, mut entries, mut directories, mut bytes) = (0, 0, 0, 0);
    while let Some((path, depth)) = waiting.pop() {
        directories += 1;
        if depth > DEPTH || directories > DIRECTORIES {
            found.directories_left_out += 1;
            continue;
        }
        let Ok(inside) = std::fs::read_dir(&path) else {
            found.directories_left_out += 1;
            continue;
        };
        let mut inside: Vec<_> = inside.flatten().take(ENTRIES - entries).collect();
        entries += inside.len();
        inside.sort_by_key(std::fs::DirEntry::file_name);
        for entry in inside {
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type();
            // A link is neither.
            if kind.as_ref().is_ok_and(std::fs::FileType::is_dir) {
                if !name.starts_with('.') && !PASSED_OVER.contains(&name.as_str()) {
                    waiting.push((entry.path(), depth + 1));
                }
            } else if kind.is_ok_and(|kind| kind.is_file()) && is_configuration(&name) {
                files += 1;
                let is_in_bounds = files <= FILES && bytes < TOTAL;
                match is_in_bounds.then(|| text(&entry.path())).flatten() {
                    Some(text) => {
                        bytes += text.len() as u64;
                        mentions(&entry.path(), &text, &mut found.mentions);
                    }
                    None => found.files_left_out += 1,
                }
            }
        }
    }
    found
}

/// What a text that is no file names: words of a command line, variables.
pub fn inside(place: &str, text: &str) -> Option<Mention> {
    let ports = ports(text);
    let lower = text.to_ascii_lowercase();
    (!ports.is_empty()).then(|| Mention {
        place: place.to_owned(),
        line: 0,
        text: masked(text).chars().take(LINE).collect(),
        ports,
        is_sure: text.len() <= LINE && SURE.iter().any(|word| lower.contains(word)),
    })
}

/// The line without who is asked for in its URLs, and with what password.
fn masked(line: &str) -> String {
    let mut parts = line.split("://");
    let mut masked = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let end = part.find(['/', '"', '\'', ' ']).unwrap_or(part.len());
        let host = part[..end].rfind('@').map_or(0, |at| at + 1);
        masked += "://";
        masked += if host > 0 { "…@" } else { "" };
        masked += &part[host..];
    }
    masked
}

fn is_configuration(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let extension = lower.rsplit_once('.').map(|(_, extension)| extension);
    lower == ".env"
        || lower.starts_with(".env.")
        // Hidden files are programs' own.
        || !lower.starts_with('.') && extension.is_some_and(|extension| EXTENSIONS.contains(&extension))
            // What others wrote, again.
            && !lower.ends_with("lock.json")
}

/// The text of a file that is small enough, and still is a file when it is opened.
fn text(path: &Path) -> Option<String> {
    use rustix::fs::OFlags;
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = File::options();
    let file = options
        .read(true)
        .custom_flags(flags.bits() as i32)
        .open(path)
        .ok()?;
    let meta = file.metadata().ok()?;
    if !meta.is_file() || meta.len() > SIZE {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(SIZE).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn mentions(path: &Path, text: &str, found: &mut Vec<Mention>) {
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if found.len() >= MENTIONS {
            return;
        }
        if line.starts_with(['#', ';']) || line.starts_with("//") {
            continue;
        }
        if let Some(mention) = inside(&path.to_string_lossy(), line) {
            found.push(Mention {
                line: at + 1,
                ..mention
            });
        }
    }
}

/// Whether a line has a word in it that says that its numbers are ports.
fn is_hinted(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    HINTS.iter().any(|hint| lower.contains(hint))
}

/// The numbers of a line that are ports by what stands around them: behind a colon that follows a host, or near a word that says so.
fn ports(line: &str) -> Vec<u16> {
    let is_hinted = is_hinted(line);
    let bytes = line.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit());
        let len = digits.count();
        if len == 0 {
            at += 1;
            continue;
        }
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let after = bytes.get(at + len);
        let is_part =
            |byte: u8| byte.is_ascii_alphanumeric() || byte >= 0x80 || b"_.".contains(&byte);
        let is_whole = !before.is_some_and(is_part) && !after.is_some_and(|&byte| is_part(byte));
        // 127.0.0.1:62893, localhost:62893, [::1]:62893, and 8080:80 of containers.
        let is_behind_host = before == Some(b':')
            && at >= 2
            && (bytes[at - 2].is_ascii_alphanumeric() || b"]*".contains(&bytes[at - 2]));
        let is_pair =
            after == Some(&b':') && bytes.get(at + len + 1).is_some_and(u8::is_ascii_digit);
        let is_in_address = at >= 2 && &bytes[at - 2..at] == b"::";
        let number = line.get(at..at + len).and_then(|text| text.parse().ok());
        if let Some(number) = number
            && number > 0
            && is_whole
            && !is_in_address
            && (is_hinted || is_behind_host || is_pair)
            && !found.contains(&number)
        {
            found.push(number);
        }
        at += len;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_by_what_is_around_them() {
        for (line, expected) in [
            ("PORT=62893", &[62893][..]),
            ("listen 80;", &[80]),
            ("url = \"http://localhost:62893/x\"", &[62893]),
            ("- \"8080:80\"", &[8080, 80]),
            ("ports: [\"8080:80\"]", &[8080, 80]),
            ("version: 3", &[]),
            ("host: 127.0.0.1", &[]),
            ("addr: [::1]:62893", &[62893]),
            ("timeout = 5000", &[]),
            ("port: 99999", &[]),
            ("port: 0", &[]),
            ("--bind=127.0.0.1:62893", &[62893]),
            ("é:1 port é2", &[1]),
        ] {
            assert_eq!(ports(line), expected, "{line}");
        }
    }

    #[test]
    fn passwords_in_urls_are_not_shown() {
        for (line, shown) in [
            (
                "url=redis://:secret@localhost:6379/0",
                "url=redis://…@localhost:6379/0",
            ),
            ("a://b:c@d b@c x://y", "a://…@d b@c x://y"),
            ("plain", "plain"),
        ] {
            assert_eq!(masked(line), shown);
        }
    }

    #[test]
    fn only_configuration_and_no_links() {
        let directory = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().expect("one")).expect("it");
            std::fs::write(path, text).expect("it");
        };
        write(".env", "# PORT=1\nPORT=62894\n");
        write("a/b/c/app.toml", "port = 62893");
        write("a/b/c/d/deep.toml", "port = 62893");
        write("notes.txt", "port 62893");
        write("node_modules/x.json", "{\"port\": 1}");
        write("large.json", &"port 1 ".repeat(100_000));
        let link = directory.path().join("link.conf");
        std::os::unix::fs::symlink("/etc/services", link).expect("a link");
        let found = below(directory.path());
        let told: Vec<_> = found
            .mentions
            .iter()
            .map(|mention| (mention.line, &mention.ports[..]))
            .collect();
        assert_eq!(told, [(2, &[62894][..]), (1, &[62893])]);
        assert_eq!((found.files_left_out, found.directories_left_out), (1, 1));
    }
}
