//! Sizes as people write them.

/// Bytes of a size such as `1GiB`; without a unit it is bytes.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let unit = match unit {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err("the units are KiB, MiB and GiB".to_owned()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "a size is a number and a unit, as in 1GiB")?;
    number
        .checked_mul(unit)
        .ok_or_else(|| "that is more than can be counted".to_owned())
}
