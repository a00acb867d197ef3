//! Which lanes beat together: components of hosts with messages of one size, their common cadence, and the jobs they make.

use std::collections::{BTreeMap, BTreeSet};

use super::cadence::{self, Beat, Fit, MIN_STEPS, VERY_CLEAR};
use super::lane::{Lane, Msg, Small, strides};
use super::lanes::Lanes;
use super::ring;
use crate::packet::Addr;
use crate::tick::QpKey;

/// Sizes that differ by less are the same (2 %).
const SIZE_SHARE: u64 = 50;
/// Candidates for messages per step that are weighed for a component.
const CANDIDATES: usize = 16;
/// Silence between steps over silence within, below which silences say nothing.
const CLEAR: f64 = 1.5;
/// Steps asked before several rings in a row are taken as one step.
const STEPS_OF_SEVERAL: usize = 5;
/// A training step takes at least this long, ns.
const SHORTEST_PERIOD_NS: u64 = 1_000_000;
/// Part of the best fit (in the logarithm) at which fewer messages per step are preferred.
const NEARLY: f64 = 0.7;
/// Pairs of silences asked before the second of each is believed to be the longer: by chance they all are once in 256 times.
const STEPS_OF_PAIRS: usize = 8;
/// Steps asked of one direction between two hosts alone.
const LONE_STEPS: usize = 5;

type Edges = BTreeSet<(Addr, Addr)>;

/// A lane with its steps.
#[derive(Clone, Debug)]
pub(super) struct Track {
    pub key: QpKey,
    pub data: Vec<Msg>,
    pub bytes: u64,
    pub per_step: usize,
    pub ratio: f64,
    pub beats: Vec<Beat>,
    pub period_ns: u64,
    /// Median time from the end of a message to its acknowledgement.
    pub ack_delay_ns: u64,
}

impl Track {
    /// Whole steps.
    pub fn complete(&self) -> usize {
        self.beats.iter().filter(|b| b.complete).count()
    }
}

/// Lanes of one size among connected hosts, not yet cut.
struct Component {
    lanes: Vec<Raw>,
}

impl Component {
    fn hosts(&self) -> usize {
        self.lanes.iter().flat_map(|l| [l.key.src, l.key.dst]).collect::<BTreeSet<Addr>>().len()
    }
}

struct Raw {
    key: QpKey,
    data: Vec<Msg>,
    gaps: Vec<u64>,
    bytes: u64,
    ack_delay_ns: u64,
}

/// Tracks that belong together.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub tracks: Vec<Track>,
    /// Small messages between its neighbours by direction, ascending: credits and notices.
    pub control: Control,
}

impl Group {
    pub fn edges(&self) -> BTreeSet<(Addr, Addr)> {
        self.tracks.iter().map(|t| (t.key.src, t.key.dst)).collect()
    }

    pub fn hosts(&self) -> BTreeSet<Addr> {
        self.tracks.iter().flat_map(|t| [t.key.src, t.key.dst]).collect()
    }
}

/// Finds the groups of lanes that beat together.
pub(super) fn groups(lanes: &Lanes) -> Vec<Group> {
    let raw: Vec<Raw> = lanes.values().filter(|l| !l.service).filter_map(raw).collect();
    let mut parts: Vec<Group> = components(raw).into_iter().flat_map(cut).collect();
    parts.retain(|g| !g.tracks.is_empty());
    let mut whole = join(parts);
    for group in &mut whole {
        group.control = control(lanes, &group.edges());
    }
    whole
}

/// Small messages by direction, ascending.
pub(super) type Control = BTreeMap<(Addr, Addr), Vec<Small>>;

/// Small messages between neighbours, either way.
fn control(lanes: &Lanes, edges: &Edges) -> Control {
    let mut all = Control::new();
    for lane in lanes.values().filter(|l| !l.service && !l.control.is_empty()) {
        let way = (lane.key.src, lane.key.dst);
        if edges.contains(&way) || edges.contains(&(way.1, way.0)) {
            all.entry(way).or_default().extend(&lane.control);
        }
    }
    all.values_mut().for_each(|ends| ends.sort_unstable());
    all
}

fn raw(lane: &Lane) -> Option<Raw> {
    let data = lane.data();
    if data.len() < MIN_STEPS {
        return None;
    }
    let bytes = cadence::quantile(&mut data.iter().map(|m| m.bytes).collect::<Vec<_>>(), 0.5)?;
    Some(Raw { key: lane.key, gaps: cadence::gaps(&data), data, bytes, ack_delay_ns: lane.ack_delay_ns() })
}

fn same_size(a: u64, b: u64) -> bool {
    a.abs_diff(b) <= a.max(b) / SIZE_SHARE
}

/// Union-find over indices.
struct Sets(Vec<usize>);

impl Sets {
    fn new(n: usize) -> Self {
        Self((0..n).collect())
    }

    fn find(&mut self, mut i: usize) -> usize {
        while let Some(&up) = self.0.get(i) {
            if up == i {
                break;
            }
            let above = self.0.get(up).copied().unwrap_or(up);
            if let Some(place) = self.0.get_mut(i) {
                *place = above;
            }
            i = above;
        }
        i
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        if let Some(place) = self.0.get_mut(a.max(b)) {
            *place = a.min(b);
        }
    }

    fn split<T>(mut self, items: Vec<T>) -> Vec<Vec<T>> {
        let mut out: BTreeMap<usize, Vec<T>> = BTreeMap::new();
        for (i, item) in items.into_iter().enumerate() {
            out.entry(self.find(i)).or_default().push(item);
        }
        out.into_values().collect()
    }
}

fn components(lanes: Vec<Raw>) -> Vec<Component> {
    let mut sets = Sets::new(lanes.len());
    let mut seen: BTreeMap<Addr, Vec<(u64, usize)>> = BTreeMap::new();
    for (i, lane) in lanes.iter().enumerate() {
        for host in [lane.key.src, lane.key.dst] {
            let list = seen.entry(host).or_default();
            match list.iter().find(|(bytes, _)| same_size(*bytes, lane.bytes)) {
                Some(&(_, j)) => sets.join(i, j),
                None => list.push((lane.bytes, i)),
            }
        }
    }
    sets.split(lanes).into_iter().map(|lanes| Component { lanes }).collect()
}

/// Cuts a component's lanes by its common cadence and keeps those that keep time with each other.
fn cut(component: Component) -> Vec<Group> {
    let Some(per_step) = cadence_of(&component) else { return Vec::new() };
    let ring = closed_order(&component).is_some();
    let one = ring && even(&component, per_step);
    let phase = if one { usual_phase(&component, per_step) } else { None };
    let mut tracks: Vec<Track> =
        component.lanes.into_iter().filter_map(|raw| track(raw, per_step, ring, phase)).collect();
    tracks.sort_by_key(|t| (std::cmp::Reverse(t.complete()), t.key));
    let mut out: Vec<Group> = Vec::new();
    for track in tracks {
        let near = |g: &Group| g.tracks.first().is_some_and(|t| keeps_time(t, &track).unwrap_or(true));
        let home = out.iter_mut().find(|g| one || near(g));
        match home {
            Some(group) => group.tracks.push(track),
            None => out.push(Group { tracks: vec![track], ..Group::default() }),
        }
    }
    out.retain(|g| !star(&g.edges()));
    out
}

/// One lane from host to host, and each carried as many messages as the others to a step: one exchange, however uneven its times.
fn even(component: &Component, per_step: usize) -> bool {
    let edges: Edges = component.lanes.iter().map(|l| (l.key.src, l.key.dst)).collect();
    let counts = || component.lanes.iter().map(|l| l.data.len());
    let (least, most) = (counts().min().unwrap_or(0), counts().max().unwrap_or(0));
    edges.len() == component.lanes.len() && most - least <= per_step
}

/// Where most lanes' steps begin, counted from their first message.
fn usual_phase(component: &Component, per_step: usize) -> Option<usize> {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for fit in component.lanes.iter().filter_map(|l| cadence::fit(&l.data, &l.gaps, per_step)) {
        *counts.entry(fit.phase).or_default() += 1;
    }
    let (phase, lanes) = counts.into_iter().max_by_key(|&(phase, n)| (n, std::cmp::Reverse(phase)))?;
    (lanes * 2 > component.lanes.len()).then_some(phase)
}

/// Every message follows the one before it at the same distance of PSN: none is missing, so that they can be counted.
fn unbroken(data: &[Msg]) -> bool {
    let strides = strides(data);
    strides.first().is_some_and(|first| strides.iter().all(|s| s == first))
}

/// Messages per step that fit the whole component, by silences and, for a closed ring, by what the algorithm prescribes.
fn cadence_of(component: &Component) -> Option<usize> {
    let theory = ring_theory(component);
    let mut votes: BTreeMap<usize, usize> = BTreeMap::new();
    for lane in &component.lanes {
        for p in cadence::candidates(&lane.gaps) {
            *votes.entry(p).or_default() += 1;
        }
    }
    let mut ranked: Vec<(usize, usize)> = votes.into_iter().map(|(p, n)| (n, p)).collect();
    ranked.sort_unstable_by_key(|&(n, p)| (std::cmp::Reverse(n), p));
    ranked.truncate(CANDIDATES);
    let mut tried: Vec<usize> = ranked.into_iter().map(|(_, p)| p).collect();
    if component.hosts() < 3 {
        tried.retain(|&p| p > 1);
    }
    if let Some((least, order)) = theory {
        tried.retain(|p| p % least == 0 || p % (order - 1) == 0);
        tried.extend([least, 2 * least]);
    }
    tried.sort_unstable();
    tried.dedup();
    let mut scored: Vec<(usize, f64)> = tried.into_iter().filter_map(|p| Some((p, score(component, p)?))).collect();
    if let Some((least, _)) = theory {
        let longest = component.lanes.iter().map(|l| l.data.len()).max().unwrap_or(0);
        // Into how many pieces a round is cut is told by the order of messages, which a loaded host blurs: very clear silences
        // overrule it.
        let told = |p: usize| p.is_multiple_of(least) && p <= 2 * least;
        scored.retain(|&(p, s)| told(p) || s >= VERY_CLEAR.ln() && p * STEPS_OF_SEVERAL <= longest);
    }
    let chosen = choose(&scored);
    let twice = chosen.filter(|p| scored.iter().any(|&(q, s)| q == 2 * p && s >= CLEAR.ln()) && halves(component, *p));
    twice.map(|p| 2 * p).or(chosen).or_else(|| theory.map(|(least, _)| 2 * least))
}

/// Are `per_step` messages but half a step, of which each second silence is the longer? A stall in the middle of many steps (one
/// rank that comes late in each) looks like the end of one; that it is always the shorter of two gives it away.
fn halves(component: &Component, per_step: usize) -> bool {
    let (mut longer, mut pairs) = (0_usize, 0_usize);
    for lane in &component.lanes {
        let Some(fit) = cadence::fit(&lane.data, &lane.gaps, 2 * per_step) else { continue };
        let before = |message: usize| message.checked_sub(1).and_then(|i| lane.gaps.get(i));
        for first in (fit.phase..lane.data.len()).step_by(2 * per_step) {
            let (Some(&middle), Some(&end)) = (before(first + per_step), before(first + 2 * per_step)) else {
                continue;
            };
            pairs += 1;
            longer += usize::from(end > middle.saturating_add(middle / 5));
        }
    }
    pairs >= STEPS_OF_PAIRS && longer * 10 >= pairs * 9
}

/// One message per step only where that is very clear and nothing with several is.
fn choose(scored: &[(usize, f64)]) -> Option<usize> {
    let several = || scored.iter().filter(|s| s.0 > 1);
    let best = several().map(|s| s.1).fold(f64::MIN, f64::max);
    let several = several().find(|&&(_, s)| s >= CLEAR.ln() && s >= best * NEARLY);
    let one = scored.iter().find(|&&(p, s)| p == 1 && s >= VERY_CLEAR.ln());
    match (several, one) {
        (Some(&(_, s)), Some(_)) if s < VERY_CLEAR.ln() => Some(1),
        (Some(&(p, _)), _) => Some(p),
        (None, one) => one.map(|_| 1),
    }
}

fn closed_order(component: &Component) -> Option<Vec<Addr>> {
    ring::closed(&component.lanes.iter().map(|l| (l.key.src, l.key.dst)).collect())
}

/// For a closed ring of n hosts: messages of n - 1 rounds (half an allreduce), and n.
fn ring_theory(component: &Component) -> Option<(usize, usize)> {
    let order = closed_order(component)?;
    let first = |from: Addr, to: Addr| component.lanes.iter().find(|l| l.key.src == from && l.key.dst == to);
    let around = |i: usize| order.get(i % order.len()).copied();
    let mut pairs: Vec<(&[Msg], &[Msg])> = Vec::new();
    for i in 0..order.len() {
        let (a, b, c) = (around(i)?, around(i + 1)?, around(i + 2)?);
        if let (Some(incoming), Some(outgoing)) = (first(a, b), first(b, c)) {
            pairs.push((&incoming.data, &outgoing.data));
        }
    }
    let pieces = ring::pieces_per_round(&pairs)?;
    Some(((order.len() - 1) * pieces, order.len()))
}

/// Mean logarithm of how well `per_step` fits the lanes.
fn score(component: &Component, per_step: usize) -> Option<f64> {
    let fits: Vec<Fit> = component.lanes.iter().filter_map(|l| cadence::fit(&l.data, &l.gaps, per_step)).collect();
    if fits.len() * 2 < component.lanes.len() || fits.is_empty() {
        return None;
    }
    Some(fits.iter().map(|f| f.ratio.clamp(0.1, 100.0).ln()).sum::<f64>() / fits.len() as f64)
}

/// Steps must come regularly, unless a closed ring proves them.
fn track(raw: Raw, per_step: usize, ring: bool, phase: Option<usize>) -> Option<Track> {
    let mut fit = cadence::fit(&raw.data, &raw.gaps, per_step)?;
    if let Some(phase) = phase.filter(|_| fit.ratio < VERY_CLEAR && unbroken(&raw.data)) {
        fit = cadence::counted(&raw.gaps, per_step, phase, &fit);
    }
    let beats = cadence::cut(&raw.data, &raw.gaps, per_step, &fit);
    let complete: Vec<Beat> = beats.iter().filter(|b| b.complete).copied().collect();
    let (period_ns, _) = cadence::period(&complete)?;
    let regular = ring || cadence::regular_share(&complete, period_ns) >= 0.7;
    (complete.len() >= MIN_STEPS && regular && period_ns >= SHORTEST_PERIOD_NS).then_some(Track {
        key: raw.key,
        data: raw.data,
        bytes: raw.bytes,
        per_step,
        ratio: fit.ratio,
        beats,
        period_ns,
        ack_delay_ns: raw.ack_delay_ns,
    })
}

/// The same steps: starts or ends of two lanes stay at one distance. `None` where too few steps of both are seen to tell, as
/// when traffic moved from one mirrored link to another.
fn keeps_time(a: &Track, b: &Track) -> Option<bool> {
    let offsets = Offsets::between(a, b)?;
    let share = offsets.share(
        |d| d.0.abs_diff(offsets.median.0) <= a.period_ns / 8,
        |d| d.1.abs_diff(offsets.median.1) <= a.period_ns / 20,
    );
    Some(share >= 0.75)
}

/// Two ends of one exchange that we see no middle of: the same messages, and every step over at the same time.
fn ends_together(a: &Track, b: &Track) -> bool {
    let same = a.per_step > 1 && a.per_step == b.per_step && same_size(a.bytes, b.bytes);
    let Some(offsets) = Offsets::between(a, b).filter(|_| same) else { return false };
    let near = a.period_ns / 12;
    offsets.share(|_| false, |d| d.1.unsigned_abs() <= near) >= 0.75
}

/// Distances of start and end of each step of one lane to the nearest of another.
struct Offsets {
    all: Vec<(i64, i64)>,
    median: (i64, i64),
}

impl Offsets {
    fn between(a: &Track, b: &Track) -> Option<Self> {
        let mine: Vec<&Beat> = a.beats.iter().filter(|x| x.complete).collect();
        let (first, last) = (mine.first()?.start_ns, mine.last()?.start_ns);
        let margin = a.period_ns / 2;
        let mut all = Vec::new();
        for beat in b.beats.iter().filter(|x| x.complete) {
            if beat.start_ns + margin < first || beat.start_ns > last + margin {
                continue;
            }
            let at = mine.partition_point(|x| x.end_ns < beat.end_ns);
            let near = [at.checked_sub(1), Some(at)].into_iter().flatten().filter_map(|i| mine.get(i));
            let near = near.min_by_key(|x| x.end_ns.abs_diff(beat.end_ns))?;
            if near.end_ns.abs_diff(beat.end_ns) > a.period_ns * 3 / 4 {
                continue;
            }
            all.push((signed(beat.start_ns, near.start_ns), signed(beat.end_ns, near.end_ns)));
        }
        if all.len() < MIN_STEPS {
            return None;
        }
        let mut starts: Vec<i64> = all.iter().map(|d| d.0).collect();
        let mut ends: Vec<i64> = all.iter().map(|d| d.1).collect();
        starts.sort_unstable();
        ends.sort_unstable();
        let median = (*starts.get(starts.len() / 2)?, *ends.get(ends.len() / 2)?);
        Some(Self { all, median })
    }

    fn share(&self, start: impl Fn(&(i64, i64)) -> bool, end: impl Fn(&(i64, i64)) -> bool) -> f64 {
        let good = self.all.iter().filter(|d| start(d) || end(d)).count();
        good as f64 / self.all.len().max(1) as f64
    }
}

fn signed(a: u64, b: u64) -> i64 {
    a as i64 - b as i64
}

/// What two hosts alone do must be very clear, and one direction alone clearer still.
fn plausible(group: &Group) -> bool {
    let edges = group.edges();
    let hosts = group.hosts().len();
    let ratio = group.tracks.iter().map(|t| t.ratio).fold(f64::MIN, f64::max);
    let per_step = group.tracks.iter().map(|t| t.per_step).max().unwrap_or(0);
    let steps = group.tracks.iter().map(|t| t.beats.iter().filter(|b| b.complete).count()).max().unwrap_or(0);
    if edges.len() == 1 {
        return per_step >= 2 && ratio >= VERY_CLEAR && steps >= LONE_STEPS;
    }
    if hosts == 2 {
        return per_step >= 2 && ratio >= VERY_CLEAR;
    }
    true
}

/// Which connected part each host belongs to.
pub(super) fn parts(edges: &Edges) -> BTreeMap<Addr, usize> {
    let hosts: Vec<Addr> = edges.iter().flat_map(|e| [e.0, e.1]).collect::<BTreeSet<Addr>>().into_iter().collect();
    let mut sets = Sets::new(hosts.len());
    for (from, to) in edges {
        if let (Ok(a), Ok(b)) = (hosts.binary_search(from), hosts.binary_search(to)) {
            sets.join(a, b);
        }
    }
    hosts.iter().enumerate().map(|(i, &host)| (host, sets.find(i))).collect()
}

/// All edges leave one host, or all enter one.
pub(super) fn star(edges: &BTreeSet<(Addr, Addr)>) -> bool {
    let from: BTreeSet<Addr> = edges.iter().map(|e| e.0).collect();
    let to: BTreeSet<Addr> = edges.iter().map(|e| e.1).collect();
    edges.len() > 1 && (from.len() == 1 || to.len() == 1)
}

/// Joins groups that share hosts and keep time, and groups that end every step together. All into or all out of one host is no
/// training, and was left out before.
fn join(parts: Vec<Group>) -> Vec<Group> {
    let mut sets = Sets::new(parts.len());
    for (i, a) in parts.iter().enumerate() {
        let hosts = a.hosts();
        for (j, b) in parts.iter().enumerate().skip(i + 1) {
            let (Some(x), Some(y)) = (a.tracks.first(), b.tracks.first()) else { continue };
            let shared = b.tracks.iter().any(|t| hosts.contains(&t.key.src) || hosts.contains(&t.key.dst));
            let near = x.period_ns.abs_diff(y.period_ns) <= x.period_ns / 10;
            if near && (shared && keeps_time(x, y) == Some(true) || ends_together(x, y)) {
                sets.join(i, j);
            }
        }
    }
    let joined = sets.split(parts);
    let whole = joined
        .into_iter()
        .map(|list| Group { tracks: list.into_iter().flat_map(|g| g.tracks).collect(), ..Group::default() });
    whole.filter(plausible).collect()
}
