//! Flows over the line of a room, whatever they are made of.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Child;

use crate::control::Control;
use crate::room::{Room, SENDER};
use crate::{host, nodes, quic, role, tcp};

/// What a flow is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// quinn alone, with this controller.
    Quic(Control),
    /// The kernel's TCP, with the congestion control of this name.
    Tcp(&'static str),
    /// Two swarmhold nodes.
    Node,
}

impl Kind {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Quic(control) => format!("quinn {}", control.name()),
            Self::Tcp(control) => format!("tcp {control}"),
            Self::Node => "swarmhold".to_owned(),
        }
    }
}

/// When a flow is measured, in whole seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) settling: u64,
    pub(crate) measured: u64,
}

/// A flow under way: both its processes.
pub(crate) struct Flow {
    server: Child,
    client: Child,
}

impl Flow {
    /// Starts a flow. `content` is what a node shares, and `number` tells the homes of nodes apart.
    pub(crate) fn start(
        room: &Room,
        kind: Kind,
        span: Span,
        content: &Path,
        number: usize,
    ) -> Self {
        let times = [span.settling.to_string(), span.measured.to_string()];
        let times: [&OsStr; 2] = [times[0].as_ref(), times[1].as_ref()];
        let any_port = format!("{SENDER}:0");
        match kind {
            Kind::Quic(control) => {
                let name: &OsStr = control.name().as_ref();
                let (server, address) = room.sender(quic::SERVE, &[name, any_port.as_ref()]);
                let words = [&[name, address.as_ref()], &times[..]].concat();
                let client = room.receiver(quic::FETCH, &words);
                Self { server, client }
            }
            Kind::Tcp(control) => {
                let words = [any_port.as_ref(), control.as_ref()];
                let (server, address) = room.sender(tcp::SERVE, &words);
                let words = [&[address.as_ref()], &times[..]].concat();
                let client = room.receiver(tcp::FETCH, &words);
                Self { server, client }
            }
            Kind::Node => {
                let [serving, fetching] = homes(content, number);
                let words = [SENDER.as_ref(), content.as_os_str(), serving.as_os_str()];
                let (server, link) = room.sender(nodes::SERVE, &words);
                let words = [&[link.as_ref(), fetching.as_os_str()], &times[..]].concat();
                let client = room.receiver(nodes::FETCH, &words);
                Self { server, client }
            }
        }
    }

    /// Waits until it has been measured: MB/s.
    pub(crate) fn mb_per_s(self) -> f64 {
        self.course()[0]
    }

    /// The same, and how it went: MB/s of the whole, then of each part of it (`meter.rs`).
    pub(crate) fn course(self) -> Vec<f64> {
        let rates = role::last_line(self.client);
        host::end(self.server);
        let rates = rates.split(' ').map(|rate| rate.parse());
        rates.map(|rate| rate.expect("a figure")).collect()
    }
}

fn homes(content: &Path, number: usize) -> [PathBuf; 2] {
    ["serve", "fetch"].map(|side| content.with_file_name(format!("{side}-{number}")))
}
