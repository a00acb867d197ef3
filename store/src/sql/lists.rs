//! Flows, queue pairs, findings and jobs in pages: sums, search and order are the database's work.

use analyzer::fabric::opcode;
use analyzer::report::{Finding, Flow, Job, Naks, Qp};
use clickhouse::Row;
use serde::Deserialize;

use super::connection::Connection;
use super::links::{longest_tick, within};
use super::sums::{Histogram, histogram, sums};
use super::text::literal;
use crate::rows::{FINDING_SORTS, FLOW_SORTS, MAX_ROWS, QP_SORTS, search_text, sort_column};
use crate::{Page, Query, StoreError, Window};

/// A row that brings the number of all rows.
trait Counted {
    fn total(&self) -> u64;
}

/// Order of ticks: the last one names a flow.
const NEWEST: &str = "(x.start_ns, x.sequence, x.sensor, x.run)";

/// Columns that may be absent sort as 0 or "".
fn order(column: &str, query: &Query) -> String {
    let value = match column {
        "vlan" | "dst_qp" | "src_qp" | "until_ns" => format!("ifNull({column}, 0)"),
        "host_name" | "service" => format!("ifNull({column}, '')"),
        other => other.to_owned(),
    };
    format!("{value} {}", if query.descending { "DESC" } else { "ASC" })
}

/// What the user's text, link and name leave: `texts` is what a search looks at, `name` the column of the name.
fn filter(query: &Query, texts: &str, name: &str) -> String {
    let mut all = vec!["1".to_owned()];
    let search = search_text(query);
    if !search.is_empty() {
        all.push(format!("position({texts}, {}) > 0", literal(&search)));
    }
    all.extend(query.link.iter().map(|link| format!("link = {}", literal(link))));
    all.extend(query.name.iter().map(|wanted| format!("ifNull({name}, '') = {}", literal(wanted))));
    all.join(" AND ")
}

/// One page of what `from` gives; past the end the total is asked for by itself.
async fn page<T>(
    connection: &Connection,
    columns: &str,
    from: &str,
    order: &str,
    query: &Query,
) -> Result<Page<T>, StoreError>
where
    T: Counted + clickhouse::RowOwned + clickhouse::RowRead,
{
    let (limit, offset) = (query.limit.min(MAX_ROWS), query.offset);
    let select = format!(
        "SELECT {columns}, count() OVER () AS total FROM {from} ORDER BY {order} LIMIT {limit} OFFSET {offset}"
    );
    let rows: Vec<T> = connection.select(&select).await?;
    let total = match rows.first() {
        Some(row) => row.total(),
        None => connection.select::<u64>(&format!("SELECT count() FROM {from}")).await?.into_iter().sum(),
    };
    Ok(Page { rows, total })
}

impl<T> Page<T> {
    fn map<U>(self, make: impl Fn(T) -> U) -> Page<U> {
        Page { rows: self.rows.into_iter().map(make).collect(), total: self.total }
    }
}

#[derive(Debug, Row, Deserialize)]
struct FlowSum {
    src: String,
    sport: u16,
    dst: String,
    dport: u16,
    l4: String,
    vlan: Option<u16>,
    dst_qp: Option<u32>,
    link: String,
    packets: u64,
    bytes: u64,
    first_ns: u64,
    last_ns: u64,
    retransmitted: u64,
    ce_packets: u64,
    app: String,
    engine: String,
    confidence: f32,
    host_name: Option<String>,
    attrs: Vec<(String, String)>,
    rtt: Histogram,
    total: u64,
}

impl Counted for FlowSum {
    fn total(&self) -> u64 {
        self.total
    }
}

const FLOW_COLUMNS: &str = "src, sport, dst, dport, l4, vlan, dst_qp, link, packets, bytes, first_ns, last_ns, retransmitted, \
                            ce_packets, app, engine, confidence, host_name, attrs, rtt";
const FLOW_TEXT: &str = "lowerUTF8(concat(src, ' ', toString(sport), ' ', dst, ' ', toString(dport), ' ', l4, ' ', \
                         ifNull(toString(dst_qp), ''), ' ', app, ' ', ifNull(host_name, ''), ' ', link))";

fn flow_sums(window: &str) -> String {
    format!(
        "SELECT x.src AS src, x.dst AS dst, x.key_sport AS key_sport, x.dport AS dport, x.protocol AS protocol, \
         x.dst_qp AS dst_qp, any(x.l4) AS l4, argMax((x.sport, x.link), {NEWEST}) AS newest, newest.1 AS sport, newest.2 AS link, \
         argMax((x.app, x.engine, x.confidence), (x.app != '', {NEWEST})) AS named, named.1 AS app, named.2 AS engine, \
         named.3 AS confidence, argMax(x.vlan, {NEWEST}) AS vlan, argMax(x.host_name, {NEWEST}) AS host_name, argMaxIf(x.attrs, {NEWEST}, notEmpty(x.attrs)) AS attrs, \
         minIf(x.first_ns, x.first_ns > 0) AS first_ns, max(x.last_ns) AS last_ns, {}, sumMap(x.rtt_buckets, x.rtt_counts) AS rtt \
         FROM flows AS x WHERE {window} GROUP BY x.src, x.dst, x.key_sport, x.dport, x.protocol, x.dst_qp",
        sums("x", &["packets", "bytes", "retransmitted", "ce_packets"])
    )
}

/// Flows.
pub async fn flows(connection: &Connection, query: &Query) -> Result<Page<Flow>, StoreError> {
    let column = sort_column(query, FLOW_SORTS)?;
    let window = within("x", query.window, longest_tick(connection).await?);
    let from = format!("({}) WHERE {}", flow_sums(&window), filter(query, FLOW_TEXT, "app"));
    let order = format!("{}, src, dst, key_sport, dport, protocol, dst_qp ASC NULLS FIRST", order(column, query));
    let page: Page<FlowSum> = page(connection, FLOW_COLUMNS, &from, &order, query).await?;
    Ok(page.map(flow))
}

fn flow(sum: FlowSum) -> Flow {
    Flow {
        src: sum.src,
        sport: sum.sport,
        dst: sum.dst,
        dport: sum.dport,
        l4: sum.l4,
        vlan: sum.vlan,
        dst_qp: sum.dst_qp,
        link: sum.link,
        packets: sum.packets,
        bytes: sum.bytes,
        first_ns: sum.first_ns,
        last_ns: sum.last_ns,
        retransmitted: sum.retransmitted,
        ce_packets: sum.ce_packets,
        app: Some(sum.app).filter(|app| !app.is_empty()),
        engine: sum.engine,
        confidence: sum.confidence,
        host_name: sum.host_name,
        attrs: sum.attrs.into_iter().collect(),
        rtt_ns: histogram(sum.rtt).quantiles(),
        ..Flow::default()
    }
}

#[derive(Debug, Row, Deserialize)]
struct QpSum {
    src: String,
    dst: String,
    dst_qp: u32,
    src_qp: Option<u32>,
    paired_by: String,
    transport: String,
    service: Option<String>,
    link: String,
    packets: u64,
    copies: u64,
    messages: u64,
    message_bytes: u64,
    opcodes: (Vec<u8>, Vec<u64>),
    psn_gaps: u64,
    retransmitted: u64,
    inversions: u64,
    nak_sequence: u64,
    nak_invalid_request: u64,
    nak_remote_access: u64,
    nak_remote_operation: u64,
    rnr: u64,
    timeouts: u64,
    ce_packets: u64,
    cnp_packets: u64,
    icrc_bad: u64,
    icrc_checked: u64,
    lost_before_tap: u64,
    lost_after_tap: u64,
    rtt: Histogram,
    first_ns: u64,
    last_ns: u64,
    total: u64,
}

impl Counted for QpSum {
    fn total(&self) -> u64 {
        self.total
    }
}

const QP_SUMS: &[&str] = &[
    "packets",
    "copies",
    "messages",
    "message_bytes",
    "psn_gaps",
    "retransmitted",
    "inversions",
    "nak_sequence",
    "nak_invalid_request",
    "nak_remote_access",
    "nak_remote_operation",
    "rnr",
    "timeouts",
    "ce_packets",
    "cnp_packets",
    "icrc_bad",
    "icrc_checked",
    "lost_before_tap",
    "lost_after_tap",
];
const QP_NAMES: &str = "src, dst, dst_qp, src_qp, paired_by, transport, service, link, opcodes, rtt, first_ns, last_ns";
const QP_TEXT: &str = "lowerUTF8(concat(src, ' ', dst, ' ', toString(dst_qp), ' ', ifNull(toString(src_qp), ''), ' ', transport, ' ', \
                       ifNull(service, ''), ' ', link))";

fn qp_sums(window: &str) -> String {
    format!(
        "SELECT x.src AS src, x.dst AS dst, x.dst_qp AS dst_qp, argMax((x.transport, x.link), {NEWEST}) AS newest, \
         newest.1 AS transport, newest.2 AS link, \
         argMax((x.src_qp, x.paired_by), (isNotNull(x.src_qp), {NEWEST})) AS paired, paired.1 AS src_qp, paired.2 AS paired_by, \
         argMax(x.service, {NEWEST}) AS service, minIf(x.first_ns, x.first_ns > 0) AS first_ns, max(x.last_ns) AS last_ns, \
         {}, nak_sequence + nak_invalid_request + nak_remote_access + nak_remote_operation AS nak, \
         sumMap(x.opcodes, x.opcode_counts) AS opcodes, sumMap(x.rtt_buckets, x.rtt_counts) AS rtt \
         FROM qps AS x WHERE {window} GROUP BY x.src, x.dst, x.dst_qp",
        sums("x", QP_SUMS)
    )
}

/// Queue pairs.
pub async fn qps(connection: &Connection, query: &Query) -> Result<Page<Qp>, StoreError> {
    let column = sort_column(query, QP_SORTS)?;
    let window = within("x", query.window, longest_tick(connection).await?);
    let from = format!("({}) WHERE {}", qp_sums(&window), filter(query, QP_TEXT, "service"));
    let columns = format!("{QP_NAMES}, {}", QP_SUMS.join(", "));
    let order = format!("{}, src, dst, dst_qp", order(column, query));
    let page: Page<QpSum> = page(connection, &columns, &from, &order, query).await?;
    Ok(page.map(qp))
}

fn qp(sum: QpSum) -> Qp {
    let nak = Naks {
        sequence: sum.nak_sequence,
        invalid_request: sum.nak_invalid_request,
        remote_access: sum.nak_remote_access,
        remote_operation: sum.nak_remote_operation,
    };
    Qp {
        src: sum.src,
        dst: sum.dst,
        dst_qp: sum.dst_qp,
        src_qp: sum.src_qp,
        paired_by: sum.paired_by,
        transport: sum.transport,
        service: sum.service,
        link: sum.link,
        packets: sum.packets,
        copies: sum.copies,
        messages: sum.messages,
        message_bytes: sum.message_bytes,
        opcodes: sum.opcodes.0.into_iter().map(opcode).zip(sum.opcodes.1).collect(),
        psn_gaps: sum.psn_gaps,
        retransmitted: sum.retransmitted,
        inversions: sum.inversions,
        nak,
        rnr: sum.rnr,
        timeouts: sum.timeouts,
        ce_packets: sum.ce_packets,
        cnp_packets: sum.cnp_packets,
        icrc_bad: sum.icrc_bad,
        icrc_checked: sum.icrc_checked,
        lost_before_tap: sum.lost_before_tap,
        lost_after_tap: sum.lost_after_tap,
        rtt_ns: histogram(sum.rtt).quantiles(),
        job: None,
        first_ns: sum.first_ns,
        last_ns: sum.last_ns,
    }
}

#[derive(Debug, Row, Deserialize)]
struct FindingBody {
    body: String,
    total: u64,
}

impl Counted for FindingBody {
    fn total(&self) -> u64 {
        self.total
    }
}

/// Findings.
pub async fn findings(connection: &Connection, query: &Query) -> Result<Page<Finding>, StoreError> {
    let column = sort_column(query, FINDING_SORTS)?;
    let (from_ns, to_ns) = (query.window.from_ns, query.window.to_ns);
    let from = format!(
        "(SELECT * FROM findings AS f WHERE f.since_ns < {to_ns} AND (isNull(f.until_ns) OR f.until_ns >= {from_ns})) WHERE {}",
        filter(query, "searched", "kind")
    );
    let order = format!("{}, since_ns, sensor, run, id", order(column, query));
    let page: Page<FindingBody> = page(connection, "body", &from, &order, query).await?;
    let rows = page.rows.iter().map(|row| {
        serde_json::from_str(&row.body).map_err(|why| {
            StoreError::Never(format!("a finding in the database is not in the form of the report: {why}"))
        })
    });
    Ok(Page { rows: rows.collect::<Result<_, _>>()?, total: page.total })
}

/// Jobs with a step in the window, the newest last.
pub async fn jobs(connection: &Connection, window: Window) -> Result<Vec<Job>, StoreError> {
    let select = format!(
        "SELECT body FROM (SELECT * FROM jobs AS j WHERE j.since_ns < {} AND j.until_ns >= {} \
         ORDER BY until_ns DESC, sensor DESC, run DESC, id DESC LIMIT {MAX_ROWS}) ORDER BY until_ns, sensor, run, id",
        window.to_ns, window.from_ns
    );
    let bodies: Vec<String> = connection.select(&select).await?;
    let job = |body: &String| {
        serde_json::from_str(body)
            .map_err(|why| StoreError::Never(format!("a job in the database is not in the form of the report: {why}")))
    };
    bodies.iter().map(job).collect()
}
