//! The key of a vault, and its text: sealed for a wallet, or with a passphrase.
//!
//! ```text
//! swarmhold-vault-v1                    swarmhold-vault-v1
//! id <32 hex>                           id <32 hex>
//! identity <64 hex>                     argon2id memory-kib=32768 passes=4 lanes=1
//!                                       salt <base64, 16 B>
//! nonce <base64, 12 B>                  nonce <base64, 12 B>
//! sealed <base64, 32 B and a tag of 16 B>
//! ```
//!
//! The key itself is random and stays the same for the life of a vault, so that a new passphrase does not
//! mean that every container is encrypted anew. The seal vouches for every line above it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

use super::derive::derive;
use super::keytext::{KeyTextError, Rest, push_line, push_sealed, read_sealed};
use super::lines::Lines;
use super::seal::{Cost, SealError, close_with, open_with, sealing_key};
use super::wallet::Wallet;
use crate::digest::Address;
use crate::limits::KEY_FILE_BYTES_MAX;

/// First line of every file: what it is, and in which version.
const HEADER: &str = "swarmhold-vault-v1";
/// Tells the key that a wallet guards its vault with from everything else that is made of its seed.
const OF_WALLET: &[u8] = b"swarmhold/vault-guard/1";
const ID_BYTES: usize = 16;
const GUARD_EXPECTED: &str = "`identity` and 64 lowercase hex digits, or `argon2id` with its cost";

/// What all containers of a vault are encrypted with. Wiped when dropped, never printed.
pub struct VaultKey {
    id: [u8; ID_BYTES],
    secret: Zeroizing<[u8; 32]>,
}

/// What a vault's key is sealed with.
#[derive(Clone, Copy)]
pub enum Guard<'g> {
    /// Whoever has this wallet opens it.
    Wallet(&'g Wallet),
    /// Whoever knows this opens it.
    Passphrase(&'g str),
}

/// What opens a vault's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealed {
    /// The wallet of this address.
    Identity(Address),
    /// Whoever knows the passphrase.
    Passphrase,
}

impl VaultKey {
    /// The key of a vault with this name; both must be fresh randomness.
    pub fn new(id: [u8; ID_BYTES], secret: [u8; 32]) -> Self {
        Self {
            id,
            secret: Zeroizing::new(secret),
        }
    }

    /// Tells one vault from another; no secret.
    pub const fn id(&self) -> [u8; ID_BYTES] {
        self.id
    }

    /// A key of its own for each salt and purpose.
    pub(crate) fn derive(&self, salt: &[u8], purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        derive(salt, self.secret.as_ref(), purpose)
    }
}

impl fmt::Debug for VaultKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VaultKey({})", hex(&self.id))
    }
}

/// Writes a key, sealed. Salt and nonce must be fresh randomness.
pub(super) fn write(
    key: &VaultKey,
    guard: Guard<'_>,
    salt: [u8; 16],
    nonce: [u8; 12],
) -> Result<String, SealError> {
    let mut text = String::with_capacity(KEY_FILE_BYTES_MAX);
    push_line(&mut text, HEADER);
    push_line(&mut text, &format!("id {}", hex(&key.id)));
    match guard {
        Guard::Wallet(wallet) => {
            push_line(&mut text, &format!("identity {}", wallet.address()));
            push_line(&mut text, &format!("nonce {}", BASE64.encode(nonce)));
            let with = sealing_key(&derive(&key.id, wallet.seed(), OF_WALLET));
            let sealed = close_with(&with, nonce, &text, &key.secret);
            push_line(&mut text, &format!("sealed {}", BASE64.encode(&*sealed)));
        }
        Guard::Passphrase(passphrase) => {
            push_sealed(&mut text, &key.secret, passphrase, salt, nonce)?;
        }
    }
    Ok(text)
}

/// Reads what a vault's file contains.
pub(super) fn read(
    bytes: &[u8],
    wallet: &Wallet,
    passphrase: Option<&str>,
) -> Result<VaultKey, KeyTextError> {
    let mut lines = Lines::of_bytes(bytes)?;
    let (id, guard) = head(&mut lines)?;
    let secret = match guard {
        GuardLine::Identity(address) => of_wallet(&mut lines, id, address, wallet, passphrase)?,
        GuardLine::Argon2id(cost) => read_sealed(&mut lines, cost, passphrase)?,
    };
    Ok(VaultKey { id, secret })
}

/// What opens a file.
pub(super) fn sealed_with(bytes: &[u8]) -> Result<Sealed, KeyTextError> {
    let (_, guard) = head(&mut Lines::of_bytes(bytes)?)?;
    Ok(match guard {
        GuardLine::Identity(address) => Sealed::Identity(address),
        GuardLine::Argon2id(_) => Sealed::Passphrase,
    })
}

/// The line that says what opens a file.
enum GuardLine {
    Identity(Address),
    Argon2id(Cost),
}

/// The lines that both forms begin with.
fn head(lines: &mut Lines<'_>) -> Result<([u8; ID_BYTES], GuardLine), KeyTextError> {
    if lines.next("`swarmhold-vault-v1`")? != HEADER {
        return Err(lines.error("`swarmhold-vault-v1`"));
    }
    let expected = "`id` and 32 lowercase hex digits";
    let id = lines.field("id ", expected)?;
    let id = unhex(id).ok_or_else(|| lines.error(expected))?;
    let line = lines.next(GUARD_EXPECTED)?;
    let guard = match line.strip_prefix("identity ") {
        Some(address) => address.parse().ok().map(GuardLine::Identity),
        None => Cost::from_line(line).map(GuardLine::Argon2id),
    };
    Ok((id, guard.ok_or_else(|| lines.error(GUARD_EXPECTED))?))
}

fn of_wallet(
    lines: &mut Lines<'_>,
    id: [u8; ID_BYTES],
    expected: Address,
    wallet: &Wallet,
    passphrase: Option<&str>,
) -> Result<Zeroizing<[u8; 32]>, KeyTextError> {
    let rest = Rest::read(lines)?;
    let found = wallet.address();
    if found != expected {
        return Err(KeyTextError::OtherIdentity { expected, found });
    }
    if passphrase.is_some() {
        return Err(KeyTextError::PassphraseUnused);
    }
    let with = sealing_key(&derive(&id, wallet.seed(), OF_WALLET));
    open_with(&with, rest.nonce, rest.above, rest.sealed).ok_or(KeyTextError::Damaged)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; ID_BYTES]> {
    let mut id = [0; ID_BYTES];
    for (at, byte) in id.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    // one spelling only: no capitals, no signs, nothing after it
    (hex(&id) == text).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> VaultKey {
        VaultKey::new([5; ID_BYTES], [7; 32])
    }

    fn wallet() -> Wallet {
        Wallet::from_seed([3; 32])
    }

    fn written(guard: Guard<'_>) -> String {
        write(&key(), guard, [1; 16], [2; 12]).unwrap()
    }

    fn error_of(text: &str, seed: u8, passphrase: Option<&str>) -> String {
        let wallet = Wallet::from_seed([seed; 32]);
        read(text.as_bytes(), &wallet, passphrase)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn either_guard_opens_what_it_sealed() {
        for (guard, passphrase) in [
            (Guard::Wallet(&wallet()), None),
            (Guard::Passphrase("open sesame"), Some("open sesame")),
        ] {
            let text = written(guard);
            assert!(text.len() < KEY_FILE_BYTES_MAX);
            assert!(!text.contains(&BASE64.encode([7; 30])), "{text}");
            let key = read(text.as_bytes(), &wallet(), passphrase).unwrap();
            assert_eq!((key.id(), *key.secret), ([5; 16], [7; 32]));
            assert_eq!(format!("{key:?}"), format!("VaultKey({})", "05".repeat(16)));
        }
    }

    #[test]
    fn others_do_not_open_it() {
        let (sealed, locked) = (
            written(Guard::Wallet(&wallet())),
            written(Guard::Passphrase("open sesame")),
        );
        assert!(error_of(&sealed, 4, None).starts_with("the vault belongs to the identity"));
        let unused = "a passphrase was given, but the key is not protected by one";
        assert_eq!(error_of(&sealed, 3, Some("x")), unused);
        let wrong = "wrong passphrase, or the file is damaged";
        assert_eq!(error_of(&locked, 3, Some("x")), wrong);
        let missing = "the key is protected by a passphrase and none was given";
        assert_eq!(error_of(&locked, 3, None), missing);
        let renamed = sealed.replacen("id 05", "id 06", 1);
        let damaged = "the key cannot be opened: the file is damaged";
        assert_eq!(error_of(&renamed, 3, None), damaged);
        let renamed = locked.replacen("id 05", "id 06", 1);
        assert_eq!(error_of(&renamed, 3, Some("open sesame")), wrong);
    }

    #[test]
    fn malformed_texts_say_which_line() {
        let (sealed, locked) = (
            written(Guard::Wallet(&wallet())),
            written(Guard::Passphrase("open sesame")),
        );
        let id = "line 2: expected `id` and 32 lowercase hex digits";
        let guard = format!("line 3: expected {GUARD_EXPECTED}");
        for (text, expected) in [
            (String::new(), "line 1: expected `swarmhold-vault-v1`"),
            (
                sealed.replace("vault-v1", "vault-v2"),
                "line 1: expected `swarmhold-vault-v1`",
            ),
            (sealed.replace("id 05", "id +5"), id),
            (sealed.replace("id 0505", "id 05"), id),
            (sealed.replace("identity ", "identity x"), &guard),
            (locked.replace("argon2id", "argon2i"), &guard),
            (locked.replace("salt", "slat"), "line 4: expected `salt`"),
            (sealed.replace("nonce", "once"), "line 4: expected `nonce`"),
            (format!("{sealed}x"), "line 6: expected the end of the file"),
        ] {
            assert_eq!(error_of(&text, 3, None), expected, "{text}");
        }
    }

    #[test]
    fn made_keys_differ_by_salt_purpose_and_vault() {
        let made = |key: &VaultKey, salt: &[u8], purpose: &[u8]| *key.derive(salt, purpose);
        let one = made(&key(), b"a", b"b");
        assert_eq!(one, made(&key(), b"a", b"b"));
        let other = VaultKey::new([5; ID_BYTES], [8; 32]);
        for another in [
            made(&key(), b"x", b"b"),
            made(&key(), b"a", b"x"),
            made(&other, b"a", b"b"),
        ] {
            assert_ne!(one, another);
        }
    }
}
