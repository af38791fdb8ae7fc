//! Outputs without what differs from run to run.

use std::path::Path;

/// The text with tokens for folders, digests, addresses, dates, times and speeds, and without the
/// lines that tell progress, whose number depends on the machine.
pub(crate) fn normal(text: &str, folder: &Path) -> String {
    let text = text.replace(&folder.display().to_string(), "<dir>");
    let lines = text.lines().filter(|line| !is_progress(line));
    lines
        .map(|line| format!("{}\n", words(&digests(line))))
        .collect()
}

/// ` 75 %  3.0 MiB of 4.0 MiB ...`, and what a share says every ten seconds.
fn is_progress(line: &str) -> bool {
    let percent = line.trim_start().split_once(" %  ");
    percent.is_some_and(|(number, _)| number.parse::<u8>().is_ok()) || line.contains(", sending ")
}

/// Runs of 64 hexadecimal digits.
fn digests(line: &str) -> String {
    let mut normal = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        let len = rest.find(|c| !is_digit(c)).unwrap_or(rest.len());
        normal.push_str(if len == 64 { "<hex>" } else { &rest[..len] });
        let other = rest[len..].find(is_digit).unwrap_or(rest.len() - len);
        normal.push_str(&rest[len..len + other]);
        rest = &rest[len + other..];
    }
    normal
}

/// Loopback addresses, dates, times and speeds.
fn words(line: &str) -> String {
    let mut normal: Vec<String> = Vec::new();
    for word in line.split(' ') {
        let unit = word.trim_end_matches([',', ';']);
        let is_number = normal
            .last()
            .is_some_and(|last| last.parse::<f64>().is_ok());
        let token = match unit {
            "s" if is_number => Some("<time>"),
            _ if unit.ends_with("B/s") && is_number => Some("<speed>"),
            _ => None,
        };
        match token {
            Some(token) => {
                normal.pop();
                normal.push(format!("{token}{}", &word[unit.len()..]));
            }
            None => normal.push(recipient(&date(&addresses(word)))),
        }
    }
    normal.join(" ")
}

fn addresses(word: &str) -> String {
    let Some((before, after)) = word.split_once("127.0.0.1:") else {
        return word.to_owned();
    };
    let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{before}<addr>{}", addresses(rest))
}

fn recipient(word: &str) -> String {
    let is_recipient = word.len() == 62 && word.starts_with("age1");
    if is_recipient {
        "<recipient>".to_owned()
    } else {
        word.to_owned()
    }
}

fn date(word: &str) -> String {
    let is_date = word.len() == 20 && word.ends_with('Z') && word.as_bytes()[10] == b'T';
    if is_date {
        "<date>".to_owned()
    } else {
        word.to_owned()
    }
}

#[test]
fn what_differs_is_replaced_and_nothing_else() {
    let hex = "0a".repeat(32);
    for (text, expected) in [
        (format!("id {hex}?m={hex}&x"), "id <hex>?m=<hex>&x\n"),
        (format!("{hex}0"), &*format!("{hex}0\n")),
        (
            "p=127.0.0.1:7922&p=127.0.0.1:1 x".into(),
            "p=<addr>&p=<addr> x\n",
        ),
        (
            "a in 0.3 s, 3.0 MiB/s from 1 peer".into(),
            "a in <time>, <speed> from 1 peer\n",
        ),
        (" 75 %  3.0 MiB of 4.0 MiB\nx\n".into(), "x\n"),
        ("signed 2026-11-20T23:11:05Z".into(), "signed <date>\n"),
        ("/x/y/app.tar 12 chunks".into(), "<dir>/app.tar 12 chunks\n"),
        (String::new(), ""),
    ] {
        assert_eq!(normal(&text, Path::new("/x/y")), expected);
    }
}
