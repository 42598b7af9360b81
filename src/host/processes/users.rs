//! User names and user IDs from /etc/passwd (passwd(5)).

/// Returns the ID of a user, given by name or ID; `None` if no user has this name.
pub fn uid(user: &str) -> Option<u32> {
    user.parse().ok().or_else(|| find_uid(&passwd(), user))
}

/// Returns the name of the user with this ID; `None` if no user has this ID.
pub fn name(uid: u32) -> Option<String> {
    find_name(&passwd(), uid).map(str::to_owned)
}

fn passwd() -> String {
    std::fs::read_to_string("/etc/passwd").unwrap_or_default()
}

fn find_name(passwd: &str, uid: u32) -> Option<&str> {
    let mut users = users(passwd);
    users.find_map(|(name, id)| (id == uid).then_some(name))
}

fn find_uid(passwd: &str, name: &str) -> Option<u32> {
    let mut users = users(passwd);
    users.find_map(|(candidate, id)| (candidate == name).then_some(id))
}

/// Parses lines of the form `name:password:uid:gid:…`.
fn users(passwd: &str) -> impl Iterator<Item = (&str, u32)> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        Some((fields.next()?, fields.nth(1)?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_uids_are_found_in_passwd() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\n# a comment\nwww-data:x:33:33::/:\nbroken:x\n";
        assert_eq!(find_uid(passwd, "root"), Some(0));
        assert_eq!(find_uid(passwd, "www-data"), Some(33));
        for name in ["broken", "unlisted", "", "x"] {
            assert_eq!(find_uid(passwd, name), None, "{name}");
        }
        assert_eq!(find_name(passwd, 33), Some("www-data"));
        assert_eq!(find_name(passwd, 34), None);
        assert_eq!(uid("1234"), Some(1234));
        assert_eq!(uid("root"), Some(0));
    }
}
