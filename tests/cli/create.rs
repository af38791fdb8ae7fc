//! `swarmhold create`: a manifest, a link, and files that are left alone.

use std::fs;

use swarmhold::manifest::SignatureState;
use swarmhold::{Digest, Link, ProgramId, Wallet};

use crate::folder::{Folder, noise};
use crate::test::Test;

const LINK: &str = "swarmhold:<hex>?m=<hex>&a=<hex>&n=app.tar\n";
const SHARE_IT: &str = "the link says what, not where; to offer it: swarmhold share app.tar\n";

/// A folder with a container of 100 000 bytes and an identity.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("app.tar", noise(100_000));
    Test::new(&folder).args(["-q", "id"]).any_stdout().run();
    folder
}

#[test]
fn a_manifest_is_written_and_its_link_printed() {
    let folder = folder();
    let printed = Test::new(&folder)
        .args(["create", "app.tar"])
        .stdout(LINK)
        .stderr(&format!(
            "wrote app.tar.deluge: 97.7 KiB in 4 chunks of 32.0 KiB\n{SHARE_IT}"
        ))
        .run();
    let manifest = folder.manifest("app.tar.deluge");
    let bytes = folder.read("app.tar");
    assert_eq!(manifest.program_id(), ProgramId::new(Digest::of(&bytes)));
    let hashes: Vec<Digest> = bytes.chunks(32_768).map(Digest::of).collect();
    assert_eq!(manifest.chunk_hashes(), hashes);
    assert!(matches!(
        manifest.signature(),
        SignatureState::Signed { .. }
    ));
    let link: Link = printed.line().parse().unwrap();
    assert_eq!(link, Link::of(&manifest, []));
}

#[test]
fn quiet_is_the_link_alone() {
    let folder = folder();
    Test::new(&folder)
        .args(["create", "app.tar", "-q"])
        .stdout(LINK)
        .run();
}

#[test]
fn name_and_output_are_the_users() {
    let folder = folder();
    Test::new(&folder)
        .args([
            "create",
            "app.tar",
            "--name",
            "app 1.4\u{1b}[2J",
            "-o",
            "x.deluge",
        ])
        .stdout("swarmhold:<hex>?m=<hex>&a=<hex>&n=app%201.4_%5B2J\n")
        .stderr("wrote x.deluge: 97.7 KiB in 4 chunks of 32.0 KiB\n")
        .run();
    assert_eq!(folder.manifest("x.deluge").name(), "app 1.4_[2J");
    assert!(!folder.exists("app.tar.deluge"));
}

#[test]
fn json_says_it_all() {
    let folder = folder();
    let json = Test::new(&folder)
        .args(["--json", "create", "app.tar"])
        .any_stdout()
        .run()
        .json();
    let manifest = folder.manifest("app.tar.deluge");
    let address = Test::new(&folder).args(["-q", "id"]).any_stdout().run();
    let expected = serde_json::json!({
        "link": Link::of(&manifest, []).to_string(),
        "manifest": "app.tar.deluge",
        "name": "app.tar",
        "program_id": manifest.program_id().to_string(),
        "manifest_id": manifest.id().to_string(),
        "address": address.line(),
        "size": 100_000,
        "chunks": 4,
        "chunk_size": 32_768,
    });
    assert_eq!(json, expected);
}

#[test]
fn our_own_manifest_and_a_damaged_one_are_made_again() {
    let folder = folder();
    let create = || {
        Test::new(&folder)
            .args(["-q", "create", "app.tar"])
            .stdout(LINK)
    };
    create().run();
    folder.write("app.tar", noise(50_000));
    create().run();
    assert_eq!(folder.manifest("app.tar.deluge").layout().size(), 50_000);
    folder.write("app.tar.deluge", b"{");
    create().run();
    assert_eq!(folder.manifest("app.tar.deluge").layout().size(), 50_000);
}

#[test]
fn what_others_made_is_not_replaced() {
    let folder = folder();
    let others = swarmhold::create(
        &folder.path("app.tar"),
        &Wallet::from_seed([9; 32]),
        "theirs",
        None,
        |_| {},
    );
    let theirs = others.unwrap().to_json();
    folder.write("app.tar.deluge", &theirs);
    Test::new(&folder)
        .args(["create", "app.tar"])
        .stderr(
            "swarmhold: E-EXISTS: app.tar.deluge is another publisher's manifest and is not \
             replaced\n\
             try: share the manifest itself to help its publisher, or create your own with -o \
             OTHER.deluge\n",
        )
        .code(13)
        .run();
    assert_eq!(folder.read("app.tar.deluge"), theirs);

    folder.write("notes.txt", b"not a manifest");
    Test::new(&folder)
        .args(["create", "app.tar", "-o", "notes.txt"])
        .stderr(
            "swarmhold: E-EXISTS: notes.txt is already there and is not replaced\n\
             try: another path with -o\n",
        )
        .code(13)
        .run();
    assert_eq!(folder.read("notes.txt"), b"not a manifest");
    Test::new(&folder)
        .args(["create", "app.tar", "-o", "none/x.deluge"])
        .stderr("swarmhold: E-FILE: there is no folder none\n")
        .code(3)
        .run();
}

#[test]
fn what_cannot_be_a_container_says_why() {
    let folder = folder();
    folder.write("empty", b"");
    fs::create_dir(folder.path("folder")).unwrap();
    let missing = "No such file or directory (os error 2)";
    for (path, error, code) in [
        ("none", &*format!("E-IO: cannot read none: {missing}"), 3),
        ("none/x", "E-FILE: there is no folder none", 3),
        ("empty", "E-SIZE: container is empty: empty", 65),
        ("folder", "E-FILE: not a regular file: folder", 65),
        ("/dev/zero", "E-FILE: not a regular file: /dev/zero", 65),
        ("..", "E-FILE: \"..\" does not name a file", 65),
    ] {
        Test::new(&folder)
            .args(["create", path])
            .stderr(&format!("swarmhold: {error}\n"))
            .code(code)
            .run();
    }
    let json = Test::new(&folder)
        .args(["create", "none", "--json"])
        .any_stderr()
        .code(3)
        .run();
    let expected = serde_json::json!({
        "code": "E-IO",
        "kind": "not-found",
        "message": format!("cannot read none: {missing}"),
        "hint": null,
    });
    assert_eq!(json.json_error(), expected);
}

#[cfg(unix)]
#[test]
fn links_are_followed_to_files_and_pipes_are_refused() {
    use std::os::unix::fs::symlink;
    let folder = folder();
    symlink("app.tar", folder.path("latest")).unwrap();
    symlink("none", folder.path("dangling")).unwrap();
    make_pipe(&folder, "pipe");
    Test::new(&folder)
        .args(["-q", "create", "latest"])
        .stdout("swarmhold:<hex>?m=<hex>&a=<hex>&n=latest\n")
        .run();
    for (path, error, code) in [
        (
            "dangling",
            "E-IO: cannot read dangling: No such file or directory (os error 2)",
            3,
        ),
        ("pipe", "E-FILE: not a regular file: pipe", 65),
    ] {
        Test::new(&folder)
            .args(["create", path])
            .stderr(&format!("swarmhold: {error}\n"))
            .code(code)
            .run();
    }
}

#[cfg(unix)]
pub(crate) fn make_pipe(folder: &Folder, name: &str) {
    let made = std::process::Command::new("mkfifo")
        .arg(folder.path(name))
        .status();
    assert!(made.unwrap().success());
}

#[cfg(target_os = "linux")]
#[test]
fn a_reader_that_goes_away_is_no_error_and_a_full_disk_is() {
    use std::process::Stdio;
    let folder = folder();
    let create = || {
        Test::new(&folder)
            .args(["-q", "create", "app.tar"])
            .command()
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = create()
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));

    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = create()
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let error = "swarmhold: E-IO: cannot write to stdout: No space left on device (os error 28)\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), error);
    assert_eq!(output.status.code(), Some(9));
}
