//! Times, sizes and shares as people read them.

use bytesize::ByteSize;

/// Milliseconds, in three digits or so.
pub(crate) fn time(milliseconds: f64) -> String {
    match milliseconds {
        ..0.9995 => format!("{:.0} µs", milliseconds * 1e3),
        ..9.995 => format!("{milliseconds:.2} ms"),
        ..99.95 => format!("{milliseconds:.1} ms"),
        ..999.5 => format!("{milliseconds:.0} ms"),
        ..99_950.0 => format!("{:.2} s", milliseconds / 1e3),
        _ => format!("{:.0} s", milliseconds / 1e3),
    }
}

/// A time that may be missing.
pub(crate) fn time_or_dash(milliseconds: Option<f64>) -> String {
    milliseconds.map_or_else(|| "–".to_owned(), time)
}

/// A length of time in seconds, up to days.
pub(crate) fn long_time(seconds: f64) -> String {
    match seconds {
        ..120.0 => format!("{seconds:.1} s"),
        ..7200.0 => format!("{:.0} min", seconds / 60.0),
        ..172_800.0 => format!("{:.1} h", seconds / 3600.0),
        _ => format!("{:.1} days", seconds / 86_400.0),
    }
}

/// A number of bytes.
pub(crate) fn bytes(count: u64) -> String {
    ByteSize(count).display().iec().to_string()
}

/// A count, in thousands or millions where it is large.
pub(crate) fn count(count: u64) -> String {
    let in_units = |unit: u64, name: &str| {
        let tenths = count / (unit / 10);
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    };
    match count {
        0..100_000 => count.to_string(),
        100_000..100_000_000 => in_units(1000, "k"),
        _ => in_units(1_000_000, "M"),
    }
}

/// A count to reckon with.
#[expect(
    clippy::cast_precision_loss,
    reason = "53 bits are plenty for what is shown"
)]
pub(crate) fn real(count: u64) -> f64 {
    count as f64
}

/// A share of one, in percent.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits() {
        for (milliseconds, text) in [
            (0.0, "0 µs"),
            (0.25, "250 µs"),
            (1.234, "1.23 ms"),
            (12.34, "12.3 ms"),
            (123.4, "123 ms"),
            (1234.0, "1.23 s"),
            (123_456.0, "123 s"),
        ] {
            assert_eq!(time(milliseconds), text);
        }
    }

    #[test]
    fn large_counts_are_shortened() {
        assert_eq!(count(99_999), "99999");
        assert_eq!(count(123_456), "123.4 k");
        assert_eq!(count(234_500_000), "234.5 M");
        assert_eq!(long_time(90.0), "90.0 s");
        assert_eq!(long_time(10_800.0), "3.0 h");
        assert_eq!(bytes(1024), "1.0 KiB");
    }
}
