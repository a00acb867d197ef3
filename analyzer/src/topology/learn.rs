//! A starting topology from what frames show: hosts by their addresses, cables by pairs of MAC addresses, mirrors by
//! their envelopes, names by LLDP. What can't be known from frames is left for the owner to fill in.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use capture::{Frame, Interface};
use serde_json::Map;

use super::file::{End, Key, Link, Mirrors, Node, NodeType, Port, Roce, Topology};
use super::lldp::Neighbour;
use super::value::{Directions, Id, Mac, OneOrMany, TapFormat};
use crate::packet::{Addr, MirrorKey, MirrorKind, Packet, Transport};
use crate::wire::{self, Decoder};

/// Most entries of each kind that are remembered; [`Learner::left_out`] counts the rest.
const MOST: usize = 65_536;
/// Addresses remembered of one MAC.
const ADDRESSES_MAX: usize = 8;
/// Stands where frames can't tell which switch a port belongs to.
pub const UNNAMED: &str = "unknown-switch";

type MacBytes = [u8; 6];

#[derive(Clone, Debug, Default)]
struct Station {
    addresses: BTreeSet<Addr>,
    /// Packets that had passed a router before: it is a switch port, not a host.
    routed: bool,
    announced: Option<Neighbour>,
}

/// A mirror: file or device, interface within it, envelope.
type TapKey = (String, u32, MirrorKey);
/// Pairs of MAC addresses at the two ends of a cable; the smaller first.
type Pairs = BTreeSet<(MacBytes, MacBytes)>;

/// Watches frames and says what fabric they come from.
#[derive(Clone, Debug, Default)]
pub struct Learner {
    decoder: Decoder,
    interfaces: Vec<Interface>,
    stations: BTreeMap<MacBytes, Station>,
    pairs: Pairs,
    destinations: BTreeSet<Addr>,
    /// The first two pairs seen through each mirror: one alone is the mirrored cable.
    taps: BTreeMap<TapKey, Pairs>,
    left_out: u64,
}

impl Learner {
    /// Makes an interface known, before its first frame.
    pub fn add_interface(&mut self, interface: &Interface) {
        let index = usize::from(interface.id.0);
        if self.interfaces.len() <= index {
            self.interfaces.resize(index + 1, interface.clone());
        }
        if let Some(place) = self.interfaces.get_mut(index) {
            *place = interface.clone();
        }
    }

    /// Observes frames.
    pub fn observe(&mut self, frames: &[Frame<'_>]) {
        for frame in frames {
            let Some(interface) = self.interfaces.get(usize::from(frame.interface.0)) else { continue };
            let (link_type, source, index) = (interface.link_type, interface.source.clone(), interface.index_in_file);
            let format = wire::TapFormat::default();
            let decoder = std::mem::take(&mut self.decoder);
            if let Ok(packet) = decoder.decode(link_type, format, frame.bytes, frame.wire_len) {
                self.packet(&packet, source, index);
            }
            self.decoder = decoder;
        }
    }

    /// Entries that found no place.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    fn packet(&mut self, packet: &Packet<'_>, source: String, pcapng_interface: u32) {
        let macs = packet.src_mac.zip(packet.dst_mac).map(|(a, b)| (a.min(b), a.max(b)));
        let cable = macs.filter(|&(a, b)| is_station(a) && is_station(b));
        let key = (source, pcapng_interface, packet.mirror.key);
        if room(&mut self.left_out, self.taps.len(), self.taps.contains_key(&key)) {
            let pairs = self.taps.entry(key).or_default();
            pairs.extend(cable.filter(|_| pairs.len() < 2));
        }
        if let Some(cable) = cable
            && room(&mut self.left_out, self.pairs.len(), self.pairs.contains(&cable))
        {
            self.pairs.insert(cable);
        }
        if let Some(mac) = packet.src_mac.filter(|m| is_station(*m)) {
            self.station(mac, packet);
        }
        if is_host(packet.dst)
            && packet.ip.is_some()
            && room(&mut self.left_out, self.destinations.len(), self.destinations.contains(&packet.dst))
        {
            self.destinations.insert(packet.dst);
        }
    }

    fn station(&mut self, mac: MacBytes, packet: &Packet<'_>) {
        if !room(&mut self.left_out, self.stations.len(), self.stations.contains_key(&mac)) {
            return;
        }
        let station = self.stations.entry(mac).or_default();
        if packet.transport == Transport::Lldp {
            station.announced = Neighbour::read(packet.payload).or(station.announced.take());
        }
        let Some(ip) = packet.ip else { return };
        // Senders begin with one of these; 1 and 255 are also those of link-local protocols.
        station.routed |= !matches!(ip.ttl, 1 | 32 | 64 | 128 | 255);
        if is_host(packet.src) && station.addresses.len() < ADDRESSES_MAX {
            station.addresses.insert(packet.src);
        }
    }

    /// What was learnt.
    pub fn topology(&self) -> Topology {
        let mut nodes: BTreeMap<String, Node> = BTreeMap::new();
        for (mac, station) in &self.stations {
            let name = self.name(*mac);
            let node = nodes.entry(name.clone()).or_insert_with(|| node(&name, station.is_switch()));
            if !station.is_switch() {
                add_addresses(node, &station.addresses);
            }
        }
        let known: BTreeSet<IpAddr> = nodes.values().flat_map(Node::ips).copied().collect();
        let far = self.destinations.iter().filter_map(|a| ip(*a)).filter(|a| !known.contains(a));
        let far: Vec<(String, IpAddr)> = far.map(|a| (a.to_string(), a)).collect();
        for (name, address) in far {
            let node = nodes.entry(name.clone()).or_insert_with(|| node(&name, false));
            node.ip.get_or_insert(OneOrMany::One(address));
        }
        let (links, mirrors) = (self.links(), self.mirrors());
        let unnamed = Id::Text(UNNAMED.to_owned());
        let in_links = links.iter().any(|l| l.a.node == unnamed || l.b.node == unnamed);
        if in_links || mirrors.iter().any(|m| m.ports.iter().any(|p| p.node == unnamed)) {
            nodes.insert(UNNAMED.to_owned(), node(UNNAMED, true));
        }
        Topology { links, mirrors, nodes: nodes.into_values().collect(), roce: self.roce(), ..Topology::default() }
    }

    /// What ports announce by DCBX, where all that say something agree: the only priority with flow control, and the DSCP put into it.
    fn roce(&self) -> Roce {
        let said = self.stations.values().filter_map(|s| s.announced.as_ref()?.classes.as_ref());
        let said: BTreeSet<_> = said.filter(|c| c.pfc.is_some_and(|pfc| pfc != 0)).collect();
        let priorities: BTreeSet<u8> = said.iter().filter_map(|c| c.pfc).collect();
        let Some(pfc) = priorities.first().filter(|pfc| priorities.len() == 1 && pfc.is_power_of_two()) else {
            return Roce::default();
        };
        let priority = pfc.trailing_zeros() as u8;
        let entries = said.iter().flat_map(|c| &c.applications);
        let dscps: BTreeSet<u16> =
            entries.filter(|a| a.selector == 5 && a.priority == priority).map(|a| a.id).collect();
        let data_dscp = dscps.first().filter(|_| dscps.len() == 1).and_then(|d| u8::try_from(*d).ok());
        Roce { pfc_priority: Some(priority), data_dscp, ..Roce::default() }
    }

    fn is_switch(&self, mac: MacBytes) -> bool {
        self.stations.get(&mac).is_some_and(Station::is_switch)
    }

    fn name(&self, mac: MacBytes) -> String {
        let station = self.stations.get(&mac);
        let announced = station.and_then(|s| s.announced.as_ref());
        if let Some(neighbour) = announced {
            return neighbour.system.clone().unwrap_or_else(|| neighbour.chassis.clone());
        }
        match station.and_then(|s| s.addresses.first().filter(|_| !s.is_switch())) {
            Some(address) => address.to_string(),
            None => format!("switch-{}", Mac(mac)),
        }
    }

    fn end(&self, mac: MacBytes) -> End {
        let announced = self.stations.get(&mac).and_then(|s| s.announced.as_ref());
        let port = announced.map_or_else(|| Mac(mac).to_string(), |n| n.port.clone());
        End { node: Id::Text(self.name(mac)), port, mac: Some(Mac(mac)), ip: None, other: Map::new() }
    }

    /// A pair with a switch port is a cable. A pair of hosts went over a bridge: each has its own cable to it.
    fn links(&self) -> Vec<Link> {
        let mut links = Vec::new();
        let mut bridged = BTreeSet::new();
        for &(a, b) in &self.pairs {
            if self.is_switch(a) || self.is_switch(b) {
                links.push(link(self.end(a), self.end(b)));
            } else {
                bridged.extend([a, b]);
            }
        }
        for mac in bridged {
            links.push(link(self.end(mac), bridge_end(&self.name(mac))));
        }
        links
    }

    fn mirrors(&self) -> Vec<Mirrors> {
        let mut by_source: BTreeMap<(&str, MirrorKind), Mirrors> = BTreeMap::new();
        for ((source, interface, key), pairs) in &self.taps {
            let mirrors = by_source.entry((source, key.kind)).or_insert_with(|| Mirrors {
                pcap: Some(source.clone()),
                format: format(key.kind),
                ..Mirrors::default()
            });
            let several = self.taps.keys().filter(|(s, _, k)| s == source && k.kind == key.kind).count() > 1;
            mirrors.ports.push(self.port(written(key, *interface, several), pairs));
        }
        by_source.into_values().collect()
    }

    fn port(&self, key: Key, pairs: &Pairs) -> Port {
        let cable = pairs.first().filter(|_| pairs.len() == 1);
        let end = cable.and_then(|&(a, b)| [a, b].into_iter().find(|m| self.is_switch(*m))).map(|m| self.end(m));
        let (node, port) = end.map_or_else(|| (Id::Text(UNNAMED.to_owned()), String::new()), |e| (e.node, e.port));
        Port { key, node, port, link: None, directions: Directions::Both, other: Map::new() }
    }
}

impl Station {
    fn is_switch(&self) -> bool {
        self.routed || self.announced.as_ref().is_some_and(|n| n.forwards) || self.addresses.is_empty()
    }
}

/// Whether an entry is there or may be made; counts one that may not.
fn room(left_out: &mut u64, len: usize, there: bool) -> bool {
    let room = there || len < MOST;
    *left_out += u64::from(!room);
    room
}

fn is_station(mac: MacBytes) -> bool {
    mac != [0; 6] && mac.first().is_some_and(|b| b & 1 == 0)
}

fn is_host(address: Addr) -> bool {
    ip(address).is_some_and(|a| !a.is_unspecified()) && !address.is_multicast()
}

/// LIDs and MAC addresses are no IP addresses.
fn ip(address: Addr) -> Option<IpAddr> {
    let v6 = Ipv6Addr::from(address.0);
    let v4 = v6.to_ipv4_mapped().map(IpAddr::V4);
    v4.or((!address.to_string().contains([' ']) && address.0.first() != Some(&1)).then_some(IpAddr::V6(v6)))
}

fn node(name: &str, switch: bool) -> Node {
    let kind = if switch { NodeType::Switch } else { NodeType::Host };
    Node { name: name.to_owned(), kind, ..Node::default() }
}

fn add_addresses(node: &mut Node, addresses: &BTreeSet<Addr>) {
    let mut all: BTreeSet<IpAddr> = node.ips().iter().copied().collect();
    all.extend(addresses.iter().filter_map(|a| ip(*a)));
    let mut all: Vec<IpAddr> = all.into_iter().collect();
    node.ip = match all.len() {
        0 => None,
        1 => all.pop().map(OneOrMany::One),
        _ => Some(OneOrMany::Many(all)),
    };
}

fn link(a: End, b: End) -> Link {
    Link { id: None, name: None, a, b, speed_bps: None, delay_ns: None, group: None, other: Map::new() }
}

fn bridge_end(host: &str) -> End {
    End { node: Id::Text(UNNAMED.to_owned()), port: format!("to-{host}"), mac: None, ip: None, other: Map::new() }
}

fn format(kind: MirrorKind) -> TapFormat {
    match kind {
        MirrorKind::Plain => TapFormat::Plain,
        MirrorKind::Rspan => TapFormat::Rspan,
        MirrorKind::Erspan1 => TapFormat::Erspan1,
        MirrorKind::Erspan2 => TapFormat::Erspan2,
        MirrorKind::Erspan3 => TapFormat::Erspan3,
        MirrorKind::Gretap => TapFormat::Gretap,
        MirrorKind::Vxlan | MirrorKind::Geneve => TapFormat::Vxlan,
    }
}

/// The part of a mirror's identity that tells it from the others.
fn written(key: &MirrorKey, pcapng_interface: u32, several: bool) -> Key {
    let erspan = matches!(key.kind, MirrorKind::Erspan1 | MirrorKind::Erspan2 | MirrorKind::Erspan3);
    let tunnel = matches!(key.kind, MirrorKind::Vxlan | MirrorKind::Geneve);
    Key {
        vlan: key.vlan,
        erspan_session: key.session.filter(|_| erspan),
        erspan_src_ip: key.source.filter(|_| erspan).and_then(ip),
        vni: key.session.filter(|_| tunnel),
        gre_key: key.session.filter(|_| key.kind == MirrorKind::Gretap),
        pcapng_interface: (several && key.kind == MirrorKind::Plain).then_some(pcapng_interface),
        other: Map::new(),
    }
}
