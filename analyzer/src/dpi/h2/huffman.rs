//! The Huffman code of HPACK (RFC 7541 appendix B). It is canonical: lengths alone define it.

/// Bits of each symbol's code, 0 to 255; the end of string has 30.
const BITS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12,
    10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6,
    5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22,
    22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20,
    22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28,
    27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28,
    27, 27, 27, 27, 27, 26,
];

/// First code and first place in `ORDER` of each length, and how many there are.
struct Lengths {
    first: [u32; 31],
    place: [u16; 31],
    count: [u16; 31],
}

const LENGTHS: Lengths = lengths();
/// Symbols by length, then by value.
const ORDER: [u8; 256] = order();

const fn lengths() -> Lengths {
    let mut all = Lengths { first: [0; 31], place: [0; 31], count: [0; 31] };
    let mut i = 0;
    while i < 256 {
        all.count[BITS[i] as usize] += 1;
        i += 1;
    }
    let (mut code, mut place, mut bits) = (0_u32, 0_u16, 1);
    while bits < 31 {
        code = (code + all.count[bits - 1] as u32) << 1;
        all.first[bits] = code;
        all.place[bits] = place;
        place += all.count[bits];
        bits += 1;
    }
    all
}

const fn order() -> [u8; 256] {
    let mut order = [0; 256];
    let (mut place, mut bits) = (0, 1);
    while bits < 31 {
        let mut i = 0;
        while i < 256 {
            if BITS[i] as usize == bits {
                order[place] = i as u8;
                place += 1;
            }
            i += 1;
        }
        bits += 1;
    }
    order
}

/// Decodes at most `limit` bytes. `None` where no code fits.
pub fn decode(coded: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut code, mut bits) = (0_u32, 0_usize);
    for byte in coded {
        for shift in (0..8).rev() {
            code = code << 1 | u32::from(byte >> shift & 1);
            bits += 1;
            if bits > 30 {
                return None;
            }
            let (first, count) = (*LENGTHS.first.get(bits)?, u32::from(*LENGTHS.count.get(bits)?));
            if code >= first && code - first < count {
                let place = usize::from(*LENGTHS.place.get(bits)?) + (code - first) as usize;
                out.push(*ORDER.get(place)?);
                (code, bits) = (0, 0);
                if out.len() >= limit {
                    return Some(out);
                }
            }
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc() {
        let host = [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        assert_eq!(decode(&host, 99).as_deref(), Some(&b"www.example.com"[..]));
        assert_eq!(decode(&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf], 99).as_deref(), Some(&b"no-cache"[..]));
        assert_eq!(decode(&[0xff; 8], 99), None);
    }
}
