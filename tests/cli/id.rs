//! `swarmhold id`: made once, kept for its owner, backed up and restored.

use std::fs;

use swarmhold::Wallet;

use crate::folder::Folder;
use crate::test::Test;

const SHOWN: &str = "address     <hex>\npublic key  <hex>\nrecipient   <recipient>\n";
const MADE: &str = "made a new identity: <dir>/home/identity.key\n\
                    keep its 24 words somewhere safe: swarmhold id backup\n";
const WARNED: &str = "whoever reads these words has the identity\n";

#[test]
fn an_identity_is_made_on_first_use_and_stays() {
    let folder = Folder::new();
    let first = Test::new(&folder)
        .args(["id"])
        .stdout(SHOWN)
        .stderr(MADE)
        .run();
    let second = Test::new(&folder).args(["id"]).stdout(SHOWN).run();
    assert_eq!(first.stdout, second.stdout);
    let quiet = Test::new(&folder)
        .args(["-q", "id"])
        .stdout("<hex>\n")
        .run();
    assert!(
        first
            .stdout
            .contains(&format!("address     {}\n", quiet.line()))
    );
}

#[cfg(unix)]
#[test]
fn what_is_made_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    Test::new(&folder)
        .args(["-q", "id"])
        .stdout("<hex>\n")
        .run();
    let mode = |name| {
        fs::metadata(folder.path(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o7777
    };
    assert_eq!((mode("home"), mode("home/identity.key")), (0o700, 0o600));
}

#[cfg(unix)]
#[test]
fn a_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    Test::new(&folder)
        .args(["-q", "id"])
        .stdout("<hex>\n")
        .run();
    let loose = fs::Permissions::from_mode(0o644);
    fs::set_permissions(folder.path("home/identity.key"), loose).unwrap();
    folder.write("app.tar", b"x");
    let refused = "swarmhold: E-KEY-PERMS: <dir>/home/identity.key has mode 0644, looser than 0600; \
                   run: chmod 600 '<dir>/home/identity.key'\n";
    for args in [&["id"][..], &["id", "backup"], &["create", "app.tar"]] {
        Test::new(&folder).args(args).stderr(refused).code(78).run();
    }
    assert!(!folder.exists("app.tar.deluge"));
}

#[test]
fn json_says_the_same() {
    let folder = Folder::new();
    let made = Test::new(&folder)
        .args(["id", "--json"])
        .any_stdout()
        .run()
        .json();
    let address = Test::new(&folder).args(["-q", "id"]).any_stdout().run();
    assert_eq!(made["address"], address.line());
    assert_eq!(made["public_key"].as_str().unwrap().len(), 64);
    assert_eq!(
        made["key_file"],
        folder.path("home/identity.key").to_str().unwrap()
    );
    assert_eq!(made["created"], true);
    let again = Test::new(&folder)
        .args(["--json", "id"])
        .any_stdout()
        .run()
        .json();
    assert_eq!(again["created"], false);
}

#[test]
fn twenty_four_words_bring_an_identity_back() {
    let folder = Folder::new();
    let address = Test::new(&folder).args(["-q", "id"]).any_stdout().run();
    let backup = Test::new(&folder)
        .args(["id", "backup"])
        .any_stdout()
        .stderr(WARNED)
        .run();
    assert_eq!(backup.line().split(' ').count(), 24);
    let restored = Test::new(&folder)
        .args(["id", "restore"])
        .home("other")
        .stdin(backup.stdout.to_uppercase())
        .stdout("<hex>\n")
        .stderr("restored into <dir>/other/identity.key\n")
        .run();
    assert_eq!(restored.line(), address.line());
    let there = Test::new(&folder)
        .args(["-q", "id"])
        .home("other")
        .any_stdout()
        .run();
    assert_eq!(there.line(), address.line());

    let json = Test::new(&folder)
        .args(["--json", "id", "backup"])
        .any_stdout()
        .run()
        .json();
    assert_eq!(
        (&json["words"], &json["address"]),
        (&backup.line().into(), &address.line().into())
    );
}

#[test]
fn an_identity_is_never_replaced() {
    let folder = Folder::new();
    let address = Test::new(&folder).args(["-q", "id"]).any_stdout().run();
    Test::new(&folder)
        .args(["id", "restore"])
        .stdin(format!("{}\n", *Wallet::from_seed([5; 32]).to_words()))
        .stderr(
            "swarmhold: E-EXISTS: <dir>/home/identity.key exists and is not written over\n\
             try: another --home, or move the old key away\n",
        )
        .code(13)
        .run();
    let after = Test::new(&folder).args(["-q", "id"]).any_stdout().run();
    assert_eq!(after.line(), address.line());
}

#[test]
fn words_that_are_none_are_refused() {
    let folder = Folder::new();
    let good = Wallet::from_seed([5; 32])
        .to_words()
        .replacen(' ', " \n", 3);
    for (words, error) in [
        (String::new(), "backup must be 24 words, got 0"),
        ("abandon ".repeat(23), "backup must be 24 words, got 23"),
        (
            good.replacen(' ', " swarmhold ", 1)
                .rsplit_once(' ')
                .unwrap()
                .0
                .to_owned(),
            "word 2, \"swarmhold\", is not in the BIP-39 English list",
        ),
        (
            "zoo ".repeat(24),
            "the words do not fit together: one is wrong or two have changed places",
        ),
        (
            "x".repeat(2000),
            "stdin must be UTF-8 text of at most 1024 B",
        ),
    ] {
        Test::new(&folder)
            .args(["id", "restore"])
            .stdin(words)
            .stderr(&format!("swarmhold: E-WORDS: {error}\n"))
            .code(65)
            .run();
    }
    assert!(!folder.exists("home"));
}

#[test]
fn words_are_not_taken_from_the_command_line() {
    let folder = Folder::new();
    let printed = Test::new(&folder)
        .args(["id", "restore", "abandon", "ability"])
        .any_stderr()
        .code(2)
        .run();
    assert!(
        printed
            .stderr
            .starts_with("error: unexpected argument 'abandon' found")
    );
}

#[test]
fn what_is_not_there_cannot_be_backed_up() {
    let folder = Folder::new();
    Test::new(&folder)
        .args(["id", "backup"])
        .stderr(
            "swarmhold: E-NO-KEY: <dir>/home/identity.key does not exist\n\
             try: `swarmhold id` makes an identity\n",
        )
        .code(3)
        .run();
    assert!(!folder.exists("home"));
}

#[test]
fn a_passphrase_locks_the_identity() {
    let folder = Folder::new();
    let id = || Test::new(&folder).args(["-q", "id"]);
    let made = id()
        .env("SWARMHOLD_PASSPHRASE", "open sesame")
        .any_stdout()
        .run();
    id().stderr(
        "swarmhold: E-PASSPHRASE: key file <dir>/home/identity.key gives no key: the key is \
         protected by a passphrase and none was given\n\
         try: set SWARMHOLD_PASSPHRASE, or --passphrase-file FILE\n",
    )
    .code(8)
    .run();
    id().env("SWARMHOLD_PASSPHRASE", "open barley")
        .stderr(
            "swarmhold: E-PASSPHRASE: key file <dir>/home/identity.key gives no key: wrong \
             passphrase, or the file is damaged\n",
        )
        .code(8)
        .run();
    let file = folder.write("passphrase", b"open sesame\nand a second line\n");
    let opened = id()
        .args(["--passphrase-file".as_ref(), file.as_os_str()])
        .any_stdout()
        .run();
    assert_eq!(opened.line(), made.line());
    id().env("SWARMHOLD_PASSPHRASE_FILE", folder.path("none"))
        .stderr(
            "swarmhold: E-IO: cannot read the passphrase from <dir>/none: No such file or \
             directory (os error 2)\n",
        )
        .code(3)
        .run();
}

#[test]
fn a_passphrase_for_an_open_key_is_a_mistake() {
    let folder = Folder::new();
    Test::new(&folder).args(["-q", "id"]).any_stdout().run();
    Test::new(&folder)
        .args(["id"])
        .env("SWARMHOLD_PASSPHRASE", "x")
        .stderr(
            "swarmhold: E-PASSPHRASE: key file <dir>/home/identity.key gives no key: a passphrase \
             was given, but the key is not protected by one\n\
             try: leave SWARMHOLD_PASSPHRASE and --passphrase-file out\n",
        )
        .code(78)
        .run();
}

#[test]
fn a_damaged_key_says_so() {
    let folder = Folder::new();
    Test::new(&folder).args(["-q", "id"]).any_stdout().run();
    // over the file as it is, so that it keeps its mode
    fs::write(folder.path("home/identity.key"), b"no key\n").unwrap();
    Test::new(&folder)
        .args(["id"])
        .stderr(
            "swarmhold: E-KEY-FILE: key file <dir>/home/identity.key gives no key: line 1: expected \
             `swarmhold-key-v1`\n\
             try: restore the identity from its 24 words, into another --home\n",
        )
        .code(78)
        .run();
}

#[test]
fn without_a_home_the_xdg_folders_are_used() {
    let folder = Folder::new();
    let id = || {
        Test::new(&folder)
            .args(["-q", "id"])
            .env("SWARMHOLD_HOME", "")
    };
    id().any_stdout().run();
    assert!(folder.exists(".local/share/swarmhold/identity.key"));
    id().env("XDG_DATA_HOME", folder.path("data"))
        .any_stdout()
        .run();
    assert!(folder.exists("data/swarmhold/identity.key"));
    Test::new(&folder)
        .args(["-q", "id", "--home", "flag"])
        .any_stdout()
        .run();
    assert!(folder.exists("flag/identity.key") && !folder.exists("home"));
}
