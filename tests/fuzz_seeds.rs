//! The fuzzer's harness over its seeds and over damaged copies of them: what `fuzz/run` explores, in seconds and in every run.

// Tests may stop on what they did not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "../fuzz/harness.rs"]
mod harness;

use std::fs;
use std::path::Path;

/// Damaged copies of each seed.
const COPIES: u64 = 60;

fn seeds() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let mut seeds: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    seeds.sort();
    assert!(seeds.len() >= 10, "{seeds:?}");
    seeds.into_iter().map(|p| (p.display().to_string(), fs::read(p).unwrap())).collect()
}

/// xorshift64: the same damage in every run.
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state as usize
}

fn damaged(seed: &[u8], state: &mut u64) -> Vec<u8> {
    let mut copy = seed.to_vec();
    for _ in 0..=next(state) % 8 {
        let at = next(state) % copy.len();
        match next(state) % 4 {
            0 => copy[at] = next(state) as u8,
            1 => copy[at] ^= 1 << (next(state) % 8),
            2 => drop(copy.remove(at)),
            _ => copy.truncate(at.max(3)),
        }
    }
    copy
}

#[test]
fn seeds_and_damaged_copies_of_them_are_observed_without_a_panic() {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    for (name, seed) in seeds() {
        println!("{name}");
        harness::observe(&seed);
        for _ in 0..COPIES {
            harness::observe(&damaged(&seed, &mut state));
        }
    }
}
