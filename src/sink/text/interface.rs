//! Interface names by index, from sysfs(5): Linux "cooked" captures contain only indexes.

use std::collections::HashMap;
use std::path::Path;

/// Cache of looked-up names; `None` means that no interface has this index.
#[derive(Debug, Default)]
pub(super) struct InterfaceNames {
    names: HashMap<u32, Option<String>>,
}

impl InterfaceNames {
    /// Returns the name of the interface with this index, if this machine has such an interface.
    pub(super) fn name(&mut self, index: u32) -> Option<&str> {
        self.names
            .entry(index)
            .or_insert_with(|| find_name(Path::new("/sys/class/net"), index))
            .as_deref()
    }
}

fn find_name(directory: &Path, index: u32) -> Option<String> {
    let entries = std::fs::read_dir(directory).ok()?;
    entries.flatten().find_map(|entry| {
        let found = std::fs::read_to_string(entry.path().join("ifindex")).ok()?;
        if found.trim().parse() != Ok(index) {
            return None;
        }
        let name = entry.file_name();
        // The kernel accepts nearly any octet in a name, including terminal control characters.
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
    fn names_are_found_by_index_and_sanitized() {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, index) in [("lo", "1\n"), ("e\u{1b}0", "7\n")] {
            let path = directory.path().join(name);
            std::fs::create_dir(&path).expect("a directory");
            std::fs::write(path.join("ifindex"), index).expect("a file");
        }
        assert_eq!(find_name(directory.path(), 1).as_deref(), Some("lo"));
        assert_eq!(find_name(directory.path(), 7).as_deref(), Some("e?0"));
        assert_eq!(find_name(directory.path(), 2), None);
    }
}
