//! Frames (RFC 9000 section 19), and transport parameters (section 18).

use std::collections::BTreeSet;

/// Ranges of one ACK. What is older has been acknowledged long ago.
const RANGES_MAX: usize = 32;
/// How many connection IDs the other side may give us.
const IDS_MAX: u64 = 8;

/// Frames, to be sent in one packet.
#[derive(Debug, Default)]
pub(crate) struct Out(Vec<u8>);

impl Out {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn ping(&mut self) {
        self.0.push(0x01);
    }

    pub(crate) fn padding(&mut self, bytes: usize) {
        self.0.resize(self.0.len() + bytes, 0);
    }

    /// These packets came.
    pub(crate) fn ack(&mut self, numbers: &BTreeSet<u64>) {
        let ranges = ranges(numbers);
        let (low, high) = ranges[0];
        self.0.push(0x02);
        self.number(high);
        // no delay
        self.number(0);
        self.number(ranges.len() as u64 - 1);
        self.number(high - low);
        for two in ranges.windows(2) {
            let ((above, _), (low, high)) = (two[0], two[1]);
            self.number(above - high - 2);
            self.number(high - low);
        }
    }

    pub(crate) fn crypto(&mut self, offset: u64, data: &[u8]) {
        self.0.push(0x06);
        self.number(offset);
        self.number(data.len() as u64);
        self.0.extend(data);
    }

    /// All of a stream.
    pub(crate) fn stream(&mut self, id: u64, data: &[u8]) {
        // from its beginning, with a length, and then its end
        self.0.push(0x08 | 0x02 | 0x01);
        self.number(id);
        self.number(data.len() as u64);
        self.0.extend(data);
    }

    /// We can be called by another ID from now on, and by none before that of the number `oldest`.
    pub(crate) fn new_connection_id(&mut self, number: u64, oldest: u64) {
        self.0.push(0x18);
        self.number(number);
        self.number(oldest);
        self.0.push(8);
        self.0.extend(number.to_be_bytes());
        // what the other side would know a stateless reset by
        self.0.extend([number.to_be_bytes(), [1; 8]].concat());
    }

    pub(crate) fn retire_connection_id(&mut self, number: u64) {
        self.0.push(0x19);
        self.number(number);
    }

    pub(crate) fn path_challenge(&mut self, token: u64) {
        self.0.push(0x1a);
        self.0.extend(token.to_be_bytes());
    }

    /// The application is done (code 0).
    pub(crate) fn close(&mut self) {
        self.0.extend([0x1d, 0, 0]);
    }

    /// A number of up to 62 bits (RFC 9000 section 16).
    fn number(&mut self, number: u64) {
        append(&mut self.0, number);
    }
}

pub(super) fn append(bytes: &mut Vec<u8>, number: u64) {
    let long = number.to_be_bytes();
    match number {
        0..0x40 => bytes.push(long[7]),
        0x40..0x4000 => bytes.extend([long[6] | 0x40, long[7]]),
        0x4000..0x4000_0000 => bytes.extend([long[4] | 0x80, long[5], long[6], long[7]]),
        _ => bytes.extend([&[long[0] | 0xc0], &long[1..]].concat()),
    }
}

/// Numbers that follow each other, the highest first.
fn ranges(numbers: &BTreeSet<u64>) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for &number in numbers.iter().rev() {
        let is_full = ranges.len() == RANGES_MAX;
        match ranges.last_mut() {
            Some((low, _)) if *low == number + 1 => *low = number,
            _ if is_full => break,
            _ => ranges.push((number, number)),
        }
    }
    ranges
}

/// Something that came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Ack,
    Crypto {
        offset: u64,
        data: Vec<u8>,
    },
    NewConnectionId {
        number: u64,
        id: Vec<u8>,
    },
    RetireConnectionId,
    PathResponse,
    Stream {
        id: u64,
        data: Vec<u8>,
    },
    HandshakeDone,
    Close {
        code: u64,
        reason: String,
    },
    /// Padding.
    Silent,
    Other,
}

impl Frame {
    pub(super) fn is_ack_eliciting(&self) -> bool {
        !matches!(self, Self::Ack | Self::Silent | Self::Close { .. })
    }
}

/// All frames of a packet.
pub(super) fn read(payload: &[u8]) -> Vec<Frame> {
    let mut bytes = Bytes(payload);
    let mut frames = Vec::new();
    while !bytes.0.is_empty() {
        frames.push(bytes.frame());
    }
    frames
}

/// What has not been read yet.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl Bytes<'_> {
    fn frame(&mut self) -> Frame {
        let kind = self.number();
        match kind {
            0x00 => Frame::Silent,
            0x02 | 0x03 => {
                let (_, _, more, _) = (self.number(), self.number(), self.number(), self.number());
                self.skip(2 * more + if kind == 0x03 { 3 } else { 0 });
                Frame::Ack
            }
            0x06 => Frame::Crypto {
                offset: self.number(),
                data: self.counted(),
            },
            0x08..=0x0f => {
                let id = self.number();
                if kind & 0x04 != 0 {
                    self.skip(1);
                }
                let data = match kind & 0x02 {
                    0 => std::mem::take(&mut self.0).to_vec(),
                    _ => self.counted(),
                };
                Frame::Stream { id, data }
            }
            0x18 => {
                let (number, _) = (self.number(), self.number());
                let len = usize::from(self.take(1)[0]);
                let id = self.take(len);
                self.take(16);
                Frame::NewConnectionId { number, id }
            }
            0x19 => {
                self.skip(1);
                Frame::RetireConnectionId
            }
            0x1b => {
                self.take(8);
                Frame::PathResponse
            }
            0x1c | 0x1d => {
                let code = self.number();
                self.skip(if kind == 0x1c { 1 } else { 0 });
                let reason = String::from_utf8_lossy(&self.counted()).into_owned();
                Frame::Close { code, reason }
            }
            0x1e => Frame::HandshakeDone,
            other => self.other(other),
        }
    }

    /// A frame that only has to be acknowledged.
    fn other(&mut self, kind: u64) -> Frame {
        match kind {
            0x01 => {}
            0x10 | 0x12..=0x14 | 0x16 | 0x17 => self.skip(1),
            0x05 | 0x11 | 0x15 => self.skip(2),
            0x04 => self.skip(3),
            0x07 => drop(self.counted()),
            0x1a => drop(self.take(8)),
            unknown => panic!("a frame of kind {unknown:#x}"),
        }
        Frame::Other
    }

    pub(super) fn number(&mut self) -> u64 {
        let first = self.0[0];
        let bytes = self.take(1 << (first >> 6));
        let rest = bytes[1..].iter();
        rest.fold(u64::from(first & 0x3f), |number, byte| {
            number << 8 | u64::from(*byte)
        })
    }

    fn skip(&mut self, numbers: u64) {
        for _ in 0..numbers {
            self.number();
        }
    }

    fn counted(&mut self) -> Vec<u8> {
        let len = usize::try_from(self.number()).unwrap();
        self.take(len)
    }

    pub(super) fn take(&mut self, len: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken.to_vec()
    }
}

/// By what a connection is reset that the other side knows no more.
pub(super) fn reset_token(theirs: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Bytes(theirs);
    while !bytes.0.is_empty() {
        let (id, value) = (bytes.number(), bytes.counted());
        if id == 0x02 {
            return Some(value);
        }
    }
    None
}

/// What we tell of ourselves.
pub(super) fn transport_parameters(own: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut say = |id: u64, value: &[u8]| {
        append(&mut bytes, id);
        append(&mut bytes, value.len() as u64);
        bytes.extend(value);
    };
    let number = |number| {
        let mut value = Vec::new();
        append(&mut value, number);
        value
    };
    // initial_max_data, initial_max_stream_data_bidi_local, initial_max_streams_bidi
    say(0x04, &number(1 << 20));
    say(0x05, &number(1 << 16));
    say(0x08, &number(16));
    say(0x0e, &number(IDS_MAX));
    // initial_source_connection_id
    say(0x0f, own);
    bytes
}
