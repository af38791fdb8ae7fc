//! `swarmhold bans`: who is refused, and how to lift that.

use serde_json::json;
use swarmhold::{Address, Digest, ManifestId};

use crate::folder::Folder;
use crate::test::Test;

/// A home in which two addresses are banned for ten hours and half a minute.
fn banned() -> (Folder, [Address; 2]) {
    let folder = Folder::new();
    let mut whom = [b"one", b"two"].map(|name| Address::new(Digest::of(name)));
    whom.sort();
    let id = ManifestId::new(Digest::of(b"manifest"));
    let text = json!({
        // A clock that went back says nothing about how long the node was off.
        "written": 99_999_999_999u64,
        "bans": {
            whom[0].to_string(): {
                "left_s": 36_030,
                "strikes": [id.to_string(), id.to_string(), "protocol"],
            },
            whom[1].to_string(): { "left_s": 36_030, "strikes": [] },
        },
    });
    std::fs::create_dir(folder.path("home")).unwrap();
    folder.write("home/bans.json", text.to_string());
    (folder, whom)
}

fn bans<'a>(folder: &'a Folder, args: &[&str]) -> Test<'a> {
    Test::new(folder).args(["bans"]).args(args)
}

#[test]
fn they_are_listed_with_what_they_are_for() {
    let (folder, _) = banned();
    bans(&folder, &[])
        .stdout(
            "<hex>  for 10 h 0 min more, for 2 bad chunks and 1 breach of the protocol\n\
             <hex>  for 10 h 0 min more, for reasons that were not kept\n",
        )
        .run();
}

#[test]
fn one_is_lifted_then_all_then_none_is_left() {
    let (folder, whom) = banned();
    let one = whom[0].to_string();
    for (args, stderr) in [
        (["--lift", &one], "lifted 1 ban\n"),
        (["--lift", &one], "lifted 0 bans\n"),
        (["--lift", "all"], "lifted 1 ban\n"),
    ] {
        let test = bans(&folder, &args).any_stdout().stderr(stderr);
        test.run();
    }
    bans(&folder, &[]).stderr("nobody is banned\n").run();
    assert!(folder.exists("home/bans.json.imported") && !folder.exists("home/bans.json"));
}

#[test]
fn who_has_no_home_bans_nobody() {
    let folder = Folder::new();
    bans(&folder, &[]).stderr("nobody is banned\n").run();
    bans(&folder, &["--json"]).stdout("{\"bans\":[]}\n").run();
    assert!(!folder.exists("home"));
}

#[test]
fn a_state_of_a_later_version_is_refused_and_left_alone() {
    let (folder, _) = banned();
    let path = folder.path("home/state.db");
    let later = rusqlite::Connection::open(&path).unwrap();
    later.pragma_update(None, "user_version", 99).unwrap();
    drop(later);
    let before = folder.read("home/state.db");
    let refused = bans(&folder, &["--lift", "all"])
        .any_stderr()
        .code(78)
        .run();
    let last = refused.stderr.lines().last().unwrap();
    let (why, known) = last.rsplit_once(" up to ").unwrap();
    let path = path.display();
    assert_eq!(
        why,
        format!("swarmhold: E-STATE-VERSION: {path} is of version 99, this program knows")
    );
    assert!(known.ends_with("; going on without it"));
    assert!(folder.read("home/state.db") == before);
}
