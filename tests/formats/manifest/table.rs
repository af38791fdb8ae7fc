//! The table: hostile files by their number in the project's list, each with its answer. Here are
//! those that are wrong as a whole; the others are with the values and the seals.

use swarmhold::digest::Digest;
use swarmhold::manifest::{Draft, Manifest};

use super::{Doc, draft, seals, signed, values};

/// One hostile file and the answer to it: `accepted`, with the warnings, or the error.
pub(super) struct Case(
    pub(super) &'static str,
    pub(super) Vec<u8>,
    pub(super) String,
);

/// Shorthand for a table's row.
pub(super) fn case(id: &'static str, bytes: impl Into<Vec<u8>>, answer: impl Into<String>) -> Case {
    Case(id, bytes.into(), answer.into())
}

/// All cases, as changes to this manifest.
pub(super) fn cases(doc: &Doc) -> Vec<Case> {
    [
        syntax(doc),
        keys(doc),
        values::hashes(doc),
        values::counts(doc),
        values::numbers(doc),
        seals::owner(doc),
        seals::signatures(doc),
        versions(doc),
        names(doc),
        values::hints(doc),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What is no JSON object at all.
fn syntax(doc: &Doc) -> Vec<Case> {
    let top = |kind| format!("E-JSON: top level must be an object, got {kind}");
    let text = String::from_utf8(doc.bytes()).unwrap();
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let broken = [b"{\"_name\":\"".as_slice(), &[0xc3, 0x28], b"\"}"].concat();
    let mut padded = doc.bytes();
    padded.resize(513 * 1024, b' ');
    let mut cases = vec![
        case(
            "M-01",
            "",
            "E-JSON: empty file, expected a .deluge manifest",
        ),
        case("M-02", "[]", top("array")),
        case("M-02", "null", top("null")),
        case("M-02", " 42", top("number")),
        case("M-02", "\"{}\"", top("string")),
        case("M-02", "true", top("boolean")),
        case(
            "M-04",
            format!("\u{feff}{text}"),
            "E-JSON: not UTF-8 without BOM",
        ),
        case(
            "M-04",
            [b"\xff\xfe".as_slice(), &utf16].concat(),
            "E-JSON: not UTF-8 without BOM",
        ),
        case("M-04", utf16, "E-JSON: not UTF-8 without BOM"),
        case("M-05", broken, "E-JSON: invalid UTF-8 at byte 10"),
        case("M-06", padded, "E-SIZE: manifest 525312 B > limit 524288 B"),
        case(
            "M-07",
            doc.with_text("peers", &"[".repeat(10_000)),
            "E-JSON: nesting deeper than 4",
        ),
        case(
            "M-07",
            doc.with_text("_name", "[[[[1]]]]"),
            "E-JSON: nesting deeper than 4",
        ),
        case("M-07", "[".repeat(10_000), top("array")),
        case(
            "M-10",
            format!("{text}garbage"),
            "E-JSON: 7 bytes after end of manifest",
        ),
        case(
            "M-10",
            format!("{text} {{}}\n"),
            "E-JSON: 3 bytes after end of manifest",
        ),
        case("M-10", format!("\n {text} \r\n\t"), "accepted"),
    ];
    let small = signed(draft(1), 7).to_json();
    let ends = (1..small.len() - 1).map(|cut| {
        let answer = format!("E-JSON: unexpected end at byte {cut}");
        case("M-03", &small[..cut], answer)
    });
    cases.extend(ends);
    cases
}

/// Keys that are too many or too few.
fn keys(doc: &Doc) -> Vec<Case> {
    let twice = |key: &str, text: String| text.replacen(key, &format!("{key}:1,{key}"), 1);
    let text = String::from_utf8(doc.bytes()).unwrap();
    let mut cases = vec![
        case(
            "M-08",
            twice("\"_totalHash\"", text.clone()),
            "E-DUPKEY: \"_totalHash\" appears twice",
        ),
        case(
            "M-08",
            text.replacen("\"peers\"", "\"\\u005fip\":1,\"peers\"", 1),
            "E-DUPKEY: \"_ip\" appears twice",
        ),
        case(
            "M-09",
            doc.with("_exec", "/bin/sh"),
            "E-FIELD: unknown field \"_exec\"",
        ),
        case(
            "M-09",
            doc.with("_NAME", "x"),
            "E-FIELD: unknown field \"_NAME\"",
        ),
        case(
            "M-09",
            doc.with("\u{1b}[2J", 1),
            "E-FIELD: unknown field \"\\u{1b}[2J\"",
        ),
    ];
    for key in [
        "_version",
        "_name",
        "_totalHash",
        "_totalSizeB",
        "_chunkSizeB",
        "hashList",
        "_address",
        "_ip",
        "peers",
    ] {
        cases.push(case(
            "M-11",
            doc.without(&[key]),
            format!("E-FIELD: missing {key:?}"),
        ));
    }
    let seal = ["_port", "_time", "_pubKey", "_signature"];
    for key in seal {
        let answer = format!("E-FIELD: missing {key:?}, which every signed manifest has");
        cases.push(case("M-11", doc.without(&[key]), answer));
    }
    // without any of them it is merely unsigned, with a port or not
    cases.push(case("M-11", doc.without(&seal), "accepted"));
    cases.push(case("M-11", doc.without(&seal[1..]), "accepted"));
    cases
}

/// Other versions of the format, and the original program's.
fn versions(doc: &Doc) -> Vec<Case> {
    let legacy =
        "E-LEGACY: v0.1.2-alpha hash lists do not cover content; re-create with swarmhold create";
    let example = include_bytes!("../../data/manifest/dcc-example.deluge");
    let relabelled = String::from_utf8_lossy(example).replace("v0.1.2-alpha", "v1.0.0");
    let mut text = String::new();
    let chain = (0..832).map(|_| {
        let hash = Digest::of(text.as_bytes()).to_string();
        text.push_str(&hash);
        hash
    });
    let whole: Vec<String> = chain.collect();
    let unsupported = "not supported (this build: v1.0.0-deluge)";
    vec![
        case(
            "M-30",
            doc.with("_version", "v9"),
            format!("E-VERSION: \"v9\" {unsupported}"),
        ),
        case(
            "M-30",
            doc.with("_version", ""),
            format!("E-VERSION: \"\" {unsupported}"),
        ),
        case(
            "M-30",
            doc.with("_version", 1),
            "E-TYPE: /_version must be string",
        ),
        case("M-31", example.as_slice(), legacy),
        case("M-31", relabelled, legacy),
        case("M-31", doc.with("hashList", whole), legacy),
        case("M-31", doc.with("_version", "v0.1.2-alpha-deluge"), legacy),
    ]
}

/// Names that would be something else if anyone let them.
fn names(doc: &Doc) -> Vec<Case> {
    let named = |name: &str| {
        signed(
            Draft {
                name: name.into(),
                ..draft(1)
            },
            7,
        )
        .to_json()
    };
    let mut cases = vec![
        case(
            "M-33",
            doc.with("_name", "a\0b"),
            "E-NAME: name has control character U+0000 at character 1",
        ),
        case(
            "M-33",
            doc.with("_name", "\u{202e}gpj.exe"),
            "E-NAME: name has direction mark U+202E at character 0",
        ),
        case(
            "M-33",
            doc.with("_name", "\u{1b}[2J"),
            "E-NAME: name has control character U+001B at character 0",
        ),
        case(
            "M-33",
            doc.with("_name", "x".repeat(10 * 1024)),
            "E-NAME: name has 10240 characters > limit 64",
        ),
        case("M-33", doc.with("_name", ""), "E-NAME: name is empty"),
        case(
            "M-33",
            doc.with("_name", 1),
            "E-TYPE: /_name must be string",
        ),
    ];
    for harmless in [
        "../../x",
        "/etc/passwd",
        "CON",
        "<img onerror>",
        "\"\\",
        "Ünïcode 🦀",
    ] {
        let bytes = named(harmless);
        assert_eq!(Manifest::parse(&bytes).unwrap().name(), harmless);
        cases.push(case("M-33", bytes, "accepted"));
    }
    cases
}
