//! `swarmhold id`: show, back up and restore the identity, and the key it reads with.

use std::io::{self, IsTerminal as _, Read as _};
use std::str;

use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::args::Global;
use crate::cli::args::own::{Id, IdAction};
use crate::cli::error::CliError;
use crate::cli::home::{Home, Identity, Origin, is_taken};
use crate::cli::output::{self, Notes, Output};
use crate::cli::table;
use crate::node::keyfile::KeyFileError;
use crate::node::{BACKUP_BYTES_MAX, Digest, Key, Wallet};

pub(in crate::cli) fn run(global: &Global, id: &Id, out: &Output) -> anyhow::Result<()> {
    let home = Home::find(global)?;
    match id.action {
        None => show(&home, global, out),
        Some(IdAction::Backup) => backup(&home, out),
        Some(IdAction::Restore) => restore(&home, out),
        Some(IdAction::AgeKey) => age_key(&home, out),
    }
}

fn show(home: &Home, global: &Global, out: &Output) -> anyhow::Result<()> {
    let Identity { wallet, origin } = home.identity(out)?;
    let address = wallet.address().to_string();
    let public_key = Digest::from_bytes(wallet.public_key()).to_string();
    let recipient = Key::of_wallet(&wallet).recipient().to_string();
    let text = match global.quiet {
        true => address.clone(),
        false => table::rows(&[
            ("address", address.clone()),
            ("public key", public_key.clone()),
            ("recipient", recipient.clone()),
        ]),
    };
    Ok(out.result(text, || {
        json!({
            "address": address,
            "public_key": public_key,
            "recipient": recipient,
            "key_file": home.key_file().display().to_string(),
            "created": origin == Origin::Created,
        })
    })?)
}

fn backup(home: &Home, out: &Output) -> anyhow::Result<()> {
    let wallet = home.existing_identity()?;
    let words = wallet.to_words();
    out.note("whoever reads these words has the identity");
    Ok(out.result(
        words.as_str(),
        || json!({ "address": wallet.address().to_string(), "words": words.as_str() }),
    )?)
}

fn restore(home: &Home, out: &Output) -> anyhow::Result<()> {
    let path = home.key_file();
    // told before anybody types 24 words; creating the file tells for certain
    if is_taken(&path) {
        return Err(KeyFileError::Exists { path }.into());
    }
    if io::stdin().is_terminal() && out.notes() != Notes::None {
        output::prompt("the 24 words, on one line: ");
    }
    let wallet = Wallet::from_words(&words()?)?;
    home.keep(&wallet)?;
    out.note(&format!("restored into {}", path.display()));
    let address = wallet.address().to_string();
    Ok(out.result(
        &address,
        || json!({ "address": address, "key_file": path.display().to_string() }),
    )?)
}

fn age_key(home: &Home, out: &Output) -> anyhow::Result<()> {
    let key = Key::of_wallet(&home.existing_identity()?);
    let (recipient, secret) = (key.recipient().to_string(), key.to_text());
    out.note("whoever reads this key reads what was encrypted to this node");
    Ok(out.result(
        secret.as_str(),
        || json!({ "recipient": recipient, "age_key": secret.as_str() }),
    )?)
}

/// What stdin says: a line of a terminal, everything of a pipe.
fn words() -> Result<Zeroizing<String>, CliError> {
    let mut stdin = io::stdin().lock();
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * BACKUP_BYTES_MAX));
    if io::stdin().is_terminal() {
        use io::BufRead as _;
        let mut line = stdin.take(BACKUP_BYTES_MAX as u64 + 1);
        line.read_until(b'\n', &mut bytes)
            .map_err(CliError::Stdin)?;
    } else {
        let mut all = stdin.by_ref().take(BACKUP_BYTES_MAX as u64 + 1);
        all.read_to_end(&mut bytes).map_err(CliError::Stdin)?;
    }
    let text = str::from_utf8(&bytes).map_err(|_| CliError::Words)?;
    match text.len() > BACKUP_BYTES_MAX {
        true => Err(CliError::Words),
        false => Ok(Zeroizing::new(text.to_owned())),
    }
}
