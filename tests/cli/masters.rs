//! `swarmhold swarmmaster`, `search`, and `get` by name.

use serde_json::Value;

use crate::folder::{Folder, noise};
use crate::postgres;
use crate::process::Process;
use crate::share::folder;
use crate::test::Test;

/// A SwarmMaster on loopback, and what nodes are told.
pub(crate) fn master(folder: &Folder) -> (Process, String) {
    master_with(folder, "master", &[])
}

fn master_with(folder: &Folder, home: &str, more: &[&str]) -> (Process, String) {
    let args = [
        "swarmmaster",
        "--listen",
        "127.0.0.1:0",
        "--metrics",
        "metrics.prom",
    ];
    let test = Test::new(folder).home(home).args(args).args(more);
    let mut process = test.start();
    let hint = process.stdout_line("@127.0.0.1:");
    (process, hint.trim().to_owned())
}

/// A share by somebody that the master has listed.
fn sharing(folder: &Folder, home: &str, path: &str, master: &str) -> Process {
    let args = [
        "share",
        "--listen",
        "127.0.0.1:0",
        "--no-discovery",
        "--master",
        master,
        path,
    ];
    let mut process = Test::new(folder).home(home).args(args).start();
    process.stderr_line("listed by ");
    process
}

fn bob<'a>(folder: &'a Folder, master: &str, args: &[&str]) -> Test<'a> {
    Test::new(folder)
        .home("bob")
        .args(args)
        .env("SWARMHOLD_MASTER", master)
}

const HEADER: &str = "NAME     SIZE      SEEDERS  AGE  OWNER";

#[test]
fn a_container_is_found_and_fetched_by_its_name() {
    let folder = folder(100_000);
    let (running, hint) = master(&folder);
    let _share = sharing(&folder, "alice", "app.tar", &hint);
    let local = ["--listen", "127.0.0.1:0", "--no-discovery"];
    let found = bob(&folder, &hint, &["search", "APP"])
        .args(local)
        .any_stdout()
        .run();
    assert!(found.stdout.starts_with(HEADER), "{}", found.stdout);
    assert!(
        found.stdout.contains("\napp.tar  97.7 KiB  1        now  "),
        "{}",
        found.stdout
    );
    let args = ["search", "--regex", r"^a.p\.tar$", "--json"];
    let found = bob(&folder, &hint, &args).args(local).any_stdout().run();
    let found: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(found["found"][0]["name"], "app.tar");
    assert_eq!(found["found"][0]["size"], 100_000);
    assert_eq!(found["masters"][0]["complete"], true);
    bob(&folder, &hint, &["search", "nothing"])
        .args(local)
        .stderr("nothing is called like this\n")
        .run();

    bob(&folder, &hint, &["get", "APP.TAR", "-o", "copy"])
        .args(local)
        .stdout("copy\n")
        .stderr(
            "app.tar: <hex>\n\
             app.tar: 97.7 KiB in <time>, <speed> from 1 peer; saved by zstd: 0 B; \
             duplicates: 0 B\n",
        )
        .run();
    assert!(folder.read("copy") == folder.read("app.tar"));
    let unknown =
        "swarmhold: E-NO-NAME: nothing is called \"app.zip\", and there is no such file\n";
    bob(&folder, &hint, &["get", "app.zip"])
        .args(local)
        .code(3)
        .stderr(unknown)
        .run();
    let metrics = String::from_utf8(folder.read("metrics.prom")).unwrap();
    assert!(
        metrics.contains("\n# TYPE swarmhold_master_entries gauge\n"),
        "{metrics}"
    );
    running.signal(&["INT"]);
    let ended = running.ended();
    assert!(ended.status.success());
    let last = ended.stderr.lines().last().unwrap();
    // on a busy machine one is asked twice
    let searches = last.rsplit_once("answered 1 lookup and ").unwrap().1;
    let searches: u32 = searches.trim_end_matches(" searches").parse().unwrap();
    assert!(searches >= 4, "{last}");
}

#[test]
fn what_one_master_lists_another_finds_in_the_same_database() {
    let Some(database) = postgres::own_database() else {
        return;
    };
    let folder = folder(100_000);
    let index = ["--index", database.url.as_str()];
    let (one, first) = master_with(&folder, "one", &index);
    let (_other, second) = master_with(&folder, "other", &index);
    let _share = sharing(&folder, "alice", "app.tar", &first);
    let local = ["--listen", "127.0.0.1:0", "--no-discovery"];
    bob(&folder, &second, &["get", "APP.tar", "-o", "copy"])
        .args(local)
        .any_stdout()
        .any_stderr()
        .run();
    assert!(folder.read("copy") == folder.read("app.tar"));
    // the index outlives the master that wrote it
    one.signal(&["INT"]);
    assert!(one.ended().status.success());
    let found = bob(&folder, &second, &["search", "app"]);
    found.args(local).any_stdout().run();
}

/// Whoever serves a library has all of it listed, and it is fetched by its names, though nothing of it was in use.
#[test]
fn all_of_a_library_is_listed_and_fetched_by_its_names() {
    let folder = folder(100_000);
    folder.write("other.img", noise(70_000));
    let local = ["--listen", "127.0.0.1:0", "--no-discovery"];
    let (_running, hint) = master(&folder);
    for name in ["app.tar", "other.img"] {
        let alice = sharing(&folder, "alice", name, &hint);
        let get = bob(&folder, &hint, &["get", &name.to_uppercase(), "-q"]);
        get.args(local).any_stdout().run();
        alice.signal(&["INT"]);
        alice.ended();
    }
    let _all = bob(&folder, &hint, &["share", "--all"]).args(local).start();
    for name in ["app.tar", "other.img"] {
        let copy = format!("copy of {name}");
        let get = || {
            let test = Test::new(&folder)
                .home("carol")
                .env("SWARMHOLD_MASTER", &hint);
            let wanted = name.to_uppercase();
            let args = ["get", &wanted, "-q", "-o", &copy];
            let command = test.args(args).args(local).command().output();
            command.unwrap().status.success()
        };
        // the master looks at one after the other before it lists them
        assert!((0..200).any(|_| get()), "{name} was never listed");
        assert!(folder.read(&copy) == folder.read(name));
    }
}

#[test]
fn a_database_that_is_not_there_is_told() {
    let folder = folder(1);
    let args = ["swarmmaster", "--listen", "127.0.0.1:0", "--index"];
    let master = |url: &str| {
        let test = Test::new(&folder).home("master").args(args).args([url]);
        test.any_stderr()
    };
    let refused = master("postgres://swarm:secret@127.0.0.1:1/index");
    let refused = refused.code(1).run();
    let start = "swarmhold: E-INDEX: postgres://127.0.0.1/index: ";
    assert!(refused.stderr.contains(start), "{}", refused.stderr);
    assert!(!refused.stderr.contains("secret"), "{}", refused.stderr);
    let wrong = master("index.db").code(2).run();
    let what = "an index is postgres://USER@HOST/DATABASE";
    assert!(wrong.stderr.contains(what), "{}", wrong.stderr);
}

#[test]
fn where_several_are_called_like_it_they_are_listed_and_none_is_fetched() {
    let folder = folder(100_000);
    folder.write("app.tar.2", noise(50_000));
    let (_running, hint) = master(&folder);
    let _one = sharing(&folder, "alice", "app.tar", &hint);
    let _other = sharing(&folder, "bob", "app.tar.2", &hint);
    let local = ["--listen", "127.0.0.1:0"];
    Test::new(&folder)
        .home("carol")
        .args(["-q", "id"])
        .any_stdout()
        .run();
    let get = |name| {
        let test = Test::new(&folder)
            .home("carol")
            .args(["get", name, "--master", &hint]);
        test.args(local)
    };
    let refused = get("app").code(2).any_stderr().run();
    let start = "swarmhold: E-NAME: several containers are called like \"app\"\n";
    assert!(refused.stderr.starts_with(start), "{}", refused.stderr);
    for name in ["app.tar  ", "app.tar.2"] {
        assert!(refused.stderr.contains(name), "{}", refused.stderr);
    }
    // the whole name of one of them is that one, though a file of that name lies here, which is no manifest
    get("app.tar.2").any_stdout().any_stderr().run();
    get("APP.TAR.2").any_stdout().any_stderr().run();
}

#[test]
fn without_a_master_names_mean_nothing() {
    let folder = folder(1);
    let no_master = "swarmhold: E-NO-MASTER: there is no SwarmMaster to ask\n\
                     try: --master HOST, or swarmhold config set master HOST\n";
    let search = Test::new(&folder).home("bob").args(["search", "app"]);
    search.code(5).stderr(no_master).run();
    // nothing listens there
    let args = [
        "search",
        "app",
        "--master",
        "127.0.0.1:9",
        "--listen",
        "127.0.0.1:0",
    ];
    let nobody = Test::new(&folder)
        .home("bob")
        .args(args)
        .code(5)
        .any_stderr()
        .run();
    let start = "swarmhold: E-NO-MASTER: nobody answered\n  127.0.0.1:9: ";
    assert!(nobody.stderr.contains(start), "{}", nobody.stderr);
    let wrong = ["search", "app", "--master", "http://x"];
    let wrong = Test::new(&folder)
        .home("bob")
        .args(wrong)
        .code(2)
        .any_stderr()
        .run();
    assert!(
        wrong.stderr.contains("is not HOST or HOST:PORT"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn what_nobody_can_search_for_is_refused_without_a_question() {
    let folder = folder(1);
    for (args, why) in [
        (
            ["--regex", "("],
            "not a regular expression of a bearable size, or it matches everything",
        ),
        (
            ["--regex", ".*"],
            "not a regular expression of a bearable size, or it matches everything",
        ),
        (["--prefix", " "], "nothing to search for"),
    ] {
        let search = Test::new(&folder).home("bob").args(["search"]).args(args);
        let said = format!("swarmhold: E-QUERY: {why}\n");
        search.code(2).stderr(&said).run();
    }
}

#[test]
fn masters_can_be_set_for_good() {
    let folder = folder(1);
    let config = |args: &[&str]| Test::new(&folder).home("bob").args(["config"]).args(args);
    config(&["set", "master", "one.example,198.51.100.7:99"])
        .stdout("master one.example:7923,198.51.100.7:99\n")
        .run();
    config(&["get", "master"])
        .stdout("one.example:7923,198.51.100.7:99\n")
        .run();
    let wrong = config(&["set", "master", "a b"]).code(2).any_stderr().run();
    assert!(wrong.stderr.contains("E-SETTING"), "{}", wrong.stderr);
    config(&["set", "master", "none"])
        .stdout("master none\n")
        .run();
}
