//! Options of a block: code, length, value, padded to 4 bytes.

use crate::file::format::{Found, Order};

/// Longest text that is kept of an option, in characters.
const MAX_TEXT: usize = 256;
/// Most comments found in one walk that are kept.
const MAX_COMMENTS: usize = 16;

const END: u16 = 0;
const COMMENT: u16 = 1;

/// One option.
#[derive(Clone, Copy)]
pub(super) struct Choice<'a> {
    pub(super) code: u16,
    pub(super) value: &'a [u8],
}

/// The options of a block, up to the end of them or to the first that claims more than there is.
pub(super) fn walk(order: Order, mut bytes: &[u8]) -> impl Iterator<Item = Choice<'_>> {
    std::iter::from_fn(move || {
        let (head, rest) = bytes.split_first_chunk::<4>()?;
        let (code, len) = (order.half(head, 0), usize::from(order.half(head, 2)));
        let value = rest.get(..len).filter(|_| code != END)?;
        bytes = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(Choice { code, value })
    })
}

/// Keeps a comment.
pub(super) fn note_comment(option: Choice<'_>, found: &mut Found) {
    if option.code == COMMENT && found.comments.len() < MAX_COMMENTS {
        found.comments.push(text(option.value));
    }
}

/// Text as it may be shown: bounded, control characters replaced.
pub(super) fn text(value: &[u8]) -> String {
    let shown = value.get(..value.len().min(MAX_TEXT * 4)).unwrap_or_default();
    let lossy = String::from_utf8_lossy(shown);
    lossy.trim_end_matches('\0').chars().take(MAX_TEXT).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
