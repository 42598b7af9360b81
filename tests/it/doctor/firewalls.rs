//! Firewall rules of nft(8) and iptables(8) in a network namespace of the test.

use super::sandbox::Sandbox;
use crate::live::session::skip;
use std::path::Path;

/// Returns a sandbox whose firewall contains this rule in this chain.
fn sandbox_with_rule(chain: &str, rule: &str) -> Option<Sandbox> {
    let sandbox = Sandbox::new()?;
    let rules = format!("table inet wall {{\nchain {chain}\n{rule}\n}}\n}}");
    match sandbox
        .command("nft")
        .arg(sandbox.substitute_ports(&rules))
        .output()
    {
        Ok(output) if output.status.success() => Some(sandbox),
        Ok(output) => {
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            // A syntax error is a fault of the test, not a missing feature of the kernel.
            assert!(!errors.contains("syntax"), "{errors}");
            skip(&format!("nft: {errors}"));
            None
        }
        Err(error) => {
            skip(&format!("nft: {error}"));
            None
        }
    }
}

const INPUT_CHAIN: &str = "incoming { type filter hook input priority 0;";

#[test]
fn doctor_reports_a_drop_rule() {
    let rule = "iifname \"lo\" tcp dport 62893 drop";
    let Some(sandbox) = sandbox_with_rule(INPUT_CHAIN, rule) else {
        return;
    };
    let _server = sandbox.start_server("127.0.0.1:62893");
    sandbox
        .run_doctor(&["62893"])
        .assert_verdict(
            "problem",
            "dropped",
            &[
                "tcp dport 62893 drop",
                "sudo nft delete rule inet wall incoming handle",
            ],
        )
        .assert_finding("problem", "silent", &["within 2 s"]);
}

#[test]
fn doctor_reports_a_reject_rule() {
    let Some(sandbox) = sandbox_with_rule(INPUT_CHAIN, "tcp dport 62893 reject with tcp reset")
    else {
        return;
    };
    let server = sandbox.start_server("127.0.0.1:62893");
    sandbox
        .run_doctor(&["62893"])
        .assert_verdict("problem", "rejected", &["reject with tcp reset"])
        .assert_finding("problem", "refused", &["although", &server.label()]);
}

#[test]
fn doctor_reports_a_drop_policy() {
    let chain = "incoming { type filter hook input priority 0; policy drop;";
    let Some(sandbox) = sandbox_with_rule(chain, "tcp dport 22 accept") else {
        return;
    };
    let _server = sandbox.start_server("127.0.0.1:62893");
    sandbox.run_doctor(&["62893"]).assert_verdict(
        "problem",
        "dropped",
        &["policy drop", "iifname lo accept"],
    );
}

#[test]
fn doctor_notes_a_redirect_to_another_port() {
    let chain = "outgoing { type nat hook output priority -100;";
    let Some(sandbox) = sandbox_with_rule(chain, "tcp dport 62893 redirect to :62000") else {
        return;
    };
    let other = sandbox.start_server("127.0.0.1:62000");
    // The redirect bypasses no server on the port itself, so it is intended.
    sandbox
        .run_doctor(&["62893"])
        .assert_verdict(
            "healthy",
            "accepted",
            &[&other.label(), "the answering socket is 127.0.0.1:62000"],
        )
        .assert_finding("note", "redirected", &["redirect to :62000", "port 62000"])
        .assert_no_finding("nothing-listens");
    let bypassed = sandbox.start_server("127.0.0.1:62893");
    sandbox.run_doctor(&["62893"]).assert_verdict(
        "problem",
        "redirected",
        &[&other.label(), &bypassed.label()],
    );
}

#[test]
fn doctor_reports_a_rule_that_drops_packets_from_networks() {
    let rule = "iifname != \"lo\" tcp dport 62893 drop";
    let Some(sandbox) = sandbox_with_rule(INPUT_CHAIN, rule) else {
        return;
    };
    if !sandbox.add_network() {
        return;
    }
    let _server = sandbox.start_server("0.0.0.0:62893");
    sandbox
        .run_doctor(&["62893"])
        .assert_verdict("healthy", "accepted", &[])
        .assert_finding("note", "exposed", &["from eth9 to 192.0.2.7: dropped"])
        .assert_no_finding("dropped");
}

/// On most machines, iptables is iptables-nft; nft lists the extensions in its rules only by name.
#[test]
fn doctor_reads_iptables_nft_rules() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let rules = [
        "iptables-nft -A INPUT -p tcp --dport 62893 -m comment --comment why -j REJECT",
        "iptables-nft -t nat -A OUTPUT -p tcp --dport 62894 -j REDIRECT --to-ports 62895",
    ];
    if let Err(reason) = rules.iter().try_for_each(|command| sandbox.run(command)) {
        return skip(&reason);
    }
    let _servers = sandbox.start_server("127.0.0.1:62893,127.0.0.1:62895");
    sandbox.run_doctor(&["62893"]).assert_verdict(
        "problem",
        "rejected",
        &["ip filter INPUT: tcp dport 62893"],
    );
    sandbox
        .run_doctor(&["62894"])
        .assert_verdict(
            "healthy",
            "accepted",
            &["the answering socket is 127.0.0.1:62895"],
        )
        .assert_finding("note", "redirected", &["to port 62895"]);
}

/// Legacy iptables has its own tables, which nft does not list.
#[test]
fn doctor_notes_iptables_legacy_rules() {
    let Some(sandbox) = Sandbox::new() else {
        return;
    };
    let rule = "iptables-legacy -A INPUT -p tcp --dport 62893 -j DROP";
    if let Err(reason) = sandbox.run(rule) {
        return skip(&reason);
    }
    let _server = sandbox.start_server("127.0.0.1:62893");
    sandbox
        .run_doctor(&["62893"])
        .assert_verdict("problem", "silent", &["packets are dropped on the way"])
        .assert_finding(
            "note",
            "legacy-rules",
            &["sudo iptables-legacy -t filter -D INPUT"],
        );
}

/// The test runs docker-proxy and adds a DNAT rule like Docker's.
#[test]
fn doctor_notes_a_published_docker_port() {
    let proxy = ["/usr/sbin/docker-proxy", "/usr/bin/docker-proxy"];
    let Some(proxy) = proxy.iter().find(|path| Path::new(path).exists()) else {
        return skip("docker-proxy is not installed (package docker.io)");
    };
    let chain = "incoming { type nat hook prerouting priority -100;";
    let rule = "tcp dport 62893 dnat ip to 172.17.0.2:80";
    let Some(sandbox) = sandbox_with_rule(chain, rule) else {
        return;
    };
    // The server in the container, at the address to which the proxy connects.
    if let Err(reason) = sandbox.run("ip address add 172.17.0.2/32 dev lo") {
        return skip(&reason);
    }
    let _inside = sandbox.start_server("172.17.0.2:80");
    let mut running = sandbox
        // docker-proxy reports its state on file descriptor 3.
        .command("sh")
        .args(["-c", "exec \"$0\" \"$@\" 3> /dev/null", proxy])
        .args(["-proto", "tcp", "-host-ip", "127.0.0.1", "-host-port"])
        .arg(sandbox.substitute_ports("62893"))
        .args(["-container-ip", "172.17.0.2", "-container-port", "80"])
        .spawn()
        .unwrap();
    let listens = (0..500).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        sandbox.run_inside(|| std::net::TcpStream::connect(("127.0.0.1", sandbox.port)).is_ok())
    });
    if listens {
        sandbox
            .run_doctor(&["62893"])
            .assert_verdict("healthy", "accepted", &["docker-proxy["])
            .assert_finding(
                "note",
                "published",
                &["127.0.0.1:62893 is forwarded to 172.17.0.2:80", "dnat"],
            );
    }
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(listens, "docker-proxy does not listen");
}
