//! The exact words of the answers to cases C-01 to C-10, in the order of `cases`.

/// What is said of each case: by the side that verifies, and what the other side is told.
pub(super) const ANSWERS: &[(&str, &str)] = &[
    ("C-01 P-256", "unsupported key: ECDSA, expected ed25519"),
    ("C-01 RSA", "unsupported key: RSA, expected ed25519"),
    (
        "C-01 P-256, signed with ed25519",
        "unsupported key: ECDSA, expected ed25519 / received fatal alert: CertificateUnknown",
    ),
    (
        "C-01 P-256, signed with P-256",
        "peer is incompatible: NoSignatureSchemesInCommon / received fatal alert: \
         HandshakeFailure",
    ),
    ("C-02 none", "bad_certificate: expected exactly one, got 0"),
    ("C-02 two", "bad_certificate: expected exactly one, got 2"),
    (
        "C-02 two, from a listener",
        "bad_certificate: expected exactly one, got 2 / received fatal alert: \
         CertificateUnknown",
    ),
    (
        "C-02 two, from a dialer",
        "bad_certificate: expected exactly one, got 2 / received fatal alert: \
         CertificateUnknown",
    ),
    (
        "C-03 truncated",
        "bad_certificate: not DER: a length does not fit its contents",
    ),
    ("C-03 64 KiB", "bad_certificate: 65536 B > limit 2048"),
    (
        "C-03 empty",
        "bad_certificate: not DER: a length does not fit its contents",
    ),
    (
        "C-04 listener with Alice's certificate and Bob's key",
        "invalid peer certificate: BadSignature / received fatal alert: DecryptError",
    ),
    (
        "C-04 dialer with Alice's certificate and Bob's key",
        "invalid peer certificate: BadSignature / received fatal alert: DecryptError",
    ),
    (
        "C-05 dialer without a certificate",
        "peer sent no certificates / received fatal alert: CertificateRequired",
    ),
    (
        "C-06 Bob dialed, Alice answers",
        "E-IDENTITY: expected \
         334dba4635c43682c010b9570cbb2747bc5a47d5a3371b5d14c2a7622107165d, got \
         730a5edc28c2f8daf2d9dce3a01d5f205e35e55582eed2ba26219fabdd4cc9a8 / received fatal \
         alert: CertificateUnknown",
    ),
    (
        "C-07 self-signature",
        "bad_certificate: self-signature does not verify / received fatal alert: \
         CertificateUnknown",
    ),
    ("C-07 expired", "accepted"),
    ("C-07 not yet valid", "accepted"),
    (
        "C-07 unknown critical extension",
        "bad_certificate: unknown critical extension 1.3.6.1.4.1.32473.1 / received fatal \
         alert: CertificateUnknown",
    ),
    (
        "C-08 no ALPN",
        "NoApplicationProtocol: peer doesn't support any known protocol",
    ),
    (
        "C-08 h3",
        "NoApplicationProtocol: peer doesn't support any known protocol",
    ),
    (
        "C-08 h3 over a byte stream",
        "peer doesn't support any known protocol / received fatal alert: \
         NoApplicationProtocol",
    ),
    (
        "C-08 a listener without ALPN",
        "NoApplicationProtocol: peer doesn't support any known protocol",
    ),
    (
        "C-09 TLS 1.2",
        "peer is incompatible: SupportedVersionsExtensionRequired",
    ),
    (
        "C-10 dialing whoever it is",
        "E-SELF: the peer has this node's own address \
         730a5edc28c2f8daf2d9dce3a01d5f205e35e55582eed2ba26219fabdd4cc9a8 / received fatal \
         alert: CertificateUnknown",
    ),
    (
        "C-10 dialing its own address",
        "E-SELF: the peer has this node's own address \
         730a5edc28c2f8daf2d9dce3a01d5f205e35e55582eed2ba26219fabdd4cc9a8 / received fatal \
         alert: CertificateUnknown",
    ),
    (
        "C-10 answering itself",
        "E-SELF: the peer has this node's own address \
         730a5edc28c2f8daf2d9dce3a01d5f205e35e55582eed2ba26219fabdd4cc9a8 / received fatal \
         alert: CertificateUnknown",
    ),
];
