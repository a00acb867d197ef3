//! Marks, notifications, pauses, bursts, balance and speed.

use super::*;
use crate::report::Severity;

/// `calm` for all links but one, which is what `slot` says.
fn busy(scene: &mut Scene, link: u32, slot: impl Fn(&Tick, u64) -> LinkSlot) -> Vec<Finding> {
    scene.tick(|t| {
        t.links = (0..8).map(|l| if l == link { with_slots(t, l, |i| slot(t, i)) } else { calm(t, l) }).collect()
    })
}

/// Slots of a share of the speed with so many marks and senders, beginning 2 ms into each slot.
fn marked(t: &Tick, i: u64, share: f64, marks: u64, senders: u16) -> LinkSlot {
    let at = t.start_ns + i * SLOT_NS;
    let bytes = (31_250_000.0 * share) as u64;
    let ce = |ns| if marks > 0 { ns } else { 0 };
    LinkSlot {
        packets: bytes / 4200,
        bytes,
        ect_packets: bytes / 4200,
        ce_packets: marks,
        ce_first_ns: ce(at + 2 * MS),
        ce_last_ns: ce(at + 9 * MS),
        max_bytes_100us: 310_000,
        max_senders_100us: senders,
        max_100us_at_ns: at,
        ce_bins: if marks > 0 { 70 } else { 0 },
        ce_max_bytes_100us: if marks > 0 { 310_000 } else { 0 },
        ce_max_senders_100us: if marks > 0 { senders } else { 0 },
        ..LinkSlot::default()
    }
}

#[test]
fn marks_are_judged_by_share_over_a_slot_or_a_window() {
    let mut short = Scene::new();
    short.calm(20);
    busy(&mut short, 4, |t, i| marked(t, i, 0.9, if i == 3 { 600 } else { 0 }, 2));
    let f = short.one("ecn_congestion");
    assert_eq!((f.severity, f.since_ns), (Severity::Warning, T0 + 2032 * MS));
    let mut few = Scene::new();
    few.calm(20);
    busy(&mut few, 4, |t, i| marked(t, i, 0.9, if i == 3 { 5 } else { 0 }, 2));
    assert_eq!(few.found("ecn_congestion"), []);
    let mut long = Scene::new();
    long.calm(2);
    for _ in 0..3 {
        busy(&mut long, 4, |t, i| marked(t, i, 0.5, 1_000, 2));
    }
    let f = long.one("ecn_congestion");
    assert_eq!(
        (f.severity, f.since_ns, f.subject.link.as_deref()),
        (Severity::Critical, T0 + 202 * MS, Some("leaf0-spine0"))
    );
}

#[test]
fn many_notifications_are_pressure_and_none_is_congestion_control_off() {
    let scene = |cnps: u64| {
        let mut scene = Scene::new();
        for _ in 0..15 {
            scene.tick(|t| {
                t.links = (0..8).map(|l| calm(t, l)).collect();
                let data = RoceCounters { data_packets: 1000, ..RoceCounters::default() };
                let mut there = qp(t, 1, 2, 0, data, &[]);
                there.ce_packets = 100;
                let mut back = qp(t, 2, 1, 2, RoceCounters::default(), &[(Sign::Cnp, 5 * MS)]);
                back.cnp_packets = cnps;
                t.qps = vec![there, back];
            });
        }
        (scene.found("cnp_pressure").len(), scene.found("congestion_control_off").len())
    };
    assert_eq!((scene(30), scene(1), scene(0)), ((1, 0), (0, 0), (0, 1)));
}

#[test]
fn senders_to_one_host_are_incast_and_a_short_one_a_microburst() {
    let mut incast = Scene::new();
    incast.calm(2);
    busy(&mut incast, 1, |t, i| if i < 3 { marked(t, i, 0.95, 500, 6) } else { marked(t, i, 0.0, 0, 0) });
    let f = incast.one("incast");
    assert_eq!((f.severity, f.value, f.since_ns), (Severity::Warning, 6.0, T0 + 202 * MS));
    assert_eq!(incast.one("ecn_congestion").cause.as_deref(), Some(f.id.as_str()));

    let mut two = Scene::new();
    busy(&mut two, 1, |t, i| marked(t, i, 0.95, 500, 2));
    assert_eq!(two.found("incast"), [], "two senders are no incast");
    let mut uplink = Scene::new();
    busy(&mut uplink, 4, |t, i| marked(t, i, 0.95, 500, 9));
    assert_eq!(uplink.found("incast"), [], "nor many on the way to a spine");

    let mut burst = Scene::new();
    busy(&mut burst, 1, |t, i| {
        let mut slot = marked(t, i, 0.02, if i == 4 { 40 } else { 0 }, 6);
        slot.ce_last_ns = slot.ce_first_ns + if i == 4 { 200_000 } else { 0 };
        slot
    });
    burst.calm(1);
    let f = burst.one("microburst");
    assert_eq!((f.severity, f.since_ns), (Severity::Info, T0 + 42 * MS));
    assert_eq!(burst.found("incast"), []);
}

/// A slot paused for a share of its time, as one hold that began at `since`.
fn paused(t: &Tick, i: u64, share: f64, since_ns: u64) -> LinkSlot {
    let at = t.start_ns + i * SLOT_NS;
    let paused_ns = (SLOT_NS as f64 * share) as u64;
    let held = |ns| if share > 0.0 { ns } else { 0 };
    LinkSlot {
        packets: 10,
        bytes: 40_000,
        pfc_frames: if share > 0.0 { 20 } else { 0 },
        paused_ns,
        held_since_ns: held(since_ns),
        held_until_ns: held(at + paused_ns),
        ..LinkSlot::default()
    }
}

#[test]
fn pauses_of_a_switch_are_congestion_and_those_of_a_host_a_slow_receiver() {
    let mut switch = Scene::new();
    switch.calm(20);
    busy(&mut switch, 4, |t, i| paused(t, i, if i < 3 { 0.3 } else { 0.0 }, t.start_ns + i * SLOT_NS));
    let f = switch.one("pfc_congestion");
    assert_eq!((f.severity, f.since_ns), (Severity::Warning, T0 + 2000 * MS));
    assert!(f.explanation.starts_with("spine0 pauses leaf0"), "{}", f.explanation);
    assert_eq!(switch.found("slow_receiver"), []);

    let mut host = Scene::new();
    host.calm(20);
    busy(&mut host, 1, |t, i| paused(t, i, 0.4, t.start_ns + i * SLOT_NS));
    let slow = host.one("slow_receiver");
    assert_eq!((slow.severity, slow.subject.host.as_deref()), (Severity::Warning, Some("10.0.0.1")));
    assert_eq!(host.found("pfc_storm"), []);

    let mut rare = Scene::new();
    rare.calm(20);
    busy(&mut rare, 1, |t, i| paused(t, i, 0.001, t.start_ns + i * SLOT_NS));
    assert_eq!((rare.found("pfc_congestion"), rare.found("slow_receiver")), (vec![], vec![]));
}

#[test]
fn rnr_is_a_slow_receiver() {
    let mut scene = Scene::new();
    scene.tick(|t| {
        t.links = (0..8).map(|l| calm(t, l)).collect();
        let roce = RoceCounters { rnr: 2, ..RoceCounters::default() };
        t.qps = vec![qp(t, 2, 1, 2, roce, &[(Sign::Rnr, 4 * MS)])];
    });
    let f = scene.one("slow_receiver");
    assert_eq!((f.subject.host.as_deref(), f.since_ns), (Some("10.0.0.2"), T0 + 4 * MS));
}

#[test]
fn a_hold_without_a_break_is_a_storm_and_blames_the_host() {
    let mut scene = Scene::new();
    scene.calm(2);
    let since = T0 + 205 * MS;
    for _ in 0..3 {
        busy(&mut scene, 1, |t, i| paused(t, i, 1.0, since));
    }
    let storm = scene.one("pfc_storm");
    assert_eq!((storm.severity, storm.since_ns), (Severity::Critical, since));
    assert_eq!(scene.one("pfc_congestion").cause.as_deref(), Some(storm.id.as_str()));
}

#[test]
fn a_circle_of_held_links_is_a_deadlock_and_a_row_is_none() {
    let run = |links: &[u32]| {
        let mut scene = Scene::new();
        scene.calm(1);
        for _ in 0..6 {
            scene.tick(|t| {
                let held = |l: u32| with_slots(t, l, |i| paused(t, i, 1.0, T0 + 100 * MS));
                t.links = (0..8).map(|l| if links.contains(&l) { held(l) } else { calm(t, l) }).collect();
            });
        }
        scene.found("pfc_deadlock")
    };
    let circle = run(&[4, 6]);
    assert_eq!(
        (circle.len(), circle[0].severity, circle[0].evidence.numbers["links_in_circle"]),
        (1, Severity::Critical, 2.0)
    );
    assert_eq!(run(&[1, 4]), []);
}

#[test]
fn full_links_and_uneven_ones() {
    let mut even = Scene::new();
    for _ in 0..3 {
        even.tick(|t| t.links = (4..6).map(|l| with_slots(t, l, |i| marked(t, i, 0.9, 50, 3))).collect());
    }
    assert_eq!((even.found("link_saturated").len(), even.found("ecmp_imbalance").len()), (2, 0));
    let mut uneven = Scene::new();
    for _ in 0..3 {
        busy(&mut uneven, 4, |t, i| marked(t, i, 0.9, 50, 3));
    }
    let f = uneven.one("ecmp_imbalance");
    assert_eq!((f.subject.link.as_deref(), f.since_ns), (Some("leaf0-spine0"), T0 + 2 * MS));
    let mut fast = Scene::new();
    for _ in 0..3 {
        busy(&mut fast, 4, |t, i| marked(t, i, 0.9, 0, 3));
    }
    assert_eq!((fast.found("link_saturated"), fast.found("ecmp_imbalance")), (vec![], vec![]), "busy without a queue");
}

#[test]
fn a_lowered_ceiling_with_a_queue_is_a_degraded_link() {
    let slow = |marks: u64| {
        let mut scene = Scene::new();
        for _ in 0..2 {
            busy(&mut scene, 4, |t, i| marked(t, i, 0.8, 0, 2));
        }
        busy(&mut scene, 4, |t, i| LinkSlot { max_bytes_100us: 80_000, ..marked(t, i, 0.25, marks, 2) });
        scene.found("link_degraded")
    };
    let found = slow(100);
    assert_eq!((found.len(), found[0].since_ns), (1, T0 + 202 * MS));
    assert!(found[0].explanation.contains("6.4 Gbit/s"), "{}", found[0].explanation);
    assert_eq!(slow(0), [], "slow because nothing is offered");
}

#[test]
fn round_trips_are_compared_with_the_links_own_past() {
    let tick = |scene: &mut Scene, bucket: u16, n: u32| {
        scene.tick(|t| {
            t.links = (0..8).map(|l| calm(t, l)).collect();
            t.links[0].rtt = SparseHistogram(vec![(bucket, n)]);
        })
    };
    let bucket = |us: u64| crate::sketch::bucket_of(us * 1000);
    let mut scene = Scene::new();
    for _ in 0..5 {
        tick(&mut scene, bucket(40), 100);
    }
    tick(&mut scene, bucket(60), 100);
    assert_eq!(scene.found("rtt_inflation"), []);
    tick(&mut scene, bucket(400), 5);
    assert_eq!(scene.found("rtt_inflation"), [], "too few samples");
    tick(&mut scene, bucket(400), 100);
    let f = scene.one("rtt_inflation");
    assert_eq!((f.severity, f.subject.link.as_deref()), (Severity::Warning, Some("h1-leaf0")));
}
