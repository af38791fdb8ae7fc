//! A long line between two streets: what enters one end leaves the other a while later.
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

/// Opens a line between interfaces of these names. Packets take `delay` each way.
pub(crate) fn open(names: [&str; 2], delay: Duration) {
    let [one, other] = names.map(|name| Arc::new(device(name)));
    for (from, to) in [(&one, &other), (&other, &one)] {
        let (sender, receiver) = channel();
        let (from, to) = (Arc::clone(from), Arc::clone(to));
        thread::spawn(move || take_in(&from, &sender));
        thread::spawn(move || deliver(&to, &receiver, delay));
    }
}

fn device(name: &str) -> SyncDevice {
    let device = DeviceBuilder::new().name(name).build_sync();
    device.expect("an interface; it takes root and /dev/net/tun")
}

#[expect(clippy::disallowed_methods, reason = "a line has a clock")]
fn take_in(device: &SyncDevice, sender: &Sender<(Instant, Vec<u8>)>) {
    let mut buffer = vec![0; PACKET];
    loop {
        // an interface that is down, or moves to its place just now, has nothing for us
        let Ok(bytes) = device.recv(&mut buffer) else {
            thread::sleep(Duration::from_millis(1));
            continue;
        };
        if sender
            .send((Instant::now(), buffer[..bytes].to_vec()))
            .is_err()
        {
            return;
        }
    }
}

fn deliver(device: &SyncDevice, receiver: &Receiver<(Instant, Vec<u8>)>, delay: Duration) {
    while let Ok((came, packet)) = receiver.recv() {
        thread::sleep(delay.saturating_sub(came.elapsed()));
        // what an interface does not take is lost, as with any
        let _ = device.send(&packet);
    }
}
