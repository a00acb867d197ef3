//! Frames written down as they pass: all of them to files that rotate (`--write`), the recent ones in memory as evidence.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use capture::write::{Recent, Rotation, RotationOptions};
use capture::{Frame, Interface, InterfaceId};

use crate::failure::Failure;
use crate::output::warn;

/// Name of the program in the files it writes.
pub const APPLICATION: &str = concat!("fabricscope ", env!("CARGO_PKG_VERSION"));
/// Files that rotate begin with this.
const PREFIX: &str = "fabricscope";

/// Where frames go beside the analysis.
#[derive(Default)]
pub struct Recorder {
    rotation: Option<Rotation>,
    failed: u64,
    recent: Option<Arc<Mutex<Recent>>>,
}

/// How captures are written.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// Folder.
    pub folder: PathBuf,
    /// Bytes of a file.
    pub file_bytes: u64,
    /// Nanoseconds of frames in a file.
    pub file_ns: u64,
    /// Bytes of all of them.
    pub budget_bytes: u64,
}

impl Recorder {
    /// A recorder of everything, of what is recent, or of both.
    pub fn new(write: Option<&WriteOptions>, recent: Option<Arc<Mutex<Recent>>>) -> Result<Option<Self>, Failure> {
        if write.is_none() && recent.is_none() {
            return Ok(None);
        }
        let rotation = write.map(open).transpose()?;
        Ok(Some(Self { rotation, recent, failed: 0 }))
    }

    /// A new interface.
    pub fn interface(&mut self, interface: &Interface) {
        self.write(|rotation| rotation.interface(interface));
        self.remember(|recent| recent.interface(interface));
    }

    /// Frames.
    pub fn frames(&mut self, batch: &[Frame<'_>]) {
        self.write(|rotation| rotation.frames(batch));
        self.remember(|recent| recent.frames(batch));
    }

    /// The capture lost frames.
    pub fn dropped(&mut self, interface: InterfaceId, at_ns: u64, count: u64) {
        self.write(|rotation| rotation.dropped(interface, at_ns, count));
    }

    /// Ends the file being written; says what could not be.
    pub fn finish(mut self) {
        self.write(Rotation::finish);
        if self.failed > 1 {
            warn(format!("{} batches of frames could not be written down", self.failed));
        }
    }

    /// The analysis goes on without the file: the first failure is told, the rest are counted.
    fn write(&mut self, action: impl FnOnce(&mut Rotation) -> std::io::Result<()>) {
        let Some(rotation) = &mut self.rotation else { return };
        if let Err(why) = action(rotation) {
            self.failed += 1;
            if self.failed == 1 {
                warn(format!(
                    "frames cannot be written down: {why}; the analysis goes on without (make room, check the folder)"
                ));
            }
        }
    }

    fn remember(&self, action: impl FnOnce(&mut Recent)) {
        if let Some(Ok(mut recent)) = self.recent.as_ref().map(|r| r.lock()) {
            action(&mut recent);
        }
    }
}

fn open(write: &WriteOptions) -> Result<Rotation, Failure> {
    let options = RotationOptions {
        folder: write.folder.clone(),
        prefix: PREFIX.to_owned(),
        file_bytes: write.file_bytes,
        file_ns: write.file_ns,
        budget_bytes: write.budget_bytes,
    };
    Rotation::new(options, APPLICATION).map_err(|why| Failure::file("write captures to", &write.folder, &why))
}
