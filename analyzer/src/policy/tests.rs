//! Rules over built flows.

use std::sync::Arc;

use super::file::compile;
use super::*;
use crate::fabric::Totals;
use crate::jobs::{Jobs, JobsConfig};
use crate::packet::Addr;
use crate::tick::{FlowKey, FlowTick, LinkId, SparseHistogram, Tick};
use crate::topology::{Plan, Topology};

const SECOND: u64 = 1_000_000_000;

fn flow(app: Option<&'static str>, dport: u16, at_ns: u64) -> FlowTick {
    let key = FlowKey {
        src: Addr::v4([10, 0, 0, 1]),
        dst: Addr::v4([10, 0, 1, 1]),
        sport: 40_000,
        dport,
        protocol: 6,
        dst_qp: None,
    };
    FlowTick {
        key,
        sport: key.sport,
        vlan: None,
        link: LinkId(0),
        packets: 10,
        bytes: 5_000,
        first_ns: at_ns,
        last_ns: at_ns,
        ce_packets: 0,
        retransmitted: 0,
        copies: 0,
        app,
        closed: false,
        dscp: Some(26),
        engine: "dpi",
        confidence: 1.0,
        host_name: None,
        attrs: None,
        rtt: SparseHistogram::default(),
    }
}

/// What the rules find in flows that come one tick each.
fn found(policy: Policy, flows: &[FlowTick]) -> (Vec<String>, Vec<String>) {
    let (mut judge, mut totals) = (Judge::new(Arc::new(policy)), Totals::default());
    let jobs = Jobs::new(JobsConfig::default(), false);
    let mut notes = Vec::new();
    for flow in flows {
        let tick =
            Tick { start_ns: flow.first_ns, end_ns: flow.first_ns + 1, flows: vec![flow.clone()], ..Tick::default() };
        totals.add(&tick, 100, 100);
        notes.extend(judge.judge(&tick, &totals, &jobs));
    }
    notes.extend(judge.finish(&totals, &jobs));
    let tags = flows.last().map_or_else(Vec::new, |f| judge.tags(&f.key).into_iter().map(str::to_owned).collect());
    (notes.into_iter().filter_map(|s| s.note).collect(), tags)
}

fn one(when: &str) -> Policy {
    Policy::parse(
        &format!("[[rule]]\nname = \"r\"\nwhen = '''{when}'''\nseverity = \"warning\"\ntag = \"t\"\n"),
        "p.toml",
    )
    .unwrap()
}

#[test]
fn a_rule_holds_for_what_it_says() {
    let ssh = [flow(Some("ssh"), 22, SECOND)];
    let holds = |when: &str| !found(one(when), &ssh).0.is_empty();
    for when in [
        "app == \"ssh\"",
        "app in [\"ssh\", \"telnet\"] && dport == 22",
        "group == \"Mail, file transfer, terminals\"",
        "inNet(src.addr, \"10.0.0.0/24\") && !inNet(dst.addr, \"10.0.0.0/24\")",
        "inNet(src.addr, \"0.0.0.0/0\") && !inNet(src.addr, \"::/0\")",
        "bytes >= 5000 && bytes < 5001 && packets == 10 && dscp == 26 && vlan == -1",
        "[\"ssh\"].exists(a, a == app) && app.startsWith(\"s\") && app.matches(\"^s+h$\")",
        "src.job == \"\" && link.rail == \"\" && link.speed_bps == 0 && l4 == \"tcp\"",
    ] {
        assert!(holds(when), "{when}");
    }
    assert!(!holds("app == \"telnet\"") && !holds("lossless") && !holds("link.role == \"rail\""));
    assert_eq!(found(one("true"), &ssh).1, ["t"]);
}

#[test]
fn an_open_label_is_not_unknown() {
    let (notes, _) = found(one("app == \"unknown\""), &[flow(None, 9, SECOND), flow(Some("ssh"), 9, SECOND + 5)]);
    assert_eq!(notes, [] as [&str; 0], "it was named in the end");
    let (notes, _) = found(one("app == \"unknown\""), &[flow(None, 9, SECOND)]);
    assert_eq!(notes.len(), 1, "the capture ended");
    let (notes, _) = found(one("app == \"unknown\""), &[flow(None, 9, SECOND), flow(None, 9, 4 * SECOND)]);
    assert_eq!(notes.len(), 1, "nothing was said for long");
}

#[test]
fn what_is_excluded_meets_no_later_rule() {
    let text = "[[rule]]\nname = \"a\"\nwhen = 'dport == 22'\nexclude = true\n[[rule]]\nname = \"b\"\nwhen = 'true'\nseverity = \"info\"\n";
    let policy = || Policy::parse(text, "p.toml").unwrap();
    assert!(found(policy(), &[flow(Some("ssh"), 22, SECOND)]).0.is_empty());
    assert_eq!(found(policy(), &[flow(Some("ssh"), 23, SECOND)]).0.len(), 1);
}

#[test]
fn wrong_rules_are_told_with_file_rule_and_place() {
    for (when, expected) in [
        ("app == ", "column 8"),
        ("apps == \"ssh\"", "line 1, column 1 of its condition: there is no variable `apps`"),
        ("true &&\n link.speed > 3", "line 2"),
        ("link.speed > 3", "`link` has no `speed`; it has id, name"),
        ("app.x == 1", "`app` is a plain value"),
        ("lower(app) == \"x\"", "there is no function `lower`"),
        ("inNet(src.addr, \"10.0.0.0/33\")", "is no network"),
    ] {
        let why = compile(when).unwrap_err();
        assert!(why.contains(expected), "{when}: {why}");
    }
    let text = "[[rule]]\nname = \"r\"\nwhen = 'apps == 1'\ntag = \"t\"\n";
    let why = Policy::parse(text, "p.toml").unwrap_err().to_string();
    assert!(why.starts_with("p.toml, rule 1 (r): line 1, column 1"), "{why}");
    for text in [
        "",
        "[[rule]]\nname = \"r\"\nwhen = 'true'\n",
        "[[rules]]\n",
        "[[rule]]\nname = \"\"\nwhen = 'true'\ntag = \"x\"\n",
    ] {
        assert!(Policy::parse(text, "p.toml").is_err(), "{text}");
    }
}

#[test]
fn a_rule_that_cannot_be_evaluated_says_so() {
    let (notes, _) = found(one("app + 1 == 2"), &[flow(Some("ssh"), 22, SECOND)]);
    assert!(notes[0].contains("could not be evaluated"), "{notes:?}");
    let (notes, _) = found(one("bytes"), &[flow(Some("ssh"), 22, SECOND)]);
    assert!(notes[0].contains("neither true nor false"), "{notes:?}");
}

#[test]
fn the_topology_names_rails_roles_and_classes() {
    let text = "[[nodes]]\nname = \"gpu1\"\nip = \"10.0.0.1\"\nrail = 3\nrole = \"gpu\"\n[[nodes]]\nname = \"leaf\"\ntype = \"switch\"\n\
                [[links]]\na = { node = \"gpu1\", port = \"p\" }\nb = { node = \"leaf\", port = \"q\" }\n[roce]\ndata_dscp = 26\n";
    let topology = Topology::parse(text, "t").unwrap();
    let plan = Plan::new(&topology);
    let owners = || Owners::new(&topology, &plan);
    let policy = one("src.rail == \"3\" && src.role == \"gpu\" && src.name == \"gpu1\" && lossless").with(owners());
    assert_eq!(found(policy, &[flow(Some("ssh"), 22, SECOND)]).0.len(), 1);
    let mut judge_totals = Totals::default();
    let tick = Tick {
        end_ns: SECOND,
        new_links: plan.links.clone(),
        flows: vec![flow(Some("ssh"), 22, SECOND)],
        ..Tick::default()
    };
    judge_totals.add(&tick, 10, 10);
    let mut judge = Judge::new(Arc::new(one("link.role == \"rail\" && link.rail == \"3\"").with(owners())));
    assert_eq!(judge.judge(&tick, &judge_totals, &Jobs::new(JobsConfig::default(), false)).len(), 1);
}

proptest::proptest! {
    #[test]
    fn no_condition_panics(parts in proptest::collection::vec(proptest::sample::select(vec![
        "app", "==", "&&", "||", "!", "(", ")", "[", "]", "{", "}", ".", "\"x\"", "'", "1", "-1", "9223372036854775807", "+", "*", "/", "%", "0",
        "link", "src", "addr", "exists", "all", ",", "?", ":", "in", "matches", "true", "inNet", "bytes", "\\", "\u{e9}", "1e999", "size", "has", "map", "b'", "x",
    ]), 0..14)) {
        let text = parts.join(" ");
        if let Ok(program) = compile(&text) {
            let flow = flow(Some("ssh"), 22, SECOND);
            let facts = facts::Facts { flow: &flow, link: None, settled: true, job: None, jobs: ["", ""] };
            let _ = program.execute(&facts.context(&Owners::default(), &facts::VARIABLES.map(|v| v.0)));
        }
    }
}

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/policy.md");

/// The rules of the document's examples.
fn examples() -> Vec<String> {
    let text = std::fs::read_to_string(DOCUMENT).unwrap();
    let examples = text.split("```toml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap().to_owned());
    examples.collect()
}

#[test]
fn the_document_lists_the_variables_and_its_examples_read() {
    let mut text = std::fs::read_to_string(DOCUMENT).unwrap();
    let rows: Vec<String> = facts::VARIABLES.iter().map(|(name, what)| format!("| `{name}` | {what} |")).collect();
    let table = format!("| variable | what |\n|---|---|\n{}", rows.join("\n"));
    let fields = |of: usize| facts::FIELDS[of].1.iter().map(|f| format!("`{f}`")).collect::<Vec<_>>().join(", ");
    if std::env::var_os("FABRICSCOPE_WRITE_DOCS").is_some() {
        let (before, rest) = text.split_once("## Variables\n").unwrap();
        let (_, after) = rest.split_once("\n`src` and `dst` have ").unwrap();
        let (_, after) = after.split_once("`link` has ").unwrap();
        let (_, after) = after.split_once(". Names").unwrap();
        text = format!(
            "{before}## Variables\n\n{table}\n\n`src` and `dst` have {}. `link` has {}. Names{after}",
            fields(0),
            fields(2)
        );
        std::fs::write(DOCUMENT, &text).unwrap();
    }
    assert!(text.contains(&table), "docs/policy.md does not list the variables: write it anew");
    assert!(text.contains(&fields(0)) && text.contains(&fields(2)), "docs/policy.md does not list the fields");
    let all = examples();
    assert!(all.len() >= 2);
    for example in &all {
        Policy::parse(example, "docs/policy.md").unwrap();
    }
}

#[test]
fn the_documents_first_examples_find_what_they_are_for() {
    let topology = Topology::parse(
        "[[nodes]]\nname = \"gpu1\"\nip = \"10.0.0.1\"\nrail = 0\njob = \"a\"\n[[nodes]]\nname = \"gpu2\"\nip = \"10.0.1.1\"\njob = \"a\"\n\
         [[nodes]]\nname = \"leaf\"\ntype = \"switch\"\n[[links]]\na = { node = \"gpu1\", port = \"p\" }\n\
         b = { node = \"leaf\", port = \"q\" }\n[roce]\ndata_dscp = 26\n",
        "t",
    )
    .unwrap();
    let plan = Plan::new(&topology);
    let rules = |app| {
        let policy = Policy::parse(&examples()[0], "docs/policy.md").unwrap().with(Owners::new(&topology, &plan));
        let (mut judge, mut totals) = (Judge::new(Arc::new(policy)), Totals::default());
        let jobs = Jobs::new(JobsConfig::default(), false);
        let flows = vec![FlowTick { closed: true, ..flow(app, 9, SECOND) }];
        let tick = Tick { end_ns: SECOND, new_links: plan.links.clone(), flows, ..Tick::default() };
        totals.add(&tick, 10, 10);
        let found = judge.judge(&tick, &totals, &jobs);
        found.into_iter().map(|s| format!("{:?}", s.about)).collect::<Vec<_>>().join("; ")
    };
    assert!(rules(Some("ssh")).contains("ssh on a rail link"));
    assert!(rules(Some("nfs")).contains("storage in the lossless class"));
    assert!(rules(None).contains("anything unknown between GPU hosts"));
    assert_eq!(rules(Some("dns")), "");
}
