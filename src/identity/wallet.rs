//! The wallet: an ed25519 key pair (RFC 8032) and the address that names it.
//!
//! The secret is a 32-byte seed. It is wiped when the wallet is dropped, never printed, and leaves
//! this module only towards the key file, the backup words, the TLS stack and the key that its owner
//! reads encrypted containers with.
//!
//! A signature of a wallet means what its first bytes say. Certificates begin with `0x30` (DER), a
//! TLS 1.3 handshake with 64 spaces (RFC 8446 section 4.4.3), and everything else that swarmhold
//! signs with a domain tag of its own, `swarmhold/...`: none can be replayed as another.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use zeroize::Zeroizing;

use crate::digest::{Address, Digest};

/// What stands before the seed in a PKCS #8 private key of ed25519 (RFC 8410 section 7).
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// An ed25519 key pair. Who has it is the peer with its [`address`](Self::address).
pub struct Wallet {
    key: SigningKey,
}

/// The system has no randomness to make a key of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no randomness to make a key of")]
pub struct RandomnessError(#[from] getrandom::Error);

impl Wallet {
    /// Makes a new wallet from the system's randomness.
    ///
    /// This is the one impure function of a pure layer: only creating an identity calls it.
    pub fn generate() -> Result<Self, RandomnessError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut())?;
        Ok(Self::from_seed(*seed))
    }

    /// The wallet that this seed (RFC 8032 section 5.1.5) makes, always the same.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        Self {
            key: SigningKey::from_bytes(&seed),
        }
    }

    /// SHA-256 of the public key: the name that others know this wallet by.
    pub fn address(&self) -> Address {
        address_of(&self.public_key())
    }

    /// The public key, as RFC 8032 section 5.1.2 encodes it.
    pub fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// Signs a message, which must begin with the domain tag of what it is. The same message gives
    /// the same signature.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    /// The secret, for those who keep it or make other keys of it.
    pub(crate) fn seed(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// The key pair as TLS stacks take it. The caller wipes it.
    pub(super) fn to_pkcs8(&self) -> PrivatePkcs8KeyDer<'static> {
        let mut der = Vec::with_capacity(PKCS8_PREFIX.len() + 32);
        der.extend_from_slice(&PKCS8_PREFIX);
        der.extend_from_slice(self.seed());
        PrivatePkcs8KeyDer::from(der)
    }
}

/// The address of whoever holds this public key.
pub(super) fn address_of(public_key: &[u8; 32]) -> Address {
    Address::new(Digest::of(public_key))
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wallet({})", self.address())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032 section 7.1, test 2: seed, public key, and the signature of the byte 0x72.
    const SEED: &str = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
    const PUBLIC: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    const SIGNATURE: &str = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn rfc_wallet() -> Wallet {
        let digest: Digest = SEED.parse().unwrap();
        Wallet::from_seed(*digest.as_bytes())
    }

    #[test]
    fn signs_as_rfc_8032_says() {
        let wallet = rfc_wallet();
        assert_eq!(hex(&wallet.public_key()), PUBLIC);
        assert_eq!(hex(&wallet.sign(&[0x72])), SIGNATURE);
    }

    #[test]
    fn address_is_the_digest_of_the_raw_public_key() {
        let wallet = rfc_wallet();
        assert_eq!(*wallet.address().digest(), Digest::of(&wallet.public_key()));
    }

    #[test]
    fn debug_shows_the_address_and_never_the_seed() {
        let wallet = rfc_wallet();
        let shown = format!("{wallet:?} {wallet:#?}");
        assert!(shown.contains(&wallet.address().to_string()));
        assert!(!shown.contains(SEED) && !shown.contains(&format!("{:?}", wallet.seed())));
    }

    #[test]
    fn generated_wallets_differ() {
        let (one, other) = (Wallet::generate().unwrap(), Wallet::generate().unwrap());
        assert_ne!(one.address(), other.address());
    }

    #[test]
    fn pkcs8_carries_the_seed_behind_the_prefix_of_rfc_8410() {
        let der = rfc_wallet().to_pkcs8();
        assert_eq!(
            hex(der.secret_pkcs8_der()),
            format!("302e020100300506032b657004220420{SEED}")
        );
    }
}
