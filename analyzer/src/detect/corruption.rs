//! Damaged packets: ICRC mismatch in whole frames, or the mirror's own word.

use crate::report::Severity;
use crate::tick::{LinkId, Sign};

use super::config::{Knob, Knobs, hold};
use super::symptom::moments;
use super::window::{count, percent};
use super::{About, Case, Detector, Kind, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "corruption",
    title: "Damaged packets",
    shows: "The invariant CRC of a whole RDMA frame does not match (IBTA A17.3.3), or the switch says in ERSPAN III that the \
            packet was bad (BSO 3). Truncated mirrors can't show the first; the report says how many frames were checked.",
    advice: "Clean or replace optics and cable between the sender and this tap; compare FCS errors of the ports on that way.",
    knobs: &[
        Knob {
            name: "warn_packets",
            unit: "packets",
            values: [1.0, 1.0, 1.0],
            what: "damaged packets of one tick on one link",
            source: "IBTA A17: the ICRC is end to end, nothing may change what it covers",
        },
        Knob {
            name: "critical_packets",
            unit: "packets",
            values: [10.0, 100.0, 100.0],
            what: "damaged packets of one tick that are critical",
            source: "own",
        },
        hold(5000.0),
    ],
    follows: &[],
    make: |knobs| Box::new(Corruption::new(knobs)),
    explain,
};

struct Corruption {
    warn: u64,
    critical: u64,
}

impl Corruption {
    fn new(knobs: &Knobs) -> Self {
        Self { warn: knobs.count("warn_packets").max(1), critical: knobs.count("critical_packets") }
    }

    fn severity(&self, bad: u64) -> Severity {
        match bad {
            n if n >= self.critical => Severity::Critical,
            n if n >= self.warn => Severity::Warning,
            _ => Severity::Info,
        }
    }
}

impl Detector for Corruption {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        let checked = |id: LinkId| view.link(id).map_or((0, 0), |l| (l.roce.icrc_checked, l.roce.icrc_bad));
        let note = match view.tick.capture.icrc_unchecked {
            0 => "whose ICRC does not match",
            _ => "whose ICRC does not match, of a sample that was compared",
        };
        for qp in view.tick.qps.iter().filter(|q| q.roce.icrc_bad > 0) {
            let (first, last) = moments(qp, &[Sign::IcrcBad]);
            let (all, bad) = checked(qp.link);
            let symptom = Symptom::new(About::Link(qp.link), self.severity(bad.max(qp.roce.icrc_bad)), first, last)
                .counted(qp.roce.icrc_bad as f64, "packets", self.warn as f64)
                .sum("icrc_bad_packets", qp.roce.icrc_bad as f64)
                .peak("icrc_bad_share", bad as f64 / all.max(1) as f64)
                .note(note);
            out.push(symptom.qp(qp, view.map).witnesses(qp, &[Sign::IcrcBad]));
        }
        for link in view.tick.links.iter().filter(|l| l.bso_bad > 0) {
            let symptom =
                Symptom::new(About::Link(LinkId(link.link)), self.severity(link.bso_bad), link.first_ns, link.last_ns)
                    .counted(link.bso_bad as f64, "packets", self.warn as f64)
                    .sum("bso_bad_packets", link.bso_bad as f64)
                    .note("that the mirroring switch calls bad");
            out.push(symptom);
        }
    }
}

fn explain(case: &Case) -> String {
    let share = case.peak("icrc_bad_share");
    let of = if share > 0.0 { format!(" (up to {} of those checked)", percent(share)) } else { String::new() };
    format!("{} on {} {}{of}, within {}.", count(case.value, "packet"), case.name, case.note(), case.lasting())
}
