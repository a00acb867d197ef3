//! What exchange a set of lanes performs, by the shape of the graph that its messages draw in a step and by their order.

use std::collections::{BTreeMap, BTreeSet};

use super::cadence::quantile;
use super::cluster::{Track, star};
use super::lane::Msg;
use super::ring;
use crate::packet::Addr;

/// Kinds of collective, as in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Ring, 2 (n - 1) rounds.
    RingAllreduce,
    /// Reduction up a tree and broadcast down; also pairwise exchange in log2 n rounds.
    TreeAllreduce,
    /// Ring or halving, each rank ends with its part.
    ReduceScatter,
    /// Ring or doubling, each rank ends with all.
    AllGather,
    /// Everybody to everybody.
    AllToAll,
    /// One to all, handed on.
    Broadcast,
    /// Stages of a pipeline, or pairs.
    PointToPoint,
    /// Checkpoints, parameter servers.
    ManyToOne,
    /// Data loading.
    OneToMany,
    /// None of these.
    Unknown,
}

impl Kind {
    /// Name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::RingAllreduce => "ring_allreduce",
            Self::TreeAllreduce => "tree_allreduce",
            Self::ReduceScatter => "reduce_scatter",
            Self::AllGather => "all_gather",
            Self::AllToAll => "all_to_all",
            Self::Broadcast => "broadcast",
            Self::PointToPoint => "point_to_point",
            Self::ManyToOne => "many_to_one",
            Self::OneToMany => "one_to_many",
            Self::Unknown => "unknown",
        }
    }
}

/// A recognised exchange.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shape {
    pub kind: Kind,
    /// In order for rings and pipelines.
    pub hosts: Vec<Addr>,
    /// Ranks by what the algorithm prescribes, where that is known.
    pub ranks: Option<usize>,
    /// All lanes of it are seen.
    pub closed: bool,
    pub confidence: f32,
    pub reason: String,
}

type Edges = BTreeSet<(Addr, Addr)>;

fn edges_of(tracks: &[&Track]) -> Edges {
    tracks.iter().map(|t| (t.key.src, t.key.dst)).collect()
}

fn hosts_of(edges: &Edges) -> BTreeSet<Addr> {
    edges.iter().flat_map(|e| [e.0, e.1]).collect()
}

/// Recognises the exchange of lanes that carry the same messages in the same steps.
pub(super) fn recognise(tracks: &[&Track]) -> Shape {
    let edges = edges_of(tracks);
    let per_step = tracks.iter().map(|t| t.per_step).max().unwrap_or(0);
    if let Some(order) = ring::closed(&edges).filter(|o| !butterfly_like(&edges, per_step, o.len())) {
        return closed_ring(tracks, order, per_step);
    }
    let there = edges.iter().filter(|&&(a, b)| edges.contains(&(b, a))).count();
    if there * 10 >= edges.len() * 8 {
        return both_ways(tracks, &edges, per_step);
    }
    if dense(&edges) {
        return shape(Kind::AllToAll, &edges, 0.7, "most hosts send to most others in every step");
    }
    one_way(tracks, &edges, per_step)
}

fn shape(kind: Kind, edges: &Edges, confidence: f32, reason: &str) -> Shape {
    Shape {
        kind,
        hosts: hosts_of(edges).into_iter().collect(),
        ranks: None,
        closed: false,
        confidence,
        reason: reason.to_owned(),
    }
}

/// Four hosts in a both-way cycle with few messages each: pairwise exchange, no ring.
fn butterfly_like(edges: &Edges, per_step: usize, n: usize) -> bool {
    edges.len() == 2 * n && per_step < 2 * (n - 1) && !per_step.is_multiple_of(n - 1)
}

fn closed_ring(tracks: &[&Track], order: Vec<Addr>, per_step: usize) -> Shape {
    let n = order.len();
    let pieces = pieces(tracks, &order).unwrap_or(1);
    let rounds = per_step / pieces.max(1);
    let (kind, confidence, reason) = if rounds == n - 1 {
        (
            Kind::AllGather,
            0.5,
            format!(
                "a ring of {n} with {rounds} rounds: all-gather or reduce-scatter, which headers cannot tell apart"
            ),
        )
    } else if rounds.is_multiple_of(2 * (n - 1)) {
        (
            Kind::RingAllreduce,
            0.97,
            format!(
                "a closed ring of {n} with {rounds} rounds of {pieces} message(s) in a step, each waiting for the one before it"
            ),
        )
    } else {
        (Kind::RingAllreduce, 0.7, format!("a closed ring of {n} with {per_step} messages per lane in a step"))
    };
    Shape { kind, hosts: order, ranks: Some(n), closed: true, confidence, reason }
}

/// Messages per round around a closed ring.
fn pieces(tracks: &[&Track], order: &[Addr]) -> Option<usize> {
    let first = |from: Addr, to: Addr| tracks.iter().find(|t| t.key.src == from && t.key.dst == to);
    let around = |i: usize| order.get(i % order.len()).copied();
    let mut spans: Vec<(&[Msg], &[Msg])> = Vec::new();
    for i in 0..order.len() {
        let (a, b, c) = (around(i)?, around(i + 1)?, around(i + 2)?);
        if let (Some(incoming), Some(outgoing)) = (first(a, b), first(b, c)) {
            spans.extend(matched(incoming, outgoing));
        }
    }
    ring::pieces_per_round(&spans)
}

/// The messages of the same steps of two lanes.
fn matched<'a>(a: &'a Track, b: &'a Track) -> Vec<(&'a [Msg], &'a [Msg])> {
    let mut out = Vec::new();
    for x in a.beats.iter().filter(|x| x.complete) {
        let near = b.beats.iter().filter(|y| y.complete).min_by_key(|y| y.end_ns.abs_diff(x.end_ns));
        let Some(y) = near.filter(|y| y.end_ns.abs_diff(x.end_ns) <= a.period_ns / 2) else { continue };
        if let (Some(p), Some(q)) = (a.data.get(x.first..x.first + x.len), b.data.get(y.first..y.first + y.len)) {
            out.push((p, q));
        }
    }
    out
}

/// Most hosts send to most others that the mirrors could show.
fn dense(edges: &Edges) -> bool {
    let n = hosts_of(edges).len();
    let from: BTreeSet<Addr> = edges.iter().map(|e| e.0).collect();
    let to: BTreeSet<Addr> = edges.iter().map(|e| e.1).collect();
    let possible = from.len() * to.len() - from.intersection(&to).count();
    n >= 4 && from.len() > 1 && to.len() > 1 && edges.len() * 10 >= possible * 7 && edges.len() > 2 * n
        || n >= 4 && two_sided(edges)
}

/// Complete between two sides, as when only the links between them are seen.
fn two_sided(edges: &Edges) -> bool {
    let hosts = hosts_of(edges);
    let Some(&first) = hosts.first() else { return false };
    let near =
        |h: Addr| edges.iter().filter(move |e| e.0 == h || e.1 == h).map(move |e| if e.0 == h { e.1 } else { e.0 });
    let far: BTreeSet<Addr> = near(first).collect();
    let side: BTreeSet<Addr> = hosts.difference(&far).copied().collect();
    let across = edges.iter().filter(|e| far.contains(&e.0) != far.contains(&e.1)).count();
    let directions = if edges.iter().any(|&(a, b)| edges.contains(&(b, a))) { 2 } else { 1 };
    far.len() > 1
        && side.len() > 1
        && across == edges.len()
        && edges.len() * 10 >= far.len() * side.len() * directions * 8
}

fn undirected(edges: &Edges) -> Edges {
    edges.iter().map(|&(a, b)| (a.min(b), a.max(b))).collect()
}

fn degrees(pairs: &Edges) -> BTreeMap<Addr, usize> {
    let mut out = BTreeMap::new();
    for &(a, b) in pairs {
        *out.entry(a).or_default() += 1;
        *out.entry(b).or_default() += 1;
    }
    out
}

fn both_ways(tracks: &[&Track], edges: &Edges, per_step: usize) -> Shape {
    let pairs = undirected(edges);
    let degree = degrees(&pairs);
    let n = degree.len();
    let log2 = n.ilog2() as usize;
    if n >= 4 && n.is_power_of_two() && pairs.len() * 2 == n * log2 && degree.values().all(|&d| d == log2) {
        return butterfly(tracks, edges);
    }
    if dense(edges) || n == 3 && pairs.len() == 3 && per_step <= 2 {
        return shape(
            Kind::AllToAll,
            edges,
            0.9,
            "every host sends to every other that the mirrors can show, in every step",
        );
    }
    if pairs.len() >= n {
        return shape(Kind::Unknown, edges, 0.3, "messages both ways in no known pattern");
    }
    tree_or_pipeline(tracks, edges, &degree)
}

/// Pairwise exchange at distances 1, 2, 4...: equal sizes make an allreduce, halving sizes a reduce-scatter.
fn butterfly(tracks: &[&Track], edges: &Edges) -> Shape {
    let size = |t: &&Track| t.bytes * t.per_step as u64;
    let least = tracks.iter().map(size).min().unwrap_or(0);
    let most = tracks.iter().map(size).max().unwrap_or(0);
    if most >= 2 * least {
        let late = |t: &&&Track| t.beats.first().map_or(0, |b| b.start_ns);
        let last = tracks.iter().max_by_key(late).map_or(0, size);
        let (kind, what) = if last == least { (Kind::ReduceScatter, "halving") } else { (Kind::AllGather, "doubling") };
        return shape(kind, edges, 0.8, &format!("pairwise exchange with {what} sizes in log2 n rounds"));
    }
    shape(Kind::TreeAllreduce, edges, 0.7, "pairwise exchange of equal sizes in log2 n rounds (recursive doubling)")
}

/// When the first message of each direction starts within a step: the earlier direction leads.
fn leads(tracks: &[&Track], a: Addr, b: Addr) -> Option<bool> {
    let starts = |from: Addr, to: Addr| {
        let track = tracks.iter().find(|t| t.key.src == from && t.key.dst == to)?;
        Some(track.beats.iter().filter(|x| x.complete).map(|x| (x.start_ns, x.end_ns)).collect::<Vec<_>>())
    };
    let (there, back) = (starts(a, b)?, starts(b, a)?);
    let (mut sooner, mut later) = (0_usize, 0_usize);
    for &(start, end) in &there {
        let near = back.iter().min_by_key(|x| (x.0 + x.1).abs_diff(start + end))?;
        if start < near.0 { sooner += 1 } else { later += 1 }
    }
    Some(sooner >= later)
}

fn tree_or_pipeline(tracks: &[&Track], edges: &Edges, degree: &BTreeMap<Addr, usize>) -> Shape {
    let pairs = undirected(edges);
    let up: Edges =
        pairs.iter().filter_map(|&(a, b)| Some(if leads(tracks, a, b)? { (a, b) } else { (b, a) })).collect();
    let sinks: Vec<Addr> = degree.keys().copied().filter(|h| !up.iter().any(|e| e.0 == *h)).collect();
    let path = degree.values().all(|&d| d <= 2);
    let whole = pairs.len() + 1 == degree.len();
    let root_inside = sinks.iter().any(|r| degree.get(r).is_some_and(|&d| d > 1));
    if !path && star(&up) && degree.len() > 4 {
        return shape(Kind::ManyToOne, edges, 0.6, "all to one and back: a parameter server or a flat reduction");
    }
    let busy = duty(tracks);
    if path && (!root_inside || !whole) && (busy < 0.5 || whole && degree.len() > 2) {
        return pipeline(edges, &up, whole);
    }
    let confidence = if whole && root_inside { 0.9 } else { 0.5 };
    shape(Kind::TreeAllreduce, edges, confidence, "messages gather towards one host and come back from it the same way")
}

fn pipeline(edges: &Edges, up: &Edges, whole: bool) -> Shape {
    let mut hosts: Vec<Addr> = Vec::new();
    for chain in ring::chains(up) {
        hosts.extend(chain.into_iter().filter(|h| !hosts.contains(h)).collect::<Vec<_>>());
    }
    let rest: Vec<Addr> = hosts_of(edges).into_iter().filter(|h| !hosts.contains(h)).collect();
    hosts.extend(rest);
    Shape {
        kind: Kind::PointToPoint,
        hosts,
        ranks: None,
        closed: whole,
        confidence: if whole { 0.85 } else { 0.7 },
        reason: "neighbours in a line hand messages on, one way and then back, with time to compute between them"
            .to_owned(),
    }
}

/// Time under way over time from first to last, of the lanes' steps with several messages: 1 is back to back.
fn duty(tracks: &[&Track]) -> f64 {
    let (mut busy, mut all) = (0_u64, 0_u64);
    for track in tracks {
        for beat in track.beats.iter().filter(|b| b.complete && b.len > 1) {
            let span = track.data.get(beat.first..beat.first + beat.len).unwrap_or_default();
            busy += super::steps::covered(&mut span.iter().map(|m| (m.start_ns, m.end_ns)).collect::<Vec<_>>());
            all += beat.end_ns - beat.start_ns;
        }
    }
    if all == 0 { 1.0 } else { busy as f64 / all as f64 }
}

/// One direction only: fragments of a ring, chains and trees of a broadcast, stars, pairs.
fn one_way(tracks: &[&Track], edges: &Edges, per_step: usize) -> Shape {
    let mut out: BTreeMap<Addr, usize> = BTreeMap::new();
    let mut into: BTreeMap<Addr, usize> = BTreeMap::new();
    for &(a, b) in edges {
        *out.entry(a).or_default() += 1;
        *into.entry(b).or_default() += 1;
    }
    if star(edges) {
        let (kind, why) =
            if out.len() == 1 { (Kind::OneToMany, "one sends to all") } else { (Kind::ManyToOne, "all send to one") };
        return shape(kind, edges, 0.8, why);
    }
    if out.values().chain(into.values()).all(|&d| d == 1) {
        return fragments(tracks, edges, per_step);
    }
    if into.values().all(|&d| d == 1) {
        return shape(Kind::Broadcast, edges, 0.8, "one host's messages are handed on down a tree");
    }
    shape(Kind::Unknown, edges, 0.3, "messages one way in no known pattern")
}

fn fragments(tracks: &[&Track], edges: &Edges, per_step: usize) -> Shape {
    let chains = ring::chains(edges);
    let (mut free, mut bound) = (0_usize, 0_usize);
    for track in tracks {
        let next = tracks.iter().find(|t| t.key.src == track.key.dst);
        for (incoming, outgoing) in next.map(|n| matched(track, n)).unwrap_or_default() {
            if let (Some(needed), Some(sent)) = (incoming.first(), outgoing.first()) {
                if sent.start_ns < needed.end_ns { free += 1 } else { bound += 1 }
            }
        }
    }
    let hosts: Vec<Addr> = chains.into_iter().flatten().collect();
    let part = |kind, ranks, confidence, reason: String| Shape {
        kind,
        hosts: hosts.clone(),
        ranks,
        closed: false,
        confidence,
        reason,
    };
    if bound > 4 * free {
        return part(
            Kind::Broadcast,
            None,
            0.7,
            "each host hands on what it received: a chain from one source".to_owned(),
        );
    }
    if per_step < 2 {
        return part(Kind::PointToPoint, None, 0.4, "one message one way per step".to_owned());
    }
    if !per_step.is_multiple_of(2) {
        return part(
            Kind::Unknown,
            None,
            0.3,
            format!("{per_step} equal messages one way per step: an odd number of rounds"),
        );
    }
    let sure = if free > 0 { 0.75 } else { 0.5 };
    let ranks = per_step / 2 + 1;
    part(
        Kind::RingAllreduce,
        Some(ranks),
        sure,
        format!(
            "part of a ring: {per_step} equal messages one way per step, as between {ranks} ranks; the rest of it is not mirrored"
        ),
    )
}

/// Median length of the exchange in a step, ns: from the first message of its lanes to the last.
pub(super) fn duration_ns(tracks: &[&Track]) -> Option<u64> {
    let mut all: Vec<u64> =
        tracks.iter().flat_map(|t| t.beats.iter().filter(|b| b.complete).map(|b| b.end_ns - b.start_ns)).collect();
    quantile(&mut all, 0.5)
}
