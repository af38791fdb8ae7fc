//! A packet as the kernel hands it over: often many segments of one flow under one header, to be cut
//! later (generic segmentation offload).
//!
//! What a line does to a packet it does to each segment. Neighbours that share a fate travel on as one
//! packet, under a header of their own: nothing is cut, and nothing is put together.
//!
//! Only IPv4 comes in segments here; anything else that is longer than a packet may be is passed as
//! one, which no line takes.

use std::ops::Range;

use tun_rs::VIRTIO_NET_HDR_LEN;

/// The kernel's word (linux/virtio_net.h): a byte of flags, one that says what the segments are of, and four
/// numbers in the order of the processor.
const KIND: usize = 1;
const HEADERS_LENGTH: usize = 2;
const SEGMENT_LENGTH: usize = 4;
const CHECKSUM_START: usize = 6;
const CHECKSUM_OFFSET: usize = 8;
const NO_SEGMENTS: u8 = 0;
const TCP_IPV4: u8 = 1;
const UDP: u8 = 5;
/// Set beside the kind where the sender knows ECN.
const KNOWS_ECN: u8 = 0x80;

/// Of TCP's flags, those that the last segment alone has: FIN and PSH.
const LAST_ALONE: u8 = 0x01 | 0x08;
/// The one that the first segment alone has: CWR.
const FIRST_ALONE: u8 = 0x80;

const IP: usize = VIRTIO_NET_HDR_LEN;
const UDP_HEADER: usize = 8;

/// A packet, after the kernel's word on how to cut it.
#[derive(Debug)]
pub(crate) struct Segments<'a> {
    bytes: &'a [u8],
    cut: Option<Cut>,
}

/// Where segments are to be cut. Places count from the kernel's word on.
#[derive(Debug)]
struct Cut {
    is_tcp: bool,
    /// Where the header of UDP or TCP begins.
    transport: usize,
    /// Where the checksum is that is the kernel's to make.
    checksum: usize,
    /// Where the payload begins.
    payload: usize,
    /// Payload of each segment but the last, which may have less.
    each: usize,
}

impl<'a> Segments<'a> {
    /// What the kernel has written.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let cut = Cut::of(bytes);
        Self { bytes, cut }
    }

    /// How large each of them is, headers and all.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = usize> {
        let (payload, each) = match &self.cut {
            Some(cut) => (cut.payload, cut.each),
            None => (IP, self.bytes.len()),
        };
        let pieces = self.bytes[payload..].chunks(each);
        pieces.map(move |piece| payload - IP + piece.len())
    }

    /// Some neighbours of them, as the kernel takes them.
    pub(crate) fn packet(&self, neighbours: Range<usize>) -> Vec<u8> {
        let Some(cut) = &self.cut else {
            return self.bytes.to_vec();
        };
        let payload = &self.bytes[cut.payload..];
        let from = neighbours.start * cut.each;
        let to = payload.len().min(neighbours.end * cut.each);
        let mut packet = Vec::with_capacity(cut.payload + to - from);
        packet.extend_from_slice(&self.bytes[..cut.payload]);
        packet.extend_from_slice(&payload[from..to]);
        cut.write_word(&mut packet, neighbours.len());
        cut.write_ip(&mut packet, neighbours.start);
        cut.write_transport(&mut packet, from, to == payload.len());
        packet
    }
}

impl Cut {
    fn of(bytes: &[u8]) -> Option<Self> {
        let number = |place: usize| {
            let two = bytes.get(place..place + 2)?.try_into().ok()?;
            Some(usize::from(u16::from_ne_bytes(two)))
        };
        let transport = IP + number(CHECKSUM_START)?;
        let is_ipv4 = bytes.get(IP)? >> 4 == 4;
        let (is_tcp, header) = match bytes[KIND] & !KNOWS_ECN {
            UDP if is_ipv4 => (false, UDP_HEADER),
            TCP_IPV4 => (true, usize::from(bytes.get(transport + 12)? >> 4) * 4),
            _ => return None,
        };
        let cut = Self {
            is_tcp,
            transport,
            checksum: transport + number(CHECKSUM_OFFSET)?,
            payload: transport + header,
            each: number(SEGMENT_LENGTH)?,
        };
        (cut.each > 0 && cut.payload < bytes.len()).then_some(cut)
    }

    fn write_word(&self, packet: &mut [u8], segments: usize) {
        let mut set = |place: usize, number: u16| {
            packet[place..place + 2].copy_from_slice(&number.to_ne_bytes());
        };
        set(HEADERS_LENGTH, short(self.payload - IP));
        if segments == 1 {
            set(SEGMENT_LENGTH, 0);
            packet[KIND] = NO_SEGMENTS;
        }
    }

    /// RFC 791, section 3.1: length, identification, checksum.
    fn write_ip(&self, packet: &mut [u8], first: usize) {
        let length = short(packet.len() - IP);
        put(packet, IP + 2, length);
        let identification = at(packet, IP + 4).wrapping_add(short(first));
        put(packet, IP + 4, identification);
        put(packet, IP + 10, 0);
        let sum = !folded(sum_of(&packet[IP..self.transport]));
        put(packet, IP + 10, sum);
    }

    /// `from`: how much payload came before. The checksum is left at that of the pseudo header, for the kernel to go on from.
    fn write_transport(&self, packet: &mut [u8], from: usize, has_last: bool) {
        let length = packet.len() - self.transport;
        if self.is_tcp {
            let sequence = self.transport + 4;
            let before = u32::from_be_bytes(packet[sequence..][..4].try_into().expect("four"));
            let from = u32::try_from(from).expect("less than a packet");
            packet[sequence..][..4].copy_from_slice(&before.wrapping_add(from).to_be_bytes());
            let flags = &mut packet[self.transport + 13];
            *flags &= !if from > 0 { FIRST_ALONE } else { 0 };
            *flags &= !if has_last { 0 } else { LAST_ALONE };
        } else {
            put(packet, self.transport + 4, short(length));
        }
        let addresses = sum_of(&packet[IP + 12..IP + 20]);
        let protocol = u32::from(packet[IP + 9]);
        let sum = addresses + protocol + u32::from(short(length));
        put(packet, self.checksum, folded(sum));
    }
}

fn short(length: usize) -> u16 {
    u16::try_from(length).expect("less than a packet")
}

fn at(packet: &[u8], place: usize) -> u16 {
    u16::from_be_bytes([packet[place], packet[place + 1]])
}

fn put(packet: &mut [u8], place: usize, value: u16) {
    packet[place..place + 2].copy_from_slice(&value.to_be_bytes());
}

/// The sum of an even number of bytes, two at a time (RFC 1071).
fn sum_of(bytes: &[u8]) -> u32 {
    let pairs = bytes.chunks_exact(2);
    pairs.map(|pair| u32::from(at(pair, 0))).sum()
}

fn folded(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).expect("folded")
}
