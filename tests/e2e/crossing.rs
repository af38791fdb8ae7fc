//! Two nodes that dial each other at the same moment: one connection is left, and both get what they want.

use crate::world::{World, noise};

/// How often, unless `SWARMHOLD_DIALS` says.
const ROUNDS: u64 = 40;

#[tokio::test]
async fn of_dials_that_cross_one_connection_is_left_and_nothing_is_lost() {
    let rounds = std::env::var("SWARMHOLD_DIALS").ok();
    let rounds = rounds.map_or(ROUNDS, |text| text.parse().unwrap());
    for round in 0..rounds {
        let world = World::new();
        let alice = world.node(&format!("alice {round}")).await;
        let bob = world.node(&format!("bob {round}")).await;
        let (hers, his) = (noise(2 * round, 200_000), noise(2 * round + 1, 200_000));
        let (from_her, from_him) = (alice.seed(&hers).await, bob.seed(&his).await);
        let (to_him, to_her) = ([bob.hint()], [alice.hint()]);
        let (mut hers_grows, mut his_grows) = tokio::join!(
            alice.fetch(&from_him, &to_him),
            bob.fetch(&from_her, &to_her)
        );
        let (at_hers, at_his) = tokio::join!(hers_grows.gets(&his), his_grows.gets(&hers));
        for fetched in [at_hers, at_his] {
            let total = fetched.tally.total;
            assert_eq!((total.bytes, total.bad_chunks), (200_000, 0), "{round}");
        }
        for node in [&alice, &bob] {
            node.until(|status| status.connections == 1).await;
        }
    }
}
