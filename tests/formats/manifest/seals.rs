//! The table's hostile owners and signatures.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::json;
use swarmhold::digest::Digest;

use super::table::{Case, case};
use super::{Doc, SIZE, TIME, draft, signed};

/// The order of ed25519's base point, little-endian (RFC 8032 section 5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Keys that are not the owner's, or no keys.
pub(super) fn owner(doc: &Doc) -> Vec<Case> {
    let address = doc.text("_address");
    let stranger = Digest::of(b"stranger");
    let mismatch = format!(
        "E-ADDR-MISMATCH: key hashes to {}…, manifest says {}…",
        &address[..8],
        stranger.short()
    );
    let key = |bytes: [u8; 32]| doc.with("_pubKey", Digest::from_bytes(bytes).to_string());
    let y = |low: u8, middle: u8, high: u8| {
        let mut bytes = [middle; 32];
        (bytes[0], bytes[31]) = (low, high);
        bytes
    };
    let text = doc.text("_pubKey");
    let invalid = "E-KEY: not a valid ed25519 key: must be 64 lowercase hex, got";
    let off = "E-KEY: not a valid ed25519 key: not a point on the curve";
    let mut cases = vec![
        case("M-23", doc.with("_address", stranger.to_string()), mismatch),
        case(
            "M-24",
            doc.with("_pubKey", &text[2..]),
            format!("{invalid} 62"),
        ),
        case(
            "M-24",
            doc.with("_pubKey", format!("{text}00")),
            format!("{invalid} 66"),
        ),
        case("M-24", key(y(2, 0, 0)), off),
    ];
    // y of order 4, 1 and 2, then of order 8 with both signs of both
    let order_8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
    let order_8_too = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
    let mut weak = vec![y(0, 0, 0), y(0, 0, 0x80), y(1, 0, 0), y(0xec, 0xff, 0x7f)];
    for text in [order_8, order_8_too] {
        let mut bytes = *text.parse::<Digest>().unwrap().as_bytes();
        weak.push(bytes);
        bytes[31] |= 0x80;
        weak.push(bytes);
    }
    assert_eq!(weak.len(), 8, "all points of small order");
    cases.extend(
        weak.into_iter()
            .map(|bytes| case("M-24", key(bytes), "E-KEY: weak key")),
    );
    cases
}

/// Signatures that are none, or over something else.
pub(super) fn signatures(doc: &Doc) -> Vec<Case> {
    let good: [u8; 64] = STANDARD
        .decode(doc.text("_signature"))
        .unwrap()
        .try_into()
        .unwrap();
    assert_eq!(good, signature_over(<[u8]>::to_vec));
    let not_base64 = "E-SIG: malformed signature: not 64 bytes in base64";
    let no_point = "E-SIG: malformed signature: its first half is no point of full order";
    let no_match = "E-SIG: signature does not match manifest";
    let flipped = |key: &str| {
        let text = doc.text(key);
        let last = if text.ends_with('0') { "1" } else { "0" };
        doc.with(key, format!("{}{last}", &text[..text.len() - 1]))
    };
    let other_key = Doc::of(&signed(draft(SIZE), 8));
    let malleated = {
        let mut signature = good;
        let mut carry = 0;
        for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
            let sum = u16::from(*byte) + u16::from(order) + carry;
            [*byte, _] = sum.to_le_bytes();
            carry = sum >> 8;
        }
        signature
    };
    let foreign = |tag: &[u8]| {
        let ours = b"swarmhold/manifest-sig/v1\0".len();
        signature_over(|bytes| [tag, &bytes[ours..]].concat())
    };
    vec![
        case("M-25", doc.with_signature(&good[1..]), not_base64),
        case(
            "M-25",
            doc.with_signature(&[&good[..], &[0]].concat()),
            not_base64,
        ),
        case("M-25", doc.with("_signature", "*"), not_base64),
        case(
            "M-25",
            doc.with("_signature", doc.text("_signature").replace('=', "")),
            not_base64,
        ),
        case("M-25", doc.with_signature(&[0; 64]), no_point),
        case(
            "M-26",
            doc.with_signature(&[&good[..63], &[good[63] ^ 1]].concat()),
            no_match,
        ),
        case(
            "M-26",
            doc.with("_signature", other_key.text("_signature")),
            no_match,
        ),
        case("M-26", flipped("_totalHash"), no_match),
        case("M-26", doc.with("_name", "TestProgran"), no_match),
        case("M-26", doc.with("_totalSizeB", SIZE + 1), no_match),
        case("M-26", doc.with_hash(831, doc.text("_address")), no_match),
        case("M-26", doc.with("_ip", "198.51.100.6"), no_match),
        case("M-26", doc.with("_port", 7923), no_match),
        case("M-26", doc.with("_time", TIME + 1), no_match),
        case(
            "M-27",
            doc.with_signature(&malleated),
            "E-SIG: non-canonical signature",
        ),
        case(
            "M-28",
            doc.with_signature(&foreign(b"swarmhold/result/v1\0")),
            no_match,
        ),
        case(
            "M-28",
            doc.with_signature(&foreign(b"swarmhold/register/v1\0")),
            no_match,
        ),
        case(
            "M-28",
            doc.with_signature(&foreign(b"swarmhold/manifest/v1\0")),
            no_match,
        ),
        case("M-28", doc.with_signature(&foreign(b"")), no_match),
        case("M-29", doc.with("peers", json!([])), "accepted"),
        case(
            "M-29",
            doc.with("peers", json!([["192.0.2.1", 4000]])),
            "accepted",
        ),
    ]
}

/// A signature by the usual key over the usual manifest's bytes, after a change to them.
fn signature_over(change: impl Fn(&[u8]) -> Vec<u8>) -> [u8; 64] {
    let key = SigningKey::from_bytes(&[7; 32]);
    let mut signature = [0; 64];
    let public_key = key.verifying_key().to_bytes();
    draft(SIZE)
        .sign(public_key, |bytes| {
            signature = key.sign(&change(bytes)).to_bytes();
            key.sign(bytes).to_bytes()
        })
        .unwrap();
    signature
}
