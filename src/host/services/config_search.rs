//! Search for port numbers in the configuration files below a directory.
//!
//! The search is limited in depth and size; skipped files and directories are counted.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A line that mentions a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortMention {
    /// The path of the file, `command line` or `environment`.
    pub location: String,
    /// The line number, starting at 1; 0 for text that is not from a file.
    pub line: usize,
    /// The line, truncated if it is long.
    pub text: String,
    /// The ports in the line.
    pub ports: Vec<u16>,
    /// True if a keyword indicates that the numbers are ports, and the line has at most 160 bytes:
    /// longer lines are seldom written by hand.
    pub is_certain: bool,
}

/// The result of a search.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigSearch {
    /// The lines that mention a port.
    pub mentions: Vec<PortMention>,
    /// Number of files that were skipped: too many, too large or not readable.
    pub skipped_files: usize,
    /// Number of directories that were skipped: too deep, too many or not readable.
    pub skipped_directories: usize,
}

const MAX_DEPTH: usize = 3;
const MAX_FILES: usize = 200;
const MAX_DIRECTORIES: usize = 200;
const MAX_DIRECTORY_ENTRIES: usize = 10_000;
/// Maximum size of a file, in bytes; larger files are skipped.
const MAX_FILE_BYTES: u64 = 256 << 10;
/// Maximum size of all files together, in bytes.
const MAX_TOTAL_BYTES: u64 = 8 << 20;
const MAX_MENTIONS: usize = 50;
/// Longer lines are truncated to this number of characters.
const MAX_LINE_CHARS: usize = 160;
/// Directories of third-party code and build output: ignored, and not counted as skipped.
const IGNORED_DIRECTORIES: [&str; 6] = [
    "node_modules",
    "target",
    "vendor",
    "venv",
    "__pycache__",
    "dist",
];
const CONFIG_EXTENSIONS: [&str; 8] = [
    "toml",
    "yaml",
    "yml",
    "json",
    "conf",
    "ini",
    "cfg",
    "properties",
];
/// Keywords that suggest that a number in the same line is a port.
const PORT_HINTS: [&str; 6] = ["port", "listen", "bind", "addr", "url", "host"];
/// The [`PORT_HINTS`] that leave no doubt.
const CERTAIN_PORT_HINTS: [&str; 3] = ["port", "listen", "bind"];

/// Searches the configuration files below a directory. Symbolic links are not followed.
pub fn search(directory: &Path) -> ConfigSearch {
    let mut found = ConfigSearch::default();
    let mut pending: Vec<(PathBuf, usize)> = vec![(directory.to_owned(), 0)];
    let (mut files, mut entries, mut directories, mut bytes) = (0, 0, 0, 0);
    while let Some((path, depth)) = pending.pop() {
        directories += 1;
        let is_within_limits = depth <= MAX_DEPTH && directories <= MAX_DIRECTORIES;
        let (true, Ok(children)) = (is_within_limits, std::fs::read_dir(&path)) else {
            found.skipped_directories += 1;
            continue;
        };
        let children = children.flatten().take(MAX_DIRECTORY_ENTRIES - entries);
        let mut children: Vec<_> = children.collect();
        entries += children.len();
        children.sort_by_key(std::fs::DirEntry::file_name);
        for entry in children {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            // The type of a symbolic link is neither directory nor file.
            if kind.is_dir() {
                if !name.starts_with('.') && !IGNORED_DIRECTORIES.contains(&name.as_str()) {
                    pending.push((entry.path(), depth + 1));
                }
            } else if kind.is_file() && is_config_file(&name) {
                files += 1;
                if files <= MAX_FILES
                    && bytes < MAX_TOTAL_BYTES
                    && let Some(text) = read_small_file(&entry.path())
                {
                    bytes += text.len() as u64;
                    collect_mentions(&entry.path(), &text, &mut found.mentions);
                } else {
                    found.skipped_files += 1;
                }
            }
        }
    }
    found
}

/// Finds the ports in a line of text, e.g. a command line or an environment variable. The returned
/// line number is 0.
pub fn find_in_text(location: &str, text: &str) -> Option<PortMention> {
    let ports = find_ports(text);
    let lower = text.to_ascii_lowercase();
    let masked = mask_credentials(text);
    (!ports.is_empty()).then(|| PortMention {
        location: location.to_owned(),
        line: 0,
        text: masked.chars().take(MAX_LINE_CHARS).collect(),
        ports,
        is_certain: text.len() <= MAX_LINE_CHARS
            && CERTAIN_PORT_HINTS.iter().any(|hint| lower.contains(hint)),
    })
}

/// Replaces the user name and password in each URL with `…`.
fn mask_credentials(line: &str) -> String {
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

fn is_config_file(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let extension = lower.rsplit_once('.').map(|(_, extension)| extension);
    lower == ".env"
        || lower.starts_with(".env.")
        // Other hidden files belong to programs.
        || !lower.starts_with('.') && extension.is_some_and(|extension| CONFIG_EXTENSIONS.contains(&extension))
            // Lock files are generated.
            && !lower.ends_with("lock.json")
}

/// Reads a file; returns `None` if it is too large or, when opened, no longer a regular file.
fn read_small_file(path: &Path) -> Option<String> {
    use rustix::fs::OFlags;
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = File::options();
    let options = options.read(true).custom_flags(flags.bits() as i32);
    let file = options.open(path).ok()?;
    let meta = file.metadata().ok()?;
    if !meta.is_file() || meta.len() > MAX_FILE_BYTES {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn collect_mentions(path: &Path, text: &str, found: &mut Vec<PortMention>) {
    let location = path.to_string_lossy();
    let mentions = text.lines().zip(1..).filter_map(|(text, line)| {
        let text = text.trim();
        let is_comment = text.starts_with(['#', ';']) || text.starts_with("//");
        let mention = find_in_text(&location, text).filter(|_| !is_comment)?;
        Some(PortMention { line, ..mention })
    });
    let free = MAX_MENTIONS.saturating_sub(found.len());
    found.extend(mentions.take(free));
}

/// Returns the numbers in a line that are ports, judging by the context: they follow a host and a
/// colon, are followed by a colon and another number, or a keyword in the line suggests ports.
fn find_ports(line: &str) -> Vec<u16> {
    let lower = line.to_ascii_lowercase();
    let is_hinted = PORT_HINTS.iter().any(|hint| lower.contains(hint));
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
        let in_token =
            |byte: u8| byte.is_ascii_alphanumeric() || byte >= 0x80 || b"_.".contains(&byte);
        let is_whole = !before.is_some_and(in_token) && !after.is_some_and(|&byte| in_token(byte));
        // 127.0.0.1:62893, localhost:62893, [::1]:62893, and container mappings such as 8080:80.
        let follows_host = before == Some(b':')
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
            && (is_hinted || follows_host || is_pair)
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
    fn ports_are_found_by_their_context() {
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
            assert_eq!(find_ports(line), expected, "{line}");
        }
    }

    #[test]
    fn credentials_in_urls_are_masked() {
        for (line, shown) in [
            (
                "url=redis://:secret@localhost:6379/0",
                "url=redis://…@localhost:6379/0",
            ),
            ("a://b:c@d b@c x://y", "a://…@d b@c x://y"),
            ("plain", "plain"),
        ] {
            assert_eq!(mask_credentials(line), shown);
        }
    }

    #[test]
    fn search_reads_config_files_and_skips_symlinks() {
        let directory = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            std::fs::write(path, text).expect("a written file");
        };
        write(".env", "# PORT=1\nPORT=62894\n");
        write("a/b/c/app.toml", "port = 62893");
        write("a/b/c/d/deep.toml", "port = 62893");
        write("notes.txt", "port 62893");
        write("node_modules/x.json", "{\"port\": 1}");
        write("large.json", &"port 1 ".repeat(100_000));
        let link = directory.path().join("link.conf");
        std::os::unix::fs::symlink("/etc/services", link).expect("a link");
        let found = search(directory.path());
        let mentions: Vec<_> = found
            .mentions
            .iter()
            .map(|mention| (mention.line, &mention.ports[..]))
            .collect();
        assert_eq!(mentions, [(2, &[62894][..]), (1, &[62893])]);
        assert_eq!((found.skipped_files, found.skipped_directories), (1, 1));
    }
}
