//! Serves a made-up minute, for looking at the page without a capture: `cargo run -p dashboard --example generated -- 127.0.0.1:8087`.

// An example may stop on what it did not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[path = "../tests/generated/mod.rs"]
mod generated;
#[path = "../tests/generated/serve.rs"]
mod serve;

#[tokio::main]
async fn main() {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    for url in serve::serve(&address).await {
        println!("{url}");
    }
    std::future::pending::<()>().await;
}
