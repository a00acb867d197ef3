//! The unit under a real systemd, in namespaces of its own. Not part of the usual run, for few containers let a second systemd
//! have its control groups: `cargo test --test live systemd -- --ignored --nocapture`.

use std::fs;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::namespace::{Sender, fixture, frames_of, until};

/// Makes the machine that the service sees: its own processes, mounts and network; units of this folder only, so that nothing that a
/// distribution runs at start (such as clearing /tmp) touches the outside.
const BOOT: &str = r#"set -e
mount --make-rprivate /
for folder in /run /etc/fabricscope /var/lib /var/cache /usr/local/bin; do
    mkdir -p $folder
    mount -t tmpfs tmpfs $folder
done
mkdir -p /run/units
cp "$0"/bin/* /usr/local/bin/
cp "$0"/units/* /run/units/
cp "$0"/options /etc/fabricscope/
mount -t tmpfs tmpfs /tmp
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6
ip link set lo up
ip link add name tx0 mtu 9216 type veth peer name rx0 mtu 9216
ip link set tx0 up
ip link set rx0 up
exec env container=test SYSTEMD_UNIT_PATH=/run/units /lib/systemd/systemd --system --unit=test.target --log-target=null
"#;

/// A systemd, and how to get in.
struct Machine {
    outer: Child,
    inner: String,
}

impl Machine {
    fn boot(folder: &Path) -> Self {
        let outer = Command::new("unshare")
            .args(["--pid", "--fork", "--mount", "--uts", "--ipc", "--net", "--cgroup", "--mount-proc", "--kill-child"])
            .args(["sh", "-c", BOOT])
            .arg(folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let children = format!("/proc/{0}/task/{0}/children", outer.id());
        let child = || fs::read_to_string(&children).unwrap_or_default().trim().to_owned();
        until("systemd is started", || {
            fs::read_to_string(format!("/proc/{}/comm", child())).is_ok_and(|comm| comm.trim() == "systemd")
        });
        let machine = Self { outer, inner: child() };
        until("systemd answers", || machine.run("systemctl", &["list-units"]).status.success());
        machine
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let enter = ["-t", &self.inner, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", program];
        Command::new("nsenter").args(enter).args(arguments).output().unwrap()
    }

    /// What a program says that must succeed.
    fn said(&self, program: &str, arguments: &[&str]) -> String {
        let done = self.run(program, arguments);
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        let why = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{program} {arguments:?}: {said}{why}\n{}", self.journal());
        said
    }

    fn journal(&self) -> String {
        String::from_utf8_lossy(&self.run("cat", &["/run/said"]).stdout).into_owned()
    }

    fn property(&self, name: &str) -> String {
        self.said("systemctl", &["show", "fabricscope", "--value", "-p", name]).trim().to_owned()
    }

    /// Sends frames on the machine's cable.
    fn send(&self, frames: &[(u64, Vec<u8>)]) {
        let network = fs::File::open(format!("/proc/{}/ns/net", self.inner)).unwrap();
        let sender = || {
            // SAFETY: only this thread enters the other namespace.
            assert_eq!(unsafe { libc::setns(network.as_raw_fd(), libc::CLONE_NEWNET) }, 0);
            Sender::new("tx0").replay(frames);
        };
        std::thread::scope(|scope| scope.spawn(sender).join().unwrap());
    }

    fn report(&self) -> serde_json::Value {
        let text = self.said("cat", &["/var/lib/fabricscope/report.json"]);
        serde_json::from_str(&text).unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Already gone is what should be; its init takes every process along.
        let _ = self.outer.kill();
        let _ = self.outer.wait();
    }
}

/// The files that the machine is made of: the unit as it is shipped but for where the program lies and where it speaks to.
fn lay_out(folder: &Path) {
    for part in ["units", "bin"] {
        fs::create_dir(folder.join(part)).unwrap();
    }
    let shipped = include_str!("../../packaging/fabricscope.service");
    let unit = shipped
        .replace("/usr/bin/fabricscope", "/usr/local/bin/fabricscope")
        .replace("[Install]", "StandardOutput=append:/run/said\nStandardError=inherit\n[Install]");
    fs::write(folder.join("units/fabricscope.service"), unit).unwrap();
    for target in ["test", "sysinit", "basic", "shutdown", "network", "time-sync", "multi-user"] {
        let text = format!("[Unit]\nDescription={target}\nDefaultDependencies=no\n");
        fs::write(folder.join(format!("units/{target}.target")), text).unwrap();
    }
    fs::copy(env!("CARGO_BIN_EXE_fabricscope"), folder.join("bin/fabricscope")).unwrap();
    fs::write(folder.join("options"), "OPTIONS=--interface rx0 --report /var/lib/fabricscope/report.json\n").unwrap();
}

#[test]
#[ignore = "needs a machine that lets a second systemd have its control groups"]
fn the_unit_starts_reloads_is_watched_and_stops_under_systemd() {
    let folder = tempfile::tempdir().unwrap();
    lay_out(folder.path());
    let machine = Machine::boot(folder.path());
    machine.said("systemctl", &["start", "fabricscope"]);
    let said = machine.journal();
    assert!(said.contains("rx0: captured by") && said.contains("confined:"), "{said}");
    assert_eq!(machine.property("StatusText"), "reading rx0");

    let id = machine.property("MainPID");
    let status = machine.said("cat", &[&format!("/proc/{id}/status")]);
    let field = |name: &str| status.lines().find_map(|l| l.strip_prefix(name)).unwrap().trim().to_owned();
    assert_eq!((field("CapEff:"), field("NoNewPrivs:"), field("Seccomp:")), ("0".repeat(16), "1".into(), "2".into()));
    assert!(!field("Uid:").starts_with("0\t"), "{status}");

    machine.said("systemctl", &["reload", "fabricscope"]);
    until("it reads its files again", || machine.journal().contains("begins anew"));

    // Stopped dead, it feeds no watchdog: systemd starts it again.
    machine.said("kill", &["-STOP", &id]);
    std::thread::sleep(Duration::from_secs(10));
    until("the watchdog starts it again", || {
        machine.property("NRestarts") == "1" && machine.property("StatusText") == "reading rx0"
    });
    assert_ne!(machine.property("MainPID"), id);

    let frames = frames_of(&fixture("c06_duplicate"));
    machine.send(&frames);
    machine.said("systemctl", &["stop", "fabricscope"]);
    assert_eq!(machine.report()["capture"]["packets"], frames.len());
    assert_eq!(machine.property("Result"), "success");
}
