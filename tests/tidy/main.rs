//! The house rules, as tests. Each names the rule, and where it is broken.
//!
//! Limits that the house does not keep yet stand in `ratchet.rs`: they may be lowered, never raised.

// Tests may stop on what they did not expect, and say what they measured.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod ratchet;
mod source;

use std::fs;

use source::{Rust, files, product, root};

/// Fails with every breach, not just the first.
fn none(rule: &str, breaches: &[String]) {
    assert!(breaches.is_empty(), "{rule}\n  {}", breaches.join("\n  "));
}

fn text_files() -> Vec<(String, String)> {
    files().into_iter().filter_map(|(path, full)| Some((path, fs::read_to_string(full).ok()?))).collect()
}

fn manifest(room: &str) -> toml::Table {
    let path = root().join(room).join("Cargo.toml");
    fs::read_to_string(&path).expect("a room's manifest").parse().expect("TOML")
}

fn dependencies(manifest: &toml::Table, section: &str) -> Vec<String> {
    manifest.get(section).and_then(toml::Value::as_table).map(|t| t.keys().cloned().collect()).unwrap_or_default()
}

#[test]
fn files_are_short() {
    let mut breaches = Vec::new();
    for (path, text) in text_files() {
        let is_source = [".rs", ".js", ".mjs", ".css", ".html", ".sh"].iter().any(|end| path.ends_with(end));
        let lines = text.lines().count();
        if is_source && !path.contains("vendor") && lines > ratchet::file_lines(&path) {
            breaches.push(format!("{path}: {lines} lines, {} allowed", ratchet::file_lines(&path)));
        }
    }
    none("a file has less than 500 lines", &breaches);
}

/// What a passing test prints by macro is kept back: a skip said so is said to nobody.
#[test]
fn skips_are_heard() {
    let kept_back = ["eprintln", "println"].map(|print| format!("{print}!(\"SKIPPED"));
    let rust = text_files().into_iter().filter(|(path, _)| path.ends_with(".rs"));
    let silent = rust.filter(|(_, text)| kept_back.iter().any(|print| text.contains(print))).map(|(path, _)| path);
    none("a skip is written to stderr itself, not printed", &silent.collect::<Vec<_>>());
}

/// Rooms in the order of the arrows: each may use those before it.
const ROOMS: [&str; 4] = ["capture", "analyzer", "store", "dashboard"];

#[test]
fn arrows_run_one_way() {
    let mut breaches = Vec::new();
    for (at, room) in ROOMS.iter().enumerate() {
        let manifest = manifest(room);
        let named: Vec<String> =
            ["dependencies", "build-dependencies"].iter().flat_map(|s| dependencies(&manifest, s)).collect();
        let upward = named.iter().filter(|d| ROOMS[at..].contains(&d.as_str()) || *d == "fixtures");
        breaches.extend(upward.map(|d| format!("{room} uses {d}")));
    }
    for section in ["dependencies", "dev-dependencies"] {
        let named = dependencies(&manifest("fixtures"), section);
        let shared = named.iter().filter(|d| ROOMS[1..].contains(&d.as_str()));
        breaches.extend(shared.map(|d| format!("fixtures shares code with what it tests: {d}")));
    }
    none("arrows run src -> dashboard -> store -> analyzer -> capture", &breaches);
}

/// What a library brings belongs to one room.
#[test]
fn each_library_has_its_room() {
    let owners = [("axum", "dashboard"), ("tower-http", "dashboard"), ("clickhouse", "store"), ("libloading", "store")];
    let mut breaches = Vec::new();
    for room in ROOMS.iter().chain(&["", "fixtures"]) {
        let named = dependencies(&manifest(room), "dependencies");
        let strangers = owners.iter().filter(|(library, owner)| owner != room && named.iter().any(|n| n == library));
        breaches.extend(strangers.map(|(library, owner)| format!("{room}/ uses {library}, which is {owner}'s")));
    }
    none("only store knows ClickHouse, only dashboard knows HTTP", &breaches);
}

fn words_outside(files: &[Rust], inside: impl Fn(&Rust) -> bool, words: &[&str]) -> Vec<String> {
    let watched = files.iter().filter(|f| inside(f));
    let hits =
        watched.flat_map(|f| words.iter().flat_map(move |w| f.lines_with(w).into_iter().map(move |l| (f, w, l))));
    hits.map(|(f, w, l)| format!("{}:{l}: {w}", f.path)).collect()
}

#[test]
fn the_analyzer_has_no_clock_socket_thread_or_file() {
    let forbidden = [
        "std::fs",
        "std::thread",
        "std::process",
        "std::env",
        "Instant",
        "SystemTime",
        "tokio",
        "async",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "UnixStream",
        "ToSocketAddrs",
    ];
    none(
        "the analyzer is a function of its frames",
        &words_outside(&product(), |f| f.room() == "analyzer", &forbidden),
    );
    let named = dependencies(&manifest("analyzer"), "dependencies");
    assert!(!named.iter().any(|d| ["tokio", "libc", "rand", "chrono", "tracing"].contains(&d.as_str())), "{named:?}");
}

#[test]
fn only_the_store_speaks_sql() {
    let statements = ["INSERT INTO", "CREATE TABLE", "ALTER TABLE", "DROP TABLE", "CREATE MATERIALIZED"];
    let is_sql = |s: &str| {
        statements.iter().any(|w| s.contains(w)) || s.split_once("SELECT ").is_some_and(|(_, t)| t.contains("FROM "))
    };
    let elsewhere = product().into_iter().filter(|f| f.room() != "store");
    let breaches: Vec<String> =
        elsewhere.filter_map(|f| f.strings.iter().find(|s| is_sql(s)).map(|s| format!("{}: {s}", f.path))).collect();
    none("only the store knows SQL", &breaches);
}

#[test]
fn no_room_for_leftovers() {
    let leftovers = ["common", "utils", "util", "helpers", "misc"];
    let named = files().into_iter().map(|(path, _)| path).filter(|p| p.ends_with(".rs") || p.ends_with(".js"));
    let breaches: Vec<String> =
        named.filter(|p| p.split(['/', '.']).any(|part| leftovers.contains(&part)) && !p.contains("vendor")).collect();
    none("a file is named by what it holds", &breaches);
}

#[test]
fn unsafe_stays_where_it_is_needed() {
    let mut breaches = Vec::new();
    for file in product() {
        let lines: Vec<&str> = file.text.lines().collect();
        for line in file.lines_with("unsafe") {
            if !ratchet::UNSAFE_FILES.iter().any(|allowed| file.path.starts_with(allowed)) {
                breaches.push(format!("{}:{line}: not one of the files that may", file.path));
            }
            let nearby = &lines[line.saturating_sub(8)..line];
            if !nearby.iter().any(|l| l.contains("SAFETY") || l.contains("# Safety")) {
                breaches.push(format!("{}:{line}: no SAFETY comment above it", file.path));
            }
        }
    }
    none("unsafe only in capture's rings and the library loader, each with its reason", &breaches);
}

#[test]
fn every_module_says_what_it_is() {
    let silent = product().into_iter().filter(|f| !f.text.starts_with("//!"));
    let breaches: Vec<String> = silent.map(|f| f.path).filter(|p| !p.ends_with("build.rs")).collect();
    none("a module begins with what it is for", &breaches);
}

#[test]
fn nothing_names_a_machine() {
    // Written in halves, for this file is searched as well.
    let paths = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/tmp/ba", "sh_jobs")];
    let mut breaches = Vec::new();
    for (path, text) in text_files().into_iter().filter(|(p, _)| !p.contains("vendor")) {
        for (at, line) in text.lines().enumerate() {
            let named = paths.iter().filter(|p| line.contains(**p));
            breaches.extend(named.map(|p| format!("{path}:{}: {p}", at + 1)));
        }
    }
    none("the repository knows no machine's paths", &breaches);
}

#[test]
fn locked_packages_come_from_public_registries() {
    let mut breaches = Vec::new();
    for (path, text) in text_files() {
        let (key, allowed) = match path.rsplit('/').next() {
            Some("Cargo.lock") => ("source = \"", "registry+https://github.com/rust-lang/crates.io-index"),
            Some("package-lock.json") => ("\"resolved\": \"", "https://registry.npmjs.org/"),
            _ => continue,
        };
        let sources = text.lines().filter_map(|l| l.trim().strip_prefix(key));
        breaches.extend(sources.filter(|s| !s.starts_with(allowed)).map(|s| format!("{path}: {s}")));
    }
    none("lock files name the public registries only", &breaches);
}

#[test]
fn functions_are_short() {
    let all = product();
    let mut lengths: Vec<usize> = all.iter().flat_map(Rust::functions).map(|(_, _, lines)| lines).collect();
    lengths.sort_unstable();
    let at = |share: f64| lengths[((lengths.len() - 1) as f64 * share) as usize];
    eprintln!("{} functions: median {} lines, 90 % under {}, longest {}", lengths.len(), at(0.5), at(0.9) + 1, at(1.0));
    assert!(at(0.5) <= ratchet::MEDIAN_FUNCTION_LINES, "the median function has {} lines", at(0.5));
    assert!(at(0.9) <= ratchet::P90_FUNCTION_LINES, "one function in ten has over {} lines", at(0.9));
}

#[test]
fn long_functions_do_not_become_more_or_longer() {
    let mut breaches = Vec::new();
    for file in product() {
        for (name, line, lines) in file.functions() {
            let allowed = ratchet::function_lines(&file.path, &name);
            if lines > allowed {
                breaches.push(format!("{}:{line}: {name} has {lines} lines, {allowed} allowed", file.path));
            }
        }
    }
    none("a function has at most 60 lines", &breaches);
}
