//! The header: the file key, wrapped for each recipient, under a MAC of that key.
//!
//! ```text
//! age-encryption.org/v1
//! -> X25519 EPHEMERAL SHARE           a stanza for each recipient; others' kinds are passed over
//! WRAPPED FILE KEY
//! --- MAC
//! ```
//!
//! Invariant: a [`Header`] has every stanza in the form that its writer must give it, and exactly the
//! bytes over which the MAC is. Nothing else is believed until a key has opened it.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use zeroize::Zeroizing;

use super::key::{Key, Recipient};
use crate::identity::derive;

/// Bytes of a header, at most, when it is read: enough for hundreds of recipients.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Recipients of one file, at most, when it is written.
pub const RECIPIENTS_MAX: usize = 256;

const VERSION: &str = "age-encryption.org/v1\n";
/// What the kind of stanza is called that we read and write.
const KIND: &str = "X25519";
/// The kind for passphrases, which must be alone.
const PASSPHRASE: &str = "scrypt";
const WRAP_PURPOSE: &[u8] = b"age-encryption.org/v1/X25519";
/// Bytes of a file key.
const FILE_KEY_BYTES: usize = 16;
/// Bytes of a wrapped file key.
const WRAPPED_BYTES: usize = FILE_KEY_BYTES + 16;
/// Characters of a line of a stanza's body; the last line has fewer.
const LINE_CHARS: usize = 64;

/// What everything in one file is encrypted with. Wiped when dropped.
pub struct FileKey(Zeroizing<[u8; FILE_KEY_BYTES]>);

/// A header that was read.
#[derive(Debug)]
pub struct Header {
    stanzas: Vec<Stanza>,
    /// What the MAC is over.
    vouched: Vec<u8>,
    mac: [u8; 32],
    /// Bytes of it all.
    end: usize,
}

/// The file key for one X25519 recipient.
#[derive(Debug)]
struct Stanza {
    ephemeral: Recipient,
    wrapped: [u8; WRAPPED_BYTES],
}

/// Why a header cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It does not begin as age files do.
    #[error("E-AGE: not an age file")]
    OtherFormat,
    /// It breaks the format.
    #[error("E-AGE: malformed header: {what}, in line {line}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Where, from 1.
        line: usize,
    },
    /// It does not end.
    #[error("E-AGE: no end of the header within {HEADER_BYTES_MAX} B")]
    TooLong,
    /// It is for others.
    #[error("E-AGE: encrypted to others than this key")]
    NotForUs,
    /// It was changed after it was written.
    #[error("E-AGE: the header was changed since it was written")]
    Changed,
    /// Nobody could read it.
    #[error("E-RECIPIENT: {found} recipients, expected 1 to {RECIPIENTS_MAX}")]
    Recipients {
        /// How many were named.
        found: usize,
    },
}

impl HeaderError {
    /// The stable code of this error, with which its text starts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Recipients { .. } => "E-RECIPIENT",
            Self::OtherFormat
            | Self::Malformed { .. }
            | Self::TooLong
            | Self::NotForUs
            | Self::Changed => "E-AGE",
        }
    }
}

impl FileKey {
    /// The key with these random bytes.
    pub fn new(bytes: [u8; FILE_KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// The header of a file with this key. Each recipient comes with a key that is random and used for
    /// nothing else.
    pub fn header(&self, recipients: &[(Recipient, Key)]) -> Result<Vec<u8>, HeaderError> {
        let found = recipients.len();
        if found == 0 || found > RECIPIENTS_MAX {
            return Err(HeaderError::Recipients { found });
        }
        let mut text = VERSION.to_owned();
        for (recipient, ephemeral) in recipients {
            // Nobody has a key for such a recipient; as if none were named.
            let wrapped =
                wrap(self, recipient, ephemeral).ok_or(HeaderError::Recipients { found: 0 })?;
            let share = BASE64.encode(ephemeral.recipient().as_bytes());
            text += &format!("-> {KIND} {share}\n{}\n", BASE64.encode(wrapped));
        }
        text += "---";
        let mac = BASE64.encode(hmac::sign(&self.mac_key(), text.as_bytes()));
        text += &format!(" {mac}\n");
        Ok(text.into_bytes())
    }

    fn mac_key(&self) -> hmac::Key {
        let key = derive(&[], self.as_bytes(), b"header");
        hmac::Key::new(hmac::HMAC_SHA256, key.as_ref())
    }
}

impl Header {
    /// Whether a file that begins with these bytes says that it is one of age.
    pub fn begins(bytes: &[u8]) -> bool {
        bytes.starts_with(VERSION.as_bytes())
    }

    /// Reads the header that `bytes` begin with. They should be [`HEADER_BYTES_MAX`], or the whole file.
    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        if !Self::begins(bytes) {
            return Err(HeaderError::OtherFormat);
        }
        let bytes = &bytes[..bytes.len().min(HEADER_BYTES_MAX)];
        let mut lines = Lines {
            bytes,
            at: 0,
            number: 0,
        };
        lines.next()?;
        let (mut stanzas, mut kinds, mut passphrases) = (Vec::new(), 0, 0);
        loop {
            let begin = lines.at;
            let line = lines.next()?;
            if let Some(mac) = line.strip_prefix("---") {
                let vouched = bytes[..begin + 3].to_vec();
                let mac = mac.strip_prefix(' ').and_then(fixed);
                let mac = mac.ok_or_else(|| lines.malformed("a MAC of 32 bytes was expected"))?;
                if kinds == 0 {
                    return Err(lines.malformed("it is for nobody"));
                }
                if passphrases > 0 && kinds > 1 {
                    return Err(lines.malformed("a passphrase must be the only stanza"));
                }
                let end = lines.at;
                return Ok(Self {
                    stanzas,
                    vouched,
                    mac,
                    end,
                });
            }
            kinds += 1;
            let arguments = line.strip_prefix("-> ");
            let arguments = arguments.ok_or_else(|| lines.malformed("a stanza was expected"))?;
            let arguments: Vec<&str> = arguments.split(' ').collect();
            let is_word =
                |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_graphic());
            if !arguments.iter().all(is_word) {
                return Err(lines.malformed("words with one space between were expected"));
            }
            passphrases += usize::from(arguments[0] == PASSPHRASE);
            let body = lines.body()?;
            if arguments[0] == KIND {
                let stanza = Stanza::read(&arguments[1..], &body);
                stanzas.push(
                    stanza
                        .ok_or_else(|| lines.malformed("an X25519 stanza has 32 bytes and 32"))?,
                );
            }
        }
    }

    /// The file key, if it is wrapped for this key.
    pub fn open(&self, key: &Key) -> Result<FileKey, HeaderError> {
        let unwrapped = self.stanzas.iter().find_map(|stanza| stanza.unwrap(key));
        let file_key = unwrapped.ok_or(HeaderError::NotForUs)?;
        hmac::verify(&file_key.mac_key(), &self.vouched, &self.mac)
            .map_err(|_| HeaderError::Changed)?;
        Ok(file_key)
    }

    /// Where the header ends and the payload's nonce begins, in bytes.
    pub fn end(&self) -> usize {
        self.end
    }
}

impl Stanza {
    fn read(arguments: &[&str], body: &[u8]) -> Option<Self> {
        let [share] = arguments else {
            return None;
        };
        Some(Self {
            ephemeral: Recipient::from_bytes(fixed(share)?),
            wrapped: body.try_into().ok()?,
        })
    }

    fn unwrap(&self, key: &Key) -> Option<FileKey> {
        let shared = key.agree(&self.ephemeral)?;
        let salt = [*self.ephemeral.as_bytes(), *key.recipient().as_bytes()].concat();
        let mut bytes = Zeroizing::new(self.wrapped);
        let opened =
            wrapping(&salt, &shared).open_in_place(no_nonce(), Aad::empty(), bytes.as_mut());
        let opened = opened.ok()?.first_chunk::<FILE_KEY_BYTES>()?;
        Some(FileKey::new(*opened))
    }
}

fn wrap(file_key: &FileKey, recipient: &Recipient, ephemeral: &Key) -> Option<Vec<u8>> {
    let shared = ephemeral.agree(recipient)?;
    let salt = [*ephemeral.recipient().as_bytes(), *recipient.as_bytes()].concat();
    let mut bytes = file_key.as_bytes().to_vec();
    let sealed =
        wrapping(&salt, &shared).seal_in_place_append_tag(no_nonce(), Aad::empty(), &mut bytes);
    sealed.expect("a file key is shorter than what the cipher takes");
    Some(bytes)
}

fn wrapping(salt: &[u8], shared: &[u8; 32]) -> LessSafeKey {
    let key = derive(salt, shared, WRAP_PURPOSE);
    let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_ref());
    LessSafeKey::new(key.expect("the key has the cipher's length"))
}

/// A wrapping key is used once, so any nonce is new.
fn no_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

fn fixed(text: &str) -> Option<[u8; 32]> {
    BASE64.decode(text).ok()?.try_into().ok()
}

/// A header's lines.
struct Lines<'b> {
    bytes: &'b [u8],
    at: usize,
    number: usize,
}

impl<'b> Lines<'b> {
    fn next(&mut self) -> Result<&'b str, HeaderError> {
        self.number += 1;
        let rest = &self.bytes[self.at..];
        let Some(len) = rest.iter().position(|byte| *byte == b'\n') else {
            return Err(match self.bytes.len() < HEADER_BYTES_MAX {
                true => self.malformed("the file ends"),
                false => HeaderError::TooLong,
            });
        };
        self.at += len + 1;
        match std::str::from_utf8(&rest[..len]) {
            Ok(line) => Ok(line),
            Err(_) => Err(self.malformed("text was expected")),
        }
    }

    /// A stanza's body: full lines, and one that is not.
    fn body(&mut self) -> Result<Vec<u8>, HeaderError> {
        let mut text = String::new();
        loop {
            let line = self.next()?;
            text += line;
            if line.len() < LINE_CHARS {
                break;
            }
            if line.len() > LINE_CHARS {
                return Err(self.malformed("a line of more than 64 characters"));
            }
        }
        let decoded = BASE64.decode(text);
        decoded.map_err(|_| self.malformed("base64 without padding was expected"))
    }

    fn malformed(&self, what: &'static str) -> HeaderError {
        let line = self.number;
        HeaderError::Malformed { what, line }
    }
}

#[cfg(test)]
mod tests;
