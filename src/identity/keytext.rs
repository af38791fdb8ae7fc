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
//! noticed instead of becoming another identity. The seal vouches for every line above it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

use super::lines::Lines;
use super::seal::{Cost, SEALED_BYTES, Seal, SealError};
use super::wallet::Wallet;
use crate::digest::Address;
use crate::limits::KEY_FILE_BYTES_MAX;

/// First line of every key file: what it is, and in which version.
const HEADER: &str = "swarmhold-key-v1";

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
    /// The seed makes another wallet than the file says.
    #[error("the key does not belong to the address in line 2: the file is damaged")]
    Address,
    /// The key of a vault is sealed for another identity.
    #[error("the vault belongs to the identity {expected}, this is {found}")]
    OtherIdentity {
        /// Whose it is.
        expected: Address,
        /// Who wants it.
        found: Address,
    },
    /// The key of a vault is not what was sealed.
    #[error("the key cannot be opened: the file is damaged")]
    Damaged,
    /// The key is sealed and no passphrase was given.
    #[error("the key is protected by a passphrase and none was given")]
    PassphraseMissing,
    /// A passphrase was given for a key that has none. Whoever gave it believes the key protected.
    #[error("a passphrase was given, but the key is not protected by one")]
    PassphraseUnused,
    /// The key is sealed, and the seal cannot be made or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
}

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
) -> Result<Zeroizing<String>, SealError> {
    let mut text = head(wallet);
    push_sealed(&mut text, wallet.seed(), passphrase, salt, nonce)?;
    Ok(text)
}

/// Writes something sealed with a passphrase, and what it is sealed with, below what vouches for it.
pub(super) fn push_sealed(
    text: &mut String,
    secret: &[u8; 32],
    passphrase: &str,
    salt: [u8; 16],
    nonce: [u8; 12],
) -> Result<(), SealError> {
    let cost = Cost::STANDARD;
    push_line(text, &cost.to_line());
    push_line(text, &format!("salt {}", BASE64.encode(salt)));
    push_line(text, &format!("nonce {}", BASE64.encode(nonce)));
    let seal = Seal {
        cost,
        salt,
        nonce,
        above: text,
    };
    let sealed = seal.close(secret, passphrase)?;
    push_line(text, &format!("sealed {}", BASE64.encode(&*sealed)));
    Ok(())
}

/// Reads what a key file contains.
pub(super) fn read(bytes: &[u8], passphrase: Option<&str>) -> Result<Wallet, KeyTextError> {
    let mut lines = Lines::of_bytes(bytes)?;
    if lines.next("`swarmhold-key-v1`")? != HEADER {
        return Err(lines.error("`swarmhold-key-v1`"));
    }
    let address = read_address(&mut lines)?;
    let expected = "`seed`, or `argon2id` with its cost";
    let line = lines.next(expected)?;
    let seed = if let Some(seed) = line.strip_prefix("seed ") {
        read_open(&mut lines, seed, passphrase)?
    } else {
        let cost = Cost::from_line(line).ok_or_else(|| lines.error(expected))?;
        read_sealed(&mut lines, cost, passphrase)?
    };
    let wallet = Wallet::from_seed(*seed);
    if wallet.address() != address {
        return Err(KeyTextError::Address);
    }
    Ok(wallet)
}

fn read_address(lines: &mut Lines<'_>) -> Result<Address, KeyTextError> {
    let expected = "`address` and 64 lowercase hex digits";
    let digits = lines.field("address ", expected)?;
    digits.parse().map_err(|_| lines.error(expected))
}

/// The seed of a line that says it in the open.
fn read_open(
    lines: &mut Lines<'_>,
    seed: &str,
    passphrase: Option<&str>,
) -> Result<Zeroizing<[u8; 32]>, KeyTextError> {
    let seed = lines.bytes(seed)?;
    lines.end()?;
    if passphrase.is_some() {
        return Err(KeyTextError::PassphraseUnused);
    }
    Ok(seed)
}

/// What is sealed with a passphrase, by the lines that follow a cost.
pub(super) fn read_sealed(
    lines: &mut Lines<'_>,
    cost: Cost,
    passphrase: Option<&str>,
) -> Result<Zeroizing<[u8; 32]>, KeyTextError> {
    cost.check()?;
    let salt = lines.field("salt ", "`salt`")?;
    let salt = *lines.bytes(salt)?;
    let Rest {
        nonce,
        above,
        sealed,
    } = Rest::read(lines)?;
    let passphrase = passphrase.ok_or(KeyTextError::PassphraseMissing)?;
    let seal = Seal {
        cost,
        salt,
        nonce,
        above,
    };
    Ok(seal.open(sealed, passphrase)?)
}

/// How every form ends in which something is sealed.
pub(super) struct Rest<'t> {
    pub(super) nonce: [u8; 12],
    /// What the seal vouches for.
    pub(super) above: &'t str,
    pub(super) sealed: Zeroizing<[u8; SEALED_BYTES]>,
}

impl<'t> Rest<'t> {
    /// The lines from the nonce to the end.
    pub(super) fn read(lines: &mut Lines<'t>) -> Result<Self, KeyTextError> {
        let nonce = lines.field("nonce ", "`nonce`")?;
        let nonce = *lines.bytes(nonce)?;
        let above = lines.read();
        let sealed = lines.field("sealed ", "`sealed`")?;
        let sealed = lines.bytes(sealed)?;
        lines.end()?;
        Ok(Self {
            nonce,
            above,
            sealed,
        })
    }
}

/// The lines that both forms begin with.
fn head(wallet: &Wallet) -> Zeroizing<String> {
    // Room for all of it from the start: growing would leave copies of the seed behind.
    let mut text = Zeroizing::new(String::with_capacity(KEY_FILE_BYTES_MAX));
    push_line(&mut text, HEADER);
    push_line(&mut text, &format!("address {}", wallet.address()));
    text
}

pub(super) fn push_line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a String takes any text");
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: &str = "swarmhold-key-v1\n\
        address b62e867fa2f33afe62d5d6b1642e1621d543307846b2a57b897e710919b76709\n\
        seed AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\n";

    fn wallet() -> Wallet {
        Wallet::from_seed([3; 32])
    }

    fn sealed() -> String {
        let text = write_sealed(&wallet(), "open sesame", [1; 16], [2; 12]).unwrap();
        text.to_string()
    }

    fn error_of(text: &str, passphrase: Option<&str>) -> String {
        read(text.as_bytes(), passphrase).unwrap_err().to_string()
    }

    #[test]
    fn an_open_key_is_three_lines() {
        assert_eq!(*write_open(&wallet()), OPEN);
        let read = read(OPEN.as_bytes(), None).unwrap();
        assert_eq!(read.address(), wallet().address());
    }

    #[test]
    fn a_sealed_key_opens_with_its_passphrase_only() {
        let text = sealed();
        assert!(text.len() < KEY_FILE_BYTES_MAX);
        assert!(
            !text.contains("AwMDAw"),
            "the seed is not in the open: {text}"
        );
        let opened = read(text.as_bytes(), Some("open sesame")).unwrap();
        assert_eq!(opened.address(), wallet().address());
        assert_eq!(
            error_of(&text, Some("open sesam")),
            "wrong passphrase, or the file is damaged"
        );
        assert_eq!(
            error_of(&text, None),
            "the key is protected by a passphrase and none was given"
        );
        let relabelled = text.replacen("address b6", "address b7", 1);
        assert_eq!(
            error_of(&relabelled, Some("open sesame")),
            "wrong passphrase, or the file is damaged"
        );
    }

    #[test]
    fn malformed_texts_say_which_line() {
        let header = "line 1: expected `swarmhold-key-v1`";
        let address = "line 2: expected `address` and 64 lowercase hex digits";
        let third = "line 3: expected `seed`, or `argon2id` with its cost";
        let damaged = "the key does not belong to the address in line 2: the file is damaged";
        let sealed = sealed();
        let cases = [
            (String::new(), header),
            (OPEN.replace("v1", "v2"), header),
            (OPEN.replace('\n', "\r\n"), header),
            (OPEN.replace("address", "adress"), address),
            (OPEN.replace("b62e867f", "b62E867f"), address),
            (OPEN.replace("b62e867f", "b62e8670"), damaged),
            (OPEN.replace("seed AwMD", "seed BwMD"), damaged),
            (OPEN.replace("seed", "sead"), third),
            (OPEN.trim_end().to_owned(), third),
            (
                OPEN.replace("AwMDAw", "Aw*DAw"),
                "line 3: expected 32 bytes in base64",
            ),
            (
                OPEN.replace("AwMDAwMD", "AwMD"),
                "line 3: expected 32 bytes in base64",
            ),
            (format!("{OPEN}\n"), "line 4: expected the end of the file"),
            (sealed.replace("salt", "slat"), "line 4: expected `salt`"),
            (
                sealed.replace("AQEBAQ", ""),
                "line 4: expected 16 bytes in base64",
            ),
            (sealed.replace("nonce", "once"), "line 5: expected `nonce`"),
            (
                sealed.replace("sealed", "seeled"),
                "line 6: expected `sealed`",
            ),
            (format!("{sealed}x"), "line 7: expected the end of the file"),
            (
                sealed.replace("=32768", "=999999"),
                "argon2id memory-kib=999999, expected 8 to 262144",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(error_of(&text, None), expected, "{text}");
        }
        let not_text = read(b"swarmhold\xff", None).unwrap_err();
        assert_eq!(not_text.to_string(), "not UTF-8 from byte 9 on");
    }

    #[test]
    fn a_passphrase_for_an_open_key_is_not_ignored() {
        assert_eq!(
            error_of(OPEN, Some("open sesame")),
            "a passphrase was given, but the key is not protected by one"
        );
    }
}
