//! The sensor's own counters and the state of the fabric as Prometheus text (exposition format 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write;

use analyzer::report::{Capture, File, Finding, Link, LiveInput, Report};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::health::{self, Health};
use super::params::Params;
use super::{ApiError, Context};
use crate::TickNumbers;

/// Links named at most; what is beyond is counted in `fabricscope_links_not_listed`.
const LINKS_MAX: usize = 10_000;

/// Type of the text.
pub(super) const MEDIA: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics.
pub(super) async fn metrics(State(context): State<Context>, _: Params) -> Result<Response, ApiError> {
    let live = context.live.as_ref();
    let report = live.and_then(crate::Live::report);
    let tick = live.and_then(crate::Live::tick);
    let mut text = Text::default();
    text.gauge("up", "1 while this process answers.", &[(&[], 1.0)]);
    text.gauge(
        "analysis_here",
        "1 when an analysis runs in this process.",
        &[(&[], f64::from(u8::from(live.is_some())))],
    );
    let open = context.streams_open() as f64;
    text.gauge("streams_open", "Live streams open.", &[(&[], open)]);
    if let Some(report) = &report {
        capture(&mut text, &report.capture);
        interfaces(&mut text, &report.capture.files);
        findings(&mut text, &report.findings);
        links(&mut text, report);
        healths(&mut text, report);
    }
    if let Some(tick) = &tick {
        rates(&mut text, tick);
    }
    Ok(([(header::CONTENT_TYPE, MEDIA)], text.0).into_response())
}

type Sample<'a> = (&'a [(&'a str, &'a str)], f64);

/// Text in the making.
#[derive(Default)]
struct Text(String);

impl Text {
    fn counter(&mut self, name: &str, help: &str, samples: &[Sample<'_>]) {
        self.family(name, "counter", help, samples);
    }

    fn gauge(&mut self, name: &str, help: &str, samples: &[Sample<'_>]) {
        self.family(name, "gauge", help, samples);
    }

    // Writing to a string cannot fail.
    fn family(&mut self, name: &str, kind: &str, help: &str, samples: &[Sample<'_>]) {
        let _ = writeln!(self.0, "# HELP fabricscope_{name} {help}\n# TYPE fabricscope_{name} {kind}");
        for (labels, value) in samples {
            let labels: Vec<_> = labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(self.0, "fabricscope_{name}{labels} {value}");
        }
    }
}

/// A label's value: backslash, quote and line feed are escaped.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn capture(text: &mut Text, capture: &Capture) {
    let totals = [
        ("frames_total", "Frames read.", capture.packets),
        ("wire_bytes_total", "Bytes on the wire.", capture.wire_bytes),
        ("mirror_lost_total", "Frames that the mirror or the capture lost.", capture.mirror.lost),
        ("mirror_duplicated_total", "Copies of packets beyond the first.", capture.mirror.duplicated),
        ("mirror_truncated_total", "Frames that were cut.", capture.mirror.truncated),
        ("flows_evicted_total", "Flows that lost their place in a full table.", capture.flows_evicted),
        ("qps_evicted_total", "Queue pairs that lost their place in a full table.", capture.qps_evicted),
        ("ticks_widened_total", "Ticks merged because the analysis was behind.", capture.ticks_widened),
    ];
    for (name, help, value) in totals {
        text.counter(name, help, &[(&[], value as f64)]);
    }
    let labels: Vec<_> = capture.refused.iter().map(|(reason, &n)| ([("reason", reason.as_str())], n as f64)).collect();
    text.counter("frames_refused_total", "Frames not understood, by reason.", &samples(&labels));
    let taps = |value: fn(&analyzer::report::Tap) -> u64| -> Vec<_> {
        capture.taps.iter().map(|tap| ([("tap", tap.name.as_str())], value(tap) as f64)).collect()
    };
    text.counter("tap_frames_total", "Frames by tap.", &samples(&taps(|tap| tap.frames)));
    text.counter(
        "tap_lost_total",
        "Frames lost by the mirror or the capture, by tap.",
        &samples(&taps(|tap| tap.lost)),
    );
}

/// One queue of an interface that is captured from.
struct Queue<'a> {
    path: &'a str,
    queue: String,
    live: &'a LiveInput,
}

impl Queue<'_> {
    fn labels(&self) -> [(&str, &str); 2] {
        [("interface", self.path), ("queue", &self.queue)]
    }
}

type Figure = (&'static str, fn(&LiveInput) -> u64);

/// Where frames are lost on the way to the analysis.
const LOSSES: [Figure; 4] = [
    ("ring", |live| live.lost_in_ring),
    ("buffer", |live| live.lost_without_buffer),
    ("kernel", |live| live.lost_in_kernel),
    ("interface", |live| live.lost_by_interface),
];

/// How interfaces are captured from, and what was lost on the way, by where.
fn interfaces(text: &mut Text, files: &[File]) {
    let queue = |live: &LiveInput| live.queue.map_or_else(String::new, |queue| queue.to_string());
    let queues: Vec<Queue<'_>> = files
        .iter()
        .filter_map(|f| f.live.as_ref().map(|live| Queue { path: &f.path, queue: queue(live), live }))
        .collect();
    if queues.is_empty() {
        return;
    }
    modes(text, &queues);
    let of = |value: fn(&LiveInput) -> u64| -> Vec<_> {
        queues.iter().map(|q| (q.labels(), value(q.live) as f64)).collect()
    };
    let up = of(|live| u64::from(live.state == "up"));
    text.gauge("capture_up", "1 while the interface can receive.", &samples(&up));
    text.counter("capture_outages_total", "Times the interface went down or away.", &samples(&of(|l| l.outages)));
    text.counter("capture_filtered_total", "Frames the filter left out.", &samples(&of(|l| l.filtered)));
    text.counter("capture_clock_steps_total", "Times the clock was set back.", &samples(&of(|l| l.clock_steps)));
}

fn modes(text: &mut Text, queues: &[Queue<'_>]) {
    let with = |q: &'_ Queue<'_>, value: &'_ str| (q.path.to_owned(), q.queue.clone(), value.to_owned());
    let taken: Vec<_> = queues.iter().map(|q| (with(q, &q.live.mode), 1.0)).collect();
    labelled(text, ["capture_mode", "gauge", "The mode of capture taken, by interface."], "mode", &taken);
    let lost: Vec<_> =
        queues.iter().flat_map(|q| LOSSES.map(|(place, n)| (with(q, place), n(q.live) as f64))).collect();
    let family = ["capture_lost_total", "counter", "Frames lost on the way to the analysis, by where."];
    labelled(text, family, "where", &lost);
}

fn labelled(text: &mut Text, [name, kind, help]: [&str; 3], third: &str, of: &[((String, String, String), f64)]) {
    let labels: Vec<_> = of
        .iter()
        .map(|((path, queue, value), n)| {
            ([("interface", path.as_str()), ("queue", queue.as_str()), (third, value.as_str())], *n)
        })
        .collect();
    text.family(name, kind, help, &samples(&labels));
}

fn samples<'a, const N: usize>(of: &'a [([(&'a str, &'a str); N], f64)]) -> Vec<Sample<'a>> {
    of.iter().map(|(labels, value)| (&labels[..], *value)).collect()
}

fn findings(text: &mut Text, findings: &[Finding]) {
    let mut open: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.until_ns.is_none()) {
        *open.entry((&finding.kind, finding.severity.name())).or_default() += 1;
    }
    let of: Vec<_> =
        open.iter().map(|(&(kind, severity), &n)| ([("kind", kind), ("severity", severity)], n as f64)).collect();
    text.gauge("findings_open", "Findings that have not ended, by kind and severity.", &samples(&of));
}

fn links(text: &mut Text, report: &Report) {
    let of = |value: fn(&Link) -> u64| -> Vec<_> {
        report.links.iter().take(LINKS_MAX).map(|link| ([("link", link.id.as_str())], value(link) as f64)).collect()
    };
    let left_out = report.links.len().saturating_sub(LINKS_MAX);
    text.gauge("links_not_listed", "Links beyond those listed by name.", &[(&[], left_out as f64)]);
    text.counter("link_bytes_total", "Bytes on the wire by link.", &samples(&of(|link| link.bytes)));
    text.counter("link_packets_total", "Packets by link.", &samples(&of(|link| link.packets)));
    text.counter("link_ce_packets_total", "CE-marked packets by link.", &samples(&of(|link| link.ce_packets)));
    let peak = of(|link| link.burst.max_bps_100us);
    text.gauge("link_peak_100us_bits_per_second", "Highest 100 us bin since the start, by link.", &samples(&peak));
}

/// What schedulers may use: counts by state, and by name those that are not healthy.
fn healths(text: &mut Text, report: &Report) {
    for (what, rows) in [("host", health::hosts(report)), ("link", health::links(report))] {
        let counts = health::counts(&rows).map(|(state, n)| ([("state", state.name())], n as f64));
        text.gauge(&format!("{what}s_by_health"), "How many are healthy, degraded, to be avoided.", &samples(&counts));
        let ill = rows.iter().filter(|row| row.state > Health::Healthy).take(LINKS_MAX);
        let ill: Vec<_> = ill.map(|row| ([(what, row.id.as_str())], f64::from(row.state as u8))).collect();
        text.gauge(&format!("{what}_health"), "1 degraded, 2 avoid; healthy ones are left out.", &samples(&ill));
    }
}

/// Of the newest tick: its busiest links.
fn rates(text: &mut Text, tick: &TickNumbers) {
    let seconds = tick.end_ns.saturating_sub(tick.start_ns) as f64 / 1e9;
    if seconds <= 0.0 {
        return;
    }
    let of: Vec<_> =
        tick.links.iter().map(|link| ([("link", link.id.as_str())], link.bytes as f64 * 8.0 / seconds)).collect();
    text.gauge("link_bits_per_second", "Rate in the newest tick, of its busiest links.", &samples(&of));
    // Seconds of packet time, not of this machine's clock.
    text.gauge("packet_time_seconds", "End of the newest tick in packet time.", &[(&[], tick.end_ns as f64 / 1e9)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_from_packets_cannot_leave_their_quotes() {
        let mut text = Text::default();
        text.gauge("x", "Help.", &[(&[("link", "a\"} 1\nfabricscope_y 2\\")], 1.5)]);
        let last = text.0.lines().last().unwrap_or_default().to_owned();
        assert_eq!(last, r#"fabricscope_x{link="a\"} 1\nfabricscope_y 2\\"} 1.5"#);
        assert_eq!(text.0.lines().count(), 3);
    }
}
