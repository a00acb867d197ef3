//! Several workers over the same frames, with the results of one.
//!
//! Frames are dealt out by the pair of their innermost addresses, so that both directions of a conversation meet ([`share`]). What needs
//! the frames of all (peaks, silences and slots of links, the order in which links and flows were first seen) each worker notes
//! beside its tick, and [`merge`] reads the notes in the order of the frames. What needs them in time (who sent from a MAC address last,
//! where a neighbour's frame asks) waits until all workers have done what came before.
//!
//! No thread is here: a [`Member`] is given a [`Batch`] wherever it likes, all members the same ones in the same order.

mod batch;
mod deal;
mod member;
mod merge;
mod share;

use std::sync::Arc;

use capture::{Frame, Interface, InterfaceId};

pub use batch::Batch;
pub(super) use member::Apart;
pub use member::Member;

use super::ahead::ask_bytes;
use super::{TapNature, WorkerConfig};
use crate::dpi::memory::{Heard, Memory};
use crate::tick::{Look, TapTick, Tick};
use crate::topology::Plan;
use deal::Dealer;
use merge::Merger;
use share::Whose;

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dealt {
    /// It is in the batch that is being gathered.
    Taken,
    /// Not taken: the batch that is being gathered goes first.
    SendFirst,
    /// Not taken: all members must have come back from what was gathered, then [`Team::alone`] takes it.
    Alone,
}

/// Deals frames out to several workers, and makes one tick of theirs.
#[derive(Debug)]
pub struct Team {
    dealer: Dealer,
    merger: Merger,
    gathered: Batch,
    /// What the frames that come next may lie in.
    lie_in: Vec<Arc<Vec<u8>>>,
    /// Taps of the ticks that ended, by the dealer's account, the earliest first.
    taps: Vec<Vec<(u16, TapTick)>>,
    workers: usize,
    /// Names of addresses, for all.
    names: Memory,
}

impl Team {
    /// A team and its members.
    pub fn new(config: &WorkerConfig, plan: &Arc<Plan>) -> (Self, Vec<Member>) {
        let workers = config.workers.clamp(1, MOST);
        let members = (0..workers).map(|n| Member::new(n, config.clone(), plan.clone())).collect();
        let team = Self {
            dealer: Dealer::new(config, workers),
            merger: Merger::new(workers),
            gathered: Batch::default().renew(workers),
            lie_in: Vec::new(),
            taps: Vec::new(),
            workers,
            names: Memory::default(),
        };
        (team, members)
    }

    /// Makes an interface known to all, before its first frame.
    pub fn add_interface(&mut self, members: &mut [Member], interface: &Interface, nature: TapNature) {
        self.dealer.add_interface(interface, nature);
        members.iter_mut().for_each(|member| member.worker.add_interface(interface, nature));
    }

    /// The frames that come next, up to [`Team::taken`], may lie in these bytes, which may be kept.
    pub fn lie_in(&mut self, bytes: &Arc<Vec<u8>>) {
        if !self.lie_in.iter().any(|known| Arc::ptr_eq(known, bytes)) {
            self.lie_in.push(bytes.clone());
        }
    }

    /// What was lent has been taken.
    pub fn taken(&mut self) {
        self.lie_in.clear();
    }

    /// Takes frames, as many as it says, and says what must be done before the next.
    pub fn take(&mut self, frames: &[Frame<'_>]) -> (usize, Dealt) {
        if self.gathered.is_full() {
            return (0, Dealt::SendFirst);
        }
        let room = frames.get(..self.gathered.room()).unwrap_or(frames);
        for (n, frame) in room.iter().enumerate() {
            if let Some(later) = frames.get(n + AHEAD) {
                ask_bytes(later.bytes);
            }
            match self.take_one(frame) {
                Dealt::Taken => {}
                dealt => return (n, dealt),
            }
        }
        (room.len(), if room.len() < frames.len() { Dealt::SendFirst } else { Dealt::Taken })
    }

    #[inline(always)]
    fn take_one(&mut self, frame: &Frame<'_>) -> Dealt {
        if self.dealer.turns(frame.at_ns) {
            if !self.gathered.is_empty() {
                return Dealt::SendFirst;
            }
            self.turn(frame.at_ns);
        }
        match self.dealer.whose(frame) {
            Whose::Alone => Dealt::Alone,
            whose => {
                self.gather(frame, whose);
                Dealt::Taken
            }
        }
    }

    #[inline(always)]
    fn gather(&mut self, frame: &Frame<'_>, whose: Whose) {
        let moment = self.dealer.passes(frame);
        let worker = self.dealer.worker_of(whose);
        self.gathered.push(frame, worker, moment, &self.lie_in);
    }

    fn turn(&mut self, at_ns: u64) {
        if let Some(taps) = self.dealer.turn(at_ns) {
            self.taps.push(taps);
        }
        self.gathered.begins_ns = Some(at_ns);
    }

    /// What was gathered, to be given to every member; `used` is a batch that all are done with.
    pub fn send(&mut self, used: Batch) -> Batch {
        std::mem::replace(&mut self.gathered, used.renew(self.workers))
    }

    /// Something was gathered.
    pub fn has_gathered(&self) -> bool {
        !self.gathered.is_empty()
    }

    /// Takes a frame that is [`Dealt::Alone`], which the members have no part of but the first.
    pub fn alone(&mut self, members: &mut [Member], frame: &Frame<'_>) {
        let Some(mac) = self.dealer.speaker_of(frame) else { return };
        let known =
            |members: &[Member]| -> Vec<_> { members.iter().filter_map(|m| m.worker.links.speaker(mac)).collect() };
        let hosts = known(members);
        let differ = hosts.iter().zip(hosts.iter().skip(1)).any(|(a, b)| a.1 != b.1);
        if differ || members.iter().any(|m| m.worker.links.shared()) {
            members.iter_mut().for_each(|m| m.is_shared());
        }
        if let Some(latest) = known(members).into_iter().max() {
            members.iter_mut().for_each(|m| m.worker.links.heard(mac, latest));
        }
        self.dealer.new_stretch();
        let moment = self.dealer.passes(frame);
        members.iter_mut().for_each(|member| member.alone(frame, moment));
        self.dealer.new_stretch();
        self.merger.read(members, 1);
    }

    /// Time has come to `now_ns` without a frame: what was gathered goes, if a tick ended.
    pub fn advance(&mut self, now_ns: u64) -> Dealt {
        if !self.dealer.has_begun() || !self.dealer.turns(now_ns) {
            return Dealt::Taken;
        }
        if !self.gathered.is_empty() {
            return Dealt::SendFirst;
        }
        self.turn(now_ns);
        Dealt::SendFirst
    }

    /// The capture itself lost frames.
    pub fn dropped(&mut self, interface: InterfaceId, at_ns: u64, count: u64) {
        self.dealer.dropped(interface, at_ns, count);
    }

    /// The ticks that ended, when all members are back.
    pub fn collect(&mut self, members: &mut [Member], ready: &mut dyn FnMut(Tick)) {
        self.merger.read(members, 0);
        let parts: Vec<_> = members.iter_mut().filter_map(|member| member.parts.pop()).collect();
        if !parts.is_empty() {
            let taps = if self.taps.is_empty() { Vec::new() } else { self.taps.remove(0) };
            ready(self.merger.merge(parts, taps));
        }
        self.merger.read(members, 1);
        self.name(members);
    }

    /// Names that DNS gave, told in the order of the frames: what one worker learnt, another may have asked.
    fn name(&mut self, members: &mut [Member]) {
        let mut all: Vec<(u64, usize, Heard)> = Vec::new();
        for (n, member) in members.iter_mut().enumerate() {
            all.extend(member.worker.dpi.memory.take_heard().into_iter().map(|(frame, heard)| (frame, n, heard)));
        }
        if self.names.is_nameless() && !all.iter().any(|(.., heard)| matches!(heard, Heard::Learnt(..))) {
            return;
        }
        all.sort_by_key(|(frame, ..)| *frame);
        for (_, n, heard) in all {
            let name = self.names.hears(&heard);
            if let (Some(name), Heard::Asked(key), Some(member)) = (name, &heard, members.get_mut(n)) {
                member.worker.name_host(key, &name);
            }
        }
    }

    /// Hands over the last tick, when nothing is gathered and all members are back.
    pub fn finish(&mut self, members: &mut [Member], ready: &mut dyn FnMut(Tick)) {
        self.taps.push(self.dealer.taps());
        members.iter_mut().for_each(|member| member.finish());
        self.collect(members, ready);
    }

    /// When each link last carried a packet, for [`crate::fabric::Fabric::look`].
    pub fn look(&self, members: &[Member]) -> Look {
        self.merger.look(members.iter().map(|m| m.worker.look()))
    }

    /// Links so far.
    pub fn links(&self) -> usize {
        self.merger.links()
    }
}

/// The bytes of a frame are asked for so many frames before it is looked at.
const AHEAD: usize = 6;
/// Workers of a team at most.
const MOST: usize = 64;
