//! The names of this machine's interfaces by index, as sysfs(5) lists them: "cooked" captures hold indexes.

use std::collections::HashMap;
use std::path::Path;

/// Names that were looked up, each once; `None` is an index that no interface has.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    names: HashMap<u32, Option<String>>,
}

impl Interfaces {
    /// The name of the interface with this index, where this machine has one.
    pub(super) fn name(&mut self, index: u32) -> Option<&str> {
        self.names
            .entry(index)
            .or_insert_with(|| look_up(Path::new("/sys/class/net"), index))
            .as_deref()
    }
}

fn look_up(directory: &Path, index: u32) -> Option<String> {
    let entries = std::fs::read_dir(directory).ok()?;
    entries.flatten().find_map(|entry| {
        let found = std::fs::read_to_string(entry.path().join("ifindex")).ok()?;
        if found.trim().parse() != Ok(index) {
            return None;
        }
        let name = entry.file_name();
        // The kernel takes nearly any octet in a name; a terminal must not get them.
        Some(
            name.to_string_lossy()
                .chars()
                .map(|c| if c.is_ascii_graphic() { c } else { '?' })
                .collect(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_by_index_and_cleans_the_name() {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, index) in [("lo", "1\n"), ("e\u{1b}0", "7\n")] {
            let path = directory.path().join(name);
            std::fs::create_dir(&path).expect("a directory");
            std::fs::write(path.join("ifindex"), index).expect("a file");
        }
        assert_eq!(look_up(directory.path(), 1).as_deref(), Some("lo"));
        assert_eq!(look_up(directory.path(), 7).as_deref(), Some("e?0"));
        assert_eq!(look_up(directory.path(), 2), None);
    }
}
