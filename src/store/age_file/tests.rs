//! Files that come back, and damage that is noticed.

use std::fs;

use super::*;

fn key(number: u8) -> Key {
    Key::new([number; 32])
}

fn encrypted(folder: &Path, content: &[u8]) -> PathBuf {
    let (plain, secret) = (folder.join("plain"), folder.join("plain.age"));
    fs::write(&plain, content).unwrap();
    let recipients = [key(1), key(2)].map(|key| key.recipient());
    encrypt_file(&plain, &secret, &recipients, |_| {}).unwrap();
    secret
}

#[test]
fn what_was_encrypted_comes_back_for_each_recipient() {
    let piece = PIECE_BYTES;
    for len in [
        0,
        1,
        piece - 1,
        piece,
        piece + 1,
        20 * piece,
        20 * piece + 7,
    ] {
        let folder = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0u8..251).cycle().take(len).collect();
        let secret = encrypted(folder.path(), &content);
        for number in [1, 2] {
            let back = folder.path().join(format!("back-{number}"));
            let mut done = 0;
            decrypt_file(&secret, &back, &key(number), |now| {
                done = now;
                true
            })
            .unwrap();
            assert!(fs::read(&back).unwrap() == content, "{len} B");
            let pieces = len.div_ceil(piece).max(1);
            assert_eq!(done, (len + TAG_BYTES * pieces) as u64);
        }
        assert!(opens(&secret, &key(1)).unwrap());
        assert!(!opens(&secret, &key(3)).unwrap());
        assert!(!opens(&folder.path().join("plain"), &key(1)).unwrap());
    }
}

#[test]
fn two_encryptions_of_one_file_have_nothing_in_common() {
    let folder = tempfile::tempdir().unwrap();
    let first = fs::read(encrypted(folder.path(), &[7; 1000])).unwrap();
    fs::remove_file(folder.path().join("plain.age")).unwrap();
    let second = fs::read(encrypted(folder.path(), &[7; 1000])).unwrap();
    let end = first.len() - 1000;
    assert!(
        first[end..]
            .windows(8)
            .all(|it| !second.windows(8).any(|other| it == other))
    );
}

#[test]
fn damage_is_named_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let secret = encrypted(folder.path(), &vec![5; 3 * PIECE_BYTES]);
    let bytes = fs::read(&secret).unwrap();
    let back = folder.path().join("back");
    let decrypt = |bytes: &[u8]| {
        fs::write(&secret, bytes).unwrap();
        let error = decrypt_file(&secret, &back, &key(1), |_| true).unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "{error}");
        error.to_string()
    };
    let path = secret.display();
    let mut changed = bytes.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    let damaged = |piece: u64| {
        format!(
            "E-AGE: the encrypted content is damaged or cut off, in piece {piece} of 64 KiB: {path}"
        )
    };
    assert_eq!(decrypt(&changed), damaged(2));
    assert_eq!(decrypt(&bytes[..last]), damaged(2));
    assert_eq!(
        decrypt(&bytes[..bytes.len() - PIECE_BYTES - TAG_BYTES]),
        damaged(1)
    );
    assert_eq!(decrypt(&[&bytes[..], b"more"].concat()), damaged(2));
    let header = Header::decode(&bytes).unwrap().end();
    assert_eq!(decrypt(&bytes[..header + 5]), damaged(0));
    assert_eq!(decrypt(&bytes[..header + NONCE_BYTES]), damaged(0));
    assert_eq!(decrypt(b"tar"), format!("E-AGE: not an age file: {path}"));
}

#[test]
fn who_gives_up_finds_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let secret = encrypted(folder.path(), &vec![5; 3 * PIECE_BYTES]);
    let back = folder.path().join("back");
    let mut pieces = 0;
    let error = decrypt_file(&secret, &back, &key(1), |_| {
        pieces += 1;
        pieces < 2
    });
    let expected = format!("E-CANCELLED: stopped before {} was whole", back.display());
    assert_eq!(error.unwrap_err().to_string(), expected);
    assert_eq!(pieces, 2);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn nothing_is_replaced_and_only_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let secret = encrypted(folder.path(), b"content");
    let plain = folder.path().join("plain");
    let error = decrypt_file(&secret, &plain, &key(1), |_| true).unwrap_err();
    let text = format!(
        "E-EXISTS: {} is already there and is not replaced",
        plain.display()
    );
    assert_eq!((error.code(), error.to_string()), ("E-EXISTS", text));
    let error = decrypt_file(folder.path(), &plain, &key(1), |_| true).unwrap_err();
    assert_eq!(error.code(), "E-FILE");
    let error = encrypt_file(&plain, &folder.path().join("a"), &[], |_| {}).unwrap_err();
    assert_eq!(error.code(), "E-RECIPIENT");
}
