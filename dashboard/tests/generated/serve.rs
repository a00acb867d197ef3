//! The made-up minute behind real sockets: from a sensor that ended, from one that fell silent, from one that has nothing.

use std::sync::Arc;

use dashboard::{Live, SensorInfo, TickNumbers};
use store::{Memory, Store};
use tokio::net::TcpListener;

/// Serves all three until the runtime ends. Addresses in that order; `first` is the first one's.
pub async fn serve(first: &str) -> [String; 3] {
    let made = crate::generated::minute();
    let held = Arc::new(Memory::new(1_000_000));
    held.write(&made.facts).await.expect("memory takes facts");
    let last = made.facts.last().expect("a minute has ticks");
    let [ended, silent] = [Live::new(), Live::new()];
    for live in [&ended, &silent] {
        live.set_tick(TickNumbers::of(last.sequence, &last.tick, &last.links));
        live.set_report(Arc::new(made.report.clone()));
    }
    ended.set_ended();
    let nothing: Arc<dyn Store> = Arc::new(Memory::new(1));
    [
        one(first, held.clone(), ended).await,
        one("127.0.0.1:0", held, silent).await,
        one("127.0.0.1:0", nothing, Live::new()).await,
    ]
}

async fn one(address: &str, store: Arc<dyn Store>, live: Live) -> String {
    let info = SensorInfo {
        sensor: "bench".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        sources: vec!["leaf0.pcap".to_owned(), "leaf1.pcap".to_owned()],
        ..SensorInfo::default()
    };
    let listener = TcpListener::bind(address).await.expect("the address is free");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let router = dashboard::router(store, Some(live), info);
    tokio::spawn(dashboard::serve(listener, router, std::future::pending()));
    url
}
