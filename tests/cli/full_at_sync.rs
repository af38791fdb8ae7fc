//! A disk that takes what is written and has no room when it is to keep it, as network file systems and
//! quotas do: the fetch waits, and goes on by itself.
//!
//! No file system on one machine does so when asked, so a library put before the system's answers `fsync`
//! of a `.part` with "no space" for as long as a file is there. It is compiled by the C compiler that building
//! needs too; without one, or elsewhere than on Linux, the test says so and passes, unless
//! `SWARMHOLD_NO_SKIP` is set. It takes the half minute that a fetch waits before it tries again.

use std::fs;
use std::process::Command;

use crate::folder::Folder;
use crate::share::{folder, sharing};
use crate::skip::skip;
use crate::test::Test;

const SHIM: &str = r#"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int fsync(int fd) {
    char link[64], path[4096];
    const char *full_while = getenv("FULL_WHILE");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len > 5 && !memcmp(path + len - 5, ".part", 5) && full_while && !access(full_while, F_OK)) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_fsync, fd);
}
"#;

/// Compiles the library; says why not where that is not possible.
fn shim(folder: &Folder) -> Result<(), String> {
    if !cfg!(target_os = "linux") {
        return Err("this is not Linux".to_owned());
    }
    folder.write("shim.c", SHIM);
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o", "shim.so", "shim.c"]);
    match cc.current_dir(folder.root()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(format!("cc does not start: {error}")),
    }
}

#[test]
fn a_disk_that_is_full_when_it_is_to_keep_something_is_waited_for() {
    let folder = folder(4 << 20);
    if let Err(reason) = shim(&folder) {
        skip(&reason);
        return;
    }
    folder.write("full", b"");
    let (_process, link) = sharing(&folder, &["app.tar"]);
    let test = Test::new(&folder)
        .home("bob")
        .args(["get", &link, "-o", "copy", "--listen", "127.0.0.1:0"])
        .env("LD_PRELOAD", folder.path("shim.so"))
        .env("FULL_WHILE", folder.path("full"));
    let mut process = test.start();
    let line = process.stderr_line("waiting: ");
    let expected = "waiting: E-DISK-FULL: no space to keep ";
    assert!(
        line.starts_with(expected) && line.contains("No space left on device"),
        "{line}"
    );
    assert!(!folder.exists("copy"));
    fs::remove_file(folder.path("full")).unwrap();
    let ended = process.ended();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(folder.read("copy") == folder.read("app.tar"));
}
