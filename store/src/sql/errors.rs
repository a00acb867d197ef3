//! What a server's error means: try again, or never.

use clickhouse::error::Error;

use super::text::shown;
use crate::StoreError;

/// Longest part of a server's message that is kept: a failure in mid-stream carries row bytes in its text.
const MESSAGE_CHARS: usize = 400;

/// Error codes (ClickHouse, ErrorCodes.cpp) of requests that cannot succeed however often they are sent: 16 no such column,
/// 27 cannot parse input, 46 unknown function, 47 unknown identifier, 53 type mismatch, 60 unknown table, 62 syntax error,
/// 81 unknown database, 117 incorrect data, 164 read only, 184 illegal aggregation, 192 and 193 wrong user or password,
/// 497 access denied, 516 authentication failed.
const NEVER: &[u32] = &[16, 27, 46, 47, 53, 60, 62, 81, 117, 164, 184, 192, 193, 497, 516];

/// The server's code in `Code: 252. DB::Exception: ...`.
pub fn code(message: &str) -> Option<u32> {
    let (_, after) = message.split_once("Code: ")?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn server_said(message: &str) -> StoreError {
    let said = shown(message, MESSAGE_CHARS);
    match code(message) {
        Some(516 | 192 | 193) => StoreError::Never(format!(
            "ClickHouse refused the user or the password ({said}); check them in the URL: http://user:password@host:8123/database"
        )),
        Some(497) => StoreError::Never(format!(
            "the ClickHouse user may not do this ({said}); grant it SELECT, INSERT, ALTER, CREATE on the database"
        )),
        Some(code) if NEVER.contains(&code) => StoreError::Never(format!("ClickHouse refused the request: {said}")),
        // Known to pass: 159, 202, 209, 210, 241, 242, 243, 252, 999. What is not known may pass too: data is not given up for it.
        _ => StoreError::Retry(format!("ClickHouse could not do it now: {said}")),
    }
}

/// Sorts an error of the client.
pub fn sorted(error: &Error) -> StoreError {
    match error {
        Error::BadResponse(message) => server_said(message),
        Error::Network(why) => {
            StoreError::Retry(format!("cannot reach ClickHouse: {}", shown(&chain(why.as_ref()), 200)))
        }
        Error::TimedOut => StoreError::Retry("ClickHouse did not answer in time".to_owned()),
        Error::Decompression(_) | Error::Compression(_) | Error::NotEnoughData => {
            StoreError::Retry(format!("ClickHouse's answer broke off: {}", shown(&error.to_string(), 200)))
        }
        Error::Unsupported(why) => StoreError::Never(shown(why, MESSAGE_CHARS)),
        other => StoreError::Never(format!(
            "ClickHouse answered in a form that was not expected: {}; are the tables those of this version?",
            shown(&other.to_string(), MESSAGE_CHARS)
        )),
    }
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: u32) -> StoreError {
        sorted(&Error::BadResponse(format!("Code: {code}. DB::Exception: it's so. (NAME)")))
    }

    #[test]
    fn codes_are_sorted_into_again_and_never() {
        for again in [159, 202, 209, 210, 241, 242, 243, 252, 999] {
            assert!(matches!(of(again), StoreError::Retry(_)), "{again}");
        }
        for never in [27, 47, 53, 60, 62, 117, 497, 516] {
            assert!(matches!(of(never), StoreError::Never(_)), "{never}");
        }
        assert!(matches!(sorted(&Error::TimedOut), StoreError::Retry(_)));
    }

    #[test]
    fn row_bytes_in_a_message_are_cut_and_cleaned() {
        let long = format!("Code: 117. DB::Exception: bad {}\u{7}\n", "x".repeat(5_000));
        let said = sorted(&Error::BadResponse(long)).to_string();
        assert!(said.len() < 600 && !said.contains('\u{7}'), "{said}");
    }
}
