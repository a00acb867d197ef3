//! What frames say, over every shorter length and any bytes.

use capture::LinkType;
use proptest::prelude::*;

use super::*;
use crate::wire::{Decoder, TapFormat};

fn says(frame: &[u8]) -> Option<Says> {
    let decoder = Decoder::default();
    let read = decoder.decode(LinkType::Ethernet, TapFormat::default(), frame, frame.len() as u32).ok()?;
    match read.ip {
        None => super::frame(&read),
        Some(_) => WATCHED.iter().find_map(|name| packet(name, &read)),
    }
}

fn ethernet(ethertype: &[u8], body: &[u8]) -> Vec<u8> {
    [&[1, 0x80, 0xc2, 0, 0, 2, 2, 0, 0, 0, 0, 9][..], ethertype, body].concat()
}

fn ipv4(protocol: u8, body: &[u8]) -> Vec<u8> {
    let len = (20 + body.len()) as u16;
    let [high, low] = len.to_be_bytes();
    let header = [0x45, 0, high, low, 0, 7, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    ethernet(&[8, 0], &[&header[..], body].concat())
}

fn lacp(state: u8) -> Vec<u8> {
    let end = |kind: u8, n: u8, state: u8| {
        [&[kind, 20, 0x80, 0, 2, 0, 0, 0, 0, n, 0, 1, 0, 1, 0, n, state][..], &[0; 3]].concat()
    };
    ethernet(&[0x88, 9], &[&[1, 1][..], &end(1, 7, state), &end(2, 8, 0x3d), &[3, 16], &[0; 50]].concat())
}

fn bfd(state: u8, diagnostic: u8) -> Vec<u8> {
    let control =
        [0x20 | diagnostic, state << 6, 3, 24, 0, 0, 0, 5, 0, 0, 0, 6, 0, 4, 0x93, 0xe0, 0, 4, 0x93, 0xe0, 0, 0, 0, 0];
    ipv4(17, &[&[0xc0, 0, 0x0e, 0xc8, 0, 32, 0, 0][..], &control].concat())
}

fn bgp(flags: u8, messages: &[u8]) -> Vec<u8> {
    ipv4(6, &[&[0, 179, 0x9c, 0x40, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 1, 0, 0, 0, 0, 0][..], messages].concat())
}

fn notification() -> Vec<u8> {
    let keepalive = [&[0xff; 16][..], &[0, 19, 4]].concat();
    [&keepalive[..], &[0xff; 16], &[0, 21, 3, 6, 2]].concat()
}

fn arp(operation: u8, sender: [u8; 4]) -> Vec<u8> {
    let body = [&[0, 1, 8, 0, 6, 4, 0, operation, 2, 0, 0, 0, 0, 9][..], &sender, &[0; 6], &[10, 0, 0, 3]].concat();
    ethernet(&[8, 6], &body)
}

fn hello() -> Vec<u8> {
    let head = [2, 1, 0, 48, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let rest = [255, 255, 255, 0, 0, 10, 2, 1, 0, 0, 0, 40, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2];
    ipv4(89, &[&head[..], &rest].concat())
}

fn isis() -> Vec<u8> {
    let head = [0xfe, 0xfe, 3, 0x83, 27, 1, 0, 15, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 9, 0, 35, 64, 0, 0, 0, 0, 0, 1, 1];
    ethernet(&[0, 41], &[&head[..], &[6, 6, 2, 0, 0, 0, 0, 5]].concat())
}

fn exceeded() -> Vec<u8> {
    let inner = [0x45, 0, 0, 28, 0, 1, 0, 0, 1, 17, 0, 0, 10, 0, 0, 9, 10, 1, 0, 9, 0, 1, 0, 2, 0, 8, 0, 0];
    ipv4(1, &[&[11, 0, 0, 0, 0, 0, 0, 0][..], &inner].concat())
}

fn lldp(ttl: u8) -> Vec<u8> {
    ethernet(
        &[0x88, 0xcc],
        &[2, 7, 4, 2, 0, 0, 0, 0, 1, 4, 3, 5, b'e', b'1', 6, 2, 0, ttl, 0xfe, 6, 0, 0x80, 0xc2, 11, 0, 8, 0, 0],
    )
}

fn all() -> Vec<Vec<u8>> {
    let list = [lacp(0x3d), bfd(3, 0), bgp(0x18, &notification()), bgp(4, &[]), arp(2, [10, 0, 0, 2]), arp(1, [0; 4])];
    list.into_iter().chain([hello(), isis(), exceeded(), lldp(120)]).collect()
}

#[test]
fn each_protocol_says_what_it_holds() {
    let Some(Says::Lacp { actor, partner }) = says(&lacp(0x3d)) else { panic!() };
    assert_eq!((actor.system[5], actor.port, actor.state, partner.system[5], partner.state), (7, 7, 0x3d, 8, 0x3d));
    let up = Says::Bfd { state: 3, diagnostic: 1, detection_us: 900_000, session: 5 };
    assert_eq!(says(&bfd(3, 1)), Some(up));
    assert_eq!(says(&bgp(0x18, &notification())), Some(Says::BgpNotification { code: 6, subcode: 2 }));
    assert_eq!(says(&bgp(4, &[])), Some(Says::BgpClosed { reset: true }));
    let owner = Addr::v4([10, 0, 0, 2]);
    assert_eq!(says(&arp(2, [10, 0, 0, 2])), Some(Says::Owns { ip: owner, mac: [2, 0, 0, 0, 0, 9] }));
    assert_eq!(says(&arp(1, [0; 4])), Some(Says::Probes { ip: Addr::v4([10, 0, 0, 3]), mac: [2, 0, 0, 0, 0, 9] }));
    let ospf = Says::OspfHello { router: 0x0101_0101, dead_s: 40, hears: [0x0202_0202].into() };
    assert_eq!(says(&hello()), Some(ospf));
    let heard = [[2, 0, 0, 0, 0, 5]].into();
    let lan = Says::IsisHello { system: [0, 0, 0, 0, 0, 1], hold_s: 9, state: None, hears: heard };
    let read = says(&isis());
    assert!(
        matches!((&read, &lan), (Some(Says::IsisHello { hears: a, .. }), Says::IsisHello { hears: b, .. }) if a == b),
        "{read:?}"
    );
    let exceeded_says = Says::TimeExceeded { of: Addr::v4([10, 0, 0, 9]), to: Addr::v4([10, 1, 0, 9]) };
    assert_eq!(says(&exceeded()), Some(exceeded_says));
    let Some(Says::Lldp { neighbour, ttl_s: 120 }) = says(&lldp(120)) else { panic!() };
    assert_eq!((neighbour.port.as_str(), neighbour.classes.as_ref().unwrap().pfc), ("e1", Some(8)));
}

#[test]
fn every_shorter_length_is_read_as_far_as_it_goes() {
    for frame in all() {
        for end in 0..frame.len() {
            says(&frame[..end]);
        }
    }
}

proptest! {
    #[test]
    fn any_change_is_survived(which in 0_usize..10, changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6)) {
        let mut frame = all().swap_remove(which);
        for (at, byte) in changes {
            let at = 12 + at % (frame.len() - 12);
            frame[at] = byte;
        }
        says(&frame);
    }
}

#[test]
fn records_of_one_tick_are_few_and_the_rest_is_counted() {
    let mut log = ControlLog::default();
    let event = |n: u32, count| ControlEvent {
        at_ns: 1,
        last_ns: u64::from(n),
        count,
        link: None,
        vlan: None,
        src: Addr::lid(n as u16),
        dst: Addr::default(),
        says: Says::BgpClosed { reset: true },
    };
    log.note(event(7, 1));
    log.note(event(7, 2));
    (0..5_000).for_each(|n| log.note(event(n + 10, 1)));
    let (events, left_out) = log.take();
    assert_eq!((events.len(), events[0].count, left_out), (MOST, 3, 5_000 - MOST as u64 + 1));
    assert_eq!(log.take(), (Vec::new(), 0));
}

#[test]
fn a_ping_that_comes_back_is_known_by_its_identification() {
    let mut log = ControlLog::default();
    let (a, b) = (Addr::lid(1), Addr::lid(2));
    assert_eq!([64, 62, 60].map(|ttl| log.echo(a, b, 5, ttl)), [0, 2, 4]);
    assert_eq!([(6, 64), (7, 50)].map(|(id, ttl)| log.echo(a, b, id, ttl)), [0, 0], "other packets");
    assert_eq!([64, 60].map(|ttl| log.echo(b, a, 0, ttl)), [0, 0], "no identification");
}
