//! Deals frames out, and keeps what depends on the order of all of them: ticks, and the sequence numbers of mirrors.

use capture::{Frame, Interface, InterfaceId, LinkType};

use super::share::{Whose, look, pair};
use crate::packet::{Packet, Transport};
use crate::tick::{FlowKey, TapTick};
use crate::wire::{Decoder, TapFormat};
use crate::worker::burst::{Moment, is_whole};
use crate::worker::taps::{NO_FEED, Taps};
use crate::worker::{Port, TapNature, WorkerConfig};

/// Shares: a pair of addresses belongs to one, a share to one worker.
const SHARES: usize = 4_096;
/// A share that no frame has fallen into yet.
const NOBODYS: u8 = u8::MAX;
/// Time that goes back within a bin of this length changes no meter.
const BIN_NS: u64 = 100_000;

#[derive(Debug)]
pub(super) struct Dealer {
    decoder: Decoder,
    ports: Vec<Port>,
    taps: Taps,
    /// The worker of each share: given to whoever has fewest when its first frame comes.
    shares: Vec<u8>,
    had: Vec<usize>,
    tick_ns: u64,
    /// End of the present tick; 0 before the first.
    tick_end_ns: u64,
    /// The interface of the last frame, and whether it is an Ethernet.
    interface: Option<(InterfaceId, bool)>,
    frames: u64,
    whole_in_tick: u64,
    stretch: u32,
    bin_ns: u64,
}

impl Dealer {
    pub fn new(config: &WorkerConfig, workers: usize) -> Self {
        Self {
            decoder: Decoder { rdma_ports: config.rdma_ports.clone() },
            ports: Vec::new(),
            taps: Taps::default(),
            shares: vec![NOBODYS; SHARES],
            had: vec![0; workers],
            tick_ns: config.tick_ns.max(1),
            tick_end_ns: 0,
            interface: None,
            frames: 0,
            whole_in_tick: 0,
            stretch: 0,
            bin_ns: 0,
        }
    }

    pub fn add_interface(&mut self, interface: &Interface, nature: TapNature) {
        self.interface = None;
        let index = usize::from(interface.id.0);
        let port = Port::of(interface, nature);
        if self.ports.len() <= index {
            self.ports.resize(index + 1, port.clone());
        }
        if let Some(place) = self.ports.get_mut(index) {
            *place = port;
        }
    }

    /// Whether a frame of this time begins another tick: as [`Worker::pass_time`](crate::worker::Worker) has it.
    #[inline(always)]
    pub fn turns(&self, at_ns: u64) -> bool {
        at_ns >= self.tick_end_ns
    }

    pub fn has_begun(&self) -> bool {
        self.tick_end_ns > 0
    }

    /// Another tick begins; gives the taps of the one that ended, if one did.
    pub fn turn(&mut self, at_ns: u64) -> Option<Vec<(u16, TapTick)>> {
        self.whole_in_tick = 0;
        let before =
            std::mem::replace(&mut self.tick_end_ns, (at_ns - at_ns % self.tick_ns).saturating_add(self.tick_ns));
        (before > 0).then(|| self.taps())
    }

    /// Losses since the last call.
    pub fn taps(&mut self) -> Vec<(u16, TapTick)> {
        let ports = &self.ports;
        let name = |i: u16| ports.get(usize::from(i)).map_or_else(String::new, |p| p.source.to_string());
        let mut taps = self.taps.take(name);
        taps.iter_mut().for_each(|(_, tap)| tap.frames = 0);
        taps
    }

    pub fn dropped(&mut self, interface: InterfaceId, at_ns: u64, count: u64) {
        self.taps.dropped(interface.0, at_ns, count);
    }

    /// A frame passes; says where it stands.
    #[inline(always)]
    pub fn passes(&mut self, frame: &Frame<'_>) -> Moment {
        if frame.at_ns.wrapping_sub(self.bin_ns) >= BIN_NS {
            self.another_bin(frame.at_ns);
        }
        let moment = Moment { frame: self.frames, whole: self.whole_in_tick, stretch: self.stretch };
        self.frames += 1;
        self.whole_in_tick += u64::from(is_whole(frame));
        moment
    }

    #[inline(never)]
    fn another_bin(&mut self, at_ns: u64) {
        if at_ns < self.bin_ns {
            self.new_stretch();
        }
        self.bin_ns = at_ns - at_ns % BIN_NS;
    }

    pub fn new_stretch(&mut self) {
        self.stretch = self.stretch.wrapping_add(1);
    }

    #[inline(always)]
    pub fn whose(&mut self, frame: &Frame<'_>) -> Whose {
        let ethernet = match self.interface {
            Some((interface, ethernet)) if interface == frame.interface => ethernet,
            _ => self.another_interface(frame.interface),
        };
        if ethernet && let Some(ends) = look(frame.bytes, frame.wire_len) {
            if let Some((mirror, sequence)) = ends.envelope {
                let place = self.taps.enveloped(frame.interface.0, mirror);
                self.taps.sequence_of(place, sequence, frame.at_ns);
            }
            return Whose::Pair(ends.pair);
        }
        self.read(frame)
    }

    #[inline(never)]
    fn another_interface(&mut self, interface: InterfaceId) -> bool {
        let port = self.ports.get(usize::from(interface.0));
        let ethernet = port.is_some_and(|port| port.link_type == LinkType::Ethernet);
        self.interface = Some((interface, ethernet));
        ethernet
    }

    /// The decoder's answer.
    #[inline(never)]
    fn read(&mut self, frame: &Frame<'_>) -> Whose {
        let (packet, key) = match self.decode(frame) {
            Some(Ok(read)) => read,
            Some(Err(refusal)) => return Whose::Refused(refusal),
            None => return Whose::Neighbours,
        };
        if let Some(sequence) = packet.mirror.sequence {
            let place = self.taps.look_up(frame.interface.0, &packet.mirror.key);
            if place != NO_FEED {
                self.taps.sequence_of(place, sequence, frame.at_ns);
            }
        }
        match key {
            Some(key) => Whose::Pair(pair(key.src, key.dst)),
            None if matches!(packet.transport, Transport::Arp(_)) => Whose::Neighbours,
            None => Whose::Alone,
        }
    }

    fn decode<'a>(&self, frame: &Frame<'a>) -> Option<Result<(Packet<'a>, Option<FlowKey>), crate::wire::Refusal>> {
        let port = self.ports.get(usize::from(frame.interface.0))?;
        let format = TapFormat { rspan: port.nature.rspan };
        let (bytes, wire_len) = port.without_fcs(frame);
        let read = self.decoder.decode(port.link_type, format, bytes, wire_len);
        Some(read.map(|packet| {
            let key = FlowKey::of_packet(&packet);
            (packet, key)
        }))
    }

    /// The MAC address that a frame came from.
    pub fn speaker_of(&self, frame: &Frame<'_>) -> Option<[u8; 6]> {
        let (packet, _) = self.decode(frame)?.ok()?;
        Some(packet.src_mac.unwrap_or_default())
    }

    /// The worker that takes a frame: what is nobody's goes to the first.
    #[inline(always)]
    pub fn worker_of(&mut self, whose: Whose) -> usize {
        let Whose::Pair(pair) = whose else { return 0 };
        let share = pair as usize % SHARES;
        match self.shares.get(share) {
            Some(&worker) if worker != NOBODYS => worker.into(),
            _ => self.give(share),
        }
    }

    #[cold]
    fn give(&mut self, share: usize) -> usize {
        let worker = (0..self.had.len()).min_by_key(|&n| self.had.get(n).copied()).unwrap_or(0);
        self.had.iter_mut().skip(worker).take(1).for_each(|had| *had += 1);
        self.shares.iter_mut().skip(share).take(1).for_each(|owner| *owner = worker as u8);
        worker
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Write as _, stderr};
    use std::path::{Path, PathBuf};

    use capture::{FileOptions, Sink, Step};

    use super::*;
    use crate::packet::{Addr, MirrorKey, MirrorKind};

    /// Compares the cheap look with the decoder.
    struct Compare {
        dealer: Dealer,
        looked: u64,
        frames: u64,
    }

    impl Sink for Compare {
        fn interface(&mut self, interface: &Interface) {
            self.dealer.add_interface(interface, TapNature::default());
        }

        fn frames(&mut self, batch: &[Frame<'_>]) {
            for frame in batch {
                self.frames += 1;
                let ethernet = self.dealer.another_interface(frame.interface);
                let Some(ends) = look(frame.bytes, frame.wire_len).filter(|_| ethernet) else { continue };
                self.looked += 1;
                match self.dealer.decode(frame) {
                    Some(Ok((packet, key))) => {
                        let key = key.expect("a pair has a key");
                        assert_eq!(ends.pair, pair(key.src, key.dst), "{packet:?}");
                        assert_eq!(ends.envelope.map(|e| e.1), packet.mirror.sequence, "{packet:?}");
                        if let Some(((source, session), _)) = ends.envelope {
                            let kind = MirrorKind::Erspan3;
                            let (source, session) = (Some(Addr::v4(source.to_be_bytes())), Some(session.into()));
                            let mirror = MirrorKey { kind, session, source, ..MirrorKey::default() };
                            assert_eq!(packet.mirror.key, mirror);
                        }
                    }
                    refused => assert!(ends.envelope.is_none(), "{refused:?}"),
                }
            }
        }

        fn dropped(&mut self, _: InterfaceId, _: u64, _: u64) {}
    }

    fn files(folder: &Path, into: &mut Vec<PathBuf>) {
        for path in folder.read_dir().into_iter().flatten().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                files(&path, into);
            } else if [".pcap", ".pcapng", ".cap", ".zst", ".gz"].iter().any(|e| path.to_string_lossy().ends_with(e)) {
                into.push(path);
            }
        }
    }

    fn compare(folder: &Path) -> (u64, u64) {
        let (mut paths, mut seen) = (Vec::new(), (0, 0));
        files(folder, &mut paths);
        for path in paths {
            let Ok(mut source) = capture::open(&[path], &FileOptions::default()) else { continue };
            let dealer = Dealer::new(&WorkerConfig::default(), 2);
            let mut compare = Compare { dealer, looked: 0, frames: 0 };
            while source.step(&mut compare) != Step::End {}
            seen = (seen.0 + compare.looked, seen.1 + compare.frames);
        }
        seen
    }

    #[test]
    fn the_cheap_look_sees_the_decoders_pair() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (looked, frames) = compare(&here.join("../fixtures/captures"));
        assert!(looked * 10 > frames * 6, "{looked} of {frames}");
        let root =
            std::env::var_os("FABRICSCOPE_SHARED").map_or_else(|| here.join("../../shared"), std::path::PathBuf::from);
        for folder in ["softroce", "foreign", "programs"] {
            let captures = root.join("captures").join(folder);
            let (_, frames) = compare(&captures);
            if frames == 0 {
                let all = std::env::var("FABRICSCOPE_REQUIRE_ALL").is_ok_and(|v| v == "1");
                assert!(!all, "{} is missing", captures.display());
                let _ = writeln!(stderr(), "SKIPPED: {} is missing; set FABRICSCOPE_SHARED", captures.display());
            }
        }
    }
}
