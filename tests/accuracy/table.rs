//! The document.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::judge::{Grade, Judged, Verdict};
use super::variants::Variant;

const HEAD: &str = "# Accuracy

Written by `FABRICSCOPE_WRITE_ACCURACY=1 cargo test --test accuracy`; a smaller part of it runs with every `cargo test` and
fails when a fault is not named or something is invented.

Each scenario is replayed by the program itself, and its report compared with what was injected. **Named**: a finding of
the right kind about the right link, host or queue pair, at that time. *Elsewhere*: the right kind about another subject.
*Consequences*: only what follows from the fault. Faults that touch no mirrored link are left out, and corruption and
trimming where the switch cuts frames: no cut frame shows its ICRC or its length. The onset error is the
start of the finding less the moment at which the fault began (on emulated hosts: the span in which it must have begun).
Where several findings name a fault, the earliest counts; *within a tick*: at most 100 ms away. On emulated hosts a condition may
begin long before the first packet that it touches: a delay and a rate limit that begin between two steps of a job show in the
first message of the next (c07, c09: 0.5 s later); of a link that loses one packet in 100 or 50 the first loss that can be told
from a short timer counts (c02, c03: within 0.1 s of the first packet; c10: only acknowledgements before, which a repeat that
is acknowledged twice does not prove); a port that goes down is noticed with the first request to it (c11). A warning is *invented* when neither a fault nor a link that was truly
congested or paused explains it at that time.
";

type Part<'a> = (&'a str, Vec<Judged>);

pub fn document(parts: &[Part<'_>], varied: &[(&Variant, Vec<Judged>)]) -> String {
    let mut out = HEAD.to_owned();
    out.push_str("\n## All together\n\n| captures | faults | named | elsewhere | consequences | missed | warnings | invented | healthy time | invented there |\n|---|---|---|---|---|---|---|---|---|---|\n");
    for (title, judged) in parts {
        summary(title, judged, &mut out);
    }
    for (title, judged) in parts {
        by_fault(title, judged, &mut out);
    }
    out.push_str("\n## By kind of finding\n\nWarnings and worse over all captures above, and how many of them something explains.\n\n| kind | warnings | explained | precision |\n|---|---|---|---|\n");
    precision(parts, &mut out);
    out.push_str("\n## Through worse mirrors\n\nOur own scenarios whose mirrors are good, replayed through mirrors that are not.\n\n| mirror | faults | named | elsewhere | consequences | missed | warnings | invented | healthy time | invented there |\n|---|---|---|---|---|---|---|---|---|---|\n");
    for (variant, judged) in varied {
        summary(variant.title, judged, &mut out);
    }
    for (variant, judged) in varied {
        let lost: Vec<String> = failings(judged);
        let lost = if lost.is_empty() { "nothing".to_owned() } else { lost.join("; ") };
        _ = writeln!(out, "\n**{}.** {} Not named: {lost}.", variant.title, variant.means);
    }
    failures(parts, &mut out);
    out
}

fn shown(judged: &[Judged]) -> impl Iterator<Item = &Verdict> {
    judged.iter().flat_map(|j| &j.faults).filter(|f| f.mirrored)
}

fn count<'a>(faults: impl Iterator<Item = &'a Verdict>) -> [usize; 4] {
    let mut of = [0; 4];
    faults.for_each(|f| of[f.grade as usize] += 1);
    of
}

fn summary(title: &str, judged: &[Judged], out: &mut String) {
    let [missed, symptom, elsewhere, named] = count(shown(judged));
    let warned: u64 = judged.iter().flat_map(|j| j.warned.values()).map(|w| w.0).sum();
    let invented: usize = judged.iter().map(|j| j.invented.len()).sum();
    let healthy = || judged.iter().filter(|j| j.healthy);
    let seconds = healthy().map(|j| j.duration_ns).sum::<u64>() as f64 / 1e9;
    let there: usize = healthy().map(|j| j.invented.len()).sum();
    let rate = there as f64 * 3600.0 / seconds.max(1e-9);
    let faults = missed + symptom + elsewhere + named;
    _ = writeln!(
        out,
        "| {title} | {faults} | {named} | {elsewhere} | {symptom} | {missed} | {warned} | {invented} | {seconds:.1} s | {there} ({rate:.0} an hour) |"
    );
}

fn by_fault(title: &str, judged: &[Judged], out: &mut String) {
    _ = writeln!(
        out,
        "\n## Faults: {title}\n\n| fault | injected | named | elsewhere | consequences | missed | onset error, median | largest | within a tick |\n|---|---|---|---|---|---|---|---|---|"
    );
    let mut kinds: BTreeMap<&str, Vec<&Verdict>> = BTreeMap::new();
    shown(judged).for_each(|f| kinds.entry(&f.kind).or_default().push(f));
    for (kind, faults) in kinds {
        let [missed, symptom, elsewhere, named] = count(faults.iter().copied());
        let mut onsets: Vec<i64> =
            faults.iter().filter(|f| f.grade == Grade::Named).filter_map(|f| f.onset_ns).collect();
        onsets.sort_by_key(|o| o.abs());
        let ms = |o: Option<&i64>| o.map_or("-".to_owned(), |o| format!("{:.2} ms", *o as f64 / 1e6));
        let (middle, largest) = (ms(onsets.get(onsets.len() / 2)), ms(onsets.last()));
        _ = writeln!(
            out,
            "| {kind} | {} | {named} | {elsewhere} | {symptom} | {missed} | {middle} | {largest} | {} |",
            faults.len(),
            faults.iter().filter(|f| f.grade == Grade::Named && f.in_time()).count()
        );
    }
}

fn precision(parts: &[Part<'_>], out: &mut String) {
    let mut kinds: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (kind, (all, invented)) in parts.iter().flat_map(|p| &p.1).flat_map(|j| &j.warned) {
        let sum = kinds.entry(kind).or_default();
        *sum = (sum.0 + all, sum.1 + invented);
    }
    for (kind, (all, invented)) in kinds {
        let share = (all - invented) as f64 / all as f64;
        _ = writeln!(out, "| `{kind}` | {all} | {} | {share:.3} |", all - invented);
    }
}

fn failings(judged: &[Judged]) -> Vec<String> {
    let of = |j: &Judged| -> Vec<String> {
        let failed = j.faults.iter().filter(|f| f.mirrored && f.grade < Grade::Named);
        failed.map(|f| format!("{} in {} ({})", f.kind, j.name, f.grade.words())).collect()
    };
    let mut all: Vec<String> = judged.iter().flat_map(of).collect();
    all.dedup();
    all
}

fn failures(parts: &[Part<'_>], out: &mut String) {
    out.push_str("\n## What falls short\n\n");
    for (title, judged) in parts {
        for failing in failings(judged) {
            _ = writeln!(out, "- {title}: {failing}");
        }
        for (name, invented) in judged.iter().flat_map(|j| j.invented.iter().map(move |i| (&j.name, i))) {
            _ = writeln!(out, "- {title}: invented in {name}: {invented}");
        }
    }
}
