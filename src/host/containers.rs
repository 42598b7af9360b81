//! Docker's containers that publish a port, whether they run or not: the daemon keeps a directory for each of them.

use std::path::Path;

use serde_json::Value;

/// A container that is to have a port of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// The port in it that is published, with its protocol: `80/tcp`.
    pub inside: String,
    /// Whether it runs; none where the daemon does not say.
    pub is_running: Option<bool>,
    /// How it ended, where it did.
    pub exit_code: Option<i64>,
}

const DIRECTORY: &str = "/var/lib/docker/containers";
/// No more are looked at.
const MOST: usize = 500;

/// The containers that publish this port; none where there is no Docker, or only root may look.
pub fn publishing(port: u16) -> Vec<Container> {
    publishing_in(Path::new(DIRECTORY), port)
}

/// The number of the container with this name; none where there is no Docker, no such container, or only root may look.
pub fn number_of(name: &str) -> Option<String> {
    number_in(Path::new(DIRECTORY), name)
}

fn number_in(directory: &Path, name: &str) -> Option<String> {
    let entries = std::fs::read_dir(directory).ok()?.flatten();
    let is_named = |entry: &std::fs::DirEntry| {
        let own = read(&entry.path().join("config.v2.json"));
        own.is_some_and(|own| own.get("Name").and_then(Value::as_str) == Some(&format!("/{name}")))
    };
    let found = entries.take(MOST).find(is_named)?;
    found.file_name().into_string().ok()
}

fn read(path: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn publishing_in(directory: &Path, port: u16) -> Vec<Container> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let container = |entry: std::fs::DirEntry| {
        let host = read(&entry.path().join("hostconfig.json"))?;
        let inside = inside(&host, port)?;
        let own = read(&entry.path().join("config.v2.json")).unwrap_or_default();
        let name = own.get("Name").and_then(Value::as_str).unwrap_or("?");
        let state = own.get("State");
        Some(Container {
            name: name.trim_start_matches('/').to_owned(),
            inside,
            is_running: state.and_then(|state| state.get("Running")?.as_bool()),
            exit_code: state.and_then(|state| state.get("ExitCode")?.as_i64()),
        })
    };
    entries.take(MOST).filter_map(container).collect()
}

/// `{"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}}`
fn inside(host: &Value, port: u16) -> Option<String> {
    let wanted = port.to_string();
    let bindings = host.get("PortBindings")?.as_object()?;
    let publishes = |ends: &Value| {
        let mut ends = ends.as_array().into_iter().flatten();
        ends.any(|end| end.get("HostPort").and_then(Value::as_str) == Some(&wanted))
    };
    let mut all = bindings.iter();
    all.find_map(|(inside, ends)| publishes(ends).then(|| inside.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_by_their_port_and_by_their_name() {
        let directory = tempfile::tempdir().expect("a directory");
        let own = directory.path().join("0123");
        std::fs::create_dir(&own).expect("it");
        let host =
            r#"{"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}], "81/tcp": null}}"#;
        let config = r#"{"Name": "/web", "State": {"Running": false, "ExitCode": 137}}"#;
        std::fs::write(own.join("hostconfig.json"), host).expect("it");
        std::fs::write(own.join("config.v2.json"), config).expect("it");
        std::fs::create_dir(directory.path().join("broken")).expect("it");
        let expected = Container {
            name: "web".into(),
            inside: "80/tcp".into(),
            is_running: Some(false),
            exit_code: Some(137),
        };
        assert_eq!(publishing_in(directory.path(), 8080), [expected]);
        assert_eq!(publishing_in(directory.path(), 80), []);
        assert_eq!(publishing_in(Path::new("/no/such"), 80), []);
        assert_eq!(number_in(directory.path(), "web").as_deref(), Some("0123"));
        assert_eq!(number_in(directory.path(), "we"), None);
    }
}
