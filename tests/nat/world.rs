//! Houses behind routers of every kind, around one street.
//!
//! ```text
//!   host 10.N.0.2 --- 10.N.0.1 [router N] 1.2.3.N ---+
//!                                                    +--- street --- 1.2.3.9 master
//!   open                                  1.2.3.N ---+
//! ```
//!
//! Routers drop what comes for themselves: one that answers confuses its own address translation for half a
//! minute, as some do in the wild. Names of namespaces end with the process and a number, so that tests run
//! beside each other.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::lab::{Lab, ip, succeeded};
use crate::line::{self, Shape};

/// What a router does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// There is none.
    Open,
    /// The same outside port for everybody, and everybody is let in by it.
    FullCone,
    /// The same, but only hosts that were spoken to are let in.
    AddressRestricted,
    /// The same, but only from the very ports that were spoken to.
    PortRestricted,
    /// Another outside port for each that is spoken to, and only they are let in.
    Symmetric,
}

/// From which number on houses are at the other end of the line, where there is one.
pub(crate) const FAR: u8 = 20;

/// Where the master of most worlds listens.
pub(crate) const STREET: &str = "1.2.3.9:7923";

pub(crate) const KINDS: [Kind; 5] = [
    Kind::Open,
    Kind::FullCone,
    Kind::AddressRestricted,
    Kind::PortRestricted,
    Kind::Symmetric,
];

/// All of it; taken down when it is dropped.
pub(crate) struct World {
    folder: TempDir,
    tag: String,
    places: Vec<String>,
    /// Whether houses from [`FAR`] on are in another street, at the end of a line.
    is_long: bool,
}

/// A program that runs until it is dropped.
pub(crate) struct Running {
    child: Child,
    /// The first line that it printed.
    pub(crate) said: String,
}

impl World {
    /// A street with a host on it, `master`; none, said so, where that cannot be.
    pub(crate) fn or_skip() -> Option<Self> {
        Self::with_line(None)
    }

    /// As [`or_skip`](Self::or_skip); where there is a line, houses from [`FAR`] on are at its other end.
    pub(crate) fn with_line(line: Option<Shape>) -> Option<Self> {
        if !Lab::is_possible() {
            return None;
        }
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut world = Self {
            folder: TempDir::new().expect("a folder"),
            tag: format!("shw{}-{number}", process::id()),
            places: Vec::new(),
            is_long: line.is_some(),
        };
        world.place("street");
        world.run("street", "ip link add br0 type bridge");
        world.run("street", "ip link set br0 up");
        if let Some(line) = line {
            world.lengthen(line);
        }
        world.place("master");
        world.on_street("master", "eth0", 9);
        Some(world)
    }

    /// Joins a second street to the first by a line.
    fn lengthen(&mut self, shape: Shape) {
        self.place("far");
        self.run("far", "ip link add br0 type bridge");
        self.run("far", "ip link set br0 up");
        // a name has room for fifteen letters, and the tag begins with three that all have
        let ends = ["a", "b"].map(|end| format!("l{}{end}", &self.tag[3..]));
        line::open([&ends[0], &ends[1]], shape);
        for (street, device, own, other, end) in [
            ("street", &ends[0], "1.2.3", "1.2.4", 1),
            ("far", &ends[1], "1.2.4", "1.2.3", 2),
        ] {
            ip(&["link", "set", device, "netns", &self.name(street)]);
            self.run(street, &format!("ip link set {device} up"));
            self.run(
                street,
                &format!("ip addr add 10.255.0.{end}/24 dev {device}"),
            );
            self.run(street, &format!("ip addr add {own}.1/24 dev br0"));
            self.run(street, &format!("ip route add {other}.0/24 dev {device}"));
            self.run(street, "sysctl -qw net.ipv4.ip_forward=1");
        }
    }

    /// Which street a house is in, and its address there.
    fn outside(&self, number: u8) -> (&'static str, &'static str) {
        match self.is_long && number >= FAR {
            true => ("far", "1.2.4"),
            false => ("street", "1.2.3"),
        }
    }

    /// A host called `name`, behind a router of this kind whose outside address is 1.2.3.`number`.
    pub(crate) fn house(&mut self, name: &str, kind: Kind, number: u8) {
        self.place(name);
        if kind == Kind::Open {
            return self.on_street(name, "eth0", number);
        }
        let router = format!("{name}-r");
        self.place(&router);
        self.on_street(&router, "wan", number);
        self.join(name, &router, number, 0);
        self.run(&router, "sysctl -qw net.ipv4.ip_forward=1");
        let outside = format!("{}.{number}", self.outside(number).1);
        self.rules(&router, &rules(kind, &outside));
    }

    /// Another host behind the router of a house that has one, in a network of its own: 10.`number`.1.0.
    pub(crate) fn neighbour(&mut self, name: &str, house: &str, number: u8) {
        self.place(name);
        self.join(name, &format!("{house}-r"), number, 1);
    }

    /// Joins a host to the inside of a router.
    fn join(&self, host: &str, router: &str, number: u8, leg: u8) {
        let (inside, outside) = (self.name(host), self.name(router));
        let device = format!("lan{leg}");
        let link = ["link", "add", &device, "netns", &outside, "type", "veth"];
        ip(&[&link[..], &["peer", "name", "eth0", "netns", &inside]].concat());
        let network = format!("10.{number}.{leg}");
        self.run(router, &format!("ip addr add {network}.1/24 dev {device}"));
        self.run(router, &format!("ip link set {device} up"));
        self.run(host, &format!("ip addr add {network}.2/24 dev eth0"));
        self.run(host, "ip link set eth0 up");
        self.run(host, &format!("ip route add default via {network}.1"));
    }

    fn place(&mut self, name: &str) {
        ip(&["netns", "add", &self.name(name)]);
        self.places.push(name.to_owned());
        self.run(name, "ip link set lo up");
    }

    fn on_street(&self, name: &str, device: &str, number: u8) {
        let (on, network) = self.outside(number);
        let (street, place) = (self.name(on), self.name(name));
        let port = format!("p{number}");
        let link = ["link", "add", &port, "netns", &street, "type", "veth"];
        ip(&[&link[..], &["peer", "name", device, "netns", &place]].concat());
        self.run(on, &format!("ip link set {port} master br0 up"));
        self.run(
            name,
            &format!("ip addr add {network}.{number}/24 dev {device}"),
        );
        self.run(name, &format!("ip link set {device} up"));
        if self.is_long {
            self.run(name, &format!("ip route add default via {network}.1"));
        }
    }

    /// Gives two hosts an IPv6 address each, in networks of their own behind stateful firewalls, and the master one.
    /// Their routers translate nothing and let in what was asked for.
    pub(crate) fn ipv6(&self, houses: [(&str, u8); 2]) {
        let quiet = "sysctl -qw net.ipv6.conf.all.accept_dad=0";
        self.run("master", quiet);
        self.run("master", "ip -6 addr add 2a00:1::9/64 dev eth0 nodad");
        for (house, number) in houses {
            let router = format!("{house}-r");
            let network = format!("2a00:{number}:");
            self.run(&router, "sysctl -qw net.ipv6.conf.all.forwarding=1");
            self.run(
                &router,
                &format!("ip -6 addr add 2a00:1::{number}/64 dev wan nodad"),
            );
            self.run(
                &router,
                &format!("ip -6 addr add {network}:1/64 dev lan0 nodad"),
            );
            self.run(
                house,
                &format!("ip -6 addr add {network}:2/64 dev eth0 nodad"),
            );
            self.run(house, &format!("ip -6 route add default via {network}:1"));
            self.run(
                "master",
                &format!("ip -6 route add {network}:/64 via 2a00:1::{number}"),
            );
            let other = houses
                .iter()
                .find(|(name, _)| *name != house)
                .expect("two")
                .1;
            self.run(
                &router,
                &format!("ip -6 route add 2a00:{other}::/64 via 2a00:1::{other}"),
            );
            self.rules(
                &router,
                "table inet filter {
 chain through { type filter hook forward priority 0; iifname wan ct state established,related accept;
  iifname wan drop
 }
 chain own { type filter hook input priority 0; iifname wan meta l4proto udp drop
 }
}
",
            );
        }
    }

    /// A command in a namespace, its words parted by spaces, that has to succeed.
    pub(crate) fn run(&self, place: &str, line: &str) {
        let mut words = line.split(' ');
        let mut command = self.command(place, words.next().expect("a program"));
        succeeded(command.args(words).output());
    }

    /// Puts a router's rules in place of those that it has.
    pub(crate) fn rules(&self, router: &str, rules: &str) {
        let file = self.path(&format!("{router}.nft"));
        fs::write(&file, format!("flush ruleset\n{rules}")).expect("the folder takes files");
        let file = file.display().to_string();
        succeeded(self.command(router, "nft").args(["-f", &file]).output());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, place: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.name(place), program])
            .current_dir(self.folder.path());
        command
    }

    /// The real program, there, in a home of its own.
    pub(crate) fn swarmhold(&self, place: &str) -> Command {
        let mut command = self.command(place, env!("CARGO_BIN_EXE_swarmhold"));
        command.env("SWARMHOLD_HOME", self.path(&format!("home-{place}")));
        command
    }

    /// Starts the program and waits for the first line that it prints.
    pub(crate) fn start(&self, place: &str, args: &[&str]) -> Running {
        let mut command = self.swarmhold(place);
        command.args(args).stdout(Stdio::piped());
        let errors = fs::File::create(self.path(&format!("{place}.log"))).expect("a file");
        let mut child = command.stderr(errors).spawn().expect("it starts");
        let mut said = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(stdout);
        lines.read_line(&mut said).expect("text");
        // what else it prints is read, so that it never waits for a reader
        std::thread::spawn(move || lines.lines().for_each(drop));
        let said = said.trim().to_owned();
        assert!(!said.is_empty(), "{}", self.log(place));
        Running { child, said }
    }

    /// Starts a master at this address; answers how nodes are told of it.
    pub(crate) fn master(&self, at: &str) -> Running {
        let master = self.start("master", &["swarmmaster", "--listen", at]);
        assert!(master.said.ends_with(&format!("@{at}")), "{}", master.said);
        master
    }

    /// What a program has said beside its results.
    pub(crate) fn log(&self, place: &str) -> String {
        fs::read_to_string(self.path(&format!("{place}.log"))).unwrap_or_default()
    }

    fn name(&self, place: &str) -> String {
        format!("{}-{place}", self.tag)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for place in &self.places {
            let name = self.name(place);
            let _ = Command::new("ip").args(["netns", "del", &name]).output();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // it may have ended already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A router's rules, in the words of nft(8).
pub(crate) fn rules(kind: Kind, outside: &str) -> String {
    // which inside port an outside port belongs to: what left by it, whomever it went to
    let ports = "map ports { type inet_service : ipv4_addr . inet_service; flags dynamic,timeout; \
                 timeout 300s; size 65536; }";
    let note = "oifname wan meta l4proto udp update @ports { udp sport timeout 300s : ip saddr . udp \
                sport }";
    let (sets, before, after) = match kind {
        Kind::Open => (String::new(), String::new(), String::new()),
        Kind::FullCone => (
            ports.to_owned(),
            format!("ip daddr {outside} meta l4proto udp dnat ip to udp dport map @ports"),
            format!("{note}; oifname wan snat ip to {outside}"),
        ),
        Kind::AddressRestricted => (
            format!(
                "{ports}\n set known {{ type ipv4_addr . inet_service; flags dynamic,timeout; timeout \
                 300s; size 65536; }}"
            ),
            format!(
                "ip daddr {outside} ip saddr . udp dport @known dnat ip to udp dport map @ports"
            ),
            format!(
                "{note}; oifname wan meta l4proto udp update @known {{ ip daddr . udp sport timeout \
                 300s }}; oifname wan snat ip to {outside}"
            ),
        ),
        Kind::PortRestricted => (
            String::new(),
            String::new(),
            "oifname wan masquerade".into(),
        ),
        Kind::Symmetric => (
            String::new(),
            String::new(),
            "oifname wan masquerade random,fully-random".into(),
        ),
    };
    format!(
        "table ip nat {{
 {sets}
 chain before {{ type nat hook prerouting priority dstnat; {before}
 }}
 chain after {{ type nat hook postrouting priority srcnat; {after}
 }}
}}
table ip filter {{
 chain through {{ type filter hook forward priority 0; iifname wan ct state established,related accept;
  iifname wan ct status dnat accept; iifname wan drop
 }}
 chain own {{ type filter hook input priority 0; iifname wan meta l4proto udp drop
 }}
}}
"
    )
}
