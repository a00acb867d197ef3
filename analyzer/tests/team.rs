//! Several workers share the frames: every tick must be what one worker makes of them, on every capture there is, with a topology and
//! without, as it is and with time running backwards.

// Tests may stop on what they did not expect, and say what they skip.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use analyzer::tick::Tick;
use analyzer::topology::{Plan, Topology};
use analyzer::worker::{Batch, Dealt, Member, NatureWatch, TapNature, Team, Worker, WorkerConfig};
use capture::{FileOptions, Frame, Interface, InterfaceId, Sink, Step};
use support::shared;

/// A source's frames, kept.
#[derive(Default)]
struct Kept {
    interfaces: Vec<Interface>,
    frames: Vec<(Vec<u8>, Frame<'static>)>,
    dropped: Vec<(usize, InterfaceId, u64, u64)>,
}

impl Sink for Kept {
    fn interface(&mut self, interface: &Interface) {
        self.interfaces.push(interface.clone());
    }

    fn frames(&mut self, batch: &[Frame<'_>]) {
        self.frames.extend(batch.iter().map(|f| (f.bytes.to_vec(), Frame { bytes: &[], ..*f })));
    }

    fn dropped(&mut self, interface: InterfaceId, at_ns: u64, count: u64) {
        self.dropped.push((self.frames.len(), interface, at_ns, count));
    }
}

impl Kept {
    fn of(paths: &[PathBuf]) -> Self {
        let (mut kept, mut source) = (Self::default(), capture::open(paths, &FileOptions::default()).unwrap());
        while source.step(&mut kept) != Step::End {}
        kept
    }

    fn lent(&self) -> Vec<Frame<'_>> {
        self.frames.iter().map(|(bytes, frame)| Frame { bytes, ..*frame }).collect()
    }

    fn natures(&self) -> NatureWatch {
        let mut watch = NatureWatch::default();
        self.interfaces.iter().for_each(|i| watch.add_interface(i));
        watch.observe(&self.lent());
        watch
    }
}

/// Members that take their turns.
struct Turns<'a> {
    team: Team,
    members: Vec<Member>,
    ready: &'a mut dyn FnMut(Tick),
}

impl Turns<'_> {
    fn send(&mut self) {
        let batch = self.team.send(Batch::default());
        self.members.iter_mut().for_each(|member| member.take(&batch));
        self.team.collect(&mut self.members, self.ready);
    }

    fn frame(&mut self, frame: &Frame<'_>) {
        loop {
            match self.team.take(std::slice::from_ref(frame)).1 {
                Dealt::Taken => return,
                Dealt::SendFirst => self.send(),
                Dealt::Alone => {
                    self.send();
                    return self.team.alone(&mut self.members, frame);
                }
            }
        }
    }
}

fn nature(plan: &Plan, watch: &NatureWatch, source: &str) -> TapNature {
    match plan.tap_format(source) {
        Some((rspan, _)) => TapNature { rspan, ..TapNature::default() },
        None => watch.nature(source),
    }
}

fn by_one(kept: &Kept, plan: &Arc<Plan>, config: &WorkerConfig) -> Vec<Tick> {
    let (mut worker, mut ticks, watch) = (Worker::new(config.clone(), plan.clone()), Vec::new(), kept.natures());
    kept.interfaces.iter().for_each(|i| worker.add_interface(i, nature(plan, &watch, &i.source)));
    let (lent, mut at) = (kept.lent(), 0);
    for &(place, interface, at_ns, count) in &kept.dropped {
        worker.observe(&lent[at..place], &mut |tick| ticks.push(tick));
        worker.dropped(interface, at_ns, count);
        at = place;
    }
    worker.observe(&lent[at..], &mut |tick| ticks.push(tick));
    worker.finish(&mut |tick| ticks.push(tick));
    ticks
}

fn by_several(kept: &Kept, plan: &Arc<Plan>, config: &WorkerConfig, workers: usize) -> Vec<Tick> {
    let mut ticks = Vec::new();
    let ready: &mut dyn FnMut(Tick) = &mut |tick| ticks.push(tick);
    let (team, members) = Team::new(&WorkerConfig { workers, ..config.clone() }, plan);
    let (mut turns, watch) = (Turns { team, members, ready }, kept.natures());
    for i in &kept.interfaces {
        turns.team.add_interface(&mut turns.members, i, nature(plan, &watch, &i.source));
    }
    let mut dropped = kept.dropped.iter().peekable();
    for (place, frame) in kept.lent().iter().enumerate() {
        while let Some(&(_, interface, at_ns, count)) = dropped.next_if(|d| d.0 == place) {
            turns.team.dropped(interface, at_ns, count);
        }
        turns.frame(frame);
        // Batches of odd sizes.
        if place % 997 == 0 && turns.team.has_gathered() {
            turns.send();
        }
    }
    for &(_, interface, at_ns, count) in dropped {
        turns.team.dropped(interface, at_ns, count);
    }
    turns.send();
    turns.team.finish(&mut turns.members, turns.ready);
    ticks
}

fn same(name: &str, kept: &Kept, plan: &Arc<Plan>, config: &WorkerConfig) {
    let one = by_one(kept, plan, config);
    for workers in [2, 3] {
        let several = by_several(kept, plan, config, workers);
        let name = format!("{name}, {workers} workers");
        assert_eq!(several.len(), one.len(), "{name}: ticks");
        for (s, o) in several.iter().zip(&one) {
            let at = o.start_ns;
            assert_eq!(s.capture, o.capture, "{name} at {at}: totals");
            assert_eq!(s.taps, o.taps, "{name} at {at}: taps");
            each(&name, at, &s.new_links, &o.new_links);
            each(&name, at, &s.links, &o.links);
            each(&name, at, &s.flows, &o.flows);
            each(&name, at, &s.qps, &o.qps);
            each(&name, at, &s.messages, &o.messages);
            each(&name, at, &s.control, &o.control);
            each(&name, at, &s.moves, &o.moves);
            assert!(s == o, "{name} at {at}");
        }
    }
}

fn each<T: PartialEq + std::fmt::Debug>(name: &str, at: u64, several: &[T], one: &[T]) {
    for (s, o) in several.iter().zip(one) {
        assert!(s == o, "{name} at {at}\nseveral {s:#?}\none {o:#?}");
    }
    assert_eq!(several.len(), one.len(), "{name} at {at}");
}

/// Captures in a folder and those in it: files alone, a folder of them together.
fn captures(folder: &Path) -> Vec<Vec<PathBuf>> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    let is_capture = |p: &PathBuf| [".pcap", ".pcap.zst", ".pcapng"].iter().any(|e| p.to_string_lossy().ends_with(e));
    let mut found: Vec<Vec<PathBuf>> = all.iter().filter(|p| is_capture(p)).map(|p| vec![p.clone()]).collect();
    for inner in all.iter().filter(|p| p.is_dir()) {
        let mut together: Vec<PathBuf> =
            std::fs::read_dir(inner).unwrap().map(|e| e.unwrap().path()).filter(is_capture).collect();
        together.sort();
        found.extend((!together.is_empty()).then_some(together));
    }
    found
}

fn plan_beside(path: &Path) -> Option<Plan> {
    let text = std::fs::read_to_string(path.parent()?.join("topology.json")).ok()?;
    Some(Plan::new(&Topology::parse(&text, "topology.json").unwrap()))
}

fn all_of(folder: &Path) {
    let captures = captures(folder);
    assert!(!captures.is_empty(), "{}", folder.display());
    let config = WorkerConfig { flow_capacity: 4096, ..WorkerConfig::default() };
    for paths in captures {
        let (name, kept) = (paths[0].display().to_string(), Kept::of(&paths));
        same(&name, &kept, &Arc::new(Plan::default()), &config);
        if let Some(plan) = plan_beside(&paths[0]) {
            same(&format!("{name} with its topology"), &kept, &Arc::new(plan), &config);
        }
    }
}

#[test]
fn captures_of_the_repository() {
    all_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/captures"));
}

#[test]
fn captures_of_rdma() {
    shared("softroce").into_iter().for_each(|folder| all_of(&folder));
}

#[test]
fn captures_of_simulated_fabrics() {
    shared("fabric-sim").into_iter().for_each(|folder| all_of(&folder));
}

/// Names from DNS, conversations that others announce.
#[test]
fn captures_of_programs() {
    shared("programs").into_iter().for_each(|folder| all_of(&folder));
}

/// A conversation of hosts that DNS named in another one.
#[test]
fn names_from_dns_cross_workers() {
    let answer = [
        &[0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 7][..],
        b"storage\x07example\0\0\x01\0\x01",
        &[0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 0, 0, 4, 10, 0, 0, 9],
    ]
    .concat();
    let mut kept = Kept::default();
    kept.interfaces.push(support::interface(InterfaceId(0), "tap", capture::LinkType::Ethernet));
    let resolvers = (0..8u8).map(|n| (udp([10, 0, 1, n], [10, 0, 2, n], 53, 5_000), &answer[..]));
    let frames = resolvers.map(|(head, payload)| [&head(payload.len())[..], payload].concat());
    let later = (0..40u16).map(|n| udp([10, 0, 2, (n % 8) as u8], [10, 0, 0, 9], 40_000 + n, 9_999)(40));
    for (n, mut bytes) in (0u64..).zip(frames.chain(later.map(|head| [&head[..], &[0xa5; 40]].concat()))) {
        bytes.resize(bytes.len().max(60), 0);
        let (at_ns, wire_len) = (1_000_000_000 + n * 1_000, bytes.len() as u32);
        let repeats = if n < 8 { 1 } else { 40 };
        for repeat in 0..repeats {
            let at_ns = at_ns + repeat * 1_000_000;
            let direction = capture::Direction::Unknown;
            kept.frames
                .push((bytes.clone(), Frame { bytes: &[], at_ns, wire_len, interface: InterfaceId(0), direction }));
        }
    }
    kept.frames.sort_by_key(|(_, frame)| frame.at_ns);
    let plan = Arc::new(Plan::default());
    let one = by_one(&kept, &plan, &WorkerConfig::default());
    let named = one.iter().flat_map(|t| &t.flows).filter(|f| f.host_name.as_deref() == Some("storage.example")).count();
    assert!(named >= 40, "{named}");
    same("names", &kept, &plan, &WorkerConfig::default());
}

/// Headers of a datagram of so many bytes.
fn udp(src: [u8; 4], dst: [u8; 4], sport: u16, dport: u16) -> impl Fn(usize) -> Vec<u8> {
    move |len| {
        let mut head = vec![2, 0, 0, 0, 0, dst[3], 2, 0, 0, 0, 0, src[3], 8, 0, 0x45, 0];
        head.extend_from_slice(&(28 + len as u16).to_be_bytes());
        head.extend_from_slice(&[0, 0, 0, 0, 64, 17, 0, 0]);
        head.extend_from_slice(&[src, dst].concat());
        for word in [sport, dport, 8 + len as u16, 0] {
            head.extend_from_slice(&word.to_be_bytes());
        }
        head
    }
}
