//! Containers that only some can read: the age format, version 1 (C2SP `age.md`), for X25519 recipients.
//!
//! ```text
//!               random file key --+-- wrapped for each recipient --> header, with a MAC
//!                                 |
//! bytes, 64 KiB at a time --------+-- ChaCha20-Poly1305 ----------> payload
//! ```
//!
//! What is encrypted is a file like any other: it is cut into chunks, hashed and seeded by peers who cannot
//! read it. Whoever has a recipient's key reads it with swarmhold or with `age -d`.
//!
//! A wallet has such a key of its own, made from its seed ([`Key::of_wallet`]), so whoever can be paid can
//! be written to.
//!
//! Everything here is pure: randomness comes in as arguments. The primitives are those of the crypto
//! library that TLS uses; what is written here is the format around them.

mod header;
mod key;
mod stream;

pub use header::{FileKey, HEADER_BYTES_MAX, Header, HeaderError, RECIPIENTS_MAX};
pub use key::{Key, KeyError, Recipient};
pub use stream::{NONCE_BYTES, Opener, PIECE_BYTES, Position, Sealer, StreamError, TAG_BYTES};
