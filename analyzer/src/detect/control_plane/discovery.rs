//! LLDP (IEEE 802.1AB): neighbours that change, go, or are not heard any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::state::{Said, entry, seconds};
use super::{UNWANTED, WANTED};
use crate::control::ControlEvent;
use crate::packet::Addr;
use crate::tick::LinkId;
use crate::topology::Neighbour;

#[derive(Debug, Default)]
struct Known {
    neighbour: Arc<Neighbour>,
    ttl_s: u16,
    last_ns: u64,
    times: u64,
}

/// Neighbours by where and from which address they announce themselves.
#[derive(Debug, Default)]
pub struct Discovery(BTreeMap<(Option<LinkId>, Addr), Known>);

impl Discovery {
    pub fn take(&mut self, event: &ControlEvent, neighbour: &Arc<Neighbour>, ttl_s: u16, said: &mut Said<'_>) {
        let key = (event.link, event.src);
        if ttl_s == 0 {
            if self.0.remove(&key).is_some() {
                let note = format!("{} says by LLDP that it is going", name(neighbour));
                said.of(event, WANTED, "LLDP, time to live 0", note);
            }
            return;
        }
        let Some(known) = entry(&mut self.0, key) else { return };
        if known.times > 0 && identity(&known.neighbour) != identity(neighbour) {
            let note = format!("the LLDP neighbour changed from {} to {}", name(&known.neighbour), name(neighbour));
            said.of(event, UNWANTED, "LLDP of another neighbour", note);
        } else if let (Some(before), Some(now)) = (&known.neighbour.classes, &neighbour.classes)
            && before.pfc != now.pfc
        {
            let note = format!("{} announces flow control for other priorities than before (DCBX)", name(neighbour));
            said.of(event, UNWANTED, "LLDP with other DCBX", note);
        }
        *known = Known {
            neighbour: neighbour.clone(),
            ttl_s,
            last_ns: event.last_ns,
            times: known.times + u64::from(event.count),
        };
    }

    /// An announcement holds for its time to live. One that was heard once only may have been asked for.
    pub fn pass(&mut self, now_ns: u64, said: &mut Said<'_>) {
        self.0.retain(|(link, src), known| {
            let over = now_ns > known.last_ns.saturating_add(seconds(known.ttl_s.into()));
            if over && known.times > 1 && !said.blind(known.last_ns) {
                let note = format!("{} was not heard by LLDP for {} s", name(&known.neighbour), known.ttl_s);
                said.silent(*link, *src, known.last_ns, note);
            }
            !over
        });
    }
}

fn identity(neighbour: &Neighbour) -> (&str, &str) {
    (&neighbour.chassis, &neighbour.port)
}

fn name(neighbour: &Neighbour) -> String {
    let system = neighbour.system.as_deref().unwrap_or(&neighbour.chassis);
    format!("{system} port {}", neighbour.port)
}
