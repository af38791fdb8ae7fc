//! Command lines that are not understood, help, and the environment.

use serde_json::json;

use crate::folder::Folder;
use crate::test::Test;

#[test]
fn help_is_a_result_and_shows_every_command_and_exit_code() {
    let folder = Folder::new();
    let help = Test::new(&folder)
        .args(["--help"])
        .any_stdout()
        .run()
        .stdout;
    for part in [
        "  id           Show",
        "  create       Write",
        "  share        Offer",
        "  get          Get",
        "  resume       Go on",
        "  info         Tell",
        "  verify       Hold",
        "  list         Tell",
        "  rm           Forget",
        "  gc           Remove",
        "  scrub        Read",
        "  search       Find",
        "  swarmmaster  Run",
        "\n    0  done\n",
        "\n   13  the output is already there and is not replaced\n",
        "\n   78  the node's own files are unsafe or damaged\n",
        "[env: SWARMHOLD_HOME]",
        "SWARMHOLD_PASSPHRASE",
    ] {
        assert!(help.contains(part), "{part}\n{help}");
    }
    let library = [
        "list",
        "rm",
        "pin",
        "unpin",
        "gc",
        "scrub",
        "config",
        "search",
        "swarmmaster",
    ];
    for command in ["id", "create", "share", "get", "resume", "info", "verify"]
        .iter()
        .chain(&library)
    {
        let help = Test::new(&folder)
            .args([*command, "--help"])
            .any_stdout()
            .run()
            .stdout;
        let usage = format!("Usage: swarmhold {command} ");
        assert!(
            help.contains(&usage) && help.contains("Global options:"),
            "{help}"
        );
        assert!(
            help.lines().all(|line| line.chars().count() <= 100),
            "{help}"
        );
    }
}

#[test]
fn the_version_is_the_packages() {
    let folder = Folder::new();
    let version = format!("swarmhold {}\n", env!("CARGO_PKG_VERSION"));
    Test::new(&folder)
        .args(["--version"])
        .stdout(&version)
        .run();
}

#[test]
fn mistakes_are_explained_on_stderr() {
    let folder = Folder::new();
    for (args, start) in [
        (
            &["crate", "x"][..],
            "error: unrecognized subcommand 'crate'\n\n  tip: a similar",
        ),
        (
            &["get"],
            "error: the following required arguments were not provided:\n  <LINK|FILE",
        ),
        (
            &["share", "x", "--up", "fast"],
            "error: invalid value 'fast' for '--up <RATE>': expected a rate in bytes per second",
        ),
        (
            &["get", "x", "--down", "1 parsec"],
            "error: invalid value '1 parsec' for '--down <RATE>': expected a rate in bytes per",
        ),
        (
            &["get", "x", "--order", "random"],
            "error: invalid value 'random' for '--order <ORDER>'\n  \
             [possible values: rarest, sequential, sections]",
        ),
        (
            &["get", "x", "--timeout", "soon"],
            "error: invalid value 'soon' for '--timeout <TIME>': expected a time, as in 500ms",
        ),
        (
            &["get", "x", "--peer", "localhost:7922"],
            "error: invalid value 'localhost:7922' for '--peer <[ADDRESS@]IP:PORT>': \
             \"localhost:7922\" is not IP:PORT, as in 198.51.100.7:7922",
        ),
        (
            &["share", "x", "--listen", "7922"],
            "error: invalid value '7922' for '--listen",
        ),
    ] {
        let printed = Test::new(&folder).args(args).any_stderr().code(2).run();
        assert!(printed.stderr.starts_with(start), "{}", printed.stderr);
    }
    let nothing = Test::new(&folder).any_stderr().code(2).run();
    assert!(
        nothing.stderr.contains("Usage: swarmhold"),
        "{}",
        nothing.stderr
    );
}

#[test]
fn mistakes_are_json_where_json_is_wanted() {
    let folder = Folder::new();
    let expected = json!({
        "code": "E-USAGE",
        "kind": "usage",
        "message": "unrecognized subcommand 'crate'",
        "hint": "swarmhold --help",
    });
    let flag = Test::new(&folder)
        .args(["--json", "crate"])
        .any_stderr()
        .code(2)
        .run();
    assert_eq!(flag.json_error(), expected);
    let variable = Test::new(&folder)
        .args(["crate"])
        .env("SWARMHOLD_JSON", "1")
        .any_stderr();
    assert_eq!(variable.code(2).run().json_error(), expected);
}

#[test]
fn options_can_be_set_by_the_environment() {
    let folder = Folder::new();
    folder.write("app.tar", b"x");
    Test::new(&folder)
        .args(["create", "app.tar"])
        .env("SWARMHOLD_QUIET", "1")
        .env("SWARMHOLD_NAME", "other")
        .env("SWARMHOLD_OUTPUT", "x.deluge")
        .stdout("swarmhold:<hex>?m=<hex>&a=<hex>&n=other\n")
        .run();
    assert_eq!(folder.manifest("x.deluge").name(), "other");
    let json = Test::new(&folder)
        .args(["id"])
        .env("SWARMHOLD_JSON", "true")
        .any_stdout()
        .run();
    assert_eq!(json.json()["created"], false);
    // set, but to what means no
    let text = Test::new(&folder)
        .args(["-q", "id"])
        .env("SWARMHOLD_JSON", "0");
    text.stdout("<hex>\n").run();
}

#[test]
fn a_log_filter_must_be_one() {
    let folder = Folder::new();
    let printed = Test::new(&folder)
        .args(["--log-level", "swarmhold=loud", "id"])
        .any_stderr()
        .code(2)
        .run();
    let start = "swarmhold: E-USAGE: --log-level \"swarmhold=loud\": ";
    assert!(printed.stderr.starts_with(start), "{}", printed.stderr);
    assert!(printed.stderr.ends_with("\ntry: --log-level debug\n"));
}

#[test]
fn colour_is_only_where_it_is_wanted() {
    let folder = Folder::new();
    let error = |colour: &str| {
        let args = ["--color", colour, "info", "none"];
        Test::new(&folder)
            .args(args)
            .any_stderr()
            .code(3)
            .run()
            .stderr
    };
    assert!(error("always").starts_with("\x1b[1;31mswarmhold:\x1b[0m E-IO: "));
    assert!(error("never").starts_with("swarmhold: E-IO: "));
    assert!(
        error("auto").starts_with("swarmhold: E-IO: "),
        "stderr is no terminal here"
    );
}
