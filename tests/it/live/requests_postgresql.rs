//! PostgreSQL requests compared with the server's log: the same statements, in order, none twice.

use super::servers::Server;
use super::session::{Session, TEST_TIMEOUT, can_capture_or_skip, skip};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

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

/// Settings of the server: all statements, their durations and the ends of connections are logged.
const SETTINGS: [&str; 9] = [
    "unix_socket_directories=",
    "fsync=off",
    "log_min_duration_statement=0",
    "log_disconnections=on",
    "log_destination=csvlog",
    "logging_collector=on",
    "log_directory=log",
    "log_filename=log",
    "lc_messages=C",
];

/// Returns the path of a program of the server, which Debian does not add to `PATH`.
fn server_program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter();
    let paths = versions
        .flatten()
        .map(|version| version.unwrap().path().join("bin").join(name));
    let found = paths.filter(|path| path.exists()).max();
    found.unwrap_or_else(|| PathBuf::from(name))
}

/// Returns a Python that has psycopg.
fn python() -> Option<&'static str> {
    let has_psycopg = |python: &&&str| {
        let mut command = Command::new(python);
        let output = command.args(["-c", "import psycopg"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    let mut candidates = ["python3", "/usr/bin/python3"].iter();
    candidates.find(has_psycopg).copied()
}

/// Creates a cluster, and adds the arguments of its server.
fn prepare(server: &mut Command, directory: &Path, port: u16) {
    let mut initdb = Command::new(server_program("initdb"));
    if rustix::process::geteuid().is_root() {
        let owner = Some(NOBODY_ID);
        std::os::unix::fs::chown(directory, owner, owner).unwrap();
        for command in [&mut initdb, server] {
            command.uid(NOBODY_ID).gid(NOBODY_ID);
        }
    }
    let data = directory.join("data");
    initdb.args(["-A", "trust", "-U", "postgres", "--no-sync", "-D"]);
    let output = initdb.arg(&data).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    server.arg("-D").arg(&data);
    server.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    for setting in SETTINGS {
        server.args(["-c", setting]);
    }
}

/// Waits until this number of connections have ended, and returns the log by the port of the
/// client.
fn read_log(server: &Server, connections: usize) -> BTreeMap<u16, Vec<Logged>> {
    let path = server.directory().join("data/log/log.csv");
    let deadline = Instant::now() + TEST_TIMEOUT;
    loop {
        let mut reader = csv::ReaderBuilder::new();
        let mut reader = reader.has_headers(false).from_path(&path).unwrap();
        // The last record can be incomplete.
        let records: Vec<_> = reader.records().map_while(Result::ok).collect();
        let is_end = |record: &&csv::StringRecord| record[13].starts_with("disconnection: ");
        if records.iter().filter(is_end).count() == connections {
            let mut log: BTreeMap<u16, Vec<Logged>> = BTreeMap::new();
            for record in &records {
                let port = record[4].rsplit(':').next();
                if let Some(Ok(port)) = port.map(str::parse) {
                    log.entry(port).or_default().extend(Logged::parse(record));
                }
            }
            return log;
        }
        assert!(Instant::now() < deadline, "connections do not end");
        std::thread::sleep(Duration::from_millis(20));
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
fn captured_rows(requests: &[&Value]) -> Vec<Row> {
    let is_run = |request: &&&Value| {
        let operation = request["operation"].as_str().unwrap();
        !["CONNECT", "PREPARE", "CANCEL", "CLOSE"].contains(&operation)
            && request["status"].is_string()
    };
    let rows = requests.iter().filter(is_run).map(|request| {
        let [target, status] = ["target", "status"].map(|name| request[name].as_str().unwrap());
        let duration = request["duration"].as_f64().unwrap_or(f64::NAN);
        (format!("{target}, {status}"), duration * 1e3)
    });
    rows.collect()
}

#[test]
fn statements_are_those_in_the_log_of_the_server() {
    if !can_capture_or_skip() {
        return;
    }
    let Some(python) = python() else {
        let level = std::env::var("LCAP_LIVE").unwrap_or_default();
        assert_ne!(level, "required", "psycopg is not installed");
        return skip("psycopg is not installed");
    };
    let program = server_program("postgres");
    let Some(server) = Server::start_or_skip(program.to_str().unwrap(), prepare) else {
        return;
    };
    let port = server.port.to_string();
    let session = Session::start(["requests", "-p", &port, "--format", "json"]);
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("script.sql");
    let statements = (0..STATEMENTS).map(|number| format!("select 'psql {number}';\n"));
    std::fs::write(&script, statements.collect::<String>()).unwrap();
    let mut psql = Command::new("psql");
    psql.args(["-X", "-h", "127.0.0.1", "-U", "postgres", "-p", &port]);
    let mut client = Command::new(python);
    client.args(["-c", CLIENT, &port, &STATEMENTS.to_string()]);
    for command in [psql.arg("-f").arg(&script), &mut client] {
        // psycopg reports pipelines that end with an error on standard error.
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let log = read_log(&server, 2);
    let ended = session.interrupt();
    let requests: Vec<Value> = ended
        .assert_lossless()
        .output
        .iter()
        .map(parse_row)
        .collect();

    let mut by_client: BTreeMap<u16, Vec<&Value>> = BTreeMap::new();
    for request in &requests {
        let port = request["id.orig_p"].as_u64().unwrap();
        let port = u16::try_from(port).unwrap();
        by_client.entry(port).or_default().push(request);
    }
    let (mut count, mut differences) = (0, Vec::new());
    for (port, lines) in &log {
        let expected = logged_rows(lines);
        let found = captured_rows(by_client.get(port).map_or(&[], |found| found));
        let mut pairs = expected.iter().zip(&found);
        let different = pairs.find(|(logged, captured)| logged.0 != captured.0);
        assert_eq!(different, None);
        assert_eq!(found.len(), expected.len());
        count += found.len();
        // The times of pipelined statements include those of earlier ones.
        let pairs = expected.iter().zip(&found);
        let pairs = pairs.filter(|((text, _), _)| !text.starts_with("update"));
        differences.extend(pairs.map(|((_, logged), (_, captured))| captured - logged));
    }
    assert!(count >= 5 * STATEMENTS, "{count}");
    differences.retain(|difference| difference.is_finite());
    differences.sort_by(f64::total_cmp);
    let at = |share: usize| differences[(differences.len() - 1) * share / 100];
    let [median, most, all] = [50, 99, 100].map(at);
    println!(
        "{count} statements; capture minus log: median {median:.3} ms, 99 % below {most:.3} ms, \
         all below {all:.3} ms"
    );
    // Generous: other tests run at the same time.
    assert!(median.abs() < 5.0, "{median} ms");
    check_details(&requests);
}

fn parse_row(line: &String) -> Value {
    let row: Value = serde_json::from_str(line).unwrap();
    assert_eq!(row["protocol"], "postgresql", "{line}");
    row
}

/// Checks the rows whose details the log does not have.
fn check_details(requests: &[Value]) {
    let with = |name: &'static str, value: &'static str| -> Vec<&Value> {
        let rows = requests.iter();
        rows.filter(|request| request[name] == value).collect()
    };
    for (operation, expected) in [("CONNECT", 2), ("CANCEL", 1)] {
        let found = with("operation", operation);
        assert_eq!(found.len(), expected, "{found:#?}");
        assert!(found.iter().all(|request| request["outcome"] == "ok"));
    }
    let inserted = &with("operation", "INSERT")[7]["details"];
    assert_eq!(inserted["parameters"], json!([7, "pet 7", null]));
    let copied = with("operation", "COPY");
    let copied = copied.iter().map(|request| &request["details"]["affected"]);
    let expected = [json!(STATEMENTS), json!(2 * STATEMENTS)];
    assert_eq!(copied.collect::<Vec<_>>(), [&expected[0], &expected[1]]);
    let cancelled = with("outcome", "cancelled");
    assert_eq!(cancelled.len(), 1, "{cancelled:#?}");
    assert_eq!(cancelled[0]["target"], "select pg_sleep(30)");
    let divided = with("target", "select 1 / $1");
    let skipped = divided.iter().filter(|request| request["status"].is_null());
    assert_eq!(skipped.count(), 10);
}
