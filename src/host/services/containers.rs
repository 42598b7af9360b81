//! Containers by name, from the API of their engine, and Docker containers that publish a port,
//! running or stopped, from the Docker daemon's files.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::engine_socket;
use crate::host::processes::is_container_id;

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

/// Returns the ID of the container with this name: from the engines that listen on a socket, then
/// from the files of Docker, whose daemon may be stopped.
///
/// # Errors
/// No container has this name: the result of each query, for an error message.
pub fn find_id(name: &str) -> Result<String, Vec<String>> {
    let sockets = engine_sockets(|variable| std::env::var_os(variable));
    find_id_in(&sockets, Path::new(DOCKER_CONTAINERS_DIR), name)
}

/// Returns the sockets of Docker and Podman, in the order of the queries: that of `DOCKER_HOST`, of
/// the system, of the user.
fn engine_sockets(variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let docker_host = variable("DOCKER_HOST").and_then(|host| host.into_string().ok());
    let docker_host = docker_host
        .as_deref()
        .and_then(|host| host.strip_prefix("unix://"));
    let runtime_dir = variable("XDG_RUNTIME_DIR").filter(|directory| !directory.is_empty());
    let mut sockets: Vec<PathBuf> = docker_host.map(PathBuf::from).into_iter().collect();
    let system = ["/var/run/docker.sock", "/run/podman/podman.sock"].map(PathBuf::from);
    let user = runtime_dir.map(|directory| Path::new(&directory).join("podman/podman.sock"));
    for socket in system.into_iter().chain(user) {
        if !sockets.contains(&socket) {
            sockets.push(socket);
        }
    }
    sockets
}

fn find_id_in(sockets: &[PathBuf], directory: &Path, name: &str) -> Result<String, Vec<String>> {
    let mut results = Vec::new();
    let not_found = || io::Error::other("no such container");
    let by_socket = sockets.iter().map(|socket| {
        let container = engine_socket::inspect_container(socket, name);
        let container = container.and_then(|found| found.ok_or_else(not_found));
        (&**socket, container.and_then(|json| container_id(&json)))
    });
    let by_directory = std::iter::once_with(|| {
        let id = id_in(directory, name);
        (directory, id.and_then(|id| id.ok_or_else(not_found)))
    });
    for (path, id) in by_socket.chain(by_directory) {
        match id {
            Ok(id) => return Ok(id),
            Err(error) => results.push(format!("{}: {error}", path.display())),
        }
    }
    Err(results)
}

/// Returns the ID in an engine's description of a container.
pub(in crate::host) fn container_id(json: &[u8]) -> io::Result<String> {
    let container: Value = serde_json::from_slice(json)?;
    let id = container.get("Id").and_then(Value::as_str);
    match id.filter(|id| is_container_id(id.as_bytes())) {
        Some(id) => Ok(id.to_owned()),
        None => Err(engine_socket::invalid_answer("no container ID")),
    }
}

fn id_in(directory: &Path, name: &str) -> io::Result<Option<String>> {
    let entries = std::fs::read_dir(directory)?.flatten();
    let path = format!("/{name}");
    let is_named = |entry: &std::fs::DirEntry| {
        let config = read_json(&entry.path().join("config.v2.json")).unwrap_or_default();
        config.get("Name").and_then(Value::as_str) == Some(&path)
    };
    let found = entries.take(MAX_CONTAINERS).find(is_named);
    Ok(found.and_then(|entry| entry.file_name().into_string().ok()))
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
pub(in crate::host) fn find_container_port(host_config: &Value, port: u16) -> Option<String> {
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
        let find = |name| find_id_in(&["/no/socket".into()], directory.path(), name);
        assert_eq!(find("web").as_deref(), Ok("0123"));
        assert_eq!(
            find("we"),
            Err(vec![
                "/no/socket: No such file or directory (os error 2)".to_owned(),
                format!("{}: no such container", directory.path().display()),
            ])
        );
    }

    #[test]
    fn only_a_full_container_id_is_accepted() {
        let id = "0123456789abcdef".repeat(4);
        let json = format!(r#"{{"Name": "/shop", "Id": "{id}", "State": {{"Running": true}}}}"#);
        assert_eq!(container_id(json.as_bytes()).ok(), Some(id.clone()));
        let error = |json: String| match container_id(json.as_bytes()) {
            Ok(id) => panic!("{id}"),
            Err(error) => error.to_string(),
        };
        let others = [
            "",
            "0",
            "../../../etc",
            &id[1..],
            &id.repeat(2),
            &id.to_uppercase(),
        ];
        for other in others {
            let message = error(format!(r#"{{"Id": "{other}"}}"#));
            assert!(message.ends_with("no container ID"), "{message}");
        }
        for (json, message) in [
            (r#"{"Id": 7}"#.to_owned(), "no container ID"),
            ("[]".to_owned(), "no container ID"),
            ("not JSON".to_owned(), "expected ident"),
            (String::new(), "EOF while parsing"),
            ("[".repeat(100_000), "recursion limit"),
        ] {
            assert!(error(json).contains(message), "{message}");
        }
    }

    #[test]
    fn engine_sockets_are_those_of_docker_and_podman() {
        let sockets = |docker_host: &str, runtime_dir: &str| {
            let value = |variable: &str| match variable {
                "DOCKER_HOST" => Some(docker_host.into()),
                _ => Some(runtime_dir.into()),
            };
            let sockets = engine_sockets(value).into_iter();
            sockets
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>()
        };
        let (docker, podman) = ("/var/run/docker.sock", "/run/podman/podman.sock");
        assert_eq!(sockets("", ""), [docker, podman]);
        assert_eq!(sockets("tcp://127.0.0.1:2375", ""), [docker, podman]);
        assert_eq!(sockets("unix:///var/run/docker.sock", ""), [docker, podman]);
        assert_eq!(
            sockets("unix:///tmp/d.sock", "/run/user/7"),
            [
                "/tmp/d.sock",
                docker,
                podman,
                "/run/user/7/podman/podman.sock"
            ]
        );
    }
}
