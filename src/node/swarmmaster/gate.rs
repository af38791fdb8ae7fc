//! How much one wallet and one subnet may ask of a master.
//!
//! A subnet may ask for as much as ten wallets, so that many wallets in one place gain little.

use std::time::Duration;

use crate::digest::Address;
use crate::index::{Meter, Pace};
use crate::moment::Moment;

/// Registrations of one wallet: all that it may have listed at once, and then so many a second.
const REGISTER: Pace = Pace {
    per_second: 50,
    burst: 1000,
};
/// Lookups of one wallet: one for each container that it fetches, now and then.
const LOOKUP: Pace = Pace {
    per_second: 200,
    burst: 1000,
};
/// Searches of one wallet: somebody who types fast, and sees what each letter finds.
const SEARCH: Pace = Pace {
    per_second: 20,
    burst: 60,
};
/// Invitations of one wallet: one for each peer behind a router, and again where that came to nothing.
const MEET: Pace = Pace {
    per_second: 2,
    burst: 40,
};
/// Wallets of one subnet that may all do so at the same time.
const WALLETS: u32 = 10;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Register,
    Lookup,
    Search,
    Meet,
}

/// The meters.
#[derive(Debug)]
pub(super) struct Gate {
    register: Pair,
    lookup: Pair,
    search: Pair,
    meet: Pair,
}

#[derive(Debug)]
struct Pair {
    wallets: Meter<Address>,
    subnets: Meter<u64>,
}

impl Gate {
    /// Nobody has asked for anything yet.
    pub(super) const fn new() -> Self {
        Self {
            register: Pair::new(REGISTER),
            lookup: Pair::new(LOOKUP),
            search: Pair::new(SEARCH),
            meet: Pair::new(MEET),
        }
    }

    /// Lets a request in, or says when to come back.
    pub(super) fn admit(
        &mut self,
        now: Moment,
        kind: Kind,
        who: Address,
        subnet: u64,
    ) -> Result<(), Duration> {
        let pair = match kind {
            Kind::Register => &mut self.register,
            Kind::Lookup => &mut self.lookup,
            Kind::Search => &mut self.search,
            Kind::Meet => &mut self.meet,
        };
        pair.wallets.take(now, who)?;
        pair.subnets.take(now, subnet)
    }
}

impl Pair {
    const fn new(pace: Pace) -> Self {
        Self {
            wallets: Meter::new(pace),
            subnets: Meter::new(pace.times(WALLETS)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    #[test]
    fn many_wallets_of_one_subnet_get_what_ten_get() {
        let mut gate = Gate::new();
        let mut passed = 0;
        for wallet in 0..100u32 {
            let who = Address::new(Digest::of(&wallet.to_le_bytes()));
            for _ in 0..100 {
                let admitted = gate.admit(Moment::ORIGIN, Kind::Search, who, 1);
                passed += u32::from(admitted.is_ok());
            }
        }
        assert_eq!(passed, SEARCH.burst * WALLETS);
        let who = Address::new(Digest::of(b"elsewhere"));
        let admitted = gate.admit(Moment::ORIGIN, Kind::Search, who, 2);
        assert_eq!(admitted, Ok(()));
    }
}
