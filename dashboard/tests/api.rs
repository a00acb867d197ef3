//! The API over a memory store that holds the made-up minute: every endpoint, its limits and its errors.

// Tests may stop on what they did not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod generated;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use dashboard::{ENDPOINTS, Live, SensorInfo, TickNumbers};
use serde_json::Value;
use store::{Memory, Store};
use tower::ServiceExt;

use generated::{START_NS, TICK_NS, TICKS};

const CONGESTED: &str = "leaf0-gpu-3%3Aleaf0%3Egpu-3";

async fn served() -> Router {
    static MADE: OnceLock<generated::Made> = OnceLock::new();
    let made = MADE.get_or_init(generated::minute);
    let store = Arc::new(Memory::new(1_000_000));
    store.write(&made.facts).await.unwrap();
    let live = Live::new();
    let last = made.facts.last().unwrap();
    live.set_tick(TickNumbers::of(last.sequence, &last.tick, &last.links));
    live.set_report(Arc::new(made.report.clone()));
    live.shelf().put("rtt_inflation-1", b"frames".to_vec());
    dashboard::router(store, Some(live), SensorInfo { sensor: "bench".into(), ..SensorInfo::default() })
}

fn empty(live: Option<Live>) -> Router {
    dashboard::router(Arc::new(Memory::new(10)), live, SensorInfo::default())
}

async fn get(router: &Router, path: &str) -> (StatusCode, String) {
    let answer = router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    let status = answer.status();
    let bytes = to_bytes(answer.into_body(), 50 << 20).await.unwrap();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

async fn json(router: &Router, path: &str) -> Value {
    let (status, text) = get(router, path).await;
    assert_eq!(status, StatusCode::OK, "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn every_documented_address_answers_and_the_document_lists_each() {
    let router = served().await;
    let document = json(&router, "/api/v1/openapi.json").await;
    assert_eq!(document["openapi"], "3.1.0");
    for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.media != "text/event-stream") {
        let id = if endpoint.path.contains("findings") { "rtt_inflation-1" } else { CONGESTED };
        let (status, text) = get(&router, &endpoint.path.replace("{id}", id)).await;
        assert_eq!(status, StatusCode::OK, "{}: {text}", endpoint.path);
        assert_eq!(document["paths"][endpoint.path]["get"]["summary"], endpoint.about);
    }
}

#[tokio::test]
async fn the_window_is_what_is_held_and_moments_are_strings() {
    let router = served().await;
    let extent = json(&router, "/api/v1/extent").await;
    assert_eq!(extent["first_ns"], START_NS.to_string());
    assert_eq!(extent["last_ns"], (START_NS + TICKS * TICK_NS).to_string());
    let links = json(&router, "/api/v1/links?steps=60").await;
    assert_eq!((&links["links"], &links["active"], &links["total"]), (&16.into(), &15.into(), &16.into()));
    assert_eq!(links["rows"][0]["bps"].as_array().unwrap().len(), 60);
    assert_eq!(
        (links["start_ns"].as_str(), links["step_ns"].as_u64()),
        (Some(START_NS.to_string().as_str()), Some(1_000_000_000))
    );
    assert_eq!(links["rows"][0]["link"]["first_ns"], (START_NS + 1_000).to_string());
}

#[tokio::test]
async fn cells_say_measured_partly_idle_and_not_observed() {
    let router = served().await;
    let states = |id: &'static str| {
        let router = router.clone();
        async move {
            let links = json(&router, &format!("/api/v1/links?steps=600&search={id}")).await;
            links["rows"][0]["states"].as_str().unwrap().to_owned()
        }
    };
    let (measured, spare, blind) = (states("gpu-0").await, states("gpu-spare").await, states("gpu-9").await);
    assert_eq!(
        (&measured[99..110], &spare[199..201], &blind[199..251]),
        ("mpppppppppm", "in", format!("m{}m", "n".repeat(50)).as_str())
    );
    assert_eq!(states("gpu-6").await[479..].trim_matches('i'), "m");
}

/// The made-up minute: one link is silent for its last 12 s, one is congested for 12 s, one was seen for a moment only.
#[tokio::test]
async fn availability_adds_up_and_says_what_a_cluster_may_expect() {
    let router = served().await;
    let all = json(&router, "/api/v1/availability?parts=1000").await;
    let row = |rows: &serde_json::Value, id: &str| {
        let rows = rows["rows"].as_array().unwrap();
        rows.iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("{id} in {rows:?}")).clone()
    };
    for row in all["rows"].as_array().unwrap() {
        let ns = |name: &str| row[name].as_u64().unwrap();
        assert_eq!(ns("up_ns") + ns("degraded_ns") + ns("down_ns"), ns("observed_ns"), "{row}");
    }
    let silent = row(&all, "leaf0-gpu-6:leaf0>gpu-6");
    assert_eq!((&silent["down_ns"], &silent["failures"]), (&12_000_000_000u64.into(), &1.into()));
    assert!(silent["availability"].as_f64().unwrap() > 0.79 && silent["mtbf_ns"].is_number(), "{silent}");
    let congested = row(&all, "leaf0-gpu-3:leaf0>gpu-3");
    assert_eq!((&congested["down_ns"], &congested["mtbf_ns"]), (&0.into(), &serde_json::Value::Null));
    assert!(congested["degraded_ns"].as_u64().unwrap() >= 12_000_000_000, "{congested}");
    assert_eq!((&all["cluster"]["parts"], &all["rows"][0]["id"]), (&1000.into(), &silent["id"]));
    assert!(all["cluster"]["month_without_failure"].as_f64().unwrap() < 1e-6, "{}", all["cluster"]);
    let nodes = json(&router, "/api/v1/availability?of=nodes").await;
    assert_eq!(row(&nodes, "leaf0")["down_ns"], 0, "its other links carried on");
}

#[tokio::test]
async fn links_come_worst_first_and_by_any_column() {
    let router = served().await;
    let first = |query: &'static str| {
        let router = router.clone();
        async move { json(&router, &format!("/api/v1/links?limit=1&{query}")).await["rows"][0]["link"]["name"].clone() }
    };
    assert_eq!(first("").await, "leaf0 \u{2192} gpu-3");
    assert_eq!(first("sort=retransmitted").await, "leaf0 \u{2192} gpu-3");
    assert_eq!(first("sort=name&order=asc").await, "leaf0 \u{2192} gpu-0");
    assert_eq!(first("sort=bytes&offset=1").await, "leaf0 \u{2192} spine0");
    let worst = json(&router, "/api/v1/links?limit=1").await;
    assert_eq!((&worst["rows"][0]["worst"], &worst["rows"][0]["findings"]), (&"critical".into(), &3.into()));
}

#[tokio::test]
async fn a_series_has_its_axis_and_its_unknowns() {
    let router = served().await;
    let series = json(&router, &format!("/api/v1/links/{CONGESTED}/series?steps=600")).await;
    assert_eq!((&series["start_ns"], &series["step_ns"]), (&START_NS.to_string().into(), &TICK_NS.into()));
    let column = |name: &str| series[name].as_array().unwrap().clone();
    assert_eq!((column("ce_share")[0].as_f64(), column("retransmitted")[300].as_f64()), (Some(0.0), Some(24.0)));
    assert!((column("ce_share")[310].as_f64().unwrap() - 0.12).abs() < 1e-3);
    // The mirror session of leaf0 let PFC through once: no pause on this link is zero. That of leaf1 never did: unknown.
    assert_eq!(column("paused_share")[0].as_f64(), Some(0.0));
    let unknown = json(&router, "/api/v1/links/leaf1-gpu-8%3Aleaf1%3Egpu-8/series?steps=600").await;
    assert!(unknown["paused_share"].as_array().unwrap().iter().all(Value::is_null));
    let seen = json(&router, "/api/v1/links/leaf0-gpu-5%3Aleaf0%3Egpu-5/series?steps=600").await;
    assert_eq!((seen["paused_share"][7].as_f64(), seen["paused_share"][8].as_f64()), (Some(0.019), Some(0.0)));
    assert_eq!(get(&router, "/api/v1/links/nope/series").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_zoom_keeps_the_peak() {
    let router = served().await;
    let peak = |query: String| {
        let router = router.clone();
        async move {
            let series = json(&router, &format!("/api/v1/links/{CONGESTED}/series?{query}")).await;
            series["max_bps_100us"].as_array().unwrap().iter().filter_map(Value::as_f64).fold(0.0, f64::max)
        }
    };
    let whole = peak("steps=10".into()).await;
    for steps in [1, 60, 600] {
        assert_eq!(peak(format!("steps={steps}")).await, whole);
    }
    let (from, to) = (START_NS + 310 * TICK_NS, START_NS + 330 * TICK_NS);
    assert_eq!(peak(format!("steps=7&from_ns={from}&to_ns={to}")).await, whole);
}

#[tokio::test]
async fn the_verdict_blames_the_root_and_names_who_pays() {
    let router = served().await;
    let verdict = json(&router, "/api/v1/verdict").await;
    assert_eq!((&verdict["blame"], &verdict["pays"][0]["job"]), (&"network".into(), &"job-1".into()));
    assert_eq!(verdict["pays"][0]["cost_ns_per_step"], 18_200_000);
    assert!(verdict["touched"].as_array().unwrap().contains(&"job-1".into()), "{}", verdict["touched"]);
    let cards = verdict["cards"].as_array().unwrap();
    assert_eq!(cards[0]["title"], "Link leaf0 \u{2192} gpu-3 is congested: switches mark its packets");
    assert_eq!((&cards[0]["finding"]["id"], &cards[0]["more"]), (&"ecn_congestion-1".into(), &3.into()));
    assert_eq!((&cards[2]["about"], &cards[2]["finding"]["kind"]), (&"sight".into(), &"mirror_loss".into()));
    // Before anything went wrong.
    let early = json(&router, &format!("/api/v1/verdict?from_ns={START_NS}&to_ns={}", START_NS + 10 * TICK_NS)).await;
    assert_eq!((&early["blame"], &early["cards"][0]["case"]), (&"none".into(), &"no_fault".into()));
}

#[tokio::test]
async fn findings_filter_count_and_know_their_causes() {
    let router = served().await;
    let all = json(&router, "/api/v1/findings").await;
    assert_eq!((&all["total"], &all["open"], &all["counts"]["critical"]), (&6.into(), &2.into(), &2.into()));
    let one = json(&router, "/api/v1/findings?severity=warning&state=closed&kind=rtt_inflation").await;
    assert_eq!(
        (&one["total"], &one["rows"][0]["since_ns"]),
        (&1.into(), &(START_NS + 303 * TICK_NS).to_string().into())
    );
    let detail = json(&router, "/api/v1/findings/rtt_inflation-1").await;
    assert_eq!(
        (&detail["causes"][0]["id"], detail["consequences"].as_array().unwrap().len()),
        (&"ecn_congestion-1".into(), 0)
    );
    let root = json(&router, "/api/v1/findings/ecn_congestion-1").await;
    assert_eq!(root["consequences"].as_array().unwrap().len(), 2);
    assert_eq!(get(&router, "/api/v1/findings/nope").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn flows_and_queue_pairs_come_in_pages() {
    let router = served().await;
    let page = json(&router, "/api/v1/flows?sort=bytes&limit=7&offset=3&app=roce").await;
    assert_eq!((&page["total"], page["rows"].as_array().unwrap().len()), (&40.into(), 7));
    let qps = json(&router, "/api/v1/qps?sort=timeouts&limit=1").await;
    assert_eq!((&qps["total"], &qps["rows"][0]["timeouts"]), (&48.into(), &3.into()));
    let apps = json(&router, "/api/v1/apps").await;
    assert_eq!(
        (&apps["total"], &apps["rows"][0]["app"], &apps["rows"][0]["engines"]["dpi"]),
        (&240.into(), &"roce".into(), &40.into())
    );
    assert!(apps["rows"].as_array().unwrap().iter().any(|row| row["app"].is_null()), "unknown is an answer");
}

#[tokio::test]
async fn wrong_questions_are_told_what_is_wrong() {
    let router = served().await;
    for (path, status, word) in [
        ("/api/v1/links?stepps=3", 400, "known: from_ns, to_ns, steps"),
        ("/api/v1/links?steps=0", 400, "from 1 to 2000"),
        ("/api/v1/links?steps=1&steps=2", 400, "twice"),
        ("/api/v1/links?from_ns=1e9", 400, "whole number of ns"),
        ("/api/v1/links?from_ns=5&to_ns=5", 400, "must end later"),
        ("/api/v1/flows?limit=1001", 400, "from 1 to 1000"),
        ("/api/v1/flows?sort=password", 400, "one of bytes"),
        ("/api/v1/nothing", 404, "openapi.json"),
    ] {
        let (got, text) = get(&router, path).await;
        let error = &serde_json::from_str::<Value>(&text).unwrap()["error"];
        assert_eq!(got.as_u16(), status, "{path}");
        assert!(error["message"].as_str().unwrap().contains(word), "{path}: {text}");
        assert!(error["request_id"].as_str().unwrap().starts_with('e'), "{path}: {text}");
    }
}

#[tokio::test]
async fn nothing_held_is_an_answer() {
    let bare = empty(None);
    assert_eq!(get(&bare, "/api/v1/report").await.0, StatusCode::NOT_FOUND);
    assert_eq!(get(&bare, "/api/v1/live").await.0, StatusCode::NOT_FOUND);
    for path in ["links", "flows", "qps", "findings", "apps", "verdict"] {
        assert!(json(&bare, &format!("/api/v1/{path}")).await["window"].is_null(), "{path}");
    }
    assert_eq!(json(&bare, "/api/v1/jobs").await["known"], false);
    assert_eq!(json(&empty(Some(Live::new())), "/api/v1/extent").await["analysis_here"], true);
}

#[tokio::test]
async fn prometheus_reads_the_metrics() {
    let (status, text) = get(&served().await, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    for line in [
        "fabricscope_frames_total 162000000",
        "fabricscope_mirror_lost_total 248",
        "fabricscope_frames_refused_total{reason=\"ipv4_header_short\"} 1200",
        "fabricscope_findings_open{kind=\"link_silent\",severity=\"warning\"} 1",
        "fabricscope_tap_lost_total{tap=\"leaf0.pcap erspan3 session 7 from 10.255.0.7\"} 248",
    ] {
        assert!(text.lines().any(|got| got == line), "{line} is not in\n{text}");
    }
    assert!(text.contains("fabricscope_link_bits_per_second{link=\"leaf0-spine0:leaf0>spine0\"}"));
    let names = text.lines().filter(|line| line.starts_with("# TYPE ")).count();
    assert_eq!(names, text.lines().filter(|line| line.starts_with("# HELP ")).count());
}

/// docs/api.md names every address, and no metric that does not exist.
#[tokio::test]
async fn the_documentation_knows_what_there_is() {
    let text = include_str!("../../docs/api.md");
    for endpoint in ENDPOINTS.iter().filter(|endpoint| !endpoint.path.contains("openapi")) {
        assert!(text.contains(&format!("`{}`", endpoint.path)), "{} is not documented", endpoint.path);
    }
    let (_, metrics) = get(&served().await, "/metrics").await;
    let named = text.split("fabricscope_").skip(1).map(|rest| {
        let name: String = rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
        format!("fabricscope_{name}")
    });
    for name in named {
        assert!(metrics.contains(&format!("# TYPE {name} ")), "{name} is no metric");
    }
}

#[tokio::test]
async fn nothing_inline_may_run_and_answers_are_small() {
    let router = served().await;
    let ask =
        |path: &'static str| Request::get(path).header(header::ACCEPT_ENCODING, "gzip").body(Body::empty()).unwrap();
    let page = router.clone().oneshot(ask("/links/anything")).await.unwrap();
    let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
    let html = String::from_utf8(
        to_bytes(
            router.clone().oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap().into_body(),
            1 << 20,
        )
        .await
        .unwrap()
        .to_vec(),
    )
    .unwrap();
    assert!(
        !html.contains("<style")
            && !html.contains(" style=")
            && !html.contains("onload=")
            && html.matches("<script").count() == 1,
        "{html}"
    );
    let links = router.clone().oneshot(ask("/api/v1/links?steps=200")).await.unwrap();
    assert_eq!(links.headers()[header::CONTENT_ENCODING], "gzip");
    let size = to_bytes(links.into_body(), 1 << 22).await.unwrap().len();
    assert!(size < 300_000, "{size} bytes");
}

#[tokio::test]
async fn an_unchanged_file_is_not_sent_again() {
    let router = served().await;
    let first = router.clone().oneshot(Request::get("/assets/js/app.js").body(Body::empty()).unwrap()).await.unwrap();
    let tag = first.headers()[header::ETAG].clone();
    let again = Request::get("/assets/js/app.js").header(header::IF_NONE_MATCH, tag).body(Body::empty()).unwrap();
    assert_eq!(router.clone().oneshot(again).await.unwrap().status(), StatusCode::NOT_MODIFIED);
    assert_eq!(get(&router, "/assets/../Cargo.toml").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn health_blames_roots_only_and_says_why() {
    let router = served().await;
    let links = json(&router, "/api/v1/health/links").await;
    assert_eq!(links["known"], true);
    let rows = links["rows"].as_array().unwrap();
    let counted: u64 = ["healthy", "degraded", "avoid"].iter().map(|s| links["counts"][s].as_u64().unwrap()).sum();
    assert_eq!(counted, rows.len() as u64);
    for row in rows {
        assert_eq!(row["state"] == "healthy", row["why"].as_array().unwrap().is_empty(), "{row}");
        assert_eq!(row["state"] == "healthy", row["since_ns"].is_null(), "{row}");
    }
    let ill = json(&router, "/api/v1/health/links?state=degraded").await;
    assert!(ill["rows"].as_array().unwrap().iter().all(|row| row["state"] == "degraded"));
    let silent = ill["rows"].as_array().unwrap().iter().any(|row| row["why"][0]["kind"] == "link_silent");
    assert!(silent, "the open warning of the made-up minute: {ill}");
    let hosts = json(&router, "/api/v1/health/hosts").await;
    assert!(!hosts["rows"].as_array().unwrap().is_empty());
    let (_, metrics) = get(&router, "/metrics").await;
    assert!(metrics.contains("fabricscope_links_by_health{state=\"avoid\"}"));
    let nothing = json(&empty(None), "/api/v1/health/hosts").await;
    assert_eq!((&nothing["known"], nothing["rows"].as_array().unwrap().len()), (&false.into(), 0));
}
