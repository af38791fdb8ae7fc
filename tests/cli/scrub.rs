//! `swarmhold scrub`, and what becomes of rot: found, not served, fetched again.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use crate::folder::Folder;
use crate::share::{folder, sharing};
use crate::test::Test;

fn run<'a>(folder: &'a Folder, home: &'a str, args: &[&str]) -> Test<'a> {
    Test::new(folder).home(home).args(args)
}

/// Flips a bit, as a medium does: the file's time stays.
fn rot(path: &Path, at: u64) {
    let mut file = File::options().read(true).write(true).open(path).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[byte[0] ^ 4]).unwrap();
    file.set_modified(modified).unwrap();
}

#[test]
fn rot_is_found_and_the_next_get_mends_it() {
    let folder = folder(1 << 20);
    let (_process, link) = sharing(&folder, &["app.tar"]);
    let get = ["get", &link, "-q", "--listen", "127.0.0.1:0"];
    run(&folder, "bob", &get).any_stdout().run();
    let scrub = |args: &'static [&'static str]| run(&folder, "bob", args);
    scrub(&["scrub"])
        .stdout("app.tar: ok\n")
        .stderr("read 1 container\n")
        .run();

    let manifest = folder.manifest("app.tar.deluge");
    let kept = format!("bob/wwwdata/containers/{}", manifest.program_id());
    for at in [5, 40_000, 40_001, (1 << 20) - 1] {
        rot(&folder.path(&kept), at);
    }
    scrub(&["scrub", "app.tar"])
        .stdout("app.tar: 3 chunks changed on disk: 0 1 31; the next get fetches what is wrong\n")
        .stderr("swarmhold: E-HASH: 1 container not as before: 3 chunks\n")
        .code(10)
        .run();
    let printed = run(
        &folder,
        "bob",
        &["get", &link, "--json", "--listen", "127.0.0.1:0"],
    )
    .any_stdout()
    .any_stderr()
    .run();
    let done = printed.stdout.lines().last().unwrap();
    let done: serde_json::Value = serde_json::from_str(done).unwrap();
    assert_eq!(done["spared_bytes"], (32 - 3) * 32_768, "{done}");
    assert!(folder.read(&kept) == folder.read("app.tar"));
    scrub(&["-q", "scrub"]).stdout("app.tar: ok\n").run();
}

#[test]
fn a_file_of_the_users_is_told_of_and_left_alone() {
    let folder = folder(100_000);
    let (process, _) = sharing(&folder, &["app.tar"]);
    process.signal(&["INT"]);
    assert_eq!(process.ended().status.code(), Some(0));
    rot(&folder.path("app.tar"), 99_999);
    let rotten = folder.read("app.tar");
    run(&folder, "alice", &["scrub"])
        .stdout("app.tar: 1 chunk changed on disk: 3; the file is yours, and is not written to\n")
        .stderr("swarmhold: E-HASH: 1 container not as before: 1 chunk\n")
        .code(10)
        .run();
    assert!(folder.read("app.tar") == rotten);
}

#[test]
fn a_shared_file_that_changes_or_goes_is_told_of() {
    let folder = folder(100_000);
    let (mut process, _) = sharing(&folder, &["app.tar"]);
    process.stderr_line("Ctrl-C stops");
    let mut file = File::options()
        .write(true)
        .open(folder.path("app.tar"))
        .unwrap();
    file.write_all(b"something else").unwrap();
    drop(file);
    let line = process.stderr_line("E-HASH");
    assert!(
        line.ends_with(
            "1 of 4 chunks of app.tar are not as its manifest lists them; the others are served"
        ),
        "{line}"
    );
    std::fs::rename(folder.path("app.tar"), folder.path("elsewhere")).unwrap();
    let line = process.stderr_line("E-HASH");
    assert!(
        line.contains("4 of 4 chunks of app.tar are not as"),
        "{line}"
    );
}
