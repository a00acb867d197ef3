//! The topology file: JSON or TOML of one shape. Keys it does not know are kept; values it cannot read are named with their line.

use std::collections::HashMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::value::{Directions, Id, Mac, OneOrMany, TapFormat};

/// Longest file read, in bytes: a fabric of 100,000 links needs about 20 MB.
const LONGEST_BYTES: usize = 64 << 20;

/// The fabric as its owner describes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Topology {
    /// Hosts and switches.
    #[serde(default)]
    pub nodes: Vec<Node>,
    /// Cables between their ports.
    #[serde(default)]
    pub links: Vec<Link>,
    /// How RoCE is configured.
    #[serde(default)]
    pub roce: Roce,
    /// Which tap shows which port.
    #[serde(default)]
    pub mirrors: Vec<Mirrors>,
    /// Keys that mean nothing here.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeType {
    /// Sends and receives.
    #[default]
    Host,
    /// Forwards.
    Switch,
}

/// A host or a switch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Identifier; links may use it in place of the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    /// Name.
    pub name: String,
    /// Host or switch.
    #[serde(rename = "type", default)]
    pub kind: NodeType,
    /// `leaf`, `spine` and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Addresses on the fabric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<OneOrMany<IpAddr>>,
    /// A switch's management address, which is also the source of its ERSPAN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mgmt_ip: Option<IpAddr>,
    /// Rail of a multi-rail fabric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rail: Option<Id>,
    /// Job that its owner says runs here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Keys that mean nothing here.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Node {
    /// Addresses on the fabric.
    pub fn ips(&self) -> &[IpAddr] {
        self.ip.as_ref().map_or(&[], OneOrMany::as_slice)
    }
}

/// One end of a link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// Name (or identifier) of the node.
    pub node: Id,
    /// Port.
    #[serde(default)]
    pub port: String,
    /// MAC address of the port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// Address of the port, where a host has one per port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// Keys that mean nothing here.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A cable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// Identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    /// Name; made of its ends where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// One end.
    pub a: End,
    /// The other end.
    pub b: End,
    /// Rated speed in bit/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed_bps: Option<u64>,
    /// Propagation delay in ns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ns: Option<u64>,
    /// Group of parallel links, or LAG.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Keys that mean nothing here.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// How RoCE is configured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Roce {
    /// UDP destination ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub udp_dport: Option<OneOrMany<u16>>,
    /// Path MTU in bytes of payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// DSCP of data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_dscp: Option<u8>,
    /// DSCP of congestion notifications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnp_dscp: Option<u8>,
    /// Lossless priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pfc_priority: Option<u8>,
    /// Keys that mean nothing here.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One tap: a capture file or interface, and the ports it shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mirrors {
    /// Name of a capture file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pcap: Option<String>,
    /// Name of a live interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Envelope.
    #[serde(default)]
    pub format: TapFormat,
    /// Bytes captured of each frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snaplen: Option<u32>,
    /// One frame in so many is copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled_one_in: Option<u64>,
    /// Ports shown.
    #[serde(default)]
    pub ports: Vec<Port>,
    /// Keys that mean nothing here.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One mirrored port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Port {
    /// What in the envelope names it.
    #[serde(default)]
    pub key: Key,
    /// Node whose port is mirrored.
    pub node: Id,
    /// The port.
    #[serde(default)]
    pub port: String,
    /// The link at the port; found by node and port where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Id>,
    /// Directions copied.
    #[serde(default)]
    pub directions: Directions,
    /// Keys that mean nothing here.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What in the envelope names a port; empty where the tap shows one port only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Key {
    /// RSPAN VLAN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// ERSPAN session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erspan_session: Option<u32>,
    /// Outer source address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erspan_src_ip: Option<IpAddr>,
    /// VXLAN network identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vni: Option<u32>,
    /// GRE key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gre_key: Option<u32>,
    /// Interface within a pcapng file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pcapng_interface: Option<u32>,
    /// Keys that mean nothing here.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Why a topology file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}{}: {what}", .line.map(|l| format!(", line {l}")).unwrap_or_default())]
pub struct TopologyError {
    /// Name of the file, as given.
    pub name: String,
    /// Line, counted from 1, where it is known.
    pub line: Option<usize>,
    /// What is wrong there.
    pub what: String,
}

impl Topology {
    /// Reads JSON or TOML; `name` is for messages.
    ///
    /// # Errors
    /// Names the line of the first thing that is wrong.
    pub fn parse(text: &str, name: &str) -> Result<Self, TopologyError> {
        let fail = |line, what| TopologyError { name: name.to_owned(), line, what };
        if text.len() > LONGEST_BYTES {
            return Err(fail(None, format!("{} bytes; at most {LONGEST_BYTES} are read", text.len())));
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // No TOML document can begin with a brace, so the first character tells, whatever the file is called.
        let read = if text.trim_start().starts_with('{') { from_json(text) } else { from_toml(text) };
        let topology = read.map_err(|(line, what)| fail(line, what))?;
        topology.check().map_err(|(word, nth, what)| fail(line_of(text, &word, nth), what))?;
        Ok(topology)
    }

    /// As TOML.
    ///
    /// # Errors
    /// When a number does not fit into TOML's 64-bit signed integers.
    pub fn to_toml(&self) -> Result<String, TopologyError> {
        let fail = |what: String| TopologyError { name: "topology".to_owned(), line: None, what };
        let mut value = serde_json::to_value(self).map_err(|e| fail(e.to_string()))?;
        // TOML has no null: a null in a kept key says no more than its absence.
        drop_nulls(&mut value);
        toml::to_string(&value).map_err(|e| fail(e.to_string()))
    }

    /// References and names: (quoted word to look for, which occurrence, message).
    fn check(&self) -> Result<(), (String, usize, String)> {
        let mut names: HashMap<&str, usize> = HashMap::new();
        for node in &self.nodes {
            let earlier = names.entry(&node.name).or_default();
            *earlier += 1;
            if *earlier > 1 {
                return Err((node.name.clone(), 2, format!("two nodes are named `{}`", node.name)));
            }
        }
        let mut ids: HashMap<String, ()> = HashMap::new();
        for node in &self.nodes {
            ids.insert(node.name.clone(), ());
            ids.extend(node.id.as_ref().map(|id| (id_text(id), ())));
        }
        let ends = self.links.iter().flat_map(|l| [&l.a.node, &l.b.node]);
        for id in ends.chain(self.mirrors.iter().flat_map(|m| m.ports.iter().map(|p| &p.node))) {
            if !ids.contains_key(&id_text(id)) {
                return Err((id_text(id), 1, format!("no node is named `{}`", id_text(id))));
            }
        }
        self.check_links()
    }

    fn check_links(&self) -> Result<(), (String, usize, String)> {
        let mut names: HashMap<String, ()> = HashMap::new();
        for name in self.links.iter().filter_map(|l| l.name.as_ref()) {
            if names.insert(name.clone(), ()).is_some() {
                return Err((name.clone(), 2, format!("two links are named `{name}`")));
            }
        }
        names.extend(self.links.iter().filter_map(|l| l.id.as_ref()).map(|id| (id_text(id), ())));
        for link in self.mirrors.iter().flat_map(|m| &m.ports).filter_map(|p| p.link.as_ref()) {
            if !names.contains_key(&id_text(link)) {
                return Err((id_text(link), 1, format!("no link is named `{}`", id_text(link))));
            }
        }
        Ok(())
    }
}

pub(crate) fn id_text(id: &Id) -> String {
    match id {
        Id::Number(n) => n.to_string(),
        Id::Text(t) => t.clone(),
    }
}

fn from_json(text: &str) -> Result<Topology, (Option<usize>, String)> {
    serde_json::from_str(text).map_err(|e| {
        // serde_json ends its message with the line, which stands in front already.
        let what = e.to_string();
        let what = what.split(" at line ").next().unwrap_or_default().to_owned();
        (Some(e.line()).filter(|l| *l > 0), what)
    })
}

fn from_toml(text: &str) -> Result<Topology, (Option<usize>, String)> {
    toml::from_str(text).map_err(|e| {
        let line = e.span().map(|s| 1 + text.bytes().take(s.start).filter(|b| *b == b'\n').count());
        (line, e.message().to_owned())
    })
}

/// Line of the `nth` line that holds the word in quotes (or bare, for numbers).
fn line_of(text: &str, word: &str, nth: usize) -> Option<usize> {
    let quoted = [format!("\"{word}\""), format!("'{word}'")];
    let mut seen = 0;
    for (index, line) in text.lines().enumerate() {
        seen += quoted.iter().map(|q| line.matches(q.as_str()).count()).sum::<usize>();
        if seen >= nth {
            return Some(index + 1);
        }
    }
    None
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, v| !v.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => {
            list.retain(|v| !v.is_null());
            list.iter_mut().for_each(drop_nulls);
        }
        _ => {}
    }
}
