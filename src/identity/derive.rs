//! Keys made of other secrets.

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

/// HKDF-SHA256 (RFC 5869): 32 bytes made of a secret, others for each salt and
/// each purpose.
pub(crate) fn derive(salt: &[u8], secret: &[u8], purpose: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut made = Zeroizing::new([0; 32]);
    Salt::new(HKDF_SHA256, salt)
        .extract(secret)
        .expand(&[purpose], Length)
        .and_then(|made_of| made_of.fill(made.as_mut()))
        .expect("32 bytes are less than HKDF can give");
    made
}

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        32
    }
}
