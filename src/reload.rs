//! SIGHUP: topology, signatures and thresholds are read again. Interfaces stay open; the analysis begins anew over them, for
//! links, habits and thresholds of before and after can't be added up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use analyzer::fabric::FabricConfig;
use analyzer::topology::Plan;
use analyzer::worker::WorkerConfig;

use crate::failure::Failure;
use crate::notify::Notify;
use crate::output::warn;

/// What the user's files say.
#[derive(Clone, Debug)]
pub struct Configured {
    /// What is known of the fabric.
    pub plan: Arc<Plan>,
    /// Of the worker.
    pub worker: WorkerConfig,
    /// Of the fabric thread.
    pub fabric: FabricConfig,
}

/// Reads the files again when it is asked to.
pub struct Reload {
    asked: Arc<AtomicBool>,
    read: Box<dyn Fn() -> Result<Configured, Failure> + Send>,
}

impl Reload {
    /// `asked` is set by the signal.
    pub fn new(asked: Arc<AtomicBool>, read: Box<dyn Fn() -> Result<Configured, Failure> + Send>) -> Self {
        Self { asked, read }
    }

    /// What the files say now, if it was asked for and they can be used; if not, that is told and nothing changes.
    pub fn now(&self) -> Option<Configured> {
        if !self.asked.swap(false, Ordering::Relaxed) {
            return None;
        }
        let notify = Notify::from_environment();
        notify.reloading();
        let read = (self.read)();
        match &read {
            Ok(_) => warn(
                "topology, signatures, policy and thresholds are read again, and the analysis begins anew; interfaces, mode, store, \
                 addresses and folders stay as they were at the start",
            ),
            Err(why) => warn(format!("nothing is changed: {why}")),
        }
        notify.ready("capturing");
        read.ok()
    }
}
