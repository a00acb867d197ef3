//! Which frames bear witness to a finding, and what each shows.

use std::collections::BTreeSet;

use capture::{Frame, LinkType};

use crate::packet::Addr;
use crate::report::{Finding, FirstPacket};
use crate::tick::LinkInfo;
use crate::topology::Plan;
use crate::wire::{Decoder, TapFormat};

/// What a finding is about, as packets show it.
#[derive(Debug)]
pub struct Witness<'a> {
    decoder: Decoder,
    plan: &'a Plan,
    kind: &'a str,
    /// Names and addresses of the hosts concerned; of all others where there is none.
    hosts: BTreeSet<&'a str>,
    address: Option<String>,
    /// Both ends of the queue pair concerned.
    pair: Option<(&'a str, &'a str)>,
    first: &'a [FirstPacket],
}

impl<'a> Witness<'a> {
    /// From a finding, the links by index, and what is known of the fabric.
    pub fn new(finding: &'a Finding, links: &'a [LinkInfo], plan: &'a Plan) -> Self {
        let subject = &finding.subject;
        let link = subject.link.as_ref().and_then(|id| links.iter().find(|l| l.id == *id));
        let mut hosts: BTreeSet<&str> = subject.host.as_deref().into_iter().collect();
        let first = &finding.evidence.first_packets;
        hosts.extend(first.iter().flat_map(|p| [p.src.as_str(), p.dst.as_str()]));
        let decoder = match plan.rdma_ports() {
            [] => Decoder::default(),
            ports => Decoder { rdma_ports: ports.to_vec() },
        };
        Self {
            decoder,
            plan,
            kind: &finding.kind,
            hosts,
            address: link.and_then(|l| l.host).map(|a| a.to_string()),
            pair: subject.qp.as_ref().map(|qp| (qp.src.as_str(), qp.dst.as_str())),
            first,
        }
    }

    /// Whether a frame belongs to the finding, and what it shows: empty for one that only stands near it.
    pub fn says(&self, link_type: LinkType, tap: TapFormat, frame: &Frame<'_>) -> Option<String> {
        let packet = self.decoder.decode(link_type, tap, frame.bytes, frame.wire_len).ok()?;
        let (src, dst) = (packet.src.to_string(), packet.dst.to_string());
        let named = self.first.iter().find(|p| p.at_ns == frame.at_ns && self.is(&p.src, packet.src, &src));
        if let Some(shown) = named {
            let psn = shown.psn.map_or_else(String::new, |psn| format!(", PSN {psn}"));
            return Some(format!("{}: {}{psn}", self.kind, shown.what));
        }
        let concerns = match self.pair {
            Some((one, other)) => {
                self.is(one, packet.src, &src) && self.is(other, packet.dst, &dst)
                    || self.is(other, packet.src, &src) && self.is(one, packet.dst, &dst)
            }
            None => self.concerns(packet.src, &src) || self.concerns(packet.dst, &dst),
        };
        concerns.then(String::new)
    }

    fn concerns(&self, addr: Addr, text: &str) -> bool {
        let nobody = self.hosts.is_empty() && self.address.is_none();
        let name = self.plan.host_name(addr);
        nobody
            || self.address.as_deref() == Some(text)
            || self.hosts.contains(text)
            || name.is_some_and(|n| self.hosts.contains(n))
    }

    fn is(&self, name: &str, addr: Addr, text: &str) -> bool {
        name == text || self.plan.host_name(addr) == Some(name)
    }
}
