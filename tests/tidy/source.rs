//! Reads Rust source far enough for the rules: what is code, its tokens, the paths it names.
//!
//! By token, not by grammar. It expands `use` trees and resolves `self` and `super`; a path that a
//! macro puts together goes unseen.

/// The source with every comment and literal blanked; lines stay where they are.
pub(crate) fn code_of(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let (mut code, mut at) = (String::with_capacity(source.len()), 0);
    while at < chars.len() {
        let end = prose_end(&chars, at);
        let blank = chars[at..end]
            .iter()
            .map(|c| if *c == '\n' { '\n' } else { ' ' });
        code.extend(blank);
        code.extend(chars.get(end).filter(|_| end == at));
        at = end.max(at + 1);
    }
    code
}

/// Where the comment or literal that starts at `at` ends; `at` itself where none starts.
fn prose_end(chars: &[char], at: usize) -> usize {
    let is = |at: usize, c: char| chars.get(at) == Some(&c);
    let find = |from: usize, hit: &dyn Fn(usize) -> bool| {
        (from..chars.len())
            .find(|at| hit(*at))
            .unwrap_or(chars.len())
    };
    let in_word = at > 0 && is_word(chars[at - 1]);
    let raw = at + usize::from(is(at, 'b') || is(at, 'c'));
    let quote = find(raw + 1, &|at| !is(at, '#'));
    match chars[at] {
        '/' if is(at + 1, '/') => find(at, &|at| is(at, '\n')),
        '/' if is(at + 1, '*') => {
            let (mut end, mut depth) = (at + 2, 1);
            while depth > 0 && end < chars.len() {
                match (
                    is(end, '/') && is(end + 1, '*'),
                    is(end, '*') && is(end + 1, '/'),
                ) {
                    (true, _) => (end, depth) = (end + 2, depth + 1),
                    (_, true) => (end, depth) = (end + 2, depth - 1),
                    _ => end += 1,
                }
            }
            end
        }
        'r' | 'b' | 'c' if !in_word && is(raw, 'r') && is(quote, '"') => {
            let hashes = quote - raw - 1;
            let closes = |at| is(at, '"') && (1..=hashes).all(|more| is(at + more, '#'));
            (find(quote + 1, &closes) + hashes + 1).min(chars.len())
        }
        '"' => {
            let mut end = at + 1;
            while end < chars.len() && !is(end, '"') {
                end += if is(end, '\\') { 2 } else { 1 };
            }
            (end + 1).min(chars.len())
        }
        '\'' if is(at + 1, '\\') => (find(at + 3, &|at| is(at, '\'')) + 1).min(chars.len()),
        '\'' if is(at + 2, '\'') => at + 3,
        _ => at,
    }
}

/// Words, `::` and single marks, each with its line from 1.
pub(crate) fn tokens(code: &str) -> Vec<(usize, &str)> {
    let mut tokens = Vec::new();
    for (line, mut rest) in (1..).zip(code.lines()) {
        rest = rest.trim_start();
        while let Some(first) = rest.chars().next() {
            let len = match first {
                _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                ':' if rest.starts_with("::") => 2,
                _ => first.len_utf8(),
            };
            tokens.push((line, &rest[..len]));
            rest = rest[len..].trim_start();
        }
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn starts_word(token: &str) -> bool {
    token.starts_with(is_word)
}

/// The module that a file is, from the crate's root.
pub(crate) fn module_of(file: &str) -> Vec<String> {
    let inside = file.trim_start_matches("src/").trim_end_matches(".rs");
    let inside = inside.trim_end_matches("/mod");
    inside.split('/').map(str::to_owned).collect()
}

/// Every path of two or more segments, from the root where it starts with `self` or `super`.
pub(crate) fn paths(code: &str, module: &[String]) -> Vec<(usize, String)> {
    let tokens = tokens(code);
    let token = |at: usize| tokens.get(at).map_or("", |(_, token)| *token);
    let (mut inside, mut depth, mut mods) = (module.to_vec(), 0, Vec::new());
    let (mut found, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        let mut written = Vec::new();
        let line = tokens[at].0;
        let next = match token(at) {
            "use" if token(at + 1) != "<" => use_tree(&token, at + 1, Vec::new(), &mut written),
            "mod" if token(at + 2) == "{" => {
                inside.push(token(at + 1).to_owned());
                mods.push(depth);
                at + 2
            }
            mark @ ("{" | "}") => {
                depth = if mark == "{" { depth + 1 } else { depth - 1 };
                if mark == "}" && mods.last() == Some(&depth) {
                    mods.pop();
                    inside.pop();
                }
                at + 1
            }
            first if !starts_word(first) => at + 1,
            first => {
                let (mut path, mut end) = (vec![first], at + 1);
                while token(end) == "::" && starts_word(token(end + 1)) {
                    path.push(token(end + 1));
                    end += 2;
                }
                written.extend((path.len() > 1).then_some(path));
                end
            }
        };
        found.extend(written.iter().map(|path| (line, absolute(path, &inside))));
        at = next;
    }
    found
}

/// Reads a `use` tree from `at` into the paths that it stands for; answers where it ends.
fn use_tree<'a>(
    token: &dyn Fn(usize) -> &'a str,
    mut at: usize,
    mut prefix: Vec<&'a str>,
    written: &mut Vec<Vec<&'a str>>,
) -> usize {
    loop {
        match token(at) {
            "{" => {
                while !["}", ""].contains(&token(at)) {
                    at = use_tree(token, at + 1, prefix.clone(), written);
                }
                return at + 1;
            }
            "," | "}" | ";" | "" => {
                written.extend((!prefix.is_empty()).then_some(prefix));
                return at;
            }
            "as" => at += 2,
            "::" => at += 1,
            segment => {
                prefix.push(segment);
                at += 1;
            }
        }
    }
}

/// The path as `crate::..` where it was written from `self` or `super`.
fn absolute(path: &[&str], inside: &[String]) -> String {
    let ups = path
        .iter()
        .take_while(|segment| **segment == "super")
        .count();
    let here = usize::from(path.first() == Some(&"self"));
    if ups + here == 0 {
        return path.join("::");
    }
    let base = &inside[..inside.len().saturating_sub(ups)];
    let base = std::iter::once("crate").chain(base.iter().map(String::as_str));
    base.chain(path[ups + here..].iter().copied())
        .collect::<Vec<_>>()
        .join("::")
}

#[test]
fn comments_and_literals_are_no_code() {
    for (source, code) in [
        ("a // b\nc", "a     \nc"),
        ("a /* /* b */ */ c", "a               c"),
        (
            r#"f("a\"b", 'c', '\'', '"') d"#,
            "f(      ,    ,     ,    ) d",
        ),
        ("r#\"a\"b\"# c br\"\\\" d", "         c       d"),
        ("&'a str, 'b: {}", "&'a str, 'b: {}"),
        ("\"open", "     "),
    ] {
        assert_eq!(code_of(source), code, "{source}");
    }
}

#[test]
fn paths_are_written_out() {
    let code = "use std::{fs, net::{self, UdpSocket as U},};\nuse super::super::b::*;\n\
                mod m {\n fn f() -> self::x { super::y::Z::<u8>::new() }\n}\nfn g(z: super::k) {}";
    let found = paths(code, &["a".to_owned(), "c".to_owned()]);
    let found: Vec<_> = found
        .iter()
        .map(|(line, path)| format!("{line} {path}"))
        .collect();
    assert_eq!(
        found,
        [
            "1 std::fs",
            "1 std::net::self",
            "1 std::net::UdpSocket",
            "1 std",
            "2 crate::b::*",
            "4 crate::a::c::m::x",
            "4 crate::a::c::y::Z",
            "6 crate::a::k",
        ]
    );
}

#[test]
fn a_file_is_a_module() {
    assert_eq!(module_of("src/digest.rs"), ["digest"]);
    assert_eq!(module_of("src/wire/mod.rs"), ["wire"]);
    assert_eq!(module_of("src/wire/frame.rs"), ["wire", "frame"]);
}
