//! Containers in real files.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::*;

fn part_of(path: &Path) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    part.into()
}

#[test]
fn what_was_downloaded_is_the_container() {
    for len in [1, CHUNK - 1, CHUNK, CHUNK + 1, 9 * CHUNK + 77] {
        let sample = Sample::of_size(len);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.tar");
        let content = sample.download(&path).unwrap();
        assert_eq!(content.path(), part_of(&path));
        for chunk in sample.chunks() {
            assert!(!content.is_complete());
            assert_eq!(read(&content, chunk.index().get()).unwrap(), None);
            content.put(&chunk).unwrap();
            assert_eq!(
                read(&content, chunk.index().get()).unwrap(),
                Some(chunk.into_bytes())
            );
        }
        assert_eq!(content.finish().unwrap(), path, "{len} B");
        assert_eq!(fs::read(&path).unwrap(), sample.bytes);
        assert!(!part_of(&path).exists());
        assert_eq!(content.path(), path);
        assert_eq!(content.finish().unwrap(), path);
        let again = sample.seed(&path).unwrap();
        for chunk in sample.chunks() {
            for content in [&content, &again] {
                let bytes = read(content, chunk.index().get()).unwrap();
                assert_eq!(bytes.as_ref(), Some(chunk.bytes()));
            }
        }
        assert_eq!(again.finish().unwrap(), path);
    }
}

#[test]
fn four_threads_put_and_read_at_once() {
    let sample = Sample::of_size(64 * CHUNK + 1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.tar");
    let content = sample.download(&path).unwrap();
    thread::scope(|scope| {
        for worker in 0..4 {
            let (sample, content) = (&sample, &content);
            scope.spawn(move || {
                // each chunk is put by two of the four
                for chunk in sample.chunks() {
                    let index = chunk.index().get();
                    if index % 4 == worker || index % 4 == (worker + 1) % 4 {
                        content.put(&chunk).unwrap();
                        assert!(read(content, index).unwrap().is_some());
                    }
                }
            });
        }
    });
    assert_eq!(content.finish().unwrap(), path);
    assert_eq!(fs::read(&path).unwrap(), sample.bytes);
}

#[test]
fn a_file_that_is_edited_or_cut_while_it_is_served_is_noticed() {
    let sample = Sample::of_size(2 * CHUNK + 9);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.tar");
    fs::write(&path, &sample.bytes).unwrap();
    let content = sample.seed(&path).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len(2 * CHUNK as u64 + 3).unwrap();
    let error = read(&content, 2).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "E-SIZE: {} ends within chunk 2: read 3 of its 9 B",
            path.display()
        )
    );
    let mut edited = sample.bytes.clone();
    edited[0] ^= 1;
    fs::write(&path, edited).unwrap();
    let error = read(&content, 0).unwrap_err();
    let ReadError::Rotten {
        expected, found, ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(
        sample.manifest.chunk_hash(ChunkIndex::new(0)),
        Some(expected)
    );
    assert_ne!(found, expected);
    assert_eq!(held(&content), [1]);
    // it is the user's file: nothing is mended in it
    assert!(matches!(
        content.put(&sample.chunk(0)),
        Err(WriteError::Sealed { .. })
    ));
}

#[test]
fn a_manifest_that_lies_about_the_whole_is_found_out() {
    let claimed = ProgramId::new(Digest::of(b"something else"));
    let bytes = Sample::of_size(2 * CHUNK).bytes;
    let truth = ProgramId::new(Digest::of(&bytes));
    let sample = Sample::claiming(bytes, claimed);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.tar");
    let content = sample.download(&path).unwrap();
    put_all(&content, &sample);
    for _ in 0..2 {
        assert!(matches!(
            content.finish(),
            Err(FinishError::WrongWhole { expected, found, .. })
                if expected == claimed && found == truth
        ));
    }
    assert!(!path.exists());
    assert_eq!(fs::read(part_of(&path)).unwrap(), sample.bytes);
}

#[test]
fn a_download_resumes_from_what_is_right_among_garbage() {
    let sample = Sample::of_size(12 * CHUNK + 100);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.tar");
    let content = sample.download(&path).unwrap();
    for index in [0, 3, 4, 12] {
        content.put(&sample.chunk(index)).unwrap();
    }
    drop(content);
    let part = part_of(&path);
    let mut bytes = fs::read(&part).unwrap();
    bytes[4 * CHUNK + 1] ^= 1; // rotten
    bytes[7 * CHUNK..7 * CHUNK + 100].fill(7); // half written
    bytes.extend([0; 5000]); // too long
    fs::write(&part, bytes).unwrap();

    let content = sample.download(&path).unwrap();
    let hashed = AtomicU64::new(0);
    let have = content
        .resume(|bytes| assert!(hashed.swap(bytes, Ordering::Relaxed) < bytes))
        .unwrap();
    assert_eq!(hashed.into_inner(), sample.bytes.len() as u64);
    assert_eq!(have, content.have());
    assert_eq!(held(&content), [0, 3, 12]);
    put_all(&content, &sample);
    content.finish().unwrap();
    assert_eq!(fs::read(&path).unwrap(), sample.bytes);
}

#[test]
fn holes_count_where_zeros_belong() {
    let mut bytes = Sample::of_size(6 * CHUNK).bytes;
    bytes[CHUNK..2 * CHUNK].fill(0);
    bytes[5 * CHUNK..].fill(0);
    let sample = Sample::of(bytes);
    let (_, in_memory) = sample.in_memory();
    in_memory.disk.reserve(6 * CHUNK as u64).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let on_disk = sample.download(&folder.path().join("app.tar")).unwrap();
    for content in [in_memory, on_disk] {
        content.put(&sample.chunk(3)).unwrap();
        content.resume(|_| {}).unwrap();
        assert_eq!(held(&content), [1, 3, 5]);
        put_all(&content, &sample);
        content.finish().unwrap();
    }
}

#[test]
fn a_complete_part_needs_nothing_but_finishing() {
    let sample = Sample::of_size(3 * CHUNK + 1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.tar");
    fs::write(part_of(&path), &sample.bytes).unwrap();
    let content = sample.download(&path).unwrap();
    assert_eq!(content.resume(|_| {}).unwrap(), Bitfield::full(4));
    assert_eq!(content.finish().unwrap(), path);
}

#[test]
fn what_is_there_already_is_not_replaced() {
    let sample = Sample::of_size(CHUNK);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.tar");
    fs::write(&path, b"mine").unwrap();
    assert!(matches!(
        sample.download(&path),
        Err(OpenError::AlreadyThere { .. })
    ));
    assert!(!part_of(&path).exists());
    // a name that is taken while the download runs is no different
    fs::remove_file(&path).unwrap();
    let content = sample.download(&path).unwrap();
    put_all(&content, &sample);
    fs::write(&path, b"mine").unwrap();
    assert!(matches!(
        content.finish(),
        Err(FinishError::AlreadyThere { path: taken }) if taken == path
    ));
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    assert_eq!(fs::read(part_of(&path)).unwrap(), sample.bytes);
    fs::remove_file(&path).unwrap();
    assert_eq!(content.finish().unwrap(), path);
}

#[test]
fn a_part_belongs_to_one_download_at_a_time() {
    let sample = Sample::of_size(CHUNK);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.tar");
    let first = sample.download(&path).unwrap();
    assert!(matches!(
        sample.download(&path),
        Err(OpenError::InUse { .. })
    ));
    drop(first);
    let second = sample.download(&path).unwrap();
    put_all(&second, &sample);
    second.finish().unwrap();
    // the lock does not outlive the name
    fs::remove_file(&path).unwrap();
    assert!(sample.download(&path).is_ok());
}

#[test]
fn places_that_cannot_be_downloaded_to_say_why() {
    let sample = Sample::of_size(CHUNK);
    let folder = tempfile::tempdir().unwrap();
    let refused = |path: &Path| sample.download(path).err().map(|error| error.to_string());
    let missing = folder.path().join("missing");
    assert_eq!(
        refused(&missing.join("app.tar")),
        Some(format!("E-FILE: there is no folder {}", missing.display()))
    );
    assert_eq!(
        refused(Path::new("/")),
        Some("E-FILE: \"/\" does not name a file".to_owned())
    );
    let path = folder.path().join("app.tar");
    fs::create_dir(part_of(&path)).unwrap();
    assert_eq!(
        refused(&path),
        Some(format!(
            "E-FILE: not a regular file: {}",
            part_of(&path).display()
        ))
    );
}

#[test]
fn only_a_regular_file_of_the_right_size_is_served() {
    let sample = Sample::of_size(CHUNK);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.tar");
    fs::write(&path, b"short").unwrap();
    assert_eq!(
        sample.seed(&path).err().map(|error| error.to_string()),
        Some(format!(
            "E-SIZE: {} has 5 B, its manifest says 32768",
            path.display()
        ))
    );
    assert!(matches!(
        sample.seed(folder.path()),
        Err(OpenError::NotRegular { .. })
    ));
    let missing = sample.seed(&folder.path().join("missing"));
    assert!(matches!(missing, Err(OpenError::Io { .. })));
}
