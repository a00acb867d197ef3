//! The thread that reads: frames from the source through the worker, ticks to the fabric thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use analyzer::tick::{Look, Tick};
use analyzer::topology::Plan;
use analyzer::worker::{NatureWatch, TapNature};
use capture::{Frame, Input, Interface, InterfaceId, Sink, Source, Step};

use crate::crew::Crew;
use crate::first_look::FirstLook;
use crate::judge::Message;
use crate::pace::Pacer;
use crate::pipeline::Settings;
use crate::recorder::Recorder;
use crate::reload::{Configured, Reload};

/// Sleep of a reader that finds nothing.
const IDLE: Duration = Duration::from_micros(200);
/// Frames may be this late, from the port to the reader, before time passes without them: a block waits for 4 to 8 ms.
const LATE: Duration = Duration::from_millis(25);
/// Shortest wall time between two looks at how far reading is.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Shortest wall time between two looks for links that fell silent, up to [`LOOK_LINKS`] links; of more as many times longer.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// A look at so many links takes about a hundredth of that.
const LOOK_LINKS: usize = 1_000;

/// What the reader shares with the rest of the process.
pub struct Around<'a> {
    /// How to analyse.
    pub settings: &'a Settings,
    /// To the fabric thread.
    pub ticks: &'a SyncSender<Message>,
    /// Set when it should end.
    pub stop: &'a AtomicBool,
    /// Where frames are written down, if they are.
    pub recorder: Option<Recorder>,
    /// Reads the user's files again when asked to.
    pub reload: Option<Reload>,
    /// How the inputs fare, for the reports of a live run.
    pub inputs: &'a Mutex<Vec<Input>>,
}

/// Reads to the end of the source, or until it should stop; what a live source still holds then is read as well.
pub fn read(source: &mut dyn Source, around: Around<'_>, progress: &mut dyn FnMut(&[Input])) {
    let Around { settings, ticks, stop, recorder, reload, inputs } = around;
    let mut reader = Reader {
        worker: Crew::new(settings.worker.clone(), settings.plan.clone()),
        plan: settings.plan.clone(),
        interfaces: Vec::new(),
        natures: &settings.natures,
        live: settings.live,
        look: settings.live.then(FirstLook::default),
        learnt: NatureWatch::default(),
        hand_over: HandOver { ticks, live: settings.live, waiting: None },
        pacer: Pacer::new(settings.pace),
        stop,
        newest: None,
        asked: Instant::now(),
        looked: Instant::now(),
        recorder,
    };
    let mut looked = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        match source.step(&mut reader) {
            Step::More => {}
            Step::Idle => reader.idle(),
            Step::End => break,
        }
        if looked.elapsed() >= PROGRESS_EVERY {
            looked = Instant::now();
            progress(&tell(source, inputs));
            if let Some(configured) = reload.as_ref().and_then(Reload::now) {
                reader.begin_anew(configured);
            }
        }
    }
    source.close(&mut reader);
    tell(source, inputs);
    reader.finish();
}

fn tell(source: &dyn Source, inputs: &Mutex<Vec<Input>>) -> Vec<Input> {
    let now = source.inputs();
    if let Ok(mut told) = inputs.lock() {
        told.clone_from(&now);
    }
    now
}

/// Ticks on their way to the fabric thread. That thread is gone only when it failed, which is told when it is joined:
/// what can't be sent then is of no use to anybody.
struct HandOver<'a> {
    ticks: &'a SyncSender<Message>,
    live: bool,
    /// Live: ticks merged into one while the channel was full.
    waiting: Option<Tick>,
}

impl HandOver<'_> {
    fn give(&mut self, tick: Tick) {
        if !self.live {
            let _ = self.ticks.send(Message::Tick(Box::new(tick)));
            return;
        }
        let tick = match self.waiting.take() {
            Some(mut earlier) => {
                earlier.merge(tick);
                earlier
            }
            None => tick,
        };
        if let Err(TrySendError::Full(Message::Tick(tick))) = self.ticks.try_send(Message::Tick(Box::new(tick))) {
            self.waiting = Some(*tick);
        }
    }

    /// Where it would wait it is of no use any more.
    fn look(&self, look: Look) {
        if self.waiting.is_none() {
            let _ = self.ticks.try_send(Message::Look(look));
        }
    }

    /// What waits goes, however long that takes.
    fn finish(&mut self) {
        if let Some(tick) = self.waiting.take() {
            let _ = self.ticks.send(Message::Tick(Box::new(tick)));
        }
    }

    fn begin_anew(&mut self, configured: Configured) {
        self.finish();
        let _ = self.ticks.send(Message::Anew(Box::new(configured)));
    }
}

struct Reader<'a> {
    worker: Crew,
    plan: Arc<Plan>,
    /// Those met so far.
    interfaces: Vec<(Interface, TapNature)>,
    natures: &'a NatureWatch,
    live: bool,
    /// Live: the first frames, until they have said what their taps are.
    look: Option<FirstLook>,
    learnt: NatureWatch,
    hand_over: HandOver<'a>,
    pacer: Pacer,
    stop: &'a AtomicBool,
    /// Live: packet time of the newest frame, and when it came.
    newest: Option<(u64, Instant)>,
    /// Live: since then every source was asked once and had nothing. Frames that come while this thread waits for a processor are
    /// still to be read: only up to here is it known that there are none.
    asked: Instant,
    /// Live: when links were last looked at between ticks.
    looked: Instant,
    recorder: Option<Recorder>,
}

impl Reader<'_> {
    /// Nothing to read just now. Live, packet time goes on by the wall from the newest frame on, a little behind it for frames
    /// still on their way; so it does not matter whose clock stamped them, nor that the wall's may step.
    fn idle(&mut self) {
        if self.look.as_ref().is_some_and(FirstLook::is_over) {
            self.end_look();
        }
        if let (true, None, Some((at_ns, came))) = (self.live, &self.look, self.newest) {
            let passed = self.asked.saturating_duration_since(came).saturating_sub(LATE);
            let passed_ns = u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX);
            let Self { worker, hand_over, .. } = self;
            worker.advance(at_ns.saturating_add(passed_ns), &mut |tick| hand_over.give(tick));
            self.look_between(Instant::now());
        }
        thread::sleep(IDLE);
        self.asked = Instant::now();
    }

    /// Tells the fabric thread between ticks when links last carried packets, if it is time to.
    fn look_between(&mut self, now: Instant) {
        let times = 1 + self.worker.links() / LOOK_LINKS;
        if now.duration_since(self.looked) >= LOOK_EVERY * times as u32 {
            self.looked = now;
            let Self { worker, hand_over, .. } = self;
            let look = worker.look(&mut |tick| hand_over.give(tick));
            hand_over.look(look);
        }
    }

    /// The first frames have said what their taps are: they are analysed now.
    fn end_look(&mut self) {
        let Some(look) = self.look.take() else { return };
        look.interfaces().for_each(|(interface, nature)| self.add_interface(interface, nature));
        look.losses().iter().for_each(|&(interface, at_ns, count)| self.worker.dropped(interface, at_ns, count));
        self.analyse(&look.batch());
        self.learnt = look.into_natures();
    }

    fn add_interface(&mut self, interface: &Interface, seen: TapNature) {
        let nature = self.nature_or(&interface.source, seen);
        let Self { worker, hand_over, .. } = self;
        worker.add_interface(interface, nature, &mut |tick| hand_over.give(tick));
        self.interfaces.push((interface.clone(), seen));
    }

    /// Over the same interfaces, with nothing known of before.
    fn begin_anew(&mut self, configured: Configured) {
        self.end_look();
        let Self { worker, hand_over, .. } = self;
        worker.finish(&mut |tick| hand_over.give(tick));
        hand_over.begin_anew(configured.clone());
        self.worker = Crew::new(configured.worker, configured.plan.clone());
        self.plan = configured.plan;
        for (interface, seen) in std::mem::take(&mut self.interfaces) {
            self.add_interface(&interface, seen);
        }
    }

    /// What the topology says of a tap's envelope; where it says nothing, what its first frames do.
    fn nature_or(&self, source: &str, seen: TapNature) -> TapNature {
        match self.plan.tap_format(source) {
            Some((rspan, _)) => TapNature { rspan, ..TapNature::default() },
            None => seen,
        }
    }

    fn analyse(&mut self, batch: &[Frame<'_>]) {
        let Self { worker, hand_over, pacer, stop, .. } = self;
        let at_once = self.live || pacer.waits();
        pacer.pass(batch, stop, |due| {
            worker.observe(due, &mut |tick| hand_over.give(tick));
            if at_once {
                worker.go_on(&mut |tick| hand_over.give(tick));
            }
        });
        self.worker.taken();
        if let (true, Some(last)) = (self.live, batch.last()) {
            let newest_ns = self.newest.map_or(0, |(at_ns, _)| at_ns).max(last.at_ns);
            let now = Instant::now();
            self.newest = Some((newest_ns, now));
            self.look_between(now);
        }
    }

    fn finish(mut self) {
        self.end_look();
        let Self { mut worker, mut hand_over, recorder, .. } = self;
        worker.finish(&mut |tick| hand_over.give(tick));
        hand_over.finish();
        if let Some(recorder) = recorder {
            recorder.finish();
        }
    }
}

impl Sink for Reader<'_> {
    fn interface(&mut self, interface: &Interface) {
        if let Some(recorder) = &mut self.recorder {
            recorder.interface(interface);
        }
        match &mut self.look {
            Some(look) => look.interface(interface),
            None => {
                let watch = if self.live { &self.learnt } else { self.natures };
                self.add_interface(interface, watch.nature(&interface.source));
            }
        }
    }

    fn lie_in(&mut self, bytes: &Arc<Vec<u8>>) {
        self.worker.lie_in(bytes);
    }

    fn frames(&mut self, batch: &[Frame<'_>]) {
        if let Some(recorder) = &mut self.recorder {
            recorder.frames(batch);
        }
        match &mut self.look {
            Some(look) => {
                look.frames(batch);
                if look.is_over() {
                    self.end_look();
                }
            }
            None => self.analyse(batch),
        }
    }

    fn dropped(&mut self, interface: InterfaceId, at_ns: u64, count: u64) {
        if let Some(recorder) = &mut self.recorder {
            recorder.dropped(interface, at_ns, count);
        }
        match &mut self.look {
            Some(look) => look.dropped(interface, at_ns, count),
            None => self.worker.dropped(interface, at_ns, count),
        }
    }
}
