//! Who can read: X25519 keys and their names, as age writes them.
//!
//! A recipient is `age1...`, a key is `AGE-SECRET-KEY-1...`: 32 bytes each, in Bech32 (BIP 173).

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Hrp};
use zeroize::Zeroizing;

use crate::identity::{Wallet, derive};

/// Bytes of a key, and of the recipient that belongs to it.
const KEY_BYTES: usize = 32;
/// Characters of a recipient.
const RECIPIENT_CHARS: usize = 62;
const RECIPIENT_PREFIX: &str = "age";
const KEY_PREFIX: &str = "age-secret-key-";
/// Tells the key that a wallet reads with from everything else that is made of its seed.
const OF_WALLET: &[u8] = b"swarmhold/age-x25519/1";

/// Somebody who can be written to: an X25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Recipient([u8; KEY_BYTES]);

/// What somebody reads with: an X25519 secret. Wiped when dropped, never printed by accident.
pub struct Key {
    secret: Zeroizing<[u8; KEY_BYTES]>,
}

/// Why a text names no recipient.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is a secret key, which nobody should give away.
    #[error("E-RECIPIENT: this is a secret key; a recipient begins with age1")]
    Secret,
    /// It is something else, or has a typing error.
    #[error("E-RECIPIENT: not a recipient: {text:?}; expected age1 and 58 characters")]
    Malformed {
        /// How it begins.
        text: String,
    },
}

impl Recipient {
    /// The public key, as RFC 7748 section 5 encodes it.
    pub const fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    pub(super) const fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }
}

impl FromStr for Recipient {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.len() > KEY_PREFIX.len() && text.to_ascii_lowercase().starts_with(KEY_PREFIX) {
            return Err(KeyError::Secret);
        }
        let malformed = || KeyError::Malformed {
            text: text.chars().take(RECIPIENT_CHARS).collect(),
        };
        if text.len() != RECIPIENT_CHARS || text.to_ascii_lowercase() != text {
            return Err(malformed());
        }
        let checked = CheckedHrpstring::new::<Bech32>(text).map_err(|_| malformed())?;
        if checked.hrp().as_str() != RECIPIENT_PREFIX {
            return Err(malformed());
        }
        let bytes: Vec<u8> = checked.byte_iter().collect();
        Ok(Self(bytes.try_into().map_err(|_| malformed())?))
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = Hrp::parse_unchecked(RECIPIENT_PREFIX);
        let text = bech32::encode::<Bech32>(prefix, &self.0);
        f.write_str(&text.expect("32 bytes are short enough"))
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({self})")
    }
}

impl Key {
    /// The key with these 32 random bytes.
    pub fn new(secret: [u8; KEY_BYTES]) -> Self {
        Self {
            secret: Zeroizing::new(secret),
        }
    }

    /// The key that a wallet reads with, always the same: HKDF-SHA256 (RFC 5869) of its seed.
    pub fn of_wallet(wallet: &Wallet) -> Self {
        Self {
            secret: derive(&[], wallet.seed(), OF_WALLET),
        }
    }

    /// Who can be written to so that this key reads it.
    pub fn recipient(&self) -> Recipient {
        let public = self.pair().compute_public_key();
        let public = public.expect("every secret has a public key");
        Recipient(
            public
                .as_ref()
                .try_into()
                .expect("X25519 keys have 32 bytes"),
        )
    }

    /// As `age -d -i` takes it: whoever reads this can read everything that was written to its owner.
    pub fn to_text(&self) -> Zeroizing<String> {
        let prefix = Hrp::parse_unchecked(KEY_PREFIX);
        let text = bech32::encode_upper::<Bech32>(prefix, self.secret.as_ref());
        Zeroizing::new(text.expect("32 bytes are short enough"))
    }

    /// What both ends of an exchange know; none where the other's key is one that gives everybody the same
    /// (RFC 7748 section 6.1).
    pub(super) fn agree(&self, with: &Recipient) -> Option<Zeroizing<[u8; 32]>> {
        let with = UnparsedPublicKey::new(&X25519, with.0);
        agree(&self.pair(), with, (), |shared| {
            let mut copy = Zeroizing::new([0; 32]);
            copy.copy_from_slice(shared);
            Ok(copy)
        })
        .ok()
    }

    fn pair(&self) -> PrivateKey {
        let pair = PrivateKey::from_private_key(&X25519, self.secret.as_ref());
        pair.expect("any 32 bytes are a secret (RFC 7748 section 5)")
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.recipient())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `age-keygen` 1.1.1.
    const SECRET: &str =
        "AGE-SECRET-KEY-1LAFZX97NE7KU8H605NGWT7TW27DNTEVENQAN4390R3TVR493VZ4S4NF6KC";
    const PUBLIC: &str = "age10kpn0x0uz8ptzquwmlkf4vv3wm83pwwy09xl3hnuw4t55ctx8yeqrqff58";

    fn key_from(text: &str) -> Key {
        let checked = CheckedHrpstring::new::<Bech32>(text).unwrap();
        let bytes: Vec<u8> = checked.byte_iter().collect();
        Key::new(bytes.try_into().unwrap())
    }

    #[test]
    fn keys_are_those_of_age() {
        let key = key_from(SECRET);
        assert_eq!(key.recipient().to_string(), PUBLIC);
        assert_eq!(key.to_text().as_str(), SECRET);
        assert_eq!(PUBLIC.parse(), Ok(key.recipient()));
        assert_eq!(format!("{key:?}"), format!("Key({PUBLIC})"));
    }

    #[test]
    fn a_wallet_always_has_the_same_key_and_others_have_others() {
        let [one, other] = [[1; 32], [2; 32]].map(Wallet::from_seed);
        let recipient = Key::of_wallet(&one).recipient();
        assert_eq!(Key::of_wallet(&one).recipient(), recipient);
        assert_ne!(Key::of_wallet(&other).recipient(), recipient);
        assert_ne!(recipient.as_bytes(), &one.public_key());
    }

    #[test]
    fn what_is_no_recipient_says_so() {
        assert_eq!(SECRET.parse::<Recipient>(), Err(KeyError::Secret));
        let mut typo = PUBLIC.to_owned();
        typo.replace_range(20..21, if &PUBLIC[20..21] == "q" { "p" } else { "q" });
        for text in [
            "",
            "age1",
            "ssh-ed25519 AAAA",
            &typo,
            &PUBLIC.to_uppercase(),
            &format!("{PUBLIC}q"),
            &PUBLIC.replace("age1", "agf1"),
        ] {
            let malformed = KeyError::Malformed {
                text: text.chars().take(RECIPIENT_CHARS).collect(),
            };
            assert_eq!(text.parse::<Recipient>(), Err(malformed), "{text}");
        }
    }

    #[test]
    fn a_key_that_gives_everybody_the_same_is_refused() {
        let key = key_from(SECRET);
        assert!(key.agree(&Recipient([0; 32])).is_none());
        let other = Key::new([7; 32]);
        let shared = key.agree(&other.recipient()).unwrap();
        assert_eq!(shared, other.agree(&key.recipient()).unwrap());
    }
}
