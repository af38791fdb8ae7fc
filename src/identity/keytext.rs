//! The text of a key file: a wallet's seed, in the open or sealed with a passphrase.
//!
//! ```text
//! swarmhold-key-v1                      swarmhold-key-v1
//! address <64 hex>                      address <64 hex>
//! seed <base64, 32 B>                   argon2id memory-kib=32768 passes=4 lanes=1
//!                                       salt <base64, 16 B>
//!                                       nonce <base64, 12 B>
//!                                       sealed <base64, 32 B and a tag of 16 B>
//! ```
//!
//! The address is in the open on purpose: it lets people see whose key this is, and a damaged seed is
//! noticed instead of becoming another identity. A seal is AES-256-GCM under the key that argon2id
//! (RFC 9106) derives; every line above it is authenticated with it. The cost that a file asks for is
//! bounded before it is paid, because a file may come from anywhere.

use std::fmt::Write as _;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

use super::wallet::Wallet;
use crate::digest::Address;
use crate::limits::{
    KEY_FILE_BYTES_MAX, KEY_LANES_MAX, KEY_MEMORY_KIB_MAX, KEY_PASSES_MAX, PASSPHRASE_BYTES_MAX,
};

/// First line of every key file: what it is, and in which version.
const HEADER: &str = "swarmhold-key-v1";
/// Bytes of the tag that AES-256-GCM puts behind the sealed seed.
const TAG_BYTES: usize = 16;

/// Why a key file's text does not give a wallet.
///
/// No variant repeats what stands in the file: it could be the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// It is no text at all.
    #[error("not UTF-8 from byte {at} on")]
    Utf8 {
        /// The first byte that is wrong, from 0.
        at: usize,
    },
    /// A line is not the one that must stand there.
    #[error("line {line}: expected {expected}")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What must stand there.
        expected: &'static str,
    },
    /// A value is not base64 of the right number of bytes.
    #[error("line {line}: expected {bytes} bytes in base64")]
    Value {
        /// Which line, from 1.
        line: usize,
        /// How many bytes the value must have.
        bytes: usize,
    },
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
    /// The seed makes another wallet than the file says.
    #[error("the key does not belong to the address in line 2: the file is damaged")]
    Address,
    /// The key is sealed and no passphrase was given.
    #[error("the key is protected by a passphrase and none was given")]
    PassphraseMissing,
    /// The seal does not open.
    #[error("wrong passphrase, or the file is damaged")]
    PassphraseWrong,
    /// A passphrase was given for a key that has none. Whoever gave it believes the key protected.
    #[error("a passphrase was given, but the key is not protected by one")]
    PassphraseUnused,
    /// The passphrase is empty or too long.
    #[error("passphrase of {found} B, expected 1 to {PASSPHRASE_BYTES_MAX}")]
    PassphraseLength {
        /// Bytes of the passphrase.
        found: usize,
    },
}

/// What argon2id is to spend on one guess of the passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// What new files ask for: 32 MiB, above OWASP's floor of 19 MiB twice, and well within what a small
/// machine has to spare.
const COST: Cost = Cost {
    memory_kib: 32 * 1024,
    passes: 4,
    lanes: 1,
};

/// Writes a key in the open.
pub(super) fn write_open(wallet: &Wallet) -> Zeroizing<String> {
    let mut text = head(wallet);
    text.push_str("seed ");
    BASE64.encode_string(wallet.seed(), &mut text);
    text.push('\n');
    text
}

/// Writes a key sealed with a passphrase. Salt and nonce must be fresh randomness.
pub(super) fn write_sealed(
    wallet: &Wallet,
    passphrase: &str,
    salt: [u8; 16],
    nonce: [u8; 12],
) -> Result<Zeroizing<String>, KeyTextError> {
    seal(wallet, passphrase, COST, salt, nonce)
}

/// [`write_sealed`] at a given cost.
fn seal(
    wallet: &Wallet,
    passphrase: &str,
    cost: Cost,
    salt: [u8; 16],
    nonce: [u8; 12],
) -> Result<Zeroizing<String>, KeyTextError> {
    let key = derive(passphrase, cost, &salt)?;
    let mut text = head(wallet);
    writeln!(text, "{}", cost.to_line()).expect("a String takes any text");
    for (name, value) in [("salt", &salt[..]), ("nonce", &nonce[..])] {
        writeln!(text, "{name} {}", BASE64.encode(value)).expect("a String takes any text");
    }
    // Room for the tag from the start: growing would leave the seed behind.
    let mut sealed = Zeroizing::new(Vec::with_capacity(32 + TAG_BYTES));
    sealed.extend_from_slice(wallet.seed());
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(text.as_bytes()),
        &mut *sealed,
    )
    .expect("32 bytes are within what AES-GCM seals");
    writeln!(text, "sealed {}", BASE64.encode(&*sealed)).expect("a String takes any text");
    Ok(text)
}

/// Reads what a key file contains.
pub(super) fn read(bytes: &[u8], passphrase: Option<&str>) -> Result<Wallet, KeyTextError> {
    let text = std::str::from_utf8(bytes).map_err(|error| KeyTextError::Utf8 {
        at: error.valid_up_to(),
    })?;
    let mut lines = Lines::of(text);
    lines.expect(HEADER, "`swarmhold-key-v1`")?;
    let address: Address = lines
        .field("address ", "`address` and 64 lowercase hex digits")?
        .parse()
        .map_err(|_| lines.error("`address` and 64 lowercase hex digits"))?;
    let expected = "`seed` or `argon2id`";
    let wallet = if let Some(seed) = lines.next(expected)?.strip_prefix("seed ") {
        if passphrase.is_some() {
            return Err(KeyTextError::PassphraseUnused);
        }
        Wallet::from_seed(*lines.bytes::<32>(seed)?)
    } else {
        let cost = Cost::from_line(lines.current).ok_or_else(|| lines.error(expected))?;
        open(text, &mut lines, cost, passphrase)?
    };
    lines.end()?;
    if wallet.address() != address {
        return Err(KeyTextError::Address);
    }
    Ok(wallet)
}

/// Opens the seal, of which everything above has been read.
fn open(
    text: &str,
    lines: &mut Lines<'_>,
    cost: Cost,
    passphrase: Option<&str>,
) -> Result<Wallet, KeyTextError> {
    cost.check()?;
    let salt = lines.field("salt ", "`salt`")?;
    let salt = lines.bytes::<16>(salt)?;
    let nonce = lines.field("nonce ", "`nonce`")?;
    let nonce = lines.bytes::<12>(nonce)?;
    let above = &text[..lines.offset];
    let sealed = lines.field("sealed ", "`sealed`")?;
    let mut sealed = lines.bytes::<{ 32 + TAG_BYTES }>(sealed)?;
    lines.end()?;
    let key = derive(
        passphrase.ok_or(KeyTextError::PassphraseMissing)?,
        cost,
        &salt,
    )?;
    let seed = key
        .open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(above.as_bytes()),
            &mut *sealed,
        )
        .map_err(|_| KeyTextError::PassphraseWrong)?;
    let mut copy = Zeroizing::new([0; 32]);
    copy.copy_from_slice(seed);
    Ok(Wallet::from_seed(*copy))
}

/// The lines that both forms begin with.
fn head(wallet: &Wallet) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(KEY_FILE_BYTES_MAX));
    writeln!(text, "{HEADER}\naddress {}", wallet.address()).expect("a String takes any text");
    text
}

/// The key that a passphrase makes, taken byte for byte as typed.
fn derive(passphrase: &str, cost: Cost, salt: &[u8; 16]) -> Result<LessSafeKey, KeyTextError> {
    if passphrase.is_empty() || passphrase.len() > PASSPHRASE_BYTES_MAX {
        return Err(KeyTextError::PassphraseLength {
            found: passphrase.len(),
        });
    }
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32))
        .expect("the cost has been checked against argon2id's own bounds");
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, key.as_mut())
        .expect("salt and output have lengths that argon2id takes");
    let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).expect("the key has 32 bytes");
    Ok(LessSafeKey::new(key))
}

impl Cost {
    fn to_line(self) -> String {
        format!(
            "argon2id memory-kib={} passes={} lanes={}",
            self.memory_kib, self.passes, self.lanes
        )
    }

    /// Exactly what [`Self::to_line`] writes.
    fn from_line(line: &str) -> Option<Self> {
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
    fn check(self) -> Result<(), KeyTextError> {
        let within = |what, found, min, max| {
            if (min..=max).contains(&found) {
                return Ok(());
            }
            Err(KeyTextError::Cost {
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

/// Walks a text line by line and knows where it is.
struct Lines<'t> {
    text: &'t str,
    current: &'t str,
    number: usize,
    /// Bytes of the text that have been read, line ends included.
    offset: usize,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        Self {
            text,
            current: "",
            number: 0,
            offset: 0,
        }
    }

    /// The next line, which must be there and end with a line feed.
    fn next(&mut self, expected: &'static str) -> Result<&'t str, KeyTextError> {
        self.number += 1;
        let (line, _) = self.text[self.offset..]
            .split_once('\n')
            .ok_or_else(|| self.error(expected))?;
        self.current = line;
        self.offset += line.len() + 1;
        Ok(line)
    }

    fn expect(&mut self, whole: &str, expected: &'static str) -> Result<(), KeyTextError> {
        if self.next(expected)? == whole {
            return Ok(());
        }
        Err(self.error(expected))
    }

    /// What follows the name at the start of the next line.
    fn field(&mut self, name: &str, expected: &'static str) -> Result<&'t str, KeyTextError> {
        self.next(expected)?
            .strip_prefix(name)
            .ok_or_else(|| self.error(expected))
    }

    /// A value of the current line: base64 of exactly `N` bytes.
    fn bytes<const N: usize>(&self, value: &str) -> Result<Zeroizing<[u8; N]>, KeyTextError> {
        let wrong = KeyTextError::Value {
            line: self.number,
            bytes: N,
        };
        let decoded = Zeroizing::new(BASE64.decode(value).map_err(|_| wrong.clone())?);
        let mut bytes = Zeroizing::new([0; N]);
        if decoded.len() != N {
            return Err(wrong);
        }
        bytes.copy_from_slice(&decoded);
        Ok(bytes)
    }

    /// Nothing follows.
    fn end(&mut self) -> Result<(), KeyTextError> {
        if self.offset == self.text.len() {
            return Ok(());
        }
        self.number += 1;
        Err(self.error("the end of the file"))
    }

    fn error(&self, expected: &'static str) -> KeyTextError {
        KeyTextError::Line {
            line: self.number,
            expected,
        }
    }
}
