//! Bytes and times as people write and read them.

use std::time::Duration;

const SIZES: [(&str, u64); 8] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
    ("", 1),
];
/// In microseconds.
const TIMES: [(&str, u64); 3] = [("ms", 1_000), ("us", 1), ("s", 1_000_000)];

/// Reads `128MiB`, `300kB` or a plain number of bytes; at least 1.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let bytes = number(text.trim_end_matches("/s"), &SIZES, "48MiB or 300kB")?;
    let some = (bytes > 0).then_some(bytes);
    some.ok_or_else(|| "it has to be at least 1 byte".to_owned())
}

/// Reads `10ms` or `2s`.
pub(crate) fn parse_time(text: &str) -> Result<Duration, String> {
    number(text, &TIMES, "10ms or 2s").map(Duration::from_micros)
}

fn number(text: &str, units: &[(&str, u64)], such_as: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text[digits.len()..];
    let known = units
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit));
    let (_, factor) = known.ok_or_else(|| format!("{unit:?} is no unit, as in {such_as}"))?;
    let number = digits.trim().parse::<u64>().ok();
    let number = number.and_then(|number| number.checked_mul(*factor));
    number.ok_or_else(|| format!("{digits:?} is no whole number, as in {such_as}"))
}

/// `48.0 MiB`, `512 B`.
pub(crate) fn bytes(bytes: u64) -> String {
    let unit = SIZES[..3].iter().find(|(_, factor)| bytes >= *factor);
    match unit {
        Some((name, factor)) => format!("{:.1} {name}", bytes as f64 / *factor as f64),
        None => format!("{bytes} B"),
    }
}

/// `10.0 MB/s`.
pub(crate) fn rate(per_second: u64) -> String {
    match per_second {
        1_000_000.. => format!("{:.1} MB/s", per_second as f64 / 1e6),
        _ => format!("{:.1} kB/s", per_second as f64 / 1e3),
    }
}
