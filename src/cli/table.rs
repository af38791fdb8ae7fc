//! Rows of a name and a value, for people.

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
}
