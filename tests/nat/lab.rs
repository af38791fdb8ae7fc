//! A host behind a router, and somebody outside.
//!
//! ```text
//!   host                router                      outside
//!   10.9.0.2 --- 10.9.0.1 [NAT, firewall] 1.2.3.1 --- 1.2.3.9
//! ```
//!
//! The router lets in what was asked for from inside, and what its miniupnpd maps; it says itself
//! that it has an outside address, so that address is one.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::skip::skip;

/// Longer than anything here takes on two busy cores.
const PATIENCE: u32 = 60;

/// Where the router is reached from outside.
pub(crate) const OUTSIDE: &str = "1.2.3.1";

const RULES: &str = "
table inet filter {
  chain forward { type filter hook forward priority 0; policy drop;
    ct state established,related accept; iifname lan accept; jump miniupnpd
  }
  chain input { type filter hook input priority 0; iifname wan drop
  }
  chain miniupnpd {
  }
}
table inet nat {
  chain prerouting { type nat hook prerouting priority dstnat; jump prerouting_miniupnpd
  }
  chain postrouting { type nat hook postrouting priority srcnat; oifname wan masquerade;
    jump postrouting_miniupnpd
  }
  chain prerouting_miniupnpd {
  }
  chain postrouting_miniupnpd {
  }
}
";

/// Leases of six seconds at most where the protocol lets the router decide.
const DAEMON: &str = "
ext_ifname=wan
listening_ip=lan
enable_upnp=yes
enable_natpmp=yes
min_lifetime=4
max_lifetime=6
secure_mode=yes
uuid=00000000-0000-0000-0000-000000000001
upnp_table_name=filter
upnp_nat_table_name=nat
allow 1024-65535 10.9.0.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
";

/// The laboratory; taken down when it is dropped.
pub(crate) struct Lab {
    folder: TempDir,
    /// Tells its namespaces from those of other tests.
    tag: String,
    daemon: Option<Child>,
}

impl Lab {
    /// A host, a router and an outside; none, said so, where that cannot be.
    pub(crate) fn or_skip() -> Option<Self> {
        if !Self::is_possible() {
            return None;
        }
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut lab = Self {
            folder: TempDir::new().expect("a folder"),
            tag: format!("swh{}-{number}", process::id()),
            daemon: None,
        };
        lab.wire();
        lab.start_router();
        Some(lab)
    }

    /// Whether there can be a laboratory here; says so, or fails, where there cannot.
    pub(crate) fn is_possible() -> bool {
        static MISSING: OnceLock<Option<String>> = OnceLock::new();
        if let Some(reason) = MISSING.get_or_init(missing) {
            skip(reason);
            return false;
        }
        true
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command in one of the namespaces: host, router, outside.
    pub(crate) fn command(&self, place: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.name(place), program])
            .current_dir(self.folder());
        command
    }

    /// The real program, there, in a home of its own.
    pub(crate) fn swarmhold(&self, place: &str) -> Command {
        let mut command = self.command(place, env!("CARGO_BIN_EXE_swarmhold"));
        command.env("SWARMHOLD_HOME", self.path(place));
        command
    }

    /// When each mapping ends that the router has, in seconds since 1970, by what it is called.
    pub(crate) fn leases(&self) -> Vec<(String, u64)> {
        let table = fs::read_to_string(self.path("leases")).unwrap_or_default();
        let lease = |line: &str| {
            let mut fields = line.splitn(6, ':');
            let name: Vec<&str> = fields.by_ref().take(4).collect();
            Some((name.join(":"), fields.next()?.parse().ok()?))
        };
        table.lines().filter_map(lease).collect()
    }

    /// Whether the router's rules speak of a port.
    pub(crate) fn forwards(&self, port: u16) -> bool {
        let output = self
            .command("router", "nft")
            .args(["list", "ruleset"])
            .output();
        let rules = output.expect("nft runs").stdout;
        String::from_utf8_lossy(&rules).contains(&format!("dport {port} dnat"))
    }

    fn name(&self, place: &str) -> String {
        format!("{}-{place}", self.tag)
    }

    fn wire(&self) {
        for place in ["host", "router", "outside"] {
            ip(&["netns", "add", &self.name(place)]);
            self.ip(place, "link set lo up");
        }
        let router = self.name("router");
        for (place, port) in [("host", "lan"), ("outside", "wan")] {
            let name = self.name(place);
            let link = ["link", "add", port, "netns", &router, "type", "veth"];
            ip(&[&link[..], &["peer", "name", "eth0", "netns", &name]].concat());
        }
        for (place, what) in [
            ("router", "addr add 10.9.0.1/24 dev lan"),
            ("router", "addr add 1.2.3.1/24 dev wan"),
            ("router", "link set lan up"),
            ("router", "link set wan up"),
            ("host", "addr add 10.9.0.2/24 dev eth0"),
            ("host", "link set eth0 up"),
            ("host", "route add default via 10.9.0.1"),
            ("outside", "addr add 1.2.3.9/24 dev eth0"),
            ("outside", "link set eth0 up"),
        ] {
            self.ip(place, what);
        }
        let forwards = ["-qw", "net.ipv4.ip_forward=1"];
        succeeded(self.command("router", "sysctl").args(forwards).output());
    }

    fn start_router(&mut self) {
        fs::write(self.path("rules.nft"), RULES).expect("the folder takes files");
        succeeded(
            self.command("router", "nft")
                .args(["-f", "rules.nft"])
                .output(),
        );
        let leases = self.path("leases");
        let config = format!("{DAEMON}lease_file={}\n", leases.display());
        fs::write(self.path("miniupnpd.conf"), config).expect("the folder takes files");
        let daemon = self
            .command("router", "miniupnpd")
            .args(["-d", "-f", "miniupnpd.conf", "-P", "miniupnpd.pid"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut daemon = daemon.expect("miniupnpd runs");
        let said = BufReader::new(daemon.stderr.take().expect("it is piped"));
        let mut lines = said.lines().map_while(Result::ok);
        let is_up = lines.any(|line| line.contains("Listening for NAT-PMP/PCP traffic"));
        assert!(is_up, "miniupnpd ended at once");
        // what it says is read, so that it never waits for a reader
        thread::spawn(move || lines.for_each(drop));
        self.daemon = Some(daemon);
    }

    fn ip(&self, place: &str, what: &str) {
        let name = self.name(place);
        let args = ["-n", &name].into_iter().chain(what.split(' '));
        ip(&args.collect::<Vec<_>>());
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            // it may have ended by itself
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        for place in ["host", "router", "outside"] {
            let name = self.name(place);
            let _ = Command::new("ip").args(["netns", "del", &name]).output();
        }
    }
}

/// Waits until something holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..PATIENCE * 10 {
        if holds() {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("it never came to this: {what}");
}

/// Asserts that a program ran and said yes.
pub(crate) fn succeeded(output: std::io::Result<Output>) -> Output {
    let output = output.expect("the program runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    output
}

pub(crate) fn ip(args: &[&str]) {
    succeeded(Command::new("ip").args(args).output());
}

/// What a laboratory lacks here, if anything.
fn missing() -> Option<String> {
    for program in ["ip", "nft", "miniupnpd", "sysctl"] {
        let found = Command::new(program).arg("--version").output();
        if found.is_err() {
            return Some(format!("there is no {program}"));
        }
    }
    let probe = format!("swh{}-probe", process::id());
    let made = Command::new("ip").args(["netns", "add", &probe]).output();
    if !made.is_ok_and(|output| output.status.success()) {
        return Some("network namespaces cannot be made (that takes root)".to_owned());
    }
    ip(&["netns", "del", &probe]);
    None
}
