//! The dashboard of the program itself, in a real Chromium, over captures with known truth.

// Tests may stop on what they did not expect, and say what they skip.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::io::{BufRead, BufReader, Write, stderr};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A replay that serves its dashboard; ended with the test.
struct Served(Child, String);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Returns once the input has been read to its end.
fn serve(arguments: &[PathBuf]) -> Served {
    let address = free_address();
    let mut program = Command::new(env!("CARGO_BIN_EXE_fabricscope"));
    program
        .arg("replay")
        .args(arguments)
        .arg(format!("--serve={address}"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    let said = BufReader::new(child.stderr.take().unwrap());
    let served = Served(child, format!("http://{address}"));
    let ended = said.lines().map_while(Result::ok).any(|line| line.contains("stays open"));
    assert!(ended, "the replay of {arguments:?} ended without serving");
    served
}

#[test]
fn replays_in_a_browser() {
    let folder = root().join("dashboard/browser");
    let chromium = std::env::var("FABRICSCOPE_CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned());
    let needed = [PathBuf::from(chromium), folder.join("node_modules/playwright-core")];
    if let Some(missing) = needed.iter().find(|path| !path.exists()) {
        let why = format!("{} is missing; run ./setup", missing.display());
        assert!(std::env::var("FABRICSCOPE_REQUIRE_ALL").is_err(), "{why}");
        let _ = writeln!(stderr(), "SKIPPED: replays in a browser: {why}");
        return;
    }
    let captures = root().join("fixtures/captures");
    let loss = serve(&[captures.join("c01_loss_after_tap.pcap.zst")]);
    let fabric = captures.join("lossy-link");
    let topology = [Path::new("--topology").to_path_buf(), fabric.join("topology.json")];
    let fabric = serve(&[&[fabric][..], &topology].concat());
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=spec", "replay.test.mjs"]).current_dir(folder);
    let done = node.env("FABRICSCOPE_URL_LOSS", &loss.1).env("FABRICSCOPE_URL_FABRIC", &fabric.1).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    eprintln!("{said}");
}
