//! The registry as a document and for the page: `docs/protocols.md` is this text; a test compares them.

use std::fmt::Write;

use super::proto;
use super::protocol::{Group, Over, Protocol};

/// One protocol for the API and the page.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Entry {
    /// Name, and further names that its probe gives.
    pub names: Vec<&'static str>,
    /// For people.
    pub title: &'static str,
    /// Chapter.
    pub group: &'static str,
    /// Carriers.
    pub over: String,
    /// Ports by registration or habit: hints only.
    pub ports: &'static [u16],
    /// Specification.
    pub source: &'static str,
}

/// Names that are given elsewhere than by a probe of payload.
const BY_TRANSPORT: [(&str, &str); 13] = [
    ("roce", "RoCE version 1 and 2: by the base transport header"),
    ("cnp", "Congestion notification packets, opcode 0x81"),
    ("rdma-cm", "Connection management: MADs on queue pair 1"),
    ("nvme-rdma", "NVMe over RDMA: by its service identifier in connection management"),
    ("nfs-rdma", "NFS over RDMA: likewise"),
    ("iser", "iSCSI extensions for RDMA: likewise"),
    ("smb-direct", "SMB over RDMA: likewise"),
    ("lustre-o2ib", "Lustre over RDMA: likewise"),
    ("rds, rtrs", "Reliable datagram sockets, RDMA transport of block devices: likewise"),
    ("glusterfs-rdma", "GlusterFS over RDMA: likewise"),
    ("ftp-data", "FTP data connections: announced on the control connection"),
    ("pfc, pause", "Priority flow control and 802.3x PAUSE: by their opcode"),
    ("rtp", "Media streams: announced by SIP, or by their own sequence"),
];

fn group(group: Group) -> &'static str {
    match group {
        Group::Fabric => "Fabric and RDMA",
        Group::Training => "Training, MPI, schedulers",
        Group::Storage => "Storage",
        Group::Rpc => "Web and remote calls",
        Group::Queue => "Message queues",
        Group::Database => "Databases",
        Group::Secure => "Encryption, tunnels, proxies",
        Group::Infrastructure => "Names, time, addresses, directories",
        Group::Management => "Telemetry and management",
        Group::Routing => "Routing and link control",
        Group::Terminal => "Mail, file transfer, terminals",
        Group::Media => "Voice and video",
        Group::Industry => "Machines and buildings",
        Group::Internet => "From the internet",
    }
}

fn over(over: Over) -> String {
    let all =
        [(Over::TCP, "TCP"), (Over::UDP, "UDP"), (Over::SCTP, "SCTP"), (Over::IP, "IP"), (Over::LINK, "Ethernet")];
    all.iter().filter(|(o, _)| over.meets(*o)).map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
}

fn entry(p: &'static Protocol) -> Entry {
    let names = std::iter::once(p.name).chain(p.also.iter().copied()).collect();
    Entry { names, title: p.title, group: group(p.group), over: over(p.over), ports: p.ports, source: p.source }
}

/// How names come about: what a reader should know before the tables.
const HOW: &str = "
## How a flow is named

The first payload bytes of both directions are looked at: at most 8 KiB of a TCP stream, put in order, and 16 payload packets
(up to 32 where they hold little). Every probe sees the same bytes; those that exclude themselves are not asked again; the
strongest evidence names the flow. Weak evidence must come twice, or at a port of the protocol. A prologue (CONNECT, SOCKS,
PROXY, STARTTLS, an upgrade) is followed into what it carries. Where nothing is recognised, the flow stays unnamed and its
behaviour is described instead: an unknown is better than a wrong name. `fabricscope dissect FILE --flow A:PORT-B:PORT` tells
one flow's story with the name's ground and confidence.

Names hold where a mirror is unkind. The test `dpi_variants` takes real labelled conversations and changes them: other ports,
well-known ports of other services, one side only, the handshake and first segments missing, segments split or swapped,
packets cut to 96 bytes; it bounds what may be missed and what may be named wrong. In the middle of a conversation, and from one
side, some protocols cannot be told: their later messages have no marks of their own. They stay unnamed.

Reading a label differently from other tools (docs/disagreements.md goes through labelled captures flow by flow):

- What is seen is named. Inside GTP, VXLAN or a mirror's envelope the inner flow is named (`rtp`, not `gtp`). Of a proxied or
  upgraded connection that was joined after its prologue, the inside is seen (`tls`, `http`).
- gRPC is named where its messages or headers show it. Where only frames of HTTP/2 are readable (joined in the middle, cut), the
  name is `http2`.
- SNMP with an encrypted scope, RTP and STUN with a single ambiguous packet stay unnamed.

Frames between neighbours (LLDP, LACP, STP, IS-IS, ARP, PFC) are flows of layer `ethernet` between MAC addresses (ARP: between
the addresses it asks for); both ports hold the Ethertype, or the LLC service access point. Each frame is named by itself.

Not named: IBM Storage Scale (GPFS), whose wire format is not published.
";

/// The chapter of a name: of its probe, or of the fabric where the transport names it.
pub fn chapter(name: &str) -> Option<&'static str> {
    let by_probe = proto::all().find(|p| p.name == name || p.also.contains(&name));
    let by_transport = || BY_TRANSPORT.iter().any(|(names, _)| names.split(", ").any(|n| n == name));
    by_probe.map(|p| group(p.group)).or_else(|| by_transport().then(|| group(Group::Fabric)))
}

/// Every protocol of the registry, by chapter, then by name.
pub fn entries() -> Vec<Entry> {
    let mut all: Vec<&'static Protocol> = proto::all().collect();
    all.sort_by_key(|p| (p.group, p.name));
    all.into_iter().map(entry).collect()
}

/// The document.
pub fn markdown() -> String {
    let entries = entries();
    let names: std::collections::BTreeSet<_> = entries.iter().flat_map(|e| &e.names).collect();
    let mut text = format!(
        "# Protocols that flows are named by\n\nGenerated from the registry in `analyzer/src/dpi/proto/`; {} probes, {} names. \
         A name comes from payload (engine `dpi`); ports are hints that never outrank it.\n",
        entries.len(),
        names.len()
    );
    text.push_str(HOW);
    let mut chapter = "";
    for e in &entries {
        if e.group != chapter {
            chapter = e.group;
            let _ = write!(
                text,
                "\n## {chapter}\n\n| names | protocol | over | ports (hints) | written from |\n|---|---|---|---|---|\n"
            );
        }
        let ports = e.ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "| {} | {} | {} | {} | {} |", e.names.join(", "), e.title, e.over, ports, e.source);
    }
    text.push_str("\n## Named without a probe\n\n| name | how |\n|---|---|\n");
    for (name, how) in BY_TRANSPORT {
        let _ = writeln!(text, "| {name} | {how} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `FABRICSCOPE_WRITE_DOCS=1 cargo test -p analyzer the_document` writes it anew.
    #[test]
    fn the_document_is_the_registry() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/protocols.md");
        if std::env::var_os("FABRICSCOPE_WRITE_DOCS").is_some() {
            std::fs::write(&path, markdown()).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == markdown(), "docs/protocols.md is not the registry: write it anew");
    }
}
