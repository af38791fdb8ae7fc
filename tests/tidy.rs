//! Keeps the house: rules about the source text that no compiler checks.
//!
//! * Arrows: a module names only modules on a line above its own (`LAYERS`).
//! * Purity: the layers up to the decisions name no disk, socket, clock or randomness (`IMPURE`).
//! * Shape: every file says what it is, and nothing newly grows past the sizes of STYLE (`GROWN`).
//! * Text: no bare `allow`, no ignored test, no path of somebody's machine, no registry's host.
//!
//! `tidy/rules.rs` has the rules and their tables, each rule a function from a file's text to
//! complaints; `tidy/broken.rs` shows each of them text that breaks it. Comments and literals are
//! blanked first, so prose trips no rule about code.

use std::fs;
use std::path::{Path, PathBuf};

#[path = "tidy/broken.rs"]
mod broken;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/source.rs"]
mod source;

use rules::{GROWN, arrows, attributes, header, impurities, map, places, ratchet, sizes_of};

/// What no rule reads: not ours, or not written by hand.
const SKIPPED: &[&str] = &[".git", "target", "Cargo.lock"];

#[test]
fn modules_use_only_modules_above_them() {
    expect_none(sources(&["src"]).iter().flat_map(|(p, t)| arrows(p, t)));
}

#[test]
fn the_map_in_lib_rs_shows_every_module_where_it_belongs() {
    let root = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    expect_none(map(&root));
}

#[test]
fn pure_layers_touch_nothing() {
    expect_none(sources(&["src"]).iter().flat_map(|(p, t)| impurities(p, t)));
}

#[test]
fn nothing_newly_grows_too_long() {
    let sizes = sources(&["src"]);
    expect_none(ratchet(
        sizes.iter().flat_map(|(p, t)| sizes_of(p, t)),
        GROWN,
    ));
}

#[test]
fn every_file_says_what_it_is() {
    let files = sources(&["src", "tests", "examples", "benches"]);
    expect_none(files.iter().flat_map(|(p, t)| header(p, t)));
}

#[test]
fn no_lint_is_waved_through_and_no_test_is_ignored() {
    let files = sources(&["src", "tests", "examples", "benches"]);
    expect_none(files.iter().flat_map(|(p, t)| attributes(p, t)));
}

#[test]
fn no_machine_and_no_registry_is_named() {
    expect_none(texts().iter().flat_map(|(p, t)| places(p, t)));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file of the repository but the lock file, with its path from the root.
fn texts() -> Vec<(String, String)> {
    let (mut files, mut folders) = (Vec::new(), vec![root().to_owned()]);
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).expect("the repository can be listed");
        let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        entries.retain(|path| !SKIPPED.iter().any(|name| path.ends_with(name)));
        entries.sort();
        for path in entries {
            match fs::read_to_string(&path) {
                _ if path.is_dir() => folders.push(path),
                Ok(text) => files.push((relative(&path), text)),
                Err(_) => (), // not text
            }
        }
    }
    files
}

/// Every Rust file in the folders named.
fn sources(folders: &[&str]) -> Vec<(String, String)> {
    let mut files = texts();
    files.retain(|(path, _)| {
        let folder = path.split('/').next().unwrap_or_default();
        path.ends_with(".rs") && folders.contains(&folder)
    });
    assert!(
        files.iter().any(|(path, _)| path == "src/lib.rs"),
        "nothing was read"
    );
    files
}

fn relative(path: &Path) -> String {
    let inside = path.strip_prefix(root()).expect("found under the root");
    inside.to_string_lossy().replace('\\', "/")
}

fn expect_none(complaints: impl IntoIterator<Item = String>) {
    let complaints: Vec<_> = complaints.into_iter().collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
