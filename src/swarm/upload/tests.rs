//! The uploading side, rule by rule.

mod giving;
mod slots;
