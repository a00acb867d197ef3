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
const BY_TRANSPORT: [(&str, &str); 7] = [
    ("roce", "RoCE version 1 and 2: by the base transport header"),
    ("cnp", "Congestion notification packets, opcode 0x81"),
    ("rdma-cm", "Connection management: MADs on queue pair 1"),
    ("nvme-rdma", "NVMe over RDMA: by its service identifier in connection management"),
    ("nfs-rdma", "NFS over RDMA: likewise"),
    ("ftp-data", "FTP data connections: announced on the control connection"),
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
    let all = [(Over::TCP, "TCP"), (Over::UDP, "UDP"), (Over::SCTP, "SCTP"), (Over::IP, "IP")];
    all.iter().filter(|(o, _)| over.meets(*o)).map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
}

fn entry(p: &'static Protocol) -> Entry {
    let names = std::iter::once(p.name).chain(p.also.iter().copied()).collect();
    Entry { names, title: p.title, group: group(p.group), over: over(p.over), ports: p.ports, source: p.source }
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
