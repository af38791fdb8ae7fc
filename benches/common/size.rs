//! Sizes as people write them.

/// Bytes of a size such as `1GiB`; without a unit it is bytes.
pub(crate) fn parse_size(text: &str) -> u64 {
    let (number, unit) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    );
    let unit = match unit {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        other => panic!("unknown unit {other:?}; use KiB, MiB or GiB"),
    };
    number.parse::<u64>().expect("a size such as 1GiB") * unit
}
