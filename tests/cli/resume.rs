//! `swarmhold resume`: what was asked for outlives who asked.

use crate::folder::Folder;
use crate::share::{folder, sharing};
use crate::test::Test;

/// What the container has; at the rate below it takes two seconds.
const SIZE: usize = 4 << 20;
const RATE: [&str; 3] = ["app.tar", "--up", "2M"];

fn bob<'a>(folder: &'a Folder, args: &[&str]) -> Test<'a> {
    Test::new(folder).home("bob").args(args)
}

fn jobs(folder: &Folder) -> Vec<serde_json::Value> {
    let listed = bob(folder, &["list", "--json"]).any_stdout().run().json();
    listed["jobs"].as_array().unwrap().clone()
}

/// Stops a get with a signal when a tenth has come.
fn cut_short(folder: &Folder, link: &str, more: &[&str], signal: &str) {
    let args = [&["get", link, "--listen", "127.0.0.1:0"], more].concat();
    let mut get = bob(folder, &args).start();
    get.stderr_line(" %  ");
    get.signal(&[signal]);
    get.ended();
}

#[test]
fn interrupted_downloads_go_on_as_they_were_asked_for() {
    let folder = folder(SIZE);
    let (_process, link) = sharing(&folder, &RATE);
    let limited = ["-o", "copy", "--order", "sequential", "--down", "50M"];
    cut_short(&folder, &link, &limited, "KILL");
    let copy = folder.path("copy").display().to_string();
    let [job] = &jobs(&folder)[..] else {
        panic!("one is unfinished")
    };
    let found = [&job["state"], &job["path"], &job["down"], &job["why"]];
    let expected: [serde_json::Value; 4] = [
        "interrupted".into(),
        copy.clone().into(),
        (50 << 20).into(),
        serde_json::Value::Null,
    ];
    assert_eq!(found, [0, 1, 2, 3].map(|at| &expected[at]));
    cut_short(&folder, &link, &[], "INT");
    assert_eq!(jobs(&folder).len(), 2, "to two places");
    let listed = bob(&folder, &["list"]).any_stdout().any_stderr().run();
    assert!(
        listed.stdout.contains(" %, interrupted  "),
        "{}",
        listed.stdout
    );
    assert!(
        listed
            .stderr
            .ends_with("\n2 downloads can be gone on with: swarmhold resume\n"),
        "{}",
        listed.stderr
    );

    let resumed = bob(&folder, &["resume", "--listen", "127.0.0.1:0"]);
    let resumed = resumed.any_stdout().any_stderr().run();
    let mut lines = resumed.stdout.lines();
    assert_eq!(lines.next(), Some(&*copy), "{}", resumed.stdout);
    assert!(lines.next().unwrap().contains("/wwwdata/containers/"));
    assert!(
        resumed
            .stderr
            .starts_with("going on with app.tar\nresuming: "),
        "{}",
        resumed.stderr
    );
    assert!(folder.read("copy") == folder.read("app.tar"));
    assert!(jobs(&folder).is_empty());
    bob(&folder, &["resume"])
        .stderr("there is nothing to go on with\n")
        .run();
}

#[test]
fn what_a_process_is_at_is_left_to_it() {
    let folder = folder(SIZE);
    let (_process, link) = sharing(&folder, &RATE);
    let args = ["get", &link, "-o", "copy", "--listen", "127.0.0.1:0"];
    let mut get = bob(&folder, &args).start();
    get.stderr_line(" %  ");
    assert_eq!(jobs(&folder)[0]["state"], "fetching");
    bob(&folder, &["resume"])
        .stderr("there is nothing to go on with\n")
        .run();
    bob(&folder, &["resume", "app.tar"])
        .stderr("swarmhold: E-LOCKED: \"app.tar\" is being fetched by a process\n")
        .code(1)
        .run();
    assert_eq!(get.ended().status.code(), Some(0));
    assert!(jobs(&folder).is_empty(), "it is done");
}

#[test]
fn one_that_failed_says_why_until_it_is_forgotten() {
    let folder = folder(100_000);
    let (process, link) = sharing(&folder, &["app.tar"]);
    process.signal(&["INT"]);
    process.ended();
    let get = ["get", &link, "--timeout", "1s", "--listen", "127.0.0.1:0"];
    bob(&folder, &get).any_stderr().code(5).run();
    let [job] = &jobs(&folder)[..] else {
        panic!("one is unfinished")
    };
    assert_eq!(job["state"], "failed");
    let why = job["why"].as_str().unwrap();
    assert!(why.starts_with("E-NO-PEERS: "), "{why}");
    let listed = bob(&folder, &["list", "-q"]).any_stdout().run();
    assert!(
        listed.stdout.contains("\napp.tar  -     ") && listed.stdout.contains("  failed  "),
        "{}",
        listed.stdout
    );
    bob(&folder, &["resume", "nothing"])
        .stderr(
            "swarmhold: E-UNKNOWN: no unfinished download is known by \"nothing\"\n\
             try: swarmhold list tells what is unfinished\n",
        )
        .code(3)
        .run();
    bob(&folder, &["resume", "--listen", "127.0.0.1:0"])
        .any_stderr()
        .code(5)
        .run();
    bob(&folder, &["rm", "app.tar"])
        .stdout("swarmhold:<hex>?m=<hex>&a=<hex>&n=app.tar&p=<addr>\n")
        .stderr("forgot the download of app.tar\n")
        .run();
    assert!(jobs(&folder).is_empty());
}
