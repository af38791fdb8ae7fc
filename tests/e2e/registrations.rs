//! Attacks on a SwarmMaster's index: A34 and W-21 (what is registered), A13 and A17 (how it is asked).

use std::sync::Arc;
use std::time::Duration;

use quinn::VarInt;
use swarmhold::node::SwarmMaster;
use swarmhold::wire::frame::encode_request;
use swarmhold::wire::{Mode, Rejection, Reply, Request, Search, Wanted};
use swarmhold::{Manifest, Wallet};

use crate::masters::{lists, publish, words};
use crate::raw::{Fate, Raw, reply_in};
use crate::registrant::{Registrant, is_rejected};
use crate::rogue::{Say, honest, manifest_file, raw_chunk};
use crate::world::{World, forge, noise, wallet, within};

const NOT_FOUND: u32 = 0x06;

fn container(seed: u64) -> (Vec<u8>, Arc<Manifest>) {
    let bytes = noise(seed, 100_000);
    let manifest = forge(&wallet("owner"), &bytes, |_| {});
    (bytes, manifest)
}

fn silent(_: &Request) -> Say {
    Say::Reset(NOT_FOUND)
}

async fn holders(raw: &Raw, manifest: &Manifest) -> usize {
    let wanted = Wanted::Manifest(manifest.id());
    let heard = raw.ask(&Request::Lookup { wanted, limit: 50 }).await;
    match reply_in(&heard) {
        Reply::Holders(holders) => holders.len(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_has_what_it_says_is_listed_and_told_where_it_was_seen() {
    let world = World::new();
    let master = world.master("master").await;
    let (bytes, manifest) = container(1);
    let script = honest(&manifest, &bytes);
    let mut registrant = Registrant::enlist(&master, wallet("alice"), script).await;
    let own = registrant.raw.connection.local_ip();
    assert!(registrant.observed.ip().is_loopback(), "{own:?}");
    assert_eq!(
        registrant.register(&manifest).await,
        Reply::Registered { ttl_s: 600 }
    );
    let asker = Raw::greet_at(master.listen_address(), &wallet("asker")).await;
    assert_eq!(holders(&asker, &manifest).await, 1);
    let gone = reply_in(&registrant.raw.ask(&Request::Withdraw { id: None }).await);
    assert_eq!(gone, Reply::Withdrawn);
    assert_eq!(holders(&asker, &manifest).await, 0);
}

/// W-21: forged, replayed and stale registrations, each with its exact answer.
#[tokio::test]
async fn registrations_that_are_forged_replayed_or_stale_are_refused() {
    let world = World::new();
    let master = world.master("master").await;
    let (bytes, manifest) = container(2);
    let (id, count) = (manifest.id(), manifest.layout().chunk_count());
    let script = honest(&manifest, &bytes);
    let mut alice = Registrant::enlist(&master, wallet("alice"), script.clone()).await;
    let mut mallory = Registrant::enlist(&master, wallet("mallory"), script).await;

    let unsigned = alice.plain(id, count);
    assert!(is_rejected(
        &alice.send(unsigned).await,
        Rejection::Signature
    ));
    // somebody else's, taken as it is, and with the nonce of one's own connection
    let of_alice = alice.signed(id, count);
    assert!(is_rejected(
        &mallory.send(of_alice.clone()).await,
        Rejection::Nonce
    ));
    let mut stolen = of_alice.clone();
    stolen.nonce = mallory.nonce;
    assert!(is_rejected(
        &mallory.send(stolen).await,
        Rejection::Signature
    ));
    // one's own, signed for somebody else
    let mut posing = mallory.plain(id, count);
    // what was refused for its signature has counted: it was for this connection
    posing.sequence = 100;
    posing.public_key = alice.wallet.public_key();
    let signature = mallory.wallet.sign(&posing.signed_bytes());
    let posing = posing.signed(signature);
    assert!(is_rejected(
        &mallory.send(posing).await,
        Rejection::Signature
    ));
    // for another master
    let mut elsewhere = alice.plain(id, count);
    elsewhere.audience = wallet("another master").address();
    let signature = alice.wallet.sign(&elsewhere.signed_bytes());
    let elsewhere = elsewhere.signed(signature);
    assert!(is_rejected(
        &alice.send(elsewhere).await,
        Rejection::Audience
    ));
    // changed after it was signed
    let mut changed = alice.signed(id, count);
    changed.ttl_s += 1;
    assert!(is_rejected(
        &alice.send(changed).await,
        Rejection::Signature
    ));
    // for too long
    let mut long = alice.plain(id, count);
    long.ttl_s = 1801;
    let signature = alice.wallet.sign(&long.signed_bytes());
    let long = long.signed(signature);
    assert!(is_rejected(&alice.send(long).await, Rejection::Ttl));

    // good once, then old
    let good = alice.signed(id, count);
    assert_eq!(
        alice.send(good.clone()).await,
        Reply::Registered { ttl_s: 600 }
    );
    assert!(is_rejected(
        &alice.send(good.clone()).await,
        Rejection::Nonce
    ));
    assert!(is_rejected(&alice.send(of_alice).await, Rejection::Nonce));
    // and worthless on the next connection
    let (bytes, other) = container(2);
    let again = Registrant::enlist(&master, wallet("alice"), honest(&other, &bytes)).await;
    assert!(is_rejected(&again.send(good).await, Rejection::Nonce));
    lists(&master, 1).await;
}

/// A34: what a node does not have is not listed, whatever it says.
#[tokio::test]
async fn who_lacks_the_container_is_not_listed() {
    let world = World::new();
    let master = world.master("master").await;
    let (bytes, manifest) = container(3);
    let (_, other) = container(4);
    let wrong = noise(5, 100_000);
    type Script = Box<dyn Fn(&Request) -> Say + Send + Sync>;
    let cases: Vec<(&str, Script, Rejection)> = vec![
        ("says nothing", Box::new(silent), Rejection::Manifest),
        (
            "another manifest",
            Box::new(move |_| manifest_file(&other)),
            Rejection::Manifest,
        ),
        (
            "no manifest",
            Box::new(|_| raw_chunk(b"no")),
            Rejection::Manifest,
        ),
        (
            "no chunk",
            {
                let manifest = Arc::clone(&manifest);
                Box::new(move |request| match request {
                    Request::Manifest { .. } => manifest_file(&manifest),
                    _ => Say::Reset(NOT_FOUND),
                })
            },
            Rejection::Unproven,
        ),
        (
            "wrong chunks",
            Box::new(honest(&manifest, &wrong)),
            Rejection::Unproven,
        ),
    ];
    for (name, script, rejection) in cases {
        let mut liar = Registrant::enlist(&master, wallet(name), script).await;
        let reply = liar.register(&manifest).await;
        assert!(is_rejected(&reply, rejection), "{name}: {reply:?}");
    }
    // more chunks than there are, or none
    let mut odd = Registrant::enlist(&master, wallet("odd"), honest(&manifest, &bytes)).await;
    for chunks in [0, 5, 4096] {
        let registration = odd.signed(manifest.id(), chunks);
        let reply = odd.send(registration).await;
        assert!(
            is_rejected(&reply, Rejection::Unproven),
            "{chunks}: {reply:?}"
        );
    }
    let asker = Raw::greet_at(master.listen_address(), &wallet("asker")).await;
    assert_eq!(holders(&asker, &manifest).await, 0);
    let found = reply_in(&asker.ask(&Request::Search(words("container"))).await);
    assert!(matches!(found, Reply::Found(_)), "{found:?}");
    assert_eq!(master.status().borrow().index.entries, 0);
}

/// A34 over the network: many keys register what they do not have, and the honest result comes first.
#[tokio::test]
async fn fakes_do_not_hide_an_honest_container() {
    let world = World::new();
    let master = world.master("master").await;
    let honest_node = world.member("honest", &[&master]).await;
    let bytes = noise(6, 60_000);
    publish(&honest_node, "ubuntu.iso", &bytes).await;
    lists(&master, 1).await;
    for key in 0..20 {
        let fake = forge(&wallet("owner"), &noise(100 + key, 60_000), |draft| {
            draft.name = "ubuntu.iso".to_owned();
        });
        // each has a true manifest of what it calls so, and not one byte of it
        let manifest = Arc::clone(&fake);
        let script = move |request: &Request| match request {
            Request::Manifest { .. } => manifest_file(&manifest),
            _ => raw_chunk(&[0; 32_768]),
        };
        let mut liar = Registrant::enlist(&master, wallet(&format!("fake {key}")), script).await;
        assert!(is_rejected(
            &liar.register(&fake).await,
            Rejection::Unproven
        ));
    }
    let seeker = world.member("seeker", &[&master]).await;
    let whom = swarmhold::node::Whom::Masters;
    let outcome = seeker.node.search(words("ubuntu"), whom, Vec::new()).await;
    assert_eq!(outcome.found.len(), 1);
    assert_eq!(outcome.found[0].hit.owner, honest_node.address());
}

/// A35: pathological queries are refused or answered, and the master goes on answering others.
#[tokio::test]
async fn bombs_are_refused_and_floods_are_told_to_come_back() {
    let world = World::new();
    let master = world.master("master").await;
    let asker = Raw::greet_at(master.listen_address(), &wallet("asker")).await;
    let ask = |text: &str, mode| {
        let request = Request::Search(Search::new(text, mode));
        let asker = &asker;
        async move { reply_in(&asker.ask(&request).await) }
    };
    for (text, mode) in [
        ("", Mode::Words),
        ("(", Mode::Regex),
        (".*", Mode::Regex),
        ("(a{1000}){1000}", Mode::Regex),
        (r"\pL{250}\pL{250}", Mode::Regex),
    ] {
        let reply = ask(text, mode).await;
        assert!(is_rejected(&reply, Rejection::Query), "{text}: {reply:?}");
    }
    for text in ["%a%", "_", "\" OR \"a", "*", "(x+x+)+y", "NEAR(a b)"] {
        let reply = ask(text, Mode::Words).await;
        assert!(matches!(reply, Reply::Found(_)), "{text}: {reply:?}");
    }
    // more than somebody types
    let mut busy = 0;
    for _ in 0..200 {
        match ask("abc", Mode::Words).await {
            Reply::Busy { retry_after_ms } => {
                assert!((1..=1000).contains(&retry_after_ms), "{retry_after_ms}");
                busy += 1;
            }
            Reply::Found(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(busy > 50, "{busy}");
    let other = Raw::greet_at(master.listen_address(), &wallet("other")).await;
    let reply = reply_in(&other.ask(&Request::Search(words("abc"))).await);
    assert!(matches!(reply, Reply::Found(_)), "{reply:?}");
}

/// A13: streams that are opened and reset at once.
#[tokio::test]
async fn a_flood_of_resets_is_cut_off_and_others_are_answered() {
    let world = World::new();
    let master = world.master("master").await;
    let flood = Raw::greet_at(master.listen_address(), &wallet("flood")).await;
    let opened = async {
        while let Ok((mut send, _recv)) = flood.connection.open_bi().await {
            let _ = send.write(&[1]).await;
            let _ = send.reset(VarInt::from_u32(0));
        }
    };
    within(opened).await;
    let Fate::Closed { code, reason } = flood.fate().await else {
        panic!("it must be closed");
    };
    assert_eq!(code, 0x16);
    assert!(reason.starts_with("RATE"), "{reason}");
    still_answers(&master).await;
}

/// A17: requests that trickle in, and answers that nobody reads.
#[tokio::test]
async fn who_trickles_or_does_not_read_holds_nobody_up() {
    let world = World::new();
    let master = world.master("master").await;
    let mut slow = Vec::new();
    for number in 0..20 {
        let raw = Raw::greet_at(master.listen_address(), &wallet(&format!("slow {number}"))).await;
        let (mut send, recv) = raw.connection.open_bi().await.unwrap();
        send.write_all(&encode_request(&Request::Enlist)[..1])
            .await
            .unwrap();
        let unread = raw.begin(&Request::Search(words("abc"))).await;
        slow.push((raw, send, recv, unread));
    }
    still_answers(&master).await;
    // what has not arrived whole in its time is refused
    let (_, _, recv, _) = &mut slow[0];
    let refused = within(recv.read_to_end(64)).await;
    let Err(quinn::ReadToEndError::Read(quinn::ReadError::Reset(code))) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(code.into_inner(), 0x07);
}

async fn still_answers(master: &SwarmMaster) {
    let wallet: Wallet = wallet("honest");
    let raw = Raw::greet_at(master.listen_address(), &wallet).await;
    let asked = tokio::time::timeout(Duration::from_secs(30), raw.ask(&Request::Enlist));
    let reply = reply_in(&asked.await.expect("an answer"));
    assert!(matches!(reply, Reply::Enlisted { .. }), "{reply:?}");
}
