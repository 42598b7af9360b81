//! Firewalls: nft(8) in a network of the test's own.

use super::room::Room;
use crate::live::session::skip;
use std::path::Path;

/// A room in which the firewall has this rule, in a chain of this kind.
fn walled(chain: &str, rule: &str) -> Option<Room> {
    let room = Room::new()?;
    let rules = format!("table inet wall {{\nchain {chain}\n{rule}\n}}\n}}");
    match room.command("nft").arg(room.own(&rules)).output() {
        Ok(output) if output.status.success() => Some(room),
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            // A rule that is wrong is no lack of the machine's.
            assert!(!why.contains("syntax"), "{why}");
            skip(&format!("nft: {why}"));
            None
        }
        Err(error) => {
            skip(&format!("nft: {error}"));
            None
        }
    }
}

const INPUT: &str = "come { type filter hook input priority 0;";

#[test]
fn what_is_dropped() {
    let rule = "iifname \"lo\" tcp dport 62893 drop";
    let Some(room) = walled(INPUT, rule) else {
        return;
    };
    let _server = room.part("127.0.0.1:62893");
    room.doctor(&["62893"])
        .is(
            "problem",
            "dropped",
            &[
                "tcp dport 62893 drop",
                "sudo nft delete rule inet wall come handle",
            ],
        )
        .finds("problem", "silent", &["within 2 s"]);
}

#[test]
fn what_is_rejected() {
    let Some(room) = walled(INPUT, "tcp dport 62893 reject with tcp reset") else {
        return;
    };
    let server = room.part("127.0.0.1:62893");
    room.doctor(&["62893"])
        .is("problem", "rejected", &["reject with tcp reset"])
        .finds("problem", "refused", &["although", &server.shown()]);
}

#[test]
fn a_policy_that_drops() {
    let chain = "come { type filter hook input priority 0; policy drop;";
    let Some(room) = walled(chain, "tcp dport 22 accept") else {
        return;
    };
    let _server = room.part("127.0.0.1:62893");
    room.doctor(&["62893"])
        .is("problem", "dropped", &["policy drop", "iifname lo accept"]);
}

#[test]
fn what_is_led_to_another_port() {
    let chain = "go { type nat hook output priority -100;";
    let Some(room) = walled(chain, "tcp dport 62893 redirect to :62000") else {
        return;
    };
    let other = room.part("127.0.0.1:62000");
    // Nobody else is there: whoever set that up wanted it.
    room.doctor(&["62893"])
        .is(
            "healthy",
            "accepted",
            &[&other.shown(), "who answers has 127.0.0.1:62000"],
        )
        .finds("note", "redirected", &["redirect to :62000", "port 62000"])
        .is_without("nothing-listens");
    let hidden = room.part("127.0.0.1:62893");
    room.doctor(&["62893"])
        .is("problem", "redirected", &[&other.shown(), &hidden.shown()]);
}

#[test]
fn what_others_are_kept_from() {
    let rule = "iifname != \"lo\" tcp dport 62893 drop";
    let Some(room) = walled(INPUT, rule) else {
        return;
    };
    if !room.has_network() {
        return;
    }
    let _server = room.part("0.0.0.0:62893");
    room.doctor(&["62893"])
        .is("healthy", "accepted", &[])
        .finds("note", "exposed", &["from eth9 to 192.0.2.7: dropped"])
        .is_without("dropped");
}

/// iptables is made of nftables on most machines; of its extensions only names are told.
#[test]
fn rules_of_iptables() {
    let Some(room) = Room::new() else { return };
    let rules = [
        "iptables-nft -A INPUT -p tcp --dport 62893 -m comment --comment why -j REJECT",
        "iptables-nft -t nat -A OUTPUT -p tcp --dport 62894 -j REDIRECT --to-ports 62895",
    ];
    if let Err(why) = rules.iter().try_for_each(|words| room.run(words)) {
        return skip(&why);
    }
    let _servers = room.part("127.0.0.1:62893,127.0.0.1:62895");
    room.doctor(&["62893"])
        .is("problem", "rejected", &["ip filter INPUT: tcp dport 62893"]);
    room.doctor(&["62894"])
        .is("healthy", "accepted", &["who answers has 127.0.0.1:62895"])
        .finds("note", "redirected", &["to port 62895"]);
}

/// The old iptables has tables of its own.
#[test]
fn rules_of_the_old_iptables() {
    let Some(room) = Room::new() else { return };
    let rule = "iptables-legacy -A INPUT -p tcp --dport 62893 -j DROP";
    if let Err(why) = room.run(rule) {
        return skip(&why);
    }
    let _server = room.part("127.0.0.1:62893");
    room.doctor(&["62893"])
        .is("problem", "silent", &["something drops"])
        .finds(
            "note",
            "legacy-rules",
            &["sudo iptables-legacy -t filter -D INPUT"],
        );
}

/// Docker's own proxy, and a rule as Docker makes it.
#[test]
fn what_docker_publishes() {
    let proxy = ["/usr/sbin/docker-proxy", "/usr/bin/docker-proxy"];
    let Some(proxy) = proxy.iter().find(|path| Path::new(path).exists()) else {
        return skip("there is no docker-proxy (package docker.io)");
    };
    let chain = "come { type nat hook prerouting priority -100;";
    let rule = "tcp dport 62893 dnat ip to 172.17.0.2:80";
    let Some(room) = walled(chain, rule) else {
        return;
    };
    // What would be in the container, where the proxy finds it.
    if let Err(why) = room.run("ip address add 172.17.0.2/32 dev lo") {
        return skip(&why);
    }
    let _inside = room.part("172.17.0.2:80");
    let mut running = room
        // It tells there whether it listens.
        .command("sh")
        .args(["-c", "exec \"$0\" \"$@\" 3> /dev/null", proxy])
        .args(["-proto", "tcp", "-host-ip", "127.0.0.1", "-host-port"])
        .arg(room.own("62893"))
        .args(["-container-ip", "172.17.0.2", "-container-port", "80"])
        .spawn()
        .unwrap();
    let listens = (0..500).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        room.inside(|| std::net::TcpStream::connect(("127.0.0.1", room.port)).is_ok())
    });
    if listens {
        room.doctor(&["62893"])
            .is("healthy", "accepted", &["docker-proxy["])
            .finds(
                "note",
                "published",
                &["127.0.0.1:62893 leads to 172.17.0.2:80", "dnat"],
            );
    }
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(listens, "docker-proxy does not listen");
}
