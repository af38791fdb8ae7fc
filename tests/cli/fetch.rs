//! `swarmhold get`: two processes over loopback, where the bytes go, and what stands in the way.

use std::fs;
use std::net::UdpSocket;

use serde_json::Value;
use swarmhold::Link;

use crate::folder::Folder;
use crate::share::{folder, sharing};
use crate::test::Test;

const GOT: &str = "app.tar: 97.7 KiB in <time>, <speed> from 1 peer; saved by zstd: 0 B; \
                   duplicates: 0 B\n";

/// `swarmhold get`, by bob.
fn get<'a>(folder: &'a Folder, args: &[&str]) -> Test<'a> {
    let test = Test::new(folder)
        .home("bob")
        .args(["get", "--listen", "127.0.0.1:0"]);
    test.args(args)
}

/// The same by somebody else, who has nothing of it.
fn get_by<'a>(folder: &'a Folder, home: &'a str, args: &[&str]) -> Test<'a> {
    let id = Test::new(folder).home(home).args(["-q", "id"]);
    id.any_stdout().run();
    get(folder, args).home(home)
}

#[test]
fn a_container_travels_to_the_path_that_was_asked_for() {
    let folder = folder(100_000);
    let (process, link) = sharing(&folder, &["app.tar"]);
    let json = ["-o", "third", "--json"];
    get(&folder, &[&link, "-o", "copy"])
        .stdout("copy\n")
        .stderr(GOT)
        .run();
    get_by(&folder, "carol", &[&link, "-o", "second", "-q"])
        .stdout("second\n")
        .run();
    let third = get_by(&folder, "dave", &[&link]).args(json);
    let printed = third.any_stdout().run();
    let done: Value = serde_json::from_str(printed.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&done["event"], &done["path"]),
        (&"done".into(), &"third".into())
    );
    assert_eq!(
        (&done["size"], &done["peers"]),
        (&100_000.into(), &1.into())
    );
    assert_eq!(
        (&done["resumed"], &done["spared_bytes"]),
        (&false.into(), &0.into())
    );
    for copy in ["copy", "second", "third"] {
        assert!(folder.read(copy) == folder.read("app.tar"), "{copy}");
        assert!(!folder.exists(&format!("{copy}.part")));
    }
    process.signal(&["INT"]);
    let ended = process.ended();
    let last = ended.stderr.lines().last().unwrap();
    assert!(last.ends_with("; sent 293.0 KiB to 3 peers"), "{last}");
}

#[test]
fn without_a_path_it_goes_to_the_nodes_own_folder_and_into_a_folder_by_its_id() {
    let folder = folder(100_000);
    let (_process, link) = sharing(&folder, &["app.tar"]);
    let id = folder.manifest("app.tar.deluge").program_id().to_string();
    let own = "<dir>/bob/wwwdata/containers/<hex>\n";
    get(&folder, &[&link]).stdout(own).stderr(GOT).run();
    let kept = format!("bob/wwwdata/containers/{id}");
    assert!(folder.read(&kept) == folder.read("app.tar"));
    get(&folder, &[&link])
        .stdout(own)
        .stderr("app.tar: all 97.7 KiB were here already, and are verified\n")
        .run();

    fs::create_dir(folder.path("into")).unwrap();
    get(&folder, &[&link, "-o", "into"])
        .stdout("into/<hex>\n")
        .stderr("app.tar: all 97.7 KiB were here already, and are verified\n")
        .run();
    assert!(folder.read(&format!("into/{id}")) == folder.read("app.tar"));
}

#[test]
fn zeros_do_not_travel() {
    let folder = folder(100_000);
    let mut bytes = vec![0; 65_536];
    bytes.extend(folder.read("app.tar"));
    folder.write("app.tar", bytes);
    let (_process, link) = sharing(&folder, &["app.tar"]);
    get(&folder, &[&link, "-o", "copy"])
        .stdout("copy\n")
        .stderr(
            "app.tar: 161.7 KiB in <time>, <speed> from 1 peer; 64.0 KiB of zeros did not travel; \
             saved by zstd: 0 B; duplicates: 0 B\n",
        )
        .run();
    assert!(folder.read("copy") == folder.read("app.tar"));
}

#[test]
fn repeats_do_not_travel() {
    let folder = folder(32_768);
    folder.write("app.tar", folder.read("app.tar").repeat(4));
    let (_process, link) = sharing(&folder, &["app.tar"]);
    get(&folder, &[&link, "-o", "copy"])
        .stdout("copy\n")
        .stderr(
            "app.tar: 128.0 KiB in <time>, <speed> from 1 peer; 96.0 KiB of repeats did not \
             travel; saved by zstd: 0 B; duplicates: 0 B\n",
        )
        .run();
    assert!(folder.read("copy") == folder.read("app.tar"));
    let json = get(&folder, &[&link, "-o", "second", "--json"])
        .any_stdout()
        .run();
    let done: Value = serde_json::from_str(json.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&done["reused_bytes"], &done["spared_bytes"]),
        (&131_072.into(), &0.into()),
        "the first copy has it all"
    );
}

#[test]
fn every_order_brings_the_same_bytes_and_limits_take_units() {
    let folder = folder(200_000);
    let (_process, link) = sharing(&folder, &["app.tar", "--up", "50M"]);
    let got = GOT.replace("97.7", "195.3");
    for order in ["rarest", "sequential", "sections"] {
        let copy = format!("copy-{order}");
        get_by(&folder, order, &[&link, "-o", &copy, "--order", order])
            .args(["--down", "20MiB/s", "--up", "500K"])
            .stdout(&format!("{copy}\n"))
            .stderr(&got)
            .run();
        assert!(folder.read(&copy) == folder.read("app.tar"), "{order}");
    }
    get(&folder, &[&link, "-o", "copy"])
        .env("SWARMHOLD_ORDER", "sequential")
        .env("SWARMHOLD_DOWN", "0")
        .env("SWARMHOLD_UP", "1M")
        .stdout("copy\n")
        .stderr(&got)
        .run();
    let wrong = get(&folder, &[&link, "-o", "none"])
        .env("SWARMHOLD_DOWN", "much")
        .any_stderr()
        .code(2)
        .run();
    let start = "error: invalid value 'much' for '--down <RATE>'";
    assert!(wrong.stderr.starts_with(start), "{}", wrong.stderr);
}

#[test]
fn a_manifest_and_a_peer_are_as_good_as_a_link() {
    let folder = folder(100_000);
    let (_process, link) = sharing(&folder, &["app.tar"]);
    let link: Link = link.parse().unwrap();
    let peer = format!("{}@{}", link.address.unwrap(), link.peers[0]);
    let by_name = ["app.tar.deluge", "--no-discovery", "--peer", &peer];
    get(&folder, &by_name)
        .args(["-o", "copy"])
        .stdout("copy\n")
        .stderr(GOT)
        .run();
    assert!(folder.read("copy") == folder.read("app.tar"));

    // a program id alone: the peer is asked which manifests it has
    let bare = format!("swarmhold:{}", link.program_id);
    get_by(&folder, "carol", &[&bare, "-o", "bare"])
        .env("SWARMHOLD_PEER", link.peers[0].to_string())
        .stdout("bare\n")
        .stderr(GOT)
        .run();
    assert!(folder.read("bare") == folder.read("app.tar"));
}

#[test]
fn a_peer_that_is_somebody_else_is_refused() {
    let folder = folder(100_000);
    let (_process, link) = sharing(&folder, &["app.tar"]);
    let link: Link = link.parse().unwrap();
    let peer = format!("{}@{}", "ab".repeat(32), link.peers[0]);
    let by_name = [
        "app.tar.deluge",
        "--no-discovery",
        "--peer",
        &peer,
        "-o",
        "copy",
    ];
    get(&folder, &by_name)
        .stderr(
            "swarmhold: E-IDENTITY: expected <hex>, got <hex>\n\
             try: ask the publisher for the link again, over a channel that you trust\n",
        )
        .code(6)
        .run();
    assert!(!folder.exists("copy"));
}

#[test]
fn where_there_is_nobody_it_says_so() {
    let folder = folder(100_000);
    Test::new(&folder)
        .home("alice")
        .args(["-q", "create", "app.tar"])
        .any_stdout()
        .run();
    let manifest = folder.manifest("app.tar.deluge");
    let bare = format!("swarmhold:{}", manifest.program_id());
    get(&folder, &[&bare])
        .stderr(
            "swarmhold: E-NO-PEERS: the link names no peer and none was given with --peer\n\
             try: ask for the link that `swarmhold share` prints, or name a peer with --peer IP:PORT\n",
        )
        .code(5)
        .run();
    get(&folder, &["app.tar.deluge", "--no-discovery"])
        .stderr(
            "swarmhold: E-NO-PEERS: --no-discovery rules out the manifest's own peers, and no \
             --peer was given\n\
             try: --peer IP:PORT, or leave --no-discovery out\n",
        )
        .code(5)
        .run();
    // a socket that never answers
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let link = format!("{bare}?p={}", silent.local_addr().unwrap());
    let printed = get(&folder, &[&link, "--timeout", "1s", "-o", "copy"])
        .any_stderr()
        .code(5)
        .run();
    let start = "swarmhold: E-NO-PEERS: no peer gave anything for 1 s";
    assert!(printed.stderr.starts_with(start), "{}", printed.stderr);
    let error = get(&folder, &[&link, "--timeout", "1s", "--json"])
        .any_stdout()
        .any_stderr()
        .code(5)
        .run();
    assert_eq!(error.json_error()["kind"], "no-peers");
    assert_eq!(error.json_error()["code"], "E-NO-PEERS");
    assert!(!folder.exists("copy") && !folder.exists("copy.part"));
}

#[test]
fn what_is_there_is_not_replaced() {
    let folder = folder(100_000);
    let link = format!("swarmhold:{}?p=127.0.0.1:1", "ab".repeat(32));
    folder.write("taken", b"mine");
    fs::create_dir(folder.path("into")).unwrap();
    folder.write(&format!("into/{}", "ab".repeat(32)), b"mine");
    for (output, path) in [("taken", "taken"), ("into", "into/<hex>")] {
        get(&folder, &[&link, "-o", output])
            .stderr(&format!(
                "swarmhold: E-EXISTS: {path} is already there and is not replaced\n\
                 try: another path with -o\n"
            ))
            .code(13)
            .run();
    }
    assert_eq!(folder.read("taken"), b"mine");
    for (output, error) in [
        ("none/", "E-FILE: there is no folder none/"),
        ("none/copy", "E-FILE: there is no folder none"),
    ] {
        get(&folder, &[&link, "-o", output])
            .stderr(&format!("swarmhold: {error}\n"))
            .code(3)
            .run();
    }
}

#[test]
fn a_link_that_is_none_is_bad_data() {
    let folder = folder(1);
    get(&folder, &["swarmhold:xyz"])
        .stderr(
            "swarmhold: E-LINK: program id must be 64 lowercase hex, got 3\n\
             try: quote the link, so that the shell leaves its & alone\n",
        )
        .code(65)
        .run();
}
