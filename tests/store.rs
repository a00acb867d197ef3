//! A capture kept in the embedded ClickHouse by one process, and shown by another.

// Tests may stop on what they did not expect, and say what they skip.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::io::{BufRead, BufReader, Read, Write, stderr};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// Ends with the test.
struct Served(Child, String);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

fn fabricscope() -> Command {
    Command::new(env!("CARGO_BIN_EXE_fabricscope"))
}

/// The library is fetched by `./setup`; where it is absent the test says so, or fails if nothing may be skipped.
fn library_is_here() -> bool {
    let Err(why) = store::embedded::find() else { return true };
    assert!(std::env::var_os("FABRICSCOPE_REQUIRE_ALL").is_none_or(|v| v != "1"), "{why}");
    let _ = writeln!(stderr(), "SKIPPED: needs the ClickHouse library: {why}");
    false
}

fn serve(folder: &Path) -> Served {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut program = fabricscope();
    program.args(["serve", "--store", "embedded", "--store-dir"]).arg(folder).args(["--listen", &address]);
    let mut child = program.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.contains(&address), "{line}");
    // What it says later must not meet a closed pipe.
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    Served(child, address)
}

fn get(address: &str, path: &str) -> Value {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 200 "), "{path}: {answer}");
    serde_json::from_str(body).unwrap()
}

#[test]
fn what_a_replay_kept_is_served_later() {
    if !library_is_here() {
        return;
    }
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures/lossy-link");
    let folder = tempfile::tempdir().unwrap();
    let (store, report) = (folder.path().join("store"), folder.path().join("report.json"));
    // Twice: the second time leaves the same rows.
    for _ in 0..2 {
        let mut program = fabricscope();
        program.arg("replay").arg(&captures).arg("--topology").arg(captures.join("topology.json"));
        program.args(["--quiet", "--store", "embedded", "--store-dir"]).arg(&store).arg("--report").arg(&report);
        let done = program.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let served = serve(&store);

    let links = get(&served.1, "/api/v1/links?limit=100");
    let packets = |rows: &Value| rows.as_array().unwrap().iter().map(|r| r["packets"].as_u64().unwrap()).sum::<u64>();
    let rows = Value::Array(links["rows"].as_array().unwrap().iter().map(|row| row["link"].clone()).collect());
    assert_eq!(packets(&rows), packets(&report["links"]));
    let findings = get(&served.1, "/api/v1/findings?limit=100");
    let ids = |of: &Value| {
        let mut ids: Vec<String> =
            of.as_array().unwrap().iter().map(|f| f["id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&findings["rows"]), ids(&report["findings"]));
    let jobs = get(&served.1, "/api/v1/jobs");
    assert_eq!((&jobs["known"], ids(&jobs["rows"])), (&true.into(), ids(&report["jobs"])), "jobs are kept");
    let verdict = get(&served.1, "/api/v1/verdict");
    assert_eq!(verdict["blame"], "network");
    assert_eq!(verdict["jobs_known"].as_u64(), report["jobs"].as_array().map(|jobs| jobs.len() as u64));
}
