//! Who takes part: names, upload limits, and when each one enters.

use std::collections::BTreeMap;

use swarmhold::Address;

use crate::args::Args;

/// The name of the node that has the container from the start.
pub(crate) const PUBLISHER: &str = "publisher";
/// The name of the peer that lies.
pub(crate) const LIAR: &str = "mallory";

/// One leecher to be.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// What the tables call it.
    pub(crate) name: String,
    /// Its upload limit in bytes per second.
    pub(crate) rate: u64,
    /// When it enters.
    pub(crate) entrance: Entrance,
}

/// When a leecher enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// At the start.
    AtOnce,
    /// When those who entered at the start have this share of the container, in percent.
    Late(u64),
}

/// The leechers that the arguments ask for, in the order in which they enter.
pub(crate) fn leechers(args: &Args) -> Vec<Part> {
    let peers = (1..=args.nodes).map(|number| {
        let is_slow = args.slow && number == args.nodes;
        Part {
            name: if is_slow {
                format!("slow-{number}")
            } else {
                format!("peer-{number}")
            },
            rate: if is_slow {
                (args.rate / 100).max(1)
            } else {
                args.rate
            },
            entrance: Entrance::AtOnce,
        }
    });
    let late = (1..=args.late).map(|number| Part {
        name: format!("late-{number}"),
        rate: args.rate,
        // the first at 30 %, the last at 60 %
        entrance: Entrance::Late(30 + 30 * u64::from(number - 1) / u64::from(args.late - 1).max(1)),
    });
    peers.chain(late).collect()
}

/// What the tables call each address.
#[derive(Debug, Default)]
pub(crate) struct Names {
    names: BTreeMap<Address, String>,
}

impl Names {
    /// Gives an address its name.
    pub(crate) fn insert(&mut self, address: Address, name: &str) {
        self.names.insert(address, name.to_owned());
    }

    /// The name of an address, or the start of it where nobody knows it.
    pub(crate) fn of(&self, address: Address) -> String {
        let known = self.names.get(&address).cloned();
        known.unwrap_or_else(|| address.short())
    }
}
