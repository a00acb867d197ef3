//! pcapng: sections, interfaces, times, losses, damage.

use super::build::{Bytes, nothing};
use super::read_bytes;
use crate::{Direction, LinkType};

#[test]
fn interfaces_have_their_own_resolution_offset_name_and_speed() {
    for big in [false, true] {
        let mut file = Bytes::new(big);
        file.section();
        file.interface(1, |b| {
            b.option(2, b"swp1").option(9, &[9]).option(13, &[4]);
            b.half(8).half(8).double(400_000_000_000);
            b.half(0).half(0);
        });
        file.interface(247, |b| {
            b.option(9, &[0x80 | 10]);
            b.half(14).half(8).double(-5_i64 as u64);
        });
        file.interface(113, nothing);
        file.interface(1, |b| {
            b.option(9, &[12]);
        });
        file.enhanced(0, 1_000_000_007, b"one", nothing);
        file.enhanced(1, 10 * 1024 + 512, b"three", nothing);
        file.enhanced(2, 7, b"x", nothing);
        file.enhanced(3, 9_999, b"y", nothing);
        let (seen, input) = read_bytes(&file.file).unwrap();
        let frames: Vec<(u64, u16, u32)> = seen.frames.iter().map(|f| (f.0, f.1, f.3)).collect();
        assert_eq!(frames, [(1_000_000_007, 0, 7), (5_500_000_000, 1, 9), (7_000, 2, 5), (9, 3, 5)]);
        let first = &seen.interfaces[0];
        assert_eq!((first.name.as_deref(), first.speed_bps, first.fcs_len), (Some("swp1"), Some(400_000_000_000), 4));
        let indices: Vec<u32> = seen.interfaces.iter().map(|i| i.index_in_file).collect();
        assert_eq!(indices, [0, 1, 2, 3]);
        assert_eq!(seen.interfaces[1].link_type, LinkType::Infiniband);
        assert_eq!(input.link_types, ["ethernet", "infiniband", "linux-sll"]);
        assert_eq!(input.damage, []);
    }
}

#[test]
fn sections_change_byte_order_and_begin_their_interfaces_anew() {
    let mut file = Bytes::new(false);
    file.section().interface(1, nothing).enhanced(0, 1, b"one", nothing);
    file.big = true;
    file.section().interface(101, nothing).interface(1, nothing).enhanced(1, 2, b"two", nothing);
    let (seen, input) = read_bytes(&file.file).unwrap();
    assert_eq!(seen.bytes(), [b"one", b"two"]);
    assert_eq!(seen.frames.iter().map(|f| f.1).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(input.damage, []);
}

#[test]
fn losses_are_told_once_and_before_the_frame_that_follows_them() {
    let mut file = Bytes::new(false);
    file.section().interface(1, nothing);
    file.enhanced(0, 1, b"one", nothing);
    file.enhanced(0, 2, b"two", |b| {
        b.half(4).half(8).double(3);
    });
    // Old packet block: 2 lost.
    file.block(2, |b| {
        b.half(0).half(2).word(0).word(3).word(3).word(3).padded(b"old");
    });
    // Statistics: 7 by the interface, 1 by the system, of which 5 are known.
    file.block(5, |b| {
        b.word(0).word(0).word(9).half(5).half(8).double(7).half(7).half(8).double(1).half(0).half(0);
    });
    let (seen, input) = read_bytes(&file.file).unwrap();
    assert_eq!(seen.bytes(), [b"one", b"two", b"old"]);
    assert_eq!(seen.dropped, [(0, 2_000, 3, 1), (0, 3_000, 2, 2), (0, 9_000, 3, 3)]);
    assert_eq!(input.dropped, 8);
}

#[test]
fn flags_comments_and_simple_packets() {
    let mut file = Bytes::new(true);
    file.section().interface(1, nothing);
    file.enhanced(0, 5, b"in", |b| {
        b.half(2).half(4).word(1).option(1, b"look\x1b[2J here");
    });
    file.enhanced(0, 6, b"out", |b| {
        b.half(2).half(4).word(2);
    });
    file.block(3, |b| {
        b.word(100).padded(b"abcdefgh");
    });
    file.block(0x0bad, |b| {
        b.word(32473).raw(b"anything");
    });
    let (seen, input) = read_bytes(&file.file).unwrap();
    assert_eq!(seen.directions, [Direction::In, Direction::Out, Direction::Unknown]);
    assert_eq!(seen.frames[2], (6_000, 0, b"abcdefgh".to_vec(), 100));
    assert_eq!((input.comments, input.without_time), (vec!["look [2J here".to_owned()], 1));
}

#[test]
fn a_frame_of_no_interface_is_passed_over() {
    let mut file = Bytes::new(false);
    file.section().interface(1, nothing).enhanced(7, 1, b"bad", nothing).enhanced(0, 2, b"good", nothing);
    let (seen, input) = read_bytes(&file.file).unwrap();
    assert_eq!(seen.bytes(), [b"good"]);
    assert_eq!(input.damage[0].found, "a frame of interface 7");
    assert_eq!(input.damage[0].offset, 28 + 20);
}

#[test]
fn reading_goes_on_behind_a_damaged_block() {
    let mut file = Bytes::new(false);
    file.section().interface(1, nothing).enhanced(0, 1, b"one", nothing);
    let second = file.file.len();
    file.enhanced(0, 2, b"two", nothing).enhanced(0, 3, b"three", nothing);
    for wrong in [0_u32, 13, 0xffff_fffc, 400_000, 16] {
        let mut damaged = file.file.clone();
        damaged[second + 4..second + 8].copy_from_slice(&wrong.to_le_bytes());
        let (seen, input) = read_bytes(&damaged).unwrap();
        assert_eq!(seen.bytes(), [&b"one"[..], b"three"], "{wrong}");
        assert_eq!((input.damage.len(), input.damage[0].offset), (1, second as u64), "{:?}", input.damage);
    }
    let mut forgiven = file.file.clone();
    forgiven[second + 32] ^= 1;
    let (seen, input) = read_bytes(&forgiven).unwrap();
    assert_eq!((seen.frames.len(), input.damage.len()), (3, 1));
}

#[test]
fn a_large_block_of_no_use_is_passed_over_without_holding_it() {
    let mut file = Bytes::new(false);
    file.section().interface(1, nothing);
    file.block(0x0bad, |b| {
        b.raw(&vec![7; 3 << 20]);
    });
    file.enhanced(0, 2, b"good", nothing);
    let (seen, input) = read_bytes(&file.file).unwrap();
    assert_eq!((seen.bytes(), input.damage), (vec![&b"good"[..]], vec![]));
}

#[test]
fn interfaces_are_bounded() {
    let mut file = Bytes::new(false);
    file.section();
    for _ in 0..5000 {
        file.interface(1, nothing);
    }
    file.enhanced(4095, 1, b"last", nothing).enhanced(4096, 1, b"beyond", nothing);
    let (seen, input) = read_bytes(&file.file).unwrap();
    assert_eq!((seen.interfaces.len(), seen.bytes()), (4096, vec![&b"last"[..]]));
    assert_eq!(input.damage.len() as u64 + input.damage_left_out, 905);
}
