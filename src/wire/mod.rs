//! What peers say to each other: bytes to messages and back. No sockets, no clocks.
//!
//! ALPN `swarmhold/1`. One bidirectional QUIC stream (RFC 9000 section 2) for each request:
//!
//! ```text
//!   asker                                   answerer
//!     |-- [u16 le length][postcard Request] FIN ->|
//!     |<- [u16 le length][postcard Reply] --------|
//!     |<- body, where the reply announces one ----|   then FIN
//! ```
//!
//! * `Hello` is the first request of the dialer, once; before it nothing else is answered.
//! * `Subscribe` keeps its stream open: after the reply come `[u16 le length][postcard Update]`
//!   frames, first the whole bitfield, then news, until either side ends it.
//! * `Chunk` is one chunk, one stream; many at once. STOP_SENDING takes a request back.
//! * `Manifest` has the manifest file's bytes as its body.
//! * `Found` is followed by one `[u16 le length][postcard Listing]` frame.
//!
//! A request that is not well-formed is answered with a stream reset carrying a [`Refusal`] code.
//!
//! A connection that carries the packets of others (ALPN `swarmhold-relay/1`) says what `relay` draws.
//!
//! Reading order: `message`, `index` and `meet` (what is said), `bounds` (how much of it), `frame` (its bytes), `body`
//! (how long a chunk's bytes may be), `compress` and `decompress` (making them fewer, and back).
//!
//! Goals: bounded memory for every decode, one meaning for every byte string, no state across
//! streams but the hello. Non-goals: hiding what is asked for from the peer that is asked.

pub mod body;
mod bounds;
pub mod compress;
mod decompress;
pub mod frame;
mod frame_error;
#[doc(hidden)]
pub mod fuzz;
mod halves;
mod index;
mod meet;
mod message;
pub mod payload;
mod probe;
pub mod relay;
mod zstd_frame;

#[doc(hidden)]
pub use fuzz::{fuzz_listing, fuzz_reply, fuzz_request, fuzz_update, fuzz_zstd};
pub use index::{
    Extent, Hit, Holder, Holding, Listing, Mode, Nonce, Registration, Rejection, Search, Wanted,
};
pub use meet::{Acceptance, Invitation, Mapping, Unmet};
pub use message::{
    Accept, ChunkRequest, CloseCode, Deluge, Encoding, Hello, Refusal, Reply, Request, Update,
};

/// The protocol's name in the TLS handshake (RFC 7301).
pub const ALPN: &[u8] = b"swarmhold/1";

/// The version that a `Hello` of this build carries.
pub const VERSION: u16 = 1;
