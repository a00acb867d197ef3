//! The page in a real Chromium, over a made-up minute that shows every state.

// Tests may stop on what they did not expect, and say what they skip.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod generated;
#[path = "generated/serve.rs"]
mod serve;

use std::io::{Write as _, stderr};
use std::path::Path;
use std::process::Command;

/// Absent: what is missing to run a browser.
fn ready(folder: &Path) -> Result<(), String> {
    let chromium = std::env::var("FABRICSCOPE_CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned());
    for needed in [Path::new(&chromium), &folder.join("node_modules/playwright-core")] {
        if !needed.exists() {
            return Err(format!("{} is missing; run ./setup", needed.display()));
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_in_a_browser() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    if let Err(missing) = ready(&folder) {
        assert!(std::env::var("FABRICSCOPE_REQUIRE_ALL").is_err(), "{missing}");
        let _ = writeln!(stderr(), "SKIPPED: the page in a browser: {missing}");
        return;
    }
    let [url, silent, empty] = serve::serve("127.0.0.1:0").await;
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=spec", "states.test.mjs", "words.test.mjs"]).current_dir(folder);
    node.env("FABRICSCOPE_URL", url).env("FABRICSCOPE_URL_SILENT", silent).env("FABRICSCOPE_URL_EMPTY", empty);
    let done = tokio::task::spawn_blocking(move || node.output()).await.unwrap().expect("node runs");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    eprintln!("{said}");
}
