//! Ports of a router's that are opened by asking it: PCP, NAT-PMP, UPnP, at Debian's miniupnpd.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::lab::{Lab, OUTSIDE, succeeded, until};

const PORT: u16 = 7922;

/// A share that has printed its link. Killed if it is dropped.
struct Sharing {
    child: Child,
    link: String,
}

impl Sharing {
    fn start(lab: &Lab, more: &[&str]) -> Self {
        fs::write(lab.path("app.tar"), [7; 100_000]).unwrap();
        let mut child = lab
            .swarmhold("host")
            .args(["share", "app.tar", "-q"])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut link = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut link).unwrap();
        let link = link.trim().to_owned();
        assert!(link.starts_with("swarmhold:"), "{link}");
        Self { child, link }
    }

    /// Ends it as Ctrl-C does.
    fn stop(mut self) {
        let pid = self.child.id().to_string();
        succeeded(Command::new("kill").args(["-INT", &pid]).output());
        assert!(self.child.wait().unwrap().success());
    }

    fn names_outside(&self) -> bool {
        self.link.contains(&format!("p={OUTSIDE}:{PORT}"))
    }
}

impl Drop for Sharing {
    fn drop(&mut self) {
        // it may have ended already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody outside fetches by the link alone.
fn fetched_from_outside(lab: &Lab, link: &str) {
    let get = ["get", link, "-o", "copy", "-q", "--timeout", "30s"];
    succeeded(lab.swarmhold("outside").args(get).output());
    assert!(fs::read(lab.path("copy")).unwrap() == fs::read(lab.path("app.tar")).unwrap());
}

fn mapped_used_and_given_back(method: &str) -> Option<Lab> {
    let lab = Lab::or_skip()?;
    let sharing = Sharing::start(&lab, &["--port-mapping", method]);
    assert!(sharing.names_outside(), "{method}: {}", sharing.link);
    assert!(lab.forwards(PORT));
    fetched_from_outside(&lab, &sharing.link);
    sharing.stop();
    assert!(!lab.forwards(PORT), "{method}: it was not given back");
    Some(lab)
}

#[test]
fn pcp_lets_others_in() {
    mapped_used_and_given_back("pcp");
}

#[test]
fn nat_pmp_lets_others_in() {
    mapped_used_and_given_back("nat-pmp");
}

#[test]
fn upnp_lets_others_in() {
    mapped_used_and_given_back("upnp");
}

#[test]
fn a_mapping_is_renewed_for_as_long_as_the_share_runs() {
    let Some(lab) = Lab::or_skip() else {
        return;
    };
    let sharing = Sharing::start(&lab, &[]);
    let ends = |lab: &Lab| lab.leases().first().map(|(_, ends)| *ends);
    let first = ends(&lab).expect("there is a mapping");
    until("the lease ends later than two renewals ago", || {
        ends(&lab).is_some_and(|now| now >= first + 4)
    });
    assert!(lab.forwards(PORT));
    sharing.stop();
    assert!(lab.leases().is_empty(), "{:?}", lab.leases());
}

#[test]
fn a_node_that_is_told_not_to_asks_no_router() {
    let Some(lab) = Lab::or_skip() else {
        return;
    };
    for quiet in ["--no-port-mapping", "--no-discovery"] {
        let sharing = Sharing::start(&lab, &[quiet]);
        assert!(!sharing.names_outside(), "{}", sharing.link);
        assert!(!lab.forwards(PORT) && lab.leases().is_empty());
        sharing.stop();
    }
}

#[test]
fn who_is_outside_already_asks_nobody_and_is_not_told_of_routers() {
    let Some(lab) = Lab::or_skip() else {
        return;
    };
    let route = ["route", "add", "default", "via", OUTSIDE];
    succeeded(lab.command("outside", "ip").args(route).output());
    fs::write(lab.path("own.tar"), [7; 1000]).unwrap();
    let mut child = lab
        .swarmhold("outside")
        .args(["share", "own.tar"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    for line in stderr.lines().map_while(Result::ok) {
        said.push_str(&line);
        if line.contains("Ctrl-C stops") {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        said.contains("listening on") && !said.contains("router"),
        "{said}"
    );
}
