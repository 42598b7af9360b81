//! Docker containers that publish a port, running or stopped, from the Docker daemon's files.

use std::path::Path;

use serde_json::Value;

/// A container that publishes a port on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The name.
    pub name: String,
    /// The port inside the container, with its protocol: `80/tcp`.
    pub container_port: String,
    /// True if the container is running; `None` if its state cannot be read.
    pub is_running: Option<bool>,
    /// The exit code of the container's last run.
    pub exit_code: Option<i64>,
}

const DOCKER_CONTAINERS_DIR: &str = "/var/lib/docker/containers";
/// Maximum number of containers that are inspected.
const MAX_CONTAINERS: usize = 500;

/// Returns the containers that publish this port; empty if Docker is not installed or its directory
/// cannot be read. Usually, only root can read the directory.
pub fn publishing(port: u16) -> Vec<Container> {
    publishing_in(Path::new(DOCKER_CONTAINERS_DIR), port)
}

/// Returns the ID of the container with this name; `None` if there is no such container, Docker is
/// not installed, or its directory cannot be read.
pub fn id_of(name: &str) -> Option<String> {
    id_in(Path::new(DOCKER_CONTAINERS_DIR), name)
}

fn id_in(directory: &Path, name: &str) -> Option<String> {
    let entries = std::fs::read_dir(directory).ok()?.flatten();
    let path = format!("/{name}");
    let is_named = |entry: &std::fs::DirEntry| {
        let config = read_json(&entry.path().join("config.v2.json")).unwrap_or_default();
        config.get("Name").and_then(Value::as_str) == Some(&path)
    };
    let found = entries.take(MAX_CONTAINERS).find(is_named)?;
    found.file_name().into_string().ok()
}

fn read_json(path: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn publishing_in(directory: &Path, port: u16) -> Vec<Container> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let container = |entry: std::fs::DirEntry| {
        let host_config = read_json(&entry.path().join("hostconfig.json"))?;
        let container_port = find_container_port(&host_config, port)?;
        let config = read_json(&entry.path().join("config.v2.json")).unwrap_or_default();
        let name = config.get("Name").and_then(Value::as_str).unwrap_or("?");
        let state = config.get("State");
        Some(Container {
            name: name.trim_start_matches('/').to_owned(),
            container_port,
            is_running: state.and_then(|state| state.get("Running")?.as_bool()),
            exit_code: state.and_then(|state| state.get("ExitCode")?.as_i64()),
        })
    };
    entries.take(MAX_CONTAINERS).filter_map(container).collect()
}

/// Finds the container port in
/// `{"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}}`.
fn find_container_port(host_config: &Value, port: u16) -> Option<String> {
    let expected = port.to_string();
    let bindings = host_config.get("PortBindings")?.as_object()?;
    let publishes = |(_, host_ends): &(&String, &Value)| {
        let mut host_ends = host_ends.as_array().into_iter().flatten();
        host_ends.any(|end| end.get("HostPort").and_then(Value::as_str) == Some(&expected))
    };
    let (container_port, _) = bindings.iter().find(publishes)?;
    Some(container_port.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_found_by_port_and_by_name() {
        let directory = tempfile::tempdir().expect("a directory");
        let container = directory.path().join("0123");
        std::fs::create_dir(&container).expect("a directory");
        let host =
            r#"{"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}], "81/tcp": null}}"#;
        let config = r#"{"Name": "/web", "State": {"Running": false, "ExitCode": 137}}"#;
        std::fs::write(container.join("hostconfig.json"), host).expect("a file");
        std::fs::write(container.join("config.v2.json"), config).expect("a file");
        std::fs::create_dir(directory.path().join("broken")).expect("a directory");
        let expected = Container {
            name: "web".into(),
            container_port: "80/tcp".into(),
            is_running: Some(false),
            exit_code: Some(137),
        };
        assert_eq!(publishing_in(directory.path(), 8080), [expected]);
        assert_eq!(publishing_in(directory.path(), 80), []);
        assert_eq!(publishing_in(Path::new("/no/such"), 80), []);
        assert_eq!(id_in(directory.path(), "web").as_deref(), Some("0123"));
        assert_eq!(id_in(directory.path(), "we"), None);
    }
}
