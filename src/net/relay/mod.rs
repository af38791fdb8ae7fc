//! Connections through a SwarmMaster: a second endpoint whose packets the master carries.
//!
//! ```text
//!   node                                  SwarmMaster                             node
//!   second endpoint                                                    second endpoint
//!      | packets of QUIC, end-to-end encrypted                                   |
//!   socket ---- datagrams ----> line ... channel ... line ---- datagrams ----> socket
//!   carrier: a QUIC connection of its own to the master, beside the one for requests
//!
//! join      halves of packets become packets again
//! socket    the virtual socket of the second endpoint
//! carrier   a node's side: the connection to the master, its channels, dials and peers
//! line      the master's side of such a connection
//! outer     what both sides do with it
//! ```
//!
//! The second endpoint has the identity, the verifier and the protocol of the first, so the master can
//! read nothing and pass for nobody. What it can do is to lose packets. It has a connection of its own to
//! the master because quinn sends datagrams before streams: requests would starve beside them.

mod carrier;
mod join;
mod line;
mod outer;
mod socket;

pub use carrier::{Carrier, RelayError};
pub use line::{Call, Held, Line};
pub use outer::Room;

pub(super) use carrier::carry;

use crate::digest::Address;

/// Which way a connection goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// From socket to socket.
    Direct,
    /// Through a SwarmMaster.
    Relayed {
        /// Which.
        master: Address,
    },
}
