//! Rows of a name and a value, and columns below a header, for people.

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};

use super::text::shown;

/// The rows below each other. Values are made harmless, and never wrapped: they are to be copied.
pub(super) fn rows(rows: &[(&str, String)]) -> String {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    for (name, value) in rows {
        table.add_row([(*name).to_owned(), shown(value)]);
    }
    if let Some(names) = table.column_mut(0) {
        names.set_padding((0, 2));
    }
    if let Some(values) = table.column_mut(1) {
        values.set_padding((0, 0));
    }
    let text = table.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// Rows below a header, each column as wide as it must be. Values are made harmless, and never wrapped.
pub(super) fn columns(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header);
    for row in rows {
        table.add_row(row.iter().map(|value| shown(value)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let text = table.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_below_each_other_and_are_harmless() {
        let text = rows(&[
            ("name", "a\x1b[2Jb".to_owned()),
            ("program id", "x".repeat(300)),
        ]);
        let expected = format!(
            "name        a\\u{{1b}}[2Jb\nprogram id  {}",
            "x".repeat(300)
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn columns_are_aligned() {
        let row = |texts: [&str; 2]| texts.map(str::to_owned).to_vec();
        let text = columns(
            &["NAME", "SIZE"],
            &[row(["a\x1bb", "1 B"]), row(["long name", ""])],
        );
        assert_eq!(text, "NAME       SIZE\na\\u{1b}b   1 B\nlong name");
    }
}
