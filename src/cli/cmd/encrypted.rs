//! Containers for some only: `create --encrypt-to`, what `get` does with one, and `swarmhold export`.
//!
//! An encrypted container is called `NAME.age`, so that it is known by its name before anything of it is
//! here; whether it can be read is told by its header.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::cli::args::library::Export;
use crate::cli::error::CliError;
use crate::cli::home::is_taken;
use crate::cli::output::Output;
use crate::cli::progress::{self, Work};
use crate::cli::signals::Signals;
use crate::cli::start;
use crate::cli::text::shown as shown_name;
use crate::node::{self, Condition, Exported, Key, Known, Library, Recipient};

const SUFFIX: &str = "age";

/// Whether a container of this name says that it is encrypted.
pub(super) fn is_name(name: &str) -> bool {
    without_suffix(Path::new(name)).is_some()
}

/// `NAME.age`, unless that is what it is called already.
pub(super) fn with_suffix(path: PathBuf) -> PathBuf {
    match is_age(&path) {
        true => path,
        false => suffixed(path),
    }
}

/// `NAME` of a path `NAME.age`.
pub(super) fn without_suffix(path: &Path) -> Option<PathBuf> {
    is_age(path).then(|| path.with_extension(""))
}

fn is_age(path: &Path) -> bool {
    path.extension() == Some(OsStr::new(SUFFIX))
}

fn suffixed(path: impl Into<OsString>) -> PathBuf {
    let mut name = path.into();
    name.push(".");
    name.push(SUFFIX);
    name.into()
}

/// Where the encrypted form of a file goes: beside its manifest, which must be free.
pub(super) fn beside(plain: &Path, manifest: Option<&Path>) -> Result<PathBuf, CliError> {
    let name = plain.file_name();
    let name = name.ok_or_else(|| CliError::NoName(plain.to_owned()))?;
    let path = manifest.unwrap_or(plain).with_file_name(suffixed(name));
    match is_taken(&path) {
        true => Err(CliError::Exists(path)),
        false => Ok(path),
    }
}

/// Encrypts a file.
pub(super) fn seal(
    plain: &Path,
    encrypted: &Path,
    recipients: &[Recipient],
    out: &Output,
) -> anyhow::Result<()> {
    progress::working(out, Work::Encrypting, len(plain), |show| {
        node::encrypt_file(plain, encrypted, recipients, show)
    })?;
    out.note(&format!(
        "encrypted {} into {}",
        plain.display(),
        encrypted.display()
    ));
    Ok(())
}

/// Decrypts what was fetched to a path, if this node can: where what it holds is now. A signal leaves
/// it encrypted.
pub(super) async fn unseal(
    path: &Path,
    key: Key,
    out: &Output,
    signals: &mut Signals,
) -> anyhow::Result<Option<PathBuf>> {
    if !node::opens(path, &key)? {
        if without_suffix(path).is_some() {
            let path = path.display();
            out.note(&format!(
                "{path} is encrypted to others; it can be passed on"
            ));
        }
        return Ok(None);
    }
    let Some(plain) = without_suffix(path) else {
        return point_out(path, &key, out);
    };
    decrypt(path, &plain, key, out, signals).await?;
    Ok(Some(plain))
}

/// Says how to read what was fetched, if this node can.
pub(super) fn point_out(path: &Path, key: &Key, out: &Output) -> anyhow::Result<Option<PathBuf>> {
    if node::opens(path, key)? {
        let path = path.display();
        out.note(&format!(
            "it is encrypted to this node; to read it: swarmhold export {path} -o FILE"
        ));
    }
    Ok(None)
}

/// `swarmhold export`.
pub(super) fn export(
    library: &Library,
    export: &Export,
    key: Key,
    out: &Output,
) -> anyhow::Result<()> {
    let path = Path::new(&export.what);
    let known = match library.find(&export.what) {
        // a file that this node reads is what its path says, whatever else has that name
        _ if path.is_file() && node::opens(path, &key)? => None,
        Err(_) if path.is_file() => None,
        found => Some(found?),
    };
    let container = known.as_ref().map_or(path, |known| &known.path).to_owned();
    let output = &export.output;
    let in_vault = known.filter(|known| known.condition == Condition::Vault);
    start::wait(async |mut signals| match in_vault {
        Some(known) => unlock(library.clone(), known, output, key, out, &mut signals).await,
        None => decrypt(&container, output, key, out, &mut signals).await,
    })?;
    out.result(output, || {
        json!({
            "path": output.display().to_string(),
            "container_path": container.display().to_string(),
        })
    })?;
    Ok(())
}

/// Writes what a container in the vault holds.
async fn unlock(
    library: Library,
    known: Known,
    to: &Path,
    key: Key,
    out: &Output,
    signals: &mut Signals,
) -> anyhow::Result<()> {
    let (name, path, shown) = (known.name.clone(), to.to_owned(), out.clone());
    let work = move |is_wanted: &AtomicBool| {
        progress::working(&shown, Work::Decrypting, known.size, |show| {
            library.export(&known, &path, &key, |done| {
                show(done);
                is_wanted.load(Ordering::Relaxed)
            })
        })
    };
    let (name, to) = (shown_name(&name), to.display());
    match until_stopped(signals, work).await?? {
        Exported::Container => out.note(&format!("wrote {name} from the vault into {to}")),
        Exported::Decrypted => {
            out.note(&format!("decrypted {name} from the vault into {to}"));
        }
    }
    Ok(())
}

async fn decrypt(
    encrypted: &Path,
    plain: &Path,
    key: Key,
    out: &Output,
    signals: &mut Signals,
) -> anyhow::Result<()> {
    let (from, to, shown) = (encrypted.to_owned(), plain.to_owned(), out.clone());
    let work = move |is_wanted: &AtomicBool| {
        progress::working(&shown, Work::Decrypting, len(&from), |show| {
            node::decrypt_file(&from, &to, &key, |done| {
                show(done);
                is_wanted.load(Ordering::Relaxed)
            })
        })
    };
    until_stopped(signals, work).await??;
    out.note(&format!(
        "decrypted {} into {}",
        encrypted.display(),
        plain.display()
    ));
    Ok(())
}

/// Does work that blocks, away from where signals are heard. After a signal it is not wanted any more;
/// it is waited for, so that it can clear up.
async fn until_stopped<T: Send + 'static>(
    signals: &mut Signals,
    work: impl FnOnce(&AtomicBool) -> T + Send + 'static,
) -> anyhow::Result<T> {
    let is_wanted = Arc::new(AtomicBool::new(true));
    let seen = Arc::clone(&is_wanted);
    let mut work = tokio::task::spawn_blocking(move || work(&seen));
    tokio::select! {
        done = &mut work => return Ok(done?),
        () = signals.stopped() => is_wanted.store(false, Ordering::Relaxed),
    }
    Ok(work.await?)
}

/// For the bar; whoever opens the file says what is wrong with it.
fn len(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_hears_of_a_signal_and_is_waited_for() {
        let (signal, mut signals) = Signals::by_hand();
        let work = move |is_wanted: &AtomicBool| {
            signal.send_replace(true);
            while is_wanted.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            "cleared up"
        };
        let done = until_stopped(&mut signals, work).await.unwrap();
        assert_eq!(done, "cleared up");
        let (_signal, mut signals) = Signals::by_hand();
        let work = |is_wanted: &AtomicBool| is_wanted.load(Ordering::Relaxed);
        let is_wanted = until_stopped(&mut signals, work).await.unwrap();
        assert!(is_wanted, "without a signal it goes on");
    }

    #[test]
    fn an_encrypted_container_is_known_by_its_name() {
        for (name, plain) in [
            ("app.tar.age", Some("app.tar")),
            ("a.age", Some("a")),
            ("app.tar", None),
            (".age", None),
            ("age", None),
        ] {
            let found = without_suffix(Path::new(name));
            assert_eq!(found, plain.map(PathBuf::from), "{name}");
            assert_eq!(is_name(name), plain.is_some());
        }
        let named = |path: &str| with_suffix(path.into());
        assert_eq!(named("a/app.tar"), Path::new("a/app.tar.age"));
        assert_eq!(named("a/app.tar.age"), Path::new("a/app.tar.age"));
    }
}
