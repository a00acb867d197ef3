//! The topology, indexed for a worker: which link a frame was on, by its MACs or by its mirror.

use std::collections::HashMap;
use std::net::IpAddr;

use super::file::{End, Key, Link, Mirrors, NodeType, Port, Topology, id_text};
use super::value::{Directions, Id, TapFormat};
use crate::packet::{Addr, MirrorKey, MirrorKind};
use crate::tick::{LinkId, LinkInfo};

/// Topology and the nature of the taps, indexed for the worker. The default knows nothing.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Two for each link of the topology: from `a` to `b`, then from `b` to `a`. Index and [`LinkId`] agree.
    pub links: Vec<LinkInfo>,
    pairs: HashMap<([u8; 6], [u8; 6]), Option<LinkId>>,
    sources: HashMap<[u8; 6], Option<LinkId>>,
    destinations: HashMap<[u8; 6], Option<LinkId>>,
    taps: Vec<Tap>,
    host_names: HashMap<Addr, String>,
    rdma_ports: Vec<u16>,
}

#[derive(Clone, Debug)]
struct Tap {
    /// File or interface name without compression suffix; `None` means every source.
    source: Option<String>,
    format: TapFormat,
    sampled_one_in: Option<u64>,
    ports: Vec<(Key, MirroredPort)>,
}

/// A port whose traffic a mirror shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirroredPort {
    /// Node that the port belongs to.
    pub node: String,
    /// Port name.
    pub port: String,
    /// Directions that the mirror copies.
    pub directions: Directions,
    /// The link towards the node (what it receives), whether copied or not.
    pub rx: LinkId,
    /// The link from the node (what it sends), whether copied or not.
    pub tx: LinkId,
    node_mac: Option<[u8; 6]>,
    peer_mac: Option<[u8; 6]>,
}

impl MirroredPort {
    /// The direction of a frame: by the mirror's word, by what it copies, else by MAC addresses at the two ends of the cable.
    pub fn link_of(&self, egress: Option<bool>, macs: Option<([u8; 6], [u8; 6])>) -> Option<LinkId> {
        match (egress, self.directions) {
            (Some(true), _) | (None, Directions::Tx) => return Some(self.tx),
            (Some(false), _) | (None, Directions::Rx) => return Some(self.rx),
            (None, Directions::Both) => {}
        }
        let (src, dst) = macs?;
        let (src, dst) = (Some(src), Some(dst));
        if src == self.peer_mac || dst == self.node_mac {
            Some(self.rx)
        } else if src == self.node_mac || dst == self.peer_mac {
            Some(self.tx)
        } else {
            None
        }
    }
}

impl Plan {
    /// Indexes a topology.
    pub fn new(topology: &Topology) -> Self {
        let mut plan = Self::default();
        let nodes = Nodes::of(topology);
        let names = link_names(topology, &nodes);
        for (index, link) in topology.links.iter().enumerate() {
            plan.add_link(&nodes, link, &names[index], index as u32 * 2);
        }
        super::parallel::name_groups(&mut plan.links);
        for mirrors in &topology.mirrors {
            plan.add_tap(topology, &nodes, &names, mirrors);
        }
        for node in &topology.nodes {
            plan.host_names.extend(node.ips().iter().map(|ip| (addr(*ip), node.name.clone())));
        }
        plan.rdma_ports = topology.roce.udp_dport.as_ref().map_or_else(Vec::new, |p| p.as_slice().to_vec());
        plan
    }

    /// Nothing is known: neither links nor taps.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty() && self.taps.is_empty()
    }

    /// UDP destination ports that carry RoCEv2; empty where the topology does not say.
    pub fn rdma_ports(&self) -> &[u16] {
        &self.rdma_ports
    }

    /// The link a frame was on. Both MACs, when both are known; one of them when the other is multicast or unknown.
    /// A MAC that stands at several links (a switch with one for all its ports) decides nothing alone.
    pub fn by_macs(&self, src: [u8; 6], dst: [u8; 6]) -> Option<LinkId> {
        if let Some(link) = self.pairs.get(&(src, dst)) {
            return *link;
        }
        match (self.sources.get(&src), self.destinations.get(&dst)) {
            (Some(link), None) | (None, Some(link)) => *link,
            // Two ends of different links: bridged, not routed. The mirror must say.
            (Some(_), Some(_)) | (None, None) => None,
        }
    }

    /// The port whose mirror gave this copy, and the link, as far as the mirror alone decides the direction.
    /// Linear in the ports of the tap: ask once per mirror key, not per frame.
    pub fn by_mirror(
        &self,
        source_file: &str,
        key: &MirrorKey,
        pcapng_interface: u32,
        egress: Option<bool>,
    ) -> Option<(&MirroredPort, Option<LinkId>)> {
        let ports = self.taps_of(source_file).flat_map(|t| &t.ports);
        let mut best: Option<(u32, &MirroredPort)> = None;
        let mut ambiguous = false;
        for (wanted, port) in ports {
            let Some(weight) = matches_key(wanted, key, pcapng_interface) else { continue };
            match best {
                Some((other, known)) if other == weight => ambiguous |= known != port,
                Some((other, _)) if other > weight => {}
                _ => (best, ambiguous) = (Some((weight, port)), false),
            }
        }
        let (_, port) = best.filter(|_| !ambiguous)?;
        Some((port, port.link_of(egress, None)))
    }

    /// Whether the tap's outer VLAN tag names the mirrored port, and one in how many frames it copies. `None`: not described.
    pub fn tap_format(&self, source_file: &str) -> Option<(bool, Option<u64>)> {
        let tap = self.taps_of(source_file).next()?;
        Some((matches!(tap.format, TapFormat::Rspan | TapFormat::Qinq), tap.sampled_one_in))
    }

    /// The envelope of a tap. `None`: not described.
    pub fn tap_envelope(&self, source_file: &str) -> Option<TapFormat> {
        self.taps_of(source_file).next().map(|t| t.format)
    }

    /// Name of the node that has the address.
    pub fn host_name(&self, addr: Addr) -> Option<&str> {
        self.host_names.get(&addr).map(String::as_str)
    }

    /// What is known of a link.
    pub fn link(&self, link: LinkId) -> Option<&LinkInfo> {
        self.links.get(link.0 as usize)
    }

    fn taps_of(&self, source_file: &str) -> impl Iterator<Item = &Tap> {
        let wanted = source_name(source_file);
        self.taps.iter().filter(move |t| t.source.as_deref().is_none_or(|s| s == wanted))
    }

    fn add_link(&mut self, nodes: &Nodes<'_>, link: &Link, name: &LinkName, first: u32) {
        let host = nodes.host_addr(&link.a).or_else(|| nodes.host_addr(&link.b));
        let ends = [(&link.a, &link.b), (&link.b, &link.a)];
        for (offset, (from, to)) in (0..).zip(ends) {
            let id = LinkId(first + offset);
            self.links.push(LinkInfo {
                link: id,
                id: format!("{}:{}>{}", name.base, nodes.name(&from.node), nodes.name(&to.node)),
                name: format!("{}->{}", name.end(nodes, from), name.end(nodes, to)),
                from: nodes.name(&from.node),
                to: nodes.name(&to.node),
                speed_bps: link.speed_bps,
                group: link.group.clone(),
                mirror: MirrorKey::default(),
                tap: String::new(),
                reverse: Some(LinkId(first + 1 - offset)),
                host,
                to_host: nodes.host_addr(to).is_some(),
            });
            self.add_macs(from, to, id);
        }
    }

    fn add_macs(&mut self, from: &End, to: &End, id: LinkId) {
        if let (Some(src), Some(dst)) = (from.mac, to.mac) {
            once(&mut self.pairs, (src.0, dst.0), id);
        }
        if let Some(src) = from.mac {
            once(&mut self.sources, src.0, id);
        }
        if let Some(dst) = to.mac {
            once(&mut self.destinations, dst.0, id);
        }
    }

    fn add_tap(&mut self, topology: &Topology, nodes: &Nodes<'_>, names: &[LinkName], mirrors: &Mirrors) {
        let source = mirrors.pcap.as_deref().or(mirrors.interface.as_deref());
        let mut ports = Vec::new();
        for port in &mirrors.ports {
            let Some(found) = mirrored_port(topology, nodes, names, port) else { continue };
            let shown = match found.directions {
                Directions::Rx => [Some(found.rx), None],
                Directions::Tx => [None, Some(found.tx)],
                Directions::Both => [Some(found.rx), Some(found.tx)],
            };
            for link in shown.into_iter().flatten() {
                self.show(link, mirrors.format, &port.key, source.unwrap_or_default());
            }
            ports.push((port.key.clone(), found));
        }
        self.taps.push(Tap {
            source: source.map(|s| source_name(s).to_owned()),
            format: mirrors.format,
            sampled_one_in: mirrors.sampled_one_in,
            ports,
        });
    }

    /// Notes which mirror shows a link; of several the first stands.
    fn show(&mut self, link: LinkId, format: TapFormat, key: &Key, tap: &str) {
        let Some(info) = self.links.get_mut(link.0 as usize).filter(|i| i.tap.is_empty()) else { return };
        info.tap = tap.to_owned();
        info.mirror = MirrorKey {
            kind: kind_of(format),
            vlan: key.vlan,
            session: key.erspan_session.or(key.gre_key).or(key.vni),
            port: None,
            source: key.erspan_src_ip.map(addr),
        };
    }
}

/// Puts an entry in; a second, different one leaves the key ambiguous.
fn once<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Option<LinkId>>, key: K, id: LinkId) {
    map.entry(key).and_modify(|e| *e = e.filter(|known| *known == id)).or_insert(Some(id));
}

fn mirrored_port(topology: &Topology, nodes: &Nodes<'_>, names: &[LinkName], port: &Port) -> Option<MirroredPort> {
    let node = nodes.name(&port.node);
    let at = |end: &End| nodes.name(&end.node) == node && (port.port.is_empty() || end.port == port.port);
    let wanted = port.link.as_ref();
    let is_link = |index: usize, link: &Link| match wanted {
        Some(id) => link.id.as_ref() == Some(id) || names[index].base == id_text(id),
        None => at(&link.a) || at(&link.b),
    };
    let (index, link) = topology.links.iter().enumerate().find(|(i, l)| is_link(*i, l))?;
    let (a_to_b, b_to_a) = (LinkId(index as u32 * 2), LinkId(index as u32 * 2 + 1));
    let node_is_a = nodes.name(&link.a.node) == node;
    let (near, far) = if node_is_a { (&link.a, &link.b) } else { (&link.b, &link.a) };
    Some(MirroredPort {
        node,
        port: near.port.clone(),
        directions: port.directions,
        rx: if node_is_a { b_to_a } else { a_to_b },
        tx: if node_is_a { a_to_b } else { b_to_a },
        node_mac: near.mac.map(|m| m.0),
        peer_mac: far.mac.map(|m| m.0),
    })
}

/// How many parts of a wanted key a copy fulfils; `None` when one of them differs.
fn matches_key(wanted: &Key, key: &MirrorKey, pcapng_interface: u32) -> Option<u32> {
    let erspan = matches!(key.kind, MirrorKind::Erspan1 | MirrorKind::Erspan2 | MirrorKind::Erspan3);
    let tunnel = matches!(key.kind, MirrorKind::Vxlan | MirrorKind::Geneve);
    let checks = [
        wanted.vlan.map(|v| key.vlan == Some(v)),
        wanted.erspan_session.map(|s| erspan && key.session == Some(s)),
        wanted.erspan_src_ip.map(|ip| key.source == Some(addr(ip))),
        wanted.vni.map(|v| tunnel && key.session == Some(v)),
        wanted.gre_key.map(|k| key.kind == MirrorKind::Gretap && key.session == Some(k)),
        wanted.pcapng_interface.map(|i| i == pcapng_interface),
    ];
    let asked = || checks.into_iter().flatten();
    asked().all(|fits| fits).then(|| asked().count() as u32)
}

fn kind_of(format: TapFormat) -> MirrorKind {
    match format {
        TapFormat::Plain => MirrorKind::Plain,
        TapFormat::Rspan | TapFormat::Qinq => MirrorKind::Rspan,
        TapFormat::Erspan1 => MirrorKind::Erspan1,
        TapFormat::Erspan2 => MirrorKind::Erspan2,
        TapFormat::Erspan3 => MirrorKind::Erspan3,
        TapFormat::Gretap => MirrorKind::Gretap,
        TapFormat::Vxlan => MirrorKind::Vxlan,
    }
}

/// A capture is the same tap whether it is compressed or not, and wherever it lies.
fn source_name(source: &str) -> &str {
    let file = source.rsplit(['/', '\\']).next().unwrap_or(source);
    [".zst", ".gz"].iter().find_map(|suffix| file.strip_suffix(suffix)).unwrap_or(file)
}

/// As the analysis keeps addresses.
pub(crate) fn addr(ip: IpAddr) -> Addr {
    match ip {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => ip.into(),
    }
}

/// Nodes by name and by identifier.
struct Nodes<'a> {
    topology: &'a Topology,
    by_id: HashMap<String, usize>,
}

impl<'a> Nodes<'a> {
    fn of(topology: &'a Topology) -> Self {
        let mut by_id = HashMap::new();
        for (index, node) in topology.nodes.iter().enumerate() {
            by_id.insert(node.name.clone(), index);
        }
        // A name wins over an identifier that happens to read the same.
        for (index, node) in topology.nodes.iter().enumerate() {
            by_id.extend(
                node.id
                    .iter()
                    .map(id_text)
                    .filter(|id| !by_id.contains_key(id))
                    .map(|id| (id, index))
                    .collect::<Vec<_>>(),
            );
        }
        Self { topology, by_id }
    }

    fn name(&self, id: &Id) -> String {
        let text = id_text(id);
        self.by_id.get(&text).map_or(text, |i| self.topology.nodes[*i].name.clone())
    }

    fn host_addr(&self, end: &End) -> Option<Addr> {
        let node = &self.topology.nodes[*self.by_id.get(&id_text(&end.node))?];
        let ip = end.ip.or_else(|| node.ips().first().copied())?;
        (node.kind == NodeType::Host).then(|| addr(ip))
    }
}

struct LinkName {
    /// Unique.
    base: String,
    /// The two nodes have more than one link between them.
    parallel: bool,
}

impl LinkName {
    fn end(&self, nodes: &Nodes<'_>, end: &End) -> String {
        let name = nodes.name(&end.node);
        if self.parallel { format!("{name}:{}", end.port) } else { name }
    }
}

fn link_names(topology: &Topology, nodes: &Nodes<'_>) -> Vec<LinkName> {
    let pair = |link: &Link| {
        let (a, b) = (nodes.name(&link.a.node), nodes.name(&link.b.node));
        if a < b { (a, b) } else { (b, a) }
    };
    let mut count: HashMap<(String, String), u32> = HashMap::new();
    for link in &topology.links {
        *count.entry(pair(link)).or_default() += 1;
    }
    let name = |link: &Link| {
        let parallel = count.get(&pair(link)).is_some_and(|n| *n > 1);
        let named = LinkName { base: String::new(), parallel };
        let made = || format!("{}-{}", named.end(nodes, &link.a), named.end(nodes, &link.b));
        LinkName { base: link.name.clone().unwrap_or_else(made), parallel }
    };
    topology.links.iter().map(name).collect()
}
