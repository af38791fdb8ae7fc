//! What each node holds on disk when all is over.

use std::fs;
use std::io;
use std::path::Path;

use crate::units;

/// Digits of a digest that are shown.
const DIGITS: usize = 12;

/// Draws a folder: files with their sizes, chains of single folders on one line, empty ones not at all.
pub(crate) fn draw(folder: &Path) -> io::Result<String> {
    let mut lines = vec![(folder.display().to_string(), None)];
    branch(&mut lines, folder, "")?;
    let width = lines
        .iter()
        .skip(1)
        .map(|(text, _)| text.chars().count())
        .max()
        .unwrap_or(0);
    let shown = lines.into_iter().map(|(text, size)| match size {
        Some(size) => format!("{text:<width$}  {:>11}\n", units::bytes(size)),
        None => format!("{text}\n"),
    });
    Ok(shown.collect())
}

fn branch(lines: &mut Vec<(String, Option<u64>)>, folder: &Path, indent: &str) -> io::Result<()> {
    let entries = children(folder)?;
    let count = entries.len();
    for (at, entry) in entries.into_iter().enumerate() {
        let is_last = at + 1 == count;
        let (tee, below) = if is_last {
            ("└── ", "    ")
        } else {
            ("├── ", "│   ")
        };
        let (mut name, mut path) = (shorten(&entry), folder.join(&entry));
        while let ([only], true) = (children(&path)?.as_slice(), path.is_dir()) {
            name = format!("{name}/{}", shorten(only));
            path = path.join(only);
        }
        let size = path
            .is_file()
            .then(|| fs::metadata(&path).map(|file| file.len()))
            .transpose()?;
        lines.push((format!("{indent}{tee}{name}"), size));
        branch(lines, &path, &format!("{indent}{below}"))?;
    }
    Ok(())
}

/// The names in a folder that lead to at least one file, in order; none for a file.
fn children(path: &Path) -> io::Result<Vec<String>> {
    if !path.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if !entry.path().is_dir() || !children(&entry.path())?.is_empty() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// A digest is known by its first digits.
fn shorten(name: &str) -> String {
    let digits = name.chars().take_while(char::is_ascii_hexdigit).count();
    if digits < 64 {
        return name.to_owned();
    }
    format!("{}…{}", &name[..DIGITS], &name[digits..])
}
