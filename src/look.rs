//! A look at the first frames of files before they are analysed: whether a tap's outer tag is the mirror's.

use std::path::PathBuf;

use analyzer::worker::NatureWatch;
use capture::{FileOptions, Frame, Interface, InterfaceId, Sink, Step};

/// Frames looked at, of all files together.
const FRAMES: u64 = 100_000;

#[derive(Default)]
struct Look {
    watch: NatureWatch,
    frames: u64,
}

impl Sink for Look {
    fn interface(&mut self, interface: &Interface) {
        self.watch.add_interface(interface);
    }

    fn frames(&mut self, batch: &[Frame<'_>]) {
        self.watch.observe(batch);
        self.frames += batch.len() as u64;
    }

    fn dropped(&mut self, _: InterfaceId, _: u64, _: u64) {}
}

/// What the first frames say of the taps. Nothing of standard input, which can be read once only, and nothing of files that
/// do not open: that is told when they are read.
pub fn look(paths: &[PathBuf]) -> NatureWatch {
    let mut look = Look::default();
    if paths.iter().any(|p| p.as_os_str() == "-") {
        return look.watch;
    }
    let Ok(mut source) = capture::open(paths, &FileOptions::default()) else { return look.watch };
    while look.frames < FRAMES && source.step(&mut look) == Step::More {}
    look.watch
}
