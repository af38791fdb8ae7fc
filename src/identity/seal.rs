//! A seed sealed with a passphrase: argon2id (RFC 9106) makes the key, AES-256-GCM the seal.
//!
//! The cost that a key file asks for is bounded before it is paid, because a file may come from
//! anywhere. Passphrases are taken byte for byte as typed.

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::limits::{KEY_LANES_MAX, KEY_MEMORY_KIB_MAX, KEY_PASSES_MAX, PASSPHRASE_BYTES_MAX};

/// Bytes of a sealed seed: the seed, and the tag that AES-256-GCM puts behind it.
pub(super) const SEALED_BYTES: usize = 32 + 16;

/// Why a seal cannot be made or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The passphrase is guarded by more work than this node is willing to do, or by none.
    #[error("argon2id {what}={found}, expected {min} to {max}")]
    Cost {
        /// Which parameter.
        what: &'static str,
        /// Its value in the file.
        found: u32,
        /// The least that argon2id takes.
        min: u32,
        /// The most that this node pays.
        max: u32,
    },
    /// The passphrase is empty or too long.
    #[error("passphrase of {found} B, expected 1 to {PASSPHRASE_BYTES_MAX}")]
    PassphraseLength {
        /// Bytes of the passphrase.
        found: usize,
    },
    /// The seal does not open.
    #[error("wrong passphrase, or the file is damaged")]
    PassphraseWrong,
}

/// What argon2id is to spend on one guess of the passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) memory_kib: u32,
    pub(super) passes: u32,
    pub(super) lanes: u32,
}

/// Everything about a seal but the passphrase and the seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seal<'t> {
    pub(super) cost: Cost,
    pub(super) salt: [u8; 16],
    /// Never used twice with one salt and passphrase.
    pub(super) nonce: [u8; 12],
    /// The text that the seal also vouches for.
    pub(super) above: &'t str,
}

impl Cost {
    /// What new files ask for: 32 MiB, of which a small machine has enough, filled four times. About
    /// a tenth of a second.
    pub(super) const STANDARD: Self = Self {
        memory_kib: 32 * 1024,
        passes: 4,
        lanes: 1,
    };

    /// As it stands in a key file.
    pub(super) fn to_line(self) -> String {
        format!(
            "argon2id memory-kib={} passes={} lanes={}",
            self.memory_kib, self.passes, self.lanes
        )
    }

    /// Exactly what [`Self::to_line`] writes. Says nothing about whether it is worth paying.
    pub(super) fn from_line(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("argon2id ")?.split(' ');
        let mut number = |name: &str| words.next()?.strip_prefix(name)?.parse().ok();
        let cost = Self {
            memory_kib: number("memory-kib=")?,
            passes: number("passes=")?,
            lanes: number("lanes=")?,
        };
        (cost.to_line() == line).then_some(cost)
    }

    /// Refuses what this node would not pay, and what argon2id does not take (RFC 9106 section 3.1).
    pub(super) fn check(self) -> Result<(), SealError> {
        let within = |what, found, min, max| {
            if (min..=max).contains(&found) {
                return Ok(());
            }
            Err(SealError::Cost {
                what,
                found,
                min,
                max,
            })
        };
        within("lanes", self.lanes, 1, KEY_LANES_MAX)?;
        within("passes", self.passes, 1, KEY_PASSES_MAX)?;
        let memory_min = 8 * self.lanes;
        within(
            "memory-kib",
            self.memory_kib,
            memory_min,
            KEY_MEMORY_KIB_MAX,
        )
    }
}

impl Seal<'_> {
    /// Seals a seed.
    pub(super) fn close(
        &self,
        seed: &[u8; 32],
        passphrase: &str,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let key = self.key(passphrase)?;
        Ok(close_with(&key, self.nonce, self.above, seed))
    }

    /// Opens a sealed seed.
    pub(super) fn open(
        &self,
        sealed: Zeroizing<[u8; SEALED_BYTES]>,
        passphrase: &str,
    ) -> Result<Zeroizing<[u8; 32]>, SealError> {
        let key = self.key(passphrase)?;
        open_with(&key, self.nonce, self.above, sealed).ok_or(SealError::PassphraseWrong)
    }

    /// The key that a passphrase makes.
    fn key(&self, passphrase: &str) -> Result<LessSafeKey, SealError> {
        let found = passphrase.len();
        if found == 0 || found > PASSPHRASE_BYTES_MAX {
            return Err(SealError::PassphraseLength { found });
        }
        self.cost.check()?;
        let Cost {
            memory_kib,
            passes,
            lanes,
        } = self.cost;
        let params = Params::new(memory_kib, passes, lanes, Some(32))
            .expect("the check is within argon2id's own bounds");
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), &self.salt, key.as_mut())
            .expect("salt and output have lengths that argon2id takes");
        Ok(sealing_key(&key))
    }
}

/// 32 bytes as a key of AES-256-GCM.
pub(super) fn sealing_key(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("the key has 32 bytes"))
}

/// Seals 32 bytes; the seal also vouches for the text above. A nonce is never used twice with one key.
pub(super) fn close_with(
    key: &LessSafeKey,
    nonce: [u8; 12],
    above: &str,
    secret: &[u8; 32],
) -> Zeroizing<Vec<u8>> {
    // Room for the tag from the start: growing would leave the secret behind.
    let mut sealed = Zeroizing::new(Vec::with_capacity(SEALED_BYTES));
    sealed.extend_from_slice(secret);
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(above.as_bytes()),
        &mut *sealed,
    )
    .expect("32 bytes are within what AES-GCM seals");
    sealed
}

/// What was sealed with this key, nonce and text; none if anything of that is another.
pub(super) fn open_with(
    key: &LessSafeKey,
    nonce: [u8; 12],
    above: &str,
    mut sealed: Zeroizing<[u8; SEALED_BYTES]>,
) -> Option<Zeroizing<[u8; 32]>> {
    let nonce = Nonce::assume_unique_for_key(nonce);
    let opened = key.open_in_place(nonce, Aad::from(above.as_bytes()), &mut *sealed);
    let mut secret = Zeroizing::new([0; 32]);
    secret.copy_from_slice(opened.ok()?);
    Some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };

    fn seal() -> Seal<'static> {
        Seal {
            cost: CHEAP,
            salt: [1; 16],
            nonce: [2; 12],
            above: "above",
        }
    }

    fn sealed() -> Zeroizing<[u8; SEALED_BYTES]> {
        let sealed = seal().close(&[7; 32], "open sesame").unwrap();
        Zeroizing::new(sealed.as_slice().try_into().unwrap())
    }

    #[test]
    fn opens_with_everything_that_it_was_closed_with_and_not_otherwise() {
        assert_eq!(*seal().open(sealed(), "open sesame").unwrap(), [7; 32]);
        let wrong = Err(SealError::PassphraseWrong);
        let others = [
            Seal {
                salt: [3; 16],
                ..seal()
            },
            Seal {
                nonce: [3; 12],
                ..seal()
            },
            Seal {
                above: "abovE",
                ..seal()
            },
            Seal {
                cost: Cost { passes: 2, ..CHEAP },
                ..seal()
            },
        ];
        for other in others {
            assert_eq!(other.open(sealed(), "open sesame"), wrong, "{other:?}");
        }
        assert_eq!(seal().open(sealed(), "Open sesame"), wrong);
        for byte in 0..SEALED_BYTES {
            let mut damaged = sealed();
            damaged[byte] ^= 1;
            assert_eq!(seal().open(damaged, "open sesame"), wrong, "byte {byte}");
        }
    }

    #[test]
    fn passphrases_have_1_to_1024_bytes() {
        let close = |passphrase: &str| seal().close(&[7; 32], passphrase).map(|_| ());
        let length = |found| Err(SealError::PassphraseLength { found });
        assert_eq!(close(""), length(0));
        assert_eq!(close(&"x".repeat(1025)), length(1025));
        assert_eq!(close(&"x".repeat(1024)), Ok(()));
    }

    #[test]
    fn a_cost_is_refused_before_it_is_paid() {
        let cases = [
            (
                Cost { lanes: 0, ..CHEAP },
                "argon2id lanes=0, expected 1 to 16",
            ),
            (
                Cost { lanes: 17, ..CHEAP },
                "argon2id lanes=17, expected 1 to 16",
            ),
            (
                Cost { passes: 0, ..CHEAP },
                "argon2id passes=0, expected 1 to 16",
            ),
            (
                Cost {
                    passes: u32::MAX,
                    ..CHEAP
                },
                "argon2id passes=4294967295, expected 1 to 16",
            ),
            (
                Cost {
                    memory_kib: 7,
                    ..CHEAP
                },
                "argon2id memory-kib=7, expected 8 to 262144",
            ),
            (
                Cost { lanes: 2, ..CHEAP },
                "argon2id memory-kib=8, expected 16 to 262144",
            ),
            (
                Cost {
                    memory_kib: u32::MAX,
                    ..CHEAP
                },
                "argon2id memory-kib=4294967295, expected 8 to 262144",
            ),
        ];
        for (cost, expected) in cases {
            let error = Seal { cost, ..seal() }.open(sealed(), "x").unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        assert_eq!(Cost::STANDARD.check(), Ok(()));
    }

    #[test]
    fn a_cost_has_one_line() {
        let line = "argon2id memory-kib=32768 passes=4 lanes=1";
        assert_eq!(Cost::STANDARD.to_line(), line);
        assert_eq!(Cost::from_line(line), Some(Cost::STANDARD));
        let others = [
            "argon2i memory-kib=32768 passes=4 lanes=1",
            "argon2id memory-kib=032768 passes=4 lanes=1",
            "argon2id memory-kib=+32768 passes=4 lanes=1",
            "argon2id memory-kib=32768 passes=4 lanes=1 ",
            "argon2id memory-kib=32768 passes=4",
            "argon2id memory-kib=4294967296 passes=4 lanes=1",
            "argon2id passes=4 memory-kib=32768 lanes=1",
        ];
        for other in others {
            assert_eq!(Cost::from_line(other), None, "{other}");
        }
    }
}
