//! The table's hostile values: hashes, counts, numbers and addresses.

use serde_json::{Value, json};
use swarmhold::digest::Digest;
use swarmhold::limits::SIGNED_TIME_MAX_S;
use swarmhold::manifest::Draft;

use super::table::{Case, case};
use super::{Doc, TIME, draft, signed};

/// Hashes that are none.
pub(super) fn hashes(doc: &Doc) -> Vec<Case> {
    let hash = doc.text("_totalHash");
    let total = |text: &str| doc.with("_totalHash", text);
    let must = "must be 64 lowercase hex, got";
    let old = |text: &str| format!("E-HASH: /hashList/5 is a back-reference {text:?} (old format)");
    let nothing = Digest::of(b"").to_string();
    let not_string = "E-TYPE: /hashList/2 must be string";
    vec![
        case(
            "M-12",
            total(&hash[1..]),
            format!("E-HASH: /_totalHash {must} 63"),
        ),
        case(
            "M-12",
            total(&format!("{hash}0")),
            format!("E-HASH: /_totalHash {must} 65"),
        ),
        case(
            "M-12",
            total(&format!("A{}", &hash[1..])),
            format!("E-HASH: /_totalHash {must} 'A' at 0"),
        ),
        case(
            "M-12",
            total(&format!("{}g", &hash[1..])),
            format!("E-HASH: /_totalHash {must} 'g' at 63"),
        ),
        case(
            "M-12",
            total(&format!("0x{}", &hash[2..])),
            format!("E-HASH: /_totalHash {must} 'x' at 1"),
        ),
        case(
            "M-12",
            doc.with("_totalHash", 1),
            "E-TYPE: /_totalHash must be string",
        ),
        case(
            "M-12",
            doc.with("_address", ""),
            format!("E-HASH: /_address {must} 0"),
        ),
        case(
            "M-12",
            doc.with_hash(831, &hash[1..]),
            format!("E-HASH: /hashList/831 {must} 63"),
        ),
        case("M-20", doc.with_hash(5, "3"), old("3")),
        case(
            "M-21",
            doc.with_hash(5, "999999999999"),
            old("999999999999"),
        ),
        case("M-21", doc.with_hash(5, "-1"), old("-1")),
        case("M-22", doc.with_hash(2, 7), not_string),
        case("M-22", doc.with_hash(2, Value::Null), not_string),
        case("M-22", doc.with_hash(2, json!({})), not_string),
        case(
            "M-22",
            doc.with("hashList", hash),
            "E-TYPE: /hashList must be an array",
        ),
        case(
            "M-32",
            doc.with_hash(0, nothing.clone()),
            "E-HASH: /hashList/0 is the hash of zero bytes",
        ),
        case(
            "M-32",
            doc.with_hash(9, nothing),
            "E-HASH: /hashList/9 is the hash of zero bytes",
        ),
    ]
}

/// Hash lists of the wrong length, and of the right one.
pub(super) fn counts(doc: &Doc) -> Vec<Case> {
    let list = |count: usize| doc.with("hashList", vec![doc.text("_totalHash"); count]);
    let zeros = Draft {
        chunk_hashes: vec![Digest::of(&[0; 32768]); 4096],
        ..draft(4096 * 32768)
    };
    vec![
        case(
            "M-13",
            list(0),
            "E-COUNT: 0 hashes for 27260050 B, expected 832",
        ),
        case("M-14", list(4097), "E-COUNT: 4097 hashes > limit 4096"),
        case("M-15", list(831), "E-COUNT: 831 hashes, expected 832"),
        case("M-15", list(833), "E-COUNT: 833 hashes, expected 832"),
        case(
            "M-15",
            doc.with("_chunkSizeB", 65536),
            "E-COUNT: 832 hashes, expected 416",
        ),
        case("M-37", signed(zeros, 7).to_json(), "accepted"),
    ]
}

/// Sizes, times and ports out of their range.
pub(super) fn numbers(doc: &Doc) -> Vec<Case> {
    let size = |text: &str| doc.with_text("_totalSizeB", text);
    let chunk = |text: &str| doc.with_text("_chunkSizeB", text);
    let time = |text: &str| doc.with_text("_time", text);
    let not_size = "E-NUM: /_totalSizeB must be an integer 1..68719476736";
    let not_time = "E-NUM: /_time must be an integer 0..253402300799";
    let not_port = "E-NUM: /_port must be an integer 0..65535";
    let unsupported = |size: &str| {
        let powers = "a power of two from 32768 to 16777216";
        format!("E-CHUNK: chunk size {size} unsupported, expected {powers}")
    };
    let at = |time| signed(Draft { time, ..draft(1) }, 7).to_json();
    vec![
        case("M-16", size("0"), "E-SIZE: container is empty"),
        case(
            "M-17",
            size("134217729"),
            "E-SIZE: 134217729 B > limit 134217728 B (4096 × 32768)",
        ),
        case("M-18", size("-1"), not_size),
        case("M-18", size("1.5"), not_size),
        case("M-18", size("1e9"), not_size),
        case("M-18", size("\"123\""), not_size),
        case("M-18", size("18446744073709551616"), not_size),
        case("M-19", chunk("0"), unsupported("0")),
        case("M-19", chunk("1"), unsupported("1")),
        case("M-19", chunk("65535"), unsupported("65535")),
        case("M-19", chunk("33554432"), unsupported("33554432")),
        case("M-19", chunk("4294967296"), unsupported("4294967296")),
        case(
            "M-19",
            chunk("null"),
            "E-NUM: /_chunkSizeB must be an integer 32768..16777216",
        ),
        case("M-34", time("-1"), not_time),
        case("M-34", time("253402300800"), not_time),
        case("M-34", at(SIGNED_TIME_MAX_S), "accepted"),
        case("M-34", at(TIME + 3600), "accepted"),
        case("M-34", doc.with_text("_port", "65536"), not_port),
    ]
}

/// Addresses that nobody should be made to dial.
pub(super) fn hints(doc: &Doc) -> Vec<Case> {
    let many = vec![json!(["198.51.100.7", 7922]); 10_000];
    let mut cases = vec![
        case(
            "M-38",
            doc.with("peers", many),
            "E-PEERS: 10000 > limit 200",
        ),
        case(
            "M-39",
            doc.with("_ip", "127.0.0.1"),
            "E-SIG: signature does not match manifest",
        ),
    ];
    let dropped = "accepted, W-PEER: not dialable: /peers/1";
    for peer in [
        json!(["198.51.100.7", 0]),
        json!(["198.51.100.7", 22]),
        json!(["198.51.100.7", 65536]),
        json!(["198.51.100.7", "7922"]),
        json!(["198.51.100.7", null]),
        json!(["host.example", 7922]),
        json!(["127.0.0.1", 7922]),
        json!(["169.254.169.254", 7922]),
        json!(["::ffff:10.0.0.1", 7922]),
        json!(["255.255.255.255", 7922]),
        json!([7922, "198.51.100.7"]),
    ] {
        let peers = json!([["203.0.113.9", 7922], peer]);
        cases.push(case("M-39", doc.with("peers", peers), dropped));
    }
    for peer in [
        json!([]),
        json!(["198.51.100.7"]),
        json!("198.51.100.7:7922"),
        json!([1, 2, 3]),
    ] {
        let peers = json!([["203.0.113.9", 7922], peer]);
        let answer = "E-TYPE: /peers/1 must be an IP and a port";
        cases.push(case("M-39", doc.with("peers", peers), answer));
    }
    for ip in [
        "",
        "host.example",
        "198.51.100.007",
        "::FFFF",
        "::ffff:1.2.3.4",
        "1.2.3.4 ",
    ] {
        let answer = format!("E-IP: /_ip must be an IP address in its shortest form, got {ip:?}");
        cases.push(case("M-39", doc.with("_ip", ip), answer));
    }
    cases
}
