//! Where a benchmark's files lie unless it is told otherwise.

use std::path::PathBuf;

/// Memory where the system offers some as a folder, so that no disk is measured.
pub(crate) fn memory_or_temporary() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    }
}
