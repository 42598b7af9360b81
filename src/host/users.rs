//! Users, from /etc/passwd (passwd(5)).

/// The number of a user, given by name or number; none if there is no such name.
pub fn uid(user: &str) -> Option<u32> {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    user.parse().ok().or_else(|| find(&passwd, user))
}

/// The name of the user with this number; none if nobody has it.
pub fn name(uid: u32) -> Option<String> {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    named(&passwd, uid).map(str::to_owned)
}

fn named(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let own: u32 = fields.nth(1)?.parse().ok()?;
        (own == uid).then_some(name)
    })
}

/// `name:password:uid:gid:…`
fn find(passwd: &str, name: &str) -> Option<u32> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_it = fields.next() == Some(name);
        fields.nth(1).filter(|_| is_it)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_numbers() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\n# a comment\nwww-data:x:33:33::/:\nbroken:x\n";
        assert_eq!(find(passwd, "root"), Some(0));
        assert_eq!(find(passwd, "www-data"), Some(33));
        for name in ["broken", "nobody", "", "x"] {
            assert_eq!(find(passwd, name), None, "{name}");
        }
        assert_eq!(named(passwd, 33), Some("www-data"));
        assert_eq!(named(passwd, 34), None);
        assert_eq!(uid("1234"), Some(1234));
        assert_eq!(uid("root"), Some(0));
    }
}
