//! Whatever a file holds: no panic, no hang, and what precedes damage is lent.

use proptest::prelude::*;

use super::build::{Bytes, classic, nothing};
use super::read_bytes;

const MAGICS: [&[u8]; 8] = [
    &[0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4],
    &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0],
    &[0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0],
    &[0x34, 0xcd, 0xb2, 0xa1, 2, 0, 4, 0],
    &[0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0],
    b"snoop\0\0\0\0\0\0\x02\0\0\0\x04",
    &[0x1f, 0x8b, 8],
    &[0x28, 0xb5, 0x2f, 0xfd],
];

fn small_pcapng(big: bool) -> Vec<u8> {
    let mut file = Bytes::new(big);
    file.section().interface(1, |b| {
        b.option(2, b"swp1").option(9, &[9]).half(0).half(0);
    });
    for at in 1..6 {
        file.enhanced(0, at, &[at as u8; 21], |b| {
            b.half(4).half(8).double(at);
        });
    }
    file.block(5, |b| {
        b.word(0).word(0).word(9).half(5).half(8).double(70);
    });
    file.interface(113, nothing).enhanced(1, 9, b"end", nothing);
    file.file
}

fn small_classic(big: bool) -> Vec<u8> {
    let frames: Vec<(u32, u32, Vec<u8>)> = (0..6).map(|at| (1000 + at, at, vec![at as u8; 20])).collect();
    let records: Vec<(u32, u32, &[u8])> = frames.iter().map(|(s, f, b)| (*s, *f, b.as_slice())).collect();
    classic(0xa1b2_3c4d, big, &records)
}

#[test]
fn every_shorter_length_lends_a_prefix() {
    for file in [small_pcapng(false), small_pcapng(true), small_classic(false), small_classic(true)] {
        let whole = read_bytes(&file).unwrap();
        assert_eq!(whole.1.damage, []);
        assert_eq!(whole.0.frames.len(), 6);
        for len in 0..file.len() {
            let Ok((seen, input)) = read_bytes(&file[..len]) else {
                assert!(len < 28, "{len} bytes are refused");
                continue;
            };
            assert!(whole.0.frames.starts_with(&seen.frames), "{len}");
            assert!(input.damage.len() <= 1, "{len}: {:?}", input.damage);
        }
    }
}

#[test]
fn every_byte_may_be_wrong() {
    for file in [small_pcapng(false), small_classic(true)] {
        for at in 0..file.len() {
            for wrong in [0, 0xff, file[at] ^ 1, file[at] ^ 0x80] {
                let mut damaged = file.clone();
                damaged[at] = wrong;
                if let Ok((seen, input)) = read_bytes(&damaged) {
                    // At most the frame that was hit and its neighbour are lost, unless the headers before them were hit.
                    let lost = 6_usize.saturating_sub(seen.frames.len());
                    assert!(at < 72 || lost <= 2, "byte {at} as {wrong:#x}: {lost} lost, {:?}", input.damage);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_behind_a_magic(kind in 0..MAGICS.len(), bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = read_bytes(&[MAGICS[kind], &bytes[..]].concat());
    }

    #[test]
    fn any_holes_and_insertions(at in 0..300_usize, cut in 0..40_usize, put in prop::collection::vec(any::<u8>(), 0..40)) {
        for file in [small_pcapng(true), small_classic(false)] {
            let at = at.min(file.len());
            let end = (at + cut).min(file.len());
            let _ = read_bytes(&[&file[..at], &put, &file[end..]].concat());
        }
    }
}
