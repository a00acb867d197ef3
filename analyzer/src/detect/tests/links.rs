//! Silence, fail-over, flaps.

use super::*;
use crate::report::Severity;
use crate::sketch::bucket_of;
use crate::tick::{FlowKey, Look, Move};

fn flow(n: u8) -> FlowKey {
    FlowKey { src: host(1), dst: host(n), sport: 0, dport: 4791, protocol: 17, dst_qp: Some(0x11) }
}

fn moved(t: &Tick, n: u8, (from, to): (u32, u32), (left, came): (u64, u64), rewound_packets: u32) -> Move {
    Move {
        flow: flow(n),
        from: LinkId(from),
        to: LinkId(to),
        last_on_from_ns: t.start_ns + left,
        first_on_to_ns: t.start_ns + came,
        rewound_packets,
    }
}

/// All links but some.
fn without(t: &Tick, gone: &[u32]) -> Vec<LinkTick> {
    (0..8).filter(|l| !gone.contains(l)).map(|l| calm(t, l)).collect()
}

/// A link that stops at a moment of this tick.
fn stops(t: &Tick, link: u32, at: u64) -> LinkTick {
    LinkTick { last_ns: t.start_ns + at, ..calm(t, link) }
}

#[test]
fn flows_that_leave_a_dead_link_give_its_convergence() {
    let mut scene = Scene::new();
    scene.calm(3);
    scene.tick(|t| {
        t.links = without(t, &[4]);
        t.links.push(stops(t, 4, 20 * MS));
        t.links.sort_by_key(|l| l.link);
        t.moves = vec![moved(t, 2, (4, 5), (20 * MS, 50 * MS), 8), moved(t, 3, (4, 5), (19 * MS, 24 * MS), 0)];
    });
    let f = scene.one("failover");
    assert_eq!((f.severity, f.value, f.unit.as_str(), f.since_ns), (Severity::Warning, 30.0, "ms", T0 + 320 * MS));
    assert!(
        f.explanation.contains("class: BFD") && f.explanation.contains("carries nothing since"),
        "{}",
        f.explanation
    );
    assert!(
        f.explanation.contains("had to repeat 8 packets") && f.explanation.contains("from 5 ms to 30 ms"),
        "{}",
        f.explanation
    );
    assert!(!f.explanation.contains("(local)"), "the other direction went on: {}", f.explanation);
    let of = |name: &str| f.evidence.numbers.get(name).copied();
    assert_eq!(
        [of("gap_ns_min"), of("gap_ns_p50"), of("gap_ns_p99"), of("gap_ns_max")],
        [5e6, 5e6, 3e7, 3e7].map(Some)
    );
    assert_eq!([of("flows"), of("retransmitted_packets")], [2.0, 8.0].map(Some));
    // Fifty ms later it is silent, too, and that follows from the same.
    scene.tick(|t| t.links = without(t, &[4]));
    let silent = scene.one("link_silent");
    assert_eq!((silent.severity, silent.cause.as_deref()), (Severity::Warning, Some(f.id.as_str())));
}

/// Both directions of leaf0 to spine0 are mirrored; a flow that lost packets leaves it. What its links do is the caller's.
fn cut_from_both_ways(links: impl Fn(&Tick) -> Vec<LinkTick>) -> String {
    let mut scene = Scene::new();
    scene.new_links.iter_mut().find(|l| l.link == LinkId(4)).unwrap().reverse = Some(LinkId(6));
    scene.calm(3);
    scene.tick(|t| {
        t.links = links(t);
        t.links.sort_by_key(|l| l.link);
        t.moves = vec![moved(t, 2, (4, 5), (20 * MS, 50 * MS), 8)];
    });
    scene.one("failover").explanation
}

#[test]
fn a_link_that_failed_is_told_from_one_behind_which_something_failed() {
    let local = cut_from_both_ways(|t| {
        let mut links = without(t, &[4, 6]);
        links.extend([stops(t, 4, 20 * MS), stops(t, 6, 20 * MS)]);
        links
    });
    assert!(local.contains("(local)"), "{local}");
    let remote = cut_from_both_ways(|t| without(t, &[]));
    assert!(remote.contains("(remote)"), "{remote}");
    let flapped = |t: &Tick| LinkTick { silent_ns_max: 30 * MS, silent_until_ns: t.start_ns + 50 * MS, ..calm(t, 4) };
    let unknown = cut_from_both_ways(|t| {
        let mut links = without(t, &[4]);
        links.push(flapped(t));
        links
    });
    assert!(!unknown.contains("(local)") && !unknown.contains("(remote)"), "{unknown}");
}

#[test]
fn flows_that_leave_a_living_link_are_information() {
    let mut scene = Scene::new();
    scene.calm(3);
    scene.tick(|t| {
        t.links = without(t, &[]);
        t.moves = vec![moved(t, 2, (4, 5), (20 * MS, 21 * MS), 0)];
    });
    assert_eq!(scene.one("failover").severity, Severity::Info);
}

/// A link that pauses for 30 ms now and then, and stops at a moment.
fn pauses_and_stops(t: &Tick, at: u64) -> LinkTick {
    LinkTick { idle: SparseHistogram(vec![(bucket_of(30 * MS), 3)]), ..stops(t, 4, at) }
}

#[test]
fn a_link_that_pauses_no_longer_than_it_used_to_has_not_failed_yet() {
    let mut scene = Scene::new();
    for _ in 0..3 {
        scene.tick(|t| {
            t.links = without(t, &[4]);
            t.links.insert(4, pauses_and_stops(t, 99 * MS));
        });
    }
    scene.tick(|t| {
        t.links = without(t, &[4]);
        t.links.insert(4, pauses_and_stops(t, 80 * MS));
        t.moves = vec![moved(t, 2, (4, 5), (80 * MS, 88 * MS), 0)];
    });
    let f = scene.one("failover");
    assert_eq!(f.severity, Severity::Info, "20 ms of silence, 30 are usual");
    // It stays silent: then it has failed, and it is the same event.
    scene.tick(|t| t.links = without(t, &[4]));
    let f = scene.one("failover");
    assert_eq!((f.severity, f.since_ns), (Severity::Warning, T0 + 380 * MS));
    assert!(f.explanation.starts_with("1 flow left"), "{}", f.explanation);
}

#[test]
fn hops_of_one_path_and_sprayed_flows_are_no_failover() {
    let mut path = Scene::new();
    path.calm(2);
    path.tick(|t| {
        t.links = without(t, &[]);
        t.moves = vec![moved(t, 2, (0, 4), (20 * MS, 21 * MS), 0), moved(t, 2, (6, 1), (20 * MS, 21 * MS), 0)];
    });
    assert_eq!(path.found("failover"), []);
    let mut sprayed = Scene::new();
    sprayed.calm(2);
    sprayed.tick(|t| {
        t.links = without(t, &[]);
        let way = |n: u64| if n.is_multiple_of(2) { (4, 5) } else { (5, 4) };
        t.moves = (0..40).map(|n| moved(t, 2, way(n), (n * MS, n * MS + 1), 0)).collect();
        t.flows = vec![few_packets(t, 80)];
    });
    assert_eq!(sprayed.found("failover"), []);
}

#[test]
fn a_host_that_answers_nothing_is_silent_and_an_idle_one_is_not() {
    let run = |timeouts: u64| {
        let mut scene = Scene::new();
        scene.calm(3);
        for _ in 0..3 {
            scene.tick(|t| {
                t.links = without(t, &[2]);
                let roce = RoceCounters { data_packets: 8, timeouts, ..RoceCounters::default() };
                t.qps = vec![qp(t, 1, 2, 0, roce, &[(Sign::Timeout, 50 * MS)])];
            });
        }
        scene.found("link_silent")
    };
    let found = run(1);
    assert_eq!(
        (found.len(), found[0].severity, found[0].subject.host.as_deref()),
        (1, Severity::Warning, Some("10.0.0.2"))
    );
    assert_eq!(found[0].since_ns, T0 + 300 * MS - 1);
    assert_eq!(run(0), []);
}

#[test]
fn a_host_that_was_gone_is_known_when_it_answers_again() {
    let run = |again: u64| {
        let mut scene = Scene::new();
        scene.calm(3);
        scene.tick(|t| {
            t.links = without(t, &[]);
            let back = &mut t.links[2];
            (back.silent_ns_max, back.silent_until_ns) = (70 * MS, t.start_ns + 80 * MS);
            let roce =
                RoceCounters { data_packets: 8, timeouts: 2, acknowledged_again: again, ..RoceCounters::default() };
            let mut there = qp(t, 1, 2, 0, roce, &[(Sign::Timeout, 40 * MS), (Sign::Timeout, 75 * MS)]);
            there.timeout_silence_ns_max = 25 * MS;
            t.qps = vec![there];
        });
        scene.calm(5);
        scene.found("link_silent")
    };
    let found = run(0);
    assert_eq!((found.len(), found[0].subject.link.as_deref()), (1, Some("h2-leaf0")));
    assert_eq!((found[0].since_ns, found[0].evidence.numbers["silence_ns"]), (T0 + 315 * MS, 65e6));
    assert_eq!(run(2), [], "it had them all: it stalled");
}

#[test]
fn the_whole_fabric_pausing_is_no_silence() {
    let mut scene = Scene::new();
    scene.calm(3);
    scene.at_ns += 500 * MS;
    scene.calm(1);
    assert_eq!(scene.found("link_silent"), []);
}

#[test]
fn down_and_up_twice_in_a_minute_is_a_flap_and_once_is_not() {
    let mut scene = Scene::new();
    scene.calm(2);
    let down_and_up = |scene: &mut Scene| {
        scene.tick(|t| {
            t.links = without(t, &[4]);
            t.links.push(stops(t, 4, 10 * MS));
            t.links.sort_by_key(|l| l.link);
            t.moves = vec![moved(t, 2, (4, 5), (10 * MS, 15 * MS), 4)];
        });
        scene.tick(|t| {
            t.links = without(t, &[]);
            t.moves = vec![moved(t, 2, (5, 4), (40 * MS, 41 * MS), 0)];
        });
    };
    down_and_up(&mut scene);
    assert_eq!(scene.found("link_flap"), []);
    down_and_up(&mut scene);
    let f = scene.one("link_flap");
    assert_eq!((f.severity, f.value, f.subject.link.as_deref()), (Severity::Warning, 2.0, Some("leaf0-spine0")));
}

/// The sprayed flow's tick: so many packets in all.
fn few_packets(t: &Tick, packets: u64) -> crate::tick::FlowTick {
    crate::tick::FlowTick {
        key: flow(2),
        sport: 49152,
        vlan: None,
        link: LinkId(4),
        packets,
        bytes: packets * 4200,
        first_ns: t.start_ns,
        last_ns: t.end_ns - 1,
        ce_packets: 0,
        retransmitted: 0,
        copies: 0,
        app: Some("roce"),
        closed: true,
        dscp: None,
        engine: "dpi",
        confidence: 1.0,
        host_name: None,
        attrs: None,
        rtt: SparseHistogram::default(),
    }
}

#[test]
fn a_silence_is_seen_between_ticks_and_looking_changes_no_result() {
    let run = |dark: bool, look: bool| {
        let (mut scene, mut early) = (Scene::new(), Vec::new());
        for n in 0..8 {
            scene.tick(|t| {
                t.links = if dark && n == 6 { without(t, &[4]) } else { without(t, &[]) };
                t.links.iter_mut().for_each(|l| l.idle = SparseHistogram(vec![(bucket_of(MS), 20)]));
            });
            let ended = scene.at_ns;
            for after in (0..100).step_by(5).filter(|_| look && n == 5) {
                // All carry packets but one.
                let mut last_ns = vec![ended + after * MS; 8];
                last_ns[4] = ended - 1;
                let is_new = scene.engine.look(Look { last_ns });
                let found = scene.found("link_silent");
                assert_eq!(is_new, found.len() > early.len(), "{after} ms");
                early = found;
            }
        }
        scene.finish();
        (early, scene.engine.findings())
    };
    let (early, at_the_end) = run(true, true);
    assert_eq!((early.len(), early[0].subject.link.as_deref()), (1, Some("leaf0-spine0")));
    assert_eq!(early[0].id, at_the_end.iter().find(|f| f.kind == "link_silent").unwrap().id);
    assert_eq!(at_the_end, run(true, false).1);
    let (early, at_the_end) = run(false, true);
    assert_eq!((early.len(), at_the_end), (1, vec![]), "what no tick shows is not kept");
}
