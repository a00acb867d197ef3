//! Small files built here, read back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod any_bytes;
mod build;
mod classic;
mod pcapng;

use std::path::{Path, PathBuf};

use crate::{Direction, Frame, Input, Interface, InterfaceId, OpenError, Sink, Step};

use super::{FileOptions, open};

#[derive(Default)]
struct Seen {
    interfaces: Vec<Interface>,
    frames: Vec<(u64, u16, Vec<u8>, u32)>,
    directions: Vec<Direction>,
    /// Interface, time, count, and the frames lent before.
    dropped: Vec<(u16, u64, u64, usize)>,
}

impl Sink for Seen {
    fn interface(&mut self, interface: &Interface) {
        assert_eq!(usize::from(interface.id.0), self.interfaces.len());
        self.interfaces.push(interface.clone());
    }
    fn frames(&mut self, batch: &[Frame<'_>]) {
        assert!(!batch.is_empty());
        for frame in batch {
            assert!(usize::from(frame.interface.0) < self.interfaces.len());
            self.frames.push((frame.at_ns, frame.interface.0, frame.bytes.to_vec(), frame.wire_len));
            self.directions.push(frame.direction);
        }
    }
    fn dropped(&mut self, interface: InterfaceId, at_ns: u64, count: u64) {
        self.dropped.push((interface.0, at_ns, count, self.frames.len()));
    }
}

impl Seen {
    fn bytes(&self) -> Vec<&[u8]> {
        self.frames.iter().map(|f| f.2.as_slice()).collect()
    }
}

fn read_with(paths: &[PathBuf], options: &FileOptions) -> Result<(Seen, Vec<Input>), OpenError> {
    let mut source = open(paths, options)?;
    let mut seen = Seen::default();
    while source.step(&mut seen) != Step::End {}
    Ok((seen, source.inputs()))
}

fn read(paths: &[PathBuf]) -> Result<(Seen, Vec<Input>), OpenError> {
    read_with(paths, &FileOptions::default())
}

/// Reads one file of these bytes.
fn read_bytes(bytes: &[u8]) -> Result<(Seen, Input), OpenError> {
    let folder = tempfile::tempdir().unwrap();
    let (seen, mut inputs) = read(&[write(folder.path(), "x", bytes)])?;
    Ok((seen, inputs.remove(0)))
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}
