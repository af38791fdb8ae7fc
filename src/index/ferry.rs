//! Which packets a SwarmMaster carries, between whom, and how many.
//!
//! What it carries in all is shared equally between the subnets that have channels in use, the share of a
//! subnet between its wallets, and that of a wallet between its channels; who asked for a channel counts
//! as its owner. So twenty pairs get a twentieth each, and twenty channels of one wallet as much as one.
//! What is beyond a share waits a little (`quay`) and is dropped then: to those who send it is a narrow
//! line. What a share does not use is not given to others. What a wallet sends and gets in a day is
//! counted to the byte.
//!
//! Invariants: a channel has two ends on two lines of two wallets; nothing is carried to anybody but the
//! other end; what is kept of wallets and subnets is bounded.

use std::collections::BTreeMap;
use std::time::Duration;

use super::days::Days;
use super::meter::{Meter, Pace};
use crate::digest::Address;
use crate::limits::RELAY_CHANNELS_MAX;
use crate::moment::Moment;
use crate::wire::relay::{ChannelId, RelayRefusal};

/// Channels in all.
const CHANNELS_MAX: usize = 1024;
/// How long a channel may be without a packet. Connections through it say something every five seconds.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// How long ago a channel must have been used for others not to share with it.
const ACTIVE: Duration = Duration::from_secs(1);
/// How often shares are worked out anew.
const REVIEW: Duration = Duration::from_millis(100);
/// What may come at once, as time at its share: congestion control sends in bursts.
const BURST: Duration = Duration::from_millis(50);
/// The least that may come at once, in bytes: the first flight of a connection, twice.
const BURST_BYTES_MIN: u64 = 64 * 1024;
/// Channels that one wallet may ask for: a few peers at once, and then so many a second.
const ASKING: Pace = Pace {
    per_second: 1,
    burst: 32,
};
/// Wallets of one subnet that may all do so.
const ASKING_WALLETS: u32 = 10;

/// How much is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freight {
    /// Bytes a second in all.
    pub per_second: u64,
    /// Bytes that one wallet may send and get in a day.
    pub key_day: u64,
    /// Bytes that all wallets of one subnet may send and get in a day.
    pub subnet_day: u64,
}

/// One end of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The line that leads there.
    pub line: u64,
    /// Who is there.
    pub who: Address,
    /// Where that is.
    pub subnet: u64,
}

/// Why a packet is not carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCarried {
    /// No channel has this number, or none of who sent it.
    #[error("no channel of the sender")]
    Channel,
    /// More than its share.
    #[error("more than its share")]
    Rate,
    /// One side has had enough for a day.
    #[error("enough for a day")]
    Quota,
}

/// All channels, and what was carried.
#[derive(Debug)]
pub struct Ferry {
    freight: Freight,
    next: u32,
    channels: BTreeMap<ChannelId, Channel>,
    keys: BTreeMap<Address, Bucket>,
    subnets: BTreeMap<u64, Bucket>,
    key_days: Days<Address>,
    subnet_days: Days<u64>,
    asking: Meter<Address>,
    asking_subnets: Meter<u64>,
    /// When shares were worked out.
    reviewed_at: Option<Moment>,
}

#[derive(Debug)]
struct Channel {
    /// Who asked for it first.
    ends: [End; 2],
    bucket: Bucket,
    shares: Shares,
    used_at: Moment,
}

/// Bytes a second that a channel, its owner and their subnet may have now.
#[derive(Debug, Clone, Copy)]
struct Shares {
    channel: u64,
    key: u64,
    subnet: u64,
}

impl Ferry {
    /// Nothing is carried yet.
    pub const fn new(freight: Freight) -> Self {
        Self {
            freight,
            next: 0,
            channels: BTreeMap::new(),
            keys: BTreeMap::new(),
            subnets: BTreeMap::new(),
            key_days: Days::new(freight.key_day),
            subnet_days: Days::new(freight.subnet_day),
            asking: Meter::new(ASKING),
            asking_subnets: Meter::new(ASKING.times(ASKING_WALLETS)),
            reviewed_at: None,
        }
    }

    /// Whether somebody may ask for a channel to somebody now.
    pub fn may_ask(&mut self, now: Moment, from: End, to: Address) -> Result<(), RelayRefusal> {
        if from.who == to {
            return Err(RelayRefusal::Peer);
        }
        let asked = self.asking.take(now, from.who);
        let asked = asked.and_then(|()| self.asking_subnets.take(now, from.subnet));
        asked.map_err(|_| RelayRefusal::Full)
    }

    /// Opens a channel between two ends.
    pub fn open(&mut self, now: Moment, from: End, to: End) -> Result<ChannelId, RelayRefusal> {
        if from.who == to.who || from.line == to.line {
            return Err(RelayRefusal::Peer);
        }
        let ends = self.channels.values().map(|channel| channel.ends);
        let (mut opened, mut taken) = (0, 0);
        for [first, second] in ends {
            opened += u32::from(first.line == from.line);
            taken += u32::from(second.line == to.line);
        }
        let is_full = opened.max(taken) >= RELAY_CHANNELS_MAX;
        if is_full || self.channels.len() >= CHANNELS_MAX {
            return Err(RelayRefusal::Full);
        }
        if [from, to].iter().any(|end| !self.has_left(now, end, 1)) {
            return Err(RelayRefusal::Quota);
        }
        let id = self.unused();
        let channel = Channel {
            ends: [from, to],
            bucket: Bucket::full(now),
            shares: Shares {
                channel: 0,
                key: 0,
                subnet: 0,
            },
            used_at: now,
        };
        self.channels.insert(id, channel);
        self.reviewed_at = None;
        Ok(id)
    }

    /// A packet of so many bytes has come on a line; answers the line on which it goes on.
    pub fn pass(
        &mut self,
        now: Moment,
        id: ChannelId,
        line: u64,
        bytes: u64,
    ) -> Result<u64, NotCarried> {
        self.review(now);
        let channel = self.channels.get_mut(&id).ok_or(NotCarried::Channel)?;
        let [first, second] = channel.ends;
        let to = match line {
            line if line == first.line => second,
            line if line == second.line => first,
            _ => return Err(NotCarried::Channel),
        };
        channel.used_at = now;
        let shares = channel.shares;
        let key = self
            .keys
            .entry(first.who)
            .or_insert_with(|| Bucket::full(now));
        let subnet = self
            .subnets
            .entry(first.subnet)
            .or_insert_with(|| Bucket::full(now));
        let all = [
            (&mut channel.bucket, shares.channel),
            (key, shares.key),
            (subnet, shares.subnet),
        ];
        if !take_all(now, all, bytes) {
            return Err(NotCarried::Rate);
        }
        if !(self.has_left(now, &first, bytes) && self.has_left(now, &second, bytes)) {
            return Err(NotCarried::Quota);
        }
        for end in [first, second] {
            self.key_days.charge(now, end.who, bytes);
            self.subnet_days.charge(now, end.subnet, bytes);
        }
        Ok(to.line)
    }

    /// Closes a channel.
    pub fn close(&mut self, id: ChannelId) {
        self.channels.remove(&id);
    }

    /// How many channels are open.
    pub fn channels(&self) -> usize {
        self.channels.len()
    }

    /// The channels of a line.
    pub fn of_line(&self, line: u64) -> Vec<ChannelId> {
        let theirs = |it: &Channel| it.ends.iter().any(|end| end.line == line);
        let all = self.channels.iter().filter(|(_, it)| theirs(it));
        all.map(|(id, _)| *id).collect()
    }

    /// The channels that nobody uses.
    pub fn idle(&self, now: Moment) -> Vec<ChannelId> {
        let is_idle = |it: &Channel| now.since(it.used_at) > IDLE_MAX;
        let all = self.channels.iter().filter(|(_, it)| is_idle(it));
        all.map(|(id, _)| *id).collect()
    }

    /// Bytes that a wallet has sent and got today.
    pub fn used_today(&self, now: Moment, who: Address) -> u64 {
        self.key_days.used(now, who)
    }

    fn has_left(&self, now: Moment, end: &End, bytes: u64) -> bool {
        self.key_days.has_left(now, end.who, bytes)
            && self.subnet_days.has_left(now, end.subnet, bytes)
    }

    /// A number that no channel has; those of channels that are over come again last.
    fn unused(&mut self) -> ChannelId {
        loop {
            self.next = self.next.wrapping_add(1);
            let id = ChannelId(self.next);
            if !self.channels.contains_key(&id) {
                return id;
            }
        }
    }

    /// Works out who shares with how many.
    fn review(&mut self, now: Moment) {
        if self.reviewed_at.is_some_and(|at| now.since(at) < REVIEW) {
            return;
        }
        self.reviewed_at = Some(now);
        let mut active: BTreeMap<u64, BTreeMap<Address, u64>> = BTreeMap::new();
        for channel in self.channels.values() {
            let [owner, _] = channel.ends;
            let keys = active.entry(owner.subnet).or_default();
            let count = keys.entry(owner.who).or_default();
            *count += u64::from(now.since(channel.used_at) < ACTIVE);
        }
        // those without a channel in use share with nobody
        for keys in active.values_mut() {
            keys.retain(|_, count| *count > 0);
        }
        active.retain(|_, keys| !keys.is_empty());
        let subnet = self.freight.per_second / (active.len() as u64).max(1);
        for channel in self.channels.values_mut() {
            let [owner, _] = channel.ends;
            let keys = active.get(&owner.subnet);
            let key = subnet / keys.map_or(1, |keys| keys.len() as u64);
            let count = keys.and_then(|keys| keys.get(&owner.who)).copied();
            channel.shares = Shares {
                channel: key / count.unwrap_or(1),
                key,
                subnet,
            };
        }
        // a bucket that was not used for so long is full, and need not be kept
        self.keys.retain(|_, it| now.since(it.at) < ACTIVE);
        self.subnets.retain(|_, it| now.since(it.at) < ACTIVE);
    }
}

/// Takes so many bytes from all buckets, or from none.
fn take_all(now: Moment, mut all: [(&mut Bucket, u64); 3], bytes: u64) -> bool {
    for (bucket, rate) in &mut all {
        bucket.fill(now, *rate);
    }
    let is_enough = all.iter().all(|(bucket, _)| bucket.has(bytes));
    if is_enough {
        all.into_iter().for_each(|(bucket, _)| bucket.take(bytes));
    }
    is_enough
}

/// Bytes that may pass, in millionths.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    millionths: u64,
    at: Moment,
}

impl Bucket {
    const fn full(now: Moment) -> Self {
        let millionths = BURST_BYTES_MIN * 1_000_000;
        Self {
            millionths,
            at: now,
        }
    }

    fn fill(&mut self, now: Moment, per_second: u64) {
        let micros = u64::try_from(now.since(self.at).as_micros()).unwrap_or(u64::MAX);
        let burst = u64::try_from(BURST.as_micros()).unwrap_or(u64::MAX);
        let full = per_second
            .saturating_mul(burst)
            .max(BURST_BYTES_MIN * 1_000_000);
        let earned = micros.saturating_mul(per_second);
        self.millionths = self.millionths.saturating_add(earned).min(full);
        self.at = now;
    }

    const fn has(&self, bytes: u64) -> bool {
        self.millionths >= bytes.saturating_mul(1_000_000)
    }

    const fn take(&mut self, bytes: u64) {
        let taken = bytes.saturating_mul(1_000_000);
        self.millionths = self.millionths.saturating_sub(taken);
    }
}

#[cfg(test)]
mod tests;
