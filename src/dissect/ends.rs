//! Which flow is meant, and what only its single packets tell: who opened it, how it ended.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use analyzer::packet::{Addr, Packet, Transport};
use analyzer::report::Flow;
use analyzer::wire::{Decoder, TapFormat};
use capture::{Frame, Interface, InterfaceId, LinkType, Sink, Source, Step};
use serde::Serialize;

/// Interfaces of one capture that are told apart.
const INTERFACES_MAX: usize = 1024;

/// An address and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Address.
    pub addr: IpAddr,
    /// Port; 0 where the protocol has none.
    pub port: u16,
}

/// Both ends of a flow, in either order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// One.
    pub a: End,
    /// The other.
    pub b: End,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.addr {
            IpAddr::V4(addr) => write!(f, "{addr}:{}", self.port),
            IpAddr::V6(addr) => write!(f, "[{addr}]:{}", self.port),
        }
    }
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.a, self.b)
    }
}

impl FromStr for End {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("\"{text}\" is no ADDRESS:PORT (10.0.0.1:4791 or [fd00::1]:4791)");
        let (addr, port) = text.rsplit_once(':').ok_or_else(bad)?;
        let addr = addr.trim_start_matches('[').trim_end_matches(']');
        Ok(Self { addr: addr.parse().map_err(|_| bad())?, port: port.parse().map_err(|_| bad())? })
    }
}

impl FromStr for Ends {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (a, b) = text.split_once('-').ok_or_else(|| format!("\"{text}\" is no flow: ADDRESS:PORT-ADDRESS:PORT"))?;
        Ok(Self { a: a.parse()?, b: b.parse()? })
    }
}

impl Ends {
    /// Those of a flow in a report; addresses that are no IP addresses stand as unspecified.
    pub fn of(flow: &Flow) -> Self {
        let end = |addr: &str, port| End { addr: addr.parse().unwrap_or(IpAddr::from([0, 0, 0, 0])), port };
        Self { a: end(&flow.src, flow.sport), b: end(&flow.dst, flow.dport) }
    }

    /// Whether they are the same two ends, in either order.
    pub fn same(self, other: Self) -> bool {
        self == other || self == Self { a: other.b, b: other.a }
    }
}

/// What the packets of the flow showed, beyond what a report keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Opening {
    /// Who sent the first SYN, or the first packet; absent where nothing was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The opening itself was seen: a SYN.
    pub seen: bool,
    /// From the first SYN to its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_after_ns: Option<u64>,
    /// SYNs beyond the first: nobody answered, or the answer was lost.
    pub syn_repeats: u64,
    /// Who closed by FIN, in order.
    pub closed_by: Vec<String>,
    /// Who reset the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset_by: Option<String>,
    /// Segments that told the other side to stop sending.
    pub zero_windows: u64,
}

/// Watches the frames for the flow's packets.
pub struct Handshakes {
    ends: Ends,
    decoder: Decoder,
    link_types: Vec<(InterfaceId, LinkType)>,
    syn_at_ns: Option<u64>,
    /// What was seen.
    pub opening: Opening,
}

impl Handshakes {
    /// For one flow.
    pub fn new(ends: Ends) -> Self {
        let (decoder, link_types) = (Decoder::default(), Vec::new());
        Self { ends, decoder, link_types, syn_at_ns: None, opening: Opening::default() }
    }

    /// Reads a source to its end.
    pub fn watch(&mut self, source: &mut dyn Source) {
        while source.step(self) != Step::End {}
    }

    fn link_type(&self, id: InterfaceId) -> Option<LinkType> {
        self.link_types.iter().find(|(known, _)| *known == id).map(|(_, link_type)| *link_type)
    }

    fn packet(&mut self, packet: &Packet<'_>, at_ns: u64) {
        let (sport, dport, flags) = match &packet.transport {
            Transport::Tcp(tcp) => (tcp.sport, tcp.dport, Some((tcp.flags, tcp.window))),
            Transport::Udp(sport, dport) | Transport::Sctp(sport, dport) => (*sport, *dport, None),
            _ => return,
        };
        let (src, dst) = (End { addr: ip(packet.src), port: sport }, End { addr: ip(packet.dst), port: dport });
        if !self.ends.same(Ends { a: src, b: dst }) {
            return;
        }
        match flags {
            Some((flags, window)) => self.segment(src, dst, flags, window, at_ns),
            None => {
                self.opening.by.get_or_insert_with(|| src.to_string());
            }
        }
    }

    fn segment(&mut self, src: End, dst: End, flags: u8, window: u16, at_ns: u64) {
        let opening = &mut self.opening;
        match flags & 0x17 {
            0x02 if opening.seen => opening.syn_repeats += 1,
            0x02 => (opening.by, opening.seen, self.syn_at_ns) = (Some(src.to_string()), true, Some(at_ns)),
            0x12 => {
                // The answer alone still says who asked.
                opening.by.get_or_insert_with(|| dst.to_string());
                let after = self.syn_at_ns.map(|asked| at_ns.saturating_sub(asked));
                opening.answered_after_ns = opening.answered_after_ns.or(after);
            }
            f if f & 4 != 0 => opening.reset_by = Some(src.to_string()),
            f if f & 1 != 0 && !opening.closed_by.contains(&src.to_string()) => opening.closed_by.push(src.to_string()),
            _ => opening.zero_windows += u64::from(window == 0),
        }
    }
}

fn ip(addr: Addr) -> IpAddr {
    IpAddr::from(addr.0).to_canonical()
}

impl Sink for Handshakes {
    fn interface(&mut self, interface: &Interface) {
        if self.link_types.len() < INTERFACES_MAX {
            self.link_types.push((interface.id, interface.link_type));
        }
    }

    fn frames(&mut self, batch: &[Frame<'_>]) {
        for frame in batch {
            let Some(link_type) = self.link_type(frame.interface) else { continue };
            // Frames that are not understood are counted in the report.
            let Ok(packet) = self.decoder.decode(link_type, TapFormat::default(), frame.bytes, frame.wire_len) else {
                continue;
            };
            self.packet(&packet, frame.at_ns);
        }
    }

    fn dropped(&mut self, _: InterfaceId, _: u64, _: u64) {}
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn flows_are_written_and_read() {
        let text = "10.0.0.1:40000-[fd00::2]:443";
        let ends: Ends = text.parse().unwrap();
        assert_eq!(ends.to_string(), text);
        assert!(ends.same(Ends { a: ends.b, b: ends.a }));
        for wrong in ["10.0.0.1-10.0.0.2", "10.0.0.1:1", "10.0.0.1:70000-10.0.0.2:1", "host:1-10.0.0.2:1"] {
            assert!(wrong.parse::<Ends>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_connection_from_its_opening_to_its_reset() {
        let ends: Ends = "10.0.0.1:40000-10.0.0.2:443".parse().unwrap();
        let mut watch = Handshakes::new(ends);
        for (client, flags, window, at_ns) in [
            (true, 0x02, 9, 100),
            (true, 0x02, 9, 300),
            (false, 0x12, 9, 450),
            (false, 0x10, 0, 500),
            (false, 0x14, 9, 600),
        ] {
            let (src, dst) = if client { (ends.a, ends.b) } else { (ends.b, ends.a) };
            watch.segment(src, dst, flags, window, at_ns);
        }
        let o = watch.opening;
        assert_eq!((o.by.as_deref(), o.seen, o.answered_after_ns), (Some("10.0.0.1:40000"), true, Some(350)));
        assert_eq!((o.syn_repeats, o.zero_windows, o.reset_by.as_deref()), (1, 1, Some("10.0.0.2:443")));
    }
}
