//! One tick of those of several workers: as one worker would have made it of all frames.

use std::collections::{BTreeMap, HashMap};
use std::iter::Peekable;
use std::mem::take;

use foldhash::fast::FixedState;

use super::member::{Apart, Member};
use crate::control::MOST;
use crate::packet::MirrorKey;
use crate::tick::{LinkId, LinkInfo, LinkTick, Look, Message, TapTick, Tick};
use crate::worker::links::CAPACITY;
use crate::worker::meter::Meter;
use crate::worker::notes::{Note, Noted};

/// A link that has no place in the table.
const NOWHERE: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Merger {
    by_id: HashMap<String, u32, FixedState>,
    /// Per worker and link of its own: the number here.
    numbers: Vec<Vec<u32>>,
    /// Links that no tick has told of yet.
    new: Vec<LinkInfo>,
    /// Per link: reads what the workers noted.
    meters: Vec<Meter>,
}

/// A link that a worker has met.
struct Met {
    frame: u64,
    worker: usize,
    info: LinkInfo,
    other: Option<String>,
}

impl Merger {
    pub fn new(workers: usize) -> Self {
        Self { by_id: HashMap::default(), numbers: vec![Vec::new(); workers], new: Vec::new(), meters: Vec::new() }
    }

    pub fn links(&self) -> usize {
        self.meters.len()
    }

    /// The parts of a tick, by worker; `losses` are the taps' by their sequence numbers.
    pub fn merge(&mut self, mut parts: Vec<(Tick, Apart)>, losses: Vec<(u16, TapTick)>) -> Tick {
        let new_links = take(&mut self.new);
        for (worker, (tick, _)) in parts.iter_mut().enumerate() {
            self.renumber(worker, tick);
        }
        let taps = taps_of(&mut parts, losses);
        let links = self.links_of(&mut parts);
        let mut all = Tick { new_links, links, taps, ..Tick::default() };
        all.flows = by_birth(parts.iter_mut().map(|(t, a)| (take(&mut t.flows), take(&mut a.flows))).collect());
        all.qps = by_birth(parts.iter_mut().map(|(t, a)| (take(&mut t.qps), take(&mut a.qps))).collect());
        for (tick, _) in parts {
            (all.start_ns, all.end_ns) = (tick.start_ns, tick.end_ns);
            all.capture.add(&tick.capture);
            all.messages.extend(tick.messages);
            all.messages_left_out += tick.messages_left_out;
            all.control.extend(tick.control);
            all.control_left_out += tick.control_left_out;
            all.moves.extend(tick.moves);
        }
        all.messages.sort_by_key(Message::order);
        all.control.sort_by_key(|c| (c.at_ns, c.src, c.dst));
        all.control_left_out += all.control.iter().skip(MOST).map(|c| u64::from(c.count)).sum::<u64>();
        all.control.truncate(MOST);
        all.moves.sort_by_key(|m| (m.first_on_to_ns, m.flow, m.from, m.to));
        all
    }

    /// Reads what the members noted: `which` of the two.
    pub fn read(&mut self, members: &mut [Member], which: usize) {
        self.meet(members, which);
        let mut notes: Vec<_> = members
            .iter()
            .zip(&self.numbers)
            .filter_map(|(m, numbers)| Some((m.noted.get(which)?.notes.iter().peekable(), numbers)))
            .collect();
        while let Some((note, link)) = earliest(&mut notes) {
            let Some(meter) = self.meters.get_mut(link as usize) else { continue };
            match &note.noted {
                Noted::Run(run) => meter.read(run),
                Noted::Hold(hold) => meter.pause_frame(hold),
            }
        }
        members.iter_mut().filter_map(|m| m.noted.get_mut(which)).for_each(|noted| noted.notes.clear());
    }

    /// Numbers the links that are new, in the order of the frames that made them.
    fn meet(&mut self, members: &mut [Member], which: usize) {
        let mut met = Vec::new();
        for (worker, noted) in members.iter_mut().filter_map(|m| m.noted.get_mut(which)).enumerate() {
            met.extend(noted.links.drain(..).map(|(info, frame, other)| Met { frame, worker, info, other }));
        }
        met.sort_by_key(|m| m.frame);
        for Met { worker, mut info, other, .. } in met {
            let known = self.by_id.get(&info.id).copied();
            let number = known.or_else(|| self.number(&info.id)).unwrap_or(NOWHERE);
            if let Some(numbers) = self.numbers.get_mut(worker) {
                numbers.push(number);
            }
            if known.is_some() || number == NOWHERE {
                continue;
            }
            info.link = LinkId(number);
            info.reverse = other.and_then(|other| self.by_id.get(&other).copied()).map(LinkId);
            let first = self.new.first().map_or(number, |new| new.link.0);
            let reverse = info.reverse.and_then(|r| self.new.get_mut(r.0.checked_sub(first)? as usize));
            reverse.into_iter().for_each(|other| other.reverse = Some(info.link));
            self.new.push(info);
        }
    }

    fn number(&mut self, id: &str) -> Option<u32> {
        let number = self.meters.len();
        if number >= CAPACITY {
            return None;
        }
        self.meters.push(Meter::default());
        self.by_id.insert(id.to_owned(), number as u32);
        Some(number as u32)
    }

    fn renumber(&self, worker: usize, tick: &mut Tick) {
        let numbers = self.numbers.get(worker).map_or(&[][..], Vec::as_slice);
        let number = |link: u32| numbers.get(link as usize).copied().unwrap_or(NOWHERE);
        let renumber = |link: &mut LinkId| link.0 = number(link.0);
        tick.links.iter_mut().for_each(|l| l.link = number(l.link));
        tick.flows.iter_mut().for_each(|f| renumber(&mut f.link));
        tick.qps.iter_mut().for_each(|q| renumber(&mut q.link));
        tick.control.iter_mut().filter_map(|c| c.link.as_mut()).for_each(renumber);
        tick.moves.iter_mut().flat_map(|m| [&mut m.from, &mut m.to]).for_each(renumber);
        let left_out = tick.links.iter().filter(|l| l.link == NOWHERE).map(|l| l.packets).sum::<u64>();
        if left_out > 0 {
            tick.capture.refused.push(("link-table-full", left_out));
            tick.links.retain(|l| l.link != NOWHERE);
        }
    }

    /// What the links did: sums added, the rest read from the notes of all workers.
    fn links_of(&mut self, parts: &mut [(Tick, Apart)]) -> Vec<LinkTick> {
        let end_ns = parts.first().map_or(0, |(tick, _)| tick.end_ns);
        let mut sums: BTreeMap<u32, LinkTick> = BTreeMap::new();
        for link in parts.iter_mut().flat_map(|(tick, _)| take(&mut tick.links)) {
            match sums.get_mut(&link.link) {
                Some(sum) => sum.add(&link),
                None => drop(sums.insert(link.link, link)),
            }
        }
        for (link, meter) in (0u32..).zip(&mut self.meters) {
            let measured = meter.take(LinkId(link), end_ns);
            if let (Some(sum), Some(measured)) = (sums.get_mut(&link), measured) {
                sum.measured(measured);
            }
        }
        sums.into_values().collect()
    }

    /// When each link last carried a packet. Links that no tick has told of yet are not in it.
    pub fn look(&self, looks: impl Iterator<Item = Look>) -> Look {
        let mut last_ns = vec![0; self.meters.len()];
        for (look, numbers) in looks.zip(&self.numbers) {
            for (at_ns, number) in look.last_ns.into_iter().zip(numbers) {
                if let Some(last) = last_ns.get_mut(*number as usize) {
                    *last = at_ns.max(*last);
                }
            }
        }
        Look { last_ns }
    }
}

impl LinkTick {
    /// What only all packets of a link together show.
    fn measured(&mut self, by: Self) {
        if by.packets > 0 {
            self.first_ns = by.first_ns;
        }
        (self.silent_ns_max, self.silent_until_ns) = (by.silent_ns_max, by.silent_until_ns);
        (self.max_bytes_100us, self.max_100us_at_ns) = (by.max_bytes_100us, by.max_100us_at_ns);
        (self.max_bytes_1ms, self.idle, self.slots) = (by.max_bytes_1ms, by.idle, by.slots);
    }
}

/// The notes of a worker that are still to be read, and the numbers of its links.
type Unread<'a> = (Peekable<std::slice::Iter<'a, Note>>, &'a Vec<u32>);

/// The earliest of the next notes, and the number of its link: those of one frame come in the order of the workers.
fn earliest<'a>(notes: &mut [Unread<'a>]) -> Option<(&'a Note, u32)> {
    let next = notes.iter_mut().filter_map(|unread| Some((unread.0.peek()?.frame, unread)));
    let (_, (notes, numbers)) = next.min_by_key(|(frame, _)| *frame)?;
    let note = notes.next()?;
    Some((note, numbers.get(note.link as usize).copied().unwrap_or(NOWHERE)))
}

/// Taps by interface and mirror: frames add, losses are those that were given.
fn taps_of(parts: &mut [(Tick, Apart)], losses: Vec<(u16, TapTick)>) -> Vec<TapTick> {
    let mut all: BTreeMap<(u16, MirrorKey), TapTick> = BTreeMap::new();
    let counted =
        parts.iter_mut().flat_map(|(tick, apart)| take(&mut apart.taps).into_iter().zip(take(&mut tick.taps)));
    for (interface, tap) in counted.chain(losses) {
        match all.get_mut(&(interface, tap.key)) {
            Some(sum) => sum.add(&tap),
            None => drop(all.insert((interface, tap.key), tap)),
        }
    }
    all.into_values().collect()
}

/// Joins lists in the order of the frames that began what is in them, which each list is in.
fn by_birth<T>(lists: Vec<(Vec<T>, Vec<u64>)>) -> Vec<T> {
    let mut all = Vec::with_capacity(lists.iter().map(|(list, _)| list.len()).sum());
    let mut lists: Vec<_> = lists.into_iter().map(|(list, births)| births.into_iter().zip(list).peekable()).collect();
    loop {
        let next = lists.iter_mut().filter_map(|list| list.peek().map(|&(birth, _)| birth).map(|birth| (birth, list)));
        match next.min_by_key(|(birth, _)| *birth).and_then(|(_, list)| list.next()) {
            Some((_, item)) => all.push(item),
            None => return all,
        }
    }
}
