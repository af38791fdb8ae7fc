//! What two flows on one line got, as a row of a table.

use std::fmt::Write;

use crate::line::Line;

/// Who came first, and who came then.
pub(crate) fn names([first, then]: [impl AsRef<str>; 2]) -> String {
    format!("{}, then {}", first.as_ref(), then.as_ref())
}

/// Each course is the share in all, then that of each part of the time.
pub(crate) fn row(line: Line, names: &str, [first, second]: &[Vec<f64>; 2]) -> String {
    let (one, other) = (first[0], second[0]);
    let ratio = one.max(other) / one.min(other);
    let name = line.name();
    let mut row = format!("{name:<34}{names:<27}{one:>7.3}{other:>7.3}   x {ratio:.1}  ");
    for (one, other) in first.iter().zip(second).skip(1) {
        // Writing to a text cannot fail.
        let _ = write!(row, " {one:.2}/{other:.2}");
    }
    row
}
