//! A network namespace for one test, and a sender in it. Both go with the thread.

use std::io::{Write as _, stderr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::live::netlink::Netlink;
use crate::live::sys;
use crate::{Frame, Interface, InterfaceId, Sink, Source};

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

fn run(program: &str, arguments: &str) -> bool {
    let output = Command::new(program).args(arguments.split_whitespace()).output().unwrap();
    if !output.status.success() {
        eprintln!("{program} {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }
    output.status.success()
}

pub fn ip(arguments: &str) {
    assert!(run("ip", arguments), "ip {arguments}");
}

pub fn tc(arguments: &str) {
    assert!(run("tc", arguments), "tc {arguments}");
}

/// Two ends of a cable, up, without IPv6.
pub fn cable(a: &str, b: &str, options: &str) {
    ip(&format!("link add name {a} {options} type veth peer name {b} {options}"));
    for end in [a, b] {
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{end}/disable_ipv6"), "1");
        ip(&format!("link set dev {end} up"));
    }
    [a, b].into_iter().for_each(wait_for);
}

/// Waits until the link is up for good: what is sent before is lost without a word.
pub fn wait_for(end: &str) {
    let index = sys::interface_index(end);
    let netlink = Netlink::open().unwrap();
    let up = || netlink.link(index).unwrap().is_some_and(|l| l.running);
    assert!((0..400).any(|_| up() || (std::thread::sleep(Duration::from_millis(5)), false).1), "{end} stays down");
    std::thread::sleep(Duration::from_millis(20));
}

/// Sends raw frames on an interface.
pub struct Sender(OwnedFd);

impl Sender {
    pub fn new(interface: &str) -> Self {
        let socket = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0).unwrap();
        let mut address: libc::sockaddr_ll = sys::zeroed();
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_ifindex = sys::interface_index(interface) as i32;
        sys::bind(&socket, &address).unwrap();
        Self(socket)
    }

    pub fn send(&self, frame: &[u8]) {
        // SAFETY: the kernel reads as many bytes as the frame has.
        let sent = unsafe { libc::send(self.0.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        assert_eq!(sent, frame.len() as isize, "{}", std::io::Error::last_os_error());
    }
}

/// What a source lent.
#[derive(Default)]
pub struct Seen {
    pub frames: Vec<Vec<u8>>,
    pub times: Vec<u64>,
    pub wire_lens: Vec<u32>,
    pub dropped: u64,
    pub interfaces: Vec<Interface>,
}

impl Sink for Seen {
    fn interface(&mut self, interface: &Interface) {
        self.interfaces.push(interface.clone());
    }
    fn frames(&mut self, batch: &[Frame<'_>]) {
        assert!(!batch.is_empty() && self.interfaces.len() == 1);
        for frame in batch {
            self.frames.push(frame.bytes.to_vec());
            self.times.push(frame.at_ns);
            self.wire_lens.push(frame.wire_len);
        }
    }
    fn dropped(&mut self, _: InterfaceId, _: u64, count: u64) {
        self.dropped += count;
    }
}

/// Steps through all sources for so many milliseconds, or until `enough`.
pub fn step(sources: &mut [Box<dyn Source>], seen: &mut [Seen], ms: u64, enough: impl Fn(&[Seen]) -> bool) {
    let begun = std::time::Instant::now();
    while begun.elapsed().as_millis() < u128::from(ms) && !enough(seen) {
        for (source, seen) in sources.iter_mut().zip(seen.iter_mut()) {
            source.step(seen);
        }
    }
}

pub fn seen_for(sources: &[Box<dyn Source>]) -> Vec<Seen> {
    sources.iter().map(|_| Seen::default()).collect()
}

pub fn frames_in(seen: &[Seen]) -> usize {
    seen.iter().map(|s| s.frames.len()).sum()
}

/// A UDP frame of `len` bytes whose number and flow are told by its content.
pub fn udp(number: u32, flow: u16, len: usize) -> Vec<u8> {
    let mut frame: Vec<u8> = (0..len).map(|at| (at as u32 * 31 + number * 7) as u8).collect();
    frame[..12].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
    frame[12..14].copy_from_slice(&[8, 0]);
    let [high, low] = ((len - 14) as u16).to_be_bytes();
    frame[14..34].copy_from_slice(&[0x45, 0, high, low, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    // A bridge may pass frames through the firewall, which drops those whose header is wrong.
    let words = frame[14..34].chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum::<u32>();
    let [high, low] = (!((words & 0xffff) + (words >> 16)) as u16).to_be_bytes();
    frame[24..26].copy_from_slice(&[high, low]);
    frame[34..36].copy_from_slice(&flow.to_be_bytes());
    frame[36..38].copy_from_slice(&4791_u16.to_be_bytes());
    let [high, low] = ((len - 34) as u16).to_be_bytes();
    frame[38..42].copy_from_slice(&[high, low, 0, 0]);
    frame[42..46].copy_from_slice(&number.to_be_bytes());
    frame
}
