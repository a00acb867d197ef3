//! BFD (RFC 5880) and BGP (RFC 4271) sessions that end.

use std::collections::BTreeMap;

use super::state::{Said, entry};
use super::{UNWANTED, WANTED};
use crate::control::ControlEvent;
use crate::packet::Addr;
use crate::tick::LinkId;

const ADMIN_DOWN: u8 = 0;
const UP: u8 = 3;
/// A session whose packets stop is silent after so many of its detection times, and no sooner than this.
const SILENT_TIMES: u64 = 5;
const SILENT_MIN_NS: u64 = 1_000_000_000;

#[derive(Debug, Default)]
struct Bfd {
    state: u8,
    /// It was up at some time.
    up: bool,
    downs: u64,
    detection_ns: u64,
    last_ns: u64,
    link: Option<LinkId>,
    times: u64,
}

/// Sessions by who speaks to whom.
#[derive(Debug, Default)]
pub struct Sessions {
    bfd: BTreeMap<(Addr, Addr, u32), Bfd>,
    /// BGP sessions that ended by a word: closing the connection says nothing more.
    ended: BTreeMap<(Addr, Addr), u64>,
}

/// The diagnosis of a session that went down (RFC 5880 4.1).
fn diagnosis(code: u8) -> &'static str {
    match code {
        1 => "no packet came within the detection time",
        2 => "the echo function failed",
        3 => "the neighbour signalled that it is down",
        4 => "the forwarding plane was reset",
        5 => "the path is down",
        6 => "a concatenated path is down",
        7 => "taken down by an administrator",
        8 => "a reverse concatenated path is down",
        _ => "no diagnosis given",
    }
}

impl Sessions {
    pub fn bfd(&mut self, event: &ControlEvent, says: (u8, u8), detection_us: u64, id: u32, said: &mut Said<'_>) {
        let (state, diagnostic) = says;
        let Some(session) = entry(&mut self.bfd, (event.src, event.dst, id)) else { return };
        if session.up && session.state == UP && state != UP {
            session.downs += 1;
            let again = if session.downs > 1 { format!(", {} times so far", session.downs) } else { String::new() };
            let wanted = state == ADMIN_DOWN || diagnostic == 7;
            let note = format!(
                "{} takes its BFD session with {} down{again}: {}",
                event.src,
                event.dst,
                diagnosis(diagnostic)
            );
            said.of(event, if wanted { WANTED } else { UNWANTED }, "BFD, state not up", note);
        }
        session.state = state;
        session.up |= state == UP;
        session.detection_ns = detection_us.saturating_mul(1_000);
        session.last_ns = event.last_ns;
        session.link = event.link;
        session.times += u64::from(event.count);
    }

    /// A NOTIFICATION ends a session. Two ends that open at once end one of the two connections so; that is no loss.
    pub fn notified(&mut self, event: &ControlEvent, code: u8, subcode: u8, said: &mut Said<'_>) {
        if let Some(at) = entry(&mut self.ended, ends(event)) {
            *at = event.last_ns;
        }
        let (what, wanted) = notification(code, subcode);
        let note = format!("{} ends its BGP session with {}: {what} ({code}/{subcode})", event.src, event.dst);
        said.of(event, if wanted { WANTED } else { UNWANTED }, "BGP NOTIFICATION", note);
    }

    /// The session is opened, perhaps again.
    pub fn opened(&mut self, event: &ControlEvent) {
        self.ended.remove(&ends(event));
    }

    pub fn closed(&mut self, event: &ControlEvent, reset: bool, said: &mut Said<'_>) {
        let Some(at) = entry(&mut self.ended, ends(event)) else { return };
        if std::mem::replace(at, event.last_ns) == 0 {
            let how = if reset { "resets" } else { "closes" };
            let note = format!("{} {how} its BGP connection with {} without a NOTIFICATION", event.src, event.dst);
            said.of(event, UNWANTED, if reset { "RST" } else { "FIN" }, note);
        }
    }

    pub fn pass(&mut self, now_ns: u64, said: &mut Said<'_>) {
        self.bfd.retain(|(src, dst, _), session| {
            let wait = session.detection_ns.saturating_mul(SILENT_TIMES).max(SILENT_MIN_NS);
            let over = now_ns > session.last_ns.saturating_add(wait);
            // Only where the same link still shows something else.
            let alive =
                session.link.is_some_and(|l| said.view.map.last_ns(l) > session.last_ns.saturating_add(wait / 2));
            if over && session.state == UP && session.times > 3 && alive && !said.blind(session.last_ns) {
                let note = format!("the BFD packets of {src} to {dst} stopped while its session was up");
                said.silent(session.link, *src, session.last_ns, note);
            }
            !over
        });
        self.ended.retain(|_, at| now_ns <= at.saturating_add(60_000_000_000));
    }
}

fn ends(event: &ControlEvent) -> (Addr, Addr) {
    (event.src.min(event.dst), event.src.max(event.dst))
}

/// Words for codes (RFC 4271 4.5, RFC 4486), and whether somebody may have wanted it.
fn notification(code: u8, subcode: u8) -> (&'static str, bool) {
    match (code, subcode) {
        (1, _) => ("message header error", false),
        (2, 2) => ("the AS number is another than configured", false),
        (2, _) => ("OPEN message error", false),
        (3, _) => ("UPDATE message error", false),
        (4, _) => ("the hold timer ran out", false),
        (5, _) => ("finite state machine error", false),
        (6, 2) => ("shut down by an administrator", true),
        (6, 3) => ("the peer was deconfigured", true),
        (6, 4) => ("reset by an administrator", true),
        (6, 7) => ("two connections were opened at once, one of them ends", true),
        (6, 1) => ("too many prefixes", false),
        (6, 9) => ("hard reset", false),
        (6, 10) => ("BFD says that the path is down", false),
        (6, 6) => ("its configuration changed", true),
        (6, _) => ("cease", false),
        (7, _) => ("ROUTE-REFRESH message error", false),
        _ => ("unknown code", false),
    }
}
