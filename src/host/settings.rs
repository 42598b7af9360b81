//! What the kernel of this network namespace is told to do with ports (ip(7), tcp(7), ipv6(7)).

/// Settings; what cannot be read is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The first and the last port that clients are given.
    pub ephemeral: Option<(u16, u16)>,
    /// The first port that everybody may listen on.
    pub unprivileged_start: Option<u16>,
    /// Whether the loopback has no IPv6.
    pub is_ipv6_off: Option<bool>,
    /// The longest backlog that a server gets.
    pub most_waiting: Option<u32>,
    /// How often a connection came while a server's backlog was full, since the namespace began.
    pub overflows: Option<u64>,
}

/// What is set now.
pub fn read() -> Settings {
    let text = |name: &str| std::fs::read_to_string(format!("/proc/sys/net/{name}")).ok();
    let number = |name: &str| text(name)?.trim().parse::<u32>().ok();
    Settings {
        ephemeral: text("ipv4/ip_local_port_range").and_then(|text| range(&text)),
        unprivileged_start: number("ipv4/ip_unprivileged_port_start")
            .and_then(|port| u16::try_from(port).ok()),
        is_ipv6_off: Some(match number("ipv6/conf/lo/disable_ipv6") {
            Some(value) => value != 0,
            // A kernel that has it has this file.
            None => true,
        }),
        most_waiting: number("core/somaxconn"),
        overflows: std::fs::read_to_string("/proc/thread-self/net/netstat")
            .ok()
            .and_then(|text| counter(&text, "TcpExt", "ListenOverflows")),
    }
}

fn range(text: &str) -> Option<(u16, u16)> {
    let mut numbers = text.split_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// A counter of netstat: a line of names, then a line of values, each behind its group.
fn counter(text: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(group)?.strip_prefix(':'));
    let (names, values) = (lines.next()?, lines.next()?);
    let at = names.split_whitespace().position(|own| own == name)?;
    values.split_whitespace().nth(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_counters() {
        assert_eq!(range("32768\t60999\n"), Some((32768, 60999)));
        assert_eq!(range("x"), None);
        let text = "TcpExt: A ListenOverflows B\nTcpExt: 1 22 3\nIpExt: A\nIpExt: 5\n";
        assert_eq!(counter(text, "TcpExt", "ListenOverflows"), Some(22));
        assert_eq!(counter(text, "IpExt", "A"), Some(5));
        assert_eq!(counter(text, "IpExt", "B"), None);
        assert_eq!(counter("", "IpExt", "B"), None);
    }
}
