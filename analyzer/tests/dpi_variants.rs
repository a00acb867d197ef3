//! Names under hard conditions: every labelled conversation again with other ports, from one side, from its middle, cut,
//! split and out of order. A missing name is tolerated to a degree, a wrong one hardly ever.
//!
//! `FABRICSCOPE_WRITE_DOCS=1 cargo test -p analyzer --test dpi_variants` writes the table of docs/disagreements.md anew;
//! `FABRICSCOPE_VERBOSE=1 cargo test -p analyzer --test dpi_variants -- --nocapture` lists what is missed and what is wrong.

// A skipped test says so, and figures are for people.
#![allow(clippy::print_stderr)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use analyzer::dpi::{Inspector, Seen};
use analyzer::tick::FlowKey;
use support::labelled::{Frames, Labelled, Names, captures, key, names};
use support::shared;
use support::variants::{Of, VARIANTS, by_conversation};

/// What came of one variant.
#[derive(Default)]
struct Tally {
    flows: usize,
    right: usize,
    wrong: usize,
    by_label: BTreeMap<String, [usize; 2]>,
}

impl Tally {
    fn share(&self, count: usize) -> f64 {
        count as f64 / self.flows.max(1) as f64
    }

    /// Mean over protocols of the share named right.
    fn mean(&self) -> f64 {
        let sum: f64 = self.by_label.values().map(|[right, all]| *right as f64 / *all as f64).sum();
        sum / self.by_label.len().max(1) as f64
    }
}

/// Labels of what carries something else: where the beginning is not seen, the name of what is inside is right too.
const CARRIERS: [&str; 12] = [
    "http_proxy",
    "http_connect",
    "socks",
    "haproxy",
    "ldap",
    "mysql",
    "postgresql",
    "smtp",
    "imap",
    "pop3",
    "ftp_control",
    "websocket",
];

/// Whether a variant leaves out the beginning or a side.
fn is_partial(variant: &str) -> bool {
    variant.contains("middle") || variant.contains("only") || variant.starts_with("cut")
}

/// The last name of each conversation, by payload.
fn name_all(packets: &[Of<'_>], conversations: usize) -> Vec<Option<&'static str>> {
    let mut engine = Inspector::default();
    let mut named = vec![None; conversations];
    let mut closed = vec![false; conversations];
    let mut seen: HashMap<FlowKey, Seen> = HashMap::new();
    for (of, packet) in packets {
        if closed[*of] {
            continue;
        }
        let key = key(packet);
        let reversed = FlowKey { src: key.dst, dst: key.src, sport: key.dport, dport: key.sport, ..key };
        let mut own = seen.get(&key).copied().unwrap_or_default();
        let mut other = seen.get(&reversed).copied().unwrap_or_default();
        let label = engine.observe(&key, packet, &mut own, Some(&mut other));
        seen.insert(key, own);
        seen.insert(reversed, other);
        let Some(label) = label else { continue };
        named[*of] = label.named.filter(|n| n.engine == "dpi").map(|n| n.name).or(named[*of]);
        closed[*of] = label.closed;
    }
    named
}

fn try_capture(capture: &Labelled, every: &BTreeSet<String>, tallies: &mut BTreeMap<&str, Tally>, verbose: bool) {
    let frames = Frames::open(&capture.path);
    let packets = frames.packets();
    let (all, conversations) = by_conversation(&packets);
    for (variant, change) in VARIANTS {
        let changed = change(&all);
        let named = name_all(&changed, conversations.len());
        let spoke: BTreeSet<usize> = changed.iter().filter(|(_, p)| !p.payload.is_empty()).map(|(of, _)| *of).collect();
        for (of, ends) in conversations.iter().enumerate().filter(|(of, _)| spoke.contains(of)) {
            let Some((label, may_be)) = capture.flows.get(ends) else { continue };
            let tally = tallies.entry(variant).or_default();
            tally.flows += 1;
            let counts = tally.by_label.entry(label.split('.').next().unwrap_or_default().to_owned()).or_default();
            counts[1] += 1;
            let name = named[of];
            let inside = is_partial(variant) && CARRIERS.iter().any(|c| label.contains(c));
            if name.is_some_and(|n| may_be.contains(n) || inside && matches!(n, "tls" | "http")) {
                tally.right += 1;
                counts[0] += 1;
                continue;
            }
            let is_wrong = name.is_some_and(|n| every.contains(n));
            tally.wrong += usize::from(is_wrong);
            if verbose {
                let file = capture.path.file_name().unwrap_or_default().to_string_lossy();
                let kind = if is_wrong { "WRONG" } else { "missed" };
                eprintln!("{kind}: {variant}: {label} is {} in {file} {ends:?}", name.unwrap_or("-"));
            }
        }
    }
}

fn run(folders: &[&str], table: &Names) -> BTreeMap<&'static str, Tally> {
    let every: BTreeSet<String> = table.values().flatten().cloned().collect();
    let verbose = std::env::var_os("FABRICSCOPE_VERBOSE").is_some();
    let mut tallies = BTreeMap::new();
    for folder in folders.iter().filter_map(|f| shared(f)) {
        for capture in captures(&folder, table) {
            try_capture(&capture, &every, &mut tallies, verbose);
        }
    }
    for (variant, t) in &tallies {
        eprintln!(
            "{variant:22} flows {:5}  right {:.4}  mean over {:3} protocols {:.4}  wrong {:.4}",
            t.flows,
            t.share(t.right),
            t.by_label.len(),
            t.mean(),
            t.share(t.wrong)
        );
    }
    tallies
}

/// At least so many named right and at most so many wrong, of all flows that still carry payload.
const BOUNDS: [(&str, f64, f64); 11] = [
    ("whole", 0.99, 0.003),
    ("odd ports", 0.975, 0.003),
    ("misleading ports", 0.975, 0.003),
    ("client only", 0.975, 0.003),
    ("server only", 0.93, 0.003),
    ("joined in the middle", 0.9, 0.004),
    ("middle, odd ports", 0.89, 0.004),
    ("middle, one side", 0.89, 0.004),
    ("split segments", 0.95, 0.004),
    ("disorder", 0.975, 0.004),
    ("cut to 96 bytes", 0.94, 0.005),
];

/// The table of the document, in the order of the bounds.
fn write_table(tallies: &BTreeMap<&str, Tally>) {
    const HEAD: &str =
        "| condition | flows | named right | mean over protocols | named wrong |\n|---|---|---|---|---|\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/disagreements.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, after) = text.split_once(HEAD).unwrap();
    let rest: String = after.split_inclusive('\n').skip_while(|line| line.starts_with('|')).collect();
    let rows: String = BOUNDS
        .iter()
        .filter_map(|(variant, ..)| Some((variant, tallies.get(variant)?)))
        .map(|(variant, t)| {
            let (right, mean, wrong) = (t.share(t.right), t.mean(), t.share(t.wrong));
            format!("| {variant} | {} | {right:.4} | {mean:.4} | {wrong:.4} |\n", t.flows)
        })
        .collect();
    std::fs::write(&path, format!("{before}{HEAD}{rows}{rest}")).unwrap();
}

#[test]
fn names_hold_under_hard_conditions() {
    let Some(programs) = shared("programs") else { return };
    let table = names(&programs.join("../../score/names.json"));
    let tallies = run(&["programs", "foreign/ndpi", "foreign/arkime"], &table);
    if std::env::var_os("FABRICSCOPE_WRITE_DOCS").is_some() {
        write_table(&tallies);
    }
    for (variant, right, wrong) in BOUNDS {
        let Some(t) = tallies.get(variant) else { panic!("{variant}: nothing was tried") };
        assert!(t.share(t.right) >= right, "{variant}: {:.4} named right, {right} are expected", t.share(t.right));
        assert!(t.share(t.wrong) <= wrong, "{variant}: {:.4} named wrong, {wrong} are tolerated", t.share(t.wrong));
    }
}

/// Real payload, cut at every length and with single bits changed, costs the engine neither a panic nor its bounds.
#[test]
fn real_payload_cut_and_damaged_is_survived() {
    let Some(programs) = shared("programs") else { return };
    let table = names(&programs.join("../../score/names.json"));
    for capture in captures(&programs, &table) {
        let frames = Frames::open(&capture.path);
        let packets = frames.packets();
        let (all, conversations) = by_conversation(&packets);
        let mut begun = vec![0_u8; conversations.len()];
        for (of, packet) in all.iter().filter(|(_, p)| !p.payload.is_empty()) {
            begun[*of] += u8::from(begun[*of] < 5);
            if begun[*of] < 4 {
                damage(packet);
            }
        }
    }
}

/// Every shorter length, then a changed bit at every 7th of the first places; each in a conversation of its own.
fn damage(packet: &analyzer::packet::Packet<'_>) {
    let mut engine = Inspector::default();
    let mut key = key(packet);
    let mut try_one = |payload: &[u8]| {
        let cut = analyzer::packet::Packet { payload, payload_len: payload.len() as u32, ..*packet };
        key.sport = key.sport.wrapping_add(1);
        let label = engine.observe(&key, &cut, &mut Seen::default(), None);
        let attrs = label.and_then(|l| l.attrs);
        assert!(attrs.iter().flat_map(|a| a.iter()).all(|(_, v)| v.len() <= analyzer::dpi::facts::MAX_VALUE));
    };
    let head = &packet.payload[..packet.payload.len().min(256)];
    (0..head.len()).for_each(|len| try_one(&head[..len]));
    for at in (0..head.len()).step_by(7) {
        let mut changed = head.to_vec();
        changed[at] ^= 1 << (at % 8);
        try_one(&changed);
    }
}

/// The variants do what they say.
#[test]
fn a_variant_keeps_the_bytes_of_a_stream() {
    let Some(programs) = shared("programs") else { return };
    let frames = Frames::open(&programs.join(Path::new("beanstalkd_11300.pcap")));
    let packets = frames.packets();
    let (all, _) = by_conversation(&packets);
    let bytes = |of: &[Of<'_>]| of.iter().map(|(_, p)| p.payload.len()).sum::<usize>();
    for (name, change) in VARIANTS {
        let changed = change(&all);
        match name {
            "whole" | "odd ports" | "misleading ports" | "split segments" | "disorder" => {
                assert_eq!(bytes(&changed), bytes(&all), "{name}");
            }
            _ => assert!(bytes(&changed) < bytes(&all), "{name}"),
        }
    }
}
