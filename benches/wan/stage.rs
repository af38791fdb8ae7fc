//! What nodes share in a run, and where it lies.

use std::cell::RefCell;
use std::path::PathBuf;

use crate::flow::Span;
use crate::folder::memory_or_temporary;
use crate::line::Line;
use crate::noise::write_noise;

/// A folder for one run; dropped, it is gone.
pub(crate) struct Stage {
    dir: PathBuf,
    /// How large the content is that was written last.
    written: RefCell<u64>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let dir = memory_or_temporary().join(format!("swarmhold-wan-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a folder for the bench");
        Self {
            dir,
            written: RefCell::new(0),
        }
    }

    /// More than the line carries while a flow of it is measured.
    pub(crate) fn content(&self, line: Line, span: Span) -> PathBuf {
        let bytes = line.mbit * 125_000 * (span.settling + span.measured + 2);
        let path = self.nothing();
        if self.written.replace(bytes) != bytes {
            write_noise(&path, bytes);
        }
        path
    }

    /// Where the content would be.
    pub(crate) fn nothing(&self) -> PathBuf {
        self.dir.join("content")
    }

    /// Removes what the nodes of a flow have left.
    pub(crate) fn clear(&self, number: usize) {
        for name in [format!("serve-{number}"), format!("fetch-{number}")] {
            // Not every flow has nodes.
            let _ = std::fs::remove_dir_all(self.dir.join(name));
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Nothing depends on it.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
