//! What a connection costs a master that has enlisted and says nothing.

use std::sync::Arc;
use std::time::Duration;

use swarmhold::net::{Endpoint, Event};
use swarmhold::node::Stopwatch;
use swarmhold::wire::Request;
use swarmhold::{Digest, Wallet};
use tokio::sync::mpsc;

use crate::Server;
use crate::clients::{nonce_in, place};
use crate::say::say;

/// What one may cost, in KiB.
const KIB_MAX: f64 = 100.0;
/// Handshakes at a time.
const DIALS: u32 = 32;

/// Connects so many and says what each costs.
pub(crate) fn measure(server: &Server, count: u32) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(connect(server, count))
}

async fn connect(server: &Server, count: u32) -> bool {
    let (remote, master) = place(&server.hint);
    let wallet = Arc::new(Wallet::from_seed(*Digest::of(b"idle").as_bytes()));
    let (events_in, mut events) = mpsc::channel(4096);
    let loopback = ([127, 0, 0, 1], 0).into();
    let endpoint = Endpoint::bind(loopback, wallet, events_in, |own| vec![own]);
    let endpoint = endpoint.expect("a socket");
    let before = server.memory_kib();
    let began = Stopwatch::start();
    let (mut dialed, mut up, mut enlisted) = (0, 0, 0);
    let mut sessions = Vec::new();
    while enlisted < count {
        while dialed < count && dialed < up + DIALS {
            endpoint.dial(remote, Some(master));
            dialed += 1;
        }
        match events.recv().await.expect("the endpoint lives") {
            Event::Connected { session, .. } => {
                session.ask(up.into(), Request::Enlist, Duration::from_secs(30));
                sessions.push(session);
                up += 1;
            }
            Event::DialFailed { error, .. } => panic!("a dial failed: {error}"),
            Event::Closed { reason, .. } => panic!("closed: {reason}"),
            Event::Replied { answer, .. } => {
                let _ = nonce_in(answer);
                enlisted += 1;
            }
            _ => {}
        }
    }
    let took = began.elapsed().as_secs_f64();
    // a round of keep-alives
    tokio::time::sleep(Duration::from_secs(8)).await;
    let each = server.memory_kib().saturating_sub(before) as f64 / f64::from(count);
    say(format!(
        "idle      {count} connections in {took:.1} s, {each:.0} KiB each (at most {KIB_MAX})"
    ));
    each <= KIB_MAX
}
