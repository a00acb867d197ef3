//! Loss, timeouts, waste, damage, order, errors, and our own sight.

use super::*;
use crate::report::Severity;
use crate::tick::TapTick;

#[test]
fn loss_before_the_tap_is_on_the_link_that_shows_it() {
    let mut scene = Scene::new();
    scene.calm(2);
    scene.tick(|t| {
        t.links = (0..8).map(|l| calm(t, l)).collect();
        let roce = RoceCounters { data_packets: 1000, lost_before_tap: 2, retransmitted: 5, ..RoceCounters::default() };
        t.qps = vec![qp(t, 1, 9, 6, roce, &[(Sign::LostBeforeTap, 32 * MS)])];
    });
    let f = scene.one("fabric_loss");
    assert_eq!((f.subject.link.as_deref(), f.severity, f.value), (Some("spine0-leaf0"), Severity::Warning, 2.0));
    assert_eq!((f.since_ns, f.evidence.first_packets[0].psn), (T0 + 232 * MS, Some(7)));
    assert!(f.explanation.contains("2 packets lost on spine0->leaf0") && f.explanation.contains("before the tap"));
}

#[test]
fn loss_after_the_senders_link_is_on_the_receivers_link() {
    let mut scene = Scene::new();
    scene.tick(|t| {
        t.links = (0..8).map(|l| calm(t, l)).collect();
        let lost = RoceCounters { data_packets: 100, lost_after_tap: 12, ..RoceCounters::default() };
        let nak = RoceCounters { nak_sequence: 12, ..RoceCounters::default() };
        t.qps = vec![qp(t, 1, 2, 0, lost, &[]), qp(t, 2, 1, 2, nak, &[])];
    });
    let f = scene.one("fabric_loss");
    assert_eq!((f.subject.link.as_deref(), f.severity), (Some("leaf0-h2"), Severity::Critical));
    assert_eq!(f.evidence.numbers["nak_packets"], 0.0, "the NAK speaks of the loss already counted");
}

#[test]
fn a_nak_alone_says_that_the_place_is_unknown() {
    let mut scene = Scene::new();
    scene.tick(|t| {
        t.links = (0..8).map(|l| calm(t, l)).collect();
        let nak = RoceCounters { nak_sequence: 1, ..RoceCounters::default() };
        t.qps = vec![qp(t, 2, 1, 2, nak, &[(Sign::NakSequence, 5)])];
    });
    let f = scene.one("fabric_loss");
    assert_eq!(f.subject.link.as_deref(), Some("leaf0-h2"));
    assert!(f.explanation.contains("not known"), "{}", f.explanation);
}

#[test]
fn timeouts_add_up_and_begin_with_the_silence() {
    let mut scene = Scene::new();
    scene.calm(3);
    for n in 0..3 {
        scene.tick(|t| {
            t.links = (0..8).map(|l| calm(t, l)).collect();
            let roce = RoceCounters { data_packets: 10, retransmitted: 4, timeouts: 1, ..RoceCounters::default() };
            let mut one = qp(t, 1, 2, 0, roce, &[(Sign::Timeout, 50 * MS)]);
            one.timeout_silence_ns_max = 70 * MS;
            t.qps = vec![one];
        });
        let f = scene.one("timeout_retransmit");
        assert_eq!((f.severity, f.value, f.since_ns), (Severity::Info, f64::from(n + 1), T0 + 280 * MS));
    }
    scene.calm(5);
    let f = scene.one("timeout_retransmit");
    assert_eq!((f.severity, f.since_ns), (Severity::Critical, T0 + 280 * MS));
}

#[test]
fn a_timeout_is_weighed_by_the_answers_to_the_repeat() {
    let run = |again: u64| {
        let mut scene = Scene::new();
        scene.calm(3);
        for n in 0..2 {
            scene.tick(|t| {
                t.links = (0..8).map(|l| calm(t, l)).collect();
                let timeouts = u64::from(n == 0);
                let roce = RoceCounters {
                    data_packets: 10,
                    retransmitted: timeouts,
                    timeouts,
                    acknowledged_again: if n == 1 { again } else { 0 },
                    ..RoceCounters::default()
                };
                t.qps = vec![qp(t, 1, 2, 0, roce, &[(Sign::Timeout, 90 * MS)])];
            });
        }
        scene.finish();
        scene.one("timeout_retransmit")
    };
    assert_eq!((run(0).severity, run(1).severity), (Severity::Warning, Severity::Info));
    assert!(run(1).explanation.contains("nothing was lost") && !run(0).explanation.contains("nothing was lost"));
}

#[test]
fn waste_needs_enough_repeats_and_livelock_needs_no_progress() {
    let waste = |repeated: u64, useful: u64, rounds: u32| waste_after(repeated, useful, rounds, 1);
    assert_eq!(waste(5, 10, 1), None, "too few");
    assert_eq!(waste(20, 10_000, 1), None, "too small a share");
    assert_eq!(waste(50, 1_000, 1), Some((Severity::Warning, false)));
    assert_eq!(waste(500, 1_000, 2), Some((Severity::Critical, false)));
    assert_eq!(waste(500, 0, 5), Some((Severity::Critical, true)));
    assert_eq!(waste_after(500, 1_000, 2, 0), Some((Severity::Info, false)), "nothing was lost");
}

fn waste_after(repeated: u64, useful: u64, rounds: u32, lost: u64) -> Option<(Severity, bool)> {
    {
        let mut scene = Scene::new();
        scene.tick(|t| {
            t.links = (0..8).map(|l| calm(t, l)).collect();
            let roce = RoceCounters {
                data_packets: repeated + useful,
                retransmitted: repeated,
                retransmitted_bytes: repeated * 4096,
                useful_bytes: useful * 4096,
                lost_after_tap: lost,
                ..RoceCounters::default()
            };
            let mut one = qp(t, 1, 2, 0, roce, &[(Sign::Retransmit, MS)]);
            one.repeats_of_one_psn_max = rounds;
            t.qps = vec![one];
        });
        scene.found("goback_waste").first().map(|f| (f.severity, f.explanation.contains("livelock")))
    }
}

#[test]
fn damage_is_named_by_link_with_its_share() {
    let mut scene = Scene::new();
    scene.tick(|t| {
        let roce = RoceCounters { data_packets: 100, icrc_checked: 100, icrc_bad: 2, ..RoceCounters::default() };
        t.links = (0..8).map(|l| calm(t, l)).collect();
        t.links[0].roce = roce;
        t.links[5].bso_bad = 3;
        t.qps = vec![qp(t, 1, 2, 0, roce, &[(Sign::IcrcBad, 9)])];
    });
    let all = scene.found("corruption");
    let mut values: Vec<_> = all.iter().map(|f| (f.subject.link.clone().unwrap(), f.value)).collect();
    values.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(values, [("h1-leaf0".to_owned(), 2.0), ("leaf0-spine1".to_owned(), 3.0)]);
    assert!(all.iter().any(|f| f.explanation.contains("2 % of those checked")), "{all:?}");
}

#[test]
fn late_packets_are_information() {
    let mut scene = Scene::new();
    scene.tick(|t| {
        t.links = (0..8).map(|l| calm(t, l)).collect();
        let roce = RoceCounters { data_packets: 100, inversions: 4, ..RoceCounters::default() };
        let mut one = qp(t, 1, 2, 0, roce, &[(Sign::Inversion, 9)]);
        one.inversion_depth_max = 6;
        t.qps = vec![one];
    });
    let f = scene.one("reordering");
    assert_eq!((f.severity, f.evidence.numbers["depth_packets_max"]), (Severity::Info, 6.0));
}

#[test]
fn fatal_naks_and_exhausted_retries_are_errors() {
    let mut scene = Scene::new();
    scene.tick(|t| {
        t.links = (0..8).map(|l| calm(t, l)).collect();
        let mut nak = qp(t, 2, 1, 2, RoceCounters::default(), &[(Sign::NakRemoteAccess, 9)]);
        nak.naks = [0, 0, 1, 0];
        t.qps = vec![nak];
    });
    let f = scene.one("qp_error");
    assert!(f.explanation.contains("refused a request of 10.0.0.1: remote access error"), "{}", f.explanation);
    for answered in [false, true] {
        let mut scene = Scene::new();
        for _ in 0..8 {
            scene.tick(|t| {
                t.links = (0..8).map(|l| calm(t, l)).collect();
                let roce = RoceCounters { data_packets: 8, timeouts: 1, ..RoceCounters::default() };
                t.qps = vec![qp(t, 1, 2, 0, roce, &[(Sign::Timeout, 9)])];
                if answered {
                    t.qps.push(qp(t, 2, 1, 2, RoceCounters::default(), &[]));
                }
            });
        }
        assert_eq!(scene.found("qp_error").len(), usize::from(!answered));
    }
}

fn tap(frames: u64, lost: u64, at_ns: u64) -> TapTick {
    let at = if lost > 0 { at_ns } else { 0 };
    TapTick {
        source: "tap.pcap".into(),
        key: MirrorKey::default(),
        frames,
        lost,
        lost_first_ns: at,
        lost_last_ns: at,
        truncated: 0,
    }
}

#[test]
fn what_the_mirror_lost_is_no_loss_of_the_fabric_and_stands_beside_other_findings() {
    let mut scene = Scene::new();
    scene.tick(|t| {
        t.links = (0..8).map(|l| calm(t, l)).collect();
        t.taps = vec![tap(1000, 10, t.start_ns + 5 * MS)];
        let gaps = RoceCounters { data_packets: 100, psn_gaps: 3, ..RoceCounters::default() };
        let late = RoceCounters { data_packets: 100, inversions: 1, ..RoceCounters::default() };
        t.qps = vec![qp(t, 1, 2, 0, gaps, &[]), qp(t, 2, 1, 2, late, &[(Sign::Inversion, 6 * MS)])];
    });
    let f = scene.one("mirror_loss");
    assert_eq!((f.value, f.subject.tap.as_deref(), f.since_ns), (10.0, Some("tap.pcap"), T0 + 5 * MS));
    assert_eq!(scene.found("fabric_loss"), []);
    let late = scene.one("reordering");
    assert!(late.evidence.caveats.iter().any(|c| c.contains("lost 10 frames")), "{late:?}");
}

#[test]
fn unanswered_gaps_on_many_queue_pairs_are_the_mirrors() {
    let gaps_on = |qps: u8, asked: bool| {
        let mut scene = Scene::new();
        scene.tick(|t| {
            t.links = (0..8).map(|l| calm(t, l)).collect();
            let roce = RoceCounters { data_packets: 100, psn_gaps: 2, ..RoceCounters::default() };
            t.qps = (0..qps).map(|n| qp(t, 1, 10 + n, 0, roce, &[])).collect();
            if asked {
                let nak = RoceCounters { nak_sequence: 1, ..RoceCounters::default() };
                t.qps.push(qp(t, 10, 1, 1, nak, &[]));
            }
        });
        scene.found("mirror_loss").len()
    };
    assert_eq!((gaps_on(5, false), gaps_on(2, false), gaps_on(5, true)), (1, 0, 0));
}

#[test]
fn trimmed_packets_are_told_where_they_came_and_since_when() {
    let trims = |share: u64| {
        let mut scene = Scene::new();
        scene.calm(1).tick(|t| {
            t.links = (0..8).map(|l| calm(t, l)).collect();
            t.links[3].roce = RoceCounters { data_packets: 10_000, trimmed: share, ..RoceCounters::default() };
            let roce = RoceCounters { data_packets: 100, trimmed: share, ..RoceCounters::default() };
            t.qps = vec![qp(t, 1, 2, 3, roce, &[(Sign::Trimmed, 7 * MS)])];
        });
        scene
    };
    assert_eq!(trims(0).found("packet_trim"), []);
    let one = trims(1).one("packet_trim");
    assert_eq!((one.severity, one.since_ns, one.value), (Severity::Warning, T0 + 107 * MS, 1.0));
    assert_eq!((one.subject.host.as_deref(), one.evidence.first_packets.len()), (Some("10.0.0.2"), 1));
    // 0.1 % and more is critical.
    assert_eq!([9, 10].map(|n| trims(n).one("packet_trim").severity), [Severity::Warning, Severity::Critical]);
}

#[test]
fn what_comes_twice_began_with_its_second_answer() {
    let mut scene = Scene::new();
    scene.tick(|t| {
        let roce = RoceCounters { data_packets: 100, duplicated: 2, ..RoceCounters::default() };
        t.qps = vec![qp(t, 1, 2, 0, roce, &[(Sign::Cnp, 3 * MS), (Sign::Doubled, 60 * MS)])];
    });
    assert_eq!(scene.one("reordering").since_ns, T0 + 60 * MS);
}
