//! RoCE in the wrong class.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::control::{ControlEvent, Says};
use crate::tick::Class;
use crate::topology::{Classes, Neighbour};

const USUAL: Class = Class { dscp: 26, ecn_capable: true, pcp: None };

/// Twelve senders, the first of them with a class of its own, for so many ticks.
fn senders(scene: &mut Scene, ticks: usize, odd: impl Fn(usize) -> Class) {
    for n in 0..ticks {
        scene.tick(|t| {
            t.links = (0..8).map(|l| calm(t, l)).collect();
            t.qps = (1..=12)
                .map(|h| {
                    let roce = RoceCounters { data_packets: 10, ..RoceCounters::default() };
                    let class = Some(if h == 1 { odd(n) } else { USUAL });
                    QpTick { class, ..qp(t, h, 100 + h, 0, roce, &[]) }
                })
                .collect();
        });
    }
}

fn told(config: &[(&str, f64)], ticks: usize, odd: impl Fn(usize) -> Class) -> Vec<(crate::report::Severity, String)> {
    let values = config.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    let thresholds = BTreeMap::from([("qos_misconfigured".to_owned(), values)]);
    let mut scene = Scene::with(&DetectConfig { thresholds, ..DetectConfig::default() });
    senders(&mut scene, ticks, odd);
    scene.found("qos_misconfigured").into_iter().map(|f| (f.severity, f.explanation)).collect()
}

use crate::report::Severity::{Info, Warning};

#[test]
fn a_sender_unlike_all_others_is_odd() {
    assert_eq!(told(&[], 30, |_| USUAL), []);
    let all = told(&[], 30, |_| Class { dscp: 0, ..USUAL });
    assert!(
        matches!(all.as_slice(), [(Info, text)] if text.starts_with("10.0.0.1 sends RoCE data in DSCP 0")),
        "{all:?}"
    );
    let all = told(&[], 30, |_| Class { ecn_capable: false, ..USUAL });
    assert!(matches!(all.as_slice(), [(Info, text)] if text.contains("can't be marked")), "{all:?}");
    assert_eq!(told(&[], 2, |_| Class { dscp: 0, ..USUAL }), [], "too early");
}

#[test]
fn the_number_says_what_it_counts() {
    let mut scene = Scene::new();
    senders(&mut scene, 30, |_| Class { ecn_capable: false, ..USUAL });
    let found = scene.one("qos_misconfigured");
    assert!(found.value >= 3.0 && found.unit == "ticks", "{found:?}");
}

#[test]
fn what_the_topology_says_outranks_the_majority() {
    let all = told(&[("data_dscp", 26.0)], 30, |_| Class { dscp: 10, ..USUAL });
    assert!(matches!(all.as_slice(), [(Warning, text)] if text.contains("the topology keeps 26")), "{all:?}");
    assert_eq!(told(&[("data_dscp", 26.0)], 30, |_| USUAL), []);
}

#[test]
fn a_queue_pair_that_changes_its_class() {
    let all = told(&[], 30, |n| Class { dscp: if n < 15 { 26 } else { 10 }, ..USUAL });
    assert!(all.iter().any(|(s, text)| *s == Info && text.contains("changes between DSCP 10 and 26")), "{all:?}");
}

#[test]
fn a_priority_without_flow_control() {
    let mut scene = Scene::new();
    scene.tick(|t| {
        let classes = Some(Classes { pfc: Some(8), ..Classes::default() });
        let neighbour = Neighbour { chassis: "leaf0".into(), port: "e1".into(), classes, ..Neighbour::default() };
        let says = Says::Lldp { neighbour: Arc::new(neighbour), ttl_s: 120 };
        let (at_ns, last_ns, src, dst) = (t.start_ns, t.start_ns, host(1), host(9));
        t.control = vec![ControlEvent { at_ns, last_ns, count: 1, link: None, vlan: None, src, dst, says }];
    });
    senders(&mut scene, 20, |_| Class { pcp: Some(3), ..USUAL });
    assert_eq!(scene.found("qos_misconfigured"), []);
    senders(&mut scene, 20, |_| Class { pcp: Some(0), ..USUAL });
    let found = scene.one("qos_misconfigured");
    assert!(found.severity == Warning && found.explanation.contains("priority 0"), "{found:?}");
    assert_eq!((found.value, found.unit.as_str()), (0.0, "priority"));
}

#[test]
fn few_senders_are_no_majority() {
    let mut scene = Scene::new();
    for _ in 0..20 {
        scene.tick(|t| {
            let roce = RoceCounters { data_packets: 10, ..RoceCounters::default() };
            let class = |h| Class { dscp: h * 8, ecn_capable: h > 2, pcp: None };
            t.qps = (1..=7).map(|h| QpTick { class: Some(class(h)), ..qp(t, h, 100, 0, roce, &[]) }).collect();
        });
    }
    assert_eq!(scene.found("qos_misconfigured"), []);
}
