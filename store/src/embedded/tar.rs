//! Just enough of the tar format (POSIX.1-1988 ustar) to take one file out of an npm package.

use std::io::{self, Read};

const BLOCK: usize = 512;

fn wrong(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Octal digits that end at a space or NUL.
fn octal(field: &[u8]) -> io::Result<u64> {
    let digits = field.iter().skip_while(|b| **b == b' ').take_while(|b| (b'0'..=b'7').contains(*b));
    let digits: Vec<u8> = digits.copied().collect();
    if digits.is_empty() || digits.len() > 12 {
        return Err(wrong("a tar header has no size"));
    }
    Ok(digits.iter().fold(0, |n, d| n * 8 + u64::from(d - b'0')))
}

/// Moves to the content of the file `path`: its size in bytes; what is read next is the content.
pub fn seek_to(archive: &mut impl Read, path: &str) -> io::Result<u64> {
    let mut header = [0u8; BLOCK];
    loop {
        archive.read_exact(&mut header)?;
        let (name, rest) = header.split_at(100);
        if name.iter().all(|b| *b == 0) {
            return Err(wrong("the file is not in the archive"));
        }
        let size = octal(rest.get(24..36).unwrap_or_default())?;
        let name = name.split(|b| *b == 0).next().unwrap_or_default();
        if name == path.as_bytes() {
            return Ok(size);
        }
        let padded = size.div_ceil(BLOCK as u64) * BLOCK as u64;
        if io::copy(&mut archive.by_ref().take(padded), &mut io::sink())? != padded {
            return Err(wrong("the archive ends in the middle of a file"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, content: &[u8]) -> Vec<u8> {
        let mut block = vec![0u8; BLOCK];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[124..136].copy_from_slice(format!("{:011o} ", content.len()).as_bytes());
        block.extend_from_slice(content);
        block.resize(block.len().div_ceil(BLOCK) * BLOCK, 0);
        block
    }

    #[test]
    fn a_file_is_found_behind_others() {
        let mut archive = entry("package/a", &[7; 600]);
        archive.extend(entry("package/b", b"content"));
        archive.extend([0; 2 * BLOCK]);
        let mut rest = archive.as_slice();
        assert_eq!(seek_to(&mut rest, "package/b").unwrap(), 7);
        assert_eq!(&rest[..7], b"content");
        assert!(seek_to(&mut archive.as_slice(), "package/c").is_err());
        assert!(seek_to(&mut &archive[..900], "package/b").is_err());
    }
}
