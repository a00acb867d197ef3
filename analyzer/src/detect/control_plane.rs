//! What neighbours, routers and hosts say of themselves, compared over time: one file per protocol.

mod aggregation;
mod discovery;
mod hops;
mod owners;
mod routing;
mod sessions;
mod state;

use crate::control::{ControlEvent, Says};
use crate::report::Severity;

use super::config::{Knob, Knobs, hold};
use super::{Case, Detector, Kind, Symptom, View};
use state::Said;

pub(super) static KIND: Kind = Kind {
    name: "control_plane",
    title: "Control plane: a neighbour, session or address lost or changed",
    shows: "LLDP: a neighbour announces another name or port than before, shuts down, or its announcement runs out. LACP: a port leaves \
            the aggregation, or its partner is another. BFD: a session goes down, with its diagnosis. BGP: NOTIFICATION, or the \
            connection is reset. OSPF and IS-IS: a router no longer hears a neighbour, or falls silent. ARP and neighbour discovery: two \
            stations answer for one address, or one moved. Routing loops: a packet comes back with less time to live, or storms of \
            ICMP time exceeded. Of sampled mirrors nothing is judged.",
    advice: "Ask both neighbours for their log at this time; for an address that two stations use, find the port of each in the \
             switches' MAC tables.",
    knobs: &[
        Knob {
            name: "exceeded_per_s",
            unit: "packets/s",
            values: [100.0, 100.0, 100.0],
            what: "ICMP time exceeded about one destination that make a loop likely",
            source: "own: a path trace sends few at once",
        },
        Knob {
            name: "loop_hops",
            unit: "hops",
            values: [8.0; 3],
            what: "a packet that comes back with so many hops less, seen three times, went round",
            source: "own: longer than any path through a data centre",
        },
        Knob {
            name: "conflict_ms",
            unit: "ms",
            values: [60_000.0; 3],
            what: "two stations that claim one address in turn within this time share it",
            source: "RFC 5227: a moved host does not come back",
        },
        hold(10_000.0),
    ],
    follows: &[],
    make: |knobs| Box::new(ControlPlane::new(knobs)),
    explain,
};

struct ControlPlane {
    discovery: discovery::Discovery,
    aggregation: aggregation::Aggregation,
    sessions: sessions::Sessions,
    routing: routing::Routing,
    owners: owners::Owners,
    hops: hops::Hops,
}

impl ControlPlane {
    fn new(knobs: &Knobs) -> Self {
        Self {
            discovery: discovery::Discovery::default(),
            aggregation: aggregation::Aggregation::default(),
            sessions: sessions::Sessions::default(),
            routing: routing::Routing::default(),
            owners: owners::Owners::new(knobs.ns("conflict_ms")),
            hops: hops::Hops::new(knobs.get("exceeded_per_s"), knobs.count("loop_hops")),
        }
    }

    fn take(&mut self, event: &ControlEvent, said: &mut Said<'_>) {
        match &event.says {
            Says::Lldp { neighbour, ttl_s } => self.discovery.take(event, neighbour, *ttl_s, said),
            Says::Lacp { actor, partner } => self.aggregation.take(event, *actor, *partner, said),
            Says::Bfd { state, diagnostic, detection_us, session } => {
                self.sessions.bfd(event, (*state, *diagnostic), *detection_us, *session, said);
            }
            Says::BgpOpen { .. } => self.sessions.opened(event),
            Says::BgpNotification { code, subcode } => self.sessions.notified(event, *code, *subcode, said),
            Says::BgpClosed { reset } => self.sessions.closed(event, *reset, said),
            Says::OspfHello { router, dead_s, hears } => self.routing.ospf(event, *router, *dead_s, hears, said),
            Says::IsisHello { system, hold_s, state, hears } => {
                self.routing.isis(event, *system, (*hold_s, *state), hears, said);
            }
            Says::Owns { ip, mac } => self.owners.owns(event, *ip, *mac, said),
            Says::Probes { ip, mac } => self.owners.probes(event, *ip, *mac),
            Says::TimeExceeded { to, .. } => self.hops.exceeded(event, *to, said),
            Says::Again { hops } => self.hops.again(event, *hops, said),
        }
    }
}

impl Detector for ControlPlane {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        let mut said = Said { view, out };
        for event in &view.tick.control {
            self.take(event, &mut said);
        }
        // Silence counts only while the mirrors show something and have lost nothing.
        let now_ns = view.map.now_ns();
        self.discovery.pass(now_ns, &mut said);
        self.aggregation.pass(now_ns, &mut said);
        self.sessions.pass(now_ns, &mut said);
        self.routing.pass(now_ns, &mut said);
        self.hops.pass(now_ns);
    }
}

fn explain(case: &Case) -> String {
    format!("{}.", case.note())
}

/// How bad a thing is that anyone may have wanted: an announced end, a move.
const WANTED: Severity = Severity::Info;
/// How bad a thing is that nobody wants.
const UNWANTED: Severity = Severity::Warning;
