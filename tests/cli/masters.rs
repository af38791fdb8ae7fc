//! `swarmhold swarmmaster`, `search`, and `get` by name.

use serde_json::Value;

use crate::folder::{Folder, noise};
use crate::process::Process;
use crate::share::folder;
use crate::test::Test;

/// A SwarmMaster on loopback, and what nodes are told.
fn master(folder: &Folder) -> (Process, String) {
    let args = [
        "swarmmaster",
        "--listen",
        "127.0.0.1:0",
        "--metrics",
        "metrics.prom",
    ];
    let mut process = Test::new(folder).home("master").args(args).start();
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
    // the whole name of one of them is that one
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
