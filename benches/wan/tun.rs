//! A line between two network interfaces (TUN devices) that this process owns.
//!
//! Every IP packet that enters one of them passes a [`Link`] and leaves the other when the link says.
//! The kernel hands over and takes many packets in one call (generic segmentation offload), so that
//! this process is not the limit at 1 Gbit/s. Four threads: for each direction one that takes packets
//! in and one that waits for what is due.

use std::io::{self, BufRead};
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tun_rs::{DeviceBuilder, GROTable, IDEAL_BATCH_SIZE, SyncDevice, VIRTIO_NET_HDR_LEN};

use crate::link::{Fate, Link, Shape};
use crate::role::{self, text_argument};
use crate::say;
use crate::waiting::Waiting;

/// The role of the process that is the line.
pub(crate) const ROLE: &str = "tun";

/// The largest packet that the kernel hands over, before it is taken apart.
const SUPER_PACKET: usize = VIRTIO_NET_HDR_LEN + 65_536;
/// The largest packet that passes.
const PACKET: usize = 1500;

/// Packets of one flow that are handed to the kernel together.
const TOGETHER: usize = 16;

/// Starts the process; the interfaces have these names.
pub(crate) fn start(names: &[String; 2], shape: Shape) -> Child {
    let numbers = [
        shape.rate.to_string(),
        shape.delay_ns.to_string(),
        shape.loss.to_string(),
        shape.buffer_bytes.to_string(),
    ];
    let words = names.iter().chain(&numbers);
    let (child, _ready) = role::start(ROLE, &words.map(AsRef::as_ref).collect::<Vec<_>>());
    child
}

/// Is the line until the input ends, then says what passed from the first interface to the second.
/// An empty line begins the figures anew.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(crate) fn play() {
    let number = |at| text_argument(at).parse::<u64>().expect("a number");
    let shape = Shape {
        rate: number(3),
        delay_ns: number(4),
        loss: text_argument(5).parse().expect("a share"),
        buffer_bytes: number(6),
        ..Shape::OPEN
    };
    let devices = [1, 2].map(|at| Arc::new(device(&text_argument(at))));
    let epoch = Instant::now();
    let links = [shape, shape.for_answers()].map(|shape| Arc::new(Mutex::new(Link::new(shape, 7))));
    for (from, link) in links.iter().enumerate() {
        let way = Arc::new(Way {
            link: Arc::clone(link),
            epoch,
            waiting: Waiting::default(),
        });
        let (enters, leaves) = (Arc::clone(&devices[from]), Arc::clone(&devices[1 - from]));
        let taking = Arc::clone(&way);
        thread::spawn(move || taking.take_in(&enters));
        thread::spawn(move || way.deliver(&leaves));
    }
    say("ready");
    for _ in io::stdin().lock().lines() {
        links[0].lock().expect("no panic").take_figures();
    }
    let figures = links[0].lock().expect("no panic").take_figures();
    say(figures.line());
}

fn device(name: &str) -> SyncDevice {
    let device = DeviceBuilder::new().name(name).offload(true).build_sync();
    device.expect("an interface; it takes root and /dev/net/tun")
}

/// One direction.
struct Way {
    link: Arc<Mutex<Link>>,
    epoch: Instant,
    waiting: Waiting,
}

impl Way {
    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).expect("hours")
    }

    fn take_in(&self, device: &SyncDevice) {
        let mut whole = vec![0; SUPER_PACKET];
        let mut packets = vec![vec![0; PACKET]; IDEAL_BATCH_SIZE];
        let mut sizes = vec![0; IDEAL_BATCH_SIZE];
        loop {
            // An interface that is down, or moves to its host just now, has nothing for us.
            let Ok(count) = device.recv_multiple(&mut whole, &mut packets, &mut sizes, 0) else {
                thread::sleep(Duration::from_millis(1));
                continue;
            };
            let now = self.now();
            let mut link = self.link.lock().expect("no panic");
            let came = packets.iter().zip(&sizes).take(count);
            self.waiting.extend(came.filter_map(|(packet, size)| {
                let (Fate::Arrives(at) | Fate::ArrivesMarked(at)) = link.offer(now, *size as u64)
                else {
                    return None;
                };
                let mut copy = vec![0; VIRTIO_NET_HDR_LEN];
                copy.extend_from_slice(&packet[..*size]);
                Some((at, copy))
            }));
        }
    }

    /// Lets what is due out, in order.
    fn deliver(&self, device: &SyncDevice) {
        let mut table = GROTable::default();
        loop {
            let at = self.waiting.next_due();
            let now = self.now();
            if at > now {
                thread::sleep(Duration::from_nanos(at - now));
            }
            let mut due = self.take_due(self.now());
            // What an interface does not take is lost, as with any.
            let _ = device.send_multiple(&mut table, &mut due, VIRTIO_NET_HDR_LEN);
        }
    }

    fn take_due(&self, now: u64) -> Vec<Vec<u8>> {
        let mut packets = self.waiting.take_due(now, IDEAL_BATCH_SIZE);
        // The kernel takes many in one call where the first has room for those that follow.
        for first in packets.iter_mut().step_by(TOGETHER) {
            first.reserve(TOGETHER * PACKET);
        }
        packets
    }
}
