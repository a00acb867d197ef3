//! What capturing costs: `cargo bench --bench live -- [--seconds N] [--size BYTES]`, as root.
//!
//! Frames are made by the kernel itself (BPF_PROG_TEST_RUN with live frames) and sent into one end of a veth pair in a network
//! namespace of its own; a process at the other end captures them in each mode and does nothing else. For each mode and rate:
//! offered, received, lost (as counted by the capture) and processor time of the receiving process per frame received.

// A bench may stop on what it did not expect, prints, and speaks to the kernel.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, unsafe_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use capture::live::{Choice, LiveOptions, Mode, open};
use capture::{Frame, Interface, InterfaceId, Sink};

const MODES: [(&str, Mode); 3] = [("af_xdp", Mode::XdpCopy), ("tpacket_v3", Mode::Packet), ("libpcap", Mode::Pcap)];
/// Frames a second.
const RATES: [u64; 7] = [50_000, 100_000, 200_000, 400_000, 800_000, 1_600_000, 3_200_000];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--receive", mode] => receive(mode),
        ["--send", rate, seconds, size] => {
            send(rate.parse().unwrap(), seconds.parse().unwrap(), size.parse().unwrap());
        }
        _ => compare(option(&words, "--seconds", 2), option(&words, "--size", 64)),
    }
}

fn option(words: &[&str], name: &str, default: u64) -> u64 {
    words.iter().skip_while(|w| **w != name).nth(1).map_or(default, |n| n.parse().unwrap())
}

fn compare(seconds: u64, size: u64) {
    // SAFETY: this process has one thread, which enters the new namespace with all its children.
    let made = unsafe { libc::unshare(libc::CLONE_NEWNET) } == 0;
    assert!(made, "this bench needs root");
    ip("link add tx0 mtu 9216 type veth peer name rx0 mtu 9216");
    for end in ["tx0", "rx0"] {
        // What an interface says of itself would be counted as well.
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{end}/disable_ipv6"), "1");
    }
    for words in ["link set tx0 up", "link set rx0 up"] {
        ip(words);
    }
    // Frames that a program sends into a veth are lost unless its peer polls, which GRO makes it do.
    join_received("rx0");
    std::thread::sleep(Duration::from_millis(300));
    println!("frames of {size} bytes, {seconds} s each");
    println!(
        "{:11} {:>10} {:>10} {:>10} {:>10} {:>12}",
        "mode", "offered/s", "offered", "received", "lost", "CPU ns/frame"
    );
    for (name, _) in MODES {
        let mut best = 0;
        for rate in RATES {
            let row = measure(name, rate, seconds, size);
            println!(
                "{name:11} {:>10} {:>10} {:>10} {:>10} {:>12}",
                row.rate(),
                row.sent,
                row.received,
                row.lost,
                row.cpu_ns / row.received.max(1)
            );
            if row.received == row.sent {
                best = best.max(row.rate());
            }
        }
        println!("{name:11} highest rate without loss: {best} frames/s\n");
    }
}

fn ip(words: &str) {
    assert!(Command::new("ip").args(words.split(' ')).status().unwrap().success());
}

struct Row {
    sent: u64,
    in_ns: u64,
    received: u64,
    lost: u64,
    cpu_ns: u64,
}

impl Row {
    /// Frames offered a second.
    fn rate(&self) -> u64 {
        (self.sent as f64 * 1e9 / self.in_ns as f64) as u64
    }
}

fn measure(mode: &str, rate: u64, seconds: u64, size: u64) -> Row {
    let mut receiver = this(&["--receive", mode]);
    let mut lines = BufReader::new(receiver.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let mut sender = this(&["--send", &rate.to_string(), &seconds.to_string(), &size.to_string()]);
    let mut sent = String::new();
    sender.stdout.take().unwrap().read_to_string(&mut sent).unwrap();
    assert!(sender.wait().unwrap().success());
    // Closing its input ends it.
    drop(receiver.stdin.take());
    let told = lines.next().unwrap().unwrap();
    receiver.wait().unwrap();
    let numbers = |text: &str| -> Vec<u64> { text.trim().split(' ').map(|n| n.parse().unwrap()).collect() };
    let (sent, told) = (numbers(&sent), numbers(&told));
    Row { sent: sent[0], in_ns: sent[1], received: told[0], lost: told[1], cpu_ns: told[2] }
}

/// This bench again, in another role.
fn this(arguments: &[&str]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

#[derive(Default)]
struct Count {
    frames: u64,
    /// Headers are looked at, as an analysis would.
    touched: u64,
    lost: u64,
}

impl Sink for Count {
    fn interface(&mut self, _: &Interface) {}
    fn frames(&mut self, batch: &[Frame<'_>]) {
        self.frames += batch.len() as u64;
        self.touched += batch.iter().filter_map(|f| f.bytes.get(12)).map(|b| u64::from(*b)).sum::<u64>();
    }
    fn dropped(&mut self, _: InterfaceId, _: u64, count: u64) {
        self.lost += count;
    }
}

/// Captures until standard input ends; then prints frames received, frames lost, processor time in ns.
fn receive(mode: &str) {
    let (_, mode) = MODES.into_iter().find(|(name, _)| *name == mode).expect("a mode of that name");
    let options = LiveOptions { choice: Choice::Only(mode), ..LiveOptions::default() };
    let mut source = open(&["rx0".to_owned()], &options).unwrap_or_else(|why| panic!("{why}")).remove(0);
    let (mut count, over) = (Count::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ = std::io::stdin().read(&mut [0]);
            over.store(true, Ordering::Relaxed);
        });
        println!("ready");
        let begun_ns = processor_ns();
        while !over.load(Ordering::Relaxed) {
            source.step(&mut count);
        }
        source.close(&mut count);
        assert!(count.touched > 0 || count.frames == 0);
        println!("{} {} {}", count.frames, count.lost, processor_ns() - begun_ns);
    });
    std::io::stdout().flush().unwrap();
}

fn processor_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec to the place given, which is one.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "the processor time of a process can be asked for");
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

// linux/bpf.h
const PROG_LOAD: i32 = 5;
const PROG_TEST_RUN: i32 = 10;
const PROG_TYPE_XDP: u32 = 6;
const LIVE_FRAMES: u32 = 2;
/// Frames made at once.
const BURST: u32 = 64;

/// `struct bpf_insn`: opcode, both registers, offset, immediate.
fn instruction(code: u8, registers: u8, immediate: u32) -> u64 {
    u64::from(code) | u64::from(registers) << 8 | u64::from(immediate) << 32
}

fn bpf<T>(command: i32, attributes: &T) -> i64 {
    // SAFETY: the kernel reads as many bytes of the attributes as they have; pointers in them outlive the call.
    unsafe { libc::syscall(libc::SYS_bpf, command, &raw const *attributes, size_of::<T>()) }
}

#[repr(C)]
#[derive(Default)]
struct Load {
    kind: u32,
    count: u32,
    code: u64,
    license: u64,
    rest: [u64; 13],
}

#[repr(C)]
#[derive(Default)]
struct TestRun {
    program: u32,
    result: u32,
    size_in: u32,
    size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    context: [u64; 3],
    flags: u32,
    cpu: u32,
    batch: u32,
    rest: u32,
}

/// Helper functions (linux/bpf.h).
const KTIME_GET_NS: u32 = 5;
const REDIRECT: u32 = 23;
/// What the kernel needs to make and send a frame, about.
const FRAME_NS: f64 = 150.0;

/// A program that reads the clock so many times, then sends the frame to an interface (or drops it: 0).
fn load(interface: u32, waits: usize) -> u32 {
    let mut code = vec![instruction(0x85, 0, KTIME_GET_NS); waits];
    // r1 = interface, r2 = no flags, call; or r0 = XDP_DROP. Exit.
    match interface {
        0 => code.push(instruction(0xb7, 0, 1)),
        _ => code.extend([instruction(0xb7, 1, interface), instruction(0xb7, 2, 0), instruction(0x85, 0, REDIRECT)]),
    }
    code.push(instruction(0x95, 0, 0));
    let license = c"Dual MIT/GPL";
    let load = Load {
        kind: PROG_TYPE_XDP,
        count: code.len() as u32,
        code: code.as_ptr() as u64,
        license: license.as_ptr() as u64,
        ..Load::default()
    };
    let program = bpf(PROG_LOAD, &load);
    assert!(program >= 0, "{}", std::io::Error::last_os_error());
    program as u32
}

/// Has a program run over frames; the time that took.
fn run(program: u32, frame: &[u8], repeat: u64) -> Duration {
    let run = TestRun {
        program,
        size_in: frame.len() as u32,
        data_in: frame.as_ptr() as u64,
        repeat: repeat as u32,
        flags: LIVE_FRAMES,
        batch: BURST,
        ..TestRun::default()
    };
    let begun = Instant::now();
    assert!(bpf(PROG_TEST_RUN, &run) >= 0, "{}", std::io::Error::last_os_error());
    begun.elapsed()
}

/// Sends about so many frames a second for so many seconds, evenly; prints how many and in how many ns.
fn send(rate: u64, seconds: u64, size: usize) {
    let name = std::ffi::CString::new("tx0").unwrap();
    // SAFETY: the name ends in a zero byte and outlives the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    let frame = frame(size);
    let look_ns = run(load(0, 1_000), &frame, 2_000).as_nanos() as f64 / 2_000.0 / 1_000.0;
    let waits = ((1e9 / rate as f64 - FRAME_NS) / look_ns).max(0.0) as usize;
    let frames = rate * seconds;
    println!("{frames} {}", run(load(index, waits), &frame, frames).as_nanos());
}

/// A RoCEv2 frame.
fn frame(size: usize) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    let [high, low] = ((size - 14) as u16).to_be_bytes();
    frame.extend([0x45, 0, high, low, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    let [high, low] = ((size - 34) as u16).to_be_bytes();
    frame.extend([0xc0, 0, 0x12, 0xb7, high, low, 0, 0, 0x0a, 0, 0xff, 0xff, 0, 0, 0, 0x11, 0, 0, 0, 1]);
    frame.resize(size, 0);
    frame
}

/// ETHTOOL_SGRO (linux/ethtool.h).
fn join_received(interface: &str) {
    const SIOCETHTOOL: libc::c_ulong = 0x8946;
    let mut value: [u32; 2] = [0x2c, 1];
    // SAFETY: the kernel reads and writes the eight bytes of `value`, which outlive the call; the socket is closed here.
    unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name.iter_mut().zip(interface.bytes()).for_each(|(to, from)| *to = from as libc::c_char);
        request.ifr_ifru.ifru_data = value.as_mut_ptr().cast();
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0);
        assert_eq!(libc::ioctl(socket, SIOCETHTOOL, &raw mut request), 0, "{}", std::io::Error::last_os_error());
        libc::close(socket);
    }
}
