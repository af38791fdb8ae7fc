//! Which chunks of a container none of its downloaders holds.
//!
//! Invariant: a chunk is in `unheld` if and only if its count is 0. So what one downloader says costs as
//! much as it says, however many others there are.

use crate::chunk::{Bitfield, ChunkIndex};

/// The chunks that nobody holds, of some downloaders.
#[derive(Debug)]
pub(super) struct Unheld {
    /// How many hold each chunk.
    holders: Vec<u32>,
    unheld: Bitfield,
}

impl Unheld {
    /// All of so many chunks: there is no downloader.
    pub(super) fn new(chunks: u32) -> Self {
        Self {
            holders: vec![0; chunks as usize],
            unheld: Bitfield::full(chunks),
        }
    }

    /// The chunks that nobody holds.
    pub(super) fn chunks(&self) -> &Bitfield {
        &self.unheld
    }

    /// A downloader holds one more.
    pub(super) fn on_held(&mut self, chunk: ChunkIndex) {
        self.holders[chunk.as_usize()] += 1;
        self.unheld.remove(chunk);
    }

    /// A downloader that holds these is there.
    pub(super) fn on_holder(&mut self, held: &Bitfield) {
        held.iter().for_each(|chunk| self.on_held(chunk));
    }

    /// A downloader that held these is there no more.
    pub(super) fn on_holder_gone(&mut self, held: &Bitfield) {
        for chunk in held.iter() {
            let holders = &mut self.holders[chunk.as_usize()];
            *holders -= 1;
            if *holders == 0 {
                self.unheld.insert(chunk);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_what_a_search_over_everybody_finds(
            steps in prop::collection::vec((0usize..5, prop::collection::vec(0u32..40, 0..20)), 0..60),
        ) {
            let mut unheld = Unheld::new(40);
            let mut all = vec![Bitfield::empty(40); 5];
            for (who, chunks) in steps {
                let mut held = Bitfield::empty(40);
                for chunk in chunks {
                    held.insert(ChunkIndex::new(chunk));
                }
                unheld.on_holder(&held);
                unheld.on_holder_gone(&std::mem::replace(&mut all[who], held));
            }
            for chunk in (0..40).map(ChunkIndex::new) {
                let is_held = all.iter().any(|held| held.contains(chunk));
                prop_assert_eq!(unheld.chunks().contains(chunk), !is_held);
            }
        }
    }
}
