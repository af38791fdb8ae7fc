//! `swarmhold vault`: how the vault is opened.

use serde_json::json;

use crate::cli::args::library::{Vault, VaultAction};
use crate::cli::error::CliError;
use crate::cli::home::{Home, passphrase_of};
use crate::cli::output::Output;
use crate::cli::text::count;
use crate::node::keyfile::KeyFileError;
use crate::node::{Condition, Guard, Library, Sealed, vaultfile};

/// The variable that a new passphrase may stand in.
const NEW_PASSPHRASE: &str = "SWARMHOLD_NEW_PASSPHRASE";

pub(super) fn run(home: &Home, vault: &Vault, out: &Output) -> anyhow::Result<()> {
    match &vault.action {
        None => tell(home, out),
        Some(VaultAction::Reseal {
            new_passphrase_file,
            ..
        }) => {
            let path = home.vault_file();
            let wallet = home.existing_identity()?;
            let key = vaultfile::load(&path, &wallet, home.vault_passphrase());
            let key = key.map_err(refused)?;
            let passphrase = match new_passphrase_file {
                Some(file) => passphrase_of(Some(file), NEW_PASSPHRASE)?,
                None => None,
            };
            let guard = passphrase.as_ref().map(|text| text.as_str());
            let guard = guard.map_or(Guard::Wallet(&wallet), Guard::Passphrase);
            vaultfile::reseal(&path, &key, guard).map_err(refused)?;
            tell(home, out)
        }
    }
}

fn tell(home: &Home, out: &Output) -> anyhow::Result<()> {
    let path = home.vault_file();
    let sealed = vaultfile::sealed_with(&path).map_err(refused)?;
    let all = Library::open(home.folder(), None).list()?;
    let held = all.iter().filter(|it| it.condition == Condition::Vault);
    let held = held.count() as u64;
    let (name, what) = match sealed {
        Sealed::Identity(address) => ("identity", format!("the identity {address}")),
        Sealed::Passphrase => ("passphrase", "a passphrase".to_owned()),
    };
    out.note(&format!(
        "{}; opened by {what}; {} in it",
        path.display(),
        count(held, "container")
    ));
    out.result(name, || {
        json!({
            "path": path.display().to_string(),
            "opened_by": name,
            "containers": held,
        })
    })?;
    Ok(())
}

fn refused(error: KeyFileError) -> CliError {
    match matches!(error, KeyFileError::NotFound { .. }) {
        true => CliError::NoVault,
        false => CliError::VaultKey(error),
    }
}
