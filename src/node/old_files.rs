//! The files in which earlier versions kept bans, credit and verdicts: taken in once, then renamed.
//!
//! A file that makes no sense is set aside. A crash between taking a file in and renaming it has it
//! taken in again, which changes nothing.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::kept::{self, Kept};
use super::verdicts::REMEMBERED_MAX;
use crate::digest::{Address, ManifestId, ProgramId};
use crate::limits::{BLAMED_MAX, CREDIT_MAX};
use crate::store::{BanRow, CreditRow, State, StateError, VerdictRows, WrongRow};

/// The largest file that is read: twice 4096 verdicts of under 350 bytes.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bans {
    written: u64,
    bans: BTreeMap<String, Ban>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ban {
    left_s: u64,
    strikes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credit {
    at: u64,
    accounts: BTreeMap<String, (u64, u64)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verdicts {
    right: Vec<String>,
    wrong: Vec<Wrong>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrong {
    manifest: String,
    signer: Option<String>,
    claimed: String,
    found: String,
}

/// Takes in whatever a home has of these files.
pub(super) fn import(home: &Path, state: &State) {
    take_in(&home.join("bans.json"), |text: Bans| {
        let rows = ban_rows(text)?;
        Ok(state.exchange_bans(move |_, mut bans| {
            let is_new = |row: &BanRow| bans.iter().all(|ban| ban.address != row.address);
            let more: Vec<_> = rows.into_iter().filter(is_new).collect();
            bans.extend(more);
            (Some(bans), ())
        }))
    });
    take_in(&home.join("credit.json"), |text: Credit| {
        Ok(state.keep_credit(credit_rows(text)?))
    });
    take_in(&home.join("verdicts.json"), |text: Verdicts| {
        let added = state.add_verdicts(verdict_rows(text)?, REMEMBERED_MAX);
        Ok(added.map(|_| ()))
    });
}

/// Takes one file in, and gives it a name by which it is not found again.
fn take_in<T: DeserializeOwned>(
    path: &Path,
    keep: impl FnOnce(T) -> Result<Result<(), StateError>, String>,
) {
    let Kept::Found(text) = kept::read(path, FILE_BYTES_MAX) else {
        return;
    };
    match keep(text) {
        Ok(Ok(())) => {
            let mut name = path.as_os_str().to_owned();
            name.push(".imported");
            if let Err(error) = std::fs::rename(path, name) {
                tracing::warn!(path = %path.display(), %error, "imported, and not renamed");
            }
        }
        // it stays, for the next start
        Ok(Err(error)) => tracing::warn!(path = %path.display(), %error, "not imported"),
        Err(why) => kept::set_aside(path, &why),
    }
}

fn ban_rows(text: Bans) -> Result<Vec<BanRow>, String> {
    let written = text.written;
    let row = |(address, ban): (String, Ban)| {
        Ok(BanRow {
            address: parsed(&address)?,
            left_s: ban.left_s,
            written,
            strikes: ban.strikes.join(" "),
        })
    };
    text.bans.into_iter().take(BLAMED_MAX).map(row).collect()
}

fn credit_rows(text: Credit) -> Result<Vec<CreditRow>, String> {
    let written = text.at;
    let row = |(address, (received, sent)): (String, (u64, u64))| {
        Ok(CreditRow {
            address: parsed(&address)?,
            received,
            sent,
            written,
        })
    };
    let accounts = text.accounts.into_iter().take(CREDIT_MAX);
    accounts.map(row).collect()
}

fn verdict_rows(text: Verdicts) -> Result<VerdictRows, String> {
    let right = text.right.iter().take(REMEMBERED_MAX);
    let wrong = |it: Wrong| -> Result<WrongRow, String> {
        Ok(WrongRow {
            id: parsed::<ManifestId>(&it.manifest)?,
            signer: it.signer.as_deref().map(parsed::<Address>).transpose()?,
            claimed: parsed::<ProgramId>(&it.claimed)?,
            found: parsed(&it.found)?,
        })
    };
    Ok(VerdictRows {
        right: right.map(|text| parsed(text)).collect::<Result<_, _>>()?,
        wrong: text
            .wrong
            .into_iter()
            .take(REMEMBERED_MAX)
            .map(wrong)
            .collect::<Result<_, _>>()?,
    })
}

fn parsed<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{text:?} {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn names(home: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(home).unwrap();
        let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|it| !it.starts_with("state.")).collect();
        names.sort();
        names
    }

    #[test]
    fn what_the_files_say_is_taken_in_once() {
        let home = tempfile::tempdir().unwrap();
        let digest = Digest::of(b"x");
        for (name, text) in [
            (
                "bans.json",
                format!(
                    r#"{{"written": 7, "bans": {{"{digest}": {{"left_s": 60, "strikes": ["{digest}", "protocol"]}}}}}}"#
                ),
            ),
            (
                "credit.json",
                format!(r#"{{"at": 8, "accounts": {{"{digest}": [4000, 400]}}}}"#),
            ),
            (
                "verdicts.json",
                format!(
                    r#"{{"right": ["{digest}"], "wrong": [{{"manifest": "{digest}", "signer": null, "claimed": "{digest}", "found": "{digest}"}}]}}"#
                ),
            ),
        ] {
            std::fs::write(home.path().join(name), text).unwrap();
        }
        let state = State::open(home.path());
        for _ in 0..2 {
            import(home.path(), &state);
            let address = Address::new(digest);
            let strikes = format!("{digest} protocol");
            let ban = BanRow {
                address,
                left_s: 60,
                written: 7,
                strikes,
            };
            assert_eq!(state.bans().unwrap(), [ban]);
            let credit = CreditRow {
                address,
                received: 4000,
                sent: 400,
                written: 8,
            };
            assert_eq!(state.credit().unwrap(), [credit]);
            let verdicts = state.add_verdicts(VerdictRows::default(), 9).unwrap();
            let id = ManifestId::new(digest);
            assert_eq!((verdicts.right, verdicts.wrong[0].id), (vec![id], id));
            assert_eq!(
                names(home.path()),
                [
                    "bans.json.imported",
                    "credit.json.imported",
                    "verdicts.json.imported"
                ]
            );
        }
    }

    #[test]
    fn what_makes_no_sense_is_set_aside() {
        let home = tempfile::tempdir().unwrap();
        let state = State::open(home.path());
        for (name, text) in [
            (
                "bans.json",
                r#"{"written": 0, "bans": {"x": {"left_s": 1, "strikes": []}}}"#,
            ),
            ("bans.json", r#"{"written": -1, "bans": {}}"#),
            ("credit.json", r#"{"at": 1"#),
            ("verdicts.json", r#"{"right": ["x"], "wrong": []}"#),
            ("verdicts.json", "{}"),
        ] {
            std::fs::write(home.path().join(name), text).unwrap();
            import(home.path(), &state);
            let aside = home.path().join(format!("{name}.damaged"));
            assert_eq!(std::fs::read_to_string(aside).unwrap(), text);
            assert!(!home.path().join(name).exists());
        }
        assert_eq!(state.bans().unwrap(), []);
    }
}
