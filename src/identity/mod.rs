//! Who a peer is: wallets, their key files, and the certificates that prove an address.
//!
//! ```text
//!   keyfile --> Wallet --> cert --> tls  ==== TLS 1.3, both sides present one certificate ====
//!   words   <->                      |
//!                                  verify <-- the peer's certificate --> Address
//! ```
//!
//! A wallet is an ed25519 key pair (RFC 8032); its [`Address`](crate::digest::Address) is the SHA-256
//! of the 32-byte public key. An address that a peer *says* proves nothing: the only addresses this
//! node believes are those that [`verify`] took from a finished TLS session, where the peer signed
//! the handshake itself with the key that the address names.
//!
//! A [`VaultKey`] is what the containers of a vault are encrypted with; its file is sealed for a wallet or
//! with a passphrase.
//!
//! Everything here is pure but [`keyfile`] and [`vaultfile`], which touch the disk, and
//! [`Wallet::generate`], which asks the system for randomness.

pub mod cert;
mod derive;
pub mod keyfile;
mod keytext;
mod leaf;
mod lines;
mod refused;
mod seal;
pub mod tls;
mod vault_key;
pub mod vaultfile;
pub mod verify;
mod wallet;
mod words;

pub(crate) use derive::derive;
pub use keytext::KeyTextError;
pub use refused::{CertificateRefused, refusal_in};
pub use seal::SealError;
pub use vault_key::{Guard, Sealed, VaultKey};
pub use wallet::{RandomnessError, Wallet};
pub use words::WordsError;
