//! Houses that are not one router each: neighbours, IPv6, firewalls, routers that forget soon.

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::lab::until;
use crate::world::{Kind, Running, STREET, World};

/// What a `get --json` printed last, and what it said.
pub(crate) struct Got {
    pub(crate) done: Option<Value>,
    pub(crate) stderr: String,
}

impl Got {
    pub(crate) fn of(output: Output) -> Self {
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let events: Vec<Value> = stdout
            .lines()
            .filter_map(|it| serde_json::from_str(it).ok())
            .collect();
        let done = events.last().cloned().filter(|_| output.status.success());
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { done, stderr }
    }

    /// How the one who gave was reached.
    pub(crate) fn path(&self) -> &Value {
        let done = self
            .done
            .as_ref()
            .unwrap_or_else(|| panic!("{}", self.stderr));
        &done["paths"][0]
    }
}

/// Shares a file of `bytes` bytes as `app.tar`, and waits until a master has listed it.
pub(crate) fn share(world: &World, place: &str, bytes: usize, more: &[&str]) -> Running {
    // what is called like a file beside one is taken for that file
    fs::create_dir_all(world.path("shared")).unwrap();
    let content = swarmhold::wire::fuzz::noise(bytes, 7);
    fs::write(world.path("shared/app.tar"), content).unwrap();
    let args = ["share", "shared/app.tar", "--no-port-mapping", "-vv"];
    let running = world.start(place, &[&args[..], more].concat());
    until("it is listed", || world.log(place).contains(": listed "));
    running
}

fn get(world: &World, place: &str, more: &[&str]) -> Got {
    let mut command = world.swarmhold(place);
    command
        .args(["get", "app.tar", "-o", "copy", "--json", "-vv"])
        .args(more);
    let got = Got::of(command.output().expect("it runs"));
    if got.done.is_some() {
        let shared = fs::read(world.path("shared/app.tar")).unwrap();
        assert!(fs::read(world.path("copy")).unwrap() == shared);
    }
    got
}

#[test]
fn neighbours_meet_inside_their_house() {
    let Some(mut world) = World::or_skip() else {
        return;
    };
    world.house("alice", Kind::PortRestricted, 10);
    world.neighbour("bob", "alice", 10);
    let master = world.master(STREET);
    let _sharing = share(&world, "alice", 100_000, &["--master", &master.said]);
    let got = get(&world, "bob", &["--master", &master.said]);
    assert_eq!(got.path()["path"], "direct");
    let inside = "a peer is connected";
    let met = got.stderr.lines().filter(|line| line.contains(inside));
    let is_right =
        |line: &str| line.contains("remote=10.10.0.2:7922") || line.contains("remote=1.2.3.9:");
    assert!(
        met.clone().any(|line| line.contains("10.10.0.2")),
        "{}",
        got.stderr
    );
    assert!(met.clone().all(is_right), "{}", got.stderr);
}

/// What a router does about the outside address of its own house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hairpin {
    /// Who sends there from inside reaches whoever inside the port belongs to (RFC 4787 section 6).
    Works,
    /// It leads nowhere.
    Fails,
}

/// The rules of a full cone whose two inner networks cannot reach each other, in the words of nft(8).
fn parted(outside: &str, hairpin: Hairpin) -> String {
    let (to, back) = match hairpin {
        Hairpin::Works => ("", "iifname != wan oifname != wan snat ip to"),
        Hairpin::Fails => ("iifname wan", "iifname wan oifname wan snat ip to"),
    };
    format!(
        "table ip nat {{
 map ports {{ type inet_service : ipv4_addr . inet_service; flags dynamic,timeout; timeout 300s; size 65536; }}
 chain before {{ type nat hook prerouting priority dstnat;
  {to} ip daddr {outside} meta l4proto udp dnat ip to udp dport map @ports
 }}
 chain after {{ type nat hook postrouting priority srcnat;
  oifname wan meta l4proto udp update @ports {{ udp sport timeout 300s : ip saddr . udp sport }}
  oifname wan snat ip to {outside}
  {back} {outside}
 }}
}}
table ip filter {{
 chain through {{ type filter hook forward priority 0; ct state established,related accept; ct status dnat accept;
  iifname wan drop; oifname != wan drop
 }}
 chain own {{ type filter hook input priority 0; meta l4proto udp drop
 }}
}}
"
    )
}

/// How two nodes in one house reach each other whose networks are parted.
fn across_a_house(hairpin: Hairpin) -> Option<(Got, String)> {
    let mut world = World::or_skip()?;
    world.house("alice", Kind::FullCone, 10);
    world.neighbour("bob", "alice", 10);
    world.rules("alice-r", &parted("1.2.3.10", hairpin));
    let master = world.master(STREET);
    let _sharing = share(&world, "alice", 100_000, &["--master", &master.said]);
    // each has an outside port of its own
    let own = ["--listen", "0.0.0.0:7944", "--master", &master.said];
    let got = get(&world, "bob", &own);
    Some((got, world.log("alice")))
}

#[test]
fn a_router_that_hairpins_leads_to_the_neighbour() {
    let Some((got, sharer)) = across_a_house(Hairpin::Works) else {
        return;
    };
    assert_eq!(got.path()["path"], "direct", "{}{sharer}", got.stderr);
    let is_outside =
        |line: &&str| line.contains("a peer is connected") && line.contains("1.2.3.10:");
    assert!(
        got.stderr.lines().any(|line| is_outside(&line)),
        "{}",
        got.stderr
    );
}

#[test]
fn neighbours_whose_router_does_not_hairpin_are_relayed() {
    let Some((got, sharer)) = across_a_house(Hairpin::Fails) else {
        return;
    };
    assert_eq!(got.path()["path"], "relayed", "{}{sharer}", got.stderr);
}

#[test]
fn firewalls_of_ipv6_are_opened_from_both_sides() {
    let Some(mut world) = World::or_skip() else {
        return;
    };
    world.house("alice", Kind::PortRestricted, 10);
    world.house("bob", Kind::PortRestricted, 11);
    world.ipv6([("alice", 10), ("bob", 11)]);
    let master = world.master("[2a00:1::9]:7923");
    let _sharing = share(&world, "alice", 100_000, &["--master", &master.said]);
    let got = get(&world, "bob", &["--master", &master.said]);
    let path = got.path();
    assert_eq!(
        (&path["path"], &path["how"]),
        (&"direct".into(), &"met".into())
    );
}

#[test]
fn who_cannot_send_udp_is_told_so() {
    let Some(mut world) = World::or_skip() else {
        return;
    };
    world.house("alice", Kind::Open, 10);
    world.house("bob", Kind::PortRestricted, 11);
    world.rules(
        "bob-r",
        "table ip filter {\n chain through { type filter hook forward priority 0; meta l4proto udp drop\n }\n}\n",
    );
    let master = world.master(STREET);
    let sharing = share(&world, "alice", 1000, &["--master", &master.said]);
    let by_name = get(&world, "bob", &["--master", &master.said]);
    assert!(by_name.done.is_none());
    let by_link = world
        .swarmhold("bob")
        .args(["get", &sharing.said, "-o", "copy", "--timeout", "11s"])
        .output()
        .unwrap();
    let why = String::from_utf8_lossy(&by_link.stderr);
    assert!(!by_link.status.success());
    assert!(why.contains("1.2.3.10:7922 did not answer"), "{why}");
    assert!(
        why.contains("no SwarmMaster answers") && why.contains("UDP"),
        "{why}"
    );
}

#[test]
fn routers_that_forget_within_seconds_are_kept_awake() {
    let Some(mut world) = World::or_skip() else {
        return;
    };
    world.house("alice", Kind::PortRestricted, 10);
    world.house("bob", Kind::Symmetric, 11);
    for what in ["udp_timeout", "udp_timeout_stream"] {
        world.run(
            "alice-r",
            &format!("sysctl -qw net.netfilter.nf_conntrack_{what}=7"),
        );
    }
    // of the two, the one who waits is the one whose router forgets
    world.rules(
        "bob-r",
        &crate::world::rules(Kind::AddressRestricted, "1.2.3.11"),
    );
    let master = world.master(STREET);
    let _sharing = share(&world, "alice", 100_000, &["--master", &master.said]);
    std::thread::sleep(std::time::Duration::from_secs(12));
    let got = get(&world, "bob", &["--master", &master.said]);
    assert_eq!(
        (&got.path()["path"], &got.path()["how"]),
        (&"direct".into(), &"met".into())
    );
}
