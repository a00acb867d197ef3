//! What is written is read back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use crate::{Direction, FileOptions, Frame, Interface, InterfaceId, LinkType, Sink, Step, open};

use super::{Rotation, RotationOptions, Writer};

fn interface(id: u16, name: &str) -> Interface {
    Interface {
        id: InterfaceId(id),
        source: format!("{name}.pcap"),
        name: Some(name.to_owned()),
        index_in_file: 0,
        link_type: LinkType::Ethernet,
        speed_bps: Some(400_000_000_000),
        snaplen: 128,
        fcs_len: 4,
    }
}

fn frame(bytes: &[u8], at_ns: u64, interface: u16) -> Frame<'_> {
    let wire_len = bytes.len() as u32 + 10;
    Frame { bytes, at_ns, wire_len, interface: InterfaceId(interface), direction: Direction::Out }
}

#[derive(Default)]
struct Read {
    interfaces: Vec<Interface>,
    frames: Vec<(u64, u16, Vec<u8>, u32, Direction)>,
    dropped: Vec<(u16, u64, u64)>,
}

impl Sink for Read {
    fn interface(&mut self, interface: &Interface) {
        self.interfaces.push(interface.clone());
    }
    fn frames(&mut self, batch: &[Frame<'_>]) {
        let own = |f: &Frame<'_>| (f.at_ns, f.interface.0, f.bytes.to_vec(), f.wire_len, f.direction);
        self.frames.extend(batch.iter().map(own));
    }
    fn dropped(&mut self, interface: InterfaceId, at_ns: u64, count: u64) {
        self.dropped.push((interface.0, at_ns, count));
    }
}

fn read(paths: &[PathBuf]) -> (Read, Vec<crate::Input>) {
    let mut source = open(paths, &FileOptions::default()).unwrap();
    let mut read = Read::default();
    while source.step(&mut read) != Step::End {}
    let inputs = source.inputs();
    assert!(inputs.iter().all(|i| i.damage.is_empty()), "{inputs:?}");
    (read, inputs)
}

#[test]
fn frames_interfaces_losses_and_comments_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(Vec::new(), "fabricscope").unwrap();
    // The source's numbers need not begin at 0.
    writer.interface(&interface(3, "swp1")).unwrap();
    writer.interface(&interface(5, "swp2")).unwrap();
    writer.frame(&frame(b"one", 1_795_576_986_834_193_439, 5), Some("NAK: sequence error")).unwrap();
    writer.dropped(InterfaceId(5), 1_795_576_986_900_000_000, 7).unwrap();
    writer.dropped(InterfaceId(5), 1_795_576_987_000_000_000, 2).unwrap();
    writer.frame(&frame(b"four", 1_795_576_988_000_000_000, 3), None).unwrap();
    writer.frame(&frame(b"nowhere", 1, 9), None).unwrap();
    let written = writer.written();
    let file = writer.finish().unwrap();
    assert_eq!(file.len() as u64, written);
    let path = folder.path().join("x.pcapng");
    std::fs::write(&path, &file).unwrap();
    let (read, inputs) = read(&[path]);
    let names: Vec<Option<&str>> = read.interfaces.iter().map(|i| i.name.as_deref()).collect();
    assert_eq!(names, [Some("swp1"), Some("swp2")]);
    assert_eq!((read.interfaces[0].speed_bps, read.interfaces[0].fcs_len), (Some(400_000_000_000), 4));
    let (one, four) = (b"one".to_vec(), b"four".to_vec());
    assert_eq!(read.frames[0], (1_795_576_986_834_193_439, 1, one, 13, Direction::Out));
    assert_eq!(read.frames[1], (1_795_576_988_000_000_000, 0, four, 14, Direction::Out));
    assert_eq!(read.frames.len(), 2);
    assert_eq!(read.dropped, [(1, 1_795_576_986_900_000_000, 7), (1, 1_795_576_987_000_000_000, 2)]);
    assert_eq!(inputs[0].comments, ["NAK: sequence error"]);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn options(folder: &Path) -> RotationOptions {
    RotationOptions {
        folder: folder.join("captures"),
        prefix: "swp1".to_owned(),
        file_bytes: 5_000,
        file_ns: 10_000_000_000,
        budget_bytes: 20_000,
    }
}

#[test]
fn files_rotate_within_the_budget_and_lose_nothing_but_the_oldest() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let mut rotation = Rotation::new(options.clone(), "fabricscope").unwrap();
    std::fs::write(options.folder.join("other.pcapng"), vec![0; 90_000]).unwrap();
    rotation.interface(&interface(0, "swp1")).unwrap();
    let start = 1_795_576_986_000_000_000;
    let bytes = [7; 1_000];
    for n in 0..100 {
        rotation.frames(&[frame(&bytes, start + n * 1_000, 0)]).unwrap();
    }
    // A quiet while: the time is over.
    rotation.frames(&[frame(&bytes, start + 20_000_000_000, 0)]).unwrap();
    assert!(names(&options.folder).last().unwrap().ends_with(".pcapng.part"));
    rotation.finish().unwrap();
    let (files, removed) = rotation.counts();
    let left: Vec<String> = names(&options.folder).into_iter().filter(|n| n.starts_with("swp1")).collect();
    assert_eq!(left.len() as u64, files - removed);
    assert!(removed > 10 && left.len() >= 3, "{left:?}");
    assert!(left[0].starts_with("swp1-20261125T") && left.iter().all(|n| n.ends_with(".pcapng")), "{left:?}");
    let paths: Vec<PathBuf> = left.iter().map(|n| options.folder.join(n)).collect();
    let total: u64 = paths.iter().map(|p| p.metadata().unwrap().len()).sum();
    assert!(total <= options.budget_bytes, "{total}");
    let (read, _) = read(&paths);
    let times: Vec<u64> = read.frames.iter().map(|f| f.0).collect();
    assert_eq!(times.last(), Some(&(start + 20_000_000_000)));
    let missing = times.windows(2).take(times.len() - 2).filter(|w| w[1] - w[0] != 1_000).count();
    assert_eq!(missing, 0);
}

#[test]
fn what_a_killed_process_left_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let mut killed = Rotation::new(options.clone(), "fabricscope").unwrap();
    killed.interface(&interface(0, "swp1")).unwrap();
    killed.frames(&[frame(b"abc", 5, 0)]).unwrap();
    std::mem::forget(killed);
    let _next = Rotation::new(options.clone(), "fabricscope").unwrap();
    assert_eq!(names(&options.folder), ["swp1-19700101T000000.000000005Z.pcapng"]);
}
