//! `swarmhold create`: from a container to its manifest and its link.

use std::path::Path;

use serde_json::json;

use super::encrypted;
use super::own_manifest::{self, There};
use crate::cli::args::Global;
use crate::cli::args::own::Create;
use crate::cli::error::CliError;
use crate::cli::home::Home;
use crate::cli::output::Output;
use crate::cli::text::count;
use crate::cli::units;
use crate::node::{Link, Manifest, remember_right};

pub(in crate::cli) fn run(global: &Global, create: &Create, out: &Output) -> anyhow::Result<()> {
    let home = Home::find(global)?;
    let wallet = home.identity(out)?.wallet;
    let plain = &create.path;
    let container = &match create.encrypt_to.is_empty() {
        true => plain.clone(),
        false => encrypted::beside(plain, create.output.as_deref())?,
    };
    let path = match &create.output {
        Some(path) => path.clone(),
        None => own_manifest::beside(container)?,
    };
    // before hours of hashing, not after
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(CliError::NoFolder(folder.to_owned()).into());
    }
    let there = own_manifest::look(&path, container, wallet.address())?;
    if create.output.is_some() && matches!(there, There::Damaged(_)) {
        return Err(CliError::Exists(path).into());
    }
    if container != plain {
        encrypted::seal(plain, container, &create.encrypt_to, out)?;
    }
    let manifest = own_manifest::hash(container, &wallet, create.name.as_deref(), None, None, out)?;
    own_manifest::write(&path, &there, &manifest)?;
    if let Err(error) = remember_right(home.folder(), &manifest) {
        // whoever shares it hashes it once more, in the background
        tracing::warn!(%error, "what was hashed could not be written down");
    }
    out.note(&format!(
        "wrote {}: {}",
        path.display(),
        described(&manifest)
    ));
    let link = Link::of(&manifest, []).to_string();
    let layout = manifest.layout();
    out.result(&link, || {
        json!({
            "link": link,
            "manifest": path.display().to_string(),
            "name": manifest.name(),
            "program_id": manifest.program_id().to_string(),
            "manifest_id": manifest.id().to_string(),
            "address": manifest.address().to_string(),
            "size": layout.size(),
            "chunks": layout.chunk_count(),
            "chunk_size": layout.chunk_size(),
        })
    })?;
    if create.output.is_none() {
        let container = container.display();
        out.note(&format!(
            "the link says what, not where; to offer it: swarmhold share {container}"
        ));
    }
    Ok(())
}

/// A container's size in words.
pub(in crate::cli) fn described(manifest: &Manifest) -> String {
    let layout = manifest.layout();
    format!(
        "{} in {} of {}",
        units::bytes(layout.size()),
        count(u64::from(layout.chunk_count()), "chunk"),
        units::bytes(u64::from(layout.chunk_size())),
    )
}
