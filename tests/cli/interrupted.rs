//! Fetches that are cut short, and the ones that go on from there.

use crate::folder::Folder;
use crate::share::{folder, share, sharing};
use crate::test::Test;

/// What the container has; at the rate below it takes two seconds.
const SIZE: usize = 4 << 20;
const RATE: [&str; 3] = ["app.tar", "--up", "2M"];

fn get<'a>(folder: &'a Folder, link: &str) -> Test<'a> {
    let args = ["get", link, "-o", "copy", "--listen", "127.0.0.1:0"];
    Test::new(folder).home("bob").args(args)
}

/// How many of the 128 chunks the second fetch finds; the rest it gets.
fn resume(folder: &Folder, link: &str) -> u32 {
    let printed = get(folder, link).stdout("copy\n").any_stderr().run();
    let mut lines = printed.stderr.lines();
    let resuming = lines.next().unwrap();
    let count = resuming
        .strip_prefix("resuming: ")
        .and_then(|rest| rest.strip_suffix(" of 128 chunks were here already"));
    let sum = lines.last().unwrap();
    assert!(
        sum.contains(" were here already; saved by zstd"),
        "{}",
        printed.stderr
    );
    assert!(folder.read("copy") == folder.read("app.tar"));
    assert!(!folder.exists("copy.part"));
    count.expect(resuming).parse().unwrap()
}

#[test]
fn a_killed_get_is_resumed_by_the_next() {
    let folder = folder(SIZE);
    let (_process, link) = sharing(&folder, &RATE);
    let mut killed = get(&folder, &link).start();
    killed.stderr_line(" %  ");
    killed.signal(&["KILL"]);
    assert_eq!(killed.ended().status.code(), None);
    assert!(folder.exists("copy.part") && !folder.exists("copy"));
    let found = resume(&folder, &link);
    assert!(
        (12..128).contains(&found),
        "a line came at 10 %, yet {found} chunks were found"
    );
}

#[test]
fn ctrl_c_keeps_what_has_come() {
    for signal in ["INT", "TERM"] {
        let folder = folder(SIZE);
        let (_process, link) = sharing(&folder, &RATE);
        let test = get(&folder, &link);
        let mut stopped = test.start();
        stopped.stderr_line(" %  ");
        stopped.signal(&[signal]);
        test.stderr(
            "swarmhold: E-CANCELLED: stopped; copy.part is kept and the same command resumes it\n",
        )
        .code(7)
        .compare(stopped.ended());
        let found = resume(&folder, &link);
        assert!((12..128).contains(&found), "{found}");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = folder(SIZE);
    let (process, link) = sharing(&folder, &RATE);
    let mut stopped = get(&folder, &link).start();
    stopped.stderr_line(" %  ");
    // two kinds, because a system may deliver two of a kind as one; either may be heard first
    stopped.signal(&["INT", "TERM"]);
    assert!(matches!(stopped.ended().status.code(), Some(130 | 143)));
    resume(&folder, &link);
    process.signal(&["TERM", "INT"]);
    assert!(matches!(process.ended().status.code(), Some(130 | 143)));
}

#[test]
fn a_share_that_is_stopped_while_it_hashes_says_so() {
    let folder = folder(1);
    // long enough to hash: a hole of 16 GiB
    let file = std::fs::File::create(folder.path("large")).unwrap();
    file.set_len(16 << 30).unwrap();
    let test = share(&folder, &["large", "-v"]);
    let mut process = test.start();
    process.stderr_line("hashing");
    process.signal(&["INT"]);
    let ended = process.ended();
    assert_eq!(ended.status.code(), Some(7), "{}", ended.stderr);
    let last = ended.stderr.lines().last().unwrap();
    assert_eq!(
        last,
        "swarmhold: E-CANCELLED: stopped before large was hashed"
    );
    assert!(!folder.exists("large.deluge"));
}
