//! The record walk alone: `cargo run --release -p capture --example walk -- FILE...` prints what a frame costs.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use capture::{FileOptions, Frame, Interface, InterfaceId, Sink, Step, open};

#[derive(Default)]
struct Walk {
    frames: u64,
    bytes: u64,
    /// Depends on every frame, so that none is optimised away.
    sum: u64,
}

impl Sink for Walk {
    fn interface(&mut self, _: &Interface) {}
    fn frames(&mut self, batch: &[Frame<'_>]) {
        self.frames += batch.len() as u64;
        for frame in batch {
            self.bytes += frame.bytes.len() as u64;
            self.sum ^= frame.at_ns ^ u64::from(frame.wire_len);
        }
    }
    fn dropped(&mut self, _: InterfaceId, _: u64, _: u64) {}
}

fn main() -> io::Result<()> {
    let paths: Vec<PathBuf> = std::env::args().skip(1).map(PathBuf::from).collect();
    let begun = Instant::now();
    let mut source = open(&paths, &FileOptions::default()).map_err(io::Error::other)?;
    let mut walk = Walk::default();
    while source.step(&mut walk) != Step::End {}
    let ns = begun.elapsed().as_nanos() as f64;
    let each = ns / walk.frames.max(1) as f64;
    let Walk { frames, bytes, sum } = walk;
    writeln!(io::stdout(), "{frames} frames, {each:.1} ns each, {:.2} GB/s of frames ({sum:x})", bytes as f64 / ns)
}
