//! `swarmhold info`: what a manifest or a link says, and manifests that are none.

use serde_json::{Value, json};
use swarmhold::manifest::{Draft, Layout};
use swarmhold::{Address, Digest, ProgramId, Wallet};

use crate::folder::{Folder, noise};
use crate::test::Test;

/// A manifest of 100 000 bytes with this many peers.
fn draft(peers: u16) -> Draft {
    let bytes = noise(100_000);
    let peer = |number| format!("198.51.100.7:{}", 7000 + number).parse().unwrap();
    Draft {
        name: "app <1>".to_owned(),
        layout: Layout::for_size(100_000).unwrap(),
        program_id: ProgramId::new(Digest::of(&bytes)),
        chunk_hashes: bytes.chunks(32_768).map(Digest::of).collect(),
        reach: Some("[2001:db8::7]:7922".parse().unwrap()),
        time: 1_795_216_265,
        peers: (0..peers).map(peer).collect(),
    }
}

#[test]
fn a_signed_manifest_is_told() {
    let folder = Folder::new();
    let wallet = Wallet::from_seed([7; 32]);
    let manifest = draft(7)
        .sign(wallet.public_key(), |message| wallet.sign(message))
        .unwrap();
    folder.write("app.deluge", manifest.to_json());
    let (program, id, owner) = (manifest.program_id(), manifest.id(), manifest.address());
    let link = format!("swarmhold:{program}?m={id}&a={owner}&n=app%20%3C1%3E&p=[2001:db8::7]:7922");
    let printed = Test::new(&folder)
        .args(["info", "app.deluge"])
        .any_stdout()
        .run();
    assert_eq!(
        printed.stdout,
        format!(
            "name         app <1>\n\
             program id   {program}\n\
             manifest id  {id}\n\
             size         97.7 KiB (100000 B)\n\
             chunks       4 of 32.0 KiB\n\
             owner        {owner}\n\
             signed       2026-11-20T23:11:05Z\n\
             reach        [2001:db8::7]:7922\n\
             peers        198.51.100.7:7000, 198.51.100.7:7001, 198.51.100.7:7002, \
             198.51.100.7:7003, 198.51.100.7:7004 and 2 more\n\
             link         {link}\n"
        )
    );
    let json = Test::new(&folder)
        .args(["info", "app.deluge", "--json"])
        .any_stdout()
        .run()
        .json();
    assert_eq!(json["signed_at"], "2026-11-20T23:11:05Z");
    assert_eq!(json["peers"].as_array().unwrap().len(), 7);
    assert_eq!(
        (&json["size"], &json["link"]),
        (&json!(100_000), &json!(link))
    );
    assert_eq!(json["warnings"], json!([]));
    assert!(!folder.exists("home"), "info needs no identity");
}

#[test]
fn an_unsigned_manifest_and_bad_hints_are_remarked_on() {
    let folder = Folder::new();
    let unsigned = draft(0).unsigned(Address::new(Digest::of(b"key"))).unwrap();
    let text = String::from_utf8(unsigned.to_json()).unwrap();
    let peers = "\"peers\": [[\"127.0.0.1\", 7922]]";
    folder.write("app.deluge", text.replace("\"peers\": []", peers));
    let printed = Test::new(&folder)
        .args(["info", "app.deluge"])
        .any_stdout()
        .run();
    for line in [
        "signed       no: unsigned, so nobody vouches for the owner\n",
        "peers        none\n",
        "warning      W-PEER: not dialable: /peers/0\n",
    ] {
        assert!(printed.stdout.contains(line), "{line}{}", printed.stdout);
    }
    let json = Test::new(&folder)
        .args(["info", "app.deluge", "--json"])
        .any_stdout()
        .run()
        .json();
    assert_eq!(json["signed_at"], Value::Null);
    assert_eq!(json["warnings"], json!(["W-PEER: not dialable: /peers/0"]));
}

#[test]
fn a_link_tells_what_can_be_proven() {
    let folder = Folder::new();
    let hex = "ab".repeat(32);
    let full = format!("swarmhold:{hex}?m={hex}&a={hex}&n=a%1Fb&p=127.0.0.1:1&s=x.example:7923");
    Test::new(&folder)
        .args(["info", &full])
        .stderr(
            "swarmhold: E-LINK: name has control character U+001F at character 1\n\
             try: quote the link, so that the shell leaves its & alone\n",
        )
        .code(65)
        .run();
    Test::new(&folder)
        .args(["info", &full.replace("%1F", "%20")])
        .stdout(
            "name         a b\n\
             program id   <hex>\n\
             manifest id  <hex>\n\
             owner        <hex>\n\
             peers        <addr>\n\
             masters      x.example:7923\n\
             provable     everything, before the first byte: the link names the manifest\n",
        )
        .run();
    Test::new(&folder)
        .args(["info", &format!("swarmhold:{hex}?a={hex}")])
        .stdout(
            "name         not said\n\
             program id   <hex>\n\
             manifest id  not said\n\
             owner        <hex>\n\
             peers        none\n\
             masters      none\n\
             provable     the owner's signature over the list of chunks, before the first byte\n",
        )
        .run();
    let bare = format!("swarmhold:{hex}");
    let json = Test::new(&folder)
        .args(["--json", "info", &bare])
        .any_stdout()
        .run()
        .json();
    let expected = json!({
        "name": null, "program_id": hex, "manifest_id": null, "owner": null,
        "peers": [], "masters": [], "provable": "form",
    });
    assert_eq!(json, expected);
}

/// What is read as a manifest is read strictly, by every command that takes one.
#[test]
fn what_is_no_manifest_is_refused_by_all() {
    let folder = Folder::new();
    folder.write("container", b"x");
    folder.write("empty", b"");
    folder.write("array", b"[]");
    folder.write("field", b"{\"_e\x1b[2J\": 1}");
    folder.write("huge", vec![b' '; 525_312]);
    std::fs::create_dir(folder.path("folder")).unwrap();
    let example = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/manifest/dcc-example.deluge"
    );
    std::fs::copy(example, folder.path("legacy")).unwrap();
    let mut cases = vec![
        // M-01, M-02
        (
            "empty",
            "E-JSON: empty file, expected a .deluge manifest: empty",
            65,
        ),
        (
            "array",
            "E-JSON: top level must be an object, got array: array",
            65,
        ),
        // M-06: before it is parsed
        (
            "huge",
            "E-SIZE: manifest 525312 B > limit 524288 B: huge",
            65,
        ),
        // M-31
        (
            "legacy",
            "E-LEGACY: v0.1.2-alpha hash lists do not cover content; re-create with swarmhold \
             create: legacy",
            65,
        ),
        // M-40
        ("folder", "E-FILE: not a regular file: folder", 65),
        ("/dev/zero", "E-FILE: not a regular file: /dev/zero", 65),
        (
            "none",
            "E-IO: cannot read none: No such file or directory (os error 2)",
            3,
        ),
    ];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("empty", folder.path("symlink")).unwrap();
        crate::create::make_pipe(&folder, "pipe");
        cases.push(("symlink", "E-FILE: not a regular file: symlink", 65));
        cases.push(("pipe", "E-FILE: not a regular file: pipe", 65));
    }
    for (name, error, code) in cases {
        for args in [
            &["info", name][..],
            &["verify", name, "container"],
            &["get", name],
        ] {
            Test::new(&folder)
                .args(args)
                .stderr(&format!("swarmhold: {error}\n"))
                .code(code)
                .run();
        }
    }
    let hostile = Test::new(&folder)
        .args(["info", "field"])
        .any_stderr()
        .code(65)
        .run();
    assert!(
        hostile.stderr.starts_with("swarmhold: E-"),
        "{}",
        hostile.stderr
    );
    assert!(!hostile.stderr.contains('\x1b'));
    assert!(!folder.exists("home"), "nothing of it needs an identity");
}
