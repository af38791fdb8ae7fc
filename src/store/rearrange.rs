//! Moving chunks within a `.part` whose manifest turned out to be wrong, to where the next manifest
//! wants them.
//!
//! Two manifests of one container may share chunks at different places. What one brought is read,
//! verified for the other, and written where that has it; a chunk that would be overwritten before it
//! was read waits in memory. Nothing but the bytes is believed, so a manifest that lied, or a disk
//! that forgot, costs a chunk that is fetched again.
//!
//! Invariant: a place is written to only when no chunk that is still to be read lies there.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;

use crate::chunk::{Bitfield, ChunkIndex};
use crate::digest::Digest;
use crate::limits::REARRANGE_BYTES_MAX;
use crate::manifest::{Layout, Manifest, VerifiedChunk};

use super::content::Content;
use super::error::WriteError;
use super::whole::Span;

/// One chunk on its way.
struct Move {
    to: ChunkIndex,
    from: Range<u64>,
    /// Its bytes, once they had to make room.
    lifted: Option<VerifiedChunk>,
}

impl Content {
    /// Takes over chunks that lie where another manifest of this container had them. To be called
    /// after [`resume`](Self::resume), before downloading; `held` are the chunks that the other
    /// manifest's download had.
    pub fn take_over(&self, other: &Manifest, held: &Bitfield) -> Result<Bitfield, WriteError> {
        let mut waiting = self.moves(other, held);
        let mut unread = Unread::of(other.layout(), &waiting);
        let (mut lifted_bytes, mut blocked) = (0, 0);
        while let Some(mut next) = waiting.pop_front() {
            let place = self.place(next.to);
            if next.lifted.is_none() {
                unread.remove(&next.from);
            }
            if unread.is_free(&place) {
                blocked = 0;
                let lifted = next.lifted.take();
                lifted_bytes -= lifted.as_ref().map_or(0, |chunk| chunk.bytes().len());
                if let Some(chunk) = lifted.or_else(|| self.read_for(&next)) {
                    self.put(&chunk)?;
                }
                continue;
            }
            blocked += 1;
            if next.lifted.is_none() && blocked > waiting.len() {
                // Everybody waits for somebody. One is lifted out of the way; where memory has no
                // room for it, it is fetched again.
                blocked = 0;
                let has_room = lifted_bytes < REARRANGE_BYTES_MAX;
                next.lifted = has_room.then(|| self.read_for(&next)).flatten();
                let Some(chunk) = &next.lifted else {
                    continue;
                };
                lifted_bytes += chunk.bytes().len();
            } else if next.lifted.is_none() {
                unread.insert(&next.from);
            }
            waiting.push_back(next);
        }
        Ok(self.have())
    }

    /// What is missing here and was there, other than at its own place.
    fn moves(&self, other: &Manifest, held: &Bitfield) -> VecDeque<Move> {
        let mut places: HashMap<(Digest, u32), Range<u64>> = HashMap::new();
        for chunk in held.iter() {
            let layout = other.layout();
            let (hash, len) = (other.chunk_hash(chunk), layout.chunk_len(chunk));
            if let (Some(hash), Some(len), Some(at)) = (hash, len, layout.offset(chunk)) {
                places.insert((hash, len), at..at + u64::from(len));
            }
        }
        let size = self.layout().size();
        let missing = self.layout().chunks().filter(|chunk| !self.holds(*chunk));
        let moved = missing.filter_map(|to| {
            let hash = self.manifest.chunk_hash(to)?;
            let from = places.get(&(hash, self.layout().chunk_len(to)?))?.clone();
            // The file has the new size already: what lay beyond is gone.
            (from.end <= size).then_some(Move {
                to,
                from,
                lifted: None,
            })
        });
        moved.collect()
    }

    fn place(&self, chunk: ChunkIndex) -> Range<u64> {
        let span = Span::of(self.layout(), chunk).expect("a move leads to a chunk that exists");
        span.offset..span.offset + span.len as u64
    }

    /// The bytes of a move, if they are still what they should be.
    fn read_for(&self, next: &Move) -> Option<VerifiedChunk> {
        let len = usize::try_from(next.from.end - next.from.start).ok()?;
        let mut bytes = vec![0; len];
        let found = self.disk.read_at(&mut bytes, next.from.start).ok()?;
        (found == len).then_some(())?;
        VerifiedChunk::verify(&self.manifest, next.to, bytes.into()).ok()
    }
}

/// Where chunks lie that are still to be read, by the other manifest's cut.
struct Unread {
    layout: Layout,
    readers: BTreeMap<u64, usize>,
}

impl Unread {
    fn of(layout: Layout, moves: &VecDeque<Move>) -> Self {
        let mut unread = Self {
            layout,
            readers: BTreeMap::new(),
        };
        moves.iter().for_each(|next| unread.insert(&next.from));
        unread
    }

    fn insert(&mut self, from: &Range<u64>) {
        *self.readers.entry(from.start).or_default() += 1;
    }

    fn remove(&mut self, from: &Range<u64>) {
        if let Some(readers) = self.readers.get_mut(&from.start) {
            *readers -= 1;
            if *readers == 0 {
                self.readers.remove(&from.start);
            }
        }
    }

    /// Whether nothing that is still to be read lies in this place.
    fn is_free(&self, place: &Range<u64>) -> bool {
        let reach = u64::from(self.layout.chunk_size()) - 1;
        let first = place.start.saturating_sub(reach);
        self.readers.range(first..place.end).next().is_none()
    }
}
