//! Classic pcap, its variants, snoop; wrappings, merging, damage, filters.

use super::build::{Bytes, classic};
use super::{FileOptions, read, read_bytes, read_with, write};
use crate::{Direction, LinkType, OpenError};

const US: u32 = 0xa1b2_c3d4;
const NS: u32 = 0xa1b2_3c4d;

#[test]
fn all_four_magics_in_all_three_wrappings() {
    let folder = tempfile::tempdir().unwrap();
    for (magic, at_ns) in [(US, 7_000_005_000), (NS, 7_000_000_005)] {
        for big in [false, true] {
            let file = classic(magic, big, &[(7, 5, b"one"), (7, 5, b"two!")]);
            let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut gz, &file).unwrap();
            let wrapped = [file.clone(), gz.finish().unwrap(), zstd::encode_all(&file[..], 1).unwrap()];
            for (bytes, name) in wrapped.iter().zip(["x.pcap", "x.pcap.gz", "x.pcap.zst"]) {
                let (seen, inputs) = read(&[write(folder.path(), name, bytes)]).unwrap();
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
fn the_modified_variant_tells_directions() {
    let mut file = Bytes::new(true);
    file.word(0xa1b2_cd34).half(2).half(4).raw(&[0; 8]).word(65535).word(1);
    for kind in [0, 4] {
        file.word(1).word(2).word(3).word(3).word(9).half(0x0800).raw(&[kind, 0]).raw(b"abc");
    }
    let (seen, input) = read_bytes(&file.file).unwrap();
    assert_eq!(seen.bytes(), [b"abc", b"abc"]);
    assert_eq!(seen.directions, [Direction::In, Direction::Out]);
    assert_eq!((input.first_ns, input.damage.len()), (Some(1_000_002_000), 0));
}

#[test]
fn link_type_field_carries_the_check_sequence_length() {
    let mut file = classic(US, false, &[]);
    file[20..24].copy_from_slice(&(1_u32 | 1 << 26 | 2 << 28).to_le_bytes());
    let (seen, _) = read_bytes(&file).unwrap();
    assert_eq!((seen.interfaces[0].link_type, seen.interfaces[0].fcs_len), (LinkType::Ethernet, 4));
}

#[test]
fn old_versions_have_their_lengths_the_other_way_round() {
    let mut file = classic(US, false, &[(1, 0, b"abcd")]);
    file[6] = 2;
    let record = 24 + 8;
    file[record..record + 8].copy_from_slice(&[9, 0, 0, 0, 4, 0, 0, 0]);
    let (seen, _) = read_bytes(&file).unwrap();
    assert_eq!(seen.frames[0].2, b"abcd");
    assert_eq!(seen.frames[0].3, 9);
}

#[test]
fn snoop_counts_what_it_lost() {
    let mut file = Bytes::new(true);
    file.raw(b"snoop\0\0\0").word(2).word(4);
    for (drops, frame) in [(0, b"one"), (5, b"two"), (5, b"six")] {
        file.word(60).word(3).word(28).word(drops).word(8).word(9).padded(frame);
    }
    let (seen, input) = read_bytes(&file.file).unwrap();
    assert_eq!(seen.bytes(), [b"one", b"two", b"six"]);
    assert_eq!(seen.dropped, [(0, 8_000_009_000, 5, 1)]);
    assert_eq!((input.dropped, input.damage.len()), (5, 0));
}

#[test]
fn several_files_are_merged_by_time_then_by_order() {
    let folder = tempfile::tempdir().unwrap();
    let a = write(folder.path(), "a", &classic(NS, false, &[(1, 0, b"a1"), (3, 0, b"a3"), (5, 0, b"a5")]));
    let b = write(folder.path(), "b", &classic(NS, true, &[(2, 0, b"b2"), (3, 0, b"b3"), (2, 0, b"b2")]));
    let (seen, _) = read(&[a, b]).unwrap();
    assert_eq!(seen.bytes(), [b"a1", b"b2", b"a3", b"b3", b"b2", b"a5"]);
    assert_eq!(seen.interfaces.iter().map(|i| i.source.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn hundreds_of_rotated_files_are_opened_as_their_time_comes() {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for at in (0..300_u32).rev() {
        let file = classic(NS, false, &[(at, 0, &at.to_be_bytes()), (at, 5, &at.to_be_bytes())]);
        paths.push(write(folder.path(), &format!("{at}.pcap"), &file));
    }
    let (seen, inputs) = read(&paths).unwrap();
    assert_eq!(seen.frames.len(), 600);
    assert!(seen.frames.is_sorted_by_key(|f| f.0));
    assert_eq!(seen.interfaces[0].source, "0.pcap");
    assert!(inputs.iter().all(|i| i.frames == 2 && i.read_bytes == 24 + 40 && i.damage.is_empty()));
}

#[test]
fn a_cut_record_is_damage_and_what_precedes_it_is_lent() {
    let file = classic(US, false, &[(7, 5, b"one"), (7, 5, b"two!")]);
    let (seen, input) = read_bytes(&file[..file.len() - 2]).unwrap();
    assert_eq!(seen.frames.len(), 1);
    assert_eq!(input.damage[0].offset, 24 + 16 + 3);
    assert_eq!(
        input.damage[0].to_string(),
        "at byte 43: expected a record of at least 20 bytes, found the file's last 18 bytes; \
         what precedes it was read, reading ended"
    );
}

#[test]
fn reading_goes_on_behind_a_damaged_record() {
    let frame: &[u8] = &[7; 100];
    let mut file = classic(NS, false, &[(9, 1, frame), (9, 2, frame), (9, 3, frame), (9, 4, frame), (9, 5, frame)]);
    // The length of the second record becomes absurd, beyond the file, or such that it swallows the next two.
    for (wrong, after) in [(0xffff_ffff_u32, &[4, 5][..]), (260_000, &[4, 5]), (300, &[5])] {
        file[24 + 116 + 8..][..4].copy_from_slice(&wrong.to_le_bytes());
        let (seen, input) = read_bytes(&file).unwrap();
        let times: Vec<u64> = seen.frames.iter().map(|f| f.0 - 9_000_000_000).collect();
        assert!(times.starts_with(&[1]) && times.ends_with(after), "{wrong}: {times:?}");
        assert_eq!(input.damage.len(), 1, "{:?}", input.damage);
        assert!(input.damage[0].outcome.contains("went on"), "{}", input.damage[0]);
    }
}

#[test]
fn bytes_put_in_between_are_passed_over() {
    let file = classic(NS, false, &[(9, 1, b"one"), (9, 2, b"two"), (9, 3, b"three"), (9, 4, b"four")]);
    let at = 24 + 2 * 19;
    let torn = [&file[..at], &[0xff; 5000], &file[at..]].concat();
    let (seen, input) = read_bytes(&torn).unwrap();
    assert_eq!(seen.bytes(), [&b"one"[..], b"two", b"three", b"four"]);
    assert!(input.damage[0].outcome.starts_with("5000 bytes passed over"), "{}", input.damage[0]);
}

#[test]
fn what_is_no_capture_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let good = write(folder.path(), "good.pcap", &classic(US, false, &[]));
    let bad = write(folder.path(), "bad.txt", b"hello");
    let error = read(&[good.clone(), bad]).err().unwrap().to_string();
    assert!(error.contains("bad.txt") && error.contains("text that begins with \"hello\""), "{error}");
    let gone = read(&[good, folder.path().join("gone.pcap")]).err().unwrap().to_string();
    assert!(gone.contains("gone.pcap") && gone.contains("No such file"), "{gone}");
    let twice = zstd::encode_all(&zstd::encode_all(&b"x"[..], 1).unwrap()[..], 1).unwrap();
    let twice = read_bytes(&twice).err().unwrap().to_string();
    assert!(twice.contains("zstd twice"), "{twice}");
    assert!(matches!(read_bytes(b""), Err(OpenError::Empty { .. })));
    assert!(matches!(read(&[]), Err(OpenError::NoInput)));
}

fn udp(port: u16) -> Vec<u8> {
    let mut frame = vec![0; 60];
    frame[12] = 8;
    frame[14] = 0x45;
    frame[23] = 17;
    frame[36..38].copy_from_slice(&port.to_be_bytes());
    frame
}

#[test]
fn a_filter_counts_what_it_leaves_out() {
    let folder = tempfile::tempdir().unwrap();
    let (roce, other) = (udp(4791), udp(53));
    let file = classic(NS, false, &[(1, 0, &roce), (2, 0, &other), (3, 0, &roce)]);
    let path = write(folder.path(), "x.pcap", &file);
    let with = |filter: &str| read_with(std::slice::from_ref(&path), &FileOptions { filter: Some(filter.to_owned()) });
    let (seen, inputs) = with("udp port 4791").unwrap();
    assert_eq!(seen.bytes(), [&roce[..], &roce]);
    assert_eq!((inputs[0].frames, inputs[0].filtered), (2, 1));
    // The length that a filter sees is that on the wire.
    assert_eq!(with("greater 64").unwrap().0.frames.len(), 3);
    assert_eq!(with("greater 65").unwrap().0.frames.len(), 0);
    assert_eq!(with(" ").unwrap().0.frames.len(), 3);
    let error = with("udp prt 5").err().unwrap().to_string();
    assert!(error.contains("udp prt 5") && error.contains("ethernet") && error.contains("syntax"), "{error}");
}

#[test]
fn a_filter_for_a_link_type_that_libpcap_does_not_know_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = classic(NS, false, &[(1, 0, b"abcd")]);
    file[20] = 247;
    let paths = [write(folder.path(), "ib.pcap", &file)];
    let filter = FileOptions { filter: Some("udp".to_owned()) };
    let error = read_with(&paths, &filter).err().unwrap().to_string();
    assert!(error.contains("infiniband"), "{error}");
    let ethernet = write(folder.path(), "eth.pcap", &classic(NS, false, &[(1, 0, &udp(1))]));
    let (seen, inputs) = read_with(&[paths[0].clone(), ethernet], &filter).unwrap();
    assert_eq!((seen.frames.len(), inputs[0].filtered), (1, 1));
    assert!(inputs[0].damage[0].found.contains("infiniband"), "{}", inputs[0].damage[0]);
}
