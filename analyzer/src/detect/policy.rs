//! A user's rule that holds for a flow. The rules are evaluated in [`crate::policy`]; here is what their findings are.

use super::config::{Knobs, hold};
use super::{Case, Detector, Kind, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "policy",
    title: "A rule of the user's policy holds",
    shows: "A condition in CEL over name, behaviour, hosts, link and job of a flow, as the policy file states it (docs/policy.md). \
            One finding per rule and sender; severity is the rule's. A rule that could not be evaluated says so.",
    advice: "Look at the flows named, and at why the rule was written.",
    knobs: &[hold(10_000.0)],
    follows: &[],
    make: |_: &Knobs| Box::new(Elsewhere),
    explain,
};

/// Rules see whole flows and jobs, not ticks: they are evaluated where those are known.
struct Elsewhere;

impl Detector for Elsewhere {
    fn judge(&mut self, _: &View<'_>, _: &mut Vec<Symptom>) {}
}

fn explain(case: &Case) -> String {
    format!("The rule {}: {}", case.name, case.note())
}
