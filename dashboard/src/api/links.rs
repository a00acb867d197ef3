//! Links in a list, and one link over time.

use std::cmp::Ordering;

use analyzer::report::{Finding, Link, Severity};
use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use store::{LinkRow, Series, Window};

use super::cells::{Sight, Steps, deviation};
use super::findings::{every_finding, of_window};
use super::json::{bounded, column, with_texts};
use super::params::Params;
use super::{ApiError, Context, within};

/// A link and what is made of it.
struct Row {
    row: LinkRow,
    states: String,
    deviation: Vec<Option<f64>>,
    worst: Option<Severity>,
    findings: usize,
}

/// Links with their strips, one page of them.
pub(super) async fn links(State(context): State<Context>, params: Params) -> Result<Json<Value>, ApiError> {
    let Some(window) = context.window(&params).await? else {
        return Ok(Json(json!({ "window": null, "total": 0, "offset": 0, "rows": [] })));
    };
    let count = params.whole("steps") as u32;
    let rows = within(context.store.links(window, count)).await?;
    let (findings, _) = every_finding(&context, &of_window(window)).await?;
    let steps = steps_of(&context, &rows, window, count).await?;
    let (links, active) = (rows.len(), rows.iter().filter(|row| row.link.packets > 0).count());
    let peak = rows.iter().map(|row| row.link.burst.max_bps_100us).max();
    let covered = covered_ns(&rows, window, steps.tick_ns);
    let sight = Sight::of(&rows, &findings, steps);
    let mut rows: Vec<Row> = rows
        .into_iter()
        .filter(|row| found(&row.link, params.text("search")) && params.text("id").is_none_or(|id| row.link.id == id))
        .map(|row| judged(row, &sight, &findings))
        .collect();
    sort(&mut rows, params.one_of("sort"), params.one_of("order") == "desc");
    let page = rows.iter().skip(params.whole("offset") as usize).take(params.whole("limit") as usize);
    Ok(Json(json!({
        "window": with_texts(&window)?,
        "start_ns": steps.start_ns.to_string(),
        "step_ns": steps.step_ns,
        "links": links,
        "active": active,
        "covered_ns": covered,
        "max_bps_100us": peak,
        "total": rows.len(),
        "offset": params.whole("offset"),
        "rows": page.map(json).collect::<Result<Vec<_>, _>>()?,
    })))
}

/// Length of the window without what lies before the first packet in its first tick and behind the last packet in its last one: a
/// capture does not begin and end on whole ticks, and its mean rates are over its own time.
fn covered_ns(rows: &[LinkRow], window: Window, tick_ns: u64) -> u64 {
    let active = || rows.iter().filter(|row| row.link.packets > 0);
    let first =
        active().map(|row| row.link.first_ns).min().filter(|first| first.saturating_sub(window.from_ns) < tick_ns);
    let last = active().map(|row| row.link.last_ns).max().filter(|last| window.to_ns.saturating_sub(*last) < tick_ns);
    let (from, to) = (first.unwrap_or(window.from_ns), last.unwrap_or(window.to_ns));
    to.min(window.to_ns).saturating_sub(from.max(window.from_ns)).max(1)
}

/// Rows of one answer share their axis, and one link's series says which it is.
async fn steps_of(context: &Context, rows: &[LinkRow], window: Window, count: u32) -> Result<Steps, ApiError> {
    let Some(first) = rows.first() else { return Ok(Steps::default()) };
    let series = within(context.store.series(&first.link.id, window, count)).await?;
    Ok(series.map_or(Steps::default(), |series| Steps {
        start_ns: series.start_ns,
        step_ns: series.step_ns,
        tick_ns: series.tick_ns,
    }))
}

fn found(link: &Link, search: Option<&str>) -> bool {
    let Some(search) = search else { return true };
    let search = search.to_lowercase();
    let mirror = super::cells::tap_name(&link.mirror);
    [&link.id, &link.name, &link.from, &link.to, &mirror].iter().any(|text| text.to_lowercase().contains(&search))
}

fn judged(row: LinkRow, sight: &Sight, findings: &[Finding]) -> Row {
    let states = sight.states(&row);
    let deviation = deviation(&row, &states);
    let of_link = findings.iter().filter(|finding| finding.subject.link.as_deref() == Some(&row.link.id));
    let severities: Vec<Severity> = of_link.map(|finding| finding.severity).collect();
    Row { states, deviation, worst: severities.iter().max().copied(), findings: severities.len(), row }
}

fn largest_deviation(row: &Row) -> f64 {
    row.deviation.iter().flatten().fold(0.0, |most: f64, z| most.max(z.abs()))
}

fn retransmitted(link: &Link) -> u64 {
    link.tcp_retransmitted + link.roce.as_ref().map_or(0, |roce| roce.retransmitted)
}

fn lost(link: &Link) -> u64 {
    link.roce.as_ref().map_or(0, |roce| roce.lost_before_tap + roce.lost_after_tap)
}

fn ce_share(link: &Link) -> f64 {
    link.ce_packets as f64 / link.packets.max(1) as f64
}

fn rtt_p99(link: &Link) -> u64 {
    link.rtt_ns.map_or(0, |rtt| rtt.p99)
}

/// Worst: findings first, then what repeats and marks most, then the busiest. A deviation alone is no fault.
fn worse(a: &Row, b: &Row) -> Ordering {
    (a.worst, a.findings)
        .cmp(&(b.worst, b.findings))
        .then_with(|| lost(&a.row.link).cmp(&lost(&b.row.link)))
        .then_with(|| ce_share(&a.row.link).total_cmp(&ce_share(&b.row.link)))
        .then_with(|| a.row.link.bytes.cmp(&b.row.link.bytes))
}

fn sort(rows: &mut [Row], by: &str, descending: bool) {
    rows.sort_by(|a, b| {
        let (x, y) = (&a.row.link, &b.row.link);
        let order = match by {
            "name" => x.name.cmp(&y.name),
            "bytes" => x.bytes.cmp(&y.bytes),
            "max_bps_1ms" => x.burst.max_bps_1ms.cmp(&y.burst.max_bps_1ms),
            "max_bps_100us" => x.burst.max_bps_100us.cmp(&y.burst.max_bps_100us),
            "ce_share" => ce_share(x).total_cmp(&ce_share(y)),
            "cnp_packets" => x.cnp_packets.cmp(&y.cnp_packets),
            "retransmitted" => retransmitted(x).cmp(&retransmitted(y)),
            "lost" => lost(x).cmp(&lost(y)),
            "rtt_p99" => rtt_p99(x).cmp(&rtt_p99(y)),
            "flows" => x.flows.cmp(&y.flows),
            "deviation" => largest_deviation(a).total_cmp(&largest_deviation(b)),
            _ => worse(a, b),
        };
        if descending { order.reverse() } else { order }.then_with(|| x.id.cmp(&y.id))
    });
}

fn json(row: &Row) -> Result<Value, ApiError> {
    Ok(json!({
        "link": with_texts(&row.row.link)?,
        "tap": super::cells::tap_name(&row.row.link.mirror),
        "bps": column(&row.row.bps, 0),
        "max_bps_100us": column(&row.row.max_bps_100us, 0),
        "ce_share": column(&row.row.ce_share, 4),
        "deviation": column(&row.deviation, 1),
        "states": row.states,
        "worst": row.worst.map(Severity::name),
        "findings": row.findings,
    }))
}

/// One link over time.
pub(super) async fn series(
    State(context): State<Context>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    let missing = || ApiError::not_found(format!("there is no link {:?}", bounded(&id, 200)));
    let window = context.window(&params).await?.ok_or_else(missing)?;
    let steps = params.whole("steps") as u32;
    let series = within(context.store.series(&id, window, steps)).await?.ok_or_else(missing)?;
    let mut value = columns(&series);
    value["window"] = with_texts(&window)?;
    Ok(Json(value))
}

fn columns(series: &Series) -> Value {
    json!({
        "start_ns": series.start_ns.to_string(),
        "step_ns": series.step_ns,
        "tick_ns": series.tick_ns,
        "bps": column(&series.bps, 0),
        "max_bps_1ms": column(&series.max_bps_1ms, 0),
        "max_bps_100us": column(&series.max_bps_100us, 0),
        "packets": column(&series.packets, 0),
        "ce_share": column(&series.ce_share, 6),
        "cnp_packets": column(&series.cnp_packets, 0),
        "paused_share": column(&series.paused_share, 6),
        "retransmitted": column(&series.retransmitted, 0),
        "rtt_p50": column(&series.rtt_p50, 0),
        "rtt_p90": column(&series.rtt_p90, 0),
        "rtt_p99": column(&series.rtt_p99, 0),
        "rtt_p999": column(&series.rtt_p999, 0),
        "rtt_count": column(&series.rtt_count, 0),
    })
}
