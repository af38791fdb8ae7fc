//! Shares, days and bounds, under a clock that is moved by hand.

use super::*;
use crate::digest::Digest;
use crate::index::days::DAY;

const FREIGHT: Freight = Freight {
    per_second: 1_000_000,
    key_day: 10_000_000,
    subnet_day: 15_000_000,
};

fn at(ms: u64) -> Moment {
    Moment::ORIGIN + Duration::from_millis(ms)
}

fn end(number: u32) -> End {
    End {
        line: number.into(),
        who: Address::new(Digest::of(&number.to_le_bytes())),
        subnet: number.into(),
    }
}

fn pair(ferry: &mut Ferry, from: u32, to: u32) -> ChannelId {
    ferry.open(at(0), end(from), end(to)).unwrap()
}

/// Sends packets of 1000 bytes on each channel as fast as it likes, for a time; what was carried.
fn flood(ferry: &mut Ferry, all: &[(ChannelId, u64)], ms: std::ops::Range<u64>) -> Vec<u64> {
    let mut carried = vec![0; all.len()];
    for now in ms {
        for (sum, (id, line)) in carried.iter_mut().zip(all) {
            for _ in 0..3 {
                *sum += 1000 * u64::from(ferry.pass(at(now), *id, *line, 1000).is_ok());
            }
        }
    }
    carried
}

#[test]
fn packets_go_to_the_other_end_and_from_nobody_else() {
    let mut ferry = Ferry::new(FREIGHT);
    let id = pair(&mut ferry, 1, 2);
    let other = pair(&mut ferry, 3, 4);
    assert_ne!(id, other);
    assert_eq!(ferry.pass(at(0), id, 1, 100), Ok(2));
    assert_eq!(ferry.pass(at(0), id, 2, 100), Ok(1));
    assert_eq!(ferry.pass(at(0), id, 3, 100), Err(NotCarried::Channel));
    let unknown = ChannelId(99);
    assert_eq!(ferry.pass(at(0), unknown, 1, 100), Err(NotCarried::Channel));
    ferry.close(id);
    assert_eq!(ferry.pass(at(0), id, 1, 100), Err(NotCarried::Channel));
    assert_eq!((ferry.of_line(4), ferry.of_line(1)), (vec![other], vec![]));
    assert_eq!(ferry.used_today(at(0), end(3).who), 0);
    assert_eq!(ferry.used_today(at(0), end(1).who), 200);
}

#[test]
fn nobody_has_a_channel_to_themselves_or_too_many() {
    let mut ferry = Ferry::new(FREIGHT);
    let itself = ferry.open(at(0), end(1), end(1));
    assert_eq!(itself, Err(RelayRefusal::Peer));
    let who = end(1).who;
    assert_eq!(ferry.may_ask(at(0), end(1), who), Err(RelayRefusal::Peer));
    let asked = (0..99).filter(|_| ferry.may_ask(at(0), end(1), end(2).who).is_ok());
    assert_eq!(asked.count(), 32);
    let refused = ferry.may_ask(at(999), end(1), end(2).who);
    assert_eq!(refused, Err(RelayRefusal::Full));
    assert_eq!(ferry.may_ask(at(1000), end(1), end(2).who), Ok(()));
    for to in 0..RELAY_CHANNELS_MAX {
        pair(&mut ferry, 1, 100 + to);
    }
    let more = ferry.open(at(0), end(1), end(200));
    assert_eq!(more, Err(RelayRefusal::Full));
    pair(&mut ferry, 200, 1);
    for from in 201..201 + RELAY_CHANNELS_MAX - 1 {
        pair(&mut ferry, from, 1);
    }
    let more = ferry.open(at(0), end(300), end(1));
    assert_eq!(more, Err(RelayRefusal::Full));
    for number in 0..2000u32 {
        let (from, to) = (end(1000 + 2 * number), end(1001 + 2 * number));
        let _ = ferry.open(at(0), from, to);
    }
    assert_eq!(ferry.channels(), CHANNELS_MAX);
}

#[test]
fn twenty_pairs_share_what_one_has_alone() {
    let mut ferry = Ferry::new(FREIGHT);
    let first = (pair(&mut ferry, 1, 2), 1);
    let alone = flood(&mut ferry, &[first], 0..2000)[0];
    let most = 2_000_000 + BURST_BYTES_MIN;
    assert!((1_990_000..=most).contains(&alone), "{alone}");
    let mut all = vec![first];
    all.extend((1..20).map(|n| (pair(&mut ferry, 2 * n + 1, 2 * n + 2), u64::from(2 * n + 1))));
    flood(&mut ferry, &all, 2000..3000);
    let carried = flood(&mut ferry, &all, 3000..8000);
    let sum: u64 = carried.iter().sum();
    assert!((4_900_000..=5_000_000 + 20_000).contains(&sum), "{sum}");
    for one in &carried {
        assert!((245_000..=252_500).contains(one), "{carried:?}");
    }
}

#[test]
fn many_channels_of_one_wallet_get_what_one_gets() {
    let mut ferry = Ferry::new(FREIGHT);
    let mut all: Vec<_> = (10..19).map(|to| (pair(&mut ferry, 1, to), 1)).collect();
    all.push((pair(&mut ferry, 2, 20), 2));
    flood(&mut ferry, &all, 0..1000);
    let carried = flood(&mut ferry, &all, 1000..6000);
    let greedy: u64 = carried[..9].iter().sum();
    for half in [greedy, carried[9]] {
        assert!((2_450_000..=2_525_000).contains(&half), "{carried:?}");
    }
}

#[test]
fn many_wallets_of_one_subnet_get_what_one_gets() {
    let mut ferry = Ferry::new(FREIGHT);
    let neighbours = |line| End {
        subnet: 1,
        ..end(line)
    };
    let mut all = Vec::new();
    for from in 10..19 {
        let id = ferry.open(at(0), neighbours(from), end(100 + from));
        all.push((id.unwrap(), u64::from(from)));
    }
    all.push((pair(&mut ferry, 1000, 1001), 1000));
    flood(&mut ferry, &all, 0..1000);
    let carried = flood(&mut ferry, &all, 1000..6000);
    let crowd: u64 = carried[..9].iter().sum();
    for half in [crowd, carried[9]] {
        assert!((2_450_000..=2_525_000).contains(&half), "{carried:?}");
    }
}

#[test]
fn a_day_is_counted_to_the_byte_for_both_ends() {
    let mut ferry = Ferry::new(Freight {
        per_second: u64::MAX / 1_000_000,
        ..FREIGHT
    });
    let id = pair(&mut ferry, 1, 2);
    let mut now = 0;
    let mut carried = 0u64;
    while ferry.pass(at(now), id, 1, 999).is_ok() {
        carried += 999;
        now += 1;
    }
    assert_eq!(carried, 10_000_000 / 999 * 999);
    assert_eq!(ferry.pass(at(now), id, 1, 999), Err(NotCarried::Quota));
    let rest = 10_000_000 - carried;
    assert_eq!(ferry.pass(at(now), id, 2, rest), Ok(1));
    assert_eq!(ferry.pass(at(now), id, 2, 1), Err(NotCarried::Quota));
    assert_eq!(ferry.used_today(at(now), end(2).who), 10_000_000);
    let another = ferry.open(at(now), end(3), end(2));
    assert_eq!(another, Err(RelayRefusal::Quota));
    let day = u64::try_from(DAY.as_millis()).unwrap();
    assert_eq!(ferry.pass(at(day - 1), id, 1, 1), Err(NotCarried::Quota));
    assert_eq!(ferry.pass(at(day), id, 1, 1), Ok(2));
}

#[test]
fn neighbours_have_a_day_together() {
    let mut ferry = Ferry::new(Freight {
        per_second: u64::MAX / 1_000_000,
        ..FREIGHT
    });
    let of = |line| End {
        subnet: 1,
        ..end(line)
    };
    let (mut carried, mut now) = (0, 0);
    for from in [10, 11, 12] {
        let id = ferry.open(at(now), of(from), end(100 + from));
        let Ok(id) = id else { continue };
        while ferry.pass(at(now), id, from.into(), 1000).is_ok() {
            carried += 1000;
            now += 1;
        }
    }
    assert_eq!(carried, 15_000_000);
}

#[test]
fn channels_that_nobody_uses_are_found() {
    let mut ferry = Ferry::new(FREIGHT);
    let (one, other) = (pair(&mut ferry, 1, 2), pair(&mut ferry, 3, 4));
    ferry.pass(at(30_000), other, 3, 9).unwrap();
    assert!(ferry.idle(at(60_000)).is_empty());
    assert_eq!(ferry.idle(at(60_001)), [one]);
    assert_eq!(ferry.idle(at(90_001)), [one, other]);
}
