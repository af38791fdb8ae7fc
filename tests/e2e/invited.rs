//! Invitations that are lies: what a hostile wallet and a lying master can have a node send, and what a master
//! carries (A23).
//!
//! Bounds that grow with time are held against the time that has passed, so none depends on how fast this machine is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use swarmhold::nat::{DIALS_AT_ONCE, FRESH_S, GIVE_UP, PUNCHES};
use swarmhold::node::SwarmMaster;
use swarmhold::wire::frame::encode_reply;
use swarmhold::wire::{Invitation, Mapping, Nonce, Reply, Request, Unmet};
use swarmhold::{Address, Digest, Wallet};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::raw::{Raw, reply_in};
use crate::registrant::Registrant;
use crate::rogue::{Say, answer_on, listen_as};
use crate::world::{Peer, World, wallet, within};

/// What a node takes up in a minute, in all and of one node (docs/nat.md).
const TAKEN_UP: usize = 10;
const OF_ONE: usize = 3;
/// What it sends to places that have not answered, in bytes: at once, and each second (docs/nat.md).
const AT_ONCE: usize = 36 * 1024;
const PER_SECOND: usize = 8 * 1024;
/// What a master carries of one wallet's and to one node, at once, and then each second (docs/nat.md).
const OF_WALLET: (usize, usize) = (40, 2);
const TO_NODE: (usize, usize) = (10, 1);
/// Bytes of a punch, and what IPv4 and UDP add to any datagram.
const PUNCH: usize = 8;
const HEADERS: usize = 28;
/// Packets of a dial that nobody answers: four hellos of two, and one that ends it.
const DIAL: usize = 4 * 2 + 1;

/// A machine that nobody asked, on a real socket.
struct Victim {
    at: SocketAddr,
    hits: JoinHandle<Vec<usize>>,
}

impl Victim {
    /// Listens, and counts the bytes of each datagram until none has come for longer than any meeting lasts.
    async fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let hits = tokio::spawn(async move {
            let (mut hits, mut buffer) = (Vec::new(), [0; 65_536]);
            // until the first comes, as long as it takes
            let mut patience = crate::world::LONG;
            while let Ok(came) = timeout(patience, socket.recv_from(&mut buffer)).await {
                hits.push(came.unwrap().0);
                patience = GIVE_UP + Duration::from_secs(1);
            }
            hits
        });
        Self { at, hits }
    }
}

fn unix_time() -> u64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed();
    since.expect("after 1970").as_secs()
}

/// An invitation as it should be, with a nonce of its own.
fn plain(from: &Wallet, to: Address, at: Vec<SocketAddr>) -> Invitation {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed).to_le_bytes();
    let mut nonce = [0; 16];
    nonce.copy_from_slice(&Digest::of(&number).as_bytes()[..16]);
    Invitation {
        at,
        mapping: Mapping::Open,
        attempt: 0,
        to,
        nonce: Nonce(nonce),
        expires: unix_time() + FRESH_S,
        public_key: from.public_key(),
        signature: [[0; 32]; 2],
    }
}

fn signed(by: &Wallet, plain: Invitation) -> Invitation {
    let signature = by.sign(&plain.signed_bytes());
    plain.signed(signature)
}

async fn meet(by: &Raw, invitation: Invitation) -> Reply {
    reply_in(&by.ask(&Request::Meet(invitation)).await)
}

async fn is_enlisted(node: &Peer) {
    node.until(|status| status.masters.iter().any(|master| master.is_up))
        .await;
}

/// So many at once and so many a second, of which this many passed in this time.
fn holds((burst, per_second): (usize, usize), passed: usize, in_time: Duration) -> bool {
    let earned = per_second as f64 * in_time.as_secs_f64();
    passed >= burst && passed as f64 <= burst as f64 + earned + 1.0
}

#[tokio::test]
async fn whom_an_invitation_names_gets_a_few_punches_and_a_dial_and_no_more() {
    let world = World::new();
    let master = world.master("master").await;
    let node = world.member("node", &[&master]).await;
    is_enlisted(&node).await;
    let mallory = || wallet("mallory");
    let hostile = Registrant::enlist(&master, mallory(), |_| Say::Reset(0x06)).await;
    let mut victims = Vec::new();
    for _ in 0..7 {
        victims.push(Victim::new().await);
    }
    let began = Instant::now();
    let mut places = vec![hostile.observed];
    places.extend(victims.iter().map(|victim| victim.at));
    let mut taken_up = 0;
    for attempt in 0..20 {
        let mut invitation = plain(&mallory(), node.address(), places.clone());
        // the one who dials is the one who is invited every other time
        invitation.attempt = attempt;
        match meet(&hostile.raw, signed(&mallory(), invitation)).await {
            Reply::Go { .. } => taken_up += 1,
            // the node has had enough of this wallet, and then the master of this node's being asked
            Reply::Unmet(Unmet::Declined) | Reply::Busy { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    let minutes = 1 + usize::try_from(began.elapsed().as_secs() / 60).unwrap();
    assert!(
        (OF_ONE..=OF_ONE * minutes).contains(&taken_up),
        "{taken_up}"
    );
    let (mut bytes, mut dialed) = (0, 0);
    for victim in victims {
        let hits = within(victim.hits).await.unwrap();
        let (punches, dials): (Vec<usize>, Vec<usize>) =
            hits.iter().partition(|len| **len == PUNCH);
        let most = PUNCHES.len() * taken_up;
        assert!((1..=most).contains(&punches.len()), "{hits:?}");
        assert!(dials.len() <= DIAL * taken_up, "{hits:?}");
        dialed += usize::from(!dials.is_empty());
        bytes += hits.iter().map(|len| len + HEADERS).sum::<usize>();
    }
    assert!((1..=DIALS_AT_ONCE * taken_up).contains(&dialed), "{dialed}");
    let most = AT_ONCE as f64 + PER_SECOND as f64 * began.elapsed().as_secs_f64();
    assert!(bytes as f64 <= most, "{bytes} of {most}");
}

/// A master that a node has chosen, and that then says what it likes.
async fn lying_master(world: &World) -> (Raw, Peer) {
    let liar = wallet("liar");
    let endpoint = listen_as(&liar);
    let hint = format!("{}@{}", liar.address(), endpoint.local_addr().unwrap());
    let coming = tokio::spawn(Raw::accept(endpoint));
    let node = world
        .node_with("node", |config| {
            config.masters = vec![hint.parse().unwrap()]
        })
        .await;
    let raw = within(coming).await.unwrap();
    let observed = raw.connection.remote_address();
    answer_on(raw.connection.clone(), move |request| match request {
        Request::Enlist => Say::Bytes(encode_reply(&Reply::Enlisted {
            nonce: Nonce([1; 16]),
            observed,
            ttl_s_max: 1800,
        })),
        _ => Say::Bytes(encode_reply(&Reply::Denied)),
    });
    is_enlisted(&node).await;
    (raw, node)
}

async fn invite(master: &Raw, invitation: &Invitation) -> Result<(), Unmet> {
    match reply_in(&master.ask(&Request::Invite(invitation.clone())).await) {
        Reply::Accepted(acceptance) => {
            assert_eq!(acceptance.answers, invitation.id());
            Ok(())
        }
        Reply::Unmet(why) => Err(why),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn of_what_a_lying_master_forwards_ten_a_minute_are_looked_at_and_the_good_ones_taken_up() {
    let world = World::new();
    let (master, node) = lying_master(&world).await;
    let began = Instant::now();
    let own = node.address();
    let victim: SocketAddr = "127.0.0.1:40000".parse().unwrap();
    let wallets: Vec<Wallet> = (0..40).map(|at| wallet(&format!("wallet {at}"))).collect();
    let good = |from: &Wallet| signed(from, plain(from, own, vec![victim]));
    let (alice, bob, mallory) = (&wallets[0], &wallets[1], &wallets[2]);

    let first = good(alice);
    let expired = |expires| {
        let mut stale = plain(alice, own, vec![victim]);
        stale.expires = expires;
        signed(alice, stale)
    };
    let forged = signed(mallory, plain(bob, own, vec![victim]));
    let readdressed = signed(bob, plain(bob, mallory.address(), vec![victim]));
    let mut moved = good(bob);
    moved.at[0].set_port(40_001);
    let mut unsigned = good(mallory);
    unsigned.signature = [[0; 32]; 2];
    // eight of these count: what is turned away at once does not
    let script = [
        (&first, Ok(())),
        (&first, Err(Unmet::Declined)),
        (&expired(0), Err(Unmet::Expired)),
        (&expired(u64::MAX), Err(Unmet::Expired)),
        // three of one wallet are enough
        (&good(alice), Err(Unmet::Declined)),
        (&forged, Err(Unmet::NotYou)),
        (&readdressed, Err(Unmet::NotYou)),
        (&moved, Err(Unmet::NotYou)),
        (&unsigned, Err(Unmet::NotYou)),
        (&good(mallory), Ok(())),
    ];
    for (number, (invitation, expected)) in script.iter().enumerate() {
        let found = invite(&master, invitation).await;
        assert_eq!(found, *expected, "number {number}");
    }
    let mut taken_up = 2;
    for from in &wallets[3..] {
        taken_up += usize::from(invite(&master, &good(from)).await.is_ok());
    }
    // two of those before were taken up, and eight in all had been looked at
    let expected = 2 + (TAKEN_UP - 8);
    let is_late = began.elapsed() > Duration::from_secs(60);
    assert!(taken_up == expected || is_late, "{taken_up}");
}

#[tokio::test]
async fn a_master_begins_only_what_was_accepted_and_each_once() {
    let world = World::new();
    let (master, node) = lying_master(&world).await;
    let (alice, victim) = (wallet("alice"), Victim::new().await);
    let began = Instant::now();
    let invitation = signed(&alice, plain(&alice, node.address(), vec![victim.at]));
    let start =
        async |nonce, wait_us| reply_in(&master.ask(&Request::Start { nonce, wait_us }).await);
    assert_eq!(start(Nonce([9; 16]), 0).await, Reply::Unmet(Unmet::Expired));
    assert_eq!(invite(&master, &invitation).await, Ok(()));
    let first = start(invitation.nonce, 0).await;
    // between the two words of a slow machine an acceptance may have ended
    if began.elapsed() < Duration::from_secs(5) {
        assert_eq!(first, Reply::Started);
    }
    for _ in 0..5 {
        let again = start(invitation.nonce, 0).await;
        assert_eq!(again, Reply::Unmet(Unmet::Expired));
    }
    if first == Reply::Started {
        let hits = within(victim.hits).await.unwrap();
        let punches = hits.iter().filter(|len| **len == PUNCH).count();
        assert!((1..=PUNCHES.len()).contains(&punches), "{hits:?}");
        assert!(hits.len() - punches <= DIAL, "{hits:?}");
    }
}

/// Somebody who enlists, or does not, and counts the invitations that a master shows them.
async fn counting(master: &SwarmMaster, name: &str, enlists: bool) -> (Raw, Arc<AtomicU32>) {
    let shown = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&shown);
    let script = move |request: &Request| {
        if let Request::Invite(_) = request {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        Say::Bytes(encode_reply(&Reply::Unmet(Unmet::Declined)))
    };
    let raw = match enlists {
        true => Registrant::enlist(master, wallet(name), script).await.raw,
        false => {
            let raw = Raw::greet_at(master.listen_address(), &wallet(name)).await;
            answer_on(raw.connection.clone(), script);
            raw
        }
    };
    (raw, shown)
}

#[tokio::test]
async fn a_master_takes_forty_invitations_of_a_wallet_and_shows_a_node_ten() {
    let world = World::new();
    let master = world.master("master").await;
    let (_bob, shown) = counting(&master, "bob", true).await;
    let to_bob = wallet("bob").address();
    let began = Instant::now();
    let (mut carried, mut refused) = (0, 0);
    for name in ["one", "two"] {
        let asker = Registrant::enlist(&master, wallet(name), |_| Say::Reset(0x06)).await;
        for _ in 0..10 {
            let invitation = plain(&asker.wallet, to_bob, vec![asker.observed]);
            match meet(&asker.raw, signed(&asker.wallet, invitation)).await {
                Reply::Unmet(Unmet::Declined) => carried += 1,
                Reply::Busy { .. } => refused += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(holds(TO_NODE, carried, began.elapsed()), "{carried}");
    assert_eq!(carried + refused, 20);
    assert_eq!(shown.load(Ordering::Relaxed) as usize, carried);

    // whom it does not know costs the asker all the same
    let began = Instant::now();
    let asker = Registrant::enlist(&master, wallet("three"), |_| Say::Reset(0x06)).await;
    let (mut admitted, mut refused) = (0, 0);
    let nobody = wallet("nobody").address();
    for _ in 0..60 {
        let invitation = plain(&asker.wallet, nobody, vec![asker.observed]);
        match meet(&asker.raw, signed(&asker.wallet, invitation)).await {
            Reply::Unmet(Unmet::NotHere) => admitted += 1,
            Reply::Busy { .. } => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(holds(OF_WALLET, admitted, began.elapsed()), "{admitted}");
    assert_eq!(admitted + refused, 60);
}

#[tokio::test]
async fn a_master_carries_only_what_is_from_where_its_sender_is_and_only_to_who_enlisted() {
    let world = World::new();
    let master = world.master("master").await;
    let (_bob, shown) = counting(&master, "bob", true).await;
    let (_carol, shown_to_carol) = counting(&master, "carol", false).await;
    let (to_bob, to_carol) = (wallet("bob").address(), wallet("carol").address());
    let asker = Registrant::enlist(&master, wallet("asker"), |_| Say::Reset(0x06)).await;
    let (own, here) = (&asker.wallet, asker.observed);
    let elsewhere = SocketAddr::new(here.ip(), here.port() ^ 1);
    let other = wallet("other");
    for (invitation, why) in [
        (plain(own, to_bob, vec![elsewhere]), Unmet::NotYou),
        (plain(own, to_bob, vec![elsewhere, here]), Unmet::NotYou),
        (plain(own, to_bob, Vec::new()), Unmet::NotYou),
        (plain(&other, to_bob, vec![here]), Unmet::NotYou),
        (plain(own, own.address(), vec![here]), Unmet::NotYou),
        (plain(own, to_carol, vec![here]), Unmet::NotHere),
    ] {
        let words = format!("{invitation:?}");
        let reply = meet(&asker.raw, signed(own, invitation)).await;
        assert_eq!(reply, Reply::Unmet(why), "{words}");
    }
    assert_eq!(shown.load(Ordering::Relaxed), 0);
    let good = signed(own, plain(own, to_bob, vec![here]));
    let reply = meet(&asker.raw, good).await;
    assert_eq!(reply, Reply::Unmet(Unmet::Declined), "bob's own words");
    assert_eq!(shown.load(Ordering::Relaxed), 1);
    // who was connected and had not enlisted was never asked
    sleep(Duration::from_millis(100)).await;
    assert_eq!(shown_to_carol.load(Ordering::Relaxed), 0);
}
