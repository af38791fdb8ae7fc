//! Worlds made by hand, one question each.
