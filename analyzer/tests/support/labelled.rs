//! Captures whose flows are labelled: their packets by conversation, and what each may be called.

#![allow(dead_code, reason = "each test uses its part")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use analyzer::packet::{Addr, Packet, Transport};
use analyzer::tick::FlowKey;
use analyzer::wire::{Decoder, TapFormat};
use capture::{FileOptions, Frame, Interface, InterfaceId, LinkType, Sink, Step};
use serde_json::Value;

/// Label -> names that a flow may be given.
pub type Names = BTreeMap<String, BTreeSet<String>>;

/// The names that labels allow, from the scores' own table.
pub fn names(path: &Path) -> Names {
    let table: BTreeMap<String, Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let list = |v: &Value| v.as_array().map(|a| a.iter().filter_map(|n| Some(n.as_str()?.to_owned())).collect());
    table.iter().filter_map(|(label, names)| Some((label.clone(), list(names)?))).collect()
}

/// A flow's ends, the smaller first, and its IP protocol.
pub type Ends = (u8, [(Addr, u16); 2]);

/// One capture: where it is, and what its labelled flows may be called.
pub struct Labelled {
    pub path: PathBuf,
    pub flows: BTreeMap<Ends, (String, BTreeSet<String>)>,
}

/// All captures of a folder that have labels from payload.
pub fn captures(folder: &Path, names: &Names) -> Vec<Labelled> {
    let labels: BTreeMap<String, Value> =
        serde_json::from_slice(&std::fs::read(folder.join("labels.json")).unwrap()).unwrap();
    labels
        .iter()
        .map(|(file, doc)| Labelled { path: folder.join(file), flows: flows(&doc["expected"]["flows"], names) })
        .filter(|c| !c.flows.is_empty() && c.path.exists())
        .collect()
}

fn flows(list: &Value, names: &Names) -> BTreeMap<Ends, (String, BTreeSet<String>)> {
    list.as_array().into_iter().flatten().filter_map(|flow| labelled(flow, names)).collect()
}

fn labelled(flow: &Value, names: &Names) -> Option<(Ends, (String, BTreeSet<String>))> {
    let (label, parts): (String, Vec<String>) = match flow["proto"].as_str() {
        Some(proto) => {
            flow["confidence"].as_str().filter(|c| c.starts_with("DPI"))?;
            (proto.to_lowercase(), proto.to_lowercase().split('.').map(str::to_owned).collect())
        }
        None => {
            let all: Vec<String> =
                flow["protocols"].as_array()?.iter().filter_map(|p| Some(p.as_str()?.to_lowercase())).collect();
            (all.join("+"), all)
        }
    };
    let may_be: BTreeSet<String> = parts.iter().filter_map(|p| names.get(p)).flatten().cloned().collect();
    let protocol = match (flow["l4"].as_str().map(str::to_lowercase).as_deref(), flow["ip_proto"].as_u64()) {
        (Some("tcp"), _) | (_, Some(6)) => 6,
        (Some("udp"), _) | (_, Some(17)) => 17,
        _ => return None,
    };
    let end = |addr: &str, port: &str| {
        let addr = match flow[addr].as_str()?.parse::<IpAddr>().ok()? {
            IpAddr::V4(a) => Addr::from(a),
            IpAddr::V6(a) => Addr::from(a),
        };
        Some((addr, flow[port].as_u64()? as u16))
    };
    let mut ends = [end("src", "sport")?, end("dst", "dport")?];
    ends.sort_unstable();
    (!may_be.is_empty()).then_some(((protocol, ends), (label, may_be)))
}

/// The frames of a capture, kept.
#[derive(Default)]
pub struct Frames {
    link_types: HashMap<InterfaceId, LinkType>,
    frames: Vec<(InterfaceId, Vec<u8>, u32)>,
}

impl Sink for Frames {
    fn interface(&mut self, interface: &Interface) {
        self.link_types.insert(interface.id, interface.link_type);
    }

    fn frames(&mut self, batch: &[Frame<'_>]) {
        self.frames.extend(batch.iter().map(|f| (f.interface, f.bytes.to_vec(), f.wire_len)));
    }

    fn dropped(&mut self, _: InterfaceId, _: u64, _: u64) {}
}

impl Frames {
    /// Reads a capture of any format to its end.
    pub fn open(path: &Path) -> Self {
        let mut frames = Self::default();
        let mut source = capture::open(&[path.to_owned()], &FileOptions::default()).unwrap();
        while source.step(&mut frames) != Step::End {}
        frames
    }

    /// Its TCP and UDP packets.
    pub fn packets(&self) -> Vec<Packet<'_>> {
        let decoder = Decoder::default();
        self.frames
            .iter()
            .filter_map(|(id, bytes, wire_len)| {
                decoder.decode(*self.link_types.get(id)?, TapFormat::default(), bytes, *wire_len).ok()
            })
            .filter(|p| matches!(p.transport, Transport::Tcp(_) | Transport::Udp(..)))
            .collect()
    }
}

/// The flow that a packet belongs to.
pub fn key(packet: &Packet<'_>) -> FlowKey {
    let (protocol, sport, dport) = match &packet.transport {
        Transport::Tcp(tcp) => (6, tcp.sport, tcp.dport),
        Transport::Udp(sport, dport) => (17, *sport, *dport),
        _ => (0, 0, 0),
    };
    FlowKey { src: packet.src, dst: packet.dst, sport, dport, protocol, dst_qp: None }
}

/// Its ends.
pub fn ends(key: &FlowKey) -> Ends {
    let mut ends = [(key.src, key.sport), (key.dst, key.dport)];
    ends.sort_unstable();
    (key.protocol, ends)
}
