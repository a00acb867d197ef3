//! Who works on frames: one worker on the reading thread, or several on threads of their own, to which it deals frames out.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use analyzer::tick::{Look, Tick};
use analyzer::topology::Plan;
use analyzer::worker::{Batch, Dealt, Member, TapNature, Team, Worker, WorkerConfig};
use capture::live::rights;
use capture::{Frame, Interface, InterfaceId};

use crate::output::warn;

/// What a worker is to do.
type Work = (Member, Arc<Batch>);

/// Whoever works.
pub enum Crew {
    /// On the thread that reads.
    One(Box<Worker>),
    /// On threads of their own.
    Several(Box<Several>),
}

impl Crew {
    /// As many as the configuration says; where threads can't be had, one.
    pub fn new(config: WorkerConfig, plan: Arc<Plan>) -> Self {
        if config.workers > 1 {
            match Several::new(&config, &plan) {
                Ok(several) => return Self::Several(Box::new(several)),
                Err(why) => warn(format!("cannot start {} workers, one works: {why}", config.workers)),
            }
        }
        Self::One(Box::new(Worker::new(config, plan)))
    }

    /// Makes an interface known, before its first frame.
    pub fn add_interface(&mut self, interface: &Interface, nature: TapNature, ready: &mut dyn FnMut(Tick)) {
        match self {
            Self::One(worker) => worker.add_interface(interface, nature),
            Self::Several(several) => {
                several.await_all(ready);
                several.team.add_interface(&mut several.home, interface, nature);
            }
        }
    }

    /// The frames that are observed next lie in these bytes, which may be kept.
    pub fn lie_in(&mut self, bytes: &Arc<Vec<u8>>) {
        if let Self::Several(several) = self {
            several.team.lie_in(bytes);
        }
    }

    /// Observes frames; `ready` gets each tick whose time has passed.
    pub fn observe(&mut self, frames: &[Frame<'_>], ready: &mut dyn FnMut(Tick)) {
        match self {
            Self::One(worker) => worker.observe(frames, ready),
            Self::Several(several) => several.take(frames, ready),
        }
    }

    /// What was lent has been observed.
    pub fn taken(&mut self) {
        if let Self::Several(several) = self {
            several.team.taken();
        }
    }

    /// No more frames just now: those gathered are worked on.
    pub fn go_on(&mut self, ready: &mut dyn FnMut(Tick)) {
        if let Self::Several(several) = self
            && several.team.has_gathered()
        {
            several.send(ready);
        }
    }

    /// Time has come to `now_ns` without a frame.
    pub fn advance(&mut self, now_ns: u64, ready: &mut dyn FnMut(Tick)) {
        match self {
            Self::One(worker) => worker.advance(now_ns, ready),
            Self::Several(several) => {
                while several.team.advance(now_ns) == Dealt::SendFirst {
                    several.send(ready);
                }
                several.await_all(ready);
            }
        }
    }

    /// When each link last carried a packet.
    pub fn look(&mut self, ready: &mut dyn FnMut(Tick)) -> Look {
        match self {
            Self::One(worker) => worker.look(),
            Self::Several(several) => {
                several.await_all(ready);
                several.team.look(&several.home)
            }
        }
    }

    /// Links so far.
    pub fn links(&self) -> usize {
        match self {
            Self::One(worker) => worker.links(),
            Self::Several(several) => several.team.links(),
        }
    }

    /// The capture itself lost frames.
    pub fn dropped(&mut self, interface: InterfaceId, at_ns: u64, count: u64) {
        match self {
            Self::One(worker) => worker.dropped(interface, at_ns, count),
            Self::Several(several) => several.team.dropped(interface, at_ns, count),
        }
    }

    /// Hands over the last tick.
    pub fn finish(&mut self, ready: &mut dyn FnMut(Tick)) {
        match self {
            Self::One(worker) => worker.finish(ready),
            Self::Several(several) => {
                several.send(ready);
                several.await_all(ready);
                several.team.finish(&mut several.home, ready);
            }
        }
    }
}

/// Several workers, each on its thread: they go there with a batch and come back when they are done with it, while the next is
/// gathered.
pub struct Several {
    team: Team,
    /// All of them, or none while they are out.
    home: Vec<Member>,
    places: Vec<Place>,
    out: Option<Arc<Batch>>,
    spare: Batch,
}

/// Where a worker works.
struct Place {
    go: Sender<Work>,
    back: Receiver<Member>,
    thread: Option<JoinHandle<()>>,
}

impl Place {
    fn new(number: usize) -> std::io::Result<Self> {
        let (go, work) = channel::<Work>();
        let (done, back) = channel();
        let thread = thread::Builder::new().name(format!("worker {number}")).spawn(move || {
            rights::give_up();
            for (mut member, batch) in work {
                member.take(&batch);
                drop(batch);
                if done.send(member).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { go, back, thread: Some(thread) })
    }

    /// The worker; where its thread failed, this one fails as it did.
    fn come_back(&mut self) -> Option<Member> {
        if let Ok(member) = self.back.recv() {
            return Some(member);
        }
        if let Some(Err(why)) = self.thread.take().map(JoinHandle::join) {
            resume_unwind(why);
        }
        None
    }
}

impl Several {
    fn new(config: &WorkerConfig, plan: &Arc<Plan>) -> std::io::Result<Self> {
        let (team, home) = Team::new(config, plan);
        let places = (0..home.len()).map(Place::new).collect::<std::io::Result<_>>()?;
        Ok(Self { team, home, places, out: None, spare: Batch::default() })
    }

    fn take(&mut self, mut frames: &[Frame<'_>], ready: &mut dyn FnMut(Tick)) {
        loop {
            let (taken, dealt) = self.team.take(frames);
            frames = frames.get(taken..).unwrap_or_default();
            match dealt {
                Dealt::Taken => return,
                Dealt::SendFirst => self.send(ready),
                Dealt::Alone => {
                    if self.team.has_gathered() {
                        self.send(ready);
                    }
                    self.await_all(ready);
                    if let Some((frame, rest)) = frames.split_first() {
                        self.team.alone(&mut self.home, frame);
                        frames = rest;
                    }
                }
            }
        }
    }

    /// Sends all of them out with what was gathered, when they are back from what they were sent out with before.
    fn send(&mut self, ready: &mut dyn FnMut(Tick)) {
        self.await_all(ready);
        let batch = Arc::new(self.team.send(std::mem::take(&mut self.spare)));
        for (member, place) in self.home.drain(..).zip(&self.places) {
            // One whose thread has failed is missed when it should come back.
            let _ = place.go.send((member, batch.clone()));
        }
        self.out = Some(batch);
    }

    fn await_all(&mut self, ready: &mut dyn FnMut(Tick)) {
        let Some(batch) = self.out.take() else { return };
        self.home.extend(self.places.iter_mut().filter_map(Place::come_back));
        self.spare = Arc::try_unwrap(batch).unwrap_or_default();
        self.team.collect(&mut self.home, ready);
    }
}
