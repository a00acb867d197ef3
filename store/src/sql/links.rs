//! Links over a window, and one link over time.

use std::collections::{BTreeMap, HashMap};

use analyzer::report::{Link, LinkMirror};
use analyzer::tick::LinkTick;
use clickhouse::Row;
use serde::Deserialize;

use super::connection::Connection;
use super::sums::{LinkSum, link_sums};
use super::text::literal;
use crate::sums::{self, Axis, Beside};
use crate::{LinkRow, Series, StoreError, Window};

/// Ticks of a window: how long they are.
#[derive(Clone, Copy, Debug, Row, Deserialize)]
struct Lengths {
    ticks: u64,
    shortest_ns: u64,
    longest_ns: u64,
}

/// Length of a tick. A difference of unsigned numbers is signed there: the same bits, taken back.
const LENGTH: &str = "toUInt64(if(t.end_ns > t.start_ns, t.end_ns - t.start_ns, 0))";

/// Rows of ticks that touch the window; `longest_ns` bounds how long before it such a tick may begin, for the primary key.
pub fn within(table: &str, window: Window, longest_ns: u64) -> String {
    let Window { from_ns, to_ns } = window;
    let earliest = from_ns.saturating_sub(longest_ns);
    format!("{table}.start_ns < {to_ns} AND {table}.end_ns > {from_ns} AND {table}.start_ns >= {earliest}")
}

/// Longest tick that was ever written; bounds the search for ticks that touch a window.
pub async fn longest_tick(connection: &Connection) -> Result<u64, StoreError> {
    let longest = format!("SELECT max({LENGTH}) FROM ticks AS t SETTINGS final = 0");
    Ok(connection.select::<u64>(&longest).await?.into_iter().max().unwrap_or_default())
}

async fn axis(connection: &Connection, window: Window, steps: u32) -> Result<(Axis, u64), StoreError> {
    let longest_ns = longest_tick(connection).await?;
    let select = format!(
        "SELECT count() AS ticks, min(intDiv({LENGTH}, toUInt64(t.widened) + 1)) AS shortest_ns, \
         max({LENGTH}) AS longest_ns FROM ticks AS t WHERE {}",
        within("t", window, longest_ns)
    );
    let lengths = connection.select::<Lengths>(&select).await?.into_iter().find(|l| l.ticks > 0);
    let (tick_ns, longest) = lengths.map_or((1, 0), |l| (l.shortest_ns, l.longest_ns));
    Ok((Axis::new(window, steps, tick_ns, longest), longest_ns))
}

/// The step that a tick belongs to, as [`Axis::step_of`].
fn step(axis: &Axis) -> String {
    let (start, step, last) = (axis.start_ns, axis.step_ns, axis.len.saturating_sub(1));
    format!(
        "least(intDiv(toUInt64(if(m.start_ns > {start}, m.start_ns - {start}, 0)), toUInt64({step})), toUInt64({last}))"
    )
}

async fn strip(connection: &Connection, axis: &Axis, filter: &str) -> Result<Vec<LinkSum>, StoreError> {
    let select = format!(
        "SELECT m.link AS link, {} AS step, {} FROM link_metrics AS m WHERE {filter} GROUP BY link, step ORDER BY link, step",
        step(axis),
        link_sums()
    );
    connection.select(&select).await
}

/// Every link known in the window.
pub async fn rows(connection: &Connection, window: Window, steps: u32) -> Result<Vec<LinkRow>, StoreError> {
    let (axis, longest_ns) = axis(connection, window, steps).await?;
    let known = known(connection, window, longest_ns).await?;
    let flows = flows(connection, window, longest_ns).await?;
    let mut strips: HashMap<String, Vec<Option<LinkTick>>> = HashMap::new();
    let mut totals: HashMap<String, LinkTick> = HashMap::new();
    for sum in strip(connection, &axis, &within("m", window, longest_ns)).await? {
        let (link, at) = (sum.link.clone(), sum.step as usize);
        let tick = sum.tick();
        sums::add(totals.entry(link.clone()).or_default(), &tick);
        if let Some(step) = strips.entry(link).or_insert_with(|| axis.empty()).get_mut(at) {
            *step = Some(tick);
        }
    }
    let row = |(id, (link, pfc_seen)): (String, (Link, bool))| {
        let strip = strips.remove(&id).unwrap_or_else(|| axis.empty());
        let beside = Beside { pfc_seen, flows: flows.get(&id).copied().unwrap_or_default() };
        LinkRow {
            link: sums::link(link, &totals.remove(&id).unwrap_or_default(), beside),
            bps: sums::bps(&axis, &strip),
            max_bps_100us: sums::max_bps_100us(&strip),
            ce_share: sums::ce_share(&strip),
        }
    };
    Ok(known.into_iter().map(row).collect())
}

/// What a link is.
#[derive(Debug, Row, Deserialize)]
struct Identity {
    link: String,
    name: String,
    from_node: String,
    to_node: String,
    speed_bps: Option<u64>,
    mirror_kind: String,
    mirror_session: Option<u32>,
    mirror_vlan: Option<u16>,
    mirror_port: Option<u32>,
    mirror_source: Option<String>,
    tap: String,
    pfc_seen: bool,
}

/// The mirror that shows a link, as part of a key.
const MIRROR: &str = "l.tap, l.mirror_kind, l.mirror_session, l.mirror_vlan, l.mirror_port, l.mirror_source";
/// Its parts, in a form that compares where some are absent.
const MIRROR_TEXT: &str =
    "toString((l.tap, l.mirror_kind, l.mirror_session, l.mirror_vlan, l.mirror_port, l.mirror_source))";

/// Links by id: identity, and whether their mirror ever showed PFC (one frame on any of its links proves it).
async fn known(
    connection: &Connection,
    window: Window,
    longest_ns: u64,
) -> Result<BTreeMap<String, (Link, bool)>, StoreError> {
    let seen = format!("SELECT {MIRROR_TEXT} FROM links AS l WHERE l.pfc_seen");
    let runs = format!(
        "SELECT t.sensor AS sensor, t.run AS run, max(t.sequence) AS newest, max(t.start_ns) AS newest_ns FROM ticks AS t \
         WHERE {} GROUP BY t.sensor, t.run",
        within("t", window, longest_ns)
    );
    let select = format!(
        "SELECT l.link AS link, argMax((l.name, l.from_node, l.to_node, l.speed_bps, {MIRROR}, \
         {MIRROR_TEXT} IN ({seen})), (r.newest_ns, r.newest, l.sensor, l.run, l.sequence)) AS newest, \
         newest.1 AS name, newest.2 AS from_node, newest.3 AS to_node, newest.4 AS speed_bps, newest.5 AS tap, \
         newest.6 AS mirror_kind, newest.7 AS mirror_session, newest.8 AS mirror_vlan, newest.9 AS mirror_port, \
         newest.10 AS mirror_source, toBool(newest.11) AS pfc_seen \
         FROM links AS l INNER JOIN ({runs}) AS r ON l.sensor = r.sensor AND l.run = r.run \
         WHERE l.sequence <= r.newest GROUP BY l.link"
    );
    let select = format!(
        "SELECT link, name, from_node, to_node, speed_bps, mirror_kind, mirror_session, mirror_vlan, mirror_port, \
         mirror_source, tap, pfc_seen FROM ({select}) ORDER BY link"
    );
    let rows: Vec<Identity> = connection.select(&select).await?;
    Ok(rows.into_iter().map(|row| (row.link.clone(), identity(row))).collect())
}

fn identity(row: Identity) -> (Link, bool) {
    let mirror = LinkMirror {
        kind: row.mirror_kind,
        session: row.mirror_session,
        vlan: row.mirror_vlan,
        port: row.mirror_port,
        direction: None,
        source: row.mirror_source,
        tap: row.tap,
    };
    let link = Link {
        id: row.link,
        name: row.name,
        from: row.from_node,
        to: row.to_node,
        speed_bps: row.speed_bps,
        mirror,
        ..Link::default()
    };
    (link, row.pfc_seen)
}

/// Flows per link id.
async fn flows(connection: &Connection, window: Window, longest_ns: u64) -> Result<HashMap<String, u64>, StoreError> {
    #[derive(Row, Deserialize)]
    struct Count {
        link: String,
        flows: u64,
    }
    let select = format!(
        "SELECT f.link AS link, uniqExact((f.src, f.dst, f.key_sport, f.dport, f.protocol, ifNull(toInt64(f.dst_qp), -1))) AS flows \
         FROM flows AS f WHERE {} GROUP BY f.link",
        within("f", window, longest_ns)
    );
    let rows: Vec<Count> = connection.select(&select).await?;
    Ok(rows.into_iter().map(|row| (row.link, row.flows)).collect())
}

/// One link on a time axis.
pub async fn series(
    connection: &Connection,
    link: &str,
    window: Window,
    steps: u32,
) -> Result<Option<Series>, StoreError> {
    let id = literal(link);
    let seen = format!("SELECT {MIRROR_TEXT} FROM links AS l WHERE l.pfc_seen");
    let select = format!(
        "SELECT max(isNotNull(l.speed_bps) AND {MIRROR_TEXT} IN ({seen})) AS known FROM links AS l WHERE l.link = {id} HAVING count() > 0"
    );
    let Some(pauses_known) = connection.select::<u8>(&select).await?.into_iter().max() else { return Ok(None) };
    let (axis, longest_ns) = axis(connection, window, steps).await?;
    let filter = format!("m.link = {id} AND {}", within("m", window, longest_ns));
    let mut steps = axis.empty();
    for sum in strip(connection, &axis, &filter).await? {
        let at = sum.step as usize;
        if let Some(step) = steps.get_mut(at) {
            *step = Some(sum.tick());
        }
    }
    Ok(Some(sums::series(&axis, &steps, pauses_known > 0)))
}
