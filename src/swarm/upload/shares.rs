//! Dealing slots out fairly: round over subnets, then over addresses, before merit decides.

use std::collections::BTreeMap;

use super::client::Client;
use super::credit::Rank;
use super::turns::Who;
use crate::digest::Address;
use crate::swarm::event::Subnet;

/// What was given out so far, for going round.
#[derive(Debug, Default)]
pub(super) struct Shares {
    subnets: BTreeMap<Subnet, usize>,
    addresses: BTreeMap<Address, usize>,
}

impl Shares {
    /// Takes up to so many out of a pool, the first first, but those last that give nothing, and one of each subnet before a second of
    /// any, and likewise of each address.
    pub(super) fn deal<'a>(&mut self, pool: &mut Vec<&'a Client>, count: usize) -> Vec<&'a Client> {
        let mut dealt = Vec::new();
        while dealt.len() < count {
            let had = |client: &Client| {
                let Who {
                    subnet, address, ..
                } = client.who;
                let of_subnet = self.subnets.get(&subnet).copied().unwrap_or(0);
                let of_address = self.addresses.get(&address).copied().unwrap_or(0);
                (client.rank == Rank::Taker, of_subnet, of_address)
            };
            let next = (0..pool.len()).min_by_key(|at| (had(pool[*at]), *at));
            let Some(at) = next else { break };
            let client = pool.remove(at);
            *self.subnets.entry(client.who.subnet).or_default() += 1;
            *self.addresses.entry(client.who.address).or_default() += 1;
            dealt.push(client);
        }
        dealt
    }
}
