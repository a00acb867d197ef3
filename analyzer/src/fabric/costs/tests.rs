//! What a finding costs a job is told by its steps; what it touches is told even where nothing was lost.

use std::collections::{BTreeSet, VecDeque};

use super::*;
use crate::packet::Addr;
use crate::report::{Severity, Subject, SubjectQp};

const MS: u64 = 1_000_000;

fn host(n: u8) -> Addr {
    Addr::v4([10, 0, 0, n])
}

fn lane(src: u8, dst: u8) -> QpKey {
    QpKey { src: host(src), dst: host(dst), dst_qp: u32::from(dst) }
}

/// Ten steps of 10 ms; those from `from` on take `longer_ns` more.
fn job(id: &str, hosts: &[u8], from: usize, longer_ns: u64) -> JobState {
    let mut at = 100 * MS;
    let step = |i: usize| {
        let start_ns = at;
        at += 10 * MS + if i >= from { longer_ns } else { 0 };
        StepRecord {
            start_ns,
            end_ns: start_ns + 4 * MS,
            communication_ns: MS,
            silent: (0, 0),
            whole: true,
            blame: None,
        }
    };
    let steps: VecDeque<StepRecord> = (0..11).map(step).collect();
    JobState {
        id: id.to_owned(),
        hosts: hosts.iter().map(|h| host(*h)).collect(),
        lanes: hosts.windows(2).map(|w| lane(w[0], w[1])).collect(),
        exchanges: Vec::new(),
        steps,
        steps_forgotten: 0,
        period_ns: 10 * MS,
        last_ns: at,
        confidence: 1.0,
        in_step: false,
        ended: false,
    }
}

fn links(of: &[(&str, &[&str])]) -> JobLinks {
    let set = |links: &[&str]| links.iter().map(|l| (*l).to_owned()).collect::<BTreeSet<String>>();
    JobLinks { by_job: of.iter().map(|(job, l)| ((*job).to_owned(), set(l))).collect(), back: BTreeMap::new() }
}

fn finding(id: &str, subject: Subject, since_ns: u64, until_ns: Option<u64>) -> Finding {
    let (id, kind) = (id.to_owned(), "fabric_loss".to_owned());
    Finding { id, kind, subject, since_ns, until_ns, severity: Severity::Warning, ..Finding::default() }
}

fn on_link(link: &str) -> Subject {
    Subject { link: Some(link.to_owned()), ..Subject::default() }
}

fn costs_of(finding: &Finding) -> Vec<(&str, u64)> {
    finding.jobs.iter().map(|j| (j.job.as_str(), j.cost_ns_per_step)).collect()
}

#[test]
fn a_link_costs_the_jobs_that_cross_it_what_their_steps_take_longer() {
    let jobs = [job("job-1", &[1, 2], 5, 3 * MS), job("job-2", &[3, 4], 0, 0), job("job-3", &[5, 6], 5, 3 * MS)];
    let links = links(&[("job-1", &["a"]), ("job-2", &["a", "b"]), ("job-3", &["b"])]);
    let mut all = [finding("x", on_link("a"), 150 * MS, None)];
    links.charge(&mut all, &jobs);
    assert_eq!(costs_of(&all[0]), [("job-1", 3 * MS), ("job-2", 0)], "job-3 is slower too, but not by this link");
}

#[test]
fn a_job_is_named_though_none_of_its_steps_fell_into_the_finding() {
    let jobs = [job("job-1", &[1, 2], 11, 0)];
    let mut all = [finding("x", on_link("a"), 10 * MS, Some(20 * MS)), finding("y", on_link("z"), 10 * MS, None)];
    links(&[("job-1", &["a"])]).charge(&mut all, &jobs);
    assert_eq!(costs_of(&all[0]), [("job-1", 0)]);
    assert_eq!(costs_of(&all[1]), [], "a link that no job crosses costs none");
}

#[test]
fn a_queue_pair_touches_the_job_it_works_for_either_way() {
    let jobs = [job("job-1", &[1, 2], 5, 2 * MS)];
    let mut links = links(&[("job-1", &[])]);
    links.back.insert(QpKey { src: host(2), dst: host(1), dst_qp: 77 }, "job-1".to_owned());
    let qp = |src: u8, dst: u8, dst_qp| Subject {
        qp: Some(SubjectQp { src: host(src).to_string(), dst: host(dst).to_string(), dst_qp }),
        ..Subject::default()
    };
    let mut all =
        [qp(1, 2, 2), qp(2, 1, 77), qp(2, 1, 78)].map(|subject| finding("x", subject, 150 * MS, Some(220 * MS)));
    links.charge(&mut all, &jobs);
    assert_eq!(all.each_ref().map(|f| costs_of(f).len()), [1, 1, 0]);
    assert_eq!(costs_of(&all[1]), [("job-1", 2 * MS)]);
}

#[test]
fn the_ledger_sums_to_what_was_lost_and_names_the_worst_finding() {
    let slow = job("job-1", &[1, 2], 5, 4 * MS);
    let links = links(&[("job-1", &["a"])]);
    let mut bad = finding("x", on_link("a"), 150 * MS, Some(177 * MS));
    bad.severity = Severity::Critical;
    let mild = finding("y", on_link("a"), 150 * MS, Some(177 * MS));
    let rows = links.ledger(&slow, &[mild, bad]);
    let told: Vec<(&str, Option<&str>, u64, u64)> =
        rows.iter().map(|r| (r.cause.as_str(), r.finding.as_deref(), r.lost_ns, r.steps)).collect();
    assert_eq!(told, [("unexplained", None, 12 * MS, 3), ("fabric_loss", Some("x"), 8 * MS, 2)]);
    let whole = 50 * MS + 70 * MS;
    assert!((rows[1].share - 8.0 * MS as f64 / whole as f64).abs() < 1e-9);
    assert_eq!(efficiency(&slow).map(|e| (e * 100.0).round()), Some(71.0));
}

#[test]
fn of_findings_equally_bad_the_dearest_comes_first() {
    let cost = |id: &str, cost_ns_per_step| {
        let mut one = finding(id, on_link("a"), 1, None);
        one.jobs = vec![JobCost { job: "job-1".to_owned(), cost_ns_per_step }];
        one
    };
    let mut all = [cost("cheap", 1), cost("dear", 9), Finding { severity: Severity::Critical, ..cost("worst", 0) }];
    dearest_first(&mut all);
    assert_eq!(all.each_ref().map(|f| f.id.as_str()), ["worst", "dear", "cheap"]);
}
