//! Names and links that are meant to lead elsewhere (cases A26 and A28 of the catalogue of attacks).

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::*;
use crate::store::Folders;

/// What people have tried to get a file written, or shown, where it does not belong.
const ROOTS: [&str; 20] = [
    "../../.ssh/authorized_keys",
    "/etc/passwd",
    "..",
    ".",
    "C:\\Windows\\System32\\x.dll",
    "\\\\server\\share\\x",
    "CON",
    "nul.txt",
    "COM1",
    "a/../../b",
    "....//....//x",
    "%2e%2e%2fx",
    "~/.bashrc",
    "$(reboot)",
    "`id`",
    "-rf",
    "<script>x</script>",
    "x;ls",
    "x|y",
    "\u{e9}\u{301}",
];

/// Everything below a folder, but what the node's own folder for containers holds.
fn outside(root: &Path, inside: &Path) -> BTreeSet<(PathBuf, Vec<u8>)> {
    let (mut all, mut folders) = (BTreeSet::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path == inside {
                continue;
            }
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(path),
                false => drop(all.insert((path.clone(), fs::read(path).unwrap()))),
            }
        }
    }
    all
}

#[test]
fn no_name_in_a_manifest_names_a_file() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("canary"), b"untouched").unwrap();
    let folders = Folders::open(&root.path().join("home")).unwrap();
    let before = outside(root.path(), Path::new(""));
    let (mut ids, mut accepted) = (BTreeSet::new(), 0);
    let containers = root.path().join("home/wwwdata/containers");
    // each twenty times, so that 400 different ones are tried
    for (number, name) in (0..400).map(|n| (n, format!("{}{}", ROOTS[n % 20], "x".repeat(n / 20))))
    {
        let bytes = format!("container {number}").into_bytes();
        let layout = Layout::for_size(bytes.len() as u64).unwrap();
        let program_id = ProgramId::new(Digest::of(&bytes));
        let draft = Draft {
            name: name.clone(),
            layout,
            program_id,
            chunk_hashes: vec![Digest::of(&bytes)],
            reach: None,
            time: 0,
            peers: vec![],
        };
        // one that the format rules out never gets this far
        let Ok(manifest) = draft.unsigned(Address::new(Digest::of(b"key"))) else {
            continue;
        };
        accepted += 1;
        let manifest = Arc::new(manifest);
        let path = folders.container(program_id);
        let content = Content::download(Arc::clone(&manifest), &path).unwrap();
        assert_eq!(
            content.path(),
            containers.join(format!("{program_id}.part"))
        );
        let chunk = VerifiedChunk::verify(&manifest, ChunkIndex::new(0), bytes.into()).unwrap();
        content.put(&chunk).unwrap();
        assert_eq!(content.finish().unwrap(), path);
        ids.insert(program_id.to_string());
    }
    assert!(accepted >= 300, "{accepted} names are allowed, for showing");
    let names = fs::read_dir(&containers).unwrap();
    let names: BTreeSet<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, ids);
    assert_eq!(outside(root.path(), &containers), before);
}

/// A name that leads to the container, to a secret and to nowhere, ten thousand times in turn, while it
/// is opened and read: whatever is handed out is a chunk of the container, and what is in the
/// secret stays there.
#[cfg(unix)]
#[test]
fn ten_thousand_swaps_of_a_link_lead_nowhere() {
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    const SWAPS: usize = 10_000;

    let sample = Sample::of_size(2 * CHUNK);
    let folder = tempfile::tempdir().unwrap();
    let (path, right, secret) = (
        folder.path().join("app.tar"),
        folder.path().join("right"),
        folder.path().join("secret"),
    );
    fs::write(&right, &sample.bytes).unwrap();
    fs::write(&secret, vec![b'S'; sample.bytes.len()]).unwrap();
    let swapped = AtomicBool::new(false);
    let (mut opened, mut served, mut refused) = (0, 0, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let next = folder.path().join("next");
            for swap in 0..SWAPS {
                match swap % 4 {
                    0 => drop(fs::remove_file(&path)),
                    1 => {
                        symlink(&secret, &next).unwrap();
                        fs::rename(&next, &path).unwrap();
                    }
                    2 => {
                        fs::hard_link(&right, &next).unwrap();
                        fs::rename(&next, &path).unwrap();
                    }
                    _ => {
                        symlink(&right, &next).unwrap();
                        fs::rename(&next, &path).unwrap();
                    }
                }
                // renaming one link onto another of the same file leaves both
                let _ = fs::remove_file(&next);
            }
            swapped.store(true, Ordering::Relaxed);
        });
        while !swapped.load(Ordering::Relaxed) {
            let Ok(content) = sample.seed(&path) else {
                continue;
            };
            opened += 1;
            for chunk in sample.chunks() {
                match content.read(chunk.index()) {
                    Ok(Some(found)) => {
                        assert!(found.bytes() == chunk.bytes());
                        served += 1;
                    }
                    Ok(None) | Err(_) => refused += 1,
                }
            }
            content.look();
        }
    });
    assert!(opened > 0 && served + refused == 2 * opened);
    // nor does a link in place of a `.part` lead out of the folder
    let part = folder.path().join("new.part");
    symlink(&secret, &part).unwrap();
    let refused = sample.download(&folder.path().join("new"));
    assert!(matches!(refused, Err(OpenError::NotRegular { .. })));
    assert!(fs::read(&secret).unwrap().iter().all(|byte| *byte == b'S'));
}

/// A byte is flipped back and forth while a file is served (case A29): no wrong chunk is handed out, and
/// the bit goes with the first read that finds one.
#[test]
fn a_byte_that_flips_while_it_is_served_is_never_handed_out() {
    use std::io::{Seek as _, SeekFrom, Write as _};

    let sample = Sample::of_size(4 * CHUNK);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.tar");
    fs::write(&path, &sample.bytes).unwrap();
    let mut file = fs::File::options().write(true).open(&path).unwrap();
    for at in (0..sample.bytes.len()).step_by(1021) {
        let content = sample.seed(&path).unwrap();
        let chunk = u32::try_from(at / CHUNK).unwrap();
        let right = read(&content, chunk).unwrap();
        assert!(right.is_some());
        for byte in [sample.bytes[at] ^ 0x10, sample.bytes[at]] {
            file.seek(SeekFrom::Start(at as u64)).unwrap();
            file.write_all(&[byte]).unwrap();
            if byte != sample.bytes[at] {
                assert!(matches!(
                    read(&content, chunk),
                    Err(ReadError::Rotten { .. })
                ));
                assert!(!held(&content).contains(&chunk));
            }
        }
        assert_eq!(read(&content, chunk).unwrap(), None, "it was given up");
        assert_eq!(held(&content).len(), 3);
    }
}
