//! Sizes, rates and times: as people type them and as they read them.
//!
//! `K`, `M`, `G` and `T` are powers of 1024, with or without `iB`; with `B` alone they are powers of
//! 1000. What is shown is always in powers of 1024 and says so.

use std::time::Duration;

/// The longest time that can be asked for: a year.
const DURATION_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Why a text is not a rate or a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnitError {
    /// It is not a number with a unit.
    #[error("expected a rate in bytes per second, as in 500K, 2M or 1.5MiB (0: no limit)")]
    Rate,
    /// It is not a number with a unit.
    #[error("expected a size in bytes, as in 500M, 20G or 1.5TiB")]
    Size,
    /// It is not a number with a unit.
    #[error("expected a time, as in 500ms, 30s, 2m or 1h")]
    Duration,
}

/// Reads a rate in bytes per second; 0 is no limit.
pub(super) fn rate(text: &str) -> Result<Rate, UnitError> {
    let (number, unit) = split(text).ok_or(UnitError::Rate)?;
    let unit = unit.strip_suffix("/s").unwrap_or(unit);
    let (letter, base) = match unit {
        "" | "B" => (None, 1.0),
        _ => match (unit.strip_suffix("iB"), unit.strip_suffix('B')) {
            (Some(letter), _) => (Some(letter), 1024.0),
            (None, Some(letter)) => (Some(letter), 1000.0),
            (None, None) => (Some(unit), 1024.0),
        },
    };
    let power = match letter {
        None => 0,
        Some("K" | "k") => 1,
        Some("M" | "m") => 2,
        Some("G" | "g") => 3,
        Some("T" | "t") => 4,
        Some(_) => return Err(UnitError::Rate),
    };
    let bytes: f64 = number * f64::powi(base, power);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "`as` saturates, and a rate may"
    )]
    #[expect(clippy::cast_sign_loss, reason = "`split` gives no sign")]
    match bytes.round() as u64 {
        0 if number > 0.0 => Err(UnitError::Rate),
        0 => Ok(Rate(None)),
        bytes => Ok(Rate(Some(bytes))),
    }
}

/// A rate limit in bytes per second, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate(pub(super) Option<u64>);

/// Reads a size in bytes.
pub(super) fn size(text: &str) -> Result<Size, UnitError> {
    match rate(text) {
        Ok(Rate(bytes)) if !text.ends_with("/s") => Ok(Size(bytes.unwrap_or(0))),
        Ok(_) | Err(_) => Err(UnitError::Size),
    }
}

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

/// Reads a time, which is more than none and at most a year. Without a unit it is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, UnitError> {
    let (number, unit) = split(text).ok_or(UnitError::Duration)?;
    let seconds = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(UnitError::Duration),
    };
    match Duration::try_from_secs_f64(number * seconds) {
        Ok(time) if !time.is_zero() && time <= DURATION_MAX => Ok(time),
        Ok(_) | Err(_) => Err(UnitError::Duration),
    }
}

/// A decimal number without a sign, and what follows it.
fn split(text: &str) -> Option<(f64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim_start()))
}

/// A number of bytes for people: `123 B`, `12.3 MiB`.
pub(super) fn bytes(bytes: u64) -> String {
    let mut unit = "B";
    let mut shown = bytes as f64;
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        // 1023.95 would be shown as 1024.0
        if shown < 1023.95 {
            break;
        }
        (shown, unit) = (shown / 1024.0, larger);
    }
    match unit {
        "B" => format!("{bytes} B"),
        _ => format!("{shown:.1} {unit}"),
    }
}

/// Bytes per second for people.
pub(super) fn speed(bytes_per_second: u64) -> String {
    format!("{}/s", bytes(bytes_per_second))
}

/// A time for people: `0.3 s`, `42 s`, `2 min 5 s`, `3 h 7 min`.
pub(super) fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// Bytes per second over a time; the bytes themselves where the time is none.
pub(super) fn rate_over(bytes: u64, time: Duration) -> u64 {
    let micros = time.as_micros().max(1);
    u64::try_from(u128::from(bytes) * 1_000_000 / micros).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rates_without_the_second() {
        assert_eq!(size("1.5K"), Ok(Size(1536)));
        assert_eq!(size("2GB"), Ok(Size(2_000_000_000)));
        assert_eq!(size("0"), Ok(Size(0)));
        for text in ["2M/s", "", "-1", "x"] {
            assert_eq!(size(text), Err(UnitError::Size), "{text}");
        }
    }

    #[test]
    fn rates_are_read_with_their_units() {
        for (text, bytes) in [
            ("1", 1),
            ("500K", 500 << 10),
            ("2M", 2 << 20),
            ("2m", 2 << 20),
            ("1.5MiB", 3 << 19),
            ("2MB", 2_000_000),
            ("2 MB/s", 2_000_000),
            ("1G", 1 << 30),
            ("7B", 7),
            ("99999999999T", u64::MAX),
        ] {
            assert_eq!(rate(text), Ok(Rate(Some(bytes))), "{text}");
        }
        assert_eq!(rate("0"), Ok(Rate(None)));
        for text in [
            "", "M", "-1", "2X", "1..2", "0.1", "2Mib", "1e3", "NaN", "∞",
        ] {
            assert_eq!(rate(text), Err(UnitError::Rate), "{text}");
        }
    }

    #[test]
    fn times_are_read_with_their_units() {
        for (text, millis) in [
            ("30", 30_000),
            ("30s", 30_000),
            ("500ms", 500),
            ("1.5m", 90_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "0", "0s", "-1s", "9000h", "1d", "s", "1e9999"] {
            assert_eq!(duration(text), Err(UnitError::Duration), "{text}");
        }
    }

    #[test]
    fn sizes_read_well() {
        for (number, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_048_575, "1.0 MiB"),
            (12_900_000, "12.3 MiB"),
            (64 << 30, "64.0 GiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn times_read_well() {
        for (millis, text) in [
            (0, "0.0 s"),
            (340, "0.3 s"),
            (42_900, "42 s"),
            (125_000, "2 min 5 s"),
            (11_220_000, "3 h 7 min"),
        ] {
            assert_eq!(time(Duration::from_millis(millis)), text);
        }
        assert_eq!(rate_over(500, Duration::from_millis(250)), 2000);
        assert_eq!(rate_over(u64::MAX, Duration::ZERO), u64::MAX);
    }
}
