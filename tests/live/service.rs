//! As a service: few privileges, signs of life, files read again, a clean stop.

use std::fs;
use std::io::{Write as _, stderr};
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use crate::namespace::{Run, Sender, cable, fabricscope, fixture, frames_of, in_namespace, ip, until};

/// Capabilities 12, 13 and 39, as /proc shows them.
const THREE: u64 = 1 << 12 | 1 << 13 | 1 << 39;

/// A copy of the program where everybody may read it, for as long as this lives.
struct Nobody(tempfile::TempDir);

impl Nobody {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_fabricscope"), folder.path().join("fabricscope")).unwrap();
        Self(folder)
    }

    /// The program, as nobody with some capabilities.
    fn with(&self, capabilities: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set", capabilities]);
        command.args(["--inh-caps", capabilities, "--ambient-caps", capabilities]);
        command.arg(self.0.path().join("fabricscope"));
        command
    }
}

/// A field of every thread of a process.
fn of_threads(id: u32, field: &str) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{id}/task")).unwrap();
    let status = tasks.map(|t| fs::read_to_string(t.unwrap().path().join("status")).unwrap());
    status.map(|s| s.lines().find_map(|l| l.strip_prefix(field)).unwrap().trim().to_owned()).collect()
}

fn mask(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap()
}

#[test]
fn nobody_with_three_capabilities_captures_and_keeps_none_in_effect() {
    in_namespace(|| {
        cable("tx0", "rx0");
        let frames = frames_of(&fixture("c06_duplicate"));
        let nobody = Nobody::new();
        for mode in ["xdp", "packet"] {
            let command = nobody.with("-all,+net_raw,+net_admin,+bpf");
            let mut run = Run::with(command, &["-i", "rx0", "--mode", mode, "--ring", "1", "--serve=127.0.0.1:0"]);
            let id = run.id();
            // Threads give up what they have when they begin.
            until("privileges given up", || {
                of_threads(id, "CapPrm:").iter().filter(|c| mask(c) != 0).count() == 1
                    && of_threads(id, "NoNewPrivs:").iter().all(|n| n == "1")
            });
            assert_eq!(fs::read_to_string(format!("/proc/{id}/comm")).unwrap().get(..11), Some("fabricscope"));
            assert!(of_threads(id, "CapEff:").iter().all(|c| mask(c) == 0), "{:?}", of_threads(id, "CapEff:"));
            let permitted = of_threads(id, "CapPrm:");
            assert_eq!(permitted.iter().filter(|c| mask(c) != 0).count(), 1, "the reader alone: {permitted:?}");
            assert!(permitted.iter().all(|c| mask(c) & !THREE == 0), "{permitted:?}");
            assert!(of_threads(id, "NoNewPrivs:").iter().all(|n| n == "1"));
            Sender::new("tx0").replay(&frames);
            run.wait_for_packets(frames.len());
            // The interface comes back although nothing is in effect.
            ip("link delete tx0");
            run.wait_for("is gone");
            cable("tx0", "rx0");
            run.wait_for("is up again");
            Sender::new("tx0").replay(&frames);
            assert_eq!(run.stop()["capture"]["packets"], 2 * frames.len(), "{mode}");
        }
    });
}

#[test]
fn a_missing_capability_is_named() {
    in_namespace(|| {
        cable("tx0", "rx0");
        let nobody = Nobody::new();
        let refused = |capabilities: &str| {
            let done = nobody.with(capabilities).args(["run", "-i", "rx0", "--mode", "xdp"]).output().unwrap();
            assert_eq!(done.status.code(), Some(2));
            String::from_utf8_lossy(&done.stderr).into_owned()
        };
        let said = refused("-all,+net_raw,+net_admin");
        assert!(said.contains("lacks CAP_BPF") && said.contains("setcap"), "{said}");
        let said = refused("-all");
        assert!(said.contains("CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF"), "{said}");
    });
}

#[test]
fn a_confined_run_writes_where_it_was_told_to() {
    in_namespace(|| {
        cable("tx0", "rx0");
        let mut run = Run::start(&["-i", "rx0"]);
        let said = run.heard.iter().find(|l| l.contains("confined:")).cloned().expect("it says so");
        if said.contains("not files are written") {
            assert_ne!(std::env::var("FABRICSCOPE_REQUIRE_LANDLOCK").as_deref(), Ok("1"), "{said}");
            let _ = writeln!(stderr(), "SKIPPED: this kernel has no Landlock: {said}");
        }
        // The report lies beneath one of the folders.
        run.stop();
        let mut run = Run::start(&["-i", "rx0", "--keep-privileges"]);
        assert!(!run.heard.iter().any(|l| l.contains("confined:")));
        run.stop();
    });
}

fn received(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 1_024];
    let count = socket.recv(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..count]).into_owned()
}

#[test]
fn systemd_is_told_of_start_life_reload_and_stop() {
    in_namespace(|| {
        cable("tx0", "rx0");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let config = folder.path().join("config.toml");
        fs::write(&config, "[findings]\npreset = \"lab\"\n").unwrap();
        let mut command = fabricscope();
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "400000");
        let mut run = Run::with(command, &["-i", "rx0", "--serve=127.0.0.1:0", "--config", config.to_str().unwrap()]);
        assert!(received(&socket).starts_with("READY=1"));
        assert_eq!(received(&socket), "WATCHDOG=1");
        let frames = frames_of(&fixture("c06_duplicate"));
        Sender::new("tx0").replay(&frames);
        run.wait_for_packets(frames.len());
        run.signal(libc::SIGHUP);
        run.wait_for("begins anew");
        let after = std::iter::repeat_with(|| received(&socket)).find(|m| m != "WATCHDOG=1").unwrap();
        assert!(after.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{after}");
        assert!(received(&socket).starts_with("READY=1"));
        fs::write(&config, "[findings]\npreset = \"loud\"\n").unwrap();
        run.signal(libc::SIGHUP);
        let said = run.wait_for("nothing is changed");
        assert!(said.contains("config.toml"), "{said}");
        Sender::new("tx0").replay(&frames);
        let report = run.stop();
        // What came since the analysis began anew; the interface has all of it.
        assert_eq!(report["capture"]["packets"], frames.len());
        assert_eq!(report["capture"]["files"][0]["packets"], 2 * frames.len());
        assert!(std::iter::repeat_with(|| received(&socket)).take(50).any(|m| m == "STOPPING=1"));
    });
}
