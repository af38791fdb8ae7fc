//! Why a request of ours got no answer, and whether that is provably the peer's fault.

use std::time::Duration;

use crate::wire::{CloseCode, Refusal};

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The connection or the stream ended.
    #[error("the stream ended: {0}")]
    Lost(String),
    /// The peer refused the request.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// The peer took too long.
    #[error("no progress for {0:?}")]
    TooSlow(Duration),
    /// The peer's answer broke the protocol.
    #[error("{0}")]
    Protocol(String),
    /// The peer's answer does not have the chunk's length.
    #[error("{0}")]
    BadChunk(String),
}

impl Fault {
    /// The code to close the connection with, where the peer is provably at fault.
    pub fn close_code(&self) -> Option<CloseCode> {
        match self {
            Self::Protocol(_) => Some(CloseCode::Protocol),
            Self::BadChunk(_) => Some(CloseCode::BadChunk),
            Self::Lost(_) | Self::Refused(_) | Self::TooSlow(_) => None,
        }
    }
}
