//! A finding that follows from another names it: the queue pair that timed out blames the link that failed, the paused link
//! blames the port that pauses it.

use std::collections::BTreeMap;

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

/// Gives every case without a cause the first that fits.
pub fn join(open: &mut BTreeMap<(KindId, About), Case>, recent: &mut [(KindId, Case)], map: &Map) {
    let known: Vec<(KindId, Case)> =
        open.iter().map(|((kind, _), c)| (*kind, c.clone())).chain(recent.iter().cloned()).collect();
    if known.len() < 2 {
        return;
    }
    let by_id: BTreeMap<&str, &Case> = known.iter().map(|(_, c)| (c.id.as_str(), c)).collect();
    let orphans = open.iter_mut().map(|((kind, _), c)| (*kind, c)).chain(recent.iter_mut().map(|(k, c)| (*k, c)));
    for (kind, case) in orphans.filter(|(_, c)| c.cause.is_none()) {
        case.cause =
            KINDS.get(kind).and_then(|k| find(k.follows, case, &known, map)).filter(|c| !leads_to(c, &case.id, &by_id));
    }
}

/// Would naming this cause close a circle?
fn leads_to(from: &str, to: &str, by_id: &BTreeMap<&str, &Case>) -> bool {
    let mut at = Some(from);
    for _ in 0..by_id.len() {
        match at {
            Some(id) if id == to => return true,
            Some(id) => at = by_id.get(id).and_then(|c| c.cause.as_deref()),
            None => return false,
        }
    }
    true
}

fn find(follows: &[Follows], victim: &Case, known: &[(KindId, Case)], map: &Map) -> Option<String> {
    follows.iter().find_map(|rule| {
        let fits = |(kind, case): &&(KindId, Case)| {
            KINDS.get(*kind).is_some_and(|k| k.name == rule.kind)
                && case.id != victim.id
                && together(case, victim)
                && related(rule.by, case, victim, map)
        };
        known.iter().filter(fits).min_by_key(|(_, c)| (c.since_ns, &c.id)).map(|(_, c)| c.id.clone())
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
