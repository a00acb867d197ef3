//! Which link a packet belongs to: by topology (MACs, then mirror identity), by mirror identity alone, or, without either,
//! the access links of the hosts that it names.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::meter::Meter;
use crate::packet::{Addr, MirrorKey, MirrorKind, Packet, Transport};
use crate::tick::{LinkId, LinkInfo, LinkTick, Look};
use crate::topology::Plan;

/// What made a link that no topology names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Origin {
    Mirror(MirrorKey, Option<bool>),
    HostSends(Addr),
    HostReceives(Addr),
    /// The direction that a MAC address without a known host pauses.
    PausedBy([u8; 6]),
}

/// The links that one packet counts on: the first is where its flow is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct On {
    pub first: Option<LinkId>,
    pub second: Option<LinkId>,
    /// The sender's MAC address, by its place in the table: a port that pauses is known by the host that sent from it last.
    speaker: Option<u32>,
}

/// Links that a table may hold; packets of further ones count on no link, which `left_out` counts.
const CAPACITY: usize = 16_384;

/// The link table of a worker, with its meters.
#[derive(Debug)]
pub(super) struct Links {
    plan: Arc<Plan>,
    infos: Vec<LinkInfo>,
    meters: Vec<Meter>,
    by_origin: HashMap<Origin, LinkId, FixedState>,
    by_plan: HashMap<LinkId, LinkId, FixedState>,
    place_of_mac: HashMap<[u8; 6], u32, FixedState>,
    hosts: Vec<Addr>,
    announced: usize,
    pub left_out: u64,
}

impl Links {
    pub fn new(plan: Arc<Plan>) -> Self {
        Self {
            plan,
            infos: Vec::new(),
            meters: Vec::new(),
            by_origin: HashMap::default(),
            by_plan: HashMap::default(),
            place_of_mac: HashMap::default(),
            hosts: Vec::new(),
            announced: 0,
            left_out: 0,
        }
    }

    /// The links of a packet that came through `tap` (file or device).
    pub fn resolve(&mut self, packet: &Packet<'_>, tap: &str, pcapng_interface: u32, mirror_is_identity: bool) -> On {
        if let Some(link) = self.by_topology(packet, tap, pcapng_interface) {
            return On { first: Some(link), ..On::default() };
        }
        let key = packet.mirror.key;
        if key.kind != MirrorKind::Plain && mirror_is_identity {
            let first = self.made(Origin::Mirror(key, packet.mirror.egress), tap);
            return On { first, ..On::default() };
        }
        self.by_hosts(packet, tap)
    }

    fn by_topology(&mut self, packet: &Packet<'_>, tap: &str, pcapng_interface: u32) -> Option<LinkId> {
        if self.plan.is_empty() {
            return None;
        }
        let by_macs = match (packet.src_mac, packet.dst_mac) {
            (Some(src), Some(dst)) => self.plan.by_macs(src, dst),
            _ => None,
        };
        let planned = by_macs.or_else(|| {
            let mirror = &packet.mirror;
            let (port, _) = self.plan.by_mirror(tap, &mirror.key, pcapng_interface, mirror.egress)?;
            port.link_of(mirror.egress, packet.src_mac.zip(packet.dst_mac))
        })?;
        self.planned(planned, &packet.mirror.key, tap)
    }

    /// The table's entry for a link of the plan, made at its first packet together with its other direction.
    fn planned(&mut self, planned: LinkId, key: &MirrorKey, tap: &str) -> Option<LinkId> {
        if let Some(&link) = self.by_plan.get(&planned) {
            return Some(link);
        }
        let mut info = self.plan.links.get(planned.0 as usize)?.clone();
        let reverse = info.reverse.take();
        info.mirror = *key;
        info.tap = tap.to_owned();
        let link = self.push(info)?;
        self.by_plan.insert(planned, link);
        if let Some(other) = reverse.and_then(|planned| self.by_plan.get(&planned).copied()) {
            self.join(link, other);
        }
        Some(link)
    }

    fn join(&mut self, a: LinkId, b: LinkId) {
        for (x, y) in [(a, b), (b, a)] {
            if let Some(info) = self.infos.get_mut(x.0 as usize) {
                info.reverse = Some(y);
            }
        }
    }

    fn by_hosts(&mut self, packet: &Packet<'_>, tap: &str) -> On {
        if packet.ip.is_none() && !matches!(packet.transport, Transport::Rdma(_) | Transport::Arp(_)) {
            return On { first: self.by_known_mac(packet, tap), ..On::default() };
        }
        let first = self.host_link(Origin::HostSends, packet.src, tap);
        let speaker = packet.src_mac.filter(|_| first.is_some()).and_then(|mac| self.speaks(mac, packet.src));
        let second = self.host_link(Origin::HostReceives, packet.dst, tap);
        match first {
            None => On { first: second, ..On::default() },
            _ => On { first, second, speaker },
        }
    }

    /// A host sent from a MAC address; gives the place of that.
    fn speaks(&mut self, mac: [u8; 6], host: Addr) -> Option<u32> {
        if self.hosts.len() >= CAPACITY {
            return None;
        }
        let next = self.hosts.len() as u32;
        let place = *self.place_of_mac.entry(mac).or_insert(next);
        match self.hosts.get_mut(place as usize) {
            Some(known) => *known = host,
            None => self.hosts.push(host),
        }
        Some(place)
    }

    /// Another packet of a flow whose links are known already.
    #[inline]
    pub fn again(&mut self, on: On, packet: &Packet<'_>) {
        let full = self.hosts.len() >= CAPACITY;
        if let Some(host) = on.speaker.and_then(|place| self.hosts.get_mut(place as usize)).filter(|_| !full) {
            *host = packet.src;
        }
    }

    fn host_of(&self, mac: [u8; 6]) -> Option<Addr> {
        let place = self.place_of_mac.get(&mac)?;
        self.hosts.get(*place as usize).copied()
    }

    /// A frame without network addresses, as PFC, from a host that others named.
    fn by_known_mac(&mut self, packet: &Packet<'_>, tap: &str) -> Option<LinkId> {
        let host = packet.src_mac.and_then(|mac| self.host_of(mac))?;
        self.host_link(Origin::HostSends, host, tap)
    }

    fn host_link(&mut self, origin: fn(Addr) -> Origin, host: Addr, tap: &str) -> Option<LinkId> {
        if host.is_multicast() || host.0.iter().all(|&b| b == 0) || host == Addr::v4([0, 0, 0, 0]) {
            return None;
        }
        self.made(origin(host), tap)
    }

    /// The link whose sender a pause frame from this packet holds: the other direction of the port that sent it.
    pub fn paused_by(&mut self, packet: &Packet<'_>, tap: &str) -> Option<LinkId> {
        let mac = packet.src_mac?;
        if !self.plan.is_empty()
            && let Some(carrier) = self.plan.by_macs(mac, [0x01, 0x80, 0xc2, 0, 0, 1])
        {
            let reverse = self.plan.links.get(carrier.0 as usize)?.reverse?;
            return self.planned(reverse, &packet.mirror.key, tap);
        }
        match self.host_of(mac) {
            Some(host) => self.made(Origin::HostReceives(host), tap),
            None => self.made(Origin::PausedBy(mac), tap),
        }
    }

    fn made(&mut self, origin: Origin, tap: &str) -> Option<LinkId> {
        if let Some(&link) = self.by_origin.get(&origin) {
            return Some(link);
        }
        let info = describe(origin, tap, |host| self.plan.host_name(host).map(str::to_owned));
        let link = self.push(info)?;
        self.by_origin.insert(origin, link);
        let other = match origin {
            Origin::HostSends(host) => Some(Origin::HostReceives(host)),
            Origin::HostReceives(host) => Some(Origin::HostSends(host)),
            _ => None,
        };
        if let Some(other) = other.and_then(|o| self.by_origin.get(&o).copied()) {
            self.join(link, other);
        }
        Some(link)
    }

    fn push(&mut self, mut info: LinkInfo) -> Option<LinkId> {
        if self.infos.len() >= CAPACITY {
            self.left_out += 1;
            return None;
        }
        let link = LinkId(self.infos.len() as u32);
        info.link = link;
        self.infos.push(info);
        self.meters.push(Meter::default());
        Some(link)
    }

    pub fn meter(&mut self, link: LinkId) -> Option<&mut Meter> {
        self.meters.get_mut(link.0 as usize)
    }

    pub fn speed_bps(&self, link: LinkId) -> Option<u64> {
        self.infos.get(link.0 as usize).and_then(|info| info.speed_bps)
    }

    /// Links not yet handed over.
    pub fn take_new(&mut self) -> Vec<LinkInfo> {
        let new = self.infos.get(self.announced..).unwrap_or_default().to_vec();
        self.announced = self.infos.len();
        new
    }

    /// When each link last carried a packet.
    pub fn look(&self) -> Look {
        Look { last_ns: self.meters.iter().map(Meter::last_ns).collect() }
    }

    pub fn len(&self) -> usize {
        self.infos.len()
    }

    /// What every link did since the last call.
    pub fn take_ticks(&mut self, end_ns: u64) -> Vec<LinkTick> {
        (0u32..).zip(&mut self.meters).filter_map(|(i, meter)| meter.take(LinkId(i), end_ns)).collect()
    }
}

fn describe(origin: Origin, tap: &str, name: impl Fn(Addr) -> Option<String>) -> LinkInfo {
    let called = |host: Addr| name(host).unwrap_or_else(|| host.to_string());
    let (id, from, to, mirror, host) = match origin {
        Origin::HostSends(h) => (format!("host:{h}:tx"), called(h), "fabric".into(), MirrorKey::default(), Some(h)),
        Origin::HostReceives(h) => (format!("host:{h}:rx"), "fabric".into(), called(h), MirrorKey::default(), Some(h)),
        Origin::PausedBy(mac) => {
            let mac = Addr::mac(mac).to_string();
            (format!("port:{mac}:rx"), "fabric".into(), mac, MirrorKey::default(), None)
        }
        Origin::Mirror(key, egress) => {
            let id = mirror_id(&key, egress);
            (id.clone(), id, "unknown".into(), key, None)
        }
    };
    let label = match origin {
        Origin::Mirror(..) => id.clone(),
        _ => format!("{from}->{to}"),
    };
    LinkInfo {
        link: LinkId(0),
        id,
        name: label,
        from,
        to,
        speed_bps: None,
        group: None,
        mirror,
        tap: tap.to_owned(),
        reverse: None,
        host,
        to_host: matches!(origin, Origin::HostReceives(_)),
    }
}

/// `rspan:152`, `erspan2:10.0.0.1/11`, `vxlan:10.0.0.1/5001`, with `:tx` or `:rx` where the mirror tells the direction.
fn mirror_id(key: &MirrorKey, egress: Option<bool>) -> String {
    let kind = match key.kind {
        MirrorKind::Plain => "plain",
        MirrorKind::Rspan => "rspan",
        MirrorKind::Erspan1 => "erspan1",
        MirrorKind::Erspan2 => "erspan2",
        MirrorKind::Erspan3 => "erspan3",
        MirrorKind::Gretap => "gretap",
        MirrorKind::Vxlan => "vxlan",
        MirrorKind::Geneve => "geneve",
    };
    let mut id = kind.to_owned();
    if let Some(vlan) = key.vlan {
        id.push_str(&format!(":{vlan}"));
    }
    if let Some(source) = key.source {
        id.push_str(&format!(":{source}"));
    }
    if let Some(session) = key.session {
        id.push_str(&format!("/{session}"));
    }
    if let Some(port) = key.port {
        id.push_str(&format!("/{port}"));
    }
    match egress {
        Some(true) => id + ":tx",
        Some(false) => id + ":rx",
        None => id,
    }
}
