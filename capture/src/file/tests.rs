//! Small files built here, read back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use crate::{Frame, Input, Interface, InterfaceId, LinkType, OpenError, Sink, Step};

use super::{FileOptions, open};

#[derive(Default)]
struct Seen {
    interfaces: Vec<Interface>,
    frames: Vec<(u64, u16, Vec<u8>, u32)>,
    dropped: Vec<(u16, u64, u64)>,
}

impl Sink for Seen {
    fn interface(&mut self, interface: &Interface) {
        self.interfaces.push(interface.clone());
    }
    fn frames(&mut self, batch: &[Frame<'_>]) {
        assert!(!batch.is_empty());
        self.frames.extend(batch.iter().map(|f| (f.at_ns, f.interface.0, f.bytes.to_vec(), f.wire_len)));
    }
    fn dropped(&mut self, interface: InterfaceId, at_ns: u64, count: u64) {
        self.dropped.push((interface.0, at_ns, count));
    }
}

fn read(paths: &[PathBuf]) -> Result<(Seen, Vec<Input>), OpenError> {
    let mut source = open(paths, &FileOptions::default())?;
    let mut seen = Seen::default();
    while source.step(&mut seen) != Step::End {}
    Ok((seen, source.inputs()))
}

fn classic(magic: u32, big: bool, records: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let word = |w: u32| if big { w.to_be_bytes() } else { w.to_le_bytes() };
    let half = |h: u16| if big { h.to_be_bytes() } else { h.to_le_bytes() };
    let mut file = Vec::new();
    file.extend(word(magic));
    file.extend(half(2));
    file.extend(half(4));
    file.extend([0; 8]);
    file.extend(word(65535));
    file.extend(word(1));
    for (seconds, fraction, bytes) in records {
        let len = bytes.len() as u32;
        file.extend([word(*seconds), word(*fraction), word(len), word(len + 4)].concat());
        file.extend(*bytes);
    }
    file
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn all_four_magics_in_all_three_wrappings() {
    let folder = tempfile::tempdir().unwrap();
    for (magic, at_ns) in [(0xa1b2_c3d4, 7_000_005_000), (0xa1b2_3c4d, 7_000_000_005)] {
        for big in [false, true] {
            let file = classic(magic, big, &[(7, 5, b"one"), (7, 5, b"two!")]);
            let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut gz, &file).unwrap();
            let wrapped = [file.clone(), gz.finish().unwrap(), zstd::encode_all(&file[..], 1).unwrap()];
            for (bytes, name) in wrapped.iter().zip(["x.pcap", "x.pcap.gz", "x.pcap.zst"]) {
                let path = write(folder.path(), name, bytes);
                let (seen, inputs) = read(&[path]).unwrap();
                assert_eq!(seen.interfaces.len(), 1);
                assert_eq!(seen.interfaces[0].source, "x.pcap");
                assert_eq!(seen.interfaces[0].link_type, LinkType::Ethernet);
                assert_eq!(seen.frames, [(at_ns, 0, b"one".to_vec(), 7), (at_ns, 0, b"two!".to_vec(), 8)]);
                assert_eq!((inputs[0].frames, inputs[0].captured_bytes), (2, 7));
                assert_eq!((inputs[0].first_ns, inputs[0].damage.len()), (Some(at_ns), 0));
                assert_eq!(inputs[0].read_bytes, bytes.len() as u64);
            }
        }
    }
}

#[test]
fn several_files_are_merged_by_time_then_by_order() {
    let folder = tempfile::tempdir().unwrap();
    let a = write(folder.path(), "a", &classic(0xa1b2_3c4d, false, &[(1, 0, b"a1"), (3, 0, b"a3"), (5, 0, b"a5")]));
    let b = write(folder.path(), "b", &classic(0xa1b2_3c4d, true, &[(2, 0, b"b2"), (3, 0, b"b3"), (2, 0, b"b2")]));
    let (seen, _) = read(&[a, b]).unwrap();
    let order: Vec<&[u8]> = seen.frames.iter().map(|f| f.2.as_slice()).collect();
    assert_eq!(order, [b"a1", b"b2", b"a3", b"b3", b"b2", b"a5"]);
    assert_eq!(seen.interfaces.iter().map(|i| i.source.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn a_cut_record_is_damage_and_what_precedes_it_is_lent() {
    let folder = tempfile::tempdir().unwrap();
    let file = classic(0xa1b2_c3d4, false, &[(7, 5, b"one"), (7, 5, b"two!")]);
    let path = write(folder.path(), "x.pcap", &file[..file.len() - 2]);
    let (seen, inputs) = read(&[path]).unwrap();
    assert_eq!(seen.frames.len(), 1);
    assert_eq!(inputs[0].damage[0].offset, 24 + 16 + 3);
}

#[test]
fn what_is_no_capture_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let good = write(folder.path(), "good.pcap", &classic(0xa1b2_c3d4, false, &[]));
    let bad = write(folder.path(), "bad.txt", b"hello");
    let error = read(&[good, bad]).err().unwrap().to_string();
    assert!(error.contains("bad.txt") && error.contains("68 65 6c 6c 6f"), "{error}");
    let empty = write(folder.path(), "empty", b"");
    assert!(matches!(read(&[empty]), Err(OpenError::Empty { .. })));
}
