//! The vault: `get --vault`, `config set vault on`, `export`, `vault reseal`, and what is on the disk
//! meanwhile.

use std::fs;
use std::path::Path;

use crate::folder::{Folder, noise};
use crate::process::Process;
use crate::share::sharing;
use crate::test::Test;

/// What no plaintext of the container goes without.
const MARKER: &[u8] = b"a secret that nobody finds on the disk";

/// A folder with a container of this many bytes, each chunk of which has the marker.
fn folder(len: usize) -> Folder {
    let folder = Folder::new();
    let mut bytes = noise(len);
    for at in (0..len - MARKER.len()).step_by(5000) {
        bytes[at..at + MARKER.len()].copy_from_slice(MARKER);
    }
    folder.write("app.tar", bytes);
    for home in ["alice", "bob"] {
        let id = Test::new(&folder).home(home).args(["-q", "id"]);
        id.any_stdout().run();
    }
    folder
}

fn run<'a>(folder: &'a Folder, args: &[&str]) -> Test<'a> {
    Test::new(folder).home("bob").args(args)
}

fn get<'a>(folder: &'a Folder, link: &str, more: &[&str]) -> Test<'a> {
    run(folder, &["get", "--listen", "127.0.0.1:0", link]).args(more)
}

/// Files below a folder in which half of the marker stands.
fn leaks(folder: &Path) -> Vec<String> {
    let half = &MARKER[..MARKER.len() / 2];
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(leaks(&path));
        } else if let Ok(bytes) = fs::read(&path)
            && bytes.windows(half.len()).any(|window| window == half)
        {
            found.push(path.display().to_string());
        }
    }
    found
}

fn nothing_leaks(folder: &Folder) {
    assert_eq!(leaks(&folder.path("bob")), Vec::<String>::new());
}

/// Bob has fetched app.tar into his vault; alice shares it still.
fn fetched(folder: &Folder, env: &[(&'static str, &str)]) -> (Process, String) {
    let (alice, link) = sharing(folder, &["app.tar"]);
    let mut get = get(folder, &link, &["--vault", "-q"]);
    for (name, value) in env {
        get = get.env(name, value);
    }
    let printed = get.any_stdout().run();
    assert!(printed.line().ends_with(".vault"), "{}", printed.stdout);
    (alice, link)
}

#[test]
fn what_is_kept_in_the_vault_is_read_again_and_is_nowhere_in_the_open() {
    let folder = folder(200_000);
    assert_eq!(leaks(folder.root()).len(), 1, "the marker is in app.tar");
    let (_alice, link) = sharing(&folder, &["app.tar"]);
    let id = folder.manifest("app.tar.deluge").program_id();
    let path = folder.path(&format!("bob/wwwdata/containers/{id}.vault"));
    get(&folder, &link, &["--vault"])
        .stdout("<dir>/bob/wwwdata/containers/<hex>.vault\n")
        .stderr(&format!(
            "made a new vault: <dir>/bob/vault.key\n\
             it is in the vault; to read it: swarmhold export {} -o FILE\n\
             app.tar: 195.3 KiB in <time>, <speed> from 1 peer; saved by zstd: 0 B; duplicates: 0 B\n",
            id.short()
        ))
        .run();
    nothing_leaks(&folder);
    let listed = run(&folder, &["list", "--json"]).any_stdout().run().json();
    assert_eq!(listed["containers"][0]["state"], "vault");
    run(&folder, &["scrub", "-q"]).stdout("app.tar: ok\n").run();
    run(&folder, &["export", "app.tar", "-o", "copy"])
        .stdout("copy\n")
        .stderr("wrote app.tar from the vault into copy\n")
        .run();
    assert!(folder.read("copy") == folder.read("app.tar"));
    run(&folder, &["export", "app.tar", "-o", "copy"])
        .any_stderr()
        .code(13)
        .run();
    // the next get finds it there, with or without --vault
    for more in [&["--vault"][..], &[]] {
        let again = get(&folder, &link, more).args(["--json"]).any_stdout();
        let again = again.any_stderr().run();
        assert!(again.stdout.contains("\"vault\":true"), "{}", again.stdout);
    }
    nothing_leaks(&folder);
    let rm = run(&folder, &["rm", "--yes", "app.tar"]).any_stdout();
    rm.any_stderr().run();
    assert!(!path.exists());
}

#[test]
fn a_download_that_was_killed_goes_on_in_the_vault() {
    let folder = folder(4 << 20);
    let (_alice, link) = sharing(&folder, &["app.tar", "--up", "2M"]);
    let mut killed = get(&folder, &link, &["--vault"]).start();
    killed.stderr_line(" %  ");
    killed.signal(&["KILL"]);
    killed.ended();
    nothing_leaks(&folder);
    // what was begun in the vault goes on there, if nobody says so
    let printed = get(&folder, &link, &[]).any_stdout().any_stderr().run();
    assert!(printed.line().ends_with(".vault"), "{}", printed.stdout);
    assert!(
        printed.stderr.contains(" were here already; saved by zstd"),
        "{}",
        printed.stderr
    );
    nothing_leaks(&folder);
    let export = run(&folder, &["export", "app.tar", "-o", "copy", "-q"]);
    export.stdout("copy\n").run();
    assert!(folder.read("copy") == folder.read("app.tar"));
}

#[test]
fn the_setting_keeps_everything_in_the_vault_but_what_has_a_path() {
    let folder = folder(100_000);
    let (_alice, link) = sharing(&folder, &["app.tar"]);
    run(&folder, &["config", "set", "vault", "on"])
        .stdout("vault on\n")
        .run();
    let printed = get(&folder, &link, &["-q"]).any_stdout().run();
    assert!(printed.line().ends_with(".vault"), "{}", printed.stdout);
    nothing_leaks(&folder);
    get(&folder, &link, &["-q", "-o", "plain"])
        .stdout("plain\n")
        .run();
    assert!(folder.read("plain") == folder.read("app.tar"));
    run(&folder, &["config", "list"])
        .stdout("master none\nno-relay none\nquota none\nvault on\n")
        .run();
    run(&folder, &["config", "set", "vault", "maybe"])
        .stderr(
            "swarmhold: E-SETTING: \"maybe\": expected on or off\n\
             try: swarmhold config --help\n",
        )
        .code(2)
        .run();
    run(&folder, &["config", "set", "vault", "none"])
        .stdout("vault none\n")
        .run();
}

#[test]
fn a_passphrase_opens_it_and_another_one_later() {
    let folder = folder(100_000);
    let old = ("SWARMHOLD_VAULT_PASSPHRASE", "open sesame");
    let (_alice, link) = fetched(&folder, &[old]);
    let export = |to: &'static str| run(&folder, &["export", "app.tar", "-o", to, "-q"]);
    let shut = "swarmhold: E-VAULT: container <hex> is in the vault, which is shut\n\
                try: set SWARMHOLD_VAULT_PASSPHRASE, or --vault-passphrase-file FILE\n";
    export("a").stderr(shut).code(8).run();
    get(&folder, &link, &["-q"]).stderr(shut).code(8).run();
    export("a").env(old.0, old.1).stdout("a\n").run();
    export("b")
        .env(old.0, "open sesam")
        .stderr(
            "swarmhold: E-PASSPHRASE: E-VAULT: the vault stays shut: key file <path> gives no key: wrong \
             passphrase, or the file is damaged\n",
        )
        .any_stderr()
        .code(8)
        .run();

    folder.write("new.txt", "a better one\n");
    run(
        &folder,
        &["vault", "reseal", "--new-passphrase-file", "new.txt"],
    )
    .env(old.0, old.1)
    .stdout("passphrase\n")
    .any_stderr()
    .run();
    let none = export("b").env(old.0, old.1).any_stderr().code(8);
    none.run();
    let new = ["--vault-passphrase-file", "new.txt"];
    export("b").args(new).stdout("b\n").run();
    run(&folder, &["vault", "reseal", "--identity", "-q"])
        .args(new)
        .stdout("identity\n")
        .run();
    export("c").stdout("c\n").run();
    assert!(folder.read("c") == folder.read("app.tar"));
}

#[test]
fn another_identity_does_not_open_it() {
    let folder = folder(100_000);
    let (_alice, _link) = fetched(&folder, &[]);
    // a thief has the folder, and an identity of their own
    let identity = folder.read("alice/identity.key");
    folder.write("bob/identity.key", identity);
    run(&folder, &["export", "app.tar", "-o", "stolen", "-q"])
        .any_stderr()
        .code(8)
        .run();
    let get_back = run(&folder, &["vault"]).any_stdout().any_stderr().run();
    assert_eq!(get_back.stdout, "identity\n");
    assert!(!folder.exists("stolen"));
}

#[test]
fn swapped_and_changed_slots_are_found_and_fetched_again() {
    let folder = folder(200_000);
    let (_alice, link) = fetched(&folder, &[]);
    let id = folder.manifest("app.tar.deluge").program_id();
    let name = format!("bob/wwwdata/containers/{id}.vault");
    let mut bytes = folder.read(&name);
    let slot = |number: usize| 4096 + number * (32_768 + 28)..4096 + (number + 1) * (32_768 + 28);
    let (one, three) = (bytes[slot(1)].to_vec(), bytes[slot(3)].to_vec());
    bytes[slot(1)].copy_from_slice(&three);
    bytes[slot(3)].copy_from_slice(&one);
    folder.write(&name, bytes);
    run(&folder, &["scrub", "-q"])
        .stdout("app.tar: 2 chunks changed on disk: 1 3; the next get fetches what is wrong\n")
        .any_stderr()
        .code(10)
        .run();
    run(&folder, &["export", "app.tar", "-o", "copy", "-q"])
        .any_stderr()
        .code(10)
        .run();
    assert!(!folder.exists("copy"), "nothing false is written");
    let printed = get(&folder, &link, &["--json", "-q"]).any_stdout().run();
    assert!(
        printed.stdout.contains("\"vault\":true"),
        "{}",
        printed.stdout
    );
    run(&folder, &["scrub", "-q"]).stdout("app.tar: ok\n").run();
}

#[test]
fn what_lies_in_the_open_is_not_taken_for_kept() {
    let folder = folder(100_000);
    let (_alice, link) = sharing(&folder, &["app.tar"]);
    get(&folder, &link, &["-q"]).any_stdout().run();
    get(&folder, &link, &["-q", "--vault"])
        .stderr(
            "swarmhold: E-VAULT: <dir>/bob/wwwdata/containers/<hex> is there already, and is not encrypted\n\
             try: swarmhold rm removes it; then get it again\n",
        )
        .code(13)
        .run();
    get(&folder, &link, &["--vault", "-o", "x"])
        .any_stderr()
        .code(2)
        .run();
    run(&folder, &["rm", "--yes", "app.tar", "-q"])
        .any_stdout()
        .run();
    get(&folder, &link, &["-q", "--vault"]).any_stdout().run();
    nothing_leaks(&folder);
}

#[test]
fn chunks_in_the_vault_are_not_fetched_twice() {
    let folder = folder(200_000);
    drop(fetched(&folder, &[]));
    let mut longer = folder.read("app.tar");
    longer.truncate(5 * 32_768);
    longer.extend_from_slice(b"another end");
    folder.write("next.tar", longer);
    let (_alice, link) = sharing(&folder, &["next.tar"]);
    let printed = get(&folder, &link, &["--vault", "--json"]).any_stdout();
    let printed = printed.any_stderr().run();
    let done = printed.stdout.lines().last().unwrap();
    let done: serde_json::Value = serde_json::from_str(done).unwrap();
    assert_eq!(done["reused_bytes"], 5 * 32_768);
    nothing_leaks(&folder);
}

#[test]
fn what_was_encrypted_to_this_node_comes_out_of_the_vault_in_the_open() {
    let folder = folder(100_000);
    let id = run(&folder, &["--json", "id"])
        .any_stdout()
        .any_stderr()
        .run();
    let to = id.json()["recipient"].as_str().unwrap().to_owned();
    Test::new(&folder)
        .home("alice")
        .args(["create", "app.tar", "--encrypt-to", &to, "-q"])
        .any_stdout()
        .run();
    let (_alice, link) = sharing(&folder, &["app.tar.age"]);
    get(&folder, &link, &["--vault", "-q"]).any_stdout().run();
    nothing_leaks(&folder);
    let id = folder.manifest("app.tar.age.deluge").program_id().short();
    run(&folder, &["export", &id, "-o", "copy"])
        .stdout("copy\n")
        .stderr("decrypted app.tar.age from the vault into copy\n")
        .run();
    assert!(folder.read("copy") == folder.read("app.tar"));
    nothing_leaks(&folder);
}

#[test]
fn where_there_is_no_vault_it_is_said() {
    let folder = folder(1000);
    run(&folder, &["vault"])
        .stderr(
            "swarmhold: E-VAULT: there is no vault in this home\n\
             try: swarmhold get --vault LINK makes one\n",
        )
        .code(3)
        .run();
    assert!(!folder.exists("bob/vault.key"));
}
