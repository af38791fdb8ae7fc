//! Bytes, rates and times as people write and read them.

use std::time::Duration;

const UNITS: [(&str, u64); 8] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
    ("", 1),
];

/// Reads `48MiB`, `300 kB` or a plain number of bytes.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let text = text.trim().trim_end_matches("/s");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text[digits.len()..];
    let known = UNITS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit));
    let (_, factor) = known.ok_or_else(|| format!("{unit:?} is no unit, as in 48MiB or 300kB"))?;
    let number: u64 = digits
        .trim()
        .parse()
        .map_err(|_| format!("{digits:?} is no whole number, as in 48MiB or 300kB"))?;
    let bytes = number.checked_mul(*factor).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| "it has to be at least 1 byte and less than 16 EiB".to_owned())
}

/// One unit for many numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// The unit, as it is written.
    pub(crate) name: &'static str,
    factor: u64,
}

impl Scale {
    /// The unit in which this many bytes are a handy number.
    pub(crate) fn for_size(bytes: u64) -> Self {
        let binary = UNITS[..3].iter().find(|(_, factor)| bytes >= *factor);
        let (name, factor) = *binary.unwrap_or(&("B", 1));
        Self { name, factor }
    }

    /// A number of bytes in this unit, without its name.
    pub(crate) fn number(self, bytes: u64) -> String {
        if self.factor == 1 || bytes == 0 {
            return bytes.to_string();
        }
        format!("{:.1}", bytes as f64 / self.factor as f64)
    }
}

/// `48.0 MiB`, `512 B`.
pub(crate) fn bytes(bytes: u64) -> String {
    let scale = Scale::for_size(bytes);
    format!("{} {}", scale.number(bytes), scale.name)
}

/// `3.9 MiB/s`.
pub(crate) fn rate(per_second: u64) -> String {
    format!("{}/s", bytes(per_second))
}

/// Bytes per second, of so many bytes in so much time.
pub(crate) fn per_second(bytes: u64, time: Duration) -> u64 {
    let rate = u128::from(bytes) * 1_000_000 / time.as_micros().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// `12.4 s`.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// `12.4 %`.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    format!("{:.1} %", 100.0 * part as f64 / whole.max(1) as f64)
}

/// `1 source`, `5 sources`.
pub(crate) fn count(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// `peer-1, peer-2 and late-1`.
pub(crate) fn list(names: &[String]) -> String {
    match names {
        [] => "nobody".to_owned(),
        [only] => only.clone(),
        [front @ .., last] => format!("{} and {last}", front.join(", ")),
    }
}
