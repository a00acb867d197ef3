//! A flow's story: both directions, the name and its ground, what the payload said, the findings that touch it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use analyzer::report::{Finding, Flow, Qp, Quantiles, Report, Subject};
use serde::Serialize;

use super::ends::{Ends, Handshakes, Opening};
use crate::show::style::{Ink, Style, clean, wrap};
use crate::show::{clock, units};

/// Queue pairs and findings told; the rest is counted.
const LISTED_MAX: usize = 12;

/// The whole story.
#[derive(Clone, Debug, Serialize)]
pub struct Story {
    /// The flow, as it was asked for.
    pub flow: String,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// How that is known: dpi, dfi, port, none.
    pub engine: String,
    /// 0..1.
    pub confidence: f32,
    /// What it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behaviour: Option<String>,
    /// SNI, Host or DNS name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_name: Option<String>,
    /// The job that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// What the payload said.
    pub attrs: BTreeMap<String, String>,
    /// How it began and ended; TCP only in full.
    pub opening: Opening,
    /// Per direction.
    pub directions: Vec<Direction>,
    /// Its RDMA queue pairs.
    pub qps: Vec<Qp>,
    /// Findings about its hosts, its links, its queue pairs or its job.
    pub findings: Vec<Finding>,
    /// Queue pairs and findings beyond those listed.
    pub left_out: u64,
}

/// One direction.
#[derive(Clone, Debug, Serialize)]
pub struct Direction {
    /// Sender.
    pub from: String,
    /// Receiver.
    pub to: String,
    /// Carrier.
    pub l4: String,
    /// Link that it was seen on.
    pub link: String,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
    /// First packet.
    pub first_ns: u64,
    /// Last packet.
    pub last_ns: u64,
    /// Repeated packets.
    pub retransmitted: u64,
    /// CE marks.
    pub ce_packets: u64,
    /// Round trip at the tap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_ns: Option<Quantiles>,
}

/// Gathers the story; `None` where there is no such flow.
pub fn tell(report: &Report, ends: Ends, seen: &Handshakes) -> Option<Story> {
    let mine: Vec<&Flow> = report.flows.iter().filter(|f| Ends::of(f).same(ends)).collect();
    let best = *mine.iter().max_by(|a, b| a.confidence.total_cmp(&b.confidence))?;
    let mut attrs = BTreeMap::new();
    mine.iter().for_each(|f| attrs.extend(f.attrs.clone()));
    let hosts = [ends.a.addr.to_string(), ends.b.addr.to_string()];
    let rdma = mine.iter().any(|f| f.dst_qp.is_some());
    let qps: Vec<&Qp> =
        report.qps.iter().filter(|q| rdma && hosts.contains(&q.src) && hosts.contains(&q.dst)).collect();
    let mut opening = seen.opening.clone();
    if mine.iter().all(|f| f.l4 != "tcp") && opening.by.is_none() {
        let first = mine.iter().min_by_key(|f| f.first_ns);
        opening.by = first.map(|f| Ends::of(f).a.to_string());
    }
    let job = mine.iter().find_map(|f| f.job.clone());
    let touch: Vec<&Finding> =
        report.findings.iter().filter(|f| touches(&f.subject, &mine, &hosts, job.as_deref())).collect();
    Some(Story {
        flow: ends.to_string(),
        app: best.app.clone(),
        engine: best.engine.clone(),
        confidence: best.confidence,
        behaviour: mine.iter().find_map(|f| f.behaviour.clone()),
        host_name: mine.iter().find_map(|f| f.host_name.clone()),
        job,
        attrs,
        opening,
        directions: mine.iter().map(|f| direction(f)).collect(),
        left_out: (qps.len().saturating_sub(LISTED_MAX) + touch.len().saturating_sub(LISTED_MAX)) as u64,
        qps: qps.into_iter().take(LISTED_MAX).cloned().collect(),
        findings: touch.into_iter().take(LISTED_MAX).cloned().collect(),
    })
}

fn direction(flow: &Flow) -> Direction {
    let ends = Ends::of(flow);
    Direction {
        from: ends.a.to_string(),
        to: ends.b.to_string(),
        l4: flow.l4.clone(),
        link: flow.link.clone(),
        packets: flow.packets,
        bytes: flow.bytes,
        first_ns: flow.first_ns,
        last_ns: flow.last_ns,
        retransmitted: flow.retransmitted,
        ce_packets: flow.ce_packets,
        rtt_ns: flow.rtt_ns,
    }
}

/// A finding about the flow's link, one of its hosts, a queue pair between them, or its job.
fn touches(subject: &Subject, mine: &[&Flow], hosts: &[String; 2], job: Option<&str>) -> bool {
    let pair = subject.qp.as_ref().map(|qp| hosts.contains(&qp.src) && hosts.contains(&qp.dst));
    let link = subject.link.as_ref().is_some_and(|id| mine.iter().any(|f| f.link == *id));
    let host = subject.host.as_ref().is_some_and(|h| hosts.contains(h));
    let its_job = subject.job.is_some() && subject.job.as_deref() == job;
    pair.unwrap_or(link || host || its_job)
}

/// Prints it for people.
pub fn text(story: &Story, style: Style, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", style.paint(Ink::Strong, &story.flow))?;
    line("what", &what(story), style, out)?;
    let name = story.host_name.as_deref().unwrap_or_default();
    line("name", name, style, out)?;
    line("does", story.behaviour.as_deref().unwrap_or_default(), style, out)?;
    line("job", story.job.as_deref().unwrap_or_default(), style, out)?;
    line("opened", &opened(&story.opening), style, out)?;
    line("ended", &ended(&story.opening), style, out)?;
    for d in &story.directions {
        line("sent", &sent(d), style, out)?;
    }
    for (name, value) in &story.attrs {
        line("said", &format!("{name} = {value}"), style, out)?;
    }
    for qp in &story.qps {
        line("QP", &queue_pair(qp), style, out)?;
    }
    for f in &story.findings {
        line(f.severity.name(), &format!("{}: {}", f.kind, f.explanation), style, out)?;
    }
    if story.findings.is_empty() {
        line("findings", "none touches it", style, out)?;
    }
    if story.left_out > 0 {
        line("and", &format!("{} more", units::count(story.left_out)), style, out)?;
    }
    Ok(())
}

fn line(head: &str, text: &str, style: Style, out: &mut dyn Write) -> io::Result<()> {
    for (index, part) in wrap(&clean(text), style.width.saturating_sub(10)).iter().enumerate() {
        writeln!(out, "{} {part}", style.paint(Ink::Dim, &format!("{:9}", if index == 0 { head } else { "" })))?;
    }
    Ok(())
}

fn what(story: &Story) -> String {
    let how = match story.engine.as_str() {
        "dpi" => "by its payload",
        "dfi" => "by its behaviour",
        "port" => "by its port alone",
        _ => return "unknown: nothing in it was recognised".to_owned(),
    };
    let name = story.app.as_deref().unwrap_or("unknown");
    format!("{name}, {how}, confidence {}", units::percent(f64::from(story.confidence)))
}

fn opened(o: &Opening) -> String {
    let Some(by) = &o.by else { return "unknown: the capture begins in its middle".to_owned() };
    let answer = match (o.seen, o.answered_after_ns) {
        (true, Some(ns)) => format!(", answered after {}", units::duration(ns)),
        (true, None) => ", no answer was seen".to_owned(),
        (false, _) => String::new(),
    };
    let again = if o.syn_repeats > 0 { format!(", asked {} more times", o.syn_repeats) } else { String::new() };
    format!("by {by}{answer}{again}")
}

fn ended(o: &Opening) -> String {
    let mut parts: Vec<String> = o.closed_by.iter().map(|who| format!("closed by {who}")).collect();
    parts.extend(o.reset_by.iter().map(|who| format!("reset by {who}")));
    if o.zero_windows > 0 {
        parts.push(format!("{} told the sender to stop (window 0)", units::counted(o.zero_windows, "segment")));
    }
    parts.join(", ")
}

fn sent(d: &Direction) -> String {
    let span = units::duration(d.last_ns.saturating_sub(d.first_ns));
    let mut text = format!(
        "{} to {}: {}, {} over {span} from {} UTC",
        d.from,
        d.to,
        units::counted(d.packets, "packet"),
        units::bytes(d.bytes),
        clock::time(d.first_ns)
    );
    if d.retransmitted > 0 {
        text.push_str(&format!(", {} retransmitted", units::count(d.retransmitted)));
    }
    if d.ce_packets > 0 {
        text.push_str(&format!(", {} marked CE", units::count(d.ce_packets)));
    }
    if let Some(rtt) = d.rtt_ns {
        text.push_str(&format!(", round trip {} (99 %: {})", units::duration(rtt.p50), units::duration(rtt.p99)));
    }
    text
}

fn queue_pair(qp: &Qp) -> String {
    let service = qp.service.as_deref().map(|s| format!(", {s}")).unwrap_or_default();
    format!(
        "{} to {} QPN 0x{:06x} {}{service}: {}, {} of {}, {} retransmitted, {} RNR, {} timeouts",
        qp.src,
        qp.dst,
        qp.dst_qp,
        qp.transport,
        units::counted(qp.packets, "packet"),
        units::counted(qp.messages, "message"),
        units::bytes(qp.message_bytes),
        units::count(qp.retransmitted),
        units::count(qp.rnr),
        units::count(qp.timeouts)
    )
}
