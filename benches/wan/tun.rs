//! A line between two network interfaces (TUN devices) that this process owns.
//!
//! Every IP packet that enters one of them passes a [`Link`] and leaves the other when the link says.
//! The kernel hands over many packets as one, and takes them so (`segments.rs`): the link decides for each
//! by itself, and neighbours that get through within [`MODERATION_NS`] of each other leave together,
//! when the last of them is due. So a packet may be late by that much, as behind a network card that does not
//! interrupt for each. On a line of 100 Mbit/s or less every packet leaves alone, when it is due.
//! Four threads: for each direction one that takes packets in and one that waits for what is due.

use std::io::{self, BufRead};
use std::ops::Range;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tun_rs::{DeviceBuilder, SyncDevice, VIRTIO_NET_HDR_LEN};

use crate::link::{Fate, Link, Shape};
use crate::role::{self, text_argument};
use crate::say;
use crate::segments::Segments;
use crate::waiting::Waiting;

/// The role of the process that is the line.
pub(crate) const ROLE: &str = "tun";

/// The largest packet that the kernel hands over, with its word on how to cut it.
const LARGEST: usize = VIRTIO_NET_HDR_LEN + 65_536;

/// How long a packet may wait for those behind it, in nanoseconds: ten packets of an Ethernet at 1 Gbit/s, less than
/// one at 100 Mbit/s.
const MODERATION_NS: u64 = 110_000;

/// How many packets are handed out before what is due is looked at again.
const AT_ONCE: usize = 128;

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
        let mut buffer = vec![0; LARGEST];
        loop {
            // An interface that is down, or moves to its host just now, has nothing for us.
            let Ok(length) = device.recv(&mut buffer) else {
                thread::sleep(Duration::from_millis(1));
                continue;
            };
            let segments = Segments::new(&buffer[..length]);
            let runs = self.runs(&segments);
            let packets = runs
                .into_iter()
                .map(|run| (run.due, segments.packet(run.neighbours)));
            // Copied before others are kept from what waits.
            self.waiting.extend(packets.collect::<Vec<_>>());
        }
    }

    /// What the link lets through, in runs of neighbours.
    fn runs(&self, segments: &Segments) -> Vec<Run> {
        let now = self.now();
        let mut link = self.link.lock().expect("no panic");
        let mut runs: Vec<Run> = Vec::new();
        for (number, size) in segments.sizes().enumerate() {
            let (Fate::Arrives(at) | Fate::ArrivesMarked(at)) = link.offer(now, size as u64) else {
                continue;
            };
            match runs.last_mut() {
                Some(run) if run.is_joined_by(number, at) => {
                    run.neighbours.end = number + 1;
                    run.due = at;
                }
                _ => runs.push(Run {
                    neighbours: number..number + 1,
                    first: at,
                    due: at,
                }),
            }
        }
        runs
    }

    /// Lets what is due out, in order.
    fn deliver(&self, device: &SyncDevice) {
        loop {
            let at = self.waiting.next_due();
            let now = self.now();
            if at > now {
                thread::sleep(Duration::from_nanos(at - now));
            }
            for packet in self.waiting.take_due(self.now(), AT_ONCE) {
                // What an interface does not take is lost, as with any.
                let _ = device.send(&packet);
            }
        }
    }
}

/// Segments of one packet that arrive together.
struct Run {
    neighbours: Range<usize>,
    /// When the first of them arrives.
    first: u64,
    /// When the last of them does.
    due: u64,
}

impl Run {
    fn is_joined_by(&self, number: usize, at: u64) -> bool {
        self.neighbours.end == number && at - self.first <= MODERATION_NS
    }
}
