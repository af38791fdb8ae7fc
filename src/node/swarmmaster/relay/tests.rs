//! Those who call and wait in vain.

use super::*;
use crate::digest::Digest;

fn who(name: u64) -> Address {
    Address::new(Digest::of(&name.to_le_bytes()))
}

/// Those who call others that nobody can be asked for, and those who do not come, leave nothing behind.
#[tokio::test(start_paused = true)]
async fn whoever_waits_in_vain_is_forgotten() {
    let freight = Freight {
        per_second: 1,
        key_day: 1,
        subnet_day: 1,
    };
    let (relay, _inbox) = Relay::new(Clock::start(), freight);
    let calls = (0..2 * INVITATIONS_MAX as u64).map(|number| {
        let hub = Arc::clone(&relay.hub);
        tokio::spawn(async move { hub.line_of(who(number), who(u64::MAX)).await.err() })
    });
    let calls: Vec<_> = calls.collect();
    let mut why = Vec::new();
    for call in calls {
        why.push(call.await.unwrap());
    }
    let count = |wanted| why.iter().filter(|it| **it == Some(wanted)).count();
    assert_eq!(count(RelayRefusal::Denied), INVITATIONS_MAX);
    assert_eq!(count(RelayRefusal::Full), INVITATIONS_MAX);
    assert!(relay.hub.lock().waiting.is_empty());
}
