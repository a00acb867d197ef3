//! Opening, closing, bounds, configuration, and ticks of any width.

use std::collections::BTreeMap;

use super::*;
use crate::report::Severity;

fn late(scene: &mut Scene, n: u64, at: u64) -> Vec<Finding> {
    scene.tick(|t| {
        t.links = (0..8).map(|l| calm(t, l)).collect();
        let roce = RoceCounters { data_packets: 100, inversions: n, ..RoceCounters::default() };
        t.qps = if n > 0 { vec![qp(t, 1, 2, 0, roce, &[(Sign::Inversion, at)])] } else { Vec::new() };
    })
}

#[test]
fn a_finding_stays_one_while_its_cause_comes_back_in_time_and_closes_after_its_hold() {
    let mut scene = Scene::new();
    let opened = late(&mut scene, 1, 10 * MS);
    assert_eq!((opened.len(), opened[0].until_ns), (1, None));
    scene.calm(5);
    let changed = late(&mut scene, 2, 10 * MS);
    assert_eq!((changed.len(), changed[0].value), (1, 3.0));
    assert_eq!(changed[0].id, opened[0].id);
    scene.calm(12);
    let closed = scene.one("reordering");
    assert_eq!((closed.until_ns, closed.id.as_str()), (Some(T0 + 610 * MS), opened[0].id.as_str()));
    late(&mut scene, 1, 10 * MS);
    let all = scene.found("reordering");
    assert_eq!((all.len(), all.iter().filter(|f| f.until_ns.is_none()).count()), (2, 1));
}

#[test]
fn the_end_of_the_capture_leaves_open_what_has_cause() {
    let mut scene = Scene::new();
    late(&mut scene, 1, 90 * MS);
    scene.finish();
    assert_eq!(scene.one("reordering").until_ns, None);
}

#[test]
fn full_is_counted() {
    let config = DetectConfig { max_open: 2, max_closed: 8, ..DetectConfig::default() };
    let mut scene = Scene::with(&config);
    scene.tick(|t| {
        t.links = (0..8).map(|l| calm(t, l)).collect();
        let roce = RoceCounters { data_packets: 100, inversions: 1, ..RoceCounters::default() };
        t.qps = (10..20).map(|n| qp(t, 1, n, 0, roce, &[(Sign::Inversion, 5)])).collect();
    });
    assert_eq!((scene.engine.findings().len(), scene.engine.left_out().0), (2, 8));
    for _ in 0..20 {
        scene.calm(12);
        late(&mut scene, 1, 5);
    }
    scene.calm(12);
    assert!(scene.engine.findings().len() <= 8);
    assert!(scene.engine.left_out().1 > 0);
}

#[test]
fn the_same_ticks_give_the_same_findings_also_when_merged() {
    let ticks: Vec<Tick> = (0..4)
        .map(|n| {
            let mut t = Tick { start_ns: T0 + n * 100 * MS, end_ns: T0 + (n + 1) * 100 * MS, ..Tick::default() };
            t.new_links = if n == 0 { fabric() } else { Vec::new() };
            let marks = |i: u64| LinkSlot {
                packets: 500,
                bytes: 2_000_000,
                ect_packets: 500,
                ce_packets: 50,
                ce_first_ns: t.start_ns + i * SLOT_NS + 1,
                ce_last_ns: t.start_ns + i * SLOT_NS + 9 * MS,
                max_bytes_100us: 100_000,
                ..LinkSlot::default()
            };
            t.links = (0..8).map(|l| if l == 4 { with_slots(&t, l, marks) } else { calm(&t, l) }).collect();
            t
        })
        .collect();
    let judge = |ticks: &[Tick]| {
        let mut engine = Engine::new(&DetectConfig::default());
        ticks.iter().for_each(|t| _ = engine.judge(t));
        engine.findings()
    };
    assert_eq!(judge(&ticks), judge(&ticks));
    let mut wide = ticks[0].clone();
    ticks[1..].iter().for_each(|t| wide.merge(t.clone()));
    let key =
        |all: Vec<Finding>| all.into_iter().map(|f| (f.kind, f.subject, f.since_ns, f.severity)).collect::<Vec<_>>();
    let (narrow, merged) = (key(judge(&ticks)), key(judge(&[wide])));
    assert_eq!(narrow, merged);
    assert_eq!(narrow.len(), 1);
}

#[test]
fn configuration_names_what_it_does_not_know() {
    let of = |kind: &str, name: &str, value: f64| {
        let values = BTreeMap::from([(name.to_owned(), value)]);
        DetectConfig { thresholds: BTreeMap::from([(kind.to_owned(), values)]), ..DetectConfig::default() }
    };
    assert_eq!(of("fabric_loss", "warn_packets", 5.0).check(), Ok(()));
    let unknown = of("fabric_lost", "warn_packets", 5.0).check().unwrap_err().to_string();
    assert!(unknown.contains("fabric_lost") && unknown.contains("goback_waste"), "{unknown}");
    let unknown = of("fabric_loss", "warn", 5.0).check().unwrap_err().to_string();
    assert!(unknown.contains("critical_share"), "{unknown}");
    assert!(of("fabric_loss", "warn_packets", -1.0).check().is_err());
    let text = "preset = \"lossy\"\noff = [\"reordering\"]\n[thresholds.ecn_congestion]\nwarn_share = 0.02\n";
    let config: DetectConfig = toml::from_str(text).unwrap();
    assert_eq!(config.check(), Ok(()));
    let ecn = KINDS.iter().find(|k| k.name == "ecn_congestion").unwrap();
    let knobs = config.knobs(ecn);
    assert_eq!((knobs.get("warn_share"), knobs.get("critical_share")), (0.02, 0.30));
}

#[test]
fn a_kind_that_is_off_is_silent_and_a_threshold_is_heeded() {
    let mut off = Scene::with(&DetectConfig { off: vec!["reordering".into()], ..DetectConfig::default() });
    late(&mut off, 5, 1);
    assert_eq!(off.engine.findings(), []);
    let values = BTreeMap::from([("min_packets".to_owned(), 10.0)]);
    let thresholds = BTreeMap::from([("reordering".to_owned(), values)]);
    let mut strict = Scene::with(&DetectConfig { thresholds, ..DetectConfig::default() });
    late(&mut strict, 5, 1);
    assert_eq!(strict.engine.findings(), []);
}

#[test]
fn what_follows_from_a_loss_names_it() {
    let mut scene = Scene::new();
    scene.tick(|t| {
        t.links = (0..8).map(|l| calm(t, l)).collect();
        let roce = RoceCounters {
            data_packets: 200,
            lost_after_tap: 1,
            retransmitted: 50,
            retransmitted_bytes: 204_800,
            useful_bytes: 614_400,
            timeouts: 1,
            ..RoceCounters::default()
        };
        t.qps = vec![qp(t, 1, 2, 0, roce, &[(Sign::LostAfterTap, 10 * MS), (Sign::Timeout, 20 * MS)])];
    });
    let loss = scene.one("fabric_loss");
    assert_eq!(loss.cause, None);
    assert_eq!(scene.one("goback_waste").cause.as_deref(), Some(loss.id.as_str()));
    assert_eq!(scene.one("timeout_retransmit").cause.as_deref(), Some(loss.id.as_str()));
    let order: Vec<Severity> = scene.engine.findings().iter().map(|f| f.severity).collect();
    assert!(order.windows(2).all(|w| w[0] >= w[1]), "worst first: {order:?}");
}
