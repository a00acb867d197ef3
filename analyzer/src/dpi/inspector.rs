//! The engine: one per worker. It looks at the first payloads of each conversation until its label closes.

use std::sync::Arc;

use super::facts::{Attr, Facts};
use super::glance::{Failures, Shapes, is_enough};
use super::guess;
use super::mask::Mask;
use super::memory::Memory;
use super::open::{MAX_LAYERS, Named, Open, wrap_up};
use super::pool::Pool;
use super::proto;
use super::protocol::{Answer, Look, Name, Over, Protocol, WEAK};
use super::seen::{Seen, shake};
use super::signatures::Signatures;
use super::stream::own_first;
use super::turn::{Turn, bare, canonical, ends, last_datagram, over_of};
use crate::packet::{Packet, Transport};
use crate::tick::FlowKey;

/// How often a stream may lose its place among those open before it is left alone.
const MAX_BEGUN: u8 = 4;
/// From this confidence on no other protocol is asked.
const SURE: f32 = 0.95;

/// What the engine says of a conversation: to be written into both of its flows.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// The name, if there is one.
    pub named: Option<Named>,
    /// SNI, Host or DNS name.
    pub host_name: Option<String>,
    /// Other facts.
    pub attrs: Option<Arc<[Attr]>>,
    /// Nothing will be added: the engine need not be called again.
    pub closed: bool,
}

/// The engine's state.
#[derive(Debug)]
pub struct Inspector {
    protocols: Vec<&'static Protocol>,
    masks: [Mask; 4],
    pub(super) shapes: Shapes,
    pub(super) failures: Failures,
    pub(super) signatures: Arc<Signatures>,
    pool: Pool,
    pub(crate) memory: Memory,
    scratch: Facts,
    /// Probes called so far: what inspection costs, without a clock.
    pub probes: u64,
}

impl Default for Inspector {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl Inspector {
    /// An engine with users' signatures.
    pub fn new(signatures: Arc<Signatures>) -> Self {
        let protocols: Vec<&'static Protocol> = proto::all().collect();
        let masks = [Over::TCP, Over::UDP, Over::SCTP, Over::IP].map(|over| mask_of(&protocols, over));
        Self {
            shapes: Shapes::of(&protocols),
            failures: Failures::default(),
            protocols,
            masks,
            signatures,
            pool: Pool::default(),
            memory: Memory::default(),
            scratch: Facts::default(),
            probes: 0,
        }
    }

    /// Conversations of which more is kept at present.
    pub fn kept(&self) -> usize {
        self.pool.taken()
    }

    /// Looks at a packet of a flow whose label is open. Says something when the label changed.
    /// `seen` is of its direction, `other` of the other one, where that is known.
    pub fn observe(
        &mut self,
        key: &FlowKey,
        packet: &Packet<'_>,
        seen: &mut Seen,
        other: Option<&mut Seen>,
    ) -> Option<Label> {
        let over = over_of(packet);
        let mut seq = None;
        let mut handshake = None;
        if let Transport::Tcp(tcp) = &packet.transport {
            let syn = tcp.flags & 2 != 0;
            seq = Some(tcp.seq.wrapping_add(u32::from(syn)));
            handshake = syn.then_some((tcp.seq, tcp.ack, tcp.flags & 16 != 0));
        }
        let later_fragment = packet.ip.is_some_and(|ip| ip.later_fragment);
        if later_fragment || packet.payload.is_empty() && handshake.is_none() && over != Over::IP {
            return None;
        }
        let (key, dir) = canonical(key);
        let missing = packet.payload_len.saturating_sub(packet.payload.len() as u32);
        let turn = Turn { key, dir, over, seq, payload: packet.payload, missing };
        let there = other.as_deref().copied().unwrap_or_default();
        let kept = seen.kept.or(there.kept).and_then(|place| self.pool.take(place, &key));
        if let (None, Some((seq, ack, is_answer)), true) = (&kept, handshake, turn.payload.is_empty()) {
            // A flood of handshakes that nothing follows is not worth a place; an answer alone tells of a direction not seen.
            if other.is_some() || !is_answer {
                seen.shake(other, seq, ack, is_answer);
                return None;
            }
        }
        let mut open = match kept {
            Some(open) => open,
            None if over != Over::TCP => return self.first_sight(turn, seen),
            None if seen.looked >= MAX_BEGUN => return Some(self.label(&key, None, Facts::default(), true)),
            None => {
                seen.looked += 1;
                let mut open = self.begin(key);
                seen.shaken_into(&mut open, dir, &there);
                open
            }
        };
        if let Some((seq, ack, is_answer)) = handshake {
            shake(&mut open, dir, seq, ack, is_answer);
        }
        let closed = self.turn(&mut open, turn);
        self.settle(open, closed, seen)
    }

    /// A datagram of a conversation of which nothing is kept: most are nobody's.
    fn first_sight(&mut self, turn: Turn<'_>, seen: &mut Seen) -> Option<Label> {
        seen.looked = seen.looked.saturating_add(1);
        let Some(found) = self.glance(&turn, seen.looked) else { return self.nobodys(&turn, seen.looked) };
        let mut open = self.begin(turn.key);
        if let Some(head) = open.heads.get_mut(turn.dir) {
            head.packets = u16::from(seen.looked);
        }
        let answer = self.conclude(&mut open, turn, turn.payload, false, found);
        let closed = if answer != Closed::Yes && open.is_spent() { Closed::Yes } else { answer };
        self.settle(open, closed, seen)
    }

    /// The label of a conversation that no protocol took so far: when it closes, or where the port alone suggests one.
    fn nobodys(&mut self, turn: &Turn<'_>, looked: u8) -> Option<Label> {
        let closed = is_enough(turn, looked);
        let named = if looked >= BEFORE_PORT { guess_of(turn, turn.payload) } else { None };
        let facts = || self.label(&turn.key, named, Facts::default(), closed);
        (closed || named.is_some()).then(facts)
    }

    fn begin(&mut self, key: FlowKey) -> Box<Open> {
        let mut open = self.pool.begin(key);
        let announced = self.memory.take_announced(ends(&key));
        open.named = announced.map(|name| Named { name, engine: "dpi", confidence: 0.9 });
        open.announced = announced.is_some();
        open
    }

    /// Puts the state back, or frees it.
    fn settle(&mut self, mut open: Box<Open>, closed: Closed, seen: &mut Seen) -> Option<Label> {
        let closed = match closed {
            Closed::No if std::mem::take(&mut open.announced) => Closed::NotYetButNamed,
            other => other,
        };
        let key = open.key;
        if closed == Closed::Yes {
            let mut facts = std::mem::take(&mut open.facts);
            let named = wrap_up(open.named, open.outer, &mut facts);
            self.pool.free(open);
            seen.kept = None;
            return Some(self.label(&key, named, facts, true));
        }
        let label = (closed == Closed::NotYetButNamed).then(|| {
            let mut facts = open.facts.clone();
            let named = wrap_up(open.named, open.outer, &mut facts);
            self.label(&key, named, facts, false)
        });
        seen.kept = self.pool.put_back(open);
        label
    }

    fn label(&mut self, key: &FlowKey, named: Option<Named>, facts: Facts, closed: bool) -> Label {
        let Facts { host, attrs, .. } = facts;
        let dns = named.is_some_and(|n| n.name == "dns");
        let mut learnt = || self.memory.name_of_either(key).map(|name| name.to_string());
        let host_name = host.or_else(|| if dns { None } else { learnt() });
        let attrs = (!attrs.is_empty()).then(|| Arc::from(attrs));
        Label { named, host_name, attrs, closed }
    }

    /// One packet's turn.
    fn turn(&mut self, open: &mut Open, turn: Turn<'_>) -> Closed {
        let Some(head) = open.heads.get_mut(turn.dir) else { return Closed::Yes };
        if turn.payload.is_empty() && turn.over != Over::IP {
            return Closed::No;
        }
        head.packets += 1;
        let new = match turn.seq {
            Some(seq) => head.take(seq, turn.payload),
            None => Some(turn.payload),
        };
        if turn.seq.is_some() && turn.missing > 0 {
            head.lost(turn.missing);
        }
        if std::mem::take(&mut head.anew)
            && let Some(dead) = open.dead.get_mut(turn.dir)
        {
            *dead = Mask::default();
        }
        let answer = new.map_or(Closed::No, |new| self.look(open, turn, new));
        if answer != Closed::Yes && open.is_spent() { Closed::Yes } else { answer }
    }

    fn look(&mut self, open: &mut Open, turn: Turn<'_>, new: &[u8]) -> Closed {
        let dir = turn.dir;
        let (head, other) = own_first(&mut open.heads, dir);
        let continued = turn.over == Over::TCP && !head.bytes.is_empty() || head.is_waiting();
        if continued {
            head.keep(new);
            head.pull();
        }
        let from_start = match turn.over {
            Over::TCP => head.from_start,
            _ => head.packets == 1,
        };
        let (bytes, earlier): (&[u8], &[u8]) = match turn.over {
            Over::TCP if continued => (&head.bytes, &[]),
            Over::TCP => (new, &[]),
            _ => (new, &head.bytes),
        };
        let there = if turn.over == Over::TCP { &other.bytes[..] } else { last_datagram(&other.bytes) };
        let look = Look {
            initiator: open.initiator.map(|i| i == dir),
            here: bytes,
            there,
            earlier,
            from_start,
            packets: head.packets,
            ..bare(&turn)
        };
        let dead = open.dead.get(dir).copied().unwrap_or_default();
        let mut found = self.ask(&look, open.chosen, self.candidates(&look, &dead), dead);
        if !from_start && continued && turn.over == Over::TCP && found.best.is_none() {
            // In the middle of a stream any segment may begin a message: where nothing is left of the old beginning, begin here.
            let fresh = Look { here: new, ..look };
            let again = self.ask(&fresh, open.chosen, self.candidates(&fresh, &Mask::default()), Mask::default());
            let over = self.nothing_left(&found, turn.over);
            if again.best.is_some() || over {
                found = again;
            }
            if over {
                head.bytes.clear();
                head.keep(new);
            }
        }
        if turn.over == Over::UDP && open.chosen.is_none() {
            // Each datagram stands for itself: what one was not, the next may be.
            found.dead = Mask::default();
        }
        self.conclude(open, turn, new, continued, found)
    }

    fn nothing_left(&self, found: &Found, over: Over) -> bool {
        self.mask(over).without(&found.dead).is_empty()
    }

    /// Protocols that may say more than no.
    fn candidates(&self, look: &Look<'_>, dead: &Mask) -> Mask {
        match look.over {
            Over::UDP => self.shapes.of_datagram(look.here).without(dead),
            over => self.mask(over).without(dead),
        }
    }

    pub(super) fn mask(&self, over: Over) -> Mask {
        let place = over.0.trailing_zeros() as usize;
        self.masks.get(place).copied().unwrap_or_default()
    }

    /// Asks the protocols that are left, best evidence first.
    pub(super) fn ask(
        &mut self,
        look: &Look<'_>,
        chosen: Option<usize>,
        mut candidates: Mask,
        mut dead: Mask,
    ) -> Found {
        let mut found = Found { best: None, dead, facts: Facts::default() };
        if chosen.is_none()
            && let Some(name) = self.signatures.match_payload(look)
        {
            found.best = Some((usize::MAX, Answer::Certain(name, 1.0)));
            return found;
        }
        if let Some(chosen) = chosen {
            candidates = Mask::default();
            candidates.add(chosen);
        }
        for index in candidates.iter() {
            let Some(protocol) = self.protocols.get(index) else { continue };
            self.scratch.clear();
            self.probes += 1;
            let answer = (protocol.probe)(look, &mut self.scratch);
            match strength(&answer) {
                Some(strength) if found.best.as_ref().is_none_or(|b| strength > strength_of(b)) => {
                    found.best = Some((index, answer));
                    found.facts = std::mem::take(&mut self.scratch);
                    if strength >= SURE {
                        break;
                    }
                }
                Some(_) => {}
                None if answer == Answer::NotForUs => dead.add(index),
                None => {}
            }
        }
        found.dead = dead;
        found
    }

    /// Takes over what the protocols said.
    fn conclude(&mut self, open: &mut Open, turn: Turn<'_>, new: &[u8], continued: bool, mut found: Found) -> Closed {
        if let Some(dead) = open.dead.get_mut(turn.dir) {
            *dead = found.dead;
        }
        self.memory.learn(&mut found.facts, [turn.key.src, turn.key.dst]);
        let keep = |open: &mut Open| {
            if let Some(head) = open.heads.get_mut(turn.dir).filter(|_| !continued) {
                if turn.over == Over::TCP { head.keep(new) } else { head.keep_datagram(new) }
            }
        };
        match found.best {
            Some((index, Answer::Certain(name, confidence))) => {
                if !self.is_proven(open, &turn, index, name, confidence) {
                    keep(open);
                    return Closed::No;
                }
                open.facts.merge(&mut found.facts);
                open.named = Some(self.by_host(open, Named { name, engine: "dpi", confidence }));
                Closed::Yes
            }
            Some((index, Answer::SoFar(name, confidence))) => {
                keep(open);
                if !self.is_proven(open, &turn, index, name, confidence) {
                    return Closed::No;
                }
                open.chosen = Some(index);
                open.facts.merge(&mut found.facts);
                open.named = Some(self.by_host(open, Named { name, engine: "dpi", confidence }));
                Closed::NotYetButNamed
            }
            Some((_, Answer::Inside { here, there, name, stays })) => {
                keep(open);
                open.facts.merge(&mut found.facts);
                let skip = if turn.dir == 0 { [here, there] } else { [there, here] };
                open.enter(skip, Named { name, engine: "dpi", confidence: 1.0 }, stays);
                self.enter(open, turn)
            }
            _ => {
                keep(open);
                match self.exhausted(open, &turn) {
                    Closed::No => weigh_port(open, &turn, new),
                    closed => closed,
                }
            }
        }
    }

    /// A user's name for the host outranks the protocol's.
    fn by_host(&self, open: &Open, named: Named) -> Named {
        let host = open.facts.host.as_deref();
        match host.and_then(|h| self.signatures.match_host(h)) {
            Some(name) => Named { name, ..named },
            None => named,
        }
    }

    /// Looks at what follows a prologue, if it is here already.
    fn enter(&mut self, open: &mut Open, turn: Turn<'_>) -> Closed {
        if open.layers >= MAX_LAYERS {
            return Closed::Yes;
        }
        let rest = open.heads.get_mut(turn.dir).map(|h| std::mem::take(&mut h.bytes)).unwrap_or_default();
        if turn.over == Over::TCP && !rest.is_empty() {
            return self.look(open, turn, &rest);
        }
        Closed::NotYetButNamed
    }

    /// Strong evidence, or weak evidence twice, or at a port of the protocol.
    fn is_proven(&self, open: &mut Open, turn: &Turn<'_>, index: usize, name: Name, confidence: f32) -> bool {
        let at_its_port = || {
            let ports = self.protocols.get(index).map_or(&[][..], |p| p.ports);
            ports.contains(&turn.key.sport) || ports.contains(&turn.key.dport)
        };
        if confidence >= WEAK || open.named.is_some_and(|n| n.name == name) || at_its_port() {
            return true;
        }
        match &mut open.suspect {
            Some((before, times)) if *before == name => {
                *times += 1;
                *times > 1
            }
            other => {
                *other = Some((name, 1));
                false
            }
        }
    }

    /// No protocol is left in either direction: the label closes, unless the stream was joined in its middle.
    fn exhausted(&self, open: &Open, turn: &Turn<'_>) -> Closed {
        let gave_up = |chosen: usize| open.dead.get(turn.dir).is_some_and(|d| d.holds(chosen));
        if open.chosen.is_some_and(gave_up) {
            return Closed::Yes;
        }
        let all = self.mask(turn.over);
        let dead = |dir: usize| open.dead.get(dir).is_some_and(|d| all.without(d).is_empty());
        let over = turn.over == Over::IP
            || turn.over == Over::TCP && (0..2).all(|d| dead(d) && open.heads.get(d).is_some_and(|h| h.from_start));
        if over { Closed::Yes } else { Closed::No }
    }
}

/// Whether the label is closed after a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closed {
    Yes,
    No,
    NotYetButNamed,
}

/// What the protocols said of one look.
pub(super) struct Found {
    pub best: Option<(usize, Answer)>,
    pub dead: Mask,
    pub facts: Facts,
}

fn strength(answer: &Answer) -> Option<f32> {
    match answer {
        Answer::Certain(_, confidence) | Answer::SoFar(_, confidence) => Some(*confidence),
        Answer::Inside { .. } => Some(1.0),
        Answer::Unsure | Answer::NotForUs => None,
    }
}

fn strength_of(best: &(usize, Answer)) -> f32 {
    strength(&best.1).unwrap_or(0.0)
}

fn mask_of(protocols: &[&Protocol], over: Over) -> Mask {
    let mut mask = Mask::default();
    protocols.iter().enumerate().filter(|(_, p)| p.over.meets(over)).for_each(|(i, _)| mask.add(i));
    mask
}

/// Payload packets after which a port may speak.
const BEFORE_PORT: u8 = 3;

/// A guess by port, where the middle of a conversation shows nothing but ciphered bytes.
fn weigh_port(open: &mut Open, turn: &Turn<'_>, new: &[u8]) -> Closed {
    let head = open.heads.get(turn.dir);
    let middle = turn.over == Over::UDP || head.is_some_and(|h| !h.from_start);
    let enough = head.is_some_and(|h| h.packets >= u16::from(BEFORE_PORT));
    match guess_of(turn, new) {
        Some(named) if open.named.is_none() && middle && enough => {
            open.named = Some(named);
            Closed::NotYetButNamed
        }
        _ => Closed::No,
    }
}

fn guess_of(turn: &Turn<'_>, bytes: &[u8]) -> Option<Named> {
    guess::by_port(turn.over, [turn.key.sport, turn.key.dport], bytes)
}
