//! A network namespace for one test, cables in it, frames sent on them, and the program run at the other end.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write, stderr};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use capture::{FileOptions, Frame, Interface, InterfaceId, Sink, Step};
use serde_json::Value;

/// Runs `test` in a fresh network namespace, on a thread of its own; skips loudly where that is not permitted.
pub fn in_namespace(test: impl FnOnce() + Send + 'static) {
    let (permitted, is_permitted) = channel();
    let thread = std::thread::spawn(move || {
        // SAFETY: only this thread enters the new namespace.
        let made = unsafe { libc::unshare(libc::CLONE_NEWNET) } == 0;
        permitted.send(made).unwrap();
        if made {
            ip("link set lo up");
            test();
        }
    });
    if !is_permitted.recv().unwrap() {
        let all = std::env::var("FABRICSCOPE_REQUIRE_ALL").as_deref() == Ok("1");
        assert!(!all, "live capture needs root to make network namespaces");
        let _ = writeln!(stderr(), "SKIPPED: live capture needs root to make network namespaces");
    }
    thread.join().unwrap();
}

fn tool(program: &str, arguments: &str) {
    let output = Command::new(program).args(arguments.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "{program} {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

pub fn ip(arguments: &str) {
    tool("ip", arguments);
}

pub fn tc(arguments: &str) {
    tool("tc", arguments);
}

/// Two ends of a cable, up, silent by themselves.
pub fn cable(a: &str, b: &str) {
    ip(&format!("link add name {a} mtu 9216 type veth peer name {b} mtu 9216"));
    for end in [a, b] {
        fs::write(format!("/proc/sys/net/ipv6/conf/{end}/disable_ipv6"), "1").unwrap_or_default();
        ip(&format!("link set dev {end} up"));
    }
    // What is sent before both ends are ready is lost without a word.
    for end in [a, b] {
        until(&format!("{end} has a carrier"), || said("ip", &["link", "show", "dev", end]).contains("LOWER_UP"));
    }
    std::thread::sleep(Duration::from_millis(20));
}

/// What a tool says.
pub fn said(program: &str, arguments: &[&str]) -> String {
    String::from_utf8_lossy(&Command::new(program).args(arguments).output().unwrap().stdout).into_owned()
}

/// Waits for a condition, as long as a busy machine may need.
pub fn until(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(20), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn index_of(interface: &str) -> i32 {
    let name = std::ffi::CString::new(interface).unwrap();
    // SAFETY: the name ends in a zero byte and outlives the call.
    unsafe { libc::if_nametoindex(name.as_ptr()) as i32 }
}

/// Sends raw frames on an interface.
pub struct Sender(OwnedFd);

impl Sender {
    pub fn new(interface: &str) -> Self {
        // SAFETY: plain system calls; the descriptor is ours alone, the address lives until the call is over.
        unsafe {
            let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0);
            assert!(fd >= 0);
            let mut address: libc::sockaddr_ll = std::mem::zeroed();
            address.sll_family = libc::AF_PACKET as u16;
            address.sll_ifindex = index_of(interface);
            let len = std::mem::size_of_val(&address) as libc::socklen_t;
            assert_eq!(libc::bind(fd, (&raw const address).cast(), len), 0);
            Self(OwnedFd::from_raw_fd(fd))
        }
    }

    pub fn send(&self, frame: &[u8]) {
        loop {
            // SAFETY: the kernel reads as many bytes as the frame has.
            let sent = unsafe { libc::send(self.0.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
            if sent == frame.len() as isize {
                return;
            }
            let why = std::io::Error::last_os_error();
            assert_eq!(why.raw_os_error(), Some(libc::ENOBUFS), "{why}");
        }
    }

    /// Sends frames with their own gaps, none longer than 20 ms.
    pub fn replay(&self, frames: &[(u64, Vec<u8>)]) {
        let (mut before, mut due) = (frames[0].0, Instant::now());
        for (at_ns, frame) in frames {
            due += Duration::from_nanos(at_ns.saturating_sub(before).min(20_000_000));
            before = *at_ns;
            if let Some(wait) = due.checked_duration_since(Instant::now()).filter(|w| w.as_micros() > 100) {
                std::thread::sleep(wait);
            }
            self.send(frame);
        }
    }
}

#[derive(Default)]
struct Collect(Vec<(u64, Vec<u8>)>);

impl Sink for Collect {
    fn interface(&mut self, _: &Interface) {}
    fn frames(&mut self, batch: &[Frame<'_>]) {
        self.0.extend(batch.iter().map(|f| (f.at_ns, f.bytes.to_vec())));
    }
    fn dropped(&mut self, _: InterfaceId, _: u64, _: u64) {}
}

/// Times and bytes of a capture's frames.
pub fn frames_of(path: &Path) -> Vec<(u64, Vec<u8>)> {
    let mut source = capture::open(&[path.to_owned()], &FileOptions::default()).unwrap();
    let mut all = Collect::default();
    while source.step(&mut all) != Step::End {}
    all.0
}

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/captures/{name}.pcap.zst"))
}

pub fn fabricscope() -> Command {
    Command::new(env!("CARGO_BIN_EXE_fabricscope"))
}

/// The program, capturing.
pub struct Run {
    child: Child,
    pub said: Receiver<String>,
    pub report: PathBuf,
    _folder: tempfile::TempDir,
    pub heard: Vec<String>,
}

impl Run {
    /// Starts it on interfaces and waits until it captures.
    pub fn start(arguments: &[&str]) -> Self {
        Self::with(fabricscope(), arguments)
    }

    /// As [`Run::start`], by a command that is given already.
    pub fn with(mut command: Command, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        let report = folder.path().join("report.json");
        let mut child = command
            .args(["run", "--format", "json", "--report", report.to_str().unwrap()])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, said) = channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| tell.send(line).unwrap_or_default()));
        let mut run = Self { child, said, report, _folder: folder, heard: Vec::new() };
        run.wait_for("capturing");
        run
    }

    /// Waits for a line that holds `what`, and gives it.
    pub fn wait_for(&mut self, what: &str) -> String {
        let until = Instant::now() + Duration::from_secs(20);
        while let Ok(line) = self.said.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.heard.push(line.clone());
            if line.contains(what) {
                return line;
            }
        }
        panic!("no line with {what:?}: {:#?}", self.heard);
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: a signal to a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(self.child.id() as i32, signal) }, 0);
    }

    /// Where its dashboard is, started with `--serve`.
    pub fn url(&self) -> String {
        self.heard.iter().find_map(|l| l.split("dashboard on ").nth(1)).unwrap().to_owned()
    }

    /// Waits until its dashboard, started with `--serve`, shows so many packets analysed.
    pub fn wait_for_packets(&self, count: usize) {
        let url = self.url();
        let packets = || serde_json::from_slice::<Value>(&get(&url, "/api/v1/report").1).unwrap_or_default();
        until(&format!("{count} packets"), || packets()["capture"]["packets"].as_u64() >= Some(count as u64));
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Stops it by SIGTERM; its report.
    pub fn stop(&mut self) -> Value {
        // On a busy machine the kernel may still have frames in hand that were sent just now.
        std::thread::sleep(Duration::from_millis(50));
        self.signal(libc::SIGTERM);
        let status = self.wait();
        self.heard.extend(self.said.iter());
        assert!(status.success(), "{status}: {:#?}", self.heard);
        serde_json::from_slice(&fs::read(&self.report).unwrap()).unwrap()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Already gone is what should be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The body of an answer of this namespace's dashboard.
pub fn get(url: &str, path: &str) -> (String, Vec<u8>) {
    let address: SocketAddr = url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
    assert_eq!(address.ip(), Ipv4Addr::LOCALHOST);
    let mut stream = TcpStream::connect(address).unwrap();
    std::io::Write::write_all(
        &mut stream,
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes(),
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let split = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..split]).into_owned();
    (head, answer[split + 4..].to_vec())
}

/// Runs a replay and gives its report.
pub fn replay(arguments: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report.json");
    let done =
        fabricscope().args(["replay", "--quiet", "--report", out.to_str().unwrap()]).args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&fs::read(out).unwrap()).unwrap()
}
