//! `swarmhold verify`: the container, and files that are not.

use serde_json::json;
use swarmhold::manifest::Draft;
use swarmhold::{Digest, ProgramId, Wallet};

use crate::folder::{Folder, noise};
use crate::test::Test;

/// A folder with a container of 300 000 bytes and its manifest.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("app.tar", noise(300_000));
    Test::new(&folder)
        .args(["-q", "create", "app.tar"])
        .any_stdout()
        .run();
    folder
}

fn verify(folder: &Folder) -> Test<'_> {
    Test::new(folder).args(["verify", "app.tar.deluge", "app.tar"])
}

#[test]
fn the_container_passes() {
    let folder = folder();
    verify(&folder)
        .stdout("ok: <hex> is 293.0 KiB in 10 chunks of 32.0 KiB\n")
        .stderr("signed by <hex>\n")
        .run();
    let json = verify(&folder).args(["--json"]).any_stdout().run().json();
    let manifest = folder.manifest("app.tar.deluge");
    let expected = json!({
        "ok": true,
        "program_id": manifest.program_id().to_string(),
        "manifest_id": manifest.id().to_string(),
        "size": 300_000,
        "chunks": 10,
        "owner": manifest.address().to_string(),
        "signed": true,
    });
    assert_eq!(json, expected);
}

#[test]
fn damage_is_named_by_place() {
    let folder = folder();
    let mut bytes = folder.read("app.tar");
    bytes[40_000] ^= 1;
    folder.write("app.tar", &bytes);
    verify(&folder)
        .stderr(
            "swarmhold: E-CHUNK-HASH: 1 of 10 chunks differ from the manifest\n\
             \x20 chunk 1: 32768 B at offset 32768\n",
        )
        .code(10)
        .run();
    folder.write("app.tar", vec![7; 300_000]);
    verify(&folder)
        .stderr(
            "swarmhold: E-CHUNK-HASH: 10 of 10 chunks differ from the manifest\n\
             \x20 chunk 0: 32768 B at offset 0\n\
             \x20 chunk 1: 32768 B at offset 32768\n\
             \x20 chunk 2: 32768 B at offset 65536\n\
             \x20 chunk 3: 32768 B at offset 98304\n\
             \x20 chunk 4: 32768 B at offset 131072\n\
             \x20 and 5 chunks more\n",
        )
        .code(10)
        .run();
    let error = verify(&folder)
        .args(["--json"])
        .any_stderr()
        .code(10)
        .run()
        .json_error();
    assert_eq!(
        (&error["kind"], &error["code"]),
        (&json!("integrity"), &json!("E-CHUNK-HASH"))
    );
}

#[test]
fn another_size_is_told_at_once() {
    let folder = folder();
    folder.write("app.tar", noise(299_999));
    verify(&folder)
        .stderr("swarmhold: E-SIZE: app.tar has 299999 B, its manifest says 300000\n")
        .code(10)
        .run();
}

#[test]
fn a_manifest_that_lies_about_the_whole_is_found_out() {
    let folder = folder();
    let bytes = folder.read("app.tar");
    let wallet = Wallet::from_seed([7; 32]);
    let draft = Draft {
        name: "app".to_owned(),
        layout: folder.manifest("app.tar.deluge").layout(),
        program_id: ProgramId::new(Digest::of(b"something else")),
        chunk_hashes: bytes.chunks(32_768).map(Digest::of).collect(),
        reach: None,
        time: 0,
        peers: vec![],
    };
    let lie = draft
        .sign(wallet.public_key(), |message| wallet.sign(message))
        .unwrap();
    folder.write("app.tar.deluge", lie.to_json());
    verify(&folder)
        .stderr(
            "swarmhold: E-MANIFEST-POISONED: every chunk is as listed, yet the whole is <hex>, not \
             <hex>\n",
        )
        .code(10)
        .run();
}

#[test]
fn a_forged_signature_is_a_matter_of_integrity() {
    let folder = folder();
    let text = String::from_utf8(folder.read("app.tar.deluge")).unwrap();
    let renamed = text.replace("\"_name\": \"app.tar\"", "\"_name\": \"evil.tar\"");
    assert_ne!(renamed, text);
    folder.write("app.tar.deluge", renamed);
    verify(&folder)
        .stderr("swarmhold: E-SIG: signature does not match manifest: app.tar.deluge\n")
        .code(10)
        .run();
}

#[test]
fn a_container_that_is_not_there() {
    let folder = folder();
    std::fs::remove_file(folder.path("app.tar")).unwrap();
    verify(&folder)
        .stderr("swarmhold: E-IO: cannot read app.tar: No such file or directory (os error 2)\n")
        .code(3)
        .run();
}
