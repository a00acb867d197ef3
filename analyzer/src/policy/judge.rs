//! Evaluates the rules over flows as they become known, and says what they mean.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cel::Value;

use super::facts::Facts;
use super::{Policy, Rule};
use crate::detect::{About, Symptom};
use crate::fabric::Totals;
use crate::jobs::Jobs;
use crate::packet::Addr;
use crate::report::Severity;
use crate::tick::{FlowKey, FlowTick, QpKey, Tick};

/// Flows looked at in one tick; the others wait for the next.
const PER_TICK: usize = 1_024;
/// Flows that wait.
const WAITING: usize = 65_536;
/// A flow whose payload says nothing more for so long stays unknown, in ns.
const SETTLES_NS: u64 = 2_000_000_000;

/// What was known of a flow when it was last looked at: another look is due when this changes.
type Known = (Option<&'static str>, bool, u32, Option<u16>, Option<u8>, Option<String>, u32, bool);

/// What the rules say of a flow.
#[derive(Debug, Default)]
struct Verdict {
    known: Option<Known>,
    /// Rules that hold, by their place.
    rules: Vec<u16>,
}

/// The rules at work.
#[derive(Debug, Default)]
pub struct Judge {
    policy: Arc<Policy>,
    verdicts: BTreeMap<FlowKey, Verdict>,
    waiting: BTreeSet<FlowKey>,
    /// Flows without an answer so far.
    unsettled: BTreeSet<FlowKey>,
    /// Rules that could not be evaluated: how often, and why the first time.
    failed: BTreeMap<usize, (u64, String)>,
    /// Flows that found no place among those that wait.
    pub left_out: u64,
}

impl Judge {
    /// With a policy.
    pub fn new(policy: Arc<Policy>) -> Self {
        Self { policy, ..Self::default() }
    }

    /// Looks at a tick: what the rules find.
    pub fn judge(&mut self, tick: &Tick, totals: &Totals, jobs: &Jobs) -> Vec<Symptom> {
        if self.policy.is_empty() {
            return Vec::new();
        }
        for flow in &tick.flows {
            self.wait(flow.key);
        }
        let late: Vec<FlowKey> =
            self.unsettled.iter().filter(|k| settled_by_age(totals, k, tick.end_ns)).copied().collect();
        late.into_iter().for_each(|key| self.wait(key));
        let fresh = self.look(totals, jobs, tick.end_ns, PER_TICK, false);
        self.forget(totals);
        // Of a flow that a rule holds for from now on all that was counted so far; then what each tick adds.
        let mut out = self.of_flows(fresh.iter().filter_map(|key| Some(&totals.flows.get(key)?.sum)), totals);
        out.extend(self.of_flows(tick.flows.iter().filter(|flow| !fresh.contains(&flow.key)), totals));
        out.extend(self.failures(tick.end_ns));
        out
    }

    /// No more ticks: what is still without a name stays so.
    pub fn finish(&mut self, totals: &Totals, jobs: &Jobs) -> Vec<Symptom> {
        if self.policy.is_empty() {
            return Vec::new();
        }
        self.waiting.extend(std::mem::take(&mut self.unsettled));
        let fresh = self.look(totals, jobs, u64::MAX, usize::MAX, true);
        let mut out = self.of_flows(fresh.iter().filter_map(|key| Some(&totals.flows.get(key)?.sum)), totals);
        out.extend(self.failures(totals.span_ns.map_or(0, |s| s.1)));
        out
    }

    /// Tags of a flow.
    pub fn tags(&self, key: &FlowKey) -> Vec<&str> {
        self.rules_of(key).filter_map(|rule| rule.tag.as_deref()).collect()
    }

    fn wait(&mut self, key: FlowKey) {
        if self.waiting.len() < WAITING {
            self.waiting.insert(key);
        } else {
            self.left_out += 1;
        }
    }

    /// Evaluates the rules for waiting flows of which more is known than before. Gives those for which other rules hold now.
    fn look(&mut self, totals: &Totals, jobs: &Jobs, now_ns: u64, most: usize, last: bool) -> BTreeSet<FlowKey> {
        let ends = JobsOfHosts::of(jobs);
        let (mut fresh, mut left) = (BTreeSet::new(), most);
        while left > 0 {
            let Some(key) = self.waiting.pop_first() else { break };
            let Some(total) = totals.flows.get(&key) else { continue };
            let flow = &total.sum;
            let settled = flow.closed || flow.app.is_some() || last || settled_by_age(totals, &key, now_ns);
            self.note_settled(key, settled);
            let facts =
                Facts { flow, link: totals.info(flow.link), settled, job: job_of(jobs, &key), jobs: ends.jobs(&key) };
            let known = known(&facts);
            if self.verdicts.get(&key).is_some_and(|v| v.known.as_ref() == Some(&known)) {
                continue;
            }
            left -= 1;
            let rules = self.evaluate(&facts);
            let verdict = self.verdicts.entry(key).or_default();
            if !rules.is_empty() && rules != verdict.rules {
                fresh.insert(key);
            }
            *verdict = Verdict { known: Some(known), rules };
        }
        fresh
    }

    fn note_settled(&mut self, key: FlowKey, settled: bool) {
        if settled {
            self.unsettled.remove(&key);
        } else if self.unsettled.len() < WAITING {
            self.unsettled.insert(key);
        }
    }

    /// The rules that hold, up to one that excludes.
    fn evaluate(&mut self, facts: &Facts<'_>) -> Vec<u16> {
        let context = facts.context(&self.policy.owners, &self.policy.uses);
        let mut held = Vec::new();
        for (place, rule) in self.policy.rules.iter().enumerate() {
            let why = match rule.program.execute(&context) {
                Ok(Value::Bool(true)) => {
                    held.push(place as u16);
                    if rule.exclude {
                        break;
                    }
                    continue;
                }
                Ok(Value::Bool(false)) => continue,
                Ok(_) => "its condition is neither true nor false".to_owned(),
                Err(why) => why.to_string(),
            };
            self.failed.entry(place).or_insert((0, why)).0 += 1;
        }
        held
    }

    fn of_flows<'a>(&self, flows: impl Iterator<Item = &'a FlowTick>, totals: &Totals) -> Vec<Symptom> {
        flows.flat_map(|flow| self.rules_of(&flow.key).filter_map(|rule| symptom(rule, flow, totals))).collect()
    }

    fn rules_of(&self, key: &FlowKey) -> impl Iterator<Item = &Rule> {
        let rules = self.verdicts.get(key).map_or(&[][..], |v| v.rules.as_slice());
        rules.iter().filter_map(|r| self.policy.rules.get(usize::from(*r)))
    }

    /// Rules that could not be evaluated.
    fn failures(&mut self, now_ns: u64) -> Vec<Symptom> {
        let failed = std::mem::take(&mut self.failed);
        let all = failed.into_iter().filter_map(|(place, (times, why))| {
            let rule = self.policy.rules.get(place)?;
            let about = About::Rule(rule.name.clone(), Addr::default());
            let note = format!("could not be evaluated on every flow: {why}");
            Some(Symptom::new(about, Severity::Info, now_ns, now_ns).counted(times as f64, "flows", 0.0).note(note))
        });
        all.collect()
    }

    /// Verdicts of flows that the totals forgot.
    fn forget(&mut self, totals: &Totals) {
        if self.verdicts.len() > totals.flows.len() + totals.flows.len() / 8 + 64 {
            self.verdicts.retain(|key, _| totals.flows.get(key).is_some());
            self.unsettled.retain(|key| totals.flows.get(key).is_some());
        }
    }
}

/// What a rule with a severity finds in a flow.
fn symptom(rule: &Rule, flow: &FlowTick, totals: &Totals) -> Option<Symptom> {
    let severity = rule.severity?;
    let key = &flow.key;
    let since_ns = totals.flows.get(key).map_or(flow.first_ns, |t| t.sum.first_ns).min(flow.first_ns);
    let advice = rule.advice.as_deref().map_or_else(String::new, |advice| format!(" {advice}"));
    let link = totals.info(flow.link);
    let on = link.map_or_else(String::new, |l| format!(" on {}", l.name));
    let note = format!("{} from {} to {}{on}.{advice}", flow.app.unwrap_or("unknown"), key.src, key.dst);
    let symptom = Symptom {
        involved: vec![format!("{}:{} -> {}:{}", key.src, flow.sport, key.dst, key.dport)],
        hosts: vec![key.src, key.dst],
        ..Symptom::new(About::Rule(rule.name.clone(), key.src), severity, since_ns, flow.last_ns)
    };
    let symptom = symptom.counted(flow.bytes as f64, "bytes", 0.0).sum("packets", flow.packets as f64).note(note);
    Some(if link.is_some() { symptom.on(flow.link) } else { symptom })
}

fn known(facts: &Facts<'_>) -> Known {
    let flow = facts.flow;
    let job = facts.job.map(|(id, kind)| format!("{id}/{kind}"));
    // Sums are looked at anew whenever they have doubled.
    let doublings = u64::BITS - flow.bytes.leading_zeros();
    let of_jobs = facts.jobs.iter().any(|job| !job.is_empty());
    (flow.app, facts.settled, flow.link.0, flow.vlan, flow.dscp, job, doublings, of_jobs)
}

fn job_of<'a>(jobs: &'a Jobs, key: &FlowKey) -> Option<(&'a str, &'static str)> {
    let qp = QpKey { src: key.src, dst: key.dst, dst_qp: key.dst_qp? };
    jobs.of_qp(&qp).map(|(id, kind)| (id, kind.name()))
}

fn settled_by_age(totals: &Totals, key: &FlowKey, now_ns: u64) -> bool {
    totals.flows.get(key).is_none_or(|t| now_ns.saturating_sub(t.sum.first_ns) >= SETTLES_NS)
}

/// Which job a host works for, as found in its packets.
struct JobsOfHosts<'a>(BTreeMap<Addr, &'a str>);

impl<'a> JobsOfHosts<'a> {
    fn of(jobs: &'a Jobs) -> Self {
        let running = jobs.known().iter().filter(|job| !job.ended);
        Self(running.flat_map(|job| job.hosts.iter().map(|host| (*host, job.id.as_str()))).collect())
    }

    fn jobs(&self, key: &FlowKey) -> [&'a str; 2] {
        [key.src, key.dst].map(|host| self.0.get(&host).copied().unwrap_or(""))
    }
}
