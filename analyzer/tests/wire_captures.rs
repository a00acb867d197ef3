//! The decoder over captures with known truth: the Linux kernel's own RoCEv2, and single frames of other projects.

// A skipped test says so.
#![allow(clippy::print_stderr)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use analyzer::packet::{MirrorKind, Packet, RdmaCarrier, Transport};
use analyzer::wire::{Decoder, Refusal, TapFormat, icrc_ok, opcode_name};
use capture::LinkType;
use serde_json::Value;
use support::{Pcap, Record, shared};

fn decode<'a>(link_type: LinkType, rspan: bool, record: &Record<'a>) -> Result<Packet<'a>, Refusal> {
    Decoder::default().decode(link_type, TapFormat { rspan }, record.bytes, record.wire_len)
}

/// Everything that one capture is compared by.
#[derive(Default)]
struct Seen {
    opcodes: BTreeMap<String, u64>,
    naks: BTreeMap<String, u64>,
    icrc_ok: u64,
    icrc_bad: Vec<usize>,
    refused: Vec<(usize, Refusal)>,
    keys: BTreeMap<String, u64>,
}

fn observe(path: &Path, rspan: bool) -> Seen {
    let pcap = Pcap::open(path);
    let mut seen = Seen::default();
    for (index, record) in pcap.records().iter().enumerate() {
        let packet = match decode(pcap.link_type(), rspan, record) {
            Ok(packet) => packet,
            Err(refusal) => {
                seen.refused.push((index + 1, refusal));
                continue;
            }
        };
        let Transport::Rdma(bth) = packet.transport else { continue };
        *seen.opcodes.entry(opcode_name(bth.opcode)).or_default() += 1;
        let key = packet.mirror.key;
        let name = match key.kind {
            MirrorKind::Rspan => format!("{}", key.vlan.unwrap()),
            MirrorKind::Erspan2 | MirrorKind::Erspan3 => format!("session {}", key.session.unwrap()),
            MirrorKind::Vxlan => format!("vni {}", key.session.unwrap()),
            _ => String::new(),
        };
        *seen.keys.entry(name).or_default() += 1;
        match bth.eth.syndrome {
            Some(s) if s >> 5 == 1 => *seen.naks.entry("RNR NAK".to_owned()).or_default() += 1,
            Some(s) if s >> 5 == 3 => *seen.naks.entry(format!("NAK code {}", s & 31)).or_default() += 1,
            _ => {}
        }
        match icrc_ok(&packet) {
            Some(true) => seen.icrc_ok += 1,
            Some(false) => seen.icrc_bad.push(index + 1),
            None => {}
        }
    }
    seen
}

fn counts(value: &Value) -> BTreeMap<String, u64> {
    value.as_object().unwrap().iter().map(|(name, count)| (name.clone(), count.as_u64().unwrap())).collect()
}

#[test]
fn soft_roce_is_read_as_tshark_reads_it() {
    let Some(folder) = shared("softroce") else { return };
    let labels: Value = serde_json::from_slice(&std::fs::read(folder.join("labels.json")).unwrap()).unwrap();
    for label in labels["captures"].as_array().unwrap() {
        let name = label["pcap"].as_str().unwrap();
        let seen = observe(&folder.join(name), label["encap"] == "rspan");
        let tshark = &label["tshark"];
        assert_eq!(seen.refused, [], "{name}");
        assert_eq!(seen.opcodes, counts(&tshark["rdma_opcodes"]), "{name}");
        assert_eq!(seen.naks, counts(&tshark["naks"]), "{name}");
        if let Some(icrc) = label["icrc"].as_object().or(tshark["icrc"].as_object()) {
            let bad: Vec<usize> =
                icrc["bad_frames"].as_array().unwrap().iter().map(|f| f.as_u64().unwrap() as usize).collect();
            assert_eq!((seen.icrc_ok, &seen.icrc_bad), (icrc["ok"].as_u64().unwrap(), &bad), "{name}");
        } else {
            // Only short packets are whole in these captures.
            assert_eq!(seen.icrc_bad, [0; 0], "{name}");
            let short: u64 = seen
                .opcodes
                .iter()
                .filter(|(op, _)| matches!(op.as_str(), "RC_ACK" | "RC_READ_REQ"))
                .map(|(_, n)| n)
                .sum();
            assert!(seen.icrc_ok >= short, "{name}");
        }
        if matches!(label["encap"].as_str(), Some("rspan" | "erspan2" | "erspan3" | "vxlan")) {
            let links = label["links"].as_object().unwrap();
            let expected: Vec<&str> = links.keys().map(|key| key.trim_start_matches("VID ")).collect();
            assert_eq!(seen.keys.keys().map(String::as_str).collect::<Vec<_>>(), expected, "{name}");
        }
    }
}

/// The kernel's mirror keeps the wire length of the frame inside the envelope: the same as that of the plain captures.
#[test]
fn envelopes_do_not_count_into_the_wire_length() {
    let Some(folder) = shared("softroce") else { return };
    let files = ["e01_rspan_vlan", "e02_erspan2", "e03_erspan3", "e04_vxlan_mirror", "c08_straggler_compute"];
    for name in files {
        let pcap = Pcap::open(&folder.join(format!("{name}.pcap.zst")));
        let mut longest = 0;
        for record in pcap.records() {
            let packet = decode(pcap.link_type(), name.starts_with("e01"), &record).unwrap();
            let Transport::Rdma(_) = packet.transport else { continue };
            assert!(packet.payload_len as usize >= packet.payload.len(), "{name}");
            longest = longest.max(packet.wire_len);
        }
        // Ethernet, IPv4, UDP, BTH, RETH, 1024 or 4096 bytes, ICRC.
        assert!([1024, 4096].iter().any(|mtu| longest == 14 + 20 + 8 + 12 + 16 + mtu + 4), "{name}: {longest}");
    }
}

#[test]
fn frames_of_other_projects_have_their_icrc() {
    let Some(folder) = shared("foreign") else { return };
    for (file, expected) in [
        ("scapy-built/rocev2_uc_send_only_v4_v6.pcap", vec![("UC_SEND_ONLY", true), ("UC_SEND_ONLY", true)]),
        ("scapy-roce-uts/rocev1_rc_rdma_write_only.pcap", vec![("RC_WRITE_ONLY", true)]),
    ] {
        let pcap = Pcap::open(&folder.join(file));
        let mut seen = Vec::new();
        for record in pcap.records() {
            let packet = decode(pcap.link_type(), false, &record).unwrap();
            let Transport::Rdma(bth) = packet.transport else { panic!("{file}: {packet:?}") };
            seen.push((opcode_name(bth.opcode), icrc_ok(&packet)));
        }
        let expected: Vec<_> = expected.into_iter().map(|(name, ok)| (name.to_owned(), Some(ok))).collect();
        assert_eq!(seen, expected, "{file}");
    }
}

#[test]
fn native_infiniband_in_erf_is_read() {
    let Some(folder) = shared("foreign") else { return };
    let pcap = Pcap::open(&folder.join("rdma-softroce-demo/infiniband.pcap"));
    assert_eq!(pcap.link_type(), LinkType::Erf);
    let (mut opcodes, mut icrc) = (BTreeMap::new(), BTreeMap::new());
    for record in pcap.records() {
        let packet = decode(pcap.link_type(), false, &record).unwrap();
        let Transport::Rdma(bth) = packet.transport else { panic!("{packet:?}") };
        *opcodes.entry(opcode_name(bth.opcode)).or_insert(0) += 1;
        // With and without global route header.
        *icrc.entry((packet.network[1] & 3 == 3, icrc_ok(&packet))).or_insert(0) += 1;
        assert_eq!(bth.carrier, RdmaCarrier::Infiniband);
    }
    let named = |name: &str| opcodes.get(name).copied().unwrap_or(0);
    assert_eq!([named("RC_ACK"), named("RC_SEND_ONLY"), named("UD_SEND_ONLY"), opcodes.len()], [9, 10, 24, 3]);
    assert_eq!(icrc, BTreeMap::from([((true, Some(true)), 6), ((false, Some(true)), 37)]));
}
