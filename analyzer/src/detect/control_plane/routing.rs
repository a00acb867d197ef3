//! OSPF (RFC 2328) and IS-IS (ISO/IEC 10589): adjacencies that end.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::UNWANTED;
use super::state::{Said, entry, mac, seconds};
use crate::control::ControlEvent;
use crate::packet::Addr;
use crate::tick::LinkId;

#[derive(Debug, Default)]
struct Speaker<N> {
    hears: Arc<[N]>,
    state: Option<u8>,
    hold_s: u64,
    last_ns: u64,
    times: u64,
    link: Option<LinkId>,
    name: String,
}

/// Routers by the address that they send from, and to whom (levels and areas differ in it).
#[derive(Debug, Default)]
pub struct Routing {
    ospf: BTreeMap<(Addr, Addr), Speaker<u32>>,
    isis: BTreeMap<(Addr, Addr), Speaker<[u8; 6]>>,
}

impl Routing {
    pub fn ospf(&mut self, event: &ControlEvent, router: u32, dead_s: u32, hears: &Arc<[u32]>, said: &mut Said<'_>) {
        let Some(speaker) = entry(&mut self.ospf, (event.src, event.dst)) else { return };
        let id = |id: &u32| Addr::v4(id.to_be_bytes()).to_string();
        let name = format!("the OSPF router {}", id(&router));
        speaker.lost(event, hears, id, &name, "OSPF Hello", said);
        speaker.renew(event, hears.clone(), (dead_s.into(), None), name);
    }

    pub fn isis(
        &mut self,
        event: &ControlEvent,
        system: [u8; 6],
        (hold_s, state): (u16, Option<u8>),
        hears: &Arc<[[u8; 6]]>,
        said: &mut Said<'_>,
    ) {
        let Some(speaker) = entry(&mut self.isis, (event.src, event.dst)) else { return };
        let name = format!("the IS-IS system {}", system_id(system));
        speaker.lost(event, hears, |station| mac(*station), &name, "IS-IS Hello", said);
        if speaker.state == Some(0) && state.is_some_and(|s| s != 0) {
            said.of(event, UNWANTED, "IS-IS Hello", format!("{name} has lost its adjacency on a point to point link"));
        }
        speaker.renew(event, hears.clone(), (hold_s.into(), state), name);
    }

    pub fn pass(&mut self, now_ns: u64, said: &mut Said<'_>) {
        self.ospf.retain(|(src, _), speaker| speaker.still(*src, now_ns, said));
        self.isis.retain(|(src, _), speaker| speaker.still(*src, now_ns, said));
    }
}

impl<N: PartialEq + Default> Speaker<N> {
    /// Neighbours heard before and not now.
    fn lost(
        &self,
        event: &ControlEvent,
        hears: &Arc<[N]>,
        named: impl Fn(&N) -> String,
        name: &str,
        what: &str,
        said: &mut Said<'_>,
    ) {
        if self.times == 0 {
            return;
        }
        for gone in self.hears.iter().filter(|n| !hears.contains(n)) {
            said.of(event, UNWANTED, what, format!("{name} no longer hears its neighbour {}", named(gone)));
        }
    }

    fn renew(&mut self, event: &ControlEvent, hears: Arc<[N]>, (hold_s, state): (u64, Option<u8>), name: String) {
        let times = self.times + u64::from(event.count);
        *self = Self { hears, state, hold_s, last_ns: event.last_ns, times, link: event.link, name };
    }

    /// Whether it was heard within the time that its Hello holds; says so when not.
    fn still(&self, src: Addr, now_ns: u64, said: &mut Said<'_>) -> bool {
        let over = now_ns > self.last_ns.saturating_add(seconds(self.hold_s));
        if over && self.times > 2 && !self.hears.is_empty() && !said.blind(self.last_ns) {
            let note = format!("{} was not heard for {} s, which ends its adjacencies", self.name, self.hold_s);
            said.silent(self.link, src, self.last_ns, note);
        }
        !over
    }
}

/// `0000.0000.0001`, as IS-IS writes them.
fn system_id(id: [u8; 6]) -> String {
    let [a, b, c, d, e, f] = id;
    format!("{a:02x}{b:02x}.{c:02x}{d:02x}.{e:02x}{f:02x}")
}
