//! Whether a copy is what was sent.

use std::path::Path;
use std::process::Command;

/// Compares a copy with its original byte for byte, and removes it.
pub(crate) fn check_and_remove(content: &Path, copy: &Path) {
    let same = Command::new("cmp").arg(content).arg(copy).status();
    let same = same.expect("cmp runs");
    assert!(same.success(), "{} is not what was sent", copy.display());
    std::fs::remove_file(copy).expect("the copy");
}
