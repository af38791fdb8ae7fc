//! A long line between two streets: what enters one end leaves the other a while later, and where the line is
//! narrow, one packet after the other.
//!
//! Two interfaces (TUN devices) that this process owns; two threads for each direction. The threads end with the
//! process: a laboratory has one line at most.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tun_rs::{DeviceBuilder, SyncDevice};

/// The largest packet that passes.
const PACKET: usize = 1500;
/// What may wait for its turn on a narrow line, as time: what is beyond it is dropped.
const QUEUE_MAX: Duration = Duration::from_millis(40);

/// How a line is, in each direction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// How long a packet takes.
    pub(crate) delay: Duration,
    /// Bytes a second that pass, IP headers included; none is no limit.
    pub(crate) per_second: Option<u32>,
}

/// Opens a line between interfaces of these names.
pub(crate) fn open(names: [&str; 2], shape: Shape) {
    let [one, other] = names.map(|name| Arc::new(device(name)));
    for (from, to) in [(&one, &other), (&other, &one)] {
        let (sender, receiver) = channel();
        let (from, to) = (Arc::clone(from), Arc::clone(to));
        thread::spawn(move || take_in(&from, &sender, shape));
        thread::spawn(move || deliver(&to, &receiver));
    }
}

fn device(name: &str) -> SyncDevice {
    let device = DeviceBuilder::new().name(name).build_sync();
    device.expect("an interface; it takes root and /dev/net/tun")
}

#[expect(clippy::disallowed_methods, reason = "a line has a clock")]
fn take_in(device: &SyncDevice, sender: &Sender<(Instant, Vec<u8>)>, shape: Shape) {
    let mut buffer = vec![0; PACKET];
    let mut free_at = Instant::now();
    loop {
        // an interface that is down, or moves to its place just now, has nothing for us
        let Ok(bytes) = device.recv(&mut buffer) else {
            thread::sleep(Duration::from_millis(1));
            continue;
        };
        let now = Instant::now();
        if let Some(per_second) = shape.per_second {
            if free_at.saturating_duration_since(now) > QUEUE_MAX {
                continue;
            }
            let takes =
                Duration::from_secs(1) * u32::try_from(bytes).expect("a packet") / per_second;
            free_at = free_at.max(now) + takes;
        } else {
            free_at = now;
        }
        let packet = buffer[..bytes].to_vec();
        if sender.send((free_at + shape.delay, packet)).is_err() {
            return;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a line has a clock")]
fn deliver(device: &SyncDevice, receiver: &Receiver<(Instant, Vec<u8>)>) {
    while let Ok((due, packet)) = receiver.recv() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        // what an interface does not take is lost, as with any
        let _ = device.send(&packet);
    }
}
