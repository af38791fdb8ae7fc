//! Somebody who registers with a SwarmMaster by hand, and answers what it is asked by a script.

use std::net::SocketAddr;

use swarmhold::node::SwarmMaster;
use swarmhold::wire::{Holding, Nonce, Registration, Rejection, Reply, Request};
use swarmhold::{Address, Manifest, ManifestId, Wallet};

use crate::raw::{Raw, reply_in};
use crate::rogue::{Say, answer_on};

/// A connection to a master that has enlisted.
pub(crate) struct Registrant {
    pub(crate) raw: Raw,
    pub(crate) wallet: Wallet,
    pub(crate) nonce: Nonce,
    pub(crate) observed: SocketAddr,
    pub(crate) master: Address,
    sequence: u64,
}

impl Registrant {
    /// Connects as this wallet, enlists, and answers by the script from then on.
    pub(crate) async fn enlist(
        master: &SwarmMaster,
        wallet: Wallet,
        script: impl Fn(&Request) -> Say + Send + Sync + 'static,
    ) -> Self {
        let raw = Raw::greet_at(master.listen_address(), &wallet).await;
        answer_on(raw.connection.clone(), script);
        let heard = raw.ask(&Request::Enlist).await;
        let Reply::Enlisted {
            nonce, observed, ..
        } = reply_in(&heard)
        else {
            panic!("not enlisted: {heard:?}");
        };
        Self {
            raw,
            wallet,
            nonce,
            observed,
            master: master.address(),
            sequence: 0,
        }
    }

    /// A registration as it should be, but for its signature.
    pub(crate) fn plain(&mut self, id: ManifestId, chunks: u32) -> Registration {
        self.sequence += 1;
        Registration {
            id,
            held: Holding {
                chunks,
                map: u64::MAX,
            },
            ttl_s: 600,
            audience: self.master,
            nonce: self.nonce,
            sequence: self.sequence,
            public_key: self.wallet.public_key(),
            signature: [[0; 32]; 2],
        }
    }

    /// A registration as it should be.
    pub(crate) fn signed(&mut self, id: ManifestId, chunks: u32) -> Registration {
        let plain = self.plain(id, chunks);
        let signature = self.wallet.sign(&plain.signed_bytes());
        plain.signed(signature)
    }

    /// Sends a registration and hears what becomes of it.
    pub(crate) async fn send(&self, registration: Registration) -> Reply {
        reply_in(&self.raw.ask(&Request::Register(registration)).await)
    }

    /// Registers all of a container.
    pub(crate) async fn register(&mut self, manifest: &Manifest) -> Reply {
        let registration = self.signed(manifest.id(), manifest.layout().chunk_count());
        self.send(registration).await
    }
}

/// Whether a reply is this rejection.
pub(crate) fn is_rejected(reply: &Reply, why: Rejection) -> bool {
    *reply == Reply::Rejected(why)
}
