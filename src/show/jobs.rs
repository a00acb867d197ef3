//! The training jobs that were recognised, and what each pays.

use std::io::{self, Write};

use analyzer::report::{Collective, Job};
use analyzer::verdict::Pays;

use super::style::{Ink, Style, clean, shorten};
use super::units;

/// Jobs shown; the rest is counted.
const ROWS_MAX: usize = 20;
/// What stands for a thing that was not measured.
const UNKNOWN: &str = "-";

const TITLES: [&str; 6] = ["hosts", "steps", "step p50", "p99", "communicates", "pays a step"];

/// Prints the table: a line for each job, what it exchanges and who holds it up below.
pub fn table(jobs: &[Job], pays: &[Pays], style: Style, out: &mut dyn Write) -> io::Result<()> {
    let shown: Vec<&Job> = jobs.iter().take(ROWS_MAX).collect();
    let cells: Vec<[String; 6]> = shown.iter().map(|job| row(job, pays)).collect();
    let width = |i: usize| cells.iter().map(|c| c[i].chars().count()).fold(TITLES[i].len(), usize::max);
    let widths: [usize; 6] = std::array::from_fn(width);
    let name = shown.iter().map(|j| j.id.chars().count()).fold("job".len(), usize::max).min(24);
    let line = |first: &str, cells: &[&str; 6]| {
        let cells = cells.iter().zip(widths).map(|(cell, width)| format!("  {cell:>width$}"));
        format!("  {:name$}{}", shorten(&clean(first), name), cells.collect::<String>())
    };
    writeln!(out, "{}", style.paint(Ink::Strong, &line("job", &TITLES)))?;
    for (job, cells) in shown.iter().zip(&cells) {
        writeln!(out, "{}", line(&job.id, &cells.each_ref().map(String::as_str)))?;
        for text in job.collectives.iter().map(exchange).chain(job.stragglers.iter().map(delay)) {
            writeln!(out, "{}", style.paint(Ink::Dim, &format!("    {}", shorten(&clean(&text), style.width - 4))))?;
        }
    }
    let rest = jobs.len().saturating_sub(ROWS_MAX) as u64;
    if rest > 0 {
        let text = format!("  and {}: all stand in the report (--report FILE)", units::counted(rest, "more job"));
        writeln!(out, "{}", style.paint(Ink::Dim, &text))?;
    }
    Ok(())
}

fn row(job: &Job, pays: &[Pays]) -> [String; 6] {
    let time = |of: fn(&analyzer::report::StepTime) -> u64| {
        job.step_ns.as_ref().map_or(UNKNOWN.to_owned(), |step| units::duration(of(step)))
    };
    let cost = pays.iter().find(|p| p.job == job.id).filter(|p| p.cost_ns_per_step > 0);
    [
        units::count(job.hosts.len() as u64),
        units::count(job.steps.len() as u64 + job.steps_left_out),
        time(|step| step.p50),
        time(|step| step.p99),
        communicates(job).map_or(UNKNOWN.to_owned(), units::percent),
        cost.map_or(UNKNOWN.to_owned(), |p| units::duration(p.cost_ns_per_step)),
    ]
}

/// Share of its time that the job has messages under way, over the steps that are listed.
fn communicates(job: &Job) -> Option<f64> {
    let (first, last) = (job.steps.first()?, job.steps.last()?);
    let whole = last.start_ns.checked_sub(first.start_ns).filter(|ns| *ns > 0)?;
    let under_way: u64 = job.steps.iter().rev().skip(1).map(|step| step.communication_ns).sum();
    Some(under_way as f64 / whole as f64)
}

fn exchange(one: &Collective) -> String {
    let ranks = one.ranks.unwrap_or(one.hosts.len() as u64);
    let mut text = format!("{} of {} between {}", one.kind, units::bytes(one.bytes), units::counted(ranks, "rank"));
    if one.busbw_bps > 0 {
        text.push_str(&format!(", bus bandwidth {}", units::rate(one.busbw_bps as f64)));
    }
    if !one.complete {
        text.push_str(", partly mirrored");
    }
    text
}

fn delay(one: &analyzer::report::Straggler) -> String {
    let why = if one.cause == "late_start" { "starts late" } else { "has slow messages" };
    format!("{} {why} in {}: {} of the time", one.host, units::counted(one.steps, "step"), units::percent(one.share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use analyzer::report::{Step, StepTime, Straggler};

    fn printed(jobs: &[Job], pays: &[Pays]) -> String {
        let mut out = Vec::new();
        table(jobs, pays, Style { colour: false, width: 100 }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_job_says_what_it_pays_and_who_holds_it_up() {
        let step =
            |n: u64| Step { start_ns: n * 10_000_000, end_ns: n * 10_000_000 + 4_000_000, communication_ns: 2_500_000 };
        let job = Job {
            id: "job-1".to_owned(),
            hosts: vec!["a".to_owned(); 8],
            steps: (0..5).map(step).collect(),
            steps_left_out: 1_000,
            step_ns: Some(StepTime { p50: 10_000_000, p99: 12_500_000 }),
            stragglers: vec![Straggler {
                host: "a".to_owned(),
                cause: "late_start".to_owned(),
                share: 0.125,
                steps: 3,
            }],
            ..Job::default()
        };
        let pays = Pays { job: "job-1".to_owned(), cost_ns_per_step: 1_800_000, finding: "x".to_owned() };
        let text = printed(&[job], &[pays]);
        let lines: Vec<String> = text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines[1], "job-1 8 1,005 10 ms 12.5 ms 25 % 1.80 ms");
        assert_eq!(lines[2], "a starts late in 3 steps: 12.5 % of the time");
    }

    #[test]
    fn what_was_not_measured_is_not_zero() {
        let text = printed(&[Job { id: "\u{1b}[31m".to_owned(), ..Job::default() }], &[]);
        assert!(text.lines().nth(1).unwrap().ends_with("0      0         -    -             -            -"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }
}
