//! A link that falls silent while what runs beside it goes on.

use std::collections::BTreeMap;

use crate::packet::Addr;
use crate::report::Severity;
use crate::sketch::Latency;
use crate::tick::{LinkId, LinkInfo, LinkTick};

use super::causes::follows;
use super::config::{Knob, Knobs, hold};
use super::window::duration;
use super::{About, Case, Detector, Kind, Relation, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "link_silent",
    title: "Link silent while its peers work",
    shows: "No packet on a link for much longer than it ever paused before, while parallel links (or the other hosts) carry packets. \
            A warning where something waits: flows moved away from it, or requests over it or to its host are repeated without answer; \
            else information, for a link may be idle because nothing was left to send.",
    advice: "Check the port's state and counters at both ends; if the port is up, the path behind it.",
    knobs: &[
        Knob {
            name: "min_silence_ms",
            unit: "ms",
            values: [10.0, 100.0, 100.0],
            what: "least silence",
            source: "own: far beyond any switching or pause time",
        },
        Knob {
            name: "gap_factor",
            unit: "times",
            values: [3.0, 3.0, 3.0],
            what: "times the link's own 99.9th percentile of idle gaps (gaps over 100 us)",
            source: "own",
        },
        Knob {
            name: "min_packets",
            unit: "packets",
            values: [100.0, 100.0, 100.0],
            what: "packets that a link has carried before its silence is judged",
            source: "own: fewer give no habit to compare with",
        },
        Knob {
            name: "unanswered_timeouts",
            unit: "timeouts",
            values: [2.0, 3.0, 2.0],
            what: "timeouts towards a host that sends nothing at all, before its silence is judged without regard to its habits",
            source: "own: one may be a stall of the host",
        },
        hold(1000.0),
    ],
    follows: &[follows("failover", Relation::Path), follows("pfc_storm", Relation::Path)],
    make: |knobs| Box::new(LinkSilent::new(knobs)),
    explain,
};

#[derive(Default)]
struct Habit {
    packets: u64,
    idle: Latency,
    /// Since the last packet: flows that left, timeouts of what used it.
    moved: u64,
    timeouts: u64,
    /// Present silence began here; evidence counts from it.
    silent_since_ns: u64,
}

struct LinkSilent {
    min_ns: u64,
    factor: f64,
    min_packets: u64,
    unanswered: u64,
    habits: BTreeMap<LinkId, Habit>,
}

impl LinkSilent {
    fn new(knobs: &Knobs) -> Self {
        Self {
            min_ns: knobs.ns("min_silence_ms"),
            factor: knobs.get("gap_factor"),
            min_packets: knobs.count("min_packets"),
            unanswered: knobs.count("unanswered_timeouts").max(1),
            habits: BTreeMap::new(),
        }
    }

    /// Evidence that something waits on a silent link: timeouts of queue pairs over it or to its host, flows that moved away.
    fn gather(&mut self, view: &View<'_>) {
        for link in view.tick.links.iter().filter(|l| l.packets > 0) {
            let habit = self.habits.entry(LinkId(link.link)).or_default();
            habit.silent_since_ns = link.last_ns;
            (habit.moved, habit.timeouts) = (0, 0);
        }
        for qp in view.tick.qps.iter().filter(|q| q.roce.timeouts > 0) {
            // The receiver's own link is the silent one when it does not answer; the flow's link when nothing passes it.
            for link in [view.map.from_host(qp.key.dst), Some(qp.link)].into_iter().flatten() {
                if let Some(habit) = self.habits.get_mut(&link) {
                    let late = qp.witnesses.iter().filter(|w| w.at_ns > habit.silent_since_ns).count() as u64;
                    habit.timeouts += qp.roce.timeouts.min(late);
                }
            }
        }
        for flow_move in &view.tick.moves {
            if let Some(habit) = self.habits.get_mut(&flow_move.from)
                && view.map.alternatives(flow_move.from, flow_move.to)
                && flow_move.first_on_to_ns > habit.silent_since_ns
            {
                habit.moved += 1;
            }
        }
    }

    fn usual_ns(&self, habit: &Habit) -> u64 {
        let own = habit.idle.quantiles().map_or(0, |q| q.p999);
        self.min_ns.max((own as f64 * self.factor) as u64)
    }

    fn present(&self, view: &View<'_>, info: &LinkInfo) -> Option<Symptom> {
        let habit = self.habits.get(&info.link)?;
        let (last, now) = (view.map.last_ns(info.link), view.map.now_ns());
        let silence = now.saturating_sub(last);
        let usual = self.usual_ns(habit);
        let waits = habit.moved + habit.timeouts > 0;
        let no_answer = habit.timeouts >= self.unanswered && silence >= self.min_ns;
        if habit.packets < self.min_packets || !(silence >= usual || no_answer) || !busy_beside(view, info, last) {
            return None;
        }
        let severity = if waits { Severity::Warning } else { Severity::Info };
        let note = match (habit.moved, habit.timeouts) {
            (0, 0) => "nothing shows that anything waits for it".to_owned(),
            (0, n) => format!("{} of what uses it went unanswered", super::window::count(n as f64, "timeout")),
            (n, _) => format!("{} moved away from it", super::window::count(n as f64, "flow")),
        };
        let symptom = Symptom::new(About::Link(info.link), severity, last, now)
            .worst(silence as f64 / 1e6, "ms", if no_answer { self.min_ns } else { usual } as f64 / 1e6)
            .peak("silence_ns", silence as f64)
            .peak("usual_idle_gap_ns", usual as f64 / self.factor.max(1.0))
            .peak("flows_moved_away", habit.moved as f64)
            .peak("unanswered_timeouts", habit.timeouts as f64)
            .note(note);
        Some(with_host(symptom, info.host))
    }

    fn learn(&mut self, link: &LinkTick) {
        let habit = self.habits.entry(LinkId(link.link)).or_default();
        habit.packets += link.packets;
        habit.idle.merge(&link.idle);
    }
}

fn with_host(mut symptom: Symptom, host: Option<Addr>) -> Symptom {
    symptom.hosts.extend(host);
    symptom
}

/// Did a parallel link, or where there is none another host's link or the other direction, carry packets through the silence?
fn busy_beside(view: &View<'_>, info: &LinkInfo, since_ns: u64) -> bool {
    let (now, silence) = (view.map.now_ns(), view.map.now_ns().saturating_sub(since_ns));
    let busy = |link: LinkId| view.map.last_ns(link) + silence / 4 >= now;
    let parallels = view.map.parallels(info.link);
    if !parallels.is_empty() {
        return parallels.into_iter().any(busy);
    }
    let others = view.map.links().filter(|l| l.link != info.link && l.host.is_some() == info.host.is_some());
    others.map(|l| l.link).any(busy)
}

impl Detector for LinkSilent {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        self.gather(view);
        for info in view.map.links() {
            out.extend(self.present(view, info));
        }
        view.tick.links.iter().for_each(|l| self.learn(l));
    }
}

fn explain(case: &Case) -> String {
    format!(
        "No packet on {} for {} (before, it never paused for more than about {}), while its peers carried on; {}.",
        case.name,
        duration(case.peak("silence_ns") as u64),
        duration(case.peak("usual_idle_gap_ns") as u64),
        case.note()
    )
}
