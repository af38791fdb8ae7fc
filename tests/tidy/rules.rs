//! The rules of the house and their tables. A rule takes a file's path from the repository's root
//! and its text, and answers with complaints.

use crate::source::{code_of, module_of, paths, tokens};

/// The modules of `src/`, lowest first. Modules on one line do not use each other.
const LAYERS: &[&[&str]] = &[
    &["limits", "digest", "chunk", "host", "moment"],
    &["manifest", "wire", "identity", "age"],
    &["swarm", "discovery", "nat", "index"],
    &["yielding"],
    &["store", "net"],
    &["node"],
    &["http", "tui", "cli"],
    &["main"],
];
/// How many lines of [`LAYERS`], from the lowest, are pure.
const PURE_LAYERS: usize = 3;
/// Uses within a line that are allowed after all.
const SAME_LINE: &[(&str, &str)] = &[("chunk", "limits"), ("age", "identity")];
/// Modules that see less than everything above: the surfaces know the node and nothing below it.
const SEES_ONLY: &[(&str, &[&str])] = &[
    ("http", &["node"]),
    ("tui", &["node"]),
    ("cli", &["node"]),
    ("main", &["cli", "node"]),
];

/// What a pure module does not name, outside its tests.
const IMPURE: &[&str] = &[
    "tokio",
    "quinn",
    "socket2",
    "std::fs",
    "std::thread",
    "std::process",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "Instant::now",
    "SystemTime::now",
    "rand",
    "getrandom",
    "thread_rng",
];
/// Parts of pure modules, as the start of their path, that may name one impure thing, and why.
const IMPURE_FOR_A_REASON: &[(&str, &str, &str)] = &[
    ("src/identity/keyfile", "std::fs", "the key file is disk"),
    ("src/identity/keyfile", "getrandom", "salts"),
    ("src/identity/refused.rs", "quinn", "reads its error type"),
    ("src/identity/wallet.rs", "getrandom", "makes new keys"),
];

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
/// What is over a limit already, as `file` or `file fn name`, with the lines it had when it was
/// entered. It may shrink, never grow; once it is back within the limit its entry must go.
pub(crate) const GROWN: &[(&str, usize)] = &[];

/// Uses of a module that is not on a line above.
pub(crate) fn arrows(file: &str, text: &str) -> Vec<String> {
    let module = module_of(file);
    let Some(user) = module.first().filter(|_| file != "src/lib.rs") else {
        return Vec::new();
    };
    let mut complaints = Vec::new();
    for (line, path) in paths(&code_of(text), &module) {
        let ["crate" | "swarmhold", target, ..] = path.split("::").collect::<Vec<_>>()[..] else {
            continue;
        };
        if let Some(why) = refused(user, target) {
            complaints.push(format!("{file}:{line}: {why}"));
        }
    }
    complaints
}

fn refused(user: &str, target: &str) -> Option<String> {
    let layer_of = |module| LAYERS.iter().position(|layer| layer.contains(&module));
    let (Some(from), Some(to)) = (layer_of(user), layer_of(target)) else {
        return Some(format!("`{user}` uses `{target}`: not both in LAYERS"));
    };
    let seen = SEES_ONLY.iter().find(|(module, _)| *module == user);
    let allowed = user == target
        || seen.map_or(to < from, |(_, only)| only.contains(&target))
        || SAME_LINE.contains(&(user, target));
    (!allowed).then(|| format!("`{user}` may not use `{target}`"))
}

/// The map that `lib.rs` draws: on each line modules of one layer, and every module on some line.
pub(crate) fn map(root: &str) -> Vec<String> {
    let drawn: Vec<Vec<&str>> = root
        .lines()
        .skip_while(|line| *line != "//! ```text")
        .skip(1)
        .map_while(|line| line.strip_prefix("//! ").filter(|line| *line != "```"))
        .map(|line| line.split("   ").next().unwrap_or_default())
        .map(|names| names.split_whitespace().collect())
        .collect();
    let places = drawn.iter().map(|names| {
        let here = |layer: &&[&str]| names.iter().all(|name| layer.contains(name));
        LAYERS.iter().position(here)
    });
    let places: Vec<_> = places.collect();
    let mut complaints = Vec::new();
    if drawn.is_empty() || places.contains(&None) || !places.is_sorted() {
        complaints.push(format!(
            "src/lib.rs: the map differs from LAYERS: {drawn:?}"
        ));
    }
    let statements = root.lines().filter_map(|line| line.strip_suffix(';'));
    let declared = statements.filter_map(|line| line.split_once("mod "));
    for (_, module) in declared.filter(|(before, _)| ["", "pub ", "pub(crate) "].contains(before)) {
        if !drawn.iter().flatten().any(|name| *name == module) {
            complaints.push(format!("src/lib.rs: the map does not show `{module}`"));
        }
    }
    complaints
}

/// Disk, sockets, clocks and randomness where a pure module names them, its tests aside.
pub(crate) fn impurities(file: &str, text: &str) -> Vec<String> {
    let module = module_of(file);
    let pure = LAYERS[..PURE_LAYERS].concat();
    let is_pure = |top: &String| pure.contains(&top.as_str());
    if !module.first().is_some_and(is_pure) {
        return Vec::new();
    }
    let excused = |thing: &str| {
        let mut excuses = IMPURE_FOR_A_REASON.iter();
        excuses.any(|(at, what, _)| file.starts_with(at) && *what == thing)
    };
    let mut complaints = Vec::new();
    for (line, path) in paths(&shipped_code_of(file, text), &module) {
        let names = |thing: &&&str| format!("::{path}::").contains(&format!("::{thing}::"));
        for thing in IMPURE.iter().filter(names).filter(|thing| !excused(thing)) {
            complaints.push(format!("{file}:{line}: a pure module names `{thing}`"));
        }
    }
    complaints
}

/// The code without its tests, which come last in a file or are a file of their own.
fn shipped_code_of(file: &str, text: &str) -> String {
    let is_test = module_of(file).iter().any(|part| part == "tests");
    let code = code_of(if is_test { "" } else { text });
    let mut marks = code.match_indices("#[cfg(test)]\nmod ");
    let opens = |(at, mark): &(usize, &str)| {
        let name = code[at + mark.len()..].lines().next();
        name.is_some_and(|line| line.contains('{'))
    };
    let end = marks.find(opens).map_or(code.len(), |(at, _)| at);
    code[..end].to_owned()
}

/// The sizes of a file and of each function in it that ships, in lines. A test may be a long table.
pub(crate) fn sizes_of(file: &str, text: &str) -> Vec<(String, usize, usize)> {
    let mut sizes = vec![(file.to_owned(), text.lines().count(), FILE_LINES_MAX)];
    let code = shipped_code_of(file, text);
    let tokens = tokens(&code);
    for (at, pair) in tokens.windows(2).enumerate() {
        let ((first, "fn"), (_, name)) = (pair[0], pair[1]) else {
            continue;
        };
        let mut depth = 0usize;
        let mut rest = tokens[at..].iter();
        let body = |(_, token): &&(usize, &str)| {
            depth = match *token {
                "(" | "[" | "{" => depth + 1,
                ")" | "]" | "}" => depth.saturating_sub(1),
                _ => depth,
            };
            depth == 0 && matches!(*token, "}" | ";")
        };
        if let Some((last, "}")) = rest.find(body) {
            sizes.push((
                format!("{file} fn {name}"),
                last - first + 1,
                FUNCTION_LINES_MAX,
            ));
        }
    }
    sizes
}

/// What is over its limit without an entry that covers it, and entries that cover nothing.
pub(crate) fn ratchet(
    sizes: impl IntoIterator<Item = (String, usize, usize)>,
    grown: &[(&str, usize)],
) -> Vec<String> {
    let over: Vec<_> = sizes
        .into_iter()
        .filter(|(_, lines, max)| lines > max)
        .collect();
    let mut complaints = Vec::new();
    for (what, lines, max) in &over {
        let entry = grown.iter().find(|(name, _)| name == what);
        if entry.is_none_or(|(_, before)| lines > before) {
            complaints.push(format!(
                "{what}: {lines} lines, over {max} and over its entry"
            ));
        }
    }
    for (name, _) in grown
        .iter()
        .filter(|(name, _)| !over.iter().any(|(what, ..)| what == name))
    {
        complaints.push(format!(
            "{name}: within its limit or gone; take it out of GROWN"
        ));
    }
    complaints
}

/// A file that does not open by saying what it is.
pub(crate) fn header(file: &str, text: &str) -> Vec<String> {
    let there = text.starts_with("//! ");
    let complaint = || format!("{file}:1: must open with `//!` and what the file is");
    (!there).then(complaint).into_iter().collect()
}

/// Lints waved through without a reason, and tests that do not run.
pub(crate) fn attributes(file: &str, text: &str) -> Vec<String> {
    let code: String = code_of(text).split_whitespace().collect();
    let mut complaints = Vec::new();
    for attribute in code
        .split('#')
        .skip(1)
        .filter_map(|rest| rest.split(']').next())
    {
        let name = attribute.trim_start_matches(['!', '[']);
        let bare = name.starts_with("allow(") || name.contains(",allow(");
        if bare && file.starts_with("src/") {
            complaints.push(format!(
                "{file}: `#[{name}]`; say `#[expect(.., reason = \"..\")]`"
            ));
        }
        if name.starts_with("expect(") && !name.contains("reason=") {
            complaints.push(format!("{file}: `#[{name}]` gives no reason"));
        }
        if name.starts_with("ignore") || name.contains(",ignore") {
            complaints.push(format!("{file}: an ignored test proves nothing"));
        }
    }
    complaints
}

/// Absolute paths of somebody's machine and hosts of package registries.
pub(crate) fn places(file: &str, text: &str) -> Vec<String> {
    // Put together here, so that this file does not contain what it looks for.
    let folders = ["work", "root", "home", "tmp", "Users"].map(|name| format!("/{name}/"));
    let hosts = [
        ("crates", "io"),
        ("pypi", "org"),
        ("npmjs", "org"),
        ("deb.debian", "org"),
    ]
    .map(|(name, domain)| format!("{name}.{domain}"));
    let mut complaints = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let absolute = |folder: &&String| {
            let mut hits = content.match_indices(folder.as_str());
            hits.any(|(at, _)| {
                !content[..at].ends_with(|c: char| c.is_alphanumeric() || ".-_~})>".contains(c))
            })
        };
        let named = |host: &&String| content.contains(host.as_str());
        for found in folders
            .iter()
            .filter(absolute)
            .chain(hosts.iter().filter(named))
        {
            complaints.push(format!("{file}:{line}: names `{found}`"));
        }
    }
    complaints
}
