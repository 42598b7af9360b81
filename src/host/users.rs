//! User names and user IDs from /etc/passwd (passwd(5)).

/// Returns the ID of a user, given by name or ID; `None` if no user has this name.
pub fn uid(user: &str) -> Option<u32> {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    user.parse().ok().or_else(|| find_uid(&passwd, user))
}

/// Returns the name of the user with this ID; `None` if no user has this ID.
pub fn name(uid: u32) -> Option<String> {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    find_name(&passwd, uid).map(str::to_owned)
}

fn find_name(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let id: u32 = fields.nth(1)?.parse().ok()?;
        (id == uid).then_some(name)
    })
}

/// Each line is `name:password:uid:gid:…`.
fn find_uid(passwd: &str, name: &str) -> Option<u32> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_match = fields.next() == Some(name);
        fields.nth(1).filter(|_| is_match)?.parse().ok()
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
