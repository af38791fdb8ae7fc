//! A wallet written down: 24 English words (BIP-39), from which it can be restored.
//!
//! The words are the seed itself with a checksum of 8 bits, not BIP-39's derived seed: what is
//! restored is exactly the wallet that was backed up. Whoever reads the words has the wallet.

use bip39::{Language, Mnemonic};
use zeroize::{Zeroize, Zeroizing};

use super::wallet::Wallet;
use crate::limits::BACKUP_BYTES_MAX;

/// Words that a 256-bit seed takes.
const WORDS: usize = 24;
/// Letters of an unknown word that an error repeats; the longest word of the list has 8.
const SHOWN_MAX: usize = 12;

/// Why a text is not a wallet's backup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// The text is far longer than 24 words can be.
    #[error("backup {found} B > limit {limit}", limit = BACKUP_BYTES_MAX)]
    TooLong {
        /// Bytes of the text.
        found: usize,
    },
    /// There are not 24 words.
    #[error("backup must be {WORDS} words, got {0}")]
    Count(usize),
    /// A word is not in the English list.
    #[error("word {position}, {word:?}, is not in the BIP-39 English list")]
    Unknown {
        /// Which word, from 1.
        position: usize,
        /// What stands there, shortened if it is long.
        word: String,
    },
    /// All words are known, but they do not belong together in this order.
    #[error("the words do not fit together: one is wrong or two have changed places")]
    Checksum,
}

impl Wallet {
    /// The 24 words, in lower case with one space between them, that restore this wallet.
    pub fn to_words(&self) -> Zeroizing<String> {
        let mnemonic = Mnemonic::from_entropy_in(Language::English, self.seed())
            .expect("32 bytes are a length that BIP-39 takes");
        // Long enough from the start: growing would leave copies behind.
        let mut text = Zeroizing::new(String::with_capacity(BACKUP_BYTES_MAX));
        for word in mnemonic.words() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
        text
    }

    /// Restores a wallet from its 24 words. Case and the amount of white space do not matter.
    pub fn from_words(text: &str) -> Result<Self, WordsError> {
        if text.len() > BACKUP_BYTES_MAX {
            return Err(WordsError::TooLong { found: text.len() });
        }
        let normal = normalize(text)?;
        // Count and words have been checked, so the checksum is all that can still be wrong.
        let mnemonic = Mnemonic::parse_in_normalized(Language::English, &normal)
            .map_err(|_| WordsError::Checksum)?;
        let (mut entropy, _) = mnemonic.to_entropy_array();
        let mut seed = Zeroizing::new([0; 32]);
        seed.copy_from_slice(&entropy[..32]);
        entropy.zeroize();
        Ok(Self::from_seed(*seed))
    }
}

/// The words in lower case with one space between them, each known and 24 in number.
fn normalize(text: &str) -> Result<Zeroizing<String>, WordsError> {
    let count = text.split_whitespace().count();
    if count != WORDS {
        return Err(WordsError::Count(count));
    }
    let lower = Zeroizing::new(text.to_ascii_lowercase());
    let mut normal = Zeroizing::new(String::with_capacity(BACKUP_BYTES_MAX));
    for (index, word) in lower.split_whitespace().enumerate() {
        if Language::English.find_word(word).is_none() {
            return Err(WordsError::Unknown {
                position: index + 1,
                word: word.chars().take(SHOWN_MAX).collect(),
            });
        }
        if index > 0 {
            normal.push(' ');
        }
        normal.push_str(word);
    }
    Ok(normal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn wallet() -> Wallet {
        Wallet::from_seed(*Digest::of(b"words").as_bytes())
    }

    #[test]
    fn known_vectors_of_bip39() {
        let zeros = format!("{}art", "abandon ".repeat(23));
        assert_eq!(*Wallet::from_seed([0; 32]).to_words(), zeros);
        let ones = format!("{}vote", "zoo ".repeat(23));
        assert_eq!(*Wallet::from_seed([0xff; 32]).to_words(), ones);
    }

    #[test]
    fn words_and_back() {
        let words = wallet().to_words();
        assert_eq!(words.split(' ').count(), 24);
        let restored = Wallet::from_words(&words).unwrap();
        assert_eq!(restored.seed(), wallet().seed());
    }

    #[test]
    fn case_and_white_space_do_not_matter() {
        let messy = format!(
            "\n  {}\t\r\n",
            wallet().to_words().to_uppercase().replace(' ', " \n ")
        );
        let restored = Wallet::from_words(&messy).unwrap();
        assert_eq!(restored.address(), wallet().address());
    }

    #[test]
    fn wrong_backups_say_what_is_wrong() {
        let good = wallet().to_words();
        let words: Vec<&str> = good.split(' ').collect();
        let with = |position: usize, word: &str| {
            let mut words = words.clone();
            words[position - 1] = word;
            words.join(" ")
        };
        let mut swapped = words.clone();
        swapped.swap(0, 1);
        let unknown = |position: usize, word: &str| WordsError::Unknown {
            position,
            word: word.to_owned(),
        };
        let cases = [
            (String::new(), WordsError::Count(0)),
            (words[..12].join(" "), WordsError::Count(12)),
            (format!("{} zoo", *good), WordsError::Count(25)),
            (with(3, "abandom"), unknown(3, "abandom")),
            (with(24, "zoö"), unknown(24, "zoö")),
            (with(1, &"x".repeat(300)), unknown(1, "xxxxxxxxxxxx")),
            (swapped.join(" "), WordsError::Checksum),
            ("zoo ".repeat(24), WordsError::Checksum),
            ("zoo ".repeat(257), WordsError::TooLong { found: 1028 }),
        ];
        for (text, expected) in cases {
            assert_eq!(Wallet::from_words(&text).unwrap_err(), expected, "{text}");
        }
        assert_eq!(
            unknown(3, "abandom").to_string(),
            "word 3, \"abandom\", is not in the BIP-39 English list"
        );
    }
}
