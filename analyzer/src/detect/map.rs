//! The links as detectors need them: neighbours, parallels, access links, and when each last carried a packet.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::by_link::{ByLink, MAX_LINKS};
use crate::packet::Addr;
use crate::tick::{LinkId, LinkInfo, Look, Tick};

type ByName = HashMap<String, Vec<LinkId>, FixedState>;

/// Links and how they hang together, learnt as they appear.
#[derive(Debug, Default)]
pub struct Map {
    links: ByLink<LinkInfo>,
    to_host: HashMap<Addr, LinkId, FixedState>,
    from_host: HashMap<Addr, LinkId, FixedState>,
    out_of: ByName,
    groups: ByName,
    last_ns: ByLink<u64>,
    now_ns: u64,
    start_ns: Option<u64>,
    /// While it is looked between two ticks: the newest times, and the newest of them.
    look: Look,
    look_ns: u64,
}

impl Map {
    /// Learns a tick's links and times.
    pub fn learn(&mut self, tick: &Tick) {
        for info in &tick.new_links {
            self.learn_link(info);
        }
        for link in tick.links.iter().filter(|l| l.packets > 0) {
            if let Some(last) = self.last_ns.made(LinkId(link.link)) {
                *last = link.last_ns.max(*last);
            }
            self.now_ns = self.now_ns.max(link.last_ns);
            self.start_ns = Some(self.start_ns.map_or(link.first_ns, |s| s.min(link.first_ns)));
        }
    }

    fn learn_link(&mut self, info: &LinkInfo) {
        if self.links.len() >= MAX_LINKS {
            return;
        }
        let id = info.link;
        if let Some(other) = info.reverse.and_then(|r| self.links.get_mut(r)) {
            other.reverse = Some(id);
        }
        if let Some(host) = info.host {
            let side = if info.to_host { &mut self.to_host } else { &mut self.from_host };
            side.insert(host, id);
        }
        push(&mut self.out_of, &info.from, id);
        if let Some(group) = &info.group {
            push(&mut self.groups, group, id);
        }
        self.links.insert(id, info.clone());
    }

    /// Times are those of a look until it is [`Self::looked`].
    pub fn look(&mut self, look: Look) {
        self.look_ns = look.last_ns.iter().copied().max().unwrap_or(0);
        self.look = look;
    }

    /// Times are those of the ticks again.
    pub fn looked(&mut self) {
        (self.look, self.look_ns) = (Look::default(), 0);
    }

    /// Time of the newest packet.
    pub fn now_ns(&self) -> u64 {
        self.now_ns.max(self.look_ns)
    }

    /// Time of the oldest packet.
    pub fn start_ns(&self) -> u64 {
        self.start_ns.unwrap_or(self.now_ns)
    }

    /// When a link last carried a packet; 0: never.
    pub fn last_ns(&self, link: LinkId) -> u64 {
        let looked = self.look.last_ns.get(link.0 as usize).copied().filter(|&at_ns| at_ns > 0);
        looked.unwrap_or_else(|| self.last_ns.get(link).copied().unwrap_or(0))
    }

    /// What is known of a link.
    pub fn info(&self, link: LinkId) -> Option<&LinkInfo> {
        self.links.get(link)
    }

    /// All links.
    pub fn links(&self) -> impl Iterator<Item = &LinkInfo> {
        self.links.values()
    }

    /// Stable identifier.
    pub fn id(&self, link: LinkId) -> String {
        self.info(link).map_or_else(|| format!("link:{}", link.0), |i| i.id.clone())
    }

    /// For people.
    pub fn name(&self, link: LinkId) -> String {
        self.info(link).map_or_else(|| format!("link {}", link.0), |i| i.name.clone())
    }

    /// The host at one end, by address.
    pub fn host_of(&self, link: LinkId) -> Option<String> {
        self.info(link)?.host.map(|h| h.to_string())
    }

    /// The other direction.
    pub fn reverse(&self, link: LinkId) -> Option<LinkId> {
        self.info(link)?.reverse
    }

    /// Rated speed.
    pub fn speed_bps(&self, link: LinkId) -> Option<u64> {
        self.info(link)?.speed_bps.filter(|&s| s > 0)
    }

    /// The access link towards a host.
    pub fn to_host(&self, host: Addr) -> Option<LinkId> {
        self.to_host.get(&host).copied()
    }

    /// The access link from a host.
    pub fn from_host(&self, host: Addr) -> Option<LinkId> {
        self.from_host.get(&host).copied()
    }

    /// Links that start at a node.
    pub fn out_of(&self, node: &str) -> &[LinkId] {
        self.out_of.get(node).map_or(&[], Vec::as_slice)
    }

    /// Parallel links in the same direction, the link itself left out.
    pub fn parallels(&self, link: LinkId) -> Vec<LinkId> {
        let Some(info) = self.info(link) else { return Vec::new() };
        let members = info.group.as_ref().and_then(|g| self.groups.get(g)).map_or(&[][..], Vec::as_slice);
        let alike = |l: &&LinkId| self.info(**l).is_some_and(|o| o.from == info.from || o.to == info.to);
        members.iter().filter(|l| **l != link).filter(alike).copied().collect()
    }

    /// Could a flow take either link, as alternatives of each other rather than one after the other?
    pub fn alternatives(&self, a: LinkId, b: LinkId) -> bool {
        let (Some(x), Some(y)) = (self.info(a), self.info(b)) else { return false };
        if a == b || x.to == y.from || y.to == x.from || x.host.is_some() || y.host.is_some() {
            return false;
        }
        let unknown = x.to == "unknown" && y.to == "unknown" && x.mirror.kind == y.mirror.kind;
        unknown || x.from == y.from || x.to == y.to || x.group.is_some() && x.group == y.group
    }
}

fn push(by_name: &mut ByName, name: &str, link: LinkId) {
    match by_name.get_mut(name) {
        Some(links) => links.push(link),
        None => _ = by_name.insert(name.to_owned(), vec![link]),
    }
}
