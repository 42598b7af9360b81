//! The rules of the firewall, as nft(8) tells them: nftables, and iptables where that is made of it.

mod rules;

pub use rules::{Action, Chain, Condition, Hook, Rule, Side};

use std::io::{self, Read};
use std::process::{Command, Stdio};

/// What is known of the firewall.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Firewall {
    /// Nobody looked.
    #[default]
    Unasked,
    /// There is no nft(8) on this machine.
    Absent,
    /// It takes CAP_NET_ADMIN to see the rules.
    NotPermitted,
    /// Why not, in nft's words.
    Failed(String),
    /// The chains, each with its rules.
    Chains(Vec<Chain>),
}

/// More than any rules that people write, in bytes.
const MOST: u64 = 16 << 20;

/// Asks nft(8) for all rules of this network namespace.
pub fn read() -> Firewall {
    // The words for people and the structure, side by side.
    let [structure, words] = [["-j"], ["-a"]].map(|option| ask(&option));
    let (structure, words) = match (structure, words) {
        (Ok(structure), Ok(words)) => (structure, words),
        (Err(error), _) | (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Firewall::Absent;
        }
        (Err(error), _) | (_, Err(error)) => return Firewall::Failed(error.to_string()),
    };
    match (structure.answer(), words.answer()) {
        (Ok(structure), Ok(words)) => match rules::chains(&structure, &words) {
            Some(chains) => Firewall::Chains(chains),
            None => Firewall::Failed("it does not say what libnftables-json(5) has".into()),
        },
        (Err(why), _) | (_, Err(why)) if why.contains("not permitted") => Firewall::NotPermitted,
        (Err(why), _) | (_, Err(why)) => Firewall::Failed(why),
    }
}

struct Asked(std::process::Child);

fn ask(options: &[&str]) -> io::Result<Asked> {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("nft");
    command
        .args(options)
        .args(["list", "ruleset"])
        // A plain user's path may not have it.
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().map(Asked)
}

impl Asked {
    /// What it says; else what it complains of.
    fn answer(mut self) -> Result<String, String> {
        let (mut said, mut complaint) = (Vec::new(), Vec::new());
        if let Some(output) = self.0.stdout.take() {
            let _ = output.take(MOST).read_to_end(&mut said);
        }
        if let Some(errors) = self.0.stderr.take() {
            let _ = errors.take(MOST).read_to_end(&mut complaint);
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match self.0.wait() {
            Ok(status) if status.success() => Ok(text(&said)),
            Ok(_) => Err(text(&complaint).lines().next().unwrap_or("?").to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}
