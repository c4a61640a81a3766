//! How numbers are written for people: three significant digits and the unit that fits, the same in every report.
//!
//! Nothing here knows what a number means; whether there is a number at all is the caller's business.

/// Written where a figure is absent.
pub const ABSENT: &str = "-";

/// Stands for what a backend does not tell.
pub const NOT_KNOWN: &str = "not known";

/// A unit of time and its length in nanoseconds.
const TIME_UNITS: [(&str, f64); 4] = [("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)];

/// From this many seconds on, minutes are easier to read.
const MINUTES_FROM_SECONDS: f64 = 120.0;

/// A duration in nanoseconds, for example `6.62 ms`, `412 µs`, `1.24 s`, `3 min 20 s`.
#[must_use]
pub fn duration(nanoseconds: f64) -> String {
    let seconds = nanoseconds / 1e9;
    if seconds >= MINUTES_FROM_SECONDS {
        let whole = seconds.round();
        return format!("{} min {} s", count((whole / 60.0).floor() as u64), (whole % 60.0) as u64);
    }
    let (unit, length) = time_unit(nanoseconds);
    format!("{} {unit}", significant(nanoseconds / length))
}

/// A duration as a tick of an axis or a limit: exact, without trailing zeros, for example `2.5 ms`, `0`.
#[must_use]
pub fn tick(nanoseconds: f64) -> String {
    if nanoseconds == 0.0 {
        return "0".to_owned();
    }
    let (unit, length) = time_unit(nanoseconds);
    let mut number = format!("{:.3}", nanoseconds / length);
    trim_zeros(&mut number);
    format!("{number} {unit}")
}

/// The ends of an interval in the unit that `around` is written in, for example `7.02-7.31` around `7.10 ms`, or
/// `>= 7.02` where there is no upper end.
#[must_use]
pub fn duration_range(around: f64, low: f64, high: Option<f64>) -> String {
    let (_, length) = time_unit(around);
    let low = significant(low / length);
    high.map_or_else(|| format!(">= {low}"), |high| format!("{low}-{}", significant(high / length)))
}

/// A size, for example `102 MiB`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        // 999.5 would be written as `1,000`, so the next unit takes over a little before 1,024.
        if size < 999.5 {
            break;
        }
        size /= 1024.0;
        unit = larger;
    }
    format!("{} {unit}", significant(size))
}

/// A rate per second, for example `151/s`.
#[must_use]
pub fn rate(per_second: f64) -> String {
    format!("{}/s", figure(per_second))
}

/// A rate as a tick of an axis: exact, without trailing zeros, for example `2.5/s`.
#[must_use]
pub fn rate_tick(per_second: f64) -> String {
    if per_second >= 1_000.0 {
        return format!("{}/s", count(per_second.round() as u64));
    }
    let mut number = format!("{per_second:.3}");
    trim_zeros(&mut number);
    format!("{number}/s")
}

/// A number whose unit stands elsewhere, for example in the head of a column.
#[must_use]
pub fn figure(number: f64) -> String {
    significant(number)
}

/// A share between 0 and 1 in percent, for example `4.2 %`. A share short of all is never rounded up to `100 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if share < 1.0 && percent >= 99.95 {
        return "> 99.9 %".to_owned();
    }
    if percent > 0.0 && percent < 0.001 {
        return "< 0.001 %".to_owned();
    }
    // Each threshold lies half a last digit below the round number, where rounding would write one digit too many.
    let decimals = match percent {
        p if p == 0.0 || p >= 9.95 => 1,
        p if p >= 0.995 => 1,
        p if p >= 0.0995 => 2,
        _ => 3,
    };
    let mut number = format!("{percent:.decimals$}");
    trim_zeros(&mut number);
    format!("{number} %")
}

/// A cosine similarity, with at most seven digits and at least three, for example `0.9999997`, `0.999`. It is never rounded
/// up, so that a backend short of a limit is not shown at it.
#[must_use]
pub fn cosine(value: f64) -> String {
    // A decimal such as 0.29 lies a little under what it says: without the allowance it would lose its last digit.
    let floor = (value * 1e7 + 1e-3).floor() / 1e7;
    let number = format!("{floor:.7}");
    let least = number.len() - 4;
    let kept = number.trim_end_matches('0').len().max(least);
    number[..kept].to_owned()
}

/// A count with thousands separators, for example `12,480`.
#[must_use]
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A count and its noun, for example `1 request`, `12,480 requests`.
#[must_use]
pub fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// The name of a percentile, for example `P95`, `P99.9`.
#[must_use]
pub fn percentile(quantile: f64) -> String {
    let mut number = format!("{:.4}", quantile * 100.0);
    trim_zeros(&mut number);
    format!("P{number}")
}

/// Three significant digits, thousands separated, for example `6.62`, `41.3`, `412`, `1,510`.
fn significant(number: f64) -> String {
    let size = number.abs();
    if size < 0.0005 {
        return "0".to_owned();
    }
    // As in `percent`: 9.996 is written 10.0, and not 10.00.
    match size {
        s if s < 0.0995 => format!("{number:.3}"),
        s if s < 9.995 => format!("{number:.2}"),
        s if s < 99.95 => format!("{number:.1}"),
        _ => format!("{}{}", if number < 0.0 { "-" } else { "" }, count(size.round() as u64)),
    }
}

/// The largest unit in which a duration is written as one or more, rounding considered: 999.6 µs is `1.00 ms`.
fn time_unit(nanoseconds: f64) -> (&'static str, f64) {
    let size = nanoseconds.abs();
    let fits = |&&(_, length): &&(&str, f64)| size >= length * 0.9995;
    TIME_UNITS.iter().rev().find(fits).copied().unwrap_or(TIME_UNITS[0])
}

fn trim_zeros(number: &mut String) {
    if number.contains('.') {
        let kept = number.trim_end_matches('0').trim_end_matches('.').len();
        number.truncate(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_significant_digits_and_the_unit_that_fits() {
        let written = [
            (0.0, "0 ns"),
            (28.0, "28.0 ns"),
            (412_000.0, "412 µs"),
            (999_499.0, "999 µs"),
            (999_600.0, "1.00 ms"),
            (6_620_000.0, "6.62 ms"),
            (9_996_000.0, "10.0 ms"),
            (41_340_000.0, "41.3 ms"),
            (1_240_000_000.0, "1.24 s"),
            (119_900_000_000.0, "120 s"),
            (200_000_000_000.0, "3 min 20 s"),
            (-1_500.0, "-1.50 µs"),
        ];
        for (nanoseconds, expected) in written {
            assert_eq!(duration(nanoseconds), expected, "{nanoseconds} ns");
        }
    }

    #[test]
    fn ticks_are_exact_and_short() {
        let written =
            [(0.0, "0"), (1e6, "1 ms"), (2.5e6, "2.5 ms"), (1e8, "100 ms"), (1e9, "1 s"), (5e4, "50 µs")];
        for (nanoseconds, expected) in written {
            assert_eq!(tick(nanoseconds), expected, "{nanoseconds} ns");
        }
    }

    #[test]
    fn an_interval_is_written_in_the_unit_of_its_estimate() {
        assert_eq!(duration_range(7.1e6, 7.02e6, Some(7.31e6)), "7.02-7.31");
        assert_eq!(duration_range(1.02e6, 0.98e6, Some(1.1e6)), "0.98-1.10");
        assert_eq!(duration_range(7.1e6, 7.02e6, None), ">= 7.02");
    }

    #[test]
    fn sizes_are_binary() {
        let written = [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "0.98 KiB"),
            (1_024, "1.00 KiB"),
            (1_048_064, "1.00 MiB"),
            (106_954_752, "102 MiB"),
            (16 << 30, "16.0 GiB"),
        ];
        for (size, expected) in written {
            assert_eq!(bytes(size), expected, "{size} bytes");
        }
    }

    #[test]
    fn rates_are_per_second() {
        let written = [(0.0, "0/s"), (0.52, "0.52/s"), (151.2, "151/s"), (1_510.4, "1,510/s")];
        for (per_second, expected) in written {
            assert_eq!(rate(per_second), expected);
        }
        let ticks = [(0.5, "0.5/s"), (20.0, "20/s"), (5_000.0, "5,000/s")];
        for (per_second, expected) in ticks {
            assert_eq!(rate_tick(per_second), expected);
        }
    }

    #[test]
    fn a_share_short_of_all_is_never_written_as_all() {
        let written = [
            (0.0, "0 %"),
            (0.000_001, "< 0.001 %"),
            (0.000_42, "0.042 %"),
            (0.004_2, "0.42 %"),
            (0.042, "4.2 %"),
            (0.05, "5 %"),
            (0.123, "12.3 %"),
            (0.5, "50 %"),
            (0.999_7, "> 99.9 %"),
            (1.0, "100 %"),
        ];
        for (share, expected) in written {
            assert_eq!(percent(share), expected, "{share}");
        }
    }

    #[test]
    fn a_cosine_has_the_digits_it_needs_and_is_never_rounded_up() {
        let written = [
            (0.999, "0.999"),
            (0.984, "0.984"),
            (0.999_93, "0.99993"),
            (0.999_999_7, "0.9999997"),
            (0.999_999_96, "0.9999999"),
            (0.998_999_99, "0.9989999"),
            (1.0, "1.000"),
            (-0.25, "-0.250"),
        ];
        for (value, expected) in written {
            assert_eq!(cosine(value), expected);
        }
    }

    #[test]
    fn counts_are_grouped_in_thousands() {
        let written =
            [(0, "0"), (999, "999"), (1_000, "1,000"), (12_480, "12,480"), (1_234_567, "1,234,567")];
        for (number, expected) in written {
            assert_eq!(count(number), expected);
        }
        assert_eq!((counted(1, "request"), counted(2, "request")), ("1 request".into(), "2 requests".into()));
    }

    #[test]
    fn percentiles_are_named_without_needless_digits() {
        let written = [(0.5, "P50"), (0.95, "P95"), (0.999, "P99.9"), (0.9999, "P99.99")];
        for (quantile, expected) in written {
            assert_eq!(percentile(quantile), expected);
        }
    }
}
