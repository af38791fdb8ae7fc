//! Opening the place for a fetch's bytes: a path of the user's, or the node's own folder, there in the open
//! or in the vault.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use super::command::OpenFailure;
use super::library::Library;
use super::quest::Leftover;
use super::status::FetchStatus;
use crate::manifest::Manifest;
use crate::store::{Content, Form, Ledger, OpenError};

/// What is opened for a fetch. All calls block on the disk.
pub(super) struct Place<'a> {
    pub(super) manifest: Arc<Manifest>,
    /// A path of the user's; without one, the node's own folder.
    pub(super) output: Option<&'a Path>,
    pub(super) ledger: Option<Arc<dyn Ledger>>,
    /// What earlier manifests of the same container brought.
    pub(super) leftovers: &'a [Leftover],
    pub(super) status: &'a watch::Sender<FetchStatus>,
}

impl Place<'_> {
    /// Opens it, and hashes what an earlier fetch left there.
    pub(super) fn open(&self, library: &Library) -> Result<Content, OpenFailure> {
        let manifest = || Arc::clone(&self.manifest);
        if let Some(path) = self.output {
            let content = Content::download(manifest(), path);
            return self.take_up(content.map_err(OpenFailure::Open)?);
        }
        let id = self.manifest.program_id();
        let form = library.form_for(id).map_err(OpenFailure::Vault)?;
        let path = library.folders.container_in(form, id);
        match (form, path.exists()) {
            (Form::Open, true) => {
                // Where it may not be written to, it is served as it is.
                let content = Content::keep(manifest(), &path);
                let content =
                    content.or_else(|error| match matches!(error, OpenError::Io { .. }) {
                        true => Content::seed(manifest(), &path),
                        false => Err(error),
                    });
                self.check(content.map_err(OpenFailure::Open)?)
            }
            (Form::Open, false) => {
                let content = Content::download(manifest(), &path);
                self.take_up(content.map_err(OpenFailure::Open)?)
            }
            (Form::Sealed, is_whole) => {
                let vault = library.vault_for(id).map_err(OpenFailure::Vault)?;
                if is_whole {
                    let content = Content::keep_sealed(manifest(), &path, vault);
                    return self.check(content.map_err(OpenFailure::Open)?);
                }
                let content = Content::download_sealed(manifest(), &path, vault);
                self.take_up(content.map_err(OpenFailure::Open)?)
            }
        }
    }

    /// Finds what is in a `.part`.
    fn take_up(&self, mut content: Content) -> Result<Content, OpenFailure> {
        let size = self.manifest.layout().size();
        if let Some(ledger) = &self.ledger {
            content = content.recorded_in(Arc::clone(ledger));
        }
        let show = |done| {
            self.status
                .send_replace(FetchStatus::Checking { done, size });
        };
        content.resume(show).map_err(OpenFailure::Resume)?;
        for Leftover { manifest, held } in self.leftovers.iter().rev() {
            let taken = content.take_over(manifest, held);
            taken.map_err(OpenFailure::TakeOver)?;
        }
        Ok(content)
    }

    /// Reads all of a container again that an earlier fetch finished. What has changed is fetched again.
    fn check(&self, content: Content) -> Result<Content, OpenFailure> {
        let layout = self.manifest.layout();
        for chunk in layout.chunks() {
            match content.read(chunk) {
                Ok(_) => {}
                Err(error) if error.is_lost() => {}
                Err(error) => return Err(OpenFailure::Resume(error)),
            }
            let done = layout.offset(chunk).unwrap_or_default();
            self.status.send_replace(FetchStatus::Checking {
                done,
                size: layout.size(),
            });
        }
        Ok(content)
    }
}
