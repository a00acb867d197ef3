//! The scripts for schedulers against a served replay: what they tell `scontrol` and `kubectl`.

// Tests may stop on what they did not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]

use std::fs;
use std::io::{Write as _, stderr};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn missing(tool: &str) -> bool {
    !Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().is_ok_and(|o| o.status.success())
}

/// The program with a simulated host that cannot receive fast enough, its dashboard open.
struct Sensor(Child, String);

impl Drop for Sensor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Sensor {
    fn start() -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut program = Command::new(env!("CARGO_BIN_EXE_fabricscope"));
        program.args(["demo", "slow_receiver", "--pace", "max", &format!("--serve={address}")]);
        let child = program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let sensor = Self(child, format!("http://{address}"));
        let until = Instant::now() + Duration::from_secs(60);
        while sensor.hosts("avoid").is_empty() {
            assert!(Instant::now() < until, "the slow host was not told within a minute");
            std::thread::sleep(Duration::from_millis(200));
        }
        // The input is short: nothing changes any more.
        std::thread::sleep(Duration::from_secs(2));
        sensor
    }

    fn hosts(&self, state: &str) -> Vec<String> {
        self.ask(state, ".id")
    }

    /// The worst finding against each.
    fn kinds(&self, state: &str) -> Vec<String> {
        self.ask(state, ".why[0].kind")
    }

    fn ask(&self, state: &str, what: &str) -> Vec<String> {
        let ask = format!("curl -sf '{}/api/v1/health/hosts?state={state}' | jq -r '.rows[]{what}'", self.1);
        let answer = Command::new("sh").args(["-c", &ask]).output().unwrap();
        String::from_utf8(answer.stdout).unwrap().lines().map(str::to_owned).collect()
    }
}

/// Runs a script with stand-ins for the schedulers' tools that write down what they are told; gives their notes. Each host in
/// `nodes` is the node of that place.
fn run(script: &str, sensor: &str, nodes: &[String]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("notes");
    for tool in ["scontrol", "kubectl"] {
        let path = folder.path().join(tool);
        let told = format!("#!/bin/sh\nprintf '%s|' {tool} \"$@\" >> '{0}'; echo >> '{0}'\n", notes.display());
        fs::write(&path, told).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let list: String = nodes.iter().enumerate().map(|(i, host)| format!("{host} gpu-{i}\n")).collect();
    fs::write(folder.path().join("nodes"), list).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scheduler").join(script);
    let mut program = Command::new(script);
    program.env("PATH", path).env("FABRICSCOPE", sensor).env("NODES", folder.path().join("nodes"));
    let done = program.output().unwrap();
    assert_eq!(done.status.success(), !nodes.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
    fs::read_to_string(&notes).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn skipped() -> bool {
    let skip = missing("curl") || missing("jq");
    if skip {
        assert!(std::env::var_os("FABRICSCOPE_REQUIRE_ALL").is_none(), "curl and jq are needed");
        let _ = writeln!(stderr(), "SKIPPED: the scripts for schedulers need curl and jq");
    }
    skip
}

#[test]
fn what_is_to_be_avoided_is_drained_and_tainted_and_nothing_else() {
    if skipped() {
        return;
    }
    let sensor = Sensor::start();
    let (avoid, healthy) = (sensor.hosts("avoid"), sensor.hosts("healthy"));
    let kinds = sensor.kinds("avoid");
    assert!(!healthy.is_empty() && kinds.len() == avoid.len());
    let nodes: Vec<String> = avoid.iter().chain(&healthy).cloned().collect();
    let slurm = run("slurm.sh", &sensor.1, &nodes);
    assert_eq!(slurm.len(), avoid.len(), "{slurm:?}");
    for (i, told) in slurm.iter().enumerate() {
        let begin = format!("scontrol|update|NodeName=gpu-{i}|State=DRAIN|Reason=fabricscope: {} (", kinds[i]);
        assert!(told.starts_with(&begin), "{told}");
    }
    let on = |i: usize| format!("kubectl|taint|node|gpu-{i}|fabricscope.io/avoid={}:NoSchedule|--overwrite|", kinds[i]);
    let off = |i| format!("kubectl|taint|node|gpu-{i}|fabricscope.io/avoid:NoSchedule-|");
    let wanted: Vec<String> = (0..avoid.len()).map(on).chain((avoid.len()..nodes.len()).map(off)).collect();
    assert_eq!(run("kubernetes.sh", &sensor.1, &nodes), wanted);
}

#[test]
fn a_sensor_that_does_not_answer_changes_nothing() {
    if skipped() {
        return;
    }
    for script in ["slurm.sh", "kubernetes.sh"] {
        assert!(run(script, "http://127.0.0.1:1", &[]).is_empty());
    }
}
