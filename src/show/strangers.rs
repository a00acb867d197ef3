//! Who scans and who is flooded, in one line each: told from the behaviour of flows (docs/jobs.md, "What other flows do").

use std::collections::{BTreeMap, BTreeSet};

use analyzer::report::{Flow, Report};

use super::units;

/// Hosts named; the rest is counted.
const HOSTS_MAX: usize = 3;

/// What is worth a line.
pub fn notes(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(told(
        report,
        "scan",
        |f| (&f.src, format!("{}:{}", f.dst, f.dport)),
        |who, n| format!("{who} scans: tried {} in vain", units::counted(n, "endpoint")),
    ));
    notes.extend(told(
        report,
        "flood",
        |f| (&f.dst, format!("{}:{}", f.src, f.sport)),
        |who, n| format!("{who} is flooded: {} came to nothing", units::counted(n, "attempt")),
    ));
    notes
}

fn told(
    report: &Report,
    behaviour: &str,
    of: impl Fn(&Flow) -> (&String, String),
    say: impl Fn(&str, u64) -> String,
) -> Vec<String> {
    let mut hosts: BTreeMap<&String, BTreeSet<String>> = BTreeMap::new();
    for (host, other) in report.flows.iter().filter(|f| f.behaviour.as_deref() == Some(behaviour)).map(of) {
        hosts.entry(host).or_default().insert(other);
    }
    let mut all: Vec<(&String, u64)> = hosts.into_iter().map(|(host, others)| (host, others.len() as u64)).collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let mut notes: Vec<String> = all.iter().take(HOSTS_MAX).map(|(host, n)| say(host, *n)).collect();
    if all.len() > HOSTS_MAX {
        notes.push(format!("and {} more hosts: {behaviour}", units::count((all.len() - HOSTS_MAX) as u64)));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(src: &str, dst: &str, port: u16, behaviour: &str) -> Flow {
        let behaviour = Some(behaviour.to_owned());
        Flow { src: src.to_owned(), dst: dst.to_owned(), sport: 1, dport: port, behaviour, ..Flow::default() }
    }

    #[test]
    fn scanners_and_flooded_hosts_are_named_and_others_not() {
        let mut flows: Vec<Flow> = (1..=20).map(|port| flow("10.0.0.7", "10.0.0.9", port, "scan")).collect();
        flows.extend((1..=30).map(|n| flow(&format!("172.16.0.{n}"), "10.0.0.2", 443, "flood")));
        flows.push(flow("10.0.0.1", "10.0.0.2", 80, "request_response"));
        let said = notes(&Report { flows, ..Report::default() });
        assert_eq!(
            said,
            ["10.0.0.7 scans: tried 20 endpoints in vain", "10.0.0.2 is flooded: 30 attempts came to nothing"]
        );
        assert!(notes(&Report::default()).is_empty());
    }
}
