//! LACP (IEEE 802.1AX): ports that leave an aggregation, partners that change.

use std::collections::BTreeMap;

use super::UNWANTED;
use super::state::{Said, entry, mac, seconds};
use crate::control::{ControlEvent, LacpEnd};
use crate::packet::Addr;
use crate::tick::LinkId;

const SHORT_TIMEOUT: u8 = 2;
/// Synchronised, collecting, distributing.
const CARRIES: u8 = 0x38;
const DEFAULTED: u8 = 0x40;
const EXPIRED: u8 = 0x80;
/// A partner is lost after three of its intervals: 1 s or 30 s (6.4.4).
const INTERVALS: u64 = 3;

#[derive(Debug, Default)]
struct Known {
    actor: LacpEnd,
    partner: LacpEnd,
    /// It carried traffic at some time.
    carried: bool,
    last_ns: u64,
    times: u64,
    link: Option<LinkId>,
}

/// Ports by the address that they send from.
#[derive(Debug, Default)]
pub struct Aggregation(BTreeMap<(Addr, u16), Known>);

impl Aggregation {
    pub fn take(&mut self, event: &ControlEvent, actor: LacpEnd, partner: LacpEnd, said: &mut Said<'_>) {
        let Some(known) = entry(&mut self.0, (event.src, actor.port)) else { return };
        let port = format!("port {} of {}", actor.port, mac(actor.system));
        let bad = |state: u8| state & CARRIES != CARRIES || state & (DEFAULTED | EXPIRED) != 0;
        if known.times > 0 && known.carried && bad(actor.state) && !bad(known.actor.state) {
            let why = match actor.state {
                s if s & EXPIRED != 0 => "its partner was not heard in time",
                s if s & DEFAULTED != 0 => "it has no partner any more",
                s if s & 8 == 0 => "it is out of synchronisation",
                _ => "it stopped collecting or distributing",
            };
            said.of(event, UNWANTED, "LACP state", format!("{port} left its aggregation: {why}"));
        }
        let was = (known.partner.system, known.partner.port);
        let is = (partner.system, partner.port);
        let both = known.partner.system != [0; 6] && partner.system != [0; 6];
        if known.times > 0 && both && was != is && known.partner.state & DEFAULTED == 0 {
            let note = format!(
                "{port} has another partner: port {} of {} before, now port {} of {}",
                was.1,
                mac(was.0),
                is.1,
                mac(is.0)
            );
            said.of(event, UNWANTED, "LACP partner", note);
        }
        *known = Known {
            actor,
            partner,
            carried: known.carried || !bad(actor.state),
            last_ns: event.last_ns,
            times: known.times + u64::from(event.count),
            link: event.link,
        };
    }

    /// How often a port sends is what its partner asks for.
    pub fn pass(&mut self, now_ns: u64, said: &mut Said<'_>) {
        self.0.retain(|(src, _), known| {
            let interval_s = if known.partner.state & SHORT_TIMEOUT != 0 { 1 } else { 30 };
            let over = now_ns > known.last_ns.saturating_add(seconds(INTERVALS * interval_s));
            if over && known.carried && known.times > 3 && !said.blind(known.last_ns) {
                let port = format!("port {} of {}", known.actor.port, mac(known.actor.system));
                let note = format!("{port} sent no LACP for {} s", INTERVALS * interval_s);
                said.silent(known.link, *src, known.last_ns, note);
            }
            !over
        });
    }
}
