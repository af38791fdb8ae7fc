//! Containers that only some can read, and Debian's `age` at the other end.
//!
//! Where `age` is not to be had, its tests say so and pass, unless `SWARMHOLD_NO_SKIP` is set.

use std::process::Command;

use crate::folder::{Folder, noise};
use crate::share::sharing;
use crate::skip::skip;
use crate::test::Test;

const CREATED: &str = "encrypted app.tar into app.tar.age\n\
    wrote app.tar.age.deluge: SIZE KiB in 4 chunks of 32.0 KiB\n\
    the link says what, not where; to offer it: swarmhold share app.tar.age\n";

/// A folder with a container of 100 000 bytes and alice's identity, who publishes.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("app.tar", noise(100_000));
    recipient(&folder, "alice");
    folder
}

/// To whom somebody can be written.
fn recipient(folder: &Folder, home: &str) -> String {
    let id = Test::new(folder).home(home).args(["--json", "id"]);
    let json = id.any_stdout().any_stderr().run().json();
    json["recipient"].as_str().unwrap().to_owned()
}

/// Encrypts `app.tar` to these.
fn create(folder: &Folder, recipients: &[&str]) {
    let to = recipients.join(",");
    let size = if recipients.len() == 1 {
        "97.9"
    } else {
        "98.0"
    };
    Test::new(folder)
        .home("alice")
        .args(["create", "app.tar", "--encrypt-to", &to])
        .any_stdout()
        .stderr(&CREATED.replace("SIZE", size))
        .run();
}

fn get<'a>(folder: &'a Folder, home: &'a str, link: &str) -> Test<'a> {
    let args = ["get", "--listen", "127.0.0.1:0", link];
    Test::new(folder).home(home).args(args)
}

/// Runs a program of the `age` package; none where there is none.
fn age(folder: &Folder, program: &str, args: &[&str], input: &str) -> Option<String> {
    let command = Command::new(program)
        .args(args)
        .current_dir(folder.root())
        .stdin(std::fs::File::open(folder.path(input)).unwrap())
        .output();
    let Ok(output) = command else {
        let reason = format!("there is no {program}");
        skip(&reason);
        return None;
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {stderr}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn its_recipient_reads_it_and_others_pass_it_on() {
    let folder = folder();
    create(&folder, &[&recipient(&folder, "bob")]);
    let (_alice, link) = sharing(&folder, &["app.tar.age"]);
    get(&folder, "bob", &link)
        .args(["-o", "copy.tar"])
        .stdout("copy.tar\n")
        .stderr(
            "decrypted copy.tar.age into copy.tar\n\
             app.tar.age: 97.9 KiB in <time>, <speed> from 1 peer; saved by zstd: 0 B; duplicates: 0 B\n",
        )
        .run();
    assert!(folder.read("copy.tar") == folder.read("app.tar"));
    assert!(folder.read("copy.tar.age") == folder.read("app.tar.age"));

    let carol = get(&folder, "carol", &link).args(["-o", "c.tar", "-q"]);
    carol.stdout("c.tar.age\n").any_stderr().run();
    assert!(!folder.exists("c.tar"), "she cannot read it");
    let (_carol, link) = sharing(&folder, &["--home", "carol", "c.tar.age"]);
    let bob = get(&folder, "bob", &link).args(["-o", "d.tar", "-q"]);
    bob.stdout("d.tar\n").run();
    assert!(folder.read("d.tar") == folder.read("app.tar"), "from carol");
}

#[test]
fn what_lies_in_the_nodes_folder_is_exported() {
    let folder = folder();
    let to = recipient(&folder, "bob");
    create(&folder, &[&to]);
    let (_alice, link) = sharing(&folder, &["app.tar.age"]);
    let got = get(&folder, "bob", &link).any_stdout().any_stderr().run();
    let (path, hint) = (
        got.line(),
        "it is encrypted to this node; to read it: swarmhold export",
    );
    assert!(
        got.stderr.contains(&format!("{hint} {path} -o FILE\n")),
        "{}",
        got.stderr
    );
    for (reference, output) in [("app.tar.age", "by-name"), (path, "by-path")] {
        let export = Test::new(&folder).home("bob");
        let export = export.args(["export", reference, "-o", output]);
        export.stdout(&format!("{output}\n")).any_stderr().run();
        assert!(folder.read(output) == folder.read("app.tar"));
    }
}

#[test]
fn who_may_not_read_it_is_told_so() {
    let folder = folder();
    create(&folder, &[&recipient(&folder, "bob")]);
    let export = |what: &'static str| {
        Test::new(&folder)
            .home("alice")
            .args(["export", what, "-o", "out"])
    };
    export("app.tar.age")
        .stderr(
            "swarmhold: E-AGE: encrypted to others than this key: app.tar.age\n\
             try: age -d -i KEY reads it with another key\n",
        )
        .code(8)
        .run();
    export("app.tar")
        .stderr("swarmhold: E-AGE: not an age file: app.tar\n")
        .code(65)
        .run();
    let mut bytes = folder.read("app.tar.age");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    folder.write("app.tar.age", bytes);
    Test::new(&folder)
        .home("bob")
        .args(["export", "app.tar.age", "-o", "out"])
        .stderr(
            "swarmhold: E-AGE: the encrypted content is damaged or cut off, in piece 1 of 64 KiB: \
             app.tar.age\n",
        )
        .code(10)
        .run();
    assert!(!folder.exists("out"));
}

#[test]
fn nothing_is_replaced_and_a_recipient_must_be_one() {
    let folder = folder();
    let to = recipient(&folder, "bob");
    create(&folder, &[&to]);
    Test::new(&folder)
        .home("alice")
        .args(["create", "app.tar", "--encrypt-to", &to])
        .stderr(
            "swarmhold: E-EXISTS: app.tar.age is already there and is not replaced\n\
             try: another path with -o\n",
        )
        .code(13)
        .run();
    let refused =
        Test::new(&folder)
            .home("alice")
            .args(["create", "app.tar", "--encrypt-to", "bob"]);
    let refused = refused.any_stderr().code(2).run();
    let expected = "not a recipient: \"bob\"; expected age1 and 58 characters";
    assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    let (_alice, link) = sharing(&folder, &["app.tar.age"]);
    folder.write("taken", b"mine");
    let get = get(&folder, "bob", &link).args(["-o", "taken", "--json"]);
    let error = get.any_stderr().code(13).run().json_error();
    assert_eq!(error["code"], "E-EXISTS");
    assert_eq!(folder.read("taken"), b"mine");
    assert!(
        !folder.exists("taken.age"),
        "told before anything was fetched"
    );
}

#[test]
fn age_opens_what_is_created_here_with_its_own_key_and_with_ours() {
    let folder = folder();
    let bob = recipient(&folder, "bob");
    let Some(key) = age(&folder, "age-keygen", &[], "app.tar") else {
        return;
    };
    folder.write("key.txt", key.clone().into_bytes());
    let theirs = key
        .lines()
        .find_map(|line| line.strip_prefix("# public key: "));
    create(&folder, &[theirs.unwrap(), &bob]);
    let ours = Test::new(&folder).home("bob").args(["-q", "id", "age-key"]);
    folder.write("ours.txt", ours.any_stdout().run().stdout.into_bytes());
    for key in ["key.txt", "ours.txt"] {
        let out = format!("from {key}");
        let args = ["-d", "-i", key, "-o", &out, "app.tar.age"];
        age(&folder, "age", &args, "app.tar").unwrap();
        assert!(folder.read(&out) == folder.read("app.tar"), "{key}");
    }
}

#[test]
fn what_age_encrypts_travels_and_is_read() {
    let folder = folder();
    let bob = recipient(&folder, "bob");
    let args = ["-r", &bob, "-o", "theirs.tar.age", "app.tar"];
    if age(&folder, "age", &args, "app.tar").is_none() {
        return;
    }
    let (_alice, link) = sharing(&folder, &["theirs.tar.age"]);
    let got = get(&folder, "bob", &link).args(["-o", "copy.tar", "-q"]);
    got.stdout("copy.tar\n").run();
    assert!(folder.read("copy.tar") == folder.read("app.tar"));
}
