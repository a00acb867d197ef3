//! Records of one tick, bounded.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::{ControlEvent, MOST, Says};
use crate::packet::Addr;

/// Pings whose last packet is remembered, to know one that comes back.
const ECHOES: usize = 1_024;

/// Collects a worker's records.
#[derive(Debug, Default)]
pub struct ControlLog {
    events: Vec<ControlEvent>,
    last: HashMap<(Addr, Addr, std::mem::Discriminant<Says>), usize, FixedState>,
    echoes: HashMap<(Addr, Addr), (u16, u8), FixedState>,
    left_out: u64,
}

impl ControlLog {
    /// Notes a record; the same said again by the same to the same adds to it.
    pub fn note(&mut self, event: ControlEvent) {
        let key = (event.src, event.dst, std::mem::discriminant(&event.says));
        let before = self.last.get(&key).and_then(|&at| self.events.get_mut(at));
        if let Some(before) = before.filter(|b| b.says == event.says && b.link == event.link) {
            before.count = before.count.saturating_add(event.count);
            before.last_ns = before.last_ns.max(event.last_ns);
            return;
        }
        if self.events.len() >= MOST {
            self.left_out += u64::from(event.count);
            return;
        }
        self.last.insert(key, self.events.len());
        self.events.push(event);
    }

    /// A ping of which this identification was seen: how many hops less it has now, if it is the same packet.
    pub fn echo(&mut self, src: Addr, dst: Addr, ip_id: u16, ttl: u8) -> u8 {
        if self.echoes.len() >= ECHOES {
            self.echoes.clear();
        }
        let (id, most) = *self.echoes.entry((src, dst)).or_insert((ip_id, ttl));
        if id != ip_id || ip_id == 0 {
            self.echoes.insert((src, dst), (ip_id, ttl));
            return 0;
        }
        most.saturating_sub(ttl)
    }

    /// The records since the last call, and how many were left out.
    pub fn take(&mut self) -> (Vec<ControlEvent>, u64) {
        self.last.clear();
        (std::mem::take(&mut self.events), std::mem::take(&mut self.left_out))
    }
}
