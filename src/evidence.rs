//! Evidence: when something is found, the frames around it are taken from the recent ones and kept as pcapng with comments.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use analyzer::fabric::Witness;
use analyzer::report::Finding;
use analyzer::tick::LinkInfo;
use analyzer::topology::Plan;
use analyzer::wire::TapFormat;
use capture::write::{Recent, Writer};
use capture::{Frame, InterfaceId};
use dashboard::Shelf;

use crate::output::{warn, write_bytes};
use crate::recorder::APPLICATION;

/// Packet time before a finding's start that is looked at, in ns.
const BEFORE_NS: u64 = 50_000_000;
/// Packet time after a finding's start that is looked at, in ns.
const AFTER_NS: u64 = 500_000_000;
/// Frames kept of one finding: those nearest to its start.
const FRAMES: usize = 1_000;
/// Of them before its start.
const FRAMES_BEFORE: usize = 250;
/// Frames looked at for one finding. The reader waits meanwhile: this is about two milliseconds.
const LOOKED_AT: usize = 20_000;
/// Findings of one tick that frames are kept of; the others follow with later ticks.
const AT_ONCE: usize = 8;
/// Findings that may wait for that.
const WAITING: usize = 256;

/// Keeps the frames around findings.
pub struct Evidence {
    recent: Arc<Mutex<Recent>>,
    shelf: Option<Shelf>,
    folder: Option<PathBuf>,
    plan: Arc<Plan>,
    seen: BTreeSet<String>,
    waiting: BTreeMap<String, Finding>,
    failed: u64,
}

impl Evidence {
    /// From recent frames to a shelf of the dashboard, a folder, or both.
    pub fn new(recent: Arc<Mutex<Recent>>, shelf: Option<Shelf>, folder: Option<PathBuf>, plan: Arc<Plan>) -> Self {
        Self { recent, shelf, folder, plan, seen: BTreeSet::new(), waiting: BTreeMap::new(), failed: 0 }
    }

    /// What is known of the fabric from now on.
    pub fn plan(&mut self, plan: Arc<Plan>) {
        self.plan = plan;
    }

    /// Keeps the frames around findings that are new. At the end all that wait have their turn.
    pub fn keep(&mut self, findings: &[Finding], links: &[LinkInfo], last: bool) {
        for finding in findings {
            if self.waiting.len() < WAITING && self.seen.insert(finding.id.clone()) {
                self.waiting.insert(finding.id.clone(), finding.clone());
            }
        }
        let turns = if last { self.waiting.len() } else { AT_ONCE };
        for _ in 0..turns {
            let Some((id, finding)) = self.waiting.pop_first() else { break };
            if let Some(file) = self.file(&finding, links) {
                self.put(&id, file);
            }
        }
    }

    /// The pcapng of a finding; nothing where no frame of it is left.
    fn file(&self, finding: &Finding, links: &[LinkInfo]) -> Option<Vec<u8>> {
        let recent = self.recent.lock().ok()?;
        let witness = Witness::new(finding, links, &self.plan);
        let since_ns = finding.since_ns;
        let (frames, forgotten) = recent.between(since_ns.saturating_sub(BEFORE_NS), since_ns.saturating_add(AFTER_NS));
        let chosen = choose(&frames, since_ns, |frame| {
            let interface = recent.interface_of(frame.interface)?;
            let rspan = self.plan.tap_format(&interface.source).is_some_and(|(rspan, _)| rspan);
            witness.says(interface.link_type, TapFormat { rspan }, frame)
        });
        if chosen.is_empty() {
            return None;
        }
        let mut about = format!("{} {}: {}", finding.kind, finding.id, finding.explanation);
        if forgotten {
            about.push_str(" Frames from before the first one here had made room already.");
        }
        write(&recent, &about, &chosen).ok()
    }

    fn put(&mut self, id: &str, file: Vec<u8>) {
        if let Some(folder) = &self.folder
            && let Err(why) = write_bytes(&folder.join(file_name(id)), &file)
        {
            self.failed += 1;
            if self.failed == 1 {
                warn(format!("evidence cannot be written: {why}"));
            }
        }
        if let Some(shelf) = &self.shelf {
            shelf.put(id, file);
        }
    }
}

/// The frames nearest to a moment that have something to say, and what.
fn choose<'a>(
    frames: &[Frame<'a>],
    since_ns: u64,
    says: impl Fn(&Frame<'a>) -> Option<String>,
) -> Vec<(Frame<'a>, String)> {
    let split = frames.partition_point(|f| f.at_ns < since_ns);
    let (before, after) = frames.split_at(split);
    let said = |frame: &Frame<'a>| says(frame).map(|comment| (*frame, comment));
    let mut chosen: Vec<_> = before.iter().rev().take(LOOKED_AT / 4).filter_map(said).take(FRAMES_BEFORE).collect();
    chosen.reverse();
    let left = FRAMES - chosen.len();
    chosen.extend(after.iter().take(LOOKED_AT).filter_map(said).take(left));
    chosen
}

fn write(recent: &Recent, about: &str, chosen: &[(Frame<'_>, String)]) -> io::Result<Vec<u8>> {
    let mut writer = Writer::about(Vec::new(), APPLICATION, about)?;
    let used: BTreeSet<InterfaceId> = chosen.iter().map(|(f, _)| f.interface).collect();
    for interface in recent.interfaces().filter(|i| used.contains(&i.id)) {
        writer.interface(interface)?;
    }
    for (at, (frame, comment)) in chosen.iter().enumerate() {
        let comment = if at == 0 && comment.is_empty() { about } else { comment };
        writer.frame(frame, (!comment.is_empty()).then_some(comment))?;
    }
    writer.finish()
}

/// A finding's id as the name of a file: what is not a letter, a digit, a dot or a dash becomes a dash.
fn file_name(id: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '-' || c == '_' { c } else { '-' };
    let name: String = id.chars().take(120).map(plain).collect();
    format!("{}.pcapng", name.trim_start_matches('.'))
}

/// Makes the folder of evidence.
pub fn folder(path: &Path) -> Result<PathBuf, crate::failure::Failure> {
    let failed = |why: io::Error| crate::failure::Failure::file("make the folder of evidence", path, &why);
    std::fs::create_dir_all(path).map_err(failed)?;
    Ok(path.to_owned())
}
