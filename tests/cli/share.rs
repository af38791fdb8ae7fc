//! `swarmhold share`: the link, the manifest beside the container, and the end.

use std::net::UdpSocket;

use serde_json::Value;
use swarmhold::{Link, Wallet};

use crate::folder::{Folder, noise};
use crate::process::Process;
use crate::test::Test;

pub(crate) const LINK: &str = "swarmhold:<hex>?m=<hex>&a=<hex>&n=app.tar&p=<addr>\n";

/// A folder with a container of this many bytes that compress badly, and an identity of alice's.
pub(crate) fn folder(len: usize) -> Folder {
    let folder = Folder::new();
    folder.write("app.tar", noise(len));
    for home in ["alice", "bob"] {
        Test::new(&folder)
            .home(home)
            .args(["-q", "id"])
            .any_stdout()
            .run();
    }
    folder
}

/// `swarmhold share` on a free port of loopback, by alice.
pub(crate) fn share<'a>(folder: &'a Folder, args: &[&str]) -> Test<'a> {
    let loopback = ["share", "--listen", "127.0.0.1:0", "--no-discovery"];
    Test::new(folder).home("alice").args(loopback).args(args)
}

/// A share that has printed its link.
pub(crate) fn sharing(folder: &Folder, args: &[&str]) -> (Process, String) {
    let mut process = share(folder, args).start();
    let link = process.stdout_line("swarmhold:");
    (process, link)
}

#[test]
fn it_prints_the_link_alone_and_ends_well_on_a_signal() {
    for signal in ["INT", "TERM"] {
        let folder = folder(100_000);
        let (process, link) = sharing(&folder, &["app.tar"]);
        process.signal(&[signal]);
        share(&folder, &["app.tar"])
            .stdout(LINK)
            .stderr(
                "wrote app.tar.deluge\n\
                 sharing app.tar: 97.7 KiB in 4 chunks of 32.0 KiB\n\
                 listening on <addr> as <hex>\n\
                 others get it with: swarmhold get 'LINK'; Ctrl-C stops\n\
                 stopped after <time>; sent 0 B to 0 peers\n",
            )
            .compare(process.ended());
        let manifest = folder.manifest("app.tar.deluge");
        let link: Link = link.parse().unwrap();
        assert_eq!(link.manifest_id, Some(manifest.id()));
        assert_eq!(link.peers.len(), 1);
        assert_eq!(manifest.reach(), None, "nobody else reaches loopback");
    }
}

#[test]
fn a_fresh_manifest_of_ours_is_used_and_a_stale_one_made_again() {
    let folder = folder(100_000);
    let run = |how: &str| {
        let (process, _) = sharing(&folder, &["app.tar"]);
        process.signal(&["INT"]);
        let ended = process.ended();
        let first = ended.stderr.lines().next().unwrap();
        assert!(first.starts_with(how), "{}", ended.stderr);
        folder.read("app.tar.deluge")
    };
    let made = run("wrote app.tar.deluge");
    assert_eq!(run("sharing app.tar"), made);
    let old = std::time::SystemTime::UNIX_EPOCH;
    let file = std::fs::File::options()
        .append(true)
        .open(folder.path("app.tar.deluge"));
    file.unwrap().set_modified(old).unwrap();
    run("wrote app.tar.deluge");
    folder.write("app.tar", noise(70_000));
    run("wrote app.tar.deluge");
    assert_eq!(folder.manifest("app.tar.deluge").layout().size(), 70_000);
    folder.write("app.tar.deluge", b"[]");
    run("made again: E-JSON: top level must be an object, got array: app.tar.deluge");
    assert_eq!(folder.manifest("app.tar.deluge").layout().size(), 70_000);
}

#[test]
fn anothers_manifest_is_shared_when_it_is_named_and_never_replaced() {
    let folder = folder(100_000);
    let wallet = Wallet::from_seed([9; 32]);
    let theirs =
        swarmhold::create(&folder.path("app.tar"), &wallet, "theirs", None, |_| {}).unwrap();
    folder.write("app.tar.deluge", theirs.to_json());
    share(&folder, &["app.tar"])
        .stderr(
            "swarmhold: E-EXISTS: app.tar.deluge is another publisher's manifest and is not \
             replaced\n\
             try: share the manifest itself to help its publisher, or create your own with -o \
             OTHER.deluge\n",
        )
        .code(13)
        .run();
    let (process, link) = sharing(&folder, &["app.tar.deluge"]);
    process.signal(&["INT"]);
    assert_eq!(process.ended().status.code(), Some(0));
    let link: Link = link.parse().unwrap();
    assert_eq!(link.address, Some(wallet.address()));
    assert_eq!(folder.read("app.tar.deluge"), theirs.to_json());

    std::fs::remove_file(folder.path("app.tar")).unwrap();
    share(&folder, &["app.tar.deluge"])
        .stderr("swarmhold: E-FILE: there is no container app.tar beside its manifest\n")
        .code(3)
        .run();
}

#[test]
fn what_cannot_be_shared_says_why() {
    let folder = folder(100_000);
    folder.write("empty", b"");
    std::fs::create_dir(folder.path("folder")).unwrap();
    for (path, error, code) in [
        (
            "none",
            "E-IO: cannot read none: No such file or directory (os error 2)",
            3,
        ),
        ("empty", "E-SIZE: container is empty: empty", 65),
        ("folder", "E-FILE: not a regular file: folder", 65),
        (
            "none.deluge",
            "E-IO: cannot read none.deluge: No such file or directory (os error 2)",
            3,
        ),
    ] {
        let error = format!("swarmhold: {error}\n");
        share(&folder, &[path]).stderr(&error).code(code).run();
    }
}

#[test]
fn a_port_that_is_taken_is_a_network_error() {
    let folder = folder(100_000);
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    Test::new(&folder)
        .home("alice")
        .args(["share", "app.tar", "--listen", &address])
        .stderr(
            "swarmhold: E-BIND: cannot listen on UDP <addr>: Address already in use (os error 98)\n\
             try: --listen '[::]:0' takes any free port\n",
        )
        .code(6)
        .run();
}

#[test]
fn json_tells_the_link_and_the_end() {
    let folder = folder(100_000);
    let mut process = share(&folder, &["app.tar", "--json"]).start();
    let sharing: Value = serde_json::from_str(&process.stdout_line("\"sharing\"")).unwrap();
    process.signal(&["INT"]);
    let ended = process.ended();
    assert_eq!((ended.status.code(), &*ended.stderr), (Some(0), ""));
    let last: Value = serde_json::from_str(ended.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["event"], &last["sent_bytes"]),
        (&"stopped".into(), &0.into())
    );

    let manifest = folder.manifest("app.tar.deluge");
    let link: Link = sharing["link"].as_str().unwrap().parse().unwrap();
    assert_eq!(link.manifest_id, Some(manifest.id()));
    assert_eq!(sharing["manifest_id"], manifest.id().to_string());
    assert_eq!(sharing["address"], manifest.address().to_string());
    assert_eq!(sharing["listen"], link.peers[0].to_string());
    assert_eq!(sharing["reachable_at"][0], link.peers[0].to_string());
    assert_eq!(
        (&sharing["size"], &sharing["chunks"]),
        (&100_000.into(), &4.into())
    );
}

/// Everything that alice has is served by one process that was told of nothing: what she shared once, and
/// what she fetched.
#[test]
fn all_of_the_library_is_served_to_who_asks() {
    let folder = folder(100_000);
    let (process, link) = sharing(&folder, &["app.tar"]);
    let get = ["get", &link, "-q", "--listen", "127.0.0.1:0"];
    Test::new(&folder).home("bob").args(get).any_stdout().run();
    process.signal(&["INT"]);
    process.ended();
    folder.write("second", noise(150_000).split_off(9));
    let mut second = share(&folder, &["second"]).home("bob").start();
    let second_link = second.stdout_line("swarmhold:");
    second.signal(&["INT"]);
    second.ended();

    let args = [
        "share",
        "--all",
        "--listen",
        "127.0.0.1:0",
        "--no-discovery",
    ];
    let all = Test::new(&folder).home("bob").args(args);
    let mut process = all.start();
    let peer = process.stdout_line("@127.0.0.1:");
    for (link, name) in [(&link, "app.tar"), (&second_link, "second")] {
        let mut link: Link = link.trim().parse().unwrap();
        link.peers.clear();
        let to = format!("copy of {name}");
        let bare = format!("swarmhold:{}", link.program_id);
        for (home, link) in [("carol", link.to_string()), ("dave", bare)] {
            let id = Test::new(&folder).home(home).args(["-q", "id"]);
            id.any_stdout().run();
            let to = format!("{to} by {home}");
            let get = ["get", &link, "-q", "--peer", peer.trim(), "-o", &to];
            Test::new(&folder)
                .home(home)
                .args(get)
                .args(["--listen", "127.0.0.1:0"])
                .stdout(&format!("{to}\n"))
                .run();
            assert!(folder.read(&to) == folder.read(name), "{to}");
        }
    }
    let unknown = format!("swarmhold:{}", "ab".repeat(32));
    let get = ["get", &unknown, "--peer", peer.trim(), "--timeout", "1s"];
    Test::new(&folder)
        .home("carol")
        .args(get)
        .args(["--listen", "127.0.0.1:0"])
        .any_stderr()
        .code(5)
        .run();
    process.signal(&["INT"]);
    all.stdout("<hex>@<addr>\n")
        .stderr(
            "serving everything complete in the library, to who has its link or manifest\n\
             listening on <addr> as <hex>\n\
             others get it with: swarmhold get 'LINK' --peer PEER; Ctrl-C stops\n\
             stopped after <time>; sent 488.3 KiB to 2 peers\n",
        )
        .compare(process.ended());
}
