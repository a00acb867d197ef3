//! Packet time in UTC. The capture's clock is the only one shown.

const DAY_S: u64 = 86_400;

/// `2026-05-03 12:00:01.123456`, UTC.
pub fn date_time(at_ns: u64) -> String {
    let (year, month, day) = date(at_ns / 1_000_000_000 / DAY_S);
    format!("{year:04}-{month:02}-{day:02} {}", time(at_ns))
}

/// `12:00:01.123456`, UTC: where the day stands nearby.
pub fn time(at_ns: u64) -> String {
    let of_day = at_ns / 1_000_000_000 % DAY_S;
    let micros = at_ns / 1_000 % 1_000_000;
    format!("{:02}:{:02}:{:02}.{micros:06}", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

/// Proleptic Gregorian date of a day counted from 1970-01-01, by 400-year eras that begin in March.
fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era_day = shifted % 146_097;
    let era_year = (era_day - era_day / 1_460 + era_day / 36_524 - era_day / 146_096) / 365;
    let year_day = era_day - (365 * era_year + era_year / 4 - era_year / 100);
    let march_month = (5 * year_day + 2) / 153;
    let day = year_day - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (shifted / 146_097 * 400 + era_year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date_time(0), "1970-01-01 00:00:00.000000");
        assert_eq!(date_time(951_782_400_000_000_000), "2000-02-29 00:00:00.000000");
        assert_eq!(date_time(1_709_251_199_999_999_999), "2024-02-29 23:59:59.999999");
        assert_eq!(date_time(4_107_542_400_000_000_000), "2100-03-01 00:00:00.000000");
        assert_eq!(date_time(u64::MAX), "2554-07-21 23:34:33.709551");
    }
}
