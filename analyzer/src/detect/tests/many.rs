//! A fabric that is sick everywhere at once: 10,000 links and 100,000 queue pairs, each with everything that can be wrong.

use super::*;

const HOSTS: u32 = 4_000;
const UPLINKS: u32 = 2_000;
const QPS: u32 = 100_000;
const TICKS: u64 = 2;

fn numbered(n: u32) -> Addr {
    let [_, a, b, c] = n.to_be_bytes();
    Addr::v4([10, a, b, c])
}

fn links() -> Vec<LinkInfo> {
    let access = (0..2 * HOSTS).map(|n| {
        let (host, leaf) = (format!("h{}", n / 2), format!("leaf{}", n / 80));
        let to_host = n % 2 == 1;
        let (from, to) = if to_host { (&leaf, &host) } else { (&host, &leaf) };
        LinkInfo { host: Some(numbered(n / 2)), to_host, reverse: Some(LinkId(n ^ 1)), ..info(n, from, to) }
    });
    let up =
        (2 * HOSTS..2 * HOSTS + UPLINKS).map(|n| info(n, &format!("leaf{}", n % 100), &format!("spine{}", n / 100)));
    access.chain(up).collect()
}

/// Marked, paused, damaged, trimmed.
fn sick_link(t: &Tick, link: u32) -> LinkTick {
    let ill = with_slots(t, link, |i| LinkSlot {
        packets: 1_000,
        bytes: 20_000_000,
        ect_packets: 1_000,
        ce_packets: 200,
        ce_first_ns: t.start_ns + i * SLOT_NS + 1,
        ce_last_ns: t.start_ns + i * SLOT_NS + 900_000,
        pfc_frames: 20,
        paused_ns: 3_000_000,
        max_bytes_100us: 312_000,
        ce_max_bytes_100us: 312_000,
        ce_max_senders_100us: 9,
        max_senders_100us: 9,
        ..LinkSlot::default()
    });
    let roce =
        RoceCounters { data_packets: 1_000, trimmed: 3, icrc_bad: 2, icrc_checked: 1_000, ..RoceCounters::default() };
    LinkTick { roce, bso_bad: 2, rtt: SparseHistogram(vec![(100, 1_000)]), ..ill }
}

/// Lost, repeated, late, damaged, marked, notified, timed out.
fn sick_qp(t: &Tick, n: u32) -> QpTick {
    let (from, to) = (n % HOSTS, (n / HOSTS * 37 + n + 1) % HOSTS);
    let roce = RoceCounters {
        data_packets: 1_000,
        retransmitted: 300,
        retransmitted_bytes: 1 << 20,
        useful_bytes: 1 << 20,
        nak_sequence: 5,
        nak_other: 1,
        rnr: 9,
        timeouts: 2,
        psn_gaps: 3,
        inversions: 40,
        icrc_bad: 2,
        lost_before_tap: u64::from(n % 2) * 5,
        trimmed: 3,
        ..RoceCounters::default()
    };
    let signs = [Sign::NakSequence, Sign::Retransmit, Sign::Timeout, Sign::Rnr, Sign::IcrcBad, Sign::Trimmed];
    let sick = qp(t, 0, 0, 2 * from, roce, &signs.map(|sign| (sign, u64::from(n))));
    QpTick {
        key: QpKey { src: numbered(from), dst: numbered(to), dst_qp: n },
        naks: [5, 1, 1, 1],
        ce_packets: 100,
        cnp_packets: 50,
        inversion_depth_max: 9,
        repeats_of_one_psn_max: 9,
        timeout_silence_ns_max: 50 * MS,
        ..sick
    }
}

/// The findings stay within their bounds, what found no room is counted, and the test ends: with cost that grew with links times
/// queue pairs, as it once did, it would take hours.
#[test]
fn a_hundred_thousand_symptoms_end_as_few_findings() {
    let config = DetectConfig { max_open: 500, max_closed: 1_000, ..DetectConfig::default() };
    let mut scene = Scene { new_links: links(), ..Scene::with(&config) };
    for _ in 0..TICKS {
        scene.tick(|t| {
            t.links = (0..2 * HOSTS + UPLINKS).map(|l| sick_link(t, l)).collect();
            t.qps = (0..QPS).map(|n| sick_qp(t, n)).collect();
        });
    }
    let (refused, _) = scene.engine.left_out();
    let findings = scene.engine.findings();
    assert!(findings.len() <= 1_500 && !findings.is_empty(), "{}", findings.len());
    assert!(refused > 100_000, "{refused}");
}
