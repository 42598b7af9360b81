//! PostgreSQL requests compared with the server's log: the same statements, in order, none twice.

use super::session::{Session, TEST_TIMEOUT, can_capture_or_skip, skip};
use super::traffic::{V4, bound_socket};
use lcap::{Detail, Request, RequestOutcome};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// User and group of the server, which does not run as root.
const NOBODY_ID: u32 = 65_534;
/// Statements of each of the five parts of the clients.
const STATEMENTS: usize = 1_000;

/// Client that runs simple, prepared and pipelined statements, errors, COPY and a cancel request.
const CLIENT: &str = r#"
import psycopg, sys, threading, time
port, count = sys.argv[1], int(sys.argv[2])
dsn = f"host=127.0.0.1 port={port} user=postgres dbname=postgres sslmode=disable"
with psycopg.connect(dsn, autocommit=True) as conn:
    conn.execute("create table pets (id int8 primary key, name text, born date)")
    for i in range(count):
        conn.execute(f"select 'text {i}'", prepare=False)
    for i in range(count):
        conn.execute("insert into pets values (%s, %s, %b)", (i, f"pet {i}", None), prepare=True)
    with conn.cursor(binary=True) as cursor:
        for i in range(count):
            cursor.execute("select name, born from pets where id = %b", (i,))
            assert cursor.fetchall() == [(f"pet {i}", None)]
    for i in range(0, count, 20):
        with conn.pipeline():
            for j in range(20):
                conn.execute("update pets set name = %s where id = %s", (f"dog {i + j}", i + j))
    for _ in range(10):
        try:
            with conn.pipeline():
                conn.execute("select 1 / %s", (1,), prepare=False)
                conn.execute("select 1 / %s", (0,), prepare=False)
                conn.execute("select 1 / %s", (2,), prepare=False)
        except psycopg.errors.DivisionByZero:
            pass
        try:
            conn.execute("select missing")
        except psycopg.errors.UndefinedColumn:
            pass
    with conn.cursor() as cursor:
        with cursor.copy("copy pets (id) from stdin") as copy:
            for i in range(count, 2 * count):
                copy.write_row((i,))
        with cursor.copy("copy pets to stdout") as copy:
            assert sum(1 for _ in copy.rows()) == 2 * count
    threading.Timer(0.3, conn.cancel).start()
    try:
        conn.execute("select pg_sleep(30)")
    except psycopg.errors.QueryCanceled:
        pass
"#;

/// Running server of a temporary cluster.
struct Server {
    process: Child,
    port: u16,
    directory: tempfile::TempDir,
}

/// Returns a command that does not run as root.
fn unprivileged(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY_ID).gid(NOBODY_ID);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::null());
    command
}

/// Returns the directory of the server's programs, which Debian does not add to `PATH`.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let directories = versions.map(|entry| entry.unwrap().path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut directories = directories.chain(path);
    directories.find(|directory| directory.join("initdb").exists())
}

/// Returns a Python that has psycopg.
fn python() -> Option<&'static str> {
    let has_psycopg = |python: &&&str| {
        let mut command = Command::new(python);
        let output = command.args(["-c", "import psycopg"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    ["python3", "/usr/bin/python3"]
        .iter()
        .find(has_psycopg)
        .copied()
}

impl Server {
    /// Starts a server that logs all statements with their durations.
    fn start(programs: &Path) -> Server {
        let directory = tempfile::tempdir().unwrap();
        if rustix::process::geteuid().is_root() {
            let owner = Some(NOBODY_ID);
            std::os::unix::fs::chown(directory.path(), owner, owner).unwrap();
        }
        let data = directory.path().join("data");
        let mut initdb = unprivileged(programs.join("initdb"));
        initdb.args(["-A", "trust", "-U", "postgres", "--no-sync", "-D"]);
        assert!(initdb.arg(&data).status().unwrap().success());
        let (socket, address) = bound_socket(V4);
        let port = address.port();
        drop(socket);
        let mut server = unprivileged(programs.join("postgres"));
        server
            .arg("-D")
            .arg(&data)
            .args(["-h", "127.0.0.1", "-p", &port.to_string()]);
        for setting in [
            "unix_socket_directories=",
            "fsync=off",
            "log_min_duration_statement=0",
            "log_destination=csvlog",
            "logging_collector=on",
            "log_directory=log",
            "log_filename=log",
            "lc_messages=C",
        ] {
            server.args(["-c", setting]);
        }
        let server = Server {
            process: server.spawn().unwrap(),
            port,
            directory,
        };
        let deadline = Instant::now() + TEST_TIMEOUT;
        while TcpStream::connect(("127.0.0.1", server.port)).is_err() {
            assert!(Instant::now() < deadline, "the server does not start");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        server
    }

    /// Stops the server, and returns its log by the port of the client.
    fn stop(mut self) -> BTreeMap<u16, Vec<Logged>> {
        kill_process(Pid::from_child(&self.process), Signal::INT).unwrap();
        self.process.wait().unwrap();
        let path = self.directory.path().join("data/log/log.csv");
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_path(path)
            .unwrap();
        let mut log: BTreeMap<u16, Vec<Logged>> = BTreeMap::new();
        for record in reader.records() {
            let record = record.unwrap();
            let port = record[4]
                .rsplit(':')
                .next()
                .and_then(|port| port.parse().ok());
            if let Some(port) = port {
                log.entry(port).or_default().extend(Logged::parse(&record));
            }
        }
        log
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A line of the server's log.
#[derive(Debug)]
struct Logged {
    /// `parse`, `bind`, `execute` or `statement`; an SQLSTATE.
    kind: String,
    text: String,
    /// Duration in milliseconds.
    duration: f64,
}

impl Logged {
    fn parse(record: &csv::StringRecord) -> Option<Logged> {
        let (severity, code, message, statement) =
            (&record[11], &record[12], &record[13], &record[19]);
        if severity == "ERROR" {
            return Some(Logged {
                kind: code.to_owned(),
                text: statement.to_owned(),
                duration: 0.0,
            });
        }
        let (duration, rest) = message.strip_prefix("duration: ")?.split_once(" ms  ")?;
        let (kind, text) = rest.split_once(": ")?;
        Some(Logged {
            kind: kind.split(' ').next()?.to_owned(),
            text: text.to_owned(),
            duration: duration.parse().unwrap(),
        })
    }
}

/// A request as `text, status`, and its duration in milliseconds.
type Row = (String, f64);

/// Returns the statements in a log. The duration is that of all messages of a statement.
fn logged_rows(log: &[Logged]) -> Vec<Row> {
    let (mut rows, mut earlier) = (Vec::new(), 0.0);
    for line in log {
        match &line.kind[..] {
            "parse" | "bind" => earlier += line.duration,
            "execute" | "statement" => {
                rows.push((format!("{}, 00000", line.text), earlier + line.duration));
                earlier = 0.0;
            }
            code => {
                rows.push((format!("{}, {code}", line.text), f64::NAN));
                earlier = 0.0;
            }
        }
    }
    rows
}

/// Returns the requests that the server has run.
fn captured_rows(requests: &[&Request]) -> Vec<Row> {
    let is_run = |request: &&&Request| {
        let is_other = ["CONNECT", "PREPARE", "CANCEL", "CLOSE"].contains(&&request.operation[..]);
        !is_other && request.status.is_some()
    };
    let rows = requests.iter().filter(is_run).map(|request| {
        let status = request.status.as_deref().unwrap_or("-");
        let duration = request
            .duration()
            .map_or(f64::NAN, |time| time.0 as f64 / 1e6);
        (format!("{}, {status}", request.target), duration)
    });
    rows.collect()
}

#[test]
fn statements_are_those_in_the_log_of_the_server() {
    if !can_capture_or_skip() {
        return;
    }
    let (Some(programs), Some(python)) = (programs(), python()) else {
        assert_ne!(
            std::env::var("LCAP_LIVE").as_deref(),
            Ok("required"),
            "PostgreSQL and psycopg are required"
        );
        return skip("PostgreSQL or psycopg is not installed");
    };
    let server = Server::start(&programs);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("capture.pcapng");
    let port = server.port.to_string();
    let session = Session::start(["-p", &port, "-w", path.to_str().unwrap()]);
    let script = directory.path().join("script.sql");
    let statements: Vec<String> = (0..STATEMENTS)
        .map(|i| format!("select 'psql {i}';\n"))
        .collect();
    std::fs::write(&script, statements.concat()).unwrap();
    let mut psql = Command::new("psql");
    psql.args([
        "-X",
        "-q",
        "-h",
        "127.0.0.1",
        "-U",
        "postgres",
        "-p",
        &port,
        "-f",
    ]);
    let psql = psql.arg(&script).stdout(Stdio::null()).status().unwrap();
    assert!(psql.success());
    let mut client = Command::new(python);
    client.args(["-c", CLIENT, &port, &STATEMENTS.to_string()]);
    // psycopg reports pipelines that end with an error on standard error.
    let output = client.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    session.interrupt().assert_lossless();
    let log = server.stop();

    let requests = lcap::open(&path).unwrap().requests().unwrap();
    assert!(
        requests
            .iter()
            .all(|request| request.protocol == "postgresql")
    );
    let mut by_client: BTreeMap<u16, Vec<&Request>> = BTreeMap::new();
    for request in &requests {
        by_client
            .entry(request.flow.orig().port())
            .or_default()
            .push(request);
    }
    let (mut count, mut differences) = (0, Vec::new());
    for (port, lines) in &log {
        let expected = logged_rows(lines);
        let found = captured_rows(by_client.get(port).map_or(&[], |found| found));
        let texts =
            |rows: &[Row]| -> Vec<String> { rows.iter().map(|(text, _)| text.clone()).collect() };
        let first = expected.iter().zip(&found).position(|(a, b)| a.0 != b.0);
        assert_eq!(
            first,
            None,
            "{:?}",
            first.map(|at| (&expected[at], &found[at]))
        );
        assert_eq!(texts(&found).len(), texts(&expected).len());
        count += found.len();
        // The times of pipelined statements include those of earlier ones.
        let pairs = expected.iter().zip(&found);
        let pairs = pairs.filter(|((text, _), _)| !text.starts_with("update"));
        differences.extend(pairs.map(|((_, log), (_, wire))| wire - log));
    }
    assert!(count >= 5 * STATEMENTS, "{count}");
    differences.retain(|difference| difference.is_finite());
    differences.sort_by(f64::total_cmp);
    let (median, max) = (
        differences[differences.len() / 2],
        differences[differences.len() - 1],
    );
    println!("{count} statements; capture minus log: median {median:.3} ms, maximum {max:.3} ms");
    // Generous: other tests run at the same time.
    assert!(median.abs() < 5.0, "{median} ms");
    check_details(&requests);
}

/// Checks the rows whose details the log does not have.
fn check_details(requests: &[Request]) {
    let of = |operation: &str| {
        let operation = operation.to_owned();
        requests
            .iter()
            .filter(move |request| request.operation == operation)
    };
    for (operation, expected) in [("CONNECT", 2), ("CANCEL", 1)] {
        let found: Vec<&Request> = of(operation).collect();
        assert_eq!(found.len(), expected, "{found:#?}");
        assert!(
            found
                .iter()
                .all(|request| request.outcome == RequestOutcome::Ok)
        );
    }
    let inserted = of("INSERT").nth(7).unwrap();
    let parameters = Detail::List(vec![
        Detail::Integer(7),
        Detail::Text("pet 7".into()),
        Detail::Null,
    ]);
    assert_eq!(inserted.details.get("parameters"), Some(&parameters));
    let copied: Vec<_> = of("COPY")
        .map(|request| request.details.get("affected"))
        .collect();
    let [from, to] = [STATEMENTS, 2 * STATEMENTS].map(|rows| Detail::Count(rows as u64));
    assert_eq!(copied, [Some(&from), Some(&to)]);
    let is_cancelled = |request: &&Request| request.outcome == RequestOutcome::Cancelled;
    let cancelled: Vec<&Request> = requests.iter().filter(is_cancelled).collect();
    assert_eq!(cancelled.len(), 1, "{cancelled:#?}");
    assert_eq!(cancelled[0].target, "select pg_sleep(30)");
    let skipped =
        |request: &&Request| request.target == "select 1 / $1" && request.status.is_none();
    assert_eq!(requests.iter().filter(skipped).count(), 10);
}
