//! Why bytes are not a frame, and which reset answers them.
//!
//! The text of each error begins with the reset's code and name, so that a log line on one side
//! can be matched with the code that the other side sees.

use super::bounds::Bound;
use super::message::Refusal;

/// Why bytes from a peer are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// There is no message.
    #[error("0x01 EMPTY")]
    Empty,
    /// The message is longer than one of its sort may be.
    #[error("0x02 TOO_LARGE (limit {limit})")]
    TooLarge {
        /// Bytes allowed.
        limit: usize,
        /// Bytes announced.
        found: usize,
    },
    /// No message has this tag in this version of the protocol.
    #[error("0x03 UNKNOWN_MESSAGE {0}")]
    UnknownMessage(u32),
    /// The bytes are not the encoding of a message.
    #[error("0x04 MALFORMED: {0}")]
    Malformed(#[from] Malformed),
    /// The message says more than it may.
    #[error("{}: {what} {found} (limit {limit})", .what.refusal())]
    OutOfBounds {
        /// What is out of bounds.
        what: Bound,
        /// The largest value allowed.
        limit: u64,
        /// The value found.
        found: u64,
    },
}

impl FrameError {
    /// The code with which to reset the stream on which these bytes came.
    pub const fn refusal(&self) -> Refusal {
        match self {
            Self::Empty => Refusal::Empty,
            Self::TooLarge { .. } => Refusal::TooLarge,
            Self::UnknownMessage(_) => Refusal::UnknownMessage,
            Self::Malformed(_) => Refusal::Malformed,
            Self::OutOfBounds { what, .. } => what.refusal(),
        }
    }
}

/// Why bytes are not the encoding of the message that their tag announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The message goes on past the last byte.
    #[error("ends early")]
    Truncated,
    /// This many bytes follow the message.
    #[error("{n} byte{s} after message", n = .0, s = if *.0 == 1 { "" } else { "s" })]
    Trailing(usize),
    /// A number does not end, or does not fit its type.
    #[error("number out of range")]
    Number,
    /// A number is written with more bytes than it needs.
    #[error("number not in its shortest form")]
    NotShortest,
    /// A list claims more elements than the bytes after its length can hold.
    #[error("list of {claimed} in {left} B")]
    List {
        /// Elements claimed.
        claimed: u64,
        /// Bytes that follow.
        left: usize,
    },
    /// The tag of something inside the message is not known.
    #[error("unknown tag inside message")]
    Tag,
    /// A text is not UTF-8.
    #[error("text is not UTF-8")]
    Text,
}

impl From<postcard::Error> for Malformed {
    fn from(error: postcard::Error) -> Self {
        if error == postcard::Error::DeserializeUnexpectedEnd {
            Self::Truncated
        } else if error == postcard::Error::DeserializeBadVarint {
            Self::Number
        } else if error == postcard::Error::DeserializeBadUtf8 {
            Self::Text
        } else {
            // What is left are the tags of options and enums: no message has floats.
            Self::Tag
        }
    }
}
