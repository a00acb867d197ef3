//! A real server of our own: starts, is refused twice, is killed and comes back, keeps exact numbers.

// Tests may stop on what they did not expect.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

mod contract_facts;
mod with_server;

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clickhouse::Client;
use contract_facts::{facts, query, window};
use store::{ClickHouse, Facts, Fullness, OpenOptions, Retention, Store, StoreError, StoreWriter, WriterOptions};
use with_server::{library, options, server};

/// A client for what the store's own interface does not tell.
fn client(url: &str) -> Client {
    let (login, place) = url.strip_prefix("http://").unwrap().split_once('@').unwrap();
    let ((user, password), (host, database)) = (login.split_once(':').unwrap(), place.split_once('/').unwrap());
    let client = Client::default().with_url(format!("http://{host}")).with_user(user).with_password(password);
    client.with_database(database)
}

async fn count(client: &Client, select: &str) -> u64 {
    client.query_raw(select).fetch_one().await.unwrap()
}

async fn bytes_of_flows(store: &dyn Store) -> u64 {
    store.flows(&query(window(0, 1_000_000), "bytes")).await.unwrap().rows.iter().map(|flow| flow.bytes).sum()
}

#[tokio::test]
async fn killed_in_mid_run_it_comes_back_and_nothing_is_lost_or_doubled() {
    let Some(library) = library() else { return };
    let options = options(library, "killed");
    let dir = options.dir.clone();
    let store = Arc::new(ClickHouse::embedded(options.clone(), None).await.unwrap());
    assert!(store.describe().contains("embedded"), "{}", store.describe());

    let refused = ClickHouse::embedded(options.clone(), None).await.err().unwrap().to_string();
    let own = format!("process {}", std::process::id());
    assert!(refused.contains(&own) && refused.contains(dir.to_str().unwrap()), "{refused}");

    let writing = WriterOptions { batch_rows: 40, ..WriterOptions::new(Fullness::Block) };
    let writer = StoreWriter::start(store.clone(), writing).unwrap();
    for n in 0..100 {
        if n == 50 {
            let id = store.server().unwrap().process_id().unwrap();
            assert!(Command::new("kill").args(["-9", &id.to_string()]).status().unwrap().success());
        }
        writer.send_async(facts(n)).await;
    }
    let counters = writer.finish().await;
    assert_eq!((counters.written, counters.is_whole()), (100, true), "{counters:?}");
    assert_eq!(store.server().unwrap().restarts(), 1);
    assert_eq!(bytes_of_flows(&*store).await, 100 * (700 + 300));

    store.close().await.unwrap();
    assert_eq!(store.server().unwrap().process_id(), None);
    assert!(matches!(store.extent().await, Err(StoreError::Retry(_))), "stopped");
    drop(store);
    let again = ClickHouse::embedded(options, None).await.unwrap();
    assert_eq!(bytes_of_flows(&again).await, 100 * (700 + 300), "what was written is there after a stop and a start");
    again.close().await.unwrap();
    std::fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn a_live_sensor_spools_while_the_server_is_away() {
    let Some(library) = library() else { return };
    let options = options(library, "outage");
    let dir = options.dir.clone();
    let store = Arc::new(ClickHouse::embedded(options.clone(), None).await.unwrap());
    let spool = Fullness::Spool { dir: dir.join("spool"), max_bytes: 1 << 24 };
    let writing = WriterOptions { batch_rows: 20, ..WriterOptions::new(spool) };
    let writer = StoreWriter::start(store.clone(), writing.clone()).unwrap();
    for n in 0..60 {
        if n == 20 {
            writer.flush().await;
            store.close().await.unwrap();
        }
        writer.send_async(facts(n)).await;
    }
    let counters = writer.finish().await;
    assert_eq!((counters.written + counters.spooled, counters.is_whole()), (60, true), "{counters:?}");
    assert!(counters.spooled >= 40, "{counters:?}");
    drop(store);

    let store = Arc::new(ClickHouse::embedded(options, None).await.unwrap());
    let writer = StoreWriter::start(store.clone(), writing).unwrap();
    while writer.counters().spooled > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    writer.finish().await;
    assert_eq!(bytes_of_flows(&*store).await, 60 * (700 + 300));
    store.close().await.unwrap();
    std::fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn the_same_rows_are_kept_once_even_before_a_merge() {
    let Some(server) = server() else { return };
    let url = server.url("resend");
    let (one, other) = (ClickHouse::open(&url, None).await, ClickHouse::open(&url, None).await);
    let all: Vec<Facts> = (0..50).map(facts).collect();
    one.unwrap().write(&all).await.unwrap();
    // Another process sends the same block: it has the same token.
    other.unwrap().write(&all).await.unwrap();
    assert_eq!(count(&client(&url), "SELECT count() FROM flows").await, 100);
}

#[tokio::test]
async fn a_large_batch_is_one_part_and_numbers_are_exact() {
    let Some(server) = server() else { return };
    let url = server.url("exact");
    let store = ClickHouse::open(&url, None).await.unwrap();
    let mut first = facts(0);
    let tick = Arc::make_mut(&mut first.tick);
    let flow = tick.flows[0].clone();
    for n in 0..40_000u32 {
        let mut more = flow.clone();
        more.key.src = analyzer::packet::Addr::v4(n.to_be_bytes());
        tick.flows.push(more);
    }
    tick.links[0].bytes = u64::MAX;
    tick.links[0].last_ns = u64::MAX - 1;
    tick.flows[0].packets = (1 << 53) + 1;
    store.write(&[first]).await.unwrap();
    let client = client(&url);
    assert_eq!(
        count(&client, "SELECT max(rows) FROM system.parts WHERE database = 'exact' AND table = 'flows'").await,
        40_002
    );
    let links = store.links(window(0, 1), 1).await.unwrap();
    assert_eq!((links[0].link.bytes, links[0].link.last_ns), (u64::MAX, u64::MAX - 1));
    let flows = store.flows(&query(window(0, 1), "packets")).await.unwrap();
    assert_eq!((flows.total, flows.rows[0].packets), (40_002, (1 << 53) + 1));
}

#[tokio::test]
async fn retention_counts_from_ingestion_and_may_be_changed() {
    let Some(server) = server() else { return };
    let url = server.url("retained");
    let store = ClickHouse::open(&url, None).await.unwrap();
    // A capture of years ago, as the facts of the contract are.
    let age =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64 - window(0, 1).from_ns;
    assert!(age > 7 * 86_400_000_000_000, "the test's capture is old");
    store.write(&(0..6).map(facts).collect::<Vec<_>>()).await.unwrap();
    let client = client(&url);
    for table in ["flows", "link_metrics", "ticks"] {
        client.query_raw(&format!("OPTIMIZE TABLE {table} FINAL")).execute().await.unwrap();
    }
    assert_eq!(bytes_of_flows(&store).await, 6 * 1_000, "it did not expire on arrival");

    ClickHouse::open(&url, Some(Retention { flows_days: 3, metrics_days: 0, findings_days: 400 })).await.unwrap();
    let has = |table: &str, text: &str| {
        format!(
            "SELECT count() FROM system.tables WHERE database = 'retained' AND name = '{table}' AND engine_full LIKE '%{text}%'"
        )
    };
    // Who only looks changes nothing.
    ClickHouse::open(&url, None).await.unwrap();
    assert_eq!(count(&client, &has("flows", "TTL ingested + toIntervalDay(3)")).await, 1);
    assert_eq!(count(&client, &has("ticks", "TTL")).await, 0);
    assert_eq!(count(&client, &has("links", "TTL ingested + toIntervalDay(400)")).await, 1);
    // Rows that came four days ago go, though the packets in them are of the next day: the clock that counts is that of arrival.
    let replaced = "now('UTC') - 4 * 86400 AS ingested, start_ns + 86400000000000 AS start_ns";
    client.query_raw(&format!("INSERT INTO flows SELECT * REPLACE({replaced}) FROM flows")).execute().await.unwrap();
    client.query_raw("OPTIMIZE TABLE flows FINAL").execute().await.unwrap();
    assert_eq!(count(&client, "SELECT count() FROM flows").await, 12);
}

#[tokio::test]
async fn a_newer_schema_and_wrong_passwords_are_refused_in_words() {
    let Some(server) = server() else { return };
    let url = server.url("newer");
    ClickHouse::open(&url, None).await.unwrap();
    ClickHouse::open(&url, None).await.expect("migrations may be met again");
    client(&url)
        .query_raw("INSERT INTO schema_version (version, note) VALUES (99, 'of the future')")
        .execute()
        .await
        .unwrap();
    let refused = store::open(&url, OpenOptions::default()).await.err().unwrap().to_string();
    assert!(refused.contains("schema version 99") && refused.contains("newer fabricscope"), "{refused}");

    let (login, place) = url.split_once('@').unwrap();
    let password = login.rsplit_once(':').unwrap().1;
    assert!(!refused.contains(password), "the password is not repeated");
    let wrong =
        store::open(&format!("http://fabricscope:hunter2@{place}"), OpenOptions::default()).await.err().unwrap();
    let said = wrong.to_string();
    assert!(matches!(wrong, StoreError::Never(_)) && said.contains("password") && !said.contains("hunter2"), "{said}");
    let nobody = store::open("http://127.0.0.1:1/x", OpenOptions::default()).await.err().unwrap().to_string();
    assert!(nobody.contains("cannot reach ClickHouse") && nobody.contains("http://127.0.0.1:1/x"), "{nobody}");
}

#[tokio::test]
async fn anyone_else_on_this_machine_may_do_nothing() {
    let Some(server) = server() else { return };
    let url = server.url("system");
    let host = url.split_once('@').unwrap().1.split_once('/').unwrap().0;
    let stranger = Client::default().with_url(format!("http://{host}"));
    for statement in [
        "SELECT count() FROM system.tables WHERE database != 'system'",
        "CREATE DATABASE theirs",
        "SELECT * FROM system.users",
    ] {
        let done = stranger.query_raw(statement).fetch_one::<u64>().await;
        assert!(matches!(&done, Err(_) | Ok(0)), "{statement}: {done:?}");
    }
    let mode = std::os::unix::fs::MetadataExt::mode(&server.dir().join("url").metadata().unwrap());
    assert_eq!(mode & 0o077, 0, "only the owner reads the address with its password");
}

#[tokio::test]
async fn every_statement_for_a_cluster_is_one_that_the_server_can_read() {
    let Some(server) = server() else { return };
    let client = client(&server.url("system"));
    let statements = store::cluster_statements("fabric`s", "my cluster", Retention::default());
    assert!(statements.len() > 15);
    for statement in &statements {
        assert!(statement.contains("ON CLUSTER `my cluster`"), "{statement}");
        let formatted: String =
            client.query("SELECT formatQuery(?)").bind(statement.as_str()).fetch_one().await.unwrap();
        assert!(formatted.contains("ON CLUSTER"), "{formatted}");
    }
    let metrics = statements.iter().find(|s| s.contains("`link_metrics`")).unwrap();
    assert!(
        metrics.contains("Distributed(`my cluster`, `fabric\\`s`, `link_metrics_local`, cityHash64(link))"),
        "{metrics}"
    );
}

#[tokio::test]
async fn what_is_no_store_is_named_with_what_would_be() {
    let spec = |spec: &'static str| store::open(spec, OpenOptions::default());
    assert!(spec("none").await.unwrap().is_none());
    assert!(spec("memory").await.unwrap().unwrap().describe().starts_with("memory"));
    assert!(spec("postgres").await.err().unwrap().to_string().contains("memory, embedded"));
}

/// The questions of docs/clickhouse.md, asked of known facts.
#[tokio::test]
async fn what_the_documentation_asks_is_answered() {
    let Some(server) = server() else { return };
    let url = server.url("documented");
    let store = ClickHouse::open(&url, None).await.unwrap();
    store.write(&(0..6).map(facts).collect::<Vec<_>>()).await.unwrap();
    let client = client(&url);
    let text = include_str!("../../docs/clickhouse.md");
    let questions: Vec<&str> = text.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(questions.len() > 4);
    let mut answers = Vec::new();
    for question in questions {
        let mut rows = client.query_raw(question).fetch_bytes("TabSeparated").unwrap();
        answers.push(String::from_utf8(rows.collect().await.unwrap().to_vec()).unwrap());
    }
    let rtt = store.links(window(0, 6), 1).await.unwrap()[0].link.rtt_ns.unwrap();
    let percentiles = format!("\t{}\t{}\n", rtt.p50, rtt.p99);
    assert!(answers.iter().any(|answer| answer.ends_with(&percentiles)), "{percentiles:?} is not in {answers:?}");
    assert_eq!(answers[0], "a->b\t12\t25\n", "repeats of a link, and their percentage");
}
