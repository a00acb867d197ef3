//! Behaviours of made-up flows: what is told, and what is left unknown.

use super::*;
use crate::tick::{LinkId, SparseHistogram, Tick};

const MS: u64 = 1_000_000;
const CLIENT: (u8, u16) = (1, 50_000);
const SERVER: (u8, u16) = (2, 443);

fn flow(from: (u8, u16), to: (u8, u16), at_ns: u64, packets: u64, bytes: u64) -> FlowTick {
    let key = FlowKey {
        src: Addr::v4([10, 0, 0, from.0]),
        dst: Addr::v4([10, 0, 0, to.0]),
        sport: from.1,
        dport: to.1,
        protocol: 6,
        dst_qp: None,
    };
    FlowTick {
        key,
        sport: from.1,
        vlan: None,
        link: LinkId(0),
        packets,
        bytes,
        first_ns: at_ns,
        last_ns: at_ns + MS,
        ce_packets: 0,
        retransmitted: 0,
        copies: 0,
        app: None,
        engine: "none",
        confidence: 0.0,
        host_name: None,
        attrs: None,
        rtt: SparseHistogram::default(),
        closed: false,
        dscp: None,
    }
}

/// What the first and the second direction of each tick are told to do.
fn told(ticks: impl IntoIterator<Item = Vec<FlowTick>>) -> Vec<(FlowKey, &'static str)> {
    told_with(ticks, BTreeSet::new())
}

fn told_with(ticks: impl IntoIterator<Item = Vec<FlowTick>>, ranks: BTreeSet<Addr>) -> Vec<(FlowKey, &'static str)> {
    let mut totals = Totals::default();
    for flows in ticks {
        totals.add(&Tick { flows, ..Tick::default() }, 1 << 16, 1);
    }
    let behaviours = Behaviours::of(&totals, ranks);
    totals.flows.iter().map(|total| (total.sum.key, behaviours.told(&total.sum.key, total))).collect()
}

/// Both directions in each of `n` ticks of 100 ms, `every` of them: packets and bytes there and back.
fn talk(n: u64, every: u64, there: (u64, u64), back: (u64, u64)) -> Vec<Vec<FlowTick>> {
    let tick = |i: u64| {
        let at = 1_000 * MS + i * every * 100 * MS;
        vec![flow(CLIENT, SERVER, at, there.0, there.1), flow(SERVER, CLIENT, at, back.0, back.1)]
    };
    (0..n).map(tick).collect()
}

fn only(told: &[(FlowKey, &'static str)]) -> &'static str {
    assert!(told.iter().all(|t| t.1 == told[0].1), "both directions do the same: {told:?}");
    told[0].1
}

#[test]
fn each_rule_tells_what_it_is_made_for() {
    assert_eq!(only(&told(talk(5, 1, (800, 1_200_000), (400, 26_000)))), "bulk");
    assert_eq!(only(&told(talk(12, 10, (1, 120), (1, 66)))), "heartbeat");
    assert_eq!(only(&told(talk(40, 1, (50, 10_000), (2, 132)))), "streaming");
    assert_eq!(only(&told(talk(3, 1, (10, 4_000), (10, 9_000)))), "request_response");
}

#[test]
fn who_types_pauses_as_people_do() {
    let at = [0, 3, 5, 13, 14, 29, 33, 60, 61, 90].map(|i: u64| 1_000 * MS + i * 300 * MS);
    let typed = at.map(|at| vec![flow(CLIENT, SERVER, at, 2, 240), flow(SERVER, CLIENT, at, 2, 400)]);
    assert_eq!(only(&told(typed)), "interactive");
}

#[test]
fn too_little_is_unknown() {
    assert_eq!(only(&told(talk(1, 1, (3, 300), (3, 900)))), "unknown");
    assert_eq!(only(&told(talk(3, 1, (4, 240), (4, 240)))), "unknown", "nothing but bare segments");
}

#[test]
fn one_host_that_tries_many_doors_in_vain_scans() {
    let knock = |port: u16| {
        vec![flow((7, 40_000), (9, port), 1_000 * MS, 1, 60), flow((9, port), (7, 40_000), 1_001 * MS, 1, 60)]
    };
    let told = told((1..=60).map(knock));
    let scans = told.iter().filter(|(key, does)| key.src == Addr::v4([10, 0, 0, 7]) && *does == "scan").count();
    assert_eq!((scans, told.len()), (60, 120));
    let few = told_with((1..=6).map(knock), BTreeSet::new());
    assert!(few.iter().all(|(_, does)| *does == "unknown"));
    let served = |host: u8| {
        let at = 1_000 * MS;
        vec![flow((host, 50_000), SERVER, at, 2, 160), flow(SERVER, (host, 50_000), at, 2, 400)]
    };
    assert!(self::told((10..60).map(served)).iter().all(|(_, does)| *does != "scan"), "a busy server scans nobody");
}

#[test]
fn questions_without_answers_are_no_scan_where_the_mirror_shows_one_side() {
    let ask = |host: u8| {
        let mut flow = flow((7, 40_000), (host, 53), 1_000 * MS, 1, 80);
        flow.key.protocol = 17;
        vec![flow]
    };
    assert_eq!(count(&told((10..60).map(ask)), "scan"), 0);
    let heard = [vec![flow((9, 80), (7, 40_001), 1_000 * MS, 9, 900)]];
    assert_eq!(count(&told((10..60).map(ask).chain(heard)), "scan"), 50);
}

/// One SYN each from `n` sources to one endpoint, so far apart.
fn syns(n: u32, apart_ns: u64) -> Vec<Vec<FlowTick>> {
    let syn = |i: u32| {
        let mut syn = flow((0, 1_024 + (i % 60_000) as u16), SERVER, 1_000 * MS + u64::from(i) * apart_ns, 1, 60);
        syn.key.src = Addr::v4([172, 16, (i >> 8) as u8, i as u8]);
        vec![syn]
    };
    (0..n).map(syn).collect()
}

fn count(told: &[(FlowKey, &'static str)], what: &str) -> usize {
    told.iter().filter(|(_, does)| *does == what).count()
}

#[test]
fn handshakes_of_many_that_nobody_goes_on_with_are_a_flood() {
    assert_eq!(count(&told(syns(2_000, 10_000)), "flood"), 2_000);
    assert_eq!(count(&told(syns(200, 10_000)), "flood"), 0, "too few");
    assert_eq!(count(&told(syns(2_000, 5 * MS)), "flood"), 0, "as slow as clients that try again");
    let served = |host: u8| {
        let at = 1_000 * MS;
        vec![flow((host, 50_000), SERVER, at, 2, 160), flow(SERVER, (host, 50_000), at, 2, 400)]
    };
    let busy = told(syns(400, 10_000).into_iter().chain((3..250).map(served)));
    assert_eq!(count(&busy, "flood"), 0, "a server that serves most");
}

#[test]
fn answers_to_a_flood_are_no_scan_and_answers_to_a_scan_no_flood() {
    let answered = |(i, mut ticks): (usize, Vec<FlowTick>)| {
        ticks[0].key.dport = 8_080;
        let mut back = ticks[0].clone();
        let key = ticks[0].key;
        back.key = FlowKey { src: key.dst, dst: key.src, sport: key.dport, dport: key.sport, ..key };
        (back.first_ns, back.last_ns) = (back.first_ns + 1_000 + i as u64, back.last_ns + 1_000 + i as u64);
        vec![ticks[0].clone(), back]
    };
    let flooded = told(syns(2_000, 10_000).into_iter().enumerate().map(answered));
    assert_eq!((count(&flooded, "flood"), count(&flooded, "scan")), (2_000, 0));
    let knock = |port: u16| {
        let at = 1_000 * MS + u64::from(port) * 10_000;
        vec![flow((7, 60_000), (9, port), at, 1, 60), flow((9, port), (7, 60_000), at + 5_000, 1, 60)]
    };
    let scanned = told((2_000..4_000).map(knock));
    assert_eq!((count(&scanned, "flood"), count(&scanned, "scan")), (0, 2_000));
}

#[test]
fn datagrams_with_a_name_are_no_flood() {
    let mut telemetry = syns(2_000, 10_000);
    telemetry.iter_mut().flatten().for_each(|f| (f.app, f.engine) = (Some("statsd"), "dpi"));
    assert_eq!(count(&told(telemetry), "flood"), 0);
}

#[test]
fn what_a_rank_writes_to_storage_is_a_checkpoint_and_what_it_reads_is_data() {
    let rank = BTreeSet::from([Addr::v4([10, 0, 0, 1])]);
    let storage = |write: bool| {
        let (large, small) = ((800, 1_200_000), (400, 26_000));
        let mut ticks = if write { talk(5, 1, large, small) } else { talk(5, 1, small, large) };
        ticks.iter_mut().flatten().for_each(|flow| flow.app = Some("nvme-tcp"));
        ticks
    };
    assert_eq!(only(&told_with(storage(true), rank.clone())), "checkpoint_write");
    assert_eq!(only(&told_with(storage(false), rank)), "data_load");
    assert_eq!(only(&told(storage(true))), "bulk", "of a host that does not train nothing more is known");
}
