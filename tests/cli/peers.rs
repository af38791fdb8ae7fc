//! `swarmhold peers`: who gave and took, and how they were reached.

use serde_json::{Value, json};

use crate::folder::Folder;
use crate::library::fetched;
use crate::test::Test;

fn peers<'a>(folder: &'a Folder, home: &'a str, args: &[&str]) -> Test<'a> {
    Test::new(folder).home(home).args(["peers"]).args(args)
}

/// What `peers --json` says, which has to be of one peer.
fn only(folder: &Folder, home: &str, args: &[&str]) -> Value {
    let printed = peers(folder, home, args)
        .args(["--json"])
        .any_stdout()
        .run();
    let told: Value = serde_json::from_str(&printed.stdout).unwrap();
    let all = told["peers"].as_array().unwrap();
    assert_eq!(all.len(), 1, "{told}");
    all[0].clone()
}

#[test]
fn both_sides_know_who_gave_and_took_how_much_and_how_they_were_reached() {
    let (folder, manifest) = fetched();
    let bob = only(&folder, "bob", &[]);
    let of = |told: &Value, fields: [&str; 6]| fields.map(|field| told[field].clone());
    let fields = [
        "name",
        "path",
        "how",
        "gave_bytes",
        "took_bytes",
        "manifest_id",
    ];
    let id = json!(manifest.id().to_string());
    let expected = [
        "app.tar".into(),
        "direct".into(),
        "dialed".into(),
        json!(100_000),
        json!(0),
        id.clone(),
    ];
    assert_eq!(of(&bob, fields), expected);
    assert_eq!(bob["peer"], manifest.address().to_string());
    let alice = only(&folder, "alice", &["app.tar"]);
    let expected = [
        "app.tar".into(),
        "direct".into(),
        "accepted".into(),
        json!(0),
        json!(100_000),
        id,
    ];
    assert_eq!(of(&alice, fields), expected);
    for told in [bob, alice] {
        assert!(told["last_seen"].as_u64().unwrap() > 0);
        assert!(told["remote"].as_str().unwrap().starts_with("127.0.0.1:"));
    }
    let printed = peers(&folder, "bob", &["app.tar"]).any_stdout().run();
    let row = printed.stdout.lines().nth(1).unwrap();
    let is_told =
        row.contains("app.tar") && row.contains("directly, dialed") && row.contains("97.7 KiB");
    assert!(is_told, "{row}");
}

#[test]
fn nobody_is_nobody_and_what_is_not_known_has_no_peers() {
    let folder = Folder::new();
    peers(&folder, "home", &[])
        .stderr("nobody has given or taken anything yet\n")
        .run();
    peers(&folder, "home", &["app.tar"])
        .stderr(
            "swarmhold: E-UNKNOWN: no container is known by \"app.tar\"\n\
             try: swarmhold list tells what is known\n",
        )
        .code(3)
        .run();
    assert!(!folder.exists("home"));
}
