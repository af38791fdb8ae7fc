//! Packets (RFC 9000 section 17) and what protects them (RFC 9001 section 5).

use std::collections::{BTreeMap, BTreeSet};

use rustls::ClientConfig;
use rustls::Side;
use rustls::quic::{Keys, Secrets, Version};

use super::frames::{Bytes, append};

/// Bytes of every connection ID of ours.
pub(super) const CONNECTION_ID_BYTES: usize = 8;
/// Bytes of a packet number, and of what header protection takes from behind them.
const NUMBER_BYTES: usize = 4;
const SAMPLE_BYTES: usize = 16;
/// Which keys a packet of the last level is protected by.
const PHASE: u8 = 0x04;
/// What a datagram with an Initial packet must have.
const INITIAL_BYTES_MIN: usize = 1200;

/// What a packet is encrypted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Initial,
    Handshake,
    OneRtt,
}

/// The packets of one level.
#[derive(Default)]
pub(super) struct Space {
    pub(super) keys: Option<Keys>,
    /// What the next keys are made of, and how often they have changed, in one bit (RFC 9001 section 6).
    pub(super) later: Option<Secrets>,
    phase: u8,
    next: u64,
    pub(super) received: BTreeSet<u64>,
    pub(super) owes_ack: bool,
    /// Bytes of the handshake that were said.
    pub(super) said: u64,
    /// Those that came, by where they begin, and how many of them were read.
    pub(super) pieces: BTreeMap<u64, Vec<u8>>,
    read: u64,
}

impl Space {
    /// What follows what has been read.
    pub(super) fn next_piece(&mut self) -> Option<Vec<u8>> {
        let piece = self.pieces.remove(&self.read)?;
        self.read += piece.len() as u64;
        Some(piece)
    }
}

/// The keys of first packets, which everybody can know.
pub(super) fn initial_keys(config: &ClientConfig, to: &[u8]) -> Keys {
    let suites = config.crypto_provider().cipher_suites.iter();
    let mut all = suites.filter_map(|suite| suite.tls13());
    let aes = all.find(|it| it.common.suite == rustls::CipherSuite::TLS13_AES_128_GCM_SHA256);
    let suite = aes.and_then(|it| it.quic_suite()).unwrap();
    suite.keys(to, Side::Client, Version::V1)
}

/// One packet, ready to be sent.
pub(super) fn seal(
    level: Level,
    space: &mut Space,
    to: &[u8],
    from: &[u8],
    frames: &[u8],
) -> Vec<u8> {
    let keys = &space.keys.as_ref().unwrap().local;
    let (number, mut frames) = (space.next, frames.to_vec());
    space.next += 1;
    let mut packet = match level {
        Level::Initial => vec![0xc3],
        Level::Handshake => vec![0xe3],
        Level::OneRtt => vec![0x43 | space.phase],
    };
    if level != Level::OneRtt {
        packet.extend(1_u32.to_be_bytes());
        for id in [to, from] {
            packet.push(u8::try_from(id.len()).unwrap());
            packet.extend(id);
        }
        if level == Level::Initial {
            // no token, and two bytes for the length that follows
            let tag = keys.packet.tag_len();
            let others = packet.len() + 1 + 2 + NUMBER_BYTES + tag;
            frames.resize(frames.len().max(INITIAL_BYTES_MIN - others), 0);
            packet.push(0);
        }
        let len = NUMBER_BYTES + frames.len() + keys.packet.tag_len();
        append(&mut packet, len as u64);
    } else {
        packet.extend(to);
    }
    let at = packet.len();
    packet.extend(&number.to_be_bytes()[8 - NUMBER_BYTES..]);
    let tag = keys.packet.encrypt_in_place(number, &packet, &mut frames);
    packet.extend(frames);
    packet.extend(tag.unwrap().as_ref());
    let (head, rest) = packet.split_at_mut(at);
    let (number, sample) = rest.split_at_mut(NUMBER_BYTES);
    let header = &keys.header;
    header
        .encrypt_in_place(&sample[..SAMPLE_BYTES], &mut head[0], number)
        .unwrap();
    packet
}

/// A packet that came, and where its number is.
pub(super) struct Packet<'a> {
    bytes: &'a mut [u8],
    number_at: usize,
}

/// The first packet of a datagram, and what is behind it. How the other side calls itself is noted.
pub(super) fn split<'a>(
    datagram: &'a mut [u8],
    theirs: &mut Vec<u8>,
) -> Option<(Level, Packet<'a>, &'a mut [u8])> {
    let first = *datagram.first()?;
    if first & 0x80 == 0 {
        let number_at = 1 + CONNECTION_ID_BYTES;
        let packet = Packet {
            bytes: datagram,
            number_at,
        };
        return Some((Level::OneRtt, packet, &mut []));
    }
    let mut bytes = Bytes(&datagram[5..]);
    for is_theirs in [false, true] {
        let len = usize::from(bytes.take(1)[0]);
        let id = bytes.take(len);
        if is_theirs {
            *theirs = id;
        }
    }
    let level = match first >> 4 & 3 {
        0 => {
            let len = usize::try_from(bytes.number()).unwrap();
            bytes.take(len);
            Level::Initial
        }
        2 => Level::Handshake,
        other => panic!("a packet of kind {other}"),
    };
    let len = usize::try_from(bytes.number()).unwrap();
    let number_at = datagram.len() - bytes.0.len();
    let (bytes, behind) = datagram.split_at_mut(number_at + len);
    Some((level, Packet { bytes, number_at }, behind))
}

/// The number of a packet and its frames; nothing of one for which there is no key (yet), or which is no
/// packet of ours.
pub(super) fn open(space: &mut Space, packet: Packet<'_>) -> Option<(u64, Vec<u8>)> {
    let keys = space.keys.as_mut()?;
    let Packet { bytes, number_at } = packet;
    let (head, rest) = bytes.split_at_mut(number_at);
    let (number, sample) = rest.split_at_mut(NUMBER_BYTES);
    let sample = sample.get(..SAMPLE_BYTES)?;
    let opened = keys
        .remote
        .header
        .decrypt_in_place(sample, &mut head[0], number);
    opened.ok()?;
    let len = usize::from(head[0] & 0x03) + 1;
    let short = number[..len]
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte));
    if let Some(later) = &mut space.later
        && head[0] & PHASE != space.phase
    {
        let set = later.next_packet_keys();
        (keys.local.packet, keys.remote.packet) = (set.local, set.remote);
        space.phase ^= PHASE;
    }
    let number = whole(short, len, space.received.last().map_or(0, |it| it + 1));
    let (header, payload) = bytes.split_at_mut(number_at + len);
    let opened = keys.remote.packet.decrypt_in_place(number, header, payload);
    Some((number, opened.ok()?.to_vec()))
}

/// A number of which the lower bytes were sent (RFC 9000 section A.3).
fn whole(short: u64, len: usize, expected: u64) -> u64 {
    let window = 1_u64 << (8 * len);
    let near = expected & !(window - 1) | short;
    if near + window / 2 <= expected {
        near + window
    } else if near > expected + window / 2 && near >= window {
        near - window
    } else {
        near
    }
}
