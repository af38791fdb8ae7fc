//! The corners where operating systems differ: how to open a file warily, read and write at a
//! position, claim space, see holes, rename without replacing, and make a name durable.
//!
//! Each system's file offers the same functions; nothing above this module asks which one it is on.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(super) use unix::*;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(super) use windows::*;

/// What to do when a path's last component is a symbolic link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    /// Go where it points.
    Follow,
    /// Treat it as something that is not a regular file.
    Refuse,
}
