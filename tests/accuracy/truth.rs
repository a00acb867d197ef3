//! What is known to have happened, from the labels beside captures.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Captures of one scenario and the truth about them.
pub struct Case {
    pub name: String,
    pub captures: Vec<PathBuf>,
    pub topology: Option<PathBuf>,
    pub faults: Vec<Truth>,
    /// Times at which a link was really congested, paused or lossy as a consequence: finding that is no invention.
    pub busy: Vec<(u64, u64)>,
    /// How much later than its cause an effect may be seen.
    pub slack_ns: u64,
    pub duration_ns: u64,
    /// Some mirror shows one frame in several.
    pub sampled: bool,
}

/// One thing that was injected.
pub struct Truth {
    pub kind: String,
    /// Every name of every link and host that is concerned; empty: not told.
    pub subjects: BTreeSet<String>,
    /// It began between these moments.
    pub start_ns: (u64, u64),
    pub end_ns: u64,
    /// Some mirror shows a link that it touches, and enough of each frame to tell.
    pub mirrored: bool,
}

/// What a frame that the switch has cut can't show: the ICRC is at its end, and its length is that of a trimmed one.
const NEEDS_WHOLE_FRAMES: [&str; 2] = ["corrupt", "packet_trim"];

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// Scenarios of a simulator, one folder each.
pub fn folders(folder: &Path) -> Vec<Case> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    all.iter().filter_map(|folder| simulated(folder)).collect()
}

/// One scenario of a simulator: `topology.json`, `labels.json`, captures.
pub fn simulated(folder: &Path) -> Option<Case> {
    let (topology, labels) = (folder.join("topology.json"), folder.join("labels.json"));
    if !labels.exists() {
        return None;
    }
    let (fabric, labels) = (json(&topology), json(&labels));
    let epoch = labels["epoch_ns"].as_u64()?;
    let names = link_names(&fabric);
    let at = |value: &Value, name: &str| value[name].as_u64().map(|t| epoch + t);
    let cut = list(&labels, "mirrors").iter().any(|m| m["cut_bytes"].is_u64());
    let fault = |c: &Value| {
        let links = list(c, "links").iter().filter_map(|l| names.get(l.as_str()?)).flatten().cloned();
        let hosts = list(c, "hosts").iter().filter_map(|h| names.get(h.as_str()?)).flatten().cloned();
        let start = at(c, "start_ns").unwrap_or(epoch);
        // A silent or slow host shows by what its peers wait for: no link of its own need be mirrored.
        let kind = c["kind"].as_str().unwrap_or_default();
        let anywhere = ["straggler_host", "host_hang"].contains(&kind);
        let hidden = cut && NEEDS_WHOLE_FRAMES.contains(&kind);
        Truth {
            kind: text(c, "kind"),
            subjects: links.chain(hosts).collect(),
            start_ns: (start, start),
            end_ns: at(c, "effect_end_ns").or(at(c, "end_ns")).unwrap_or(u64::MAX),
            mirrored: !hidden && (anywhere || !list(c, "visible_links").is_empty()),
        }
    };
    let effects = &labels["effects"];
    let busy = ["congested_intervals", "pause_episodes"].iter().flat_map(|name| list(effects, name));
    Some(Case {
        name: folder_name(&labels, folder),
        captures: list(&labels, "mirrors").iter().map(|m| folder.join(text(m, "pcap"))).collect(),
        topology: Some(topology),
        faults: list(&labels, "conditions").iter().map(fault).collect(),
        busy: busy.filter_map(|b| Some((at(b, "start_ns")?, at(b, "end_ns")?))).collect(),
        slack_ns: 20_000_000,
        duration_ns: labels["duration_ns"].as_u64()?,
        sampled: list(&labels, "mirrors").iter().any(|m| m["sampled_one_in"].as_u64().is_some_and(|n| n > 1)),
    })
}

fn folder_name(labels: &Value, folder: &Path) -> String {
    match folder.file_name().and_then(|n| n.to_str()) {
        Some(name) if !name.starts_with('.') => name.to_owned(),
        _ => text(labels, "scenario"),
    }
}

/// Every name of a link (itself, its directions, a host at its end) and of a host.
fn link_names(fabric: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in list(fabric, "nodes").iter().filter(|n| n["type"] == "host") {
        names.insert(text(node, "name"), [text(node, "name"), text(node, "ip")].into());
    }
    for link in list(fabric, "links") {
        let [a, b] = ["a", "b"].map(|end| text(&link[end], "node"));
        let mut own: BTreeSet<String> = [format!("{a}->{b}"), format!("{b}->{a}"), text(link, "name")].into();
        own.extend([&a, &b].into_iter().filter_map(|n| names.get(n)).flatten().cloned());
        names.insert(text(link, "name"), own);
    }
    names
}

/// Captures of emulated hosts: one `labels.json` for all, events with the times between which they took effect.
pub fn emulated(folder: &Path) -> Vec<Case> {
    list(&json(&folder.join("labels.json")), "captures").iter().map(|c| of_capture(folder, c)).collect()
}

fn of_capture(folder: &Path, capture: &Value) -> Case {
    let first_ns = (capture["tshark"]["first_packet_epoch"].as_f64().unwrap() * 1e9) as u64;
    let duration_ns = (capture["tshark"]["duration_s"].as_f64().unwrap() * 1e9) as u64;
    let moment = |event: &Value| first_ns.saturating_add_signed((event[2].as_f64().unwrap_or(0.0) * 1e9) as i64);
    let named = |words: &[&str]| -> Vec<u64> {
        let of = |e: &&Value| e[0].as_str().is_some_and(|name| words.iter().any(|w| name.ends_with(w)));
        list(capture, "events_rel_s").iter().filter(of).map(moment).collect()
    };
    let on = named(&["_on_before", "down_before", "_down", "cut_before", "epoch_0", "shaped"]);
    let begun = named(&["_on", "_down_done", "_cut", "epoch_0", "shaped"]);
    let off = named(&["_off", "_up_done", "up_again", "epoch_1", "withdrawn"]);
    let fault = |f: &Value| {
        // On emulated hosts without a second path a link that is down moves nothing.
        let kind = text(f, "kind");
        let kind = if kind == "link_down" { "link_down_soft".to_owned() } else { kind };
        let earliest = on.iter().min().copied().unwrap_or(first_ns);
        let ended = off.iter().max().copied().filter(|_| kind != "peer_dead");
        Truth {
            subjects: hosts_at(capture, &text(f, "where")),
            start_ns: (earliest, begun.iter().min().copied().unwrap_or(earliest).max(earliest)),
            end_ns: ended.unwrap_or(first_ns + duration_ns),
            mirrored: true,
            kind,
        }
    };
    Case {
        name: text(capture, "pcap").trim_end_matches(".pcap.zst").to_owned(),
        captures: vec![folder.join(text(capture, "pcap"))],
        topology: None,
        faults: list(capture, "faults").iter().map(fault).collect(),
        busy: Vec::new(),
        slack_ns: 1_000_000_000,
        duration_ns,
        sampled: false,
    }
}

/// Addresses of the hosts that a place names: `h3 f1 egress`, `switch port p2 (h2)`.
fn hosts_at(capture: &Value, place: &str) -> BTreeSet<String> {
    let words: Vec<&str> = place.split(|c: char| !c.is_alphanumeric()).collect();
    let here = |h: &&Value| ["name", "switch_port"].iter().any(|k| words.contains(&h[*k].as_str().unwrap_or("-")));
    list(capture, "hosts").iter().filter(here).map(|h| text(h, "ip")).collect()
}
