//! Neighbours, sessions and addresses that change.

use std::sync::Arc;

use super::*;
use crate::control::{ControlEvent, LacpEnd, Says};
use crate::topology::Neighbour;

const SECOND: u64 = 1_000_000_000;

/// An engine that is told events; a packet on links 0 and 4 each second keeps time and mirrors alive.
struct Told {
    engine: Engine,
    now_ns: u64,
}

impl Told {
    fn new() -> Self {
        let mut told = Self { engine: Engine::new(&DetectConfig::default()), now_ns: T0 };
        told.engine.judge(&Tick { start_ns: T0, end_ns: T0 + 1, new_links: fabric(), ..Tick::default() });
        told
    }

    fn hear(&mut self, src: Addr, dst: Addr, says: Says) {
        let at = self.now_ns;
        let event =
            ControlEvent { at_ns: at, last_ns: at, count: 1, link: Some(LinkId(4)), vlan: None, src, dst, says };
        self.tick(vec![event]);
    }

    fn tick(&mut self, control: Vec<ControlEvent>) {
        let at = self.now_ns;
        let link = |link| LinkTick { link, packets: 1, bytes: 100, first_ns: at, last_ns: at, ..LinkTick::default() };
        let tick =
            Tick { start_ns: at, end_ns: at + SECOND, links: vec![link(0), link(4)], control, ..Tick::default() };
        self.engine.judge(&tick);
        self.now_ns += SECOND;
    }

    fn pass(&mut self, seconds: u64) {
        (0..seconds).for_each(|_| self.tick(Vec::new()));
    }

    fn told(&mut self) -> Vec<(crate::report::Severity, String)> {
        let all = self.engine.findings().into_iter().filter(|f| f.kind == "control_plane");
        all.map(|f| (f.severity, f.explanation)).collect()
    }

    #[track_caller]
    fn expect(&mut self, severity: crate::report::Severity, words: &str) {
        let all = self.told();
        assert!(all.iter().any(|(s, text)| *s == severity && text.contains(words)), "{words}: {all:?}");
    }
}

use crate::report::Severity::{Info, Warning};

fn lldp(port: &str, ttl_s: u16) -> Says {
    let neighbour =
        Neighbour { chassis: "leaf0".into(), port: port.into(), ttl_s: Some(ttl_s), ..Neighbour::default() };
    Says::Lldp { neighbour: Arc::new(neighbour), ttl_s }
}

fn bfd(state: u8, diagnostic: u8) -> Says {
    Says::Bfd { state, diagnostic, detection_us: 900_000, session: 1 }
}

#[test]
fn a_neighbour_changes_goes_or_falls_silent() {
    let mut told = Told::new();
    for _ in 0..3 {
        told.hear(host(1), host(9), lldp("e1", 20));
        told.pass(9);
    }
    assert_eq!(told.told(), []);
    told.hear(host(1), host(9), lldp("e2", 20));
    told.expect(Warning, "changed from leaf0 port e1 to leaf0 port e2");
    let mut told = Told::new();
    told.hear(host(1), host(9), lldp("e1", 20));
    told.hear(host(1), host(9), lldp("e1", 0));
    told.expect(Info, "is going");
    let mut told = Told::new();
    told.hear(host(1), host(9), lldp("e1", 20));
    told.hear(host(1), host(9), lldp("e1", 20));
    told.pass(25);
    told.expect(Warning, "not heard by LLDP for 20 s");
}

#[test]
fn a_port_leaves_its_aggregation() {
    let end = |n: u8, state| LacpEnd { system: [n.min(1) * 2, 0, 0, 0, 0, n], port: 1, state };
    let mut told = Told::new();
    told.hear(host(1), host(9), Says::Lacp { actor: end(1, 0x47), partner: end(0, 0x02) });
    for _ in 0..40 {
        told.hear(host(1), host(9), Says::Lacp { actor: end(1, 0x3f), partner: end(2, 0x3f) });
    }
    assert_eq!(told.told(), [], "an aggregation that comes up");
    told.hear(host(1), host(9), Says::Lacp { actor: end(1, 0x87), partner: end(2, 0x3f) });
    told.expect(Warning, "left its aggregation: its partner was not heard in time");
    let mut told = Told::new();
    told.hear(host(1), host(9), Says::Lacp { actor: end(1, 0x3f), partner: end(2, 0x3f) });
    told.hear(host(1), host(9), Says::Lacp { actor: end(1, 0x3f), partner: end(3, 0x3f) });
    told.expect(Warning, "has another partner");
}

#[test]
fn bfd_goes_down_with_its_diagnosis() {
    let mut told = Told::new();
    [bfd(1, 0), bfd(2, 0), bfd(3, 0)].into_iter().for_each(|says| told.hear(host(1), host(2), says));
    assert_eq!(told.told(), [], "a session that comes up");
    told.hear(host(1), host(2), bfd(1, 1));
    told.expect(Warning, "takes its BFD session with 10.0.0.2 down: no packet came within the detection time");
    told.hear(host(1), host(2), bfd(3, 0));
    told.hear(host(1), host(2), bfd(1, 3));
    told.expect(Warning, "2 times so far");
    let mut told = Told::new();
    told.hear(host(1), host(2), bfd(3, 0));
    told.hear(host(1), host(2), bfd(0, 7));
    told.expect(Info, "by an administrator");
    let mut told = Told::new();
    (0..5).for_each(|_| told.hear(host(1), host(2), bfd(3, 0)));
    told.pass(10);
    told.expect(Warning, "stopped while its session was up");
}

#[test]
fn bgp_ends_with_and_without_a_word() {
    let mut told = Told::new();
    told.hear(host(1), host(2), Says::BgpNotification { code: 4, subcode: 0 });
    told.hear(host(1), host(2), Says::BgpClosed { reset: false });
    told.expect(Warning, "the hold timer ran out (4/0)");
    assert_eq!(told.told().len(), 1);
    let mut told = Told::new();
    told.hear(host(1), host(2), Says::BgpNotification { code: 6, subcode: 7 });
    told.expect(Info, "opened at once");
    let mut told = Told::new();
    told.hear(host(2), host(1), Says::BgpClosed { reset: true });
    told.expect(Warning, "resets its BGP connection");
}

#[test]
fn adjacencies_end() {
    let hello = |hears: &[u32]| Says::OspfHello { router: 0x0101_0101, dead_s: 40, hears: hears.into() };
    let mut told = Told::new();
    told.hear(host(1), host(5), hello(&[]));
    (0..3).for_each(|_| told.hear(host(1), host(5), hello(&[7])));
    assert_eq!(told.told(), []);
    told.hear(host(1), host(5), hello(&[]));
    told.expect(Warning, "the OSPF router 1.1.1.1 no longer hears its neighbour 0.0.0.7");
    let isis = |state| Says::IsisHello { system: [0, 0, 0, 0, 0, 1], hold_s: 30, state: Some(state), hears: [].into() };
    let mut told = Told::new();
    [1, 0, 2].into_iter().for_each(|state| told.hear(host(1), host(5), isis(state)));
    told.expect(Warning, "0000.0000.0001 has lost its adjacency");
}

#[test]
fn one_address_two_stations() {
    let owns = |n: u8| Says::Owns { ip: host(7), mac: [2, 0, 0, 0, 0, n] };
    let mut told = Told::new();
    [1, 1, 2, 2].into_iter().for_each(|n| told.hear(host(n), host(9), owns(n)));
    told.expect(Info, "10.0.0.7 moved from 02:00:00:00:00:01 to 02:00:00:00:00:02");
    told.hear(host(1), host(9), owns(1));
    told.expect(Warning, "claim the address 10.0.0.7 in turn");
    let mut told = Told::new();
    told.hear(host(3), host(9), Says::Probes { ip: host(7), mac: [2, 0, 0, 0, 0, 3] });
    told.hear(host(1), host(9), owns(1));
    told.expect(Warning, "asks whether 10.0.0.7 is free");
    let mut told = Told::new();
    told.hear(host(3), host(9), Says::Probes { ip: host(7), mac: [2, 0, 0, 0, 0, 3] });
    told.hear(host(3), host(9), owns(3));
    told.pass(5);
    told.hear(host(3), host(9), owns(3));
    assert_eq!(told.told(), [], "an address that was free");
}

#[test]
fn packets_that_go_round() {
    let mut told = Told::new();
    let again = |hops| Says::Again { hops };
    [2, 4, 6].into_iter().for_each(|hops| told.hear(host(1), host(2), again(hops)));
    assert_eq!(told.told(), [], "as many hops as a path may have");
    let mut told = Told::new();
    let at = told.now_ns;
    let events = [2, 4, 6, 8, 10].map(|hops| ControlEvent {
        at_ns: at,
        last_ns: at,
        count: 1,
        link: Some(LinkId(4)),
        vlan: None,
        src: host(1),
        dst: host(2),
        says: again(hops),
    });
    told.tick(events.to_vec());
    told.expect(Warning, "routing loop");
    let mut told = Told::new();
    let at = told.now_ns;
    let exceeded = |src, count| ControlEvent {
        at_ns: at,
        last_ns: at + 1,
        count,
        link: Some(LinkId(4)),
        vlan: None,
        src,
        dst: host(2),
        says: Says::TimeExceeded { of: host(1), to: host(9) },
    };
    told.tick((0..20).map(|n| exceeded(host(n), 20)).collect());
    assert_eq!(told.told(), [], "a traced path: many routers, few packets each");
    told.pass(3);
    told.tick(vec![ControlEvent { at_ns: told.now_ns, last_ns: told.now_ns, ..exceeded(host(3), 150) }]);
    told.expect(Warning, "run out of hops 150 times");
}
