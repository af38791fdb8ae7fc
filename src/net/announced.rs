//! Where peers are told that we listen: what the socket says, and what a router does.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use crate::limits::LISTEN_ADDRESSES_MAX;

/// The addresses, as they are now. Clones share them.
#[derive(Debug, Clone)]
pub struct Announced(Arc<Addresses>);

#[derive(Debug)]
struct Addresses {
    own: RwLock<Vec<SocketAddr>>,
    /// Where a router leads from, if one does.
    outside: RwLock<Option<SocketAddr>>,
}

impl Announced {
    /// What this machine knows by itself.
    pub fn new(own: Vec<SocketAddr>) -> Self {
        let outside = RwLock::new(None);
        let own = RwLock::new(own);
        Self(Arc::new(Addresses { own, outside }))
    }

    /// All of them, the one outside first: it is the only one that strangers can use.
    pub fn all(&self) -> Vec<SocketAddr> {
        let outside = *self
            .0
            .outside
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let own = self.0.own.read().unwrap_or_else(PoisonError::into_inner);
        let others = own.iter().copied().filter(|own| Some(*own) != outside);
        outside
            .into_iter()
            .chain(others)
            .take(LISTEN_ADDRESSES_MAX)
            .collect()
    }

    /// This machine has other addresses than before.
    pub fn on_own(&self, own: Vec<SocketAddr>) {
        *self.0.own.write().unwrap_or_else(PoisonError::into_inner) = own;
    }

    /// A router leads from here to us, or none does any more.
    pub fn on_outside(&self, outside: Option<SocketAddr>) {
        *self
            .0
            .outside
            .write()
            .unwrap_or_else(PoisonError::into_inner) = outside;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_outside_comes_first_and_once() {
        let [own, other, outside]: [SocketAddr; 3] =
            ["10.0.0.2:7922", "10.1.0.2:7922", "1.2.3.4:7922"].map(|it| it.parse().unwrap());
        let announced = Announced::new(vec![own, other]);
        assert_eq!(announced.all(), [own, other]);
        announced.on_outside(Some(outside));
        assert_eq!(announced.clone().all(), [outside, own, other]);
        announced.on_own(vec![other]);
        assert_eq!(announced.all(), [outside, other]);
        announced.on_own(vec![own, other]);
        announced.on_outside(Some(other));
        assert_eq!(announced.all(), [other, own]);
        let many = Announced::new(vec![own; LISTEN_ADDRESSES_MAX]);
        many.on_outside(Some(outside));
        assert_eq!(many.all().len(), LISTEN_ADDRESSES_MAX);
    }
}
