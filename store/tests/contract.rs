//! One contract, every store.

// Tests may stop on what they did not expect.
#![allow(clippy::unwrap_used, clippy::panic)]

mod contract_facts;
mod with_server;

use std::sync::Arc;

use contract_facts::{TICK_NS, facts, query, window};
use store::{ClickHouse, Memory, Store};

/// Everything a store promises; `name` says which store broke it.
async fn keeps_the_contract(store: Arc<dyn Store>, name: &str) {
    let all: Vec<_> = (0..6).map(facts).collect();
    assert_eq!(store.extent().await.unwrap().first_ns, None, "{name}: empty before the first write");
    store.write(&all[..4]).await.unwrap();
    store.write(&all[2..]).await.unwrap();
    let before = snapshot(&*store).await;
    store.write(&all).await.unwrap();
    assert_eq!(before, snapshot(&*store).await, "{name}: writing the same facts again changes nothing");
    totals(&*store, name).await;
    steps(&*store, name).await;
    pages(&*store, name).await;
    findings(&*store, name).await;
    jobs(&*store, name).await;
}

async fn jobs(store: &dyn Store, name: &str) {
    // Told by ticks 0, 2 and 4: the newest stays, also when an older tick is written again.
    assert_eq!(store.jobs(window(4, 6)).await.unwrap(), [contract_facts::job(4)], "{name}");
    assert_eq!(store.jobs(window(0, 1)).await.unwrap().len(), 1, "{name}: it had a step there");
    assert_eq!(store.jobs(window(5, 9)).await.unwrap(), [], "{name}: no step any more");
}

async fn snapshot(store: &dyn Store) -> String {
    let all = window(0, 6);
    format!(
        "{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}",
        store.extent().await.unwrap(),
        store.links(all, 3).await.unwrap(),
        store.series("a>b", all, 6).await.unwrap(),
        store.flows(&query(all, "bytes")).await.unwrap(),
        store.qps(&query(all, "packets")).await.unwrap(),
        store.findings(&query(all, "since_ns")).await.unwrap(),
        store.jobs(all).await.unwrap(),
    )
}

async fn totals(store: &dyn Store, name: &str) {
    let extent = store.extent().await.unwrap();
    assert_eq!((extent.first_ns, extent.last_ns), (Some(window(0, 6).from_ns), Some(window(0, 6).to_ns)), "{name}");
    assert_eq!(extent.sensors, ["s1"], "{name}");
    assert_eq!(store.looked(window(1, 9)).await.unwrap(), [window(1, 6)], "{name}");
    let links = store.links(window(1, 4), 3).await.unwrap();
    assert_eq!(links.iter().map(|l| l.link.id.as_str()).collect::<Vec<_>>(), ["a>b", "b>a"], "{name}");
    let (busy, idle) = (&links[0], &links[1]);
    // Ticks 1, 2, 3 carry 1000 * (1 + n) bytes in 10 * (1 + n) packets.
    assert_eq!((busy.link.packets, busy.link.bytes), (20 + 30 + 40, 9_000), "{name}");
    assert_eq!(busy.link.speed_bps, Some(100_000_000_000), "{name}");
    assert_eq!((busy.link.flows, busy.link.pfc.visible.as_str()), (2, "yes"), "{name}");
    assert_eq!(busy.link.pfc.paused_ns.unwrap()[3], 3 * 1_000, "{name}");
    let rtt = busy.link.rtt_ns.unwrap();
    assert_eq!((rtt.count, rtt.p50, rtt.max), (300, 5_023, 9_023), "{name}");
    assert_eq!(busy.link.roce.as_ref().unwrap().retransmitted, 6, "{name}");
    assert_eq!(busy.bps.len(), 3, "{name}");
    assert_eq!((idle.link.packets, idle.link.pfc.visible.as_str()), (0, "unknown"), "{name}");
    assert_eq!(idle.bps, [None, None, None], "{name}: idle is not zero");
}

async fn steps(store: &dyn Store, name: &str) {
    assert!(store.series("no such link", window(0, 6), 6).await.unwrap().is_none(), "{name}");
    let series = store.series("a>b", window(0, 6), 3).await.unwrap().unwrap();
    assert_eq!(
        (series.start_ns, series.step_ns, series.tick_ns),
        (window(0, 6).from_ns, 2 * TICK_NS, TICK_NS),
        "{name}"
    );
    assert_eq!(series.packets, [Some(30.0), Some(70.0), Some(110.0)], "{name}");
    assert_eq!(series.bps, [Some(3_000.0 * 40.0), Some(7_000.0 * 40.0), Some(11_000.0 * 40.0)], "{name}");
    assert_eq!(series.ce_share, [Some(0.1), Some(0.1), Some(0.1)], "{name}");
    assert_eq!(series.rtt_count, [Some(200.0), Some(200.0), Some(200.0)], "{name}");
    assert_eq!(series.rtt_p99[0], Some(9_023.0), "{name}");
    assert_eq!(series.paused_share[0], Some(2_000.0 / (2 * TICK_NS) as f64), "{name}");
    let fine = store.series("b>a", window(0, 6), 6).await.unwrap().unwrap();
    assert_eq!(fine.packets, [None, None, None, None, None, Some(1.0)], "{name}");
    assert!(fine.paused_share.iter().all(Option::is_none), "{name}: PFC never seen there");
}

async fn pages(store: &dyn Store, name: &str) {
    let all = window(0, 6);
    let flows = store.flows(&query(all, "bytes")).await.unwrap();
    assert_eq!((flows.total, flows.rows.len()), (2, 2), "{name}");
    let tls = &flows.rows[0];
    assert_eq!((tls.src.as_str(), tls.l4.as_str(), tls.dport, tls.bytes), ("10.0.0.1", "tcp", 443, 6 * 700), "{name}");
    assert_eq!(
        (tls.app.as_deref(), tls.host_name.as_deref()),
        (Some("tls"), Some("a.example")),
        "{name}: once named, named"
    );
    assert_eq!(tls.attrs["sni"], "a.example", "{name}");
    assert_eq!((tls.engine.as_str(), tls.confidence), ("dpi", 0.5), "{name}");
    let mut one = query(all, "src");
    one.search = "A.EXAMPLE".to_owned();
    assert_eq!(store.flows(&one).await.unwrap().total, 1, "{name}: search");
    one.search = String::new();
    (one.offset, one.limit) = (1, 1);
    let second = store.flows(&one).await.unwrap();
    assert_eq!((second.total, second.rows[0].src.as_str()), (2, "10.0.0.1"), "{name}: second page");
    one.offset = 7;
    let beyond = store.flows(&one).await.unwrap();
    assert_eq!((beyond.total, beyond.rows.len()), (2, 0), "{name}: beyond the last page");
    one.sort = "bytes; DROP TABLE flows".to_owned();
    assert!(store.flows(&one).await.is_err(), "{name}: unknown column");
    let mut app = query(all, "bytes");
    app.name = Some("roce".to_owned());
    assert_eq!(store.flows(&app).await.unwrap().rows[0].dst_qp, Some(17), "{name}");
    let qps = store.qps(&query(all, "nak")).await.unwrap();
    let qp = &qps.rows[0];
    assert_eq!((qps.total, qp.dst_qp, qp.src_qp, qp.packets, qp.copies), (1, 17, Some(18), 60, 6), "{name}");
    assert_eq!((qp.opcodes["RC_WRITE_ONLY"], qp.opcodes["RC_ACK"], qp.nak.remote_access), (60, 6, 6), "{name}");
    assert_eq!((qp.service.as_deref(), qp.rtt_ns.unwrap().count), (Some("nvme-rdma"), 6), "{name}");
}

async fn findings(store: &dyn Store, name: &str) {
    let all = store.findings(&query(window(0, 6), "since_ns")).await.unwrap();
    assert_eq!(all.total, 2, "{name}");
    let closed = all.rows.iter().find(|f| f.kind == "loss").unwrap();
    assert_eq!((closed.value, closed.until_ns), (5.0, Some(window(5, 6).from_ns)), "{name}: newest state");
    assert_eq!(closed.evidence.numbers["lost_packets"], 5.0, "{name}");
    let early = store.findings(&query(window(0, 1), "since_ns")).await.unwrap();
    assert_eq!(early.rows.iter().map(|f| f.kind.as_str()).collect::<Vec<_>>(), ["incast"], "{name}");
    let mut loss = query(window(0, 6), "severity");
    loss.name = Some("loss".to_owned());
    loss.link = Some("a>b".to_owned());
    assert_eq!(store.findings(&loss).await.unwrap().total, 1, "{name}");
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    keeps_the_contract(Arc::new(Memory::new(1_000)), "memory").await;
}

#[tokio::test]
async fn memory_drops_the_oldest_and_counts() {
    // A tick of these has 5 rows.
    let store = Memory::new(13);
    let all: Vec<_> = (0..4).map(facts).collect();
    store.write(&all).await.unwrap();
    store.write(&all).await.unwrap();
    assert_eq!(store.extent().await.unwrap().first_ns, Some(window(2, 4).from_ns));
    assert_eq!(store.dropped_rows(), 10);
}

#[tokio::test]
async fn clickhouse_keeps_the_contract() {
    let Some(server) = with_server::server() else { return };
    let store = ClickHouse::open(&server.url("contract"), None).await.unwrap();
    keeps_the_contract(Arc::new(store), "ClickHouse").await;
}
