//! Which addresses of a node are told to one who asks for it.
//!
//! Never more than the asker can use: addresses of a private network are told to those only who speak
//! from the same place, or where the master itself is asked from such a network.

use std::net::SocketAddr;

use crate::node::reach::is_global;
use crate::store::index::Listed;
use crate::wire::Holder;

/// Where to try a holder, the likeliest first. None where there is nowhere that this asker could reach.
pub(super) fn holder(listed: &Listed, asker: SocketAddr) -> Option<Holder> {
    let remote = listed.seat.remote;
    let is_near = asker.ip() == remote.ip() || !is_global(asker.ip());
    let fits = |at: &&SocketAddr| is_near || is_global(at.ip());
    let seen = std::iter::once(&remote);
    // behind one address translation, its outside is often no way in
    let all: Vec<&SocketAddr> = match asker.ip() == remote.ip() && !listed.candidate.is_open {
        true => listed.listen.iter().chain(seen).collect(),
        false => seen.chain(&listed.listen).collect(),
    };
    let mut at = [None; 3];
    let mut count = 0;
    for address in all.into_iter().filter(fits) {
        if count < at.len() && !at.contains(&Some(*address)) {
            at[count] = Some(*address);
            count += 1;
        }
    }
    (count > 0).then_some(Holder {
        address: listed.seat.address,
        manifest_id: listed.manifest_id,
        held: listed.held,
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Address, Digest, ManifestId};
    use crate::index::{Candidate, Seat};
    use crate::wire::Holding;

    fn told(remote: &str, listen: &[&str], is_open: bool, asker: &str) -> Vec<String> {
        let listed = Listed {
            seat: Seat {
                address: Address::new(Digest::of(b"node")),
                remote: remote.parse().unwrap(),
            },
            manifest_id: ManifestId::new(Digest::of(b"container")),
            held: Holding { chunks: 1, map: 1 },
            listen: listen.iter().map(|at| at.parse().unwrap()).collect(),
            candidate: Candidate {
                subnet: 1,
                is_open,
                is_whole: true,
            },
        };
        let holder = holder(&listed, asker.parse().unwrap());
        let at = holder.map_or([None; 3], |holder| holder.at);
        at.into_iter().flatten().map(|at| at.to_string()).collect()
    }

    #[test]
    fn private_addresses_are_told_to_neighbours_only() {
        let inside = ["10.0.0.7:7922"];
        let outside = "198.51.100.7:40000";
        assert_eq!(told(outside, &inside, false, "203.0.113.1:1"), [outside]);
        let near = told(outside, &inside, false, "198.51.100.7:50000");
        assert_eq!(near, ["10.0.0.7:7922", outside]);
        let local = told(
            "127.0.0.1:4000",
            &["127.0.0.1:4000"],
            true,
            "127.0.0.1:5000",
        );
        assert_eq!(local, ["127.0.0.1:4000"]);
        assert!(told("10.0.0.7:7922", &inside, true, "203.0.113.1:1").is_empty());
        let open = told(
            "198.51.100.7:7922",
            &["198.51.100.7:7922", "[2001:db8::7]:7922"],
            true,
            "203.0.113.1:1",
        );
        assert_eq!(open, ["198.51.100.7:7922", "[2001:db8::7]:7922"]);
    }
}
