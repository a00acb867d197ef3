//! A live source: one receiver, its filter, its account of losses, and the wait for an interface that went away.

use std::io;
use std::time::{Duration, Instant};

use crate::filter::Filter;
use crate::frame::{Frame, Interface, InterfaceId};
use crate::live::LiveOptions;
use crate::live::ladder::Refusal;
use crate::live::netlink::{Link, Netlink};
use crate::live::receiver::{Lost, Receiver};
use crate::live::rights;
use crate::live::sys;
use crate::source::{Input, Live, LiveState, Sink, Source, Step};

/// How often losses and the interface's state are read.
const WATCH: Duration = Duration::from_millis(100);
/// How often an interface that went away is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// A frame so much earlier than one before it shows that the clock was set back: rings deliver in order.
const STEP_NS: u64 = 1_000_000_000;
/// Longest time for emptying a ring at the end.
const CLOSING: Duration = Duration::from_millis(500);
/// A ring that gave nothing for so long is empty: longer than a block waits to be handed over.
const QUIET: Duration = Duration::from_millis(20);

/// Opens the receiver anew, in the mode that was taken.
pub(crate) type Reopen = Box<dyn FnMut() -> Result<Box<dyn Receiver>, String> + Send>;

/// A source on one queue, or one member of a fan-out group.
pub(crate) struct Port {
    name: String,
    index: u32,
    receiver: Option<Box<dyn Receiver>>,
    reopen: Reopen,
    filter: Option<Filter>,
    netlink: Netlink,
    /// Whether this source of several on the interface tells the interface's own losses.
    tells_interface: bool,
    before: Option<Counters>,
    told: Lost,
    nap: Duration,
    /// Longest part of a frame that is lent.
    snaplen: usize,
    /// Frames that filters in the kernel left out, of receivers that are gone.
    left_out: u64,
    announced: bool,
    closed: bool,
    watched: Instant,
    input: Input,
    live: Live,
}

impl Port {
    pub(crate) fn open(
        name: &str,
        index: u32,
        mut reopen: Reopen,
        options: &LiveOptions,
        tells_interface: bool,
    ) -> Result<Self, String> {
        let receiver = reopen()?;
        let live = Live { queue: receiver.queue(), ..Live::default() };
        let netlink = Netlink::open().map_err(|e| sys::words(&e))?;
        let before = netlink.link(index).ok().flatten().map(|l| Counters::of(&l));
        Ok(Self {
            name: name.to_owned(),
            index,
            input: Input { path: name.to_owned(), link_types: vec![receiver.link_type().name()], ..Input::default() },
            receiver: Some(receiver),
            reopen,
            filter: options.filter.as_deref().map(Filter::new),
            netlink,
            tells_interface,
            before,
            told: Lost::default(),
            nap: options.nap,
            snaplen: Some(options.snaplen_of(name) as usize).filter(|n| *n > 0).unwrap_or(usize::MAX),
            left_out: 0,
            announced: false,
            closed: false,
            watched: Instant::now(),
            live,
        })
    }

    /// Notes which mode was taken, and why not a better one.
    pub(crate) fn taken(&mut self, mode: &str, refused: &[Refusal]) {
        self.live.mode = mode.to_owned();
        self.live.refused = refused.to_vec();
    }

    /// Frames that filters in the kernel left out.
    pub(crate) fn left_out_by_the_kernel(&self) -> u64 {
        self.left_out + self.receiver.as_ref().map_or(0, |r| r.left_out())
    }

    fn announce(&mut self, sink: &mut dyn Sink) {
        let Some(receiver) = self.receiver.as_ref().filter(|_| !self.announced) else { return };
        self.announced = true;
        sink.interface(&Interface {
            id: InterfaceId(0),
            source: self.name.clone(),
            name: Some(self.name.clone()),
            index_in_file: 0,
            link_type: receiver.link_type(),
            // That of the mirror port, not of the mirrored link.
            speed_bps: None,
            snaplen: 0,
            fcs_len: 0,
        });
    }

    fn receive(&mut self, sink: &mut dyn Sink) -> io::Result<usize> {
        let Self { receiver: Some(receiver), filter, input, live, snaplen, .. } = self else { return Ok(0) };
        let link_type = receiver.link_type();
        receiver.receive(&mut |frames: &mut Vec<Frame<'_>>| {
            if let Some(filter) = filter {
                let before = frames.len();
                let program = filter.program(link_type).ok();
                frames.retain(|f| program.is_some_and(|p| p.matches(f.bytes, f.wire_len)));
                input.filtered += (before - frames.len()) as u64;
            }
            if !frames.is_empty() {
                live.cut += cut(frames, *snaplen);
                live.clock_steps += u64::from(account(input, frames));
                let newest_ns = frames.last().map_or(0, |f| f.at_ns);
                live.clock_apart_ns = live.clock_apart_ns.max(sys::clock_ns(libc::CLOCK_REALTIME).abs_diff(newest_ns));
                sink.frames(frames);
            }
        })
    }

    /// Empties the ring.
    fn drain(&mut self, sink: &mut dyn Sink) {
        let (begun, mut last) = (Instant::now(), Instant::now());
        while begun.elapsed() < CLOSING && last.elapsed() < QUIET {
            match self.receive(sink) {
                Ok(0) | Err(_) => std::thread::sleep(Duration::from_millis(1)),
                Ok(_) => last = Instant::now(),
            }
        }
    }

    /// Reads losses and the state of the interface, if it is time to.
    fn watch(&mut self, sink: &mut dyn Sink) {
        let waited = self.watched.elapsed();
        if waited < WATCH || (self.receiver.is_none() && waited < RETRY) {
            return;
        }
        self.watched = Instant::now();
        if self.receiver.is_none() {
            self.come_back();
        }
        let link = self.netlink.link(self.index).ok().flatten();
        self.tell_lost(link.as_ref().map(Counters::of), sink);
        let state = match &link {
            None => LiveState::Gone,
            Some(link) if link.running => LiveState::Up,
            Some(_) => LiveState::Down,
        };
        if state == LiveState::Gone && self.receiver.is_some() {
            // What it delivered before still lies in the ring.
            self.drain(sink);
            self.tell_lost(None, sink);
            self.left_out += self.receiver.take().map_or(0, |r| r.left_out());
        }
        self.enter(state);
    }

    fn enter(&mut self, state: LiveState) {
        if self.live.state == LiveState::Up && state != LiveState::Up {
            self.live.outages += 1;
        }
        self.live.state = state;
    }

    /// Opens an interface again that went away, by its name: it may have a new index.
    fn come_back(&mut self) {
        let index = sys::interface_index(&self.name);
        if index == 0 {
            return;
        }
        match rights::raised(&mut self.reopen) {
            Ok(receiver) => {
                self.live.last_error = None;
                self.receiver = Some(receiver);
                self.index = index;
                self.told = Lost::default();
                self.before = self.netlink.link(index).ok().flatten().map(|l| Counters::of(&l));
            }
            Err(reason) => self.live.last_error = Some(format!("cannot be opened again: {reason}")),
        }
    }

    /// Losses since the receiver was opened, those of the interface included.
    fn lost(&mut self, now: Option<Counters>) -> Option<Lost> {
        let receiver = self.receiver.as_mut()?;
        let mut lost = receiver.lost().ok()?;
        if let (Some(now), Some(before), true) = (now, self.before, self.tells_interface) {
            lost.interface = lost.interface.max(now.missed.saturating_sub(before.missed));
            if let Some(tagged) = receiver.misses_kernel_drops() {
                let dropped = now.dropped.saturating_sub(before.dropped);
                // Certain is what the backlog had no room for, and what is more than tags can explain.
                let backlog = now.backlog.saturating_sub(before.backlog);
                lost.kernel = dropped.min(backlog).max(dropped.saturating_sub(tagged));
            }
        }
        Some(lost)
    }

    fn tell_lost(&mut self, now: Option<Counters>, sink: &mut dyn Sink) {
        let Some(lost) = self.lost(now) else { return };
        let fresh = lost.since(self.told);
        self.told = lost;
        self.live.lost_in_ring += fresh.ring;
        self.live.lost_without_buffer += fresh.starved;
        self.live.lost_in_kernel += fresh.kernel;
        self.live.lost_by_interface += fresh.interface;
        let count = fresh.ring + fresh.starved + fresh.kernel + fresh.interface;
        if count > 0 && self.announced {
            self.input.dropped += count;
            let at_ns = self.input.last_ns.unwrap_or_else(|| sys::clock_ns(libc::CLOCK_REALTIME));
            sink.dropped(InterfaceId(0), at_ns, count);
        }
    }
}

/// An interface's own counts of losses.
#[derive(Clone, Copy)]
struct Counters {
    missed: u64,
    dropped: u64,
    /// Frames that the machine's backlogs had no room for, of all interfaces.
    backlog: u64,
}

impl Counters {
    fn of(link: &Link) -> Self {
        Self { missed: link.missed, dropped: link.rx_dropped, backlog: sys::backlog_drops() }
    }
}

/// Cuts frames at the snap length, where the kernel did not already; how many are longer.
fn cut(frames: &mut [Frame<'_>], snaplen: usize) -> u64 {
    let mut count = 0;
    for frame in frames {
        frame.bytes = frame.bytes.get(..snaplen).unwrap_or(frame.bytes);
        count += u64::from(frame.wire_len as usize > snaplen);
    }
    count
}

/// Counts frames; says whether the clock was set back before them.
fn account(input: &mut Input, frames: &[Frame<'_>]) -> bool {
    let first = frames.first().map_or(u64::MAX, |f| f.at_ns);
    let set_back = input.last_ns.is_some_and(|last| first.saturating_add(STEP_NS) < last);
    if set_back {
        // From here on the new time counts, or every later batch would seem to be set back.
        input.last_ns = Some(first);
    }
    input.frames += frames.len() as u64;
    for frame in frames {
        input.captured_bytes += frame.bytes.len() as u64;
        input.first_ns = Some(input.first_ns.map_or(frame.at_ns, |t| t.min(frame.at_ns)));
        input.last_ns = Some(input.last_ns.map_or(frame.at_ns, |t| t.max(frame.at_ns)));
    }
    set_back
}

impl Source for Port {
    fn step(&mut self, sink: &mut dyn Sink) -> Step {
        if self.closed {
            return Step::End;
        }
        self.announce(sink);
        self.watch(sink);
        match self.receive(sink) {
            Ok(0) => {}
            Ok(_) => return Step::More,
            // The interface went down: a socket says that once. Gone for good is what the watch finds out.
            Err(error) => self.live.last_error = Some(sys::words(&error)),
        }
        if !self.nap.is_zero() {
            std::thread::sleep(self.nap);
        }
        Step::Idle
    }

    fn close(&mut self, sink: &mut dyn Sink) {
        self.announce(sink);
        if let Some(receiver) = &mut self.receiver {
            receiver.stop();
        }
        self.drain(sink);
        let link = self.netlink.link(self.index).ok().flatten();
        self.tell_lost(link.as_ref().map(Counters::of), sink);
        if let Some(receiver) = self.receiver.take() {
            self.left_out += receiver.left_out();
            self.live.notes = receiver.notes();
        }
        self.closed = true;
    }

    fn inputs(&self) -> Vec<Input> {
        let mut live = self.live.clone();
        live.notes = self.receiver.as_ref().map_or(live.notes, |r| r.notes());
        let filtered = self.input.filtered + self.left_out_by_the_kernel();
        vec![Input { read_bytes: self.input.captured_bytes, live: Some(live), filtered, ..self.input.clone() }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Direction;

    #[test]
    fn a_clock_that_is_set_back_is_noticed_once() {
        let mut input = Input::default();
        let mut at = |at_ns: u64| {
            let frame = Frame { bytes: &[], at_ns, wire_len: 0, interface: InterfaceId(0), direction: Direction::In };
            account(&mut input, &[frame])
        };
        let second = 1_000_000_000;
        assert!(!at(100 * second) && !at(101 * second));
        assert!(!at(100 * second + second / 2), "queues are not in order among each other");
        assert!(at(40 * second), "an hour or a minute: what came before does not compare");
        assert!(!at(41 * second));
        assert!(!at(500 * second), "a step forward looks like silence");
    }
}
