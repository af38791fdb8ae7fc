//! What surfaces wish of a container while it is fetched: its order, its readers, a pause, a new try.

use std::collections::VecDeque;
use std::time::Duration;

use super::Download;
use crate::digest::ManifestId;
use crate::moment::Moment;
use crate::swarm::container::Container;
use crate::swarm::event::Output;
use crate::swarm::wish::Wish;

/// A pause lets an answer finish that will be here within this time: less is lost than by asking
/// again, and nobody takes it for a pause that does not work.
const NEARLY: Duration = Duration::from_secs(1);

impl Download {
    /// A surface wishes something of a container.
    pub(in crate::swarm) fn on_steer(
        &mut self,
        now: Moment,
        id: &ManifestId,
        wish: Wish,
        out: &mut VecDeque<Output>,
    ) {
        let Some(container) = self.containers.get_mut(id) else {
            return;
        };
        match wish {
            Wish::Order(order) => {
                let chunks = container.layout.chunk_count();
                container.plan.on_order(order, chunks);
                self.all_hungry = true;
            }
            Wish::Readers(readers) => {
                container.plan.on_readers(readers);
                self.all_hungry = true;
            }
            Wish::Pause => {
                container.on_paused();
                self.take_most_back(now, id, out);
            }
            Wish::Resume => {
                container.on_resumed();
                self.all_hungry = true;
            }
            Wish::Stuck => {
                container.on_stopped();
                self.take_all_back(now, id, out);
            }
            Wish::Mended => {
                container.on_mended();
                self.all_hungry = true;
            }
            Wish::Limit(rates) => {
                container.pacer.on_limit(now, rates.down);
                self.all_hungry = true;
            }
        }
    }

    /// Another download limit holds for all containers together.
    pub(in crate::swarm) fn on_limit(&mut self, now: Moment, rate_max: Option<u64>) {
        self.pacer.on_limit(now, rate_max);
        self.all_hungry = true;
    }

    /// From when on limits let so many bytes be asked for.
    pub(super) fn may_ask_at(&self, now: Moment, container: &Container, bytes: u64) -> Moment {
        let own = container.pacer.next(now, bytes);
        own.max(self.pacer.next(now, bytes))
    }

    /// Bytes that were asked for will not come: others may be asked for instead.
    pub(super) fn put_back(&mut self, id: &ManifestId, bytes: u64) {
        let Some(container) = self.containers.get_mut(id).filter(|_| bytes > 0) else {
            return;
        };
        container.pacer.put_back(bytes);
        self.pacer.put_back(bytes);
    }

    /// Takes a container's requests back, but for answers that are nearly here.
    fn take_most_back(&mut self, now: Moment, id: &ManifestId, out: &mut VecDeque<Output>) {
        let flights = self.containers.get(id).map(|it| it.chunks.flights());
        let far = flights.into_iter().flatten().filter(|(_, ticket, key)| {
            let peer = self.peers.get(key);
            let near = peer.and_then(|peer| Some(peer.brings(&peer.flight(*ticket)?, NEARLY)));
            near == Some(false)
        });
        for (_, ticket, peer) in far.collect::<Vec<_>>() {
            self.cancel(now, peer, ticket, out);
        }
    }
}
