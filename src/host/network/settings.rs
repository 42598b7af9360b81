//! Kernel settings for ports in this network namespace (ip(7), tcp(7), ipv6(7)).

/// Settings and counters; those that cannot be read are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkSettings {
    /// The first and the last ephemeral port: the kernel assigns these ports to clients.
    pub ephemeral_ports: Option<(u16, u16)>,
    /// The lowest port that an unprivileged process can bind.
    pub unprivileged_port_start: Option<u16>,
    /// True if IPv6 is disabled on the loopback interface.
    pub is_ipv6_disabled: Option<bool>,
    /// Maximum backlog of a listening socket.
    pub max_backlog: Option<u32>,
    /// Number of connections that arrived while a backlog was full, since the namespace was
    /// created.
    pub listen_overflows: Option<u64>,
}

/// Reads the current settings.
pub fn read() -> NetworkSettings {
    let text = |name: &str| std::fs::read_to_string(format!("/proc/sys/net/{name}")).ok();
    let number = |name: &str| text(name)?.trim().parse::<u32>().ok();
    NetworkSettings {
        ephemeral_ports: text("ipv4/ip_local_port_range").and_then(|text| parse_port_range(&text)),
        unprivileged_port_start: number("ipv4/ip_unprivileged_port_start")
            .and_then(|port| u16::try_from(port).ok()),
        // A kernel without IPv6 does not have this file.
        is_ipv6_disabled: Some(number("ipv6/conf/lo/disable_ipv6") != Some(0)),
        max_backlog: number("core/somaxconn"),
        listen_overflows: std::fs::read_to_string("/proc/thread-self/net/netstat")
            .ok()
            .and_then(|text| netstat_counter(&text, "TcpExt", "ListenOverflows")),
    }
}

fn parse_port_range(text: &str) -> Option<(u16, u16)> {
    let mut numbers = text.split_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Finds a counter in /proc/net/netstat. Each group has a line of names, then a line of values;
/// both begin with the name of the group.
fn netstat_counter(text: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(group)?.strip_prefix(':'));
    let (names, values) = (lines.next()?, lines.next()?);
    let mut counters = names.split_whitespace().zip(values.split_whitespace());
    let (_, value) = counters.find(|(counter, _)| *counter == name)?;
    value.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_range_and_netstat_counters_are_parsed() {
        assert_eq!(parse_port_range("32768\t60999\n"), Some((32768, 60999)));
        assert_eq!(parse_port_range("x"), None);
        let text = "TcpExt: A ListenOverflows B\nTcpExt: 1 22 3\nIpExt: A\nIpExt: 5\n";
        assert_eq!(netstat_counter(text, "TcpExt", "ListenOverflows"), Some(22));
        assert_eq!(netstat_counter(text, "IpExt", "A"), Some(5));
        assert_eq!(netstat_counter(text, "IpExt", "B"), None);
        assert_eq!(netstat_counter("", "IpExt", "B"), None);
    }
}
