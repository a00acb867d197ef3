//! Which link a packet belongs to: by topology (MACs, then mirror identity), by mirror identity alone, or, without either,
//! the access links of the hosts that it names.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::ahead::ask;
use super::line::Line;
use super::link_names::describe;
use super::meter::Meter;
use super::notes::{Hold, Note, Notes, Passing};
use super::rdma::Beside;
use crate::packet::{Addr, MirrorKey, MirrorKind, Packet, Transport};
use crate::tick::{LinkId, LinkInfo, LinkTick, Look};
use crate::topology::Plan;

/// What made a link that no topology names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Origin {
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
    pub speaker: Option<u32>,
    /// Links that found no place in the table: counted for each packet.
    pub left_out: u8,
}

/// A link that is new, the frame that made it, and the identifier of its other direction.
pub(super) type Made = (LinkInfo, u64, Option<String>);

/// Links that a table may hold; packets of further ones count on no link, which `left_out` counts.
pub(super) const CAPACITY: usize = 16_384;

/// The link table of a worker, with its meters.
#[derive(Debug)]
pub(super) struct Links {
    plan: Arc<Plan>,
    infos: Vec<LinkInfo>,
    meters: Vec<Meter>,
    /// What each gathers at present.
    lines: Vec<Line>,
    by_origin: HashMap<Origin, LinkId, FixedState>,
    by_plan: HashMap<LinkId, LinkId, FixedState>,
    place_of_mac: HashMap<[u8; 6], u32, FixedState>,
    hosts: Vec<Addr>,
    shared: bool,
    announced: usize,
    pub left_out: u64,
    /// Among several workers.
    team: Option<Box<Beginnings>>,
}

/// What a worker among several says of its links beside what they did.
#[derive(Debug, Default)]
struct Beginnings {
    notes: Notes,
    /// Of each link the frame that made it, and the other direction's identifier.
    links: Vec<(u64, Option<String>)>,
    /// Of each MAC address when it sent last.
    spoke: Vec<u64>,
    now_ns: u64,
}

impl Links {
    pub fn new(plan: Arc<Plan>) -> Self {
        Self {
            plan,
            infos: Vec::new(),
            meters: Vec::new(),
            lines: Vec::new(),
            by_origin: HashMap::default(),
            by_plan: HashMap::default(),
            place_of_mac: HashMap::default(),
            hosts: Vec::new(),
            shared: false,
            announced: 0,
            left_out: 0,
            team: None,
        }
    }

    /// One table of several.
    pub fn among_several(plan: Arc<Plan>) -> Self {
        Self { team: Some(Box::default()), ..Self::new(plan) }
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
        let other = reverse.filter(|_| self.team.is_some()).and_then(|r| self.plan.links.get(r.0 as usize));
        let other = other.map(|other| other.id.clone());
        let link = self.push(info, other)?;
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
            _ => On { first, second, speaker, left_out: 0 },
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
            Some(known) => {
                self.shared |= *known != host;
                *known = host;
            }
            None => self.hosts.push(host),
        }
        self.spoke(place);
        Some(place)
    }

    /// Another packet of a host, from a MAC address that is known already.
    #[inline]
    pub fn again(&mut self, speaker: Option<u32>, host: Addr) {
        let full = self.hosts.len() >= CAPACITY;
        if let Some(known) = speaker.and_then(|place| self.hosts.get_mut(place as usize)).filter(|_| !full) {
            *known = host;
            speaker.into_iter().for_each(|place| self.spoke(place));
        }
    }

    fn spoke(&mut self, place: u32) {
        if let Some(team) = &mut self.team {
            if team.spoke.len() <= place as usize {
                team.spoke.resize(place as usize + 1, 0);
            }
            team.spoke.iter_mut().skip(place as usize).take(1).for_each(|at| *at = team.now_ns);
        }
    }

    /// Among several workers: which host sent from a MAC address last, and when.
    pub fn speaker(&self, mac: [u8; 6]) -> Option<(u64, Addr)> {
        let place = *self.place_of_mac.get(&mac)?;
        let at = self.team.as_ref()?.spoke.get(place as usize)?;
        self.hosts.get(place as usize).map(|&host| (*at, host))
    }

    /// Among several workers: a host sent from a MAC address, as another of them saw.
    pub fn heard(&mut self, mac: [u8; 6], (at_ns, host): (u64, Addr)) {
        if let Some(team) = &mut self.team {
            team.now_ns = at_ns;
        }
        self.speaks(mac, host);
    }

    /// Among several workers: some MAC address is that of several hosts, which one worker alone may not have seen. `spoke` are the
    /// senders of conversations by their place, and when each sent last.
    pub fn is_shared(&mut self, spoke: impl Iterator<Item = (u32, u64)>) {
        self.shared = true;
        let Some(team) = &mut self.team else { return };
        for (place, at_ns) in spoke {
            team.spoke.iter_mut().skip(place as usize).take(1).for_each(|at| *at = at_ns.max(*at));
        }
    }

    /// Some MAC address is that of several hosts, a router's: who sent from it last changes from packet to packet.
    pub fn shared(&self) -> bool {
        self.shared
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
        if self.infos.len() >= CAPACITY {
            // Not described in vain: each packet of a flow without a link comes here.
            self.left_out += 1;
            return None;
        }
        let named = |host| self.plan.host_name(host).map(str::to_owned);
        let info = describe(origin, tap, named);
        let other = match origin {
            Origin::HostSends(host) => Some(Origin::HostReceives(host)),
            Origin::HostReceives(host) => Some(Origin::HostSends(host)),
            _ => None,
        };
        let other_id = other.filter(|_| self.team.is_some()).map(|other| describe(other, tap, named).id);
        let link = self.push(info, other_id)?;
        self.by_origin.insert(origin, link);
        if let Some(other) = other.and_then(|o| self.by_origin.get(&o).copied()) {
            self.join(link, other);
        }
        Some(link)
    }

    fn push(&mut self, mut info: LinkInfo, other: Option<String>) -> Option<LinkId> {
        if self.infos.len() >= CAPACITY {
            self.left_out += 1;
            return None;
        }
        let link = LinkId(self.infos.len() as u32);
        info.link = link;
        self.infos.push(info);
        self.meters.push(Meter::default());
        self.lines.push(Line::CLOSED);
        if let Some(team) = &mut self.team {
            team.links.push((team.notes.frame, other));
        }
        Some(link)
    }

    /// The meter of a link, for what adds to what it counts; what its line gathered may not be in it yet.
    pub fn meter(&mut self, link: LinkId) -> Option<&mut Meter> {
        self.meters.get_mut(link.0 as usize)
    }

    /// A pause frame holds the sender of a link.
    pub fn hold(&mut self, link: LinkId, hold: &Hold) {
        let place = link.0 as usize;
        let (Some(line), Some(meter)) = (self.lines.get_mut(place), self.meters.get_mut(place)) else { return };
        let mut notes = self.team.as_mut().map(|team| &mut team.notes);
        settle(line, meter, notes.as_deref_mut());
        match notes {
            None => meter.pause_frame(hold),
            Some(notes) => {
                notes.hold(link.0, *hold);
                meter.held(hold);
            }
        }
    }

    /// Among several workers: a pause frame holds the sender of a link, as another of them notes.
    pub fn held(&mut self, link: LinkId, hold: &Hold) {
        if let Some(meter) = self.meters.get_mut(link.0 as usize) {
            meter.held(hold);
        }
    }

    /// A congestion notification on a link, which it has carried already.
    pub fn cnp(&mut self, link: LinkId) {
        if let Some(meter) = self.meters.get_mut(link.0 as usize) {
            meter.cnp(self.team.as_mut().map(|team| &mut team.notes));
        }
    }

    /// Among several workers: the frame whose turn it is, and which stretch of time it belongs to.
    #[inline]
    pub fn turn(&mut self, frame: u64, stretch: u32, now_ns: u64) {
        let Some(team) = &mut self.team else { return };
        (team.notes.frame, team.now_ns) = (frame, now_ns);
        if team.notes.stretch != stretch {
            for (line, meter) in self.lines.iter_mut().zip(&mut self.meters) {
                settle(line, meter, Some(&mut team.notes));
            }
            team.notes.stretch = stretch;
        }
    }

    /// A packet on a link: `ecn` its ECN bits, `source` the hash of its sender.
    #[inline(always)]
    pub fn carry(&mut self, link: usize, at_ns: u64, bytes: u32, ecn: u8, source: u8) {
        let Some(line) = self.lines.get_mut(link) else { return };
        if ecn == 3 || !line.gather(at_ns, bytes, ecn != 0, source) {
            self.carry_anew(link, at_ns, bytes, ecn, source);
        }
    }

    /// What RDMA packets of a flow did beside what [`Links::carry`] counts.
    pub fn carried(&mut self, link: u16, packets: u32, bytes: u64, beside: &Beside) {
        let Some(meter) = self.meters.get_mut(usize::from(link)) else { return };
        let counters = meter.counters();
        counters.rdma_packets += u64::from(packets);
        counters.rdma_bytes += bytes;
        counters.roce.data_packets += beside.data_packets;
        counters.roce.useful_bytes += beside.useful_bytes;
        counters.roce.icrc_checked += beside.icrc_checked;
    }

    /// Asks memory for a link's line.
    #[inline(always)]
    pub fn ask_line(&self, link: usize) {
        if let Some(line) = self.lines.get(link) {
            ask(line, 1);
        }
    }

    #[inline(never)]
    fn carry_anew(&mut self, link: usize, at_ns: u64, bytes: u32, ecn: u8, source: u8) {
        let (Some(line), Some(meter)) = (self.lines.get_mut(link), self.meters.get_mut(link)) else { return };
        match &mut self.team {
            None => {
                settle(line, meter, None);
                meter.add(at_ns, bytes.into());
                meter.slot(at_ns, bytes.into(), source, ecn);
            }
            Some(team) => {
                settle(line, meter, Some(&mut team.notes));
                let packet = Passing { at_ns, bytes, ecn, source, held: false };
                meter.noted(link as u32, &packet, &mut team.notes);
            }
        }
        *line = meter.line(at_ns);
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
        let newest = |(meter, line): (&Meter, &Line)| meter.last_ns().max(line.newest_ns());
        Look { last_ns: self.meters.iter().zip(&self.lines).map(newest).collect() }
    }

    pub fn len(&self) -> usize {
        self.infos.len()
    }

    /// Among several workers: of the links made since the last call what they are, the frame that made each, and its other direction; and
    /// all notes since then. `used` is a list of notes that is of no use any more.
    pub fn take_noted(&mut self, used: Vec<Note>) -> (Vec<Made>, Vec<Note>) {
        let Some(team) = &mut self.team else { return (Vec::new(), Vec::new()) };
        for link in 0..team.notes.len() {
            let Some(place) = team.notes.link(link) else { continue };
            let (Some(line), Some(meter)) = (self.lines.get_mut(place), self.meters.get_mut(place)) else { continue };
            settle(line, meter, Some(&mut team.notes));
            meter.close_run();
        }
        let new = self.infos.get(self.announced..).unwrap_or_default().iter().cloned();
        let new = new.zip(team.links.drain(..)).map(|(info, (frame, other))| (info, frame, other)).collect();
        self.announced = self.infos.len();
        (new, team.notes.take(used))
    }

    /// What every link did since the last call.
    pub fn take_ticks(&mut self, end_ns: u64) -> Vec<LinkTick> {
        for (line, meter) in self.lines.iter_mut().zip(&mut self.meters) {
            settle(line, meter, self.team.as_mut().map(|team| &mut team.notes));
        }
        (0u32..).zip(&mut self.meters).filter_map(|(i, meter)| meter.take(LinkId(i), end_ns)).collect()
    }
}

/// Carries what a line gathered into its meter; closes it.
#[inline(always)]
fn settle(line: &mut Line, meter: &mut Meter, notes: Option<&mut Notes>) {
    if line.packets > 0 {
        match notes {
            None => meter.gathered(line),
            Some(notes) => meter.gathered_apart(line, notes),
        }
    }
    *line = Line::CLOSED;
}
