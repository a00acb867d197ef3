//! One worker of a team.

use std::sync::Arc;

use capture::Frame;

use super::batch::Batch;
use crate::packet::Transport;
use crate::tick::Tick;
use crate::topology::Plan;
use crate::worker::burst::Moment;
use crate::worker::flows::Births;
use crate::worker::links::{Links, Made};
use crate::worker::notes::{Hold, Note};
use crate::worker::{Worker, WorkerConfig};

/// Frames worked on at a time.
const AT_ONCE: usize = 256;

/// What a worker of several hands over beside a tick.
#[derive(Debug, Default)]
pub(in crate::worker) struct Apart {
    /// The frames that began the tick's flows, and its queue pairs.
    pub flows: Vec<u64>,
    pub qps: Vec<u64>,
    /// Interfaces of its taps.
    pub taps: Vec<u16>,
}

/// A worker of a team: it takes its share of each batch.
#[derive(Debug)]
pub struct Member {
    number: usize,
    pub(super) worker: Worker,
    /// Ticks that ended.
    pub(super) parts: Vec<(Tick, Apart)>,
    /// What it noted of links: before its newest tick ended, and since.
    pub(super) noted: [Noted; 2],
}

/// What a member noted of links.
#[derive(Debug, Default)]
pub(super) struct Noted {
    pub links: Vec<Made>,
    pub notes: Vec<Note>,
}

impl Member {
    pub(super) fn new(number: usize, config: WorkerConfig, plan: Arc<Plan>) -> Self {
        let mut worker = Worker::new(config, plan.clone());
        worker.links = Links::among_several(plan);
        worker.flows.births = Some(Births::default());
        worker.taps.in_part = true;
        worker.dpi.memory.only_hear();
        worker.apart = Some(Vec::new());
        Self { number, worker, parts: Vec::new(), noted: Default::default() }
    }

    /// Its place in the team.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Works on its share.
    pub fn take(&mut self, batch: &Batch) {
        if let Some(at_ns) = batch.begins_ns {
            self.turn(at_ns);
        }
        let (mut frames, mut moments) = (Vec::with_capacity(AT_ONCE), Vec::with_capacity(AT_ONCE));
        for hand in batch.hand(self.number).chunks(AT_ONCE) {
            frames.clear();
            moments.clear();
            frames.extend(hand.iter().map(|held| batch.frame(held)));
            moments.extend(hand.iter().map(|held| {
                let frame = batch.before + u64::from(held.place);
                Moment { frame, whole: held.whole.into(), stretch: held.stretch }
            }));
            self.worker.burst(&frames, &moments, &mut |_| ());
        }
        self.note();
    }

    /// Lays ready what it noted since the last time.
    pub(super) fn note(&mut self) {
        let [_, since] = &mut self.noted;
        (since.links, since.notes) = self.worker.links.take_noted(std::mem::take(&mut since.notes));
    }

    /// Packet time comes to the next tick.
    fn turn(&mut self, at_ns: u64) {
        self.ends(|worker, ready| worker.pass_time(at_ns, ready));
    }

    /// Lets a tick end, if one does.
    fn ends(&mut self, end: impl FnOnce(&mut Worker, &mut dyn FnMut(Tick))) {
        let Self { worker, parts, noted: [before, _], .. } = self;
        let mut ticks = Vec::new();
        end(worker, &mut |tick| ticks.push(tick));
        (before.links, before.notes) = worker.links.take_noted(std::mem::take(&mut before.notes));
        let apart = worker.apart.as_mut().map(std::mem::take).unwrap_or_default();
        parts.extend(ticks.into_iter().zip(apart));
    }

    /// A frame between neighbours: the first worker takes it; a pause concerns the meters of all.
    pub(super) fn alone(&mut self, frame: &Frame<'_>, moment: Moment) {
        if self.number == 0 {
            self.worker.burst(&[*frame], &[moment], &mut |_| ());
        } else {
            self.worker.is_paused(frame, &moment);
        }
        self.note();
    }

    /// Some MAC address is that of several hosts.
    pub(super) fn is_shared(&mut self) {
        let Worker { links, flows, .. } = &mut self.worker;
        if !links.shared() {
            links.is_shared(flows.talks.spoke());
        }
    }

    pub(super) fn finish(&mut self) {
        self.ends(Worker::finish);
    }
}

impl Worker {
    /// A pause frame that another worker counts.
    fn is_paused(&mut self, frame: &Frame<'_>, moment: &Moment) {
        self.links.turn(moment.frame, moment.stretch, frame.at_ns);
        let Some(port) = self.ports.get(usize::from(frame.interface.0)) else { return };
        let format = crate::wire::TapFormat { rspan: port.nature.rspan };
        let Ok(packet) = self.decoder.decode(port.link_type, format, frame.bytes, frame.wire_len) else { return };
        let Transport::Pause(pause) = &packet.transport else { return };
        let Some(link) = self.links.paused_by(&packet, &port.source) else { return };
        let speed_bps = self.links.speed_bps(link);
        self.links.held(link, &Hold::of(frame.at_ns, &pause.quanta, speed_bps));
    }
}
