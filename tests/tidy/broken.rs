//! Each rule of the house, on text that breaks it: a rule that cannot complain keeps nothing.

use crate::rules::{arrows, attributes, header, impurities, map, places, ratchet, sizes_of};

/// Asserts what a rule says of a text: each complaint contains the text given for it.
fn expect(rule: impl Fn(&str, &str) -> Vec<String>, file: &str, text: &str, complaints: &[&str]) {
    let found = rule(file, text);
    let as_expected = found.len() == complaints.len()
        && found
            .iter()
            .zip(complaints)
            .all(|(found, expected)| found.contains(expected));
    assert!(
        as_expected,
        "{file}: {text:?}: {found:?} is not {complaints:?}"
    );
}

#[test]
fn arrows_that_point_up_or_sideways_are_seen() {
    for (file, text, complaints) in [
        ("src/wire/mod.rs", "use crate::digest::Digest;", &[][..]),
        ("src/chunk.rs", "use crate::limits::KIB;", &[]),
        (
            "src/limits.rs",
            "use crate::chunk::X;",
            &["`limits` may not use `chunk`"],
        ),
        (
            "src/wire/a.rs",
            "use crate::{limits, manifest::A};",
            &["may not use `manifest`"],
        ),
        (
            "src/swarm/mod.rs",
            "fn f() {\n crate::store::get() }",
            &["mod.rs:2: `swarm` may not"],
        ),
        (
            "src/swarm/a.rs",
            "use super::super::net::X;",
            &["`swarm` may not use `net`"],
        ),
        (
            "src/store/mod.rs",
            "use crate::swarm; use super::net::X;",
            &["may not use `net`"],
        ),
        ("src/node/mod.rs", "use crate::{swarm, store, net};", &[]),
        (
            "src/cli/mod.rs",
            "use crate::node::Node; use crate::cli::x;",
            &[],
        ),
        (
            "src/cli/get.rs",
            "use crate::manifest::Manifest;",
            &["`cli` may not use `manifest`"],
        ),
        (
            "src/main.rs",
            "use swarmhold::{cli, store};",
            &["`main` may not use `store`"],
        ),
        (
            "src/node/mod.rs",
            "use crate::extra::X;",
            &["not both in LAYERS"],
        ),
        ("src/node/mod.rs", "use crate::*;", &["not both in LAYERS"]),
        (
            "src/wire/mod.rs",
            "// use crate::net::X;\nfn f() { \"crate::net::X\" }",
            &[],
        ),
    ] {
        expect(arrows, file, text, complaints);
    }
}

#[test]
fn a_map_that_lies_is_seen() {
    let good =
        "//! ```text\n//! limits  chunk     names\n//! wire   pure\n//! ```\npub mod wire;\n";
    for (root, complaints) in [
        (good.to_owned(), &[][..]),
        (
            good.replace("limits  chunk", "limits  net"),
            &["differs from LAYERS"],
        ),
        (
            good.replace("wire   pure", "wire   pure\n//! limits"),
            &["differs from LAYERS"],
        ),
        (
            good.replace("mod wire", "mod net"),
            &["does not show `net`"],
        ),
        (
            "pub mod wire;".to_owned(),
            &["differs from LAYERS", "does not show `wire`"],
        ),
    ] {
        expect(|_, text| map(text), "src/lib.rs", &root, complaints);
    }
}

#[test]
fn impure_names_are_seen() {
    for (file, text, complaints) in [
        (
            "src/swarm/mod.rs",
            "use std::{fs, io};",
            &["names `std::fs`"][..],
        ),
        (
            "src/swarm/mod.rs",
            "fn f() {\n Instant::now() }",
            &["mod.rs:2: a pure module names"],
        ),
        (
            "src/nat/mod.rs",
            "use std::net::{IpAddr, UdpSocket};",
            &["names `UdpSocket`"],
        ),
        (
            "src/wire/a.rs",
            "fn f(x: tokio::sync::Y) { rand::rng() }",
            &["`tokio`", "`rand`"],
        ),
        (
            "src/wire/a.rs",
            "/// tokio::x\nfn operand() -> brand::X { \"quinn::x\" }",
            &[],
        ),
        (
            "src/wire/a.rs",
            "fn f() {}\n\n#[cfg(test)]\nmod tests { use std::fs; }",
            &[],
        ),
        ("src/swarm/tests.rs", "use std::fs;", &[]),
        (
            "src/wire/mod.rs",
            "#[cfg(test)]\nmod fuzz;\nuse std::fs;",
            &["mod.rs:3:"],
        ),
        ("src/identity/keyfile.rs", "use std::fs;", &[]),
        ("src/identity/keyfile/private.rs", "use std::fs;", &[]),
        (
            "src/identity/keyfile.rs",
            "use tokio::fs;",
            &["names `tokio`"],
        ),
        ("src/net/mod.rs", "use tokio::net::UdpSocket;", &[]),
    ] {
        expect(impurities, file, text, complaints);
    }
}

#[test]
fn growth_is_seen() {
    let long_file = "//! x\n".repeat(401);
    let long_fn = format!(
        "fn f(a: [u8; 2]) {{\n{}}}\nfn g() {{}}\n",
        "x();\n".repeat(69)
    );
    let rule = |grown: &'static [(&str, usize)]| {
        move |file: &str, text: &str| ratchet(sizes_of(file, text), grown)
    };
    expect(rule(&[]), "src/a.rs", &long_file, &["src/a.rs: 401 lines"]);
    expect(
        rule(&[("src/a.rs", 400)]),
        "src/a.rs",
        &long_file,
        &["401 lines"],
    );
    expect(rule(&[("src/a.rs", 401)]), "src/a.rs", &long_file, &[]);
    expect(
        rule(&[("src/a.rs", 401)]),
        "src/a.rs",
        &long_fn,
        &["fn f: 71", "src/a.rs: within"],
    );
    expect(rule(&[("src/a.rs fn f", 80)]), "src/a.rs", &long_fn, &[]);
    expect(
        rule(&[]),
        "src/a.rs",
        &long_fn.replacen("x();\n", "", 1),
        &[],
    );
    expect(
        rule(&[]),
        "src/a.rs",
        &format!("trait T {{ fn t(); {long_fn} }}"),
        &["fn f: 71"],
    );
    let table = format!("#[cfg(test)]\nmod tests {{ {long_fn} }}");
    expect(rule(&[]), "src/a.rs", &table, &[]);
}

#[test]
fn missing_headers_are_seen() {
    expect(header, "src/a.rs", "//! What.\n", &[]);
    expect(
        header,
        "src/a.rs",
        "// What.\n//! Late.",
        &["a.rs:1: must open"],
    );
    expect(header, "src/a.rs", "", &["must open"]);
}

#[test]
fn bare_allows_and_ignored_tests_are_seen() {
    for (text, complaints) in [
        ("#[expect(dead_code, reason = \"why\")]", &[][..]),
        ("// #[allow(dead_code)]\n#[derive(Debug)]", &[]),
        ("#[allow(dead_code)]", &["`#[allow(dead_code)]`"]),
        ("#![ allow(\n dead_code)]", &["`#[allow(dead_code)]`"]),
        ("#[cfg_attr(test, allow(dead_code))]", &["allow(dead_code)"]),
        ("#[expect(dead_code)]", &["gives no reason"]),
        ("#[test]\n#[ignore]\nfn f() {}", &["ignored test"]),
        ("#[ignore = \"slow\"]", &["ignored test"]),
        ("#[cfg_attr(windows, ignore)]", &["ignored test"]),
    ] {
        expect(attributes, "src/a.rs", text, complaints);
    }
    expect(attributes, "tests/a.rs", "#[allow(dead_code)]", &[]);
}

#[test]
fn machines_and_registries_are_seen() {
    for (text, complaints) in [
        (["a\n`/ro", "ot/x`"].concat(), &["README.md:2: names"][..]),
        (["\"/ho", "me/me/x\""].concat(), &["names"]),
        (
            ["$T/tm", "p/x {dir}/wo", "rk/x docs/ho", "me/x"].concat(),
            &[],
        ),
        (
            ["get it from cra", "tes.io"].concat(),
            &["README.md:1: names"],
        ),
    ] {
        expect(places, "README.md", &text, complaints);
    }
}
