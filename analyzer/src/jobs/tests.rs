//! Steps and stragglers over made-up messages of a ring.

use super::cadence::{self, Fit};
use super::lane::Msg;
use super::{Cause, Jobs, JobsConfig};
use crate::packet::Addr;
use crate::tick::{Message, MessageKind, QpKey, Tick};

/// A microsecond.
const US: u64 = 1_000;

fn msg(start_ns: u64, end_ns: u64) -> Msg {
    Msg { start_ns, end_ns, over_ns: end_ns, bytes: 4096, count: 1, ..Msg::default() }
}

/// `steps` of six messages; in the step `hung`, all after the first message wait for `hang_ns`.
fn lane(steps: usize, hung: usize, hang_ns: u64) -> Vec<Msg> {
    let mut at = 0;
    let mut out = Vec::new();
    for step in 0..steps {
        for i in 0..6 {
            at += if step == hung && i == 1 { hang_ns } else { US };
            out.push(msg(at, at + 10 * US));
            at += 10 * US;
        }
        at += 1_000 * US;
    }
    out
}

fn cut(messages: &[Msg]) -> Vec<usize> {
    let gaps = cadence::gaps(messages);
    let fit: Fit = cadence::fit(messages, &gaps, 6).unwrap_or_default();
    cadence::cut(messages, &gaps, 6, &fit).iter().map(|b| b.len).collect()
}

#[test]
fn a_hang_within_a_step_does_not_end_it() {
    assert_eq!(cut(&lane(8, 5, 7_000 * US)), [6; 8]);
}

#[test]
fn while_the_step_after_a_hang_is_not_over_it_is_still_one() {
    let mut messages = lane(6, 5, 7_000 * US);
    messages.truncate(5 * 6 + 3);
    assert_eq!(cut(&messages), [6, 6, 6, 6, 6, 3]);
}

#[test]
fn a_message_that_the_mirror_lost_shortens_its_step_alone() {
    let mut messages = lane(8, 8, 0);
    messages.remove(3 * 6 + 2);
    assert_eq!(cut(&messages), [6, 6, 6, 5, 6, 6, 6, 6]);
}

fn host(i: u8) -> Addr {
    let mut bytes = [0; 16];
    bytes[15] = i + 1;
    Addr(bytes)
}

/// When a rank begins a step later than agreed, and how much longer each of its messages takes, in ns.
type Trouble = fn(step: u64, rank: u8) -> (u64, u64);

/// A ring of four that exchanges 64 KiB in six rounds every 100 ms, one tick a step.
fn ring(steps: u64, trouble: Trouble) -> Vec<Tick> {
    let mut psn = 0;
    (0..steps)
        .map(|step| {
            let begin_ns = 1_000_000_000 + step * 100_000 * US;
            // When each rank may send its next message: its own start, then what its neighbour's message allows.
            let mut ready: Vec<u64> = (0..4).map(|r| begin_ns + trouble(step, r).0 + u64::from(r) * US).collect();
            let mut messages = Vec::new();
            for _ in 0..6 {
                let over: Vec<u64> = (0..4_u8).zip(&ready).map(|(r, at)| at + 500 * US + trouble(step, r).1).collect();
                for r in 0..4_u8 {
                    psn += 16;
                    let key = QpKey { src: host(r), dst: host((r + 1) % 4), dst_qp: u32::from(r) };
                    messages.push(Message {
                        start_ns: ready[r as usize],
                        end_ns: over[r as usize],
                        acked_ns: Some(over[r as usize] + 5 * US),
                        bytes: 65_536,
                        count: 1,
                        first_psn: psn,
                        last_psn: psn + 15,
                        kind: MessageKind::WriteImm,
                        ..Message::empty(key)
                    });
                }
                ready = (0..4).map(|r| over[(r + 3) % 4].max(over[r]) + 5 * US).collect();
            }
            messages.sort_by_key(Message::order);
            Tick { start_ns: begin_ns, end_ns: begin_ns + 100_000 * US, messages, ..Tick::default() }
        })
        .collect()
}

/// Per step of the one job: who held it up, and why.
fn blames(ticks: &[Tick]) -> Vec<Option<(Addr, Cause)>> {
    let mut jobs = Jobs::new(JobsConfig::default(), false);
    ticks.iter().for_each(|t| {
        jobs.absorb(t);
    });
    jobs.finish();
    assert_eq!(jobs.known().len(), 1, "one ring, one job");
    jobs.known()[0].steps.iter().map(|s| s.blame.map(|b| (b.host, b.cause))).collect()
}

#[test]
fn nobody_holds_up_a_healthy_ring() {
    assert_eq!(blames(&ring(12, |step, rank| (step * 7 % 5 * u64::from(rank) * 20 * US, 0))), [None; 12]);
}

#[test]
fn a_rank_that_computes_longer_begins_late() {
    let seen = blames(&ring(12, |step, rank| (if rank == 2 && step >= 6 { 20_000 * US } else { 0 }, 0)));
    assert_eq!(seen[..6], [None; 6]);
    assert_eq!(seen[6..], [Some((host(2), Cause::LateStart)); 6]);
}

#[test]
fn a_rank_on_a_slow_path_has_slow_messages() {
    let seen = blames(&ring(12, |step, rank| (0, if rank == 1 && step >= 6 { 3_000 * US } else { 0 })));
    assert_eq!(seen[..6], [None; 6]);
    assert_eq!(seen[6..], [Some((host(1), Cause::SlowMessage)); 6]);
}

/// One of four jobs' names: as a find without a look at messages would give it.
fn found(lanes: &[(u8, u8)], start_ns: u64) -> super::registry::Found {
    let lanes = lanes.iter().map(|&(a, b)| QpKey { src: host(a), dst: host(b), dst_qp: 1 });
    let step = |i: u64| super::StepRecord {
        start_ns: start_ns + i * 10_000 * US,
        end_ns: start_ns + i * 10_000 * US + US,
        communication_ns: US,
        silent: (0, 0),
        whole: true,
        blame: None,
    };
    super::registry::Found {
        hosts: lanes.clone().flat_map(|k| [k.src, k.dst]).collect(),
        lanes: lanes.collect(),
        exchanges: Vec::new(),
        steps: (0..4).map(step).collect(),
        confidence: 1.0,
    }
}

#[test]
fn of_two_jobs_that_turn_out_to_be_one_the_older_name_stays() {
    let mut registry = super::registry::Registry::new(8, 64);
    let none = super::lanes::Lanes::default();
    registry.update(Some(vec![found(&[(0, 1)], US), found(&[(2, 3), (3, 2)], 2 * US)]), &none, 0);
    registry.update(Some(vec![found(&[(0, 1), (2, 3), (3, 2)], US)]), &none, 0);
    let names: Vec<&str> = registry.jobs.iter().map(|j| j.id.as_str()).collect();
    assert_eq!(names, ["job-1"]);
    assert_eq!(registry.renamed.get("job-2").map(String::as_str), Some("job-1"));
}

/// Where a receiver returns a credit for each message, a step lasts until its last one is back, however late it is.
#[test]
fn a_step_lasts_until_the_last_credit_is_back() {
    let late = |step: u64| if step == 7 { 30_000 * US } else { 2 * US };
    let mut ticks = ring(12, |_, _| (0, 0));
    let mut ends = Vec::new();
    for (step, tick) in ticks.iter_mut().enumerate() {
        let mut credits: Vec<Message> = Vec::new();
        let last = tick.messages.iter().map(|m| m.end_ns).max().unwrap_or(0);
        for m in &tick.messages {
            let key = QpKey { src: m.key.dst, dst: m.key.src, dst_qp: 100 + m.key.dst_qp };
            let end_ns = m.end_ns + if m.end_ns == last { late(step as u64) } else { US };
            let acked_ns = Some(end_ns + 5 * US);
            credits.push(Message { start_ns: end_ns, end_ns, acked_ns, bytes: 4, count: 1, ..Message::empty(key) });
        }
        ends.push(last + late(step as u64) + 5 * US);
        tick.messages.extend(credits);
        tick.messages.sort_by_key(Message::order);
    }
    let mut jobs = Jobs::new(JobsConfig::default(), false);
    ticks.iter().for_each(|t| {
        jobs.absorb(t);
    });
    jobs.finish();
    assert_eq!(jobs.known()[0].steps.iter().map(|s| s.end_ns).collect::<Vec<_>>(), ends);
}

/// One of four lanes stalls within a step for longer than between steps, again and again: it is still cut where the others are.
#[test]
fn a_lane_that_stalls_is_cut_where_the_others_are() {
    let ticks = ring(12, |step, rank| (0, if rank == 1 && step % 3 == 0 { 9_000 * US } else { 0 }));
    let mut jobs = Jobs::new(JobsConfig::default(), false);
    ticks.iter().for_each(|t| {
        jobs.absorb(t);
    });
    jobs.finish();
    let job = &jobs.known()[0];
    assert_eq!((job.lanes.len(), job.steps.len()), (4, 12));
    assert!(job.steps.iter().all(|s| s.whole));
}

#[test]
fn a_step_is_known_with_the_tick_that_holds_its_end() {
    let mut jobs = Jobs::new(JobsConfig::default(), false);
    for (n, tick) in ring(12, |_, _| (0, 0)).iter().enumerate() {
        jobs.absorb(tick);
        let known = jobs.known().first().map_or(0, |j| j.steps.len());
        assert_eq!(known, if n < 2 { 0 } else { n + 1 }, "after tick {n}");
    }
}

/// A second ring that ends its steps with the first, and from the sixth on begins and ends a little later, all its ranks alike.
#[test]
fn a_ring_that_is_late_as_a_whole_holds_nobody_up() {
    let mut ticks = ring(12, |_, _| (0, 0));
    for (step, tick) in ticks.iter_mut().enumerate() {
        let later = if step >= 6 { 6_000 * US } else { 0 };
        let shifted = |m: &Message| {
            let far = |a: Addr| host(a.0[15] + 3);
            let key = QpKey { src: far(m.key.src), dst: far(m.key.dst), ..m.key };
            let acked_ns = m.acked_ns.map(|at| at + later);
            Message { key, start_ns: m.start_ns + later, end_ns: m.end_ns + later, acked_ns, ..*m }
        };
        let other: Vec<Message> = tick.messages.iter().map(shifted).collect();
        tick.messages.extend(other);
        tick.messages.sort_by_key(Message::order);
    }
    assert_eq!(blames(&ticks), [None; 12]);
}
