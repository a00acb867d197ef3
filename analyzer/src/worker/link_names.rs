//! What links are called that no topology names.

use super::links::Origin;
use crate::packet::{Addr, MirrorKey};
use crate::tick::{LinkId, LinkInfo};

/// A link by what made it; `name` is what the topology calls a host.
pub(super) fn describe(origin: Origin, tap: &str, name: impl Fn(Addr) -> Option<String>) -> LinkInfo {
    let called = |host: Addr| name(host).unwrap_or_else(|| host.to_string());
    let (id, from, to, mirror, host) = match origin {
        Origin::HostSends(h) => (format!("host:{h}:tx"), called(h), "fabric".into(), MirrorKey::default(), Some(h)),
        Origin::HostReceives(h) => (format!("host:{h}:rx"), "fabric".into(), called(h), MirrorKey::default(), Some(h)),
        Origin::PausedBy(mac) => {
            let mac = Addr::mac(mac).to_string();
            (format!("port:{mac}:rx"), "fabric".into(), mac, MirrorKey::default(), None)
        }
        Origin::Mirror(key, egress) => {
            let id = mirror_id(&key, egress);
            (id.clone(), id, "unknown".into(), key, None)
        }
    };
    let label = match origin {
        Origin::Mirror(..) => id.clone(),
        _ => format!("{from}->{to}"),
    };
    LinkInfo {
        link: LinkId(0),
        id,
        name: label,
        from,
        to,
        speed_bps: None,
        group: None,
        mirror,
        tap: tap.to_owned(),
        reverse: None,
        host,
        to_host: matches!(origin, Origin::HostReceives(_)),
    }
}

/// `rspan:152`, `erspan2:10.0.0.1/11`, `vxlan:10.0.0.1/5001`, with `:tx` or `:rx` where the mirror tells the direction.
fn mirror_id(key: &MirrorKey, egress: Option<bool>) -> String {
    let mut id = key.kind.name().to_owned();
    if let Some(vlan) = key.vlan {
        id.push_str(&format!(":{vlan}"));
    }
    if let Some(source) = key.source {
        id.push_str(&format!(":{source}"));
    }
    if let Some(session) = key.session {
        id.push_str(&format!("/{session}"));
    }
    if let Some(port) = key.port {
        id.push_str(&format!("/{port}"));
    }
    match egress {
        Some(true) => id + ":tx",
        Some(false) => id + ":rx",
        None => id,
    }
}
