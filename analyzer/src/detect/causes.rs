//! A finding that follows from another names it: the queue pair that timed out blames the link that failed, the paused link
//! blames the port that pauses it.

use std::collections::{BTreeMap, BTreeSet};

use super::ledger::KindId;
use super::{About, Case, KINDS, Map};

/// How a cause lies to its victim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// They share a link (either direction), a queue pair, or a host.
    Path,
    /// The same link in the same direction.
    SameLink,
    /// The cause's link begins where the victim's ends: what can't leave a switch holds what would enter it.
    Downstream,
    /// The cause's link ends where the victim's begins: marks set upstream are carried on.
    Upstream,
    /// Anywhere in the fabric, at the same time.
    Anywhere,
}

/// A kind that can bring another about.
#[derive(Clone, Copy, Debug)]
pub struct Follows {
    /// Kind of the cause.
    pub kind: &'static str,
    /// Where it must lie.
    pub by: Relation,
}

/// Short form for lists.
pub const fn follows(kind: &'static str, by: Relation) -> Follows {
    Follows { kind, by }
}

/// A cause may be seen this much later than what follows from it (its own evidence comes late), in ns.
const LATER_NS: u64 = 50_000_000;
/// And what follows may begin this long after the cause was last seen, in ns.
const AFTER_NS: u64 = 1_000_000_000;

/// Cases by kind.
type ByKind<'a> = BTreeMap<&'static str, Vec<&'a Case>>;

/// Most cases of one kind that are looked at for one victim, the earliest first.
const MAX_SUSPECTS: usize = 256;

/// Gives cases without a cause, among those that changed, the first that fits. `recent`: closed ones, the newest of which may still get theirs.
pub fn join(
    open: &mut BTreeMap<(KindId, About), Case>,
    recent: &mut [(KindId, Case)],
    changed: &BTreeSet<(KindId, About)>,
    map: &Map,
) {
    let found = find_all(open, recent, changed, map);
    for (id, cause) in found {
        let all = open.values_mut().chain(recent.iter_mut().map(|(_, c)| c));
        all.filter(|c| c.id == id && c.cause.is_none()).for_each(|c| c.cause = Some(cause.clone()));
    }
}

fn find_all(
    open: &BTreeMap<(KindId, About), Case>,
    recent: &[(KindId, Case)],
    changed: &BTreeSet<(KindId, About)>,
    map: &Map,
) -> Vec<(String, String)> {
    let all = || open.iter().map(|((kind, _), c)| (*kind, c)).chain(recent.iter().map(|(k, c)| (*k, c)));
    let mut by_kind: ByKind<'_> = BTreeMap::new();
    all().for_each(|(kind, c)| by_kind.entry(KINDS.get(kind).map_or("", |k| k.name)).or_default().push(c));
    by_kind.values_mut().for_each(|cases| cases.sort_by(|a, b| (a.since_ns, &a.id).cmp(&(b.since_ns, &b.id))));
    let mut causes: BTreeMap<&str, &str> =
        all().filter_map(|(_, c)| Some((c.id.as_str(), c.cause.as_deref()?))).collect();
    let mut found = Vec::new();
    let fresh = |kind: KindId, c: &Case| changed.contains(&(kind, c.about.clone()));
    for (kind, victim) in all().filter(|(kind, c)| c.cause.is_none() && fresh(*kind, c)) {
        let rules = KINDS.get(kind).map_or(&[][..], |k| k.follows);
        if let Some(cause) = find(rules, victim, &by_kind, map).filter(|c| !leads_to(c, &victim.id, &causes)) {
            causes.insert(&victim.id, cause);
            found.push((victim.id.clone(), cause.to_owned()));
        }
    }
    found
}

/// Would naming this cause close a circle?
fn leads_to(from: &str, to: &str, causes: &BTreeMap<&str, &str>) -> bool {
    let mut at = Some(from);
    for _ in 0..causes.len() + 2 {
        match at {
            Some(id) if id == to => return true,
            Some(id) => at = causes.get(id).copied(),
            None => return false,
        }
    }
    true
}

fn find<'a>(follows: &[Follows], victim: &Case, by_kind: &ByKind<'a>, map: &Map) -> Option<&'a str> {
    follows.iter().find_map(|rule| {
        let suspects = by_kind.get(rule.kind).map_or(&[][..], Vec::as_slice);
        let near = suspects.iter().filter(|c| c.id != victim.id && together(c, victim)).take(MAX_SUSPECTS);
        near.into_iter().find(|c| related(rule.by, c, victim, map)).map(|c| c.id.as_str())
    })
}

fn together(cause: &Case, victim: &Case) -> bool {
    cause.since_ns <= victim.since_ns.saturating_add(LATER_NS)
        && victim.since_ns <= cause.last_ns.saturating_add(AFTER_NS)
}

fn related(by: Relation, cause: &Case, victim: &Case, map: &Map) -> bool {
    let ends = |case: &Case| match case.about {
        About::Link(link) => map.info(link).map(|i| (i.from.clone(), i.to.clone())),
        _ => None,
    };
    match by {
        Relation::Anywhere => true,
        Relation::SameLink => matches!(cause.about, About::Link(_)) && cause.about == victim.about,
        Relation::Path => shared(cause, victim, map),
        Relation::Downstream => ends(cause).zip(ends(victim)).is_some_and(|(c, v)| c.0 == v.1 && c.1 != v.0),
        Relation::Upstream => ends(cause).zip(ends(victim)).is_some_and(|(c, v)| c.1 == v.0 && c.0 != v.1),
    }
}

fn shared(cause: &Case, victim: &Case, map: &Map) -> bool {
    let reverse_too = |l: &_| victim.links.contains(l) || map.reverse(*l).is_some_and(|r| victim.links.contains(&r));
    let own = |case: &Case| match &case.about {
        About::Qp(key) => vec![*key],
        _ => Vec::new(),
    };
    cause.links.iter().any(reverse_too)
        || cause.hosts.intersection(&victim.hosts).next().is_some()
        || own(victim).iter().chain(&victim.qps).any(|q| cause.qps.contains(q))
}
