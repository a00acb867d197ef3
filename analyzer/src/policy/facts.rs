//! What a condition can ask of a flow.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use cel::{Context, ExecutionError, Value};

use crate::dpi::catalogue;
use crate::fabric::l4;
use crate::packet::Addr;
use crate::tick::{FlowTick, LinkInfo};
use crate::topology::{NodeType, Plan, Topology, addr, id_text};

/// Variables and what they are.
pub const VARIABLES: [(&str, &str); 21] = [
    (
        "app",
        "name of the flow: \"ssh\", \"roce\"; \"\" while its payload is still looked at, \"unknown\" when that showed nothing",
    ),
    (
        "group",
        "chapter of the protocol in docs/protocols.md: \"Storage\", \"Fabric and RDMA\"; \"\" where the name is unknown",
    ),
    ("engine", "how it was named: \"dpi\", \"port\", \"none\""),
    ("confidence", "0.0 to 1.0"),
    ("behaviour", "what it does in its job: \"ring_allreduce\"; \"\" without a job"),
    ("job", "id of the job that it works for; \"\" without one"),
    ("host_name", "SNI, Host or DNS name; \"\" where none was seen"),
    ("l4", "\"tcp\", \"udp\", \"icmp\", \"ethernet\""),
    ("sport", "source port; 0 where there is none"),
    ("dport", "destination port"),
    ("vlan", "VLAN id; -1 without tag"),
    ("dscp", "DSCP of its latest first packet in a tick; -1 without IP"),
    ("lossless", "its DSCP is the topology's roce.data_dscp"),
    ("packets", "packets so far"),
    ("bytes", "bytes so far"),
    ("retransmitted", "retransmitted packets so far"),
    ("ce_packets", "CE-marked packets so far"),
    ("age_s", "seconds from its first to its latest packet"),
    ("src", "the sender: addr, name, role, rail, job"),
    ("dst", "the receiver: addr, name, role, rail, job"),
    ("link", "the link that carries it: id, name, from, to, role, rail, group, speed_bps"),
];

const HOST_FIELDS: [&str; 5] = ["addr", "name", "role", "rail", "job"];
/// Fields of the variables that have some.
pub const FIELDS: [(&str, &[&str]); 3] = [
    ("src", &HOST_FIELDS),
    ("dst", &HOST_FIELDS),
    ("link", &["id", "name", "from", "to", "role", "rail", "group", "speed_bps"]),
];

/// Functions beside those of the language: `inNet(src.addr, "10.0.0.0/8")`.
pub const FUNCTIONS: [&str; 1] = ["inNet"];

/// What the topology says of a host.
#[derive(Clone, Debug, Default, PartialEq)]
struct Host {
    name: String,
    role: String,
    rail: String,
    job: String,
}

/// What the topology says of a link.
#[derive(Clone, Debug, Default, PartialEq)]
struct Cable {
    role: &'static str,
    rail: String,
}

/// What the fabric's owner says of hosts and links.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    hosts: BTreeMap<Addr, Host>,
    cables: BTreeMap<String, Cable>,
    lossless_dscp: Option<u8>,
}

impl Owners {
    /// From a topology and the plan made of it.
    pub fn new(topology: &Topology, plan: &Plan) -> Self {
        let mut owners = Self { lossless_dscp: topology.roce.data_dscp, ..Self::default() };
        let mut nodes = BTreeMap::new();
        for node in &topology.nodes {
            let text = |id: &Option<crate::topology::Id>| id.as_ref().map(id_text).unwrap_or_default();
            let host = Host {
                name: node.name.clone(),
                role: node.role.clone().unwrap_or_default(),
                rail: text(&node.rail),
                job: node.job.clone().unwrap_or_default(),
            };
            owners.hosts.extend(node.ips().iter().map(|ip| (addr(*ip), host.clone())));
            nodes.insert(node.name.as_str(), (node.kind, host));
        }
        for link in &plan.links {
            let ends = [&link.from, &link.to].map(|name| nodes.get(name.as_str()));
            owners.cables.insert(link.id.clone(), cable(ends.into_iter().flatten()));
        }
        owners
    }
}

/// A cable of a rail, to a host, or between switches.
fn cable<'a>(ends: impl Iterator<Item = &'a (NodeType, Host)> + Clone) -> Cable {
    let rail = ends.clone().map(|(_, host)| host.rail.clone()).find(|rail| !rail.is_empty()).unwrap_or_default();
    let access = ends.clone().any(|(kind, _)| *kind == NodeType::Host);
    let role = match (rail.is_empty(), access) {
        (false, _) => "rail",
        (true, true) => "access",
        (true, false) => "fabric",
    };
    Cable { role, rail }
}

/// A flow as conditions see it.
pub struct Facts<'a> {
    /// Since its beginning.
    pub flow: &'a FlowTick,
    /// The link that carries it.
    pub link: Option<&'a LinkInfo>,
    /// Without a name it will stay unknown.
    pub settled: bool,
    /// Its job and what it does in it.
    pub job: Option<(&'a str, &'static str)>,
    /// Jobs of its ends.
    pub jobs: [&'a str; 2],
}

impl Facts<'_> {
    fn app(&self) -> &'static str {
        self.flow.app.unwrap_or(if self.settled { "unknown" } else { "" })
    }

    /// The variables that are asked for.
    pub fn context(&self, owners: &Owners, uses: &[&'static str]) -> Context<'static, 'static> {
        let mut context = Context::default();
        // It has no overload in the language, so that it cannot be refused.
        let _ = context.add_function("inNet", in_net);
        for name in uses {
            context.add_variable_from_value(*name, self.value(owners, name));
        }
        context
    }

    fn value(&self, owners: &Owners, name: &str) -> Value {
        let flow = self.flow;
        match name {
            "app" => self.app().into(),
            "group" => flow.app.and_then(catalogue::chapter).unwrap_or("").into(),
            "engine" => flow.engine.into(),
            "confidence" => Value::Float(flow.confidence.into()),
            "behaviour" => self.job.map_or("", |j| j.1).into(),
            "job" => self.job.map_or("", |j| j.0).into(),
            "host_name" => flow.host_name.as_deref().unwrap_or("").into(),
            "l4" => l4(flow.key.protocol).into(),
            "sport" => int(flow.sport.into()),
            "dport" => int(flow.key.dport.into()),
            "vlan" => Value::Int(flow.vlan.map_or(-1, i64::from)),
            "dscp" => Value::Int(flow.dscp.map_or(-1, i64::from)),
            "lossless" => Value::Bool(flow.dscp.is_some() && flow.dscp == owners.lossless_dscp),
            "packets" => int(flow.packets),
            "bytes" => int(flow.bytes),
            "retransmitted" => int(flow.retransmitted),
            "ce_packets" => int(flow.ce_packets),
            "age_s" => Value::Float(flow.last_ns.saturating_sub(flow.first_ns) as f64 / 1e9),
            "src" => host(owners, flow.key.src, self.jobs[0]),
            "dst" => host(owners, flow.key.dst, self.jobs[1]),
            "link" => self.link_value(owners),
            _ => Value::Null,
        }
    }

    fn link_value(&self, owners: &Owners) -> Value {
        let unknown = Cable::default();
        let known = self.link.and_then(|l| owners.cables.get(&l.id)).unwrap_or(&unknown);
        let text = |of: fn(&LinkInfo) -> &str| Value::from(self.link.map_or("", of));
        let role = match (self.link, known.role) {
            (Some(link), "") if link.host.is_some() => "access",
            (_, role) => role,
        };
        let all = [
            ("id", text(|l| &l.id)),
            ("name", text(|l| &l.name)),
            ("from", text(|l| &l.from)),
            ("to", text(|l| &l.to)),
            ("role", role.into()),
            ("rail", known.rail.as_str().into()),
            ("group", text(|l| l.group.as_deref().unwrap_or(""))),
            ("speed_bps", int(self.link.and_then(|l| l.speed_bps).unwrap_or(0))),
        ];
        Value::from(HashMap::<String, Value>::from(all.map(|(name, value)| (name.to_owned(), value))))
    }
}

fn int(value: u64) -> Value {
    Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

fn host(owners: &Owners, addr: Addr, job: &str) -> Value {
    let unknown = Host::default();
    let known = owners.hosts.get(&addr).unwrap_or(&unknown);
    let name = if known.name.is_empty() { addr.to_string() } else { known.name.clone() };
    let job = if job.is_empty() { known.job.as_str() } else { job };
    let all = [
        ("addr", addr.to_string()),
        ("name", name),
        ("role", known.role.clone()),
        ("rail", known.rail.clone()),
        ("job", job.to_owned()),
    ];
    Value::from(HashMap::<String, Value>::from(all.map(|(name, value)| (name.to_owned(), Value::from(value)))))
}

/// Is an address in a network? An address that is none (a MAC address) is in no network.
fn in_net(addr: Arc<String>, net: Arc<String>) -> Result<bool, ExecutionError> {
    let Some((base, bits)) = network(&net) else {
        return Err(ExecutionError::function_error("inNet", format!("`{net}` is no network")));
    };
    Ok(match (addr.parse::<IpAddr>(), base) {
        (Ok(IpAddr::V4(a)), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).checked_shr(32 - bits).unwrap_or(0) == 0,
        (Ok(IpAddr::V6(a)), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).checked_shr(128 - bits).unwrap_or(0) == 0,
        _ => false,
    })
}

/// `10.0.0.0/8`, `fd00::/8`, or one address.
pub fn network(text: &str) -> Option<(IpAddr, u32)> {
    let (base, bits) = text.split_once('/').map_or((text, None), |(base, bits)| (base, Some(bits)));
    let base: IpAddr = base.parse().ok()?;
    let most = if base.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(most), |b| b.parse().ok())?;
    (bits <= most).then_some((base, bits))
}
