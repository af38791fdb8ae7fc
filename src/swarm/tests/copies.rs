//! Chunks that are copied on this node: not asked for meanwhile, and asked for where that fails.

use super::*;

fn indexes(chunks: impl IntoIterator<Item = u32>) -> Vec<ChunkIndex> {
    chunks.into_iter().map(ChunkIndex::new).collect()
}

fn local(bench: &mut Bench, chunks: impl IntoIterator<Item = u32>) {
    let (id, chunks) = (container(1), indexes(chunks));
    bench.tell(Input::Local { id, chunks });
}

/// Every copy that is under way succeeds, and so on until none is. Their chunks.
fn copy_all(bench: &mut Bench) -> Vec<u32> {
    let mut copied = Vec::new();
    while let Some(ticket) = bench.copying.pop() {
        let said = bench.said.iter().find_map(|output| match output {
            Output::Copy {
                ticket: this,
                chunk,
                ..
            } if *this == ticket => Some(chunk.get()),
            _ => None,
        });
        copied.push(said.expect("it was wanted"));
        bench.tell(Input::Copied { ticket });
    }
    copied.sort_unstable();
    copied
}

fn fetch_all(bench: &mut Bench, key: u64) -> Vec<u32> {
    let mut fetched = Vec::new();
    while let Some(ticket) = bench.out_at(key).first().copied() {
        fetched.push(bench.requests[&ticket].2.get());
        bench.store(ticket);
    }
    fetched.sort_unstable();
    fetched
}

#[test]
fn what_another_container_holds_is_copied_and_not_asked_for() {
    let mut bench = Bench::wanting(64);
    local(&mut bench, (0..60).chain([64, 4096, 5]));
    assert_eq!(bench.copying.len(), 8, "a few at a time");
    bench.connect(1, Bitfield::full(64));
    assert_eq!(fetch_all(&mut bench, 1), [60, 61, 62, 63]);
    assert_eq!(copy_all(&mut bench), (0..60).collect::<Vec<_>>());
    let id = container(1);
    assert_eq!(bench.said.last(), Some(&Output::Complete { id }));
    let tally = bench.swarm.tally(&id).unwrap();
    assert_eq!((tally.reused_chunks, tally.total.chunks), (60, 4));
    assert_eq!(tally.reused_bytes, 60 * u64::from(CHUNK));
    let announced = |it: &&Output| matches!(it, Output::Announce { .. });
    assert_eq!(bench.said.iter().filter(announced).count(), 64);
}

#[test]
fn a_copy_that_fails_is_fetched() {
    let mut bench = Bench::wanting(8);
    local(&mut bench, 0..8);
    bench.connect(1, Bitfield::full(8));
    assert!(bench.requests.is_empty());
    let ticket = bench.copying.remove(0);
    bench.tell(Input::NotCopied { ticket });
    assert_eq!(fetch_all(&mut bench, 1), [0]);
    assert_eq!(bench.tell(Input::Copied { ticket }), 0, "it was over");
    assert_eq!(copy_all(&mut bench).len(), 7);
    assert!(bench.swarm.have(&container(1)).unwrap().is_full());
}

#[test]
fn a_copy_that_cannot_be_written_stops_the_container() {
    let mut bench = Bench::wanting(8);
    local(&mut bench, 0..1);
    let ticket = bench.copying[0];
    bench.said.clear();
    bench.tell(Input::StoreFailed { ticket });
    assert_eq!(bench.said, [Output::Stopped { id: container(1) }]);
}

#[test]
fn many_chunks_with_the_same_bytes_are_fetched_once() {
    let mut bench = Bench::wanting(4096);
    let (id, groups) = (container(1), vec![indexes(0..4096)]);
    bench.tell(Input::Repeats { id, groups });
    bench.connect(1, Bitfield::full(4096));
    bench.connect(2, Bitfield::full(4096));
    assert_eq!(bench.requests.len(), 1);
    let key = if bench.out_at(1).is_empty() { 2 } else { 1 };
    assert_eq!(fetch_all(&mut bench, key).len(), 1);
    assert_eq!(copy_all(&mut bench).len(), 4095);
    assert!(bench.swarm.have(&id).unwrap().is_full());
}

#[test]
fn repeats_of_what_is_here_are_copied_at_once() {
    let mut bench = Bench::new();
    let (id, layout) = (
        container(1),
        Layout::new(8 * u64::from(CHUNK), CHUNK).unwrap(),
    );
    let (have, trust) = (set(8, [5]), Trust::Pinned);
    bench.tell(Input::Add {
        id,
        layout,
        have,
        trust,
    });
    let groups = vec![indexes([2, 5, 7, 9]), indexes([0, 1]), indexes([1, 7, 3])];
    bench.tell(Input::Repeats { id, groups });
    assert_eq!(copy_all(&mut bench), [2, 7]);
    bench.connect(1, Bitfield::full(8));
    assert_eq!(fetch_all(&mut bench, 1), [0, 3, 4, 6]);
    assert_eq!(copy_all(&mut bench), [1]);
}

#[test]
fn a_repeat_is_fetched_where_nobody_has_what_it_repeats() {
    let mut bench = Bench::wanting(8);
    let (id, groups) = (container(1), vec![indexes([2, 5])]);
    bench.tell(Input::Repeats { id, groups });
    bench.connect(1, set(8, [5]));
    assert_eq!(fetch_all(&mut bench, 1), [5]);
    assert_eq!(copy_all(&mut bench), [2]);
}

#[test]
fn a_pause_holds_copies_back_and_removal_forgets_them() {
    let mut bench = Bench::wanting(64);
    let (id, wish) = (container(1), Wish::Pause);
    bench.tell(Input::Steer { id, wish });
    local(&mut bench, 0..64);
    assert!(bench.copying.is_empty());
    let wish = Wish::Resume;
    bench.tell(Input::Steer { id, wish });
    let before = std::mem::take(&mut bench.copying);
    assert_eq!(before.len(), 8);
    bench.tell(Input::Remove { id });
    bench.add(1, 64, Trust::Pinned);
    for ticket in before {
        assert_eq!(bench.tell(Input::Copied { ticket }), 0);
    }
    assert!(bench.swarm.have(&id).unwrap().is_empty());
}

#[test]
fn a_repeat_is_copied_from_one_that_is_here() {
    let mut bench = Bench::wanting(8);
    let (id, groups) = (container(1), vec![indexes([1, 4, 6])]);
    bench.tell(Input::Repeats { id, groups });
    bench.connect(1, Bitfield::full(8));
    fetch_all(&mut bench, 1);
    let likes = bench.said.iter().filter_map(|output| match output {
        Output::Copy { chunk, like, .. } => Some((chunk.get(), like.map(ChunkIndex::get))),
        _ => None,
    });
    let likes: Vec<_> = likes.collect();
    assert_eq!(likes, [(4, Some(1)), (6, Some(1))]);
}
