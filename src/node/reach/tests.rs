//! Candidates, under a clock that is moved by hand.

use super::*;
use crate::digest::Digest;
use crate::nat::{LATELY_MAX, UNDER_WAY_MAX};

const FETCH: FetchId = FetchId(1);

fn at(seconds: u64) -> Moment {
    Moment::ORIGIN + Duration::from_secs(seconds)
}

fn due(reach: &mut Reach, now: Moment) -> usize {
    reach.take_due(now, |_| false, |_| false).len()
}

#[test]
fn a_failing_candidate_is_dialed_less_and_less() {
    let mut reach = Reach::default();
    let remote: SocketAddr = "198.51.100.7:7922".parse().unwrap();
    reach.add(at(0), FETCH, remote.into());
    assert_eq!((due(&mut reach, at(0)), due(&mut reach, at(0))), (1, 0));
    assert!(!reach.is_settled(FETCH, |_| false));
    reach.on_over(at(0), remote);
    assert!(reach.has_failed(FETCH) && reach.is_settled(FETCH, |_| false));
    assert_eq!((due(&mut reach, at(0)), due(&mut reach, at(1))), (0, 1));
    reach.on_over(at(1), remote);
    assert_eq!(reach.deadline(), Some(at(3)));
    reach.forget(FETCH);
    assert_eq!(reach.deadline(), None);
}

#[test]
fn who_is_connected_or_banned_is_not_dialed() {
    let mut reach = Reach::default();
    let remote: SocketAddr = "198.51.100.7:7922".parse().unwrap();
    let who = Address::new(Digest::of(b"peer"));
    let expected = Some(who);
    reach.add(at(0), FETCH, PeerHint { remote, expected });
    assert_eq!(due(&mut reach, at(0)), 1);
    assert!(!reach.is_settled(FETCH, |_| false));
    assert!(
        reach.is_settled(FETCH, |a| a == who),
        "it is here another way"
    );
    reach.on_connected(at(0), remote, who);
    reach.on_over(at(0), remote);
    assert_eq!(reach.take_due(at(9), |a| a == who, |_| false).len(), 0);
    assert_eq!(
        reach.deadline(),
        Some(at(10)),
        "it is not looked at all the time"
    );
    assert_eq!(reach.take_due(at(10), |_| false, |a| a == who).len(), 0);
    assert_eq!(due(&mut reach, at(11)), 1);
}

#[test]
fn a_stranger_may_name_only_addresses_that_mean_one_host() {
    let global = |text: &str| is_global(text.parse().unwrap());
    for ip in [
        "198.51.100.7",
        "100.63.255.255",
        "100.128.0.1",
        "2001:db8::7",
        "::ffff:198.51.100.7",
    ] {
        assert!(global(ip), "{ip}");
    }
    for ip in [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fd00::1",
        "fe80::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
    ] {
        assert!(!global(ip), "{ip}");
    }
}

#[test]
fn candidates_are_bounded() {
    let mut reach = Reach::default();
    for port in 1..=60_000 {
        reach.add(
            at(0),
            FETCH,
            SocketAddr::from(([198, 51, 100, 7], port)).into(),
        );
    }
    assert_eq!(reach.candidates.len(), CANDIDATES_MAX);
    // they are one host's, which nobody knows
    assert_eq!(due(&mut reach, at(0)), UNDER_WAY_MAX);
    assert_eq!((due(&mut reach, at(0)), reach.deadline()), (0, Some(at(1))));
    let place = SocketAddr::from(([198, 51, 100, 7], 1));
    reach.on_connected(at(0), place, Address::new(Digest::of(b"somebody")));
    assert_eq!(due(&mut reach, at(1)), DIALS_MAX - UNDER_WAY_MAX + 1);
    assert_eq!((due(&mut reach, at(1)), reach.deadline()), (0, None));
}

/// A23: everybody who fetches is told of ten thousand ports of a host that is no node.
#[test]
fn a_silent_host_is_dialed_twelve_times_in_ten_minutes_and_the_fetch_does_not_wait_for_it() {
    let mut reach = Reach::default();
    let port = |port| SocketAddr::from(([198, 51, 100, 7], port));
    for number in 1024..11_024 {
        reach.add(at(0), FETCH, port(number).into());
    }
    let (mut dials, mut now) = (0, at(0));
    while now < at(600) {
        let hints = reach.take_due(now, |_| false, |_| false);
        dials += hints.len();
        for hint in hints {
            reach.on_over(now, hint.remote);
        }
        now = reach
            .deadline()
            .unwrap()
            .max(now + Duration::from_millis(1));
    }
    assert_eq!(dials, LATELY_MAX);
    assert!(reach.has_failed(FETCH) && reach.is_settled(FETCH, |_| false));
}
