//! `swarmhold list`, `rm`, `pin`, `unpin`, `gc` and `config`: looking after what is kept.

use serde_json::{Value, json};
use swarmhold::Manifest;

use crate::folder::{Folder, noise};
use crate::share::{folder, share, sharing};
use crate::test::Test;

fn run<'a>(folder: &'a Folder, home: &'a str, args: &[&str]) -> Test<'a> {
    Test::new(folder).home(home).args(args)
}

/// Alice has shared app.tar, of 100,000 bytes, and bob has fetched it into his own folder.
pub(crate) fn fetched() -> (Folder, Manifest) {
    let folder = folder(100_000);
    let (process, link) = sharing(&folder, &["app.tar"]);
    let get = ["get", &link, "-q", "--listen", "127.0.0.1:0"];
    run(&folder, "bob", &get).any_stdout().run();
    process.signal(&["INT"]);
    assert_eq!(process.ended().status.code(), Some(0));
    let manifest = folder.manifest("app.tar.deluge");
    (folder, manifest)
}

/// Where bob's node keeps it.
fn kept(manifest: &Manifest) -> String {
    format!("bob/wwwdata/containers/{}", manifest.program_id())
}

fn table(manifest: &Manifest, state: &str, pinned: &str) -> String {
    let id = manifest.program_id().short();
    let width = state.len().max(5);
    format!(
        "NAME     SIZE      ID        {:width$}  PINNED  LAST USED\n\
         app.tar  97.7 KiB  {id}  {state:width$}  {pinned:6}  <date>\n",
        "STATE"
    )
}

#[test]
fn where_nothing_is_known_nothing_is_listed_or_made() {
    let folder = Folder::new();
    run(&folder, "home", &["list"])
        .stderr("0 containers; 0 B in the node's own folder\n")
        .run();
    run(&folder, "home", &["list", "--json"])
        .stdout("{\"containers\":[],\"jobs\":[],\"quota_bytes\":null,\"taken_bytes\":0}\n")
        .run();
    run(&folder, "home", &["rm", "--yes", "app.tar"])
        .stderr(
            "swarmhold: E-UNKNOWN: no container is known by \"app.tar\"\n\
             try: swarmhold list tells what is known\n",
        )
        .code(3)
        .run();
    assert!(!folder.exists("home"));
}

#[test]
fn what_was_shared_and_what_was_fetched_is_listed() {
    let (folder, manifest) = fetched();
    run(&folder, "alice", &["list", "-q"])
        .stdout(&table(&manifest, "in place", "no"))
        .run();
    let copy = manifest.to_json().len();
    run(&folder, "bob", &["list"])
        .stdout(&table(&manifest, "complete", "no"))
        .stderr("1 container; 98.5 KiB in the node's own folder\n")
        .run();
    let printed = run(&folder, "bob", &["list", "--json"]).any_stdout().run();
    let mut found = printed.json();
    assert!(found["containers"][0]["used"].as_u64() > Some(1_700_000_000));
    found["containers"][0]["used"] = 0.into();
    let expected = json!({
        "containers": [{
            "name": "app.tar",
            "size": 100_000,
            "program_id": manifest.program_id().to_string(),
            "manifest_id": manifest.id().to_string(),
            "state": "complete",
            "held_chunks": null,
            "chunks": null,
            "pinned": false,
            "used": 0,
            "path": folder.path(&kept(&manifest)).display().to_string(),
        }],
        "jobs": [],
        "taken_bytes": 100_000 + copy,
        "quota_bytes": null,
    });
    assert_eq!(found, expected);
}

#[test]
fn a_get_that_was_cut_short_is_partial() {
    let folder = folder(4 << 20);
    let (_process, link) = sharing(&folder, &["app.tar", "--up", "2M"]);
    let args = ["get", &link, "--listen", "127.0.0.1:0"];
    let mut stopped = run(&folder, "bob", &args).start();
    stopped.stderr_line(" %  ");
    stopped.signal(&["INT"]);
    assert_eq!(stopped.ended().status.code(), Some(7));
    let listed = run(&folder, "bob", &["list", "--json"]).any_stdout().run();
    let container = &listed.json()["containers"][0];
    assert_eq!(
        (&container["state"], &container["chunks"]),
        (&"partial".into(), &128.into())
    );
    let held = container["held_chunks"].as_u64().unwrap();
    assert!(
        (12..128).contains(&held),
        "a line came at 10 %, yet {held} chunks are held"
    );
    let printed = run(&folder, "bob", &["list", "-q"]).any_stdout().run();
    let percent = format!("  partial {} %, interrupted  ", held * 100 / 128);
    assert!(printed.stdout.contains(&percent), "{}", printed.stdout);
}

#[test]
fn rm_removes_what_the_node_keeps_and_never_a_file_of_the_users() {
    let (folder, manifest) = fetched();
    let hint = "swarmhold: E-CONFIRM: not on a terminal, and --yes was not given\ntry: --yes\n";
    run(&folder, "bob", &["rm", "app.tar"])
        .stderr(hint)
        .code(2)
        .run();
    assert!(folder.exists(&kept(&manifest)));
    run(&folder, "bob", &["rm", "--yes", "app.tar"])
        .stdout("<hex>\n")
        .stderr("removed app.tar; freed 98.5 KiB\n")
        .run();
    assert!(!folder.exists(&kept(&manifest)));
    assert!(!folder.exists(&format!("bob/wwwdata/deluges/{}.deluge", manifest.id())));
    run(&folder, "bob", &["list"])
        .stderr("0 containers; 0 B in the node's own folder\n")
        .run();
    let short = manifest.program_id().short();
    let removed = run(&folder, "alice", &["rm", "--yes", &short])
        .stdout("<hex>\n")
        .any_stderr()
        .run();
    let stays = format!(
        "forgot app.tar; {} is yours and stays; freed 532 B\n",
        folder.path("app.tar").display()
    );
    assert_eq!(
        removed.stderr,
        stays.replace("532 B", &format!("{} B", manifest.to_json().len()))
    );
    assert!(folder.exists("app.tar") && folder.exists("app.tar.deluge"));
}

#[test]
fn a_quota_collects_what_is_not_pinned_and_refuses_what_does_not_fit() {
    let (folder, manifest) = fetched();
    folder.write("second", noise(120_000).split_off(7));
    let (_process, link) = sharing(&folder, &["second"]);
    let get = ["get", &link, "--listen", "127.0.0.1:0", "--quota", "150K"];
    run(&folder, "bob", &["pin", "app.tar"])
        .stdout("<hex>\n")
        .stderr("pinned app.tar\n")
        .run();
    run(&folder, "bob", &["list", "-q"])
        .stdout(&table(&manifest, "complete", "yes"))
        .run();
    let refused = run(&folder, "bob", &get).any_stderr().code(9).run();
    let first = refused.stderr.lines().next().unwrap();
    assert!(
        first.starts_with("swarmhold: E-QUOTA: \"second\" takes ")
            && first.ends_with(" B are pinned or in use"),
        "{first}"
    );
    run(&folder, "bob", &["unpin", "app.tar"])
        .stdout("<hex>\n")
        .stderr("not pinned any more: app.tar\n")
        .run();
    run(&folder, "bob", &get).any_stdout().any_stderr().run();
    assert!(!folder.exists(&kept(&manifest)));
    let listed = run(&folder, "bob", &["list", "--json"])
        .any_stdout()
        .run()
        .json();
    let names: Vec<&Value> = listed["containers"].as_array().unwrap().iter().collect();
    assert_eq!((names.len(), &names[0]["name"]), (1, &"second".into()));
}

#[test]
fn gc_tells_and_removes_what_is_over_the_quota() {
    let (folder, manifest) = fetched();
    let nothing =
        "there is no quota: nothing has to go; swarmhold config set quota SIZE sets one\n";
    run(&folder, "bob", &["gc"]).stderr(nothing).run();
    run(&folder, "bob", &["config", "set", "quota", "1M"])
        .stdout("quota 1.0 MiB\n")
        .run();
    run(&folder, "bob", &["gc"])
        .stderr("removed 0 containers and freed 0 B; 98.5 KiB of 1.0 MiB are taken\n")
        .run();
    for (more, stderr) in [
        (
            ["--dry-run"].as_slice(),
            "would remove 1 container and free 98.5 KiB; 98.5 KiB of 50.0 KiB are taken\n",
        ),
        (
            &[],
            "removed 1 container and freed 98.5 KiB; 0 B of 50.0 KiB are taken\n",
        ),
    ] {
        assert!(folder.exists(&kept(&manifest)));
        let args = [&["gc", "--quota", "50K"], more].concat();
        run(&folder, "bob", &args)
            .stdout("<hex>\n")
            .stderr(stderr)
            .run();
    }
    assert!(!folder.exists(&kept(&manifest)));
}

#[test]
fn settings_are_kept_and_mistakes_explained() {
    let folder = folder(1);
    let config = |args: &[&str]| run(&folder, "bob", &[&["config"], args].concat());
    config(&["list"])
        .stdout("master none\nno-relay none\nquota none\nvault none\n")
        .run();
    config(&["set", "quota", "20G"])
        .stdout("quota 20.0 GiB\n")
        .run();
    config(&["get", "quota"])
        .stdout("quota 20.0 GiB\n".trim_start_matches("quota "))
        .run();
    config(&["list", "--json"])
        .stdout("{\"master\":null,\"no-relay\":false,\"quota\":21474836480,\"vault\":false}\n")
        .run();
    config(&["set", "quota", "none"])
        .stdout("quota none\n")
        .run();
    for (args, why) in [
        (
            ["set", "quota", "much"].as_slice(),
            "\"much\": expected a size in bytes, as in 500M, 20G or 1.5TiB",
        ),
        (&["get", "colour"], "there is no setting \"colour\""),
    ] {
        let stderr = format!("swarmhold: E-SETTING: {why}\ntry: swarmhold config --help\n");
        config(args).stderr(&stderr).code(2).run();
    }
}

/// Two processes at once in one home: each writes what it does, and each sees it.
#[test]
fn a_share_and_a_get_in_one_home_know_of_each_other() {
    let folder = folder(100_000);
    folder.write("second", noise(150_000).split_off(9));
    let (process, link) = sharing(&folder, &["app.tar"]);
    let args = ["second", "--listen", "127.0.0.1:0"];
    let mut other = share(&folder, &args[..1]).home("bob").start();
    other.stdout_line("swarmhold:");
    let get = ["get", &link, "-q", "--listen", "127.0.0.1:0"];
    run(&folder, "bob", &get).any_stdout().run();
    let listed = run(&folder, "bob", &["list", "--json"])
        .any_stdout()
        .run()
        .json();
    let states: Vec<&Value> = listed["containers"].as_array().unwrap().iter().collect();
    let mut states: Vec<_> = states
        .iter()
        .map(|it| it["state"].as_str().unwrap())
        .collect();
    states.sort_unstable();
    assert_eq!(states, ["complete", "in-place"]);
    for process in [process, other] {
        process.signal(&["INT"]);
        let ended = process.ended();
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        assert!(!ended.stderr.contains("E-STATE"), "{}", ended.stderr);
    }
}

/// Neither rm nor gc takes from under another process what it fetches or serves; one that was killed uses
/// nothing.
#[test]
fn what_another_process_uses_stays_until_that_ends() {
    let folder = folder(4 << 20);
    let (_process, link) = sharing(&folder, &["app.tar", "--up", "2M"]);
    let args = ["get", &link, "--listen", "127.0.0.1:0"];
    let mut fetching = run(&folder, "bob", &args).start();
    fetching.stderr_line(" %  ");
    let locked = "swarmhold: E-LOCKED: \"app.tar\" is being served or fetched by a process and stays\n\
         try: stop that share or get first\n";
    let rm = || run(&folder, "bob", &["rm", "--yes", "app.tar"]);
    let gc = || run(&folder, "bob", &["gc", "--quota", "1K"]);
    rm().stderr(locked).code(1).run();
    gc().stderr(
        "removed 0 containers and freed 0 B; 4.0 MiB of 1.0 KiB are taken; \
         1 is being served or fetched and stays\n",
    )
    .run();
    let json = gc().args(["--dry-run", "--json"]).any_stdout().any_stderr();
    let json = json.run().json();
    assert_eq!(json["collected"], json!([]));
    assert_eq!(json["in_use"][0]["name"], "app.tar");
    fetching.signal(&["KILL"]);
    fetching.ended();
    gc().stdout("<hex>\n")
        .stderr("removed 1 container and freed 4.0 MiB; 0 B of 1.0 KiB are taken\n")
        .run();

    // a file of bob's own
    folder.write("own", noise(100_000));
    let mut serving = share(&folder, &["own"]).home("bob").start();
    serving.stdout_line("swarmhold:");
    let listed = || run(&folder, "bob", &["list", "-q"]).any_stdout().run();
    while !listed().stdout.contains("own") {}
    let rm = || run(&folder, "bob", &["rm", "--yes", "own"]);
    rm().stderr(&locked.replace("app.tar", "own")).code(1).run();
    serving.signal(&["KILL"]);
    serving.ended();
    rm().stdout("<hex>\n").any_stderr().run();
}
