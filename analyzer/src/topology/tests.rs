// A skipped test says so.
#![allow(clippy::print_stderr)]
use std::io::{Write as _, stderr};
use std::path::PathBuf;

use super::*;
use capture::{Direction, Frame, Interface, InterfaceId, LinkType};

use crate::packet::{Addr, MirrorKey, MirrorKind};

/// The shared captures, or `None` with a loud line.
fn shared(folder: &str) -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let shared = std::env::var_os("FABRICSCOPE_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let path = shared.join(folder);
    if path.is_dir() {
        return Some(path);
    }
    assert!(std::env::var_os("FABRICSCOPE_REQUIRE_ALL").is_none(), "{} is missing", path.display());
    let _ = writeln!(stderr(), "SKIPPED: {} is missing", path.display());
    None
}

fn simulated(scenario: &str) -> Option<Topology> {
    let path = shared("captures/fabric-sim")?.join(scenario).join("topology.json");
    let text = std::fs::read_to_string(&path).unwrap();
    Some(Topology::parse(&text, &path.to_string_lossy()).unwrap())
}

#[test]
fn every_simulated_topology_loads_and_survives_toml() {
    let Some(folder) = shared("captures/fabric-sim") else { return };
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path().join("topology.json");
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let topology = Topology::parse(&text, "t.json").unwrap();
        let toml = topology.to_toml().unwrap();
        assert_eq!(Topology::parse(&toml, "t.toml").unwrap(), topology);
        let plan = Plan::new(&topology);
        assert_eq!(plan.links.len(), topology.links.len() * 2);
        for tap in &topology.mirrors {
            let pcap = tap.pcap.as_deref().unwrap();
            assert!(plan.tap_format(pcap).is_some());
            assert!(plan.tap_format(pcap.trim_end_matches(".zst")).is_some());
        }
        read += 1;
    }
    assert!(read >= 14, "only {read} read");
}

#[test]
fn links_of_a_leaf_to_the_spines_are_parallel_in_each_direction() {
    let Some(topology) = simulated("degraded_open") else { return };
    let plan = Plan::new(&topology);
    let group = |id: &str| plan.links.iter().find(|l| l.id == id).and_then(|l| l.group.clone());
    assert_eq!(group("leaf0-spine2:leaf0>spine2").as_deref(), Some("leaf0 up"));
    assert_eq!(group("leaf0-spine2:spine2>leaf0").as_deref(), Some("leaf0 down"));
    let to_host = plan.links.iter().filter(|l| l.to_host).count();
    assert_eq!((to_host, plan.links.iter().filter(|l| l.host.is_some()).count()), (16, 32));
    assert!(plan.links.iter().filter(|l| l.host.is_some()).all(|l| l.group.is_none()));
}

#[test]
fn macs_name_link_and_direction() {
    let Some(topology) = simulated("degraded_open") else { return };
    let plan = Plan::new(&topology);
    for (index, link) in topology.links.iter().enumerate() {
        let (a, b) = (link.a.mac.unwrap().0, link.b.mac.unwrap().0);
        let there = plan.by_macs(a, b).unwrap();
        let back = plan.by_macs(b, a).unwrap();
        assert_eq!((there.0 as usize, back.0 as usize), (index * 2, index * 2 + 1));
        assert_eq!(plan.link(there).unwrap().reverse, Some(back));
        assert_eq!(plan.by_macs(a, [0x01, 0x80, 0xc2, 0, 0, 1]), Some(there));
        assert_eq!(plan.by_macs([2; 6], b), Some(there));
    }
    let other = topology.links[1].a.mac.unwrap().0;
    assert_eq!(plan.by_macs(topology.links[0].a.mac.unwrap().0, other), None);
    let uplink = plan.links.iter().find(|l| l.id == "leaf0-spine2:leaf0>spine2").unwrap();
    assert_eq!((uplink.name.as_str(), uplink.speed_bps, uplink.host), ("leaf0->spine2", Some(25_000_000_000), None));
    assert_eq!(uplink.tap, "leaf0_swp7.pcap.zst");
    let access = plan.links.iter().find(|l| l.name == "leaf0->h00").unwrap();
    assert_eq!(access.host, Some(Addr::v4([10, 1, 0, 10])));
    assert_eq!(plan.host_name(Addr::v4([10, 1, 0, 10])), Some("h00"));
    assert_eq!(plan.rdma_ports(), [4791]);
}

#[test]
fn mirrors_name_the_port() {
    let Some(topology) = simulated("healthy_mirror_loss") else { return };
    let plan = Plan::new(&topology);
    let source = Some(Addr::v4([10, 255, 0, 3]));
    let mut key = MirrorKey { kind: MirrorKind::Erspan2, session: Some(522), source, ..MirrorKey::default() };
    let (port, link) = plan.by_mirror("merged_erspan2.pcap", &key, 0, None).unwrap();
    assert_eq!((port.node.as_str(), port.port.as_str(), link), ("leaf2", "swp2", None));
    assert_eq!(plan.link(port.rx).unwrap().name, "h09->leaf2");
    assert_eq!(plan.by_mirror("merged_erspan2.pcap", &key, 0, Some(true)).unwrap().1, Some(port.tx));
    let host = topology.links.iter().find(|l| l.name.as_deref() == Some("h09-leaf2")).unwrap().a.mac.unwrap().0;
    assert_eq!(port.link_of(None, Some((host, [9; 6]))), Some(port.rx));
    assert_eq!(port.link_of(None, Some(([9; 6], host))), Some(port.tx));
    assert_eq!(port.link_of(None, Some(([9; 6], [8; 6]))), None);
    key.session = Some(523);
    assert!(plan.by_mirror("merged_erspan2.pcap", &key, 0, None).is_none());
    assert!(plan.by_mirror("other.pcap", &key, 0, None).is_none());
}

#[test]
fn rspan_taps_are_told() {
    let Some(topology) = simulated("healthy_ring_pipeline") else { return };
    let plan = Plan::new(&topology);
    assert_eq!(plan.tap_format("merged_rspan.pcap.zst"), Some((true, None)));
    let key = MirrorKey { kind: MirrorKind::Rspan, vlan: Some(495), ..MirrorKey::default() };
    let (port, _) = plan.by_mirror("merged_rspan.pcap.zst", &key, 0, None).unwrap();
    assert_eq!(port.port, "swp5");
}

#[test]
fn wrong_values_are_named_with_their_line() {
    let cases = [
        ("{\n\"nodes\": [\n{\"name\": \"h\", \"ip\": \"10.0.0\"}]}", 3, "IP"),
        ("[[nodes]]\nname = \"h\"\nip = \"ten\"\n", 3, "IP"),
        ("[[nodes]]\nname = \"h\"\n[[links]]\na = { node = \"h\", mac = \"zz\" }\nb = { node = \"h\" }\n", 4, "MAC"),
        ("[[nodes]]\nname = \"h\"\n[[links]]\nspeed_bps = \"fast\"\na.node = \"h\"\nb.node = \"h\"\n", 4, "string"),
        ("[[nodes]]\nname = \"h\"\n[[links]]\na.node = \"h\"\nb.node = \"g\"\n", 5, "`g`"),
        ("[[nodes]]\nname = \"h\"\n[[nodes]]\nname = \"h\"\n", 4, "two nodes"),
        ("[[mirrors]]\nformat = \"erspan9\"\n", 2, "erspan9"),
        ("{\"mirrors\": [{\n\"ports\": [{\"node\": \"x\"}]}]}", 2, "`x`"),
        ("{", 1, "EOF"),
    ];
    for (text, line, word) in cases {
        let error = Topology::parse(text, "fabric.toml").unwrap_err();
        assert_eq!(error.line, Some(line), "{error} in {text}");
        assert!(error.what.contains(word), "{error} should speak of {word}");
        assert!(error.to_string().starts_with(&format!("fabric.toml, line {line}: ")));
    }
}

#[test]
fn unknown_keys_are_kept() {
    let text = "colour = \"red\"\n[[nodes]]\nname = \"h\"\nrack = 7\nip = [\"10.0.0.1\", \"10.0.1.1\"]\n";
    let topology = Topology::parse(text, "t.toml").unwrap();
    assert_eq!(topology.nodes[0].other["rack"], 7);
    assert_eq!(topology.other["colour"], "red");
    assert_eq!(Plan::new(&topology).host_name(Addr::v4([10, 0, 1, 1])), Some("h"));
    assert!(topology.to_toml().unwrap().contains("rack = 7"));
}

#[test]
fn parallel_links_get_names_of_their_own_and_shared_macs_decide_nothing() {
    let text = r#"{"nodes":[{"name":"l","type":"switch"},{"name":"s","type":"switch"}],
        "links":[{"a":{"node":"l","port":"p1","mac":"02:00:00:00:00:01"},"b":{"node":"s","port":"p1","mac":"02:00:00:00:00:02"}},
                 {"a":{"node":"l","port":"p2","mac":"02:00:00:00:00:01"},"b":{"node":"s","port":"p2","mac":"02:00:00:00:00:03"}}]}"#;
    let plan = Plan::new(&Topology::parse(text, "t").unwrap());
    assert_eq!(plan.links[2].id, "l:p2-s:p2:l>s");
    assert_eq!(plan.links[3].name, "s:p2->l:p2");
    let mac = |last| [2, 0, 0, 0, 0, last];
    assert_eq!(plan.by_macs(mac(1), mac(3)), Some(plan.links[2].link));
    assert_eq!(plan.by_macs(mac(1), [1; 6]), None);
    assert_eq!(plan.by_macs(mac(3), [1; 6]), Some(plan.links[3].link));
}

#[test]
fn the_default_plan_knows_nothing() {
    let plan = Plan::default();
    assert!(plan.is_empty());
    assert_eq!(plan.by_macs([0; 6], [0; 6]), None);
    assert_eq!(plan.tap_format("x"), None);
}

/// Host at `port 1` of a switch, everything routed: frames with rewritten MACs, as a mirror of two ports shows them.
#[test]
fn a_topology_is_learnt_from_frames() {
    let frames = [
        udp([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 1, 1], [10, 0, 0, 1], [10, 0, 1, 9], 64),
        udp([2, 0, 0, 0, 1, 2], [2, 0, 0, 0, 2, 1], [10, 0, 0, 1], [10, 0, 1, 9], 63),
        udp([2, 0, 0, 0, 2, 1], [2, 0, 0, 0, 1, 2], [10, 0, 1, 9], [10, 0, 0, 1], 62),
        udp([2, 0, 0, 0, 1, 1], [2, 0, 0, 0, 0, 1], [10, 0, 1, 9], [10, 0, 0, 1], 61),
        lldp([2, 0, 0, 0, 1, 2]),
    ];
    let mut learner = Learner::default();
    learner.add_interface(&interface());
    for bytes in &frames {
        learner.observe(&[Frame {
            bytes,
            at_ns: 1,
            wire_len: bytes.len() as u32,
            interface: InterfaceId(0),
            direction: Direction::Unknown,
        }]);
    }
    let learnt = learner.topology();
    let names: Vec<_> = learnt.nodes.iter().map(|n| (n.name.as_str(), n.kind)).collect();
    let (host, switch) = (NodeType::Host, NodeType::Switch);
    assert_eq!(
        names,
        [
            ("10.0.0.1", host),
            ("10.0.1.9", host),
            ("leaf0", switch),
            ("switch-02:00:00:00:01:01", switch),
            ("switch-02:00:00:00:02:01", switch),
            (UNNAMED, switch)
        ]
    );
    let ends: Vec<_> = learnt.links.iter().map(|l| (id(&l.a.node), id(&l.b.node), l.b.port.as_str())).collect();
    assert_eq!(
        ends,
        [
            ("10.0.0.1", "switch-02:00:00:00:01:01", "02:00:00:00:01:01"),
            ("leaf0", "switch-02:00:00:00:02:01", "02:00:00:00:02:01")
        ]
    );
    let again = Topology::parse(&learnt.to_toml().unwrap(), "learnt.toml").unwrap();
    assert_eq!(again, learnt);
}

fn id(id: &Id) -> &str {
    match id {
        Id::Text(text) => text,
        Id::Number(_) => panic!("learnt nodes have names"),
    }
}

fn interface() -> Interface {
    Interface {
        id: InterfaceId(0),
        source: "a.pcap".into(),
        name: None,
        index_in_file: 0,
        link_type: LinkType::Ethernet,
        speed_bps: None,
        snaplen: 0,
        fcs_len: 0,
    }
}

fn udp(src_mac: [u8; 6], dst_mac: [u8; 6], src: [u8; 4], dst: [u8; 4], ttl: u8) -> Vec<u8> {
    let ip = [0x45, 0, 0, 28, 0, 0, 0, 0, ttl, 17, 0, 0];
    let udp = [0, 7, 0, 7, 0, 8, 0, 0];
    [&dst_mac[..], &src_mac, &[8, 0], &ip, &src, &dst, &udp].concat()
}

fn lldp(src_mac: [u8; 6]) -> Vec<u8> {
    let tlvs = b"\x02\x02\x07x\x04\x02\x077\x06\x02\x00\x78\x0a\x05leaf0\x0e\x04\x00\x14\x00\x14\x00\x00";
    [&[1, 0x80, 0xc2, 0, 0, 0x0e], &src_mac[..], &[0x88, 0xcc], &tlvs[..]].concat()
}
