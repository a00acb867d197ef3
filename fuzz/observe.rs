//! The fuzz target over the whole of `observe`.
#![no_main]

mod harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| harness::observe(data));
