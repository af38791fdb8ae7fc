//! From a [`Manifest`] to the bytes of a `.deluge` file, in the look of the original format: keys in
//! order, four spaces a level, one hash a line.
//!
//! `Manifest::parse` of what is written gives the same manifest, warnings aside. Nothing is signed
//! or hashed in this form, so its spaces and line breaks mean nothing.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Manifest, VERSION};
use crate::digest::Digest;

impl Manifest {
    /// The bytes of the file, which fit [`MANIFEST_BYTES_MAX`](crate::limits::MANIFEST_BYTES_MAX).
    pub fn to_json(&self) -> Vec<u8> {
        let content = &self.content;
        let port = self.contact.port.map(|port| port.to_string());
        let seal = self.seal.as_ref();
        let hashes = content.chunk_hashes.iter();
        let members = [
            ("_address", Some(quoted(&content.address.to_string()))),
            ("_chunkSizeB", Some(content.layout.chunk_size().to_string())),
            ("_ip", Some(quoted(&self.contact.ip.to_string()))),
            ("_name", Some(quoted(&content.name))),
            ("_port", port),
            ("_pubKey", seal.map(|seal| quoted(&hex(seal.public_key)))),
            (
                "_signature",
                seal.map(|seal| quoted(&STANDARD.encode(seal.signature))),
            ),
            ("_time", seal.map(|seal| seal.time.to_string())),
            ("_totalHash", Some(quoted(&content.program_id.to_string()))),
            ("_totalSizeB", Some(content.layout.size().to_string())),
            ("_version", Some(quoted(VERSION))),
            (
                "hashList",
                Some(array(hashes.map(|hash| quoted(&hash.to_string())), 1)),
            ),
            ("peers", Some(array(self.peers.iter().map(pair), 1))),
        ];
        let lines: Vec<String> = members
            .into_iter()
            .filter_map(|(key, value)| value.map(|value| format!("    \"{key}\": {value}")))
            .collect();
        format!("{{\n{}\n}}\n", lines.join(",\n")).into_bytes()
    }
}

/// A string. Of the characters that JSON wants escaped, names have only these two.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// 32 bytes as 64 digits.
fn hex(bytes: [u8; 32]) -> String {
    Digest::from_bytes(bytes).to_string()
}

/// An array whose brackets stand `level` levels deep and its items, one a line, one deeper.
fn array(items: impl Iterator<Item = String>, level: usize) -> String {
    let outer = "    ".repeat(level);
    let lines: Vec<String> = items.map(|item| format!("{outer}    {item}")).collect();
    match lines.is_empty() {
        true => "[]".to_owned(),
        false => format!("[\n{}\n{outer}]", lines.join(",\n")),
    }
}

/// A peer.
fn pair(peer: &SocketAddr) -> String {
    let items = [quoted(&peer.ip().to_string()), peer.port().to_string()];
    array(items.into_iter(), 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Address, ProgramId};
    use crate::limits::{CHUNKS_MAX, MANIFEST_BYTES_MAX, MANIFEST_PEERS_MAX};
    use crate::manifest::{Draft, Layout};

    fn draft(chunks: u32) -> Draft {
        Draft {
            name: r#"a "quoted" \ name"#.into(),
            layout: Layout::for_size(u64::from(chunks) * 32768).unwrap(),
            program_id: ProgramId::new(Digest::of(b"container")),
            chunk_hashes: vec![Digest::of(b"chunk"); chunks as usize],
            reach: Some("198.51.100.7:7922".parse().unwrap()),
            time: 0,
            peers: vec!["[2001:db8::7]:7922".parse().unwrap()],
        }
    }

    #[test]
    fn it_looks_like_the_original() {
        let manifest = draft(2).unsigned(Address::new(Digest::of(b"key"))).unwrap();
        let expected = r#"{
    "_address": "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683",
    "_chunkSizeB": 32768,
    "_ip": "198.51.100.7",
    "_name": "a \"quoted\" \\ name",
    "_port": 7922,
    "_totalHash": "@container",
    "_totalSizeB": 65536,
    "_version": "v1.0.0-deluge",
    "hashList": [
        "@chunk",
        "@chunk"
    ],
    "peers": [
        [
            "2001:db8::7",
            7922
        ]
    ]
}
"#;
        let expected = expected
            .replace("@container", &Digest::of(b"container").to_string())
            .replace("@chunk", &Digest::of(b"chunk").to_string());
        assert_eq!(String::from_utf8(manifest.to_json()).unwrap(), expected);
    }

    #[test]
    fn the_largest_manifest_fits() {
        let peer = |port| format!("[2001:db8:1111:2222:3333:4444:5555:6666]:{port}");
        let ports = 60000..60000 + MANIFEST_PEERS_MAX;
        let largest = Draft {
            name: "\"".repeat(64),
            peers: ports.map(|port| peer(port).parse().unwrap()).collect(),
            ..draft(CHUNKS_MAX)
        };
        let manifest = largest.unsigned(Address::new(Digest::of(b"key"))).unwrap();
        assert_eq!(manifest.peers().len(), MANIFEST_PEERS_MAX);
        // a signature takes less than 300 bytes more
        assert!(manifest.to_json().len() + 300 <= MANIFEST_BYTES_MAX);
        assert_eq!(Manifest::parse(&manifest.to_json()).unwrap(), manifest);
    }
}
