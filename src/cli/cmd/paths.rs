//! How peers are reached, as surfaces say it: once for each connection that is told of.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cli::output::Output;
use crate::node::{Address, ContainerStatus, PeerPath};

/// Peers whose path is remembered as told.
const TOLD_MAX: usize = 1024;

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Paths {
    told: BTreeMap<Address, (PeerPath, Option<String>)>,
}

impl Paths {
    /// Tells what is new.
    pub(super) fn show<'a>(
        &mut self,
        containers: impl Iterator<Item = &'a ContainerStatus>,
        out: &Output,
    ) -> anyhow::Result<()> {
        for peer in containers.flat_map(|container| &container.peers) {
            let (path, why) = (peer.path, peer.why.as_deref());
            let told = self.told.get(&peer.address);
            if told.is_some_and(|told| (told.0, told.1.as_deref()) == (path, why)) {
                continue;
            }
            if self.told.len() >= TOLD_MAX {
                self.told.clear();
            }
            self.told.insert(peer.address, (path, peer.why.clone()));
            if let Some(line) = line(peer.address, path, why) {
                out.note(&line);
            }
            let remote = peer.remote.to_string();
            out.event(|| {
                let mut event = object(peer.address, path, why);
                event["event"] = "path".into();
                event["remote"] = remote.into();
                event
            })?;
        }
        Ok(())
    }
}

/// One path as JSON; with why there is no direct one, where a SwarmMaster carries.
pub(super) fn object(address: Address, path: PeerPath, why: Option<&str>) -> Value {
    let (how, after) = match path {
        PeerPath::Dialed => ("dialed", None),
        PeerPath::Accepted => ("accepted", None),
        PeerPath::Met { after } => ("met", Some(after.as_secs_f64())),
        PeerPath::Relayed { master, after } => {
            return json!({
                "peer": address.to_string(),
                "path": "relayed",
                "how": "relayed",
                "master": master.to_string(),
                "seconds": after.map(|after| after.as_secs_f64()),
                "why": why,
            });
        }
    };
    json!({
        "peer": address.to_string(),
        "path": "direct",
        "how": how,
        "seconds": after,
    })
}

/// A line for people; none where a peer is reached as one would expect.
fn line(address: Address, path: PeerPath, why: Option<&str>) -> Option<String> {
    match path {
        PeerPath::Dialed | PeerPath::Accepted => None,
        PeerPath::Relayed { master, .. } => Some(format!(
            "{} is reached through the SwarmMaster {}, encrypted end to end, until there is a direct way{}",
            address.short(),
            master.short(),
            why.map_or_else(String::new, |why| format!(" ({why})"))
        )),
        PeerPath::Met { after } => Some(format!(
            "{} is reached directly, through both routers, after {} ms",
            address.short(),
            after.as_millis()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Digest;
    use std::time::Duration;

    #[test]
    fn a_path_says_what_it_is() {
        let address = Address::new(Digest::of(b"peer"));
        let met = PeerPath::Met {
            after: Duration::from_millis(250),
        };
        let said = line(address, met, None).unwrap();
        assert!(said.ends_with("is reached directly, through both routers, after 250 ms"));
        assert_eq!(line(address, PeerPath::Dialed, None), None);
        let master = Address::new(Digest::of(b"master"));
        let relayed = PeerPath::Relayed {
            master,
            after: Some(Duration::from_millis(500)),
        };
        let said = line(address, relayed, Some("both vary")).unwrap();
        assert!(said.contains("through the SwarmMaster"), "{said}");
        assert!(said.ends_with("a direct way (both vary)"), "{said}");
        let object_of = object(address, relayed, Some("both vary"));
        assert_eq!(object_of["why"], "both vary");
        assert_eq!(object_of["master"], master.to_string());
        assert_eq!(object_of["seconds"], json!(0.5));
        for (path, how, seconds) in [
            (met, "met", json!(0.25)),
            (PeerPath::Dialed, "dialed", Value::Null),
            (PeerPath::Accepted, "accepted", Value::Null),
        ] {
            let object = object(address, path, None);
            assert_eq!(
                (object["how"].clone(), object["seconds"].clone()),
                (json!(how), seconds)
            );
        }
    }
}
