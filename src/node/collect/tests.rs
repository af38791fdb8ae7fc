//! What goes, what stays, and in which order.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::digest::{Address, Digest, ProgramId};
use crate::identity::Wallet;
use crate::manifest::{Draft, Layout};
use crate::node::clock::Clock;
use crate::node::config::Config;
use crate::node::library::Condition;
use crate::node::memory::Memory;
use crate::node::similar::SKETCH_MAX;
use crate::store::{Folders, Holding, State};

const KIB: u64 = 1024;

/// A home with a quota.
struct Home {
    folder: TempDir,
    library: Library,
}

fn manifest(name: &str, size: u64) -> Manifest {
    let layout = Layout::for_size(size).unwrap();
    let hash = Digest::of(name.as_bytes());
    let draft = Draft {
        name: name.to_owned(),
        layout,
        program_id: ProgramId::new(hash),
        chunk_hashes: vec![hash; layout.chunk_count() as usize],
        reach: None,
        time: 0,
        peers: vec![],
    };
    draft.unsigned(Address::new(Digest::of(b"key"))).unwrap()
}

impl Home {
    fn with_quota(quota: u64) -> Self {
        Self::at(TempDir::new().unwrap(), quota)
    }

    fn at(folder: TempDir, quota: u64) -> Self {
        let folders = Arc::new(Folders::open(folder.path()).unwrap());
        let library = Library::over(State::open(folder.path()), folders, Some(quota));
        Self { folder, library }
    }

    /// A container that was fetched into the node's folder at this time.
    fn keeps(&self, name: &str, size: u64, used: u64) -> Manifest {
        let manifest = manifest(name, size);
        self.library.admit(&manifest, None).unwrap();
        let path = self.library.folders.container(manifest.program_id());
        File::create_new(path).unwrap().set_len(size).unwrap();
        self.used(&manifest, used);
        manifest
    }

    /// A file of the user's that is shared.
    fn shares(&self, name: &str, size: u64, used: u64) -> (Manifest, PathBuf) {
        let (manifest, path) = (manifest(name, size), self.folder.path().join(name));
        File::create_new(&path).unwrap().set_len(size).unwrap();
        self.library.admit(&manifest, Some(&path)).unwrap();
        self.used(&manifest, used);
        (manifest, path)
    }

    /// Sets when it was last used: rows are made anew.
    fn used(&self, manifest: &Manifest, used: u64) {
        let state = &self.library.state;
        let mut row = state.container(manifest.id()).unwrap().unwrap();
        row.used = used;
        state.drop_containers(vec![row.manifest_id]).unwrap();
        state.keep_container(row).unwrap();
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.library.list().unwrap();
        names.reverse();
        names.into_iter().map(|known| known.name).collect()
    }

    fn pin(&self, name: &str) {
        let known = self.library.find(name).unwrap();
        self.library.pin(&known, Pin::Pinned).unwrap();
    }
}

#[test]
fn the_oldest_use_goes_first_and_pins_stay() {
    let mut home = Home::with_quota(u64::MAX);
    for (name, used) in [("third", 30), ("pinned", 5), ("first", 10), ("second", 20)] {
        home.keeps(name, 100 * KIB, used);
    }
    let (_, path) = home.shares("shared", 100 * KIB, 1);
    home.pin("pinned");
    home.library.quota = Some(210 * KIB);
    let planned = home.library.collect(Collecting::Planning).unwrap();
    assert_eq!(
        home.names(),
        ["shared", "pinned", "first", "second", "third"]
    );
    let removed = home.library.collect(Collecting::Removing).unwrap();
    assert_eq!(removed, planned);
    let gone: Vec<_> = removed.containers.iter().map(|it| &*it.name).collect();
    assert_eq!(gone, ["first", "second"]);
    assert_eq!(home.names(), ["shared", "pinned", "third"]);
    assert!(home.library.taken().unwrap() <= 210 * KIB);
    // with nothing else left, what is known of the user's file goes, and the file stays
    home.library.quota = Some(0);
    home.library.collect(Collecting::Removing).unwrap();
    assert_eq!(home.names(), ["pinned"]);
    assert!(path.exists());
}

#[test]
fn a_partial_in_use_stays() {
    let mut home = Home::with_quota(u64::MAX);
    let manifest = manifest("partial", 100 * KIB);
    home.library.admit(&manifest, None).unwrap();
    let mut part = home
        .library
        .folders
        .container(manifest.program_id())
        .into_os_string();
    part.push(".part");
    let file = File::create_new(&part).unwrap();
    file.set_len(100 * KIB).unwrap();
    file.lock().unwrap();
    home.library.quota = Some(0);
    let nothing = home.library.collect(Collecting::Removing).unwrap();
    assert_eq!((&nothing.containers[..], nothing.freed), (&[][..], 0));
    assert_eq!(nothing.in_use[0].name, "partial");
    let error = home
        .library
        .remove(&home.library.find("partial").unwrap())
        .unwrap_err();
    assert!(matches!(error, LibraryError::Remove(RemoveError::InUse(_))));
    drop(file);
    home.library.in_use.begin(manifest.id());
    assert_eq!(home.library.collect(Collecting::Removing).unwrap(), nothing);
    home.library.in_use.end(&manifest.id());
    let collected = home.library.collect(Collecting::Removing).unwrap();
    assert_eq!(
        (collected.containers.len(), Path::new(&part).exists()),
        (1, false)
    );
}

#[test]
fn what_fits_takes_the_place_of_what_is_oldest_and_what_does_not_is_refused() {
    let home = Home::with_quota(310 * KIB);
    for (name, used) in [("a", 1), ("b", 2), ("c", 3)] {
        home.keeps(name, 100 * KIB, used);
    }
    home.keeps("d", 150 * KIB, 4);
    assert_eq!(home.names(), ["c", "d"], "what was oldest went");
    home.pin("c");
    home.pin("d");
    let large = manifest("large", 100 * KIB);
    let needed = 100 * KIB + large.to_json().len() as u64;
    let error = home.library.admit(&large, None).unwrap_err();
    let taken = home.library.taken().unwrap();
    assert_eq!(
        error.to_string(),
        format!(
            "E-QUOTA: \"large\" takes {needed} B; of the quota of 317440 B, {taken} B are pinned or in use"
        )
    );
    assert_eq!(
        home.names(),
        ["c", "d"],
        "nothing is known of what was refused"
    );
    // what is larger than the quota throws nothing out
    let home = Home::with_quota(310 * KIB);
    home.keeps("a", 100 * KIB, 1);
    assert!(
        home.library
            .admit(&manifest("huge", 400 * KIB), None)
            .is_err()
    );
    assert_eq!(home.names(), ["a"]);
    // what is there already needs no room, and a path of the user's none at all
    home.library.admit(&manifest("a", 100 * KIB), None).unwrap();
    let elsewhere = home.folder.path().join("elsewhere");
    home.library
        .admit(&manifest("huge", 400 * KIB), Some(&elsewhere))
        .unwrap();
    assert_eq!(home.names().len(), 2);
}

#[test]
fn a_lost_state_is_made_again_from_manifests_and_data() {
    let home = Home::with_quota(u64::MAX);
    let kept = home.keeps("kept", 100 * KIB, 1);
    let only = manifest("only its manifest", 5);
    home.library.folders.save_manifest(&only).unwrap();
    let Home { folder, library } = home;
    drop(library);
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        fs::write(folder.path().join(name), b"garbage, and not little of it").unwrap();
    }
    // what is shared meanwhile does not hide the rest
    let folders = Arc::new(Folders::open(folder.path()).unwrap());
    let library = Library::over(State::open(folder.path()), folders, None);
    let path = folder.path().join("shared");
    library.admit(&manifest("shared", 5), Some(&path)).unwrap();
    drop(library);
    let library = Library::open(folder.path(), None);
    assert_eq!(library.find("shared").unwrap().path, path);
    let found = library.find("kept").unwrap();
    assert_eq!(
        (found.manifest_id, found.condition),
        (kept.id(), Condition::Complete)
    );
    let found = library.find(&only.id().to_string()).unwrap();
    assert_eq!(found.condition, Condition::Manifest);
    assert!(library.taken().unwrap() > 100 * KIB);
    assert!(folder.path().join("state.db.damaged-1").exists());
}

#[test]
fn containers_are_found_by_whatever_names_exactly_one() {
    let home = Home::with_quota(u64::MAX);
    let one = home.keeps("app.tar", 5, 1);
    let (two, path) = home.shares("film.mkv", 6, 2);
    let of = |manifest: &Manifest| (manifest.id().to_string(), manifest.program_id().to_string());
    let ((id, program), found) = (of(&one), |text: &str| home.library.find(text));
    let link = format!("swarmhold:{program}");
    for text in ["app.tar", &id, &program, &id[..6], &program[..6], &link] {
        assert_eq!(found(text).unwrap().manifest_id, one.id(), "{text}");
    }
    assert_eq!(found(path.to_str().unwrap()).unwrap().manifest_id, two.id());
    for text in [&id[..5], "App.tar", "", "swarmhold:x"] {
        assert!(
            matches!(found(text), Err(LibraryError::Unknown(_))),
            "{text}"
        );
    }
    // another manifest of the same name
    let other = home.keeps("app.tar ", 5, 3);
    home.library
        .state
        .drop_containers(vec![other.id()])
        .unwrap();
    let mut row = home.library.state.container(one.id()).unwrap().unwrap();
    row.manifest_id = other.id();
    home.library.state.keep_container(row).unwrap();
    let error = found("app.tar").unwrap_err().to_string();
    assert!(
        error.starts_with("E-AMBIGUOUS: \"app.tar\" names 2 containers\n  "),
        "{error}"
    );
}

/// A home on a disk that does not make syncs wait, where there is one.
fn quick_home(quota: u64) -> Home {
    let in_memory = Path::new("/dev/shm");
    let folder = match in_memory.is_dir() {
        true => TempDir::new_in(in_memory).unwrap(),
        false => TempDir::new().unwrap(),
    };
    Home::at(folder, quota)
}

/// A33.
#[test]
fn ten_thousand_manifests_stay_within_the_quota() {
    const QUOTA: u64 = 4 << 20;
    let home = quick_home(QUOTA);
    let path = home.folder.path().join("one file of the user's");
    for number in 0..10_000 {
        let manifest = manifest(&format!("manifest {number}"), 40_000);
        home.library.admit(&manifest, Some(&path)).unwrap();
        // nothing of it is fetched
        let there = home.library.folders.holding(manifest.program_id());
        assert_eq!(there, Holding::Nothing);
    }
    let taken = home.library.taken().unwrap();
    let deluges = home.folder.path().join("wwwdata/deluges");
    let sizes = fs::read_dir(deluges).unwrap();
    let on_disk: u64 = sizes.map(|it| it.unwrap().metadata().unwrap().len()).sum();
    assert!(
        on_disk <= QUOTA && on_disk == taken,
        "{on_disk} B, and {taken} B are written down"
    );
    assert!(on_disk > QUOTA / 2, "{on_disk} B of manifests are kept");
}

/// A33, and what idle containers cost: nothing but their rows.
#[test]
fn ten_thousand_containers_take_little_of_the_state_and_nothing_of_memory() {
    const MANY: u64 = 10_000;
    let Home { folder, library } = quick_home(u64::MAX);
    let (mut rows, mut sketches) = (Vec::new(), Vec::new());
    for number in 0..MANY {
        let id = ManifestId::new(Digest::of(&number.to_le_bytes()));
        rows.push(ContainerRow {
            manifest_id: id,
            program_id: ProgramId::new(Digest::of(id.digest().as_bytes())),
            name: "the longest name that a manifest may have: sixty-four characters".to_owned(),
            size: 64 << 30,
            chunks: 4096,
            path: Some(
                folder
                    .path()
                    .join("a file of the user's, not far from home"),
            ),
            pin: Pin::Loose,
            kept: 0,
            manifest_bytes: 300_000,
            used: number,
        });
        let hash = |of: u64| {
            let digest = Digest::of(&(number * 64 + of).to_le_bytes());
            u64::from_le_bytes(digest.as_bytes()[..8].try_into().unwrap())
        };
        sketches.push((id, (0..SKETCH_MAX as u64).map(hash).collect()));
    }
    // a few at a time, so that the trees of the file fill up as they do when one comes after the other
    for few in rows.chunks(20) {
        library.state.keep_containers(few.to_vec()).unwrap();
    }
    for few in sketches.chunks(20) {
        library.state.keep_sketches(few.to_vec()).unwrap();
    }
    drop(library);
    let size = fs::metadata(folder.path().join("state.db")).unwrap().len();
    assert!(
        size <= MANY * 4096,
        "{size} B of state for {MANY} containers"
    );

    let empty = TempDir::new().unwrap();
    let started_in = |home: &Path| {
        let config = Config::new(home, Wallet::from_seed([1; 32]));
        let folders = Folders::open(home).unwrap();
        let mut memory = None;
        let info = allocation_counter::measure(|| {
            memory = Some(Memory::load(&config, folders, Clock::start()));
        });
        (info.bytes_current, memory)
    };
    let ((many, memory), (none, _)) = (started_in(folder.path()), started_in(empty.path()));
    let grown = u64::try_from(many - none).unwrap_or(0);
    assert!(grown < MANY, "{grown} B for {MANY} idle containers");
    let (count, _) = memory.unwrap().library.state.room_taken().unwrap();
    assert_eq!(count, MANY);
}

#[test]
fn a_lost_state_is_made_again_behind_the_start_of_a_node() {
    let home = Home::with_quota(u64::MAX);
    for name in ["a", "b", "c"] {
        home.keeps(name, 100 * KIB, 1);
    }
    let Home { folder, library } = home;
    drop(library);
    for file in ["state.db", "state.db-wal", "state.db-shm"] {
        fs::remove_file(folder.path().join(file)).unwrap();
    }
    let config = Config::new(folder.path(), Wallet::from_seed([1; 32]));
    let folders = Folders::open(folder.path()).unwrap();
    let library = Memory::load(&config, folders, Clock::start()).library;
    while library.list().unwrap().len() < 3 {
        std::thread::yield_now();
    }
    let conditions = library.list().unwrap().into_iter().map(|it| it.condition);
    assert!(conditions.into_iter().all(|it| it == Condition::Complete));
}
