//! A27: archives that are made to break out of wherever they are unpacked, under names that are made to be
//! options of a program. A node unpacks nothing and hands nothing to a shell: they travel as any bytes do.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use swarmhold::node::{FetchOptions, What};

use crate::world::{World, within};

/// One entry of a tar archive (POSIX.1-1988 ustar).
fn entry(name: &str, kind: u8, link: &str, mode: &str, body: &[u8]) -> Vec<u8> {
    let mut header = [0u8; 512];
    let mut put = |at: usize, text: &str| {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    };
    put(0, &name[..name.len().min(100)]);
    put(100, mode);
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", body.len()));
    put(136, "00000000000\0");
    put(148, "        ");
    put(157, &link[..link.len().min(100)]);
    put(257, "ustar\x0000");
    header[156] = kind;
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut entry = header.to_vec();
    entry.extend_from_slice(body);
    entry.resize(512 + body.len().next_multiple_of(512), 0);
    entry
}

fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut archive = entries.concat();
    archive.resize(archive.len() + 1024, 0);
    archive
}

/// A zip archive with one stored file of this name (APPNOTE 4.3.7), as far as a careless reader looks.
fn zip(name: &str, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap().to_le_bytes();
    let name_len = u16::try_from(name.len()).unwrap().to_le_bytes();
    let mut archive = b"PK\x03\x04\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    archive.extend_from_slice(&len);
    archive.extend_from_slice(&len);
    archive.extend_from_slice(&name_len);
    archive.extend_from_slice(&[0, 0]);
    archive.extend_from_slice(name.as_bytes());
    archive.extend_from_slice(body);
    archive
}

/// Twenty-five of them, and what each is called.
fn corpus(outside: &Path) -> Vec<(Vec<u8>, &'static str)> {
    let outside = outside.display().to_string();
    let file = |name: &str| entry(name, b'0', "", "0000644\0", b"out");
    let link = |name: &str, kind: u8, to: &str| entry(name, kind, to, "0000777\0", b"");
    let long = "a/".repeat(49);
    let setuid = entry("su", b'0', "", "0004755\0", b"#!/bin/sh\n");
    let device = entry("sda", b'4', "", "0000666\0", b"");
    let archives = vec![
        (tar(&[file("../evil")]), "-v /:/host"),
        (tar(&[file("../../../../evil")]), "--privileged"),
        (tar(&[file("/evil")]), "--help"),
        (
            tar(&[file(&format!("{outside}/evil"))]),
            "-o/etc/cron.d/evil",
        ),
        (tar(&[file("a/../../evil")]), "$(touch evil)"),
        (tar(&[file("./../evil")]), "`touch evil`"),
        (tar(&[file("..")]), "; touch evil"),
        (tar(&[file("..\\evil")]), "| touch evil"),
        (tar(&[file("C:\\evil")]), "&& touch evil"),
        (tar(&[link("l", b'2', ".."), file("l/evil")]), "../../evil"),
        (tar(&[link("l", b'2', &outside), file("l/evil")]), "/evil"),
        (tar(&[link("l", b'2', "/etc/shadow")]), "..\\evil"),
        (tar(&[link("l", b'1', "/etc/shadow")]), "CON"),
        (tar(&[link("l", b'1', "../evil")]), "evil.vault"),
        (tar(&[link("l", b'2', "l"), file("l/evil")]), ".part"),
        (
            tar(&[
                link("a", b'2', "b"),
                link("b", b'2', ".."),
                file("a/b/evil"),
            ]),
            "..",
        ),
        (tar(&[device]), "."),
        (tar(&[entry("null", b'3', "", "0000666\0", b"")]), "-"),
        (tar(&[entry("pipe", b'6', "", "0000666\0", b"")]), "--"),
        (tar(&[setuid]), "-rf /"),
        (
            tar(&[file(&long), file(&format!("{long}../evil"))]),
            "@/etc/passwd",
        ),
        (
            tar(&[entry("d", b'5', "", "0000000\0", b""), file("d/../../evil")]),
            "%2e%2e%2fevil",
        ),
        (zip("../evil", b"out"), "file:///evil"),
        (zip("/evil", b"out"), "docker://evil"),
        (zip("..\\..\\evil", b"out"), "oci-archive:/evil"),
    ];
    assert_eq!(archives.len(), 25);
    archives
}

/// All files below a folder.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() && !path.is_symlink() {
            true => found.extend(files(&path)),
            false => drop(found.insert(path)),
        }
    }
    found
}

#[tokio::test]
async fn archives_that_break_out_travel_as_bytes_and_nothing_else_happens() {
    let world = World::new();
    let (alice, bob) = (world.node("alice").await, world.node("bob").await);
    let outside = bob.folder.parent().unwrap().to_owned();
    let mut expected = BTreeSet::new();
    let kept = bob.folder.join("home/wwwdata/containers");
    let theirs = |world: &Path| {
        let all = files(world).into_iter();
        // what the nodes write into their own homes is theirs
        let homes = [bob.folder.join("home"), alice.folder.join("home")];
        let theirs = all.filter(|path| !homes.iter().any(|home| path.starts_with(home)));
        theirs.collect::<BTreeSet<_>>()
    };
    for (number, (bytes, name)) in corpus(&outside).into_iter().enumerate() {
        let path = alice.folder.join(format!("archive-{number}"));
        fs::write(&path, &bytes).unwrap();
        let manifest = alice.seed_as(name, &path).await;
        let before = theirs(&outside);
        let options = FetchOptions {
            peers: vec![alice.hint()],
            ..FetchOptions::default()
        };
        let what = What::Manifest(manifest.clone());
        let mut fetch = bob.node.fetch(what, options).await;
        let fetched = within(fetch.finished()).await.expect("it is a container");
        let own = kept.join(manifest.program_id().to_string());
        assert_eq!(fetched.path, own, "{name}");
        assert!(fs::read(&own).unwrap() == bytes, "{name}");
        assert_eq!(theirs(&outside), before, "{name}");
        expected.insert(own);
    }
    assert_eq!(files(&kept), expected);
    #[cfg(unix)]
    for path in expected {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7111, 0, "{}: {mode:o}", path.display());
    }
}
