//! The certificate that a wallet presents: self-signed X.509 version 3, ed25519 (RFC 8410).
//!
//! It is the same bytes each time, for the same wallet: nothing in it depends on the clock or on
//! chance. It names nobody; who the peer is, is the key. Verifiers ignore the dates.

use rcgen::{CertificateParams, DnType, PublicKeyData, SerialNumber, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroize;

use super::wallet::Wallet;

/// Subject and alternative name of every certificate. `.invalid` resolves nowhere (RFC 6761).
pub const SUBJECT: &str = "swarmhold.invalid";
/// Bytes of the serial number; RFC 5280 section 4.1.2.2 allows up to 20.
const SERIAL_BYTES: usize = 16;

/// A wallet's certificate and the private key that goes with it, which is wiped when dropped.
#[derive(Debug)]
pub struct Certificate {
    /// The certificate, the only one of its chain.
    pub chain: CertificateDer<'static>,
    /// The wallet's private key (PKCS #8).
    pub key: PrivateKeyDer<'static>,
}

/// The certificate could not be made. Our own bug or that of a library, nobody else's.
#[derive(Debug, thiserror::Error)]
#[error("the wallet's certificate could not be made")]
pub struct CertError(#[from] rcgen::Error);

/// Makes the certificate of a wallet.
pub fn certificate_of(wallet: &Wallet) -> Result<Certificate, CertError> {
    let mut params = CertificateParams::new(vec![SUBJECT.to_owned()])?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, SUBJECT);
    params.not_before = date_time_ymd(1970, 1, 1);
    params.not_after = date_time_ymd(9999, 12, 31);
    params.serial_number = Some(serial_of(wallet));
    let signer = Signer {
        wallet,
        public_key: wallet.public_key(),
    };
    let certificate = params.self_signed(&signer)?;
    Ok(Certificate {
        chain: certificate.der().clone(),
        key: PrivateKeyDer::Pkcs8(wallet.to_pkcs8()),
    })
}

/// The head of the address, so that each wallet's certificate has its own; positive and minimal as
/// DER integers have to be.
fn serial_of(wallet: &Wallet) -> SerialNumber {
    let mut serial = wallet.address().digest().as_bytes()[..SERIAL_BYTES].to_vec();
    serial[0] = serial[0] & 0x3f | 0x40;
    SerialNumber::from(serial)
}

/// Signs for rcgen, so that the key needs no second copy in its hands.
struct Signer<'w> {
    wallet: &'w Wallet,
    public_key: [u8; 32],
}

impl PublicKeyData for Signer<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.public_key
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl rcgen::SigningKey for Signer<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.wallet.sign(message).to_vec())
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::verify::peer_address;

    #[test]
    fn a_wallet_has_one_certificate_and_it_names_the_wallet() {
        let wallet = Wallet::from_seed([7; 32]);
        let (one, again) = (certificate_of(&wallet), certificate_of(&wallet));
        let one = one.unwrap().chain.clone();
        assert_eq!(one, again.unwrap().chain);
        assert_eq!(peer_address(&[one]), Ok(wallet.address()));
    }

    #[test]
    fn debug_does_not_show_the_key() {
        let wallet = Wallet::from_seed([7; 32]);
        let shown = format!("{:?}", certificate_of(&wallet).unwrap());
        assert!(
            !shown.contains("7, 7, 7, 7") && !shown.contains("07070707"),
            "{shown}"
        );
    }
}
