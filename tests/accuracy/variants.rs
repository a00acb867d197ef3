//! The same scenarios through worse mirrors.

use fixtures::sim::scenario::Scenario;
use fixtures::sim::worse::Worse;

/// What is done to every mirror of a scenario.
pub struct Variant {
    pub title: &'static str,
    /// What can't be expected any more, and why.
    pub means: &'static str,
    /// Judged by every test run.
    pub always: bool,
    how: Worse,
}

pub const ALL: &[Variant] = &[
    Variant {
        title: "mirror loses 1 %",
        means: "Gaps in the envelope's sequence show it; every finding of that time carries the caveat.",
        always: true,
        how: Worse::Loses,
    },
    Variant {
        title: "one frame in 100",
        means: "PSN order, messages, jobs, pauses and moves can't be known from a sample: only shares (marks) and rates are judged.",
        always: true,
        how: Worse::Samples,
    },
    Variant {
        title: "cut to 96 bytes",
        means: "Headers are whole; the ICRC and the length of a frame are not: corruption and trimming can't be seen and don't count.",
        always: true,
        how: Worse::Cuts,
    },
    Variant {
        title: "5 % of frames twice",
        means: "A copy is told by IP identification and place.",
        always: true,
        how: Worse::Doubles,
    },
    Variant {
        title: "clocks 10 us apart",
        means: "The order between taps is lost; a loss is placed by time to live, a cause may seem to follow its effect.",
        always: true,
        how: Worse::Clocks,
    },
];

impl Variant {
    /// A scenario so changed.
    pub fn of(&self, scenario: &Scenario) -> Scenario {
        let mut changed = scenario.clone();
        self.how.make(&mut changed);
        changed
    }
}

/// Every scenario whose mirrors are good so far, changed.
pub fn of_all(variant: &Variant, scenarios: &[Scenario]) -> Vec<Scenario> {
    let good = |s: &&Scenario| {
        let plain = |m: &fixtures::sim::mirror::MirrorPlan| {
            m.loss == 0.0 && m.one_in == 1 && m.doubling == 0.0 && m.offset_ns == 0 && m.cut.is_none()
        };
        s.mirrors.iter().all(plain) && !s.name.contains("_hosts")
    };
    scenarios.iter().filter(good).map(|s| variant.of(s)).collect()
}
