//! Serves a made-up minute, for looking at the page without a capture: `cargo run -p dashboard --example generated -- 127.0.0.1:8087`.

// An example may stop on what it did not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[path = "../tests/generated/mod.rs"]
mod generated;

use std::sync::Arc;

use dashboard::{Live, SensorInfo, TickNumbers};
use store::Store;

#[tokio::main]
async fn main() {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let made = generated::minute();
    let store = Arc::new(store::Memory::new(1_000_000));
    store.write(&made.facts).await.expect("memory takes facts");
    let live = Live::new();
    for facts in &made.facts {
        live.set_tick(TickNumbers::of(facts.sequence, &facts.tick, &facts.links));
    }
    live.set_report(Arc::new(made.report));
    live.set_ended();
    let info = SensorInfo {
        sensor: "bench".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        sources: vec!["generated".to_owned()],
        ..SensorInfo::default()
    };
    let listener = tokio::net::TcpListener::bind(&address).await.expect("the address is free");
    println!("http://{}", listener.local_addr().expect("it is bound"));
    let router = dashboard::router(store, Some(live), info);
    dashboard::serve(listener, router, std::future::pending()).await.expect("serves");
}
