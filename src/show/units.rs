//! Numbers for people: short, with their unit, never more digits than matter.

use analyzer::text::thousands;

/// Nanoseconds as `830 ns`, `12.4 us`, `3.10 ms`, `2.50 s`, `4 m 05 s`, `2 h 03 m`.
pub fn duration(ns: u64) -> String {
    const MINUTE_S: u64 = 60;
    const HOUR_S: u64 = 3_600;
    let seconds = ns / 1_000_000_000;
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{} us", three_digits(ns as f64 / 1e3)),
        1_000_000..1_000_000_000 => format!("{} ms", three_digits(ns as f64 / 1e6)),
        _ if seconds < 2 * MINUTE_S => format!("{} s", three_digits(ns as f64 / 1e9)),
        _ if seconds < 2 * HOUR_S => format!("{} m {:02} s", seconds / MINUTE_S, seconds % MINUTE_S),
        _ => format!("{} h {:02} m", seconds / HOUR_S, seconds % HOUR_S / MINUTE_S),
    }
}

/// Bits per second as `950 bit/s`, `12.4 Mbit/s`, `387 Gbit/s`.
pub fn rate(bps: f64) -> String {
    let (scaled, prefix) = scale(bps);
    format!("{} {prefix}bit/s", three_digits(scaled))
}

/// Bytes as `950 B`, `12.4 MB` (powers of ten, as network rates are).
pub fn bytes(count: u64) -> String {
    let (scaled, prefix) = scale(count as f64);
    format!("{} {prefix}B", three_digits(scaled))
}

fn scale(value: f64) -> (f64, &'static str) {
    match value.abs() {
        v if v < 999.5 => (value, ""),
        v if v < 999.5e3 => (value / 1e3, "k"),
        v if v < 999.5e6 => (value / 1e6, "M"),
        v if v < 999.5e9 => (value / 1e9, "G"),
        _ => (value / 1e12, "T"),
    }
}

/// At most three significant digits; whole numbers keep no decimals.
pub fn three_digits(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1000.0 {
        return format!("{value:.0}");
    }
    match value.abs() {
        v if v < 9.995 => format!("{value:.2}"),
        v if v < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// With thousands separated: `1,234,567`.
pub fn count(value: u64) -> String {
    thousands(&value.to_string())
}

/// `1 frame`, `2 frames`.
pub fn counted(value: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(value), if value == 1 { "" } else { "s" })
}

/// A measured value with its unit: rates and times scaled, shares as percent, the rest as it is.
pub fn value(value: f64, unit: &str) -> String {
    match unit {
        "ns" if value >= 0.0 => duration(value as u64),
        "us" if value >= 0.0 => duration((value * 1e3).round() as u64),
        "ms" if value >= 0.0 => duration((value * 1e6).round() as u64),
        "bps" | "bit/s" => rate(value),
        "bytes" if value >= 0.0 => bytes(value as u64),
        "share" | "ratio of packets" => percent(value),
        "%" => format!("{} %", small(value)),
        "" => small(value),
        _ => format!("{} {unit}", small(value)),
    }
}

/// A share 0..1 as percent; what is not zero never reads as zero.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        0.0 => "0 %".to_owned(),
        p if p < 0.01 => "<0.01 %".to_owned(),
        p => format!("{} %", three_digits(p)),
    }
}

fn small(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        let digits = count(value.abs() as u64);
        return if value < 0.0 { format!("-{digits}") } else { digits };
    }
    if value.abs() < 0.01 { format!("{value:.2e}") } else { three_digits(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits_and_a_unit() {
        assert_eq!(duration(830), "830 ns");
        assert_eq!(duration(12_400), "12.4 us");
        assert_eq!(duration(2_500_000_000), "2.50 s");
        assert_eq!(duration(245_000_000_000), "4 m 05 s");
        assert_eq!(duration(7_380_000_000_000), "2 h 03 m");
        assert_eq!(rate(387e9), "387 Gbit/s");
        assert_eq!(rate(999.9e6), "1.00 Gbit/s");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(12), "12");
        assert_eq!(counted(1, "link"), "1 link");
        assert_eq!(value(0.0000021, "share"), "<0.01 %");
        assert_eq!(value(3.0, "packets"), "3 packets");
        assert_eq!(value(2e-6, "x"), "2.00e-6 x");
    }
}
