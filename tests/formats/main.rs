//! The formats, fed with what honest and hostile peers, publishers and disks may hold.

mod manifest;
mod wire;
