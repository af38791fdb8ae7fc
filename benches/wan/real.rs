//! Processes with sockets: raw quinn with each controller, and two swarmhold nodes, through the
//! emulator (`wire.rs`) and without it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::Endpoint;
use swarmhold::identity::tls;
use swarmhold::{Config, Discovery, FetchOptions, Listen, Node, Wallet, What, create};

use crate::control::Control;
use crate::line::{self, Line};
use crate::link::Shape;
use crate::{Extent, say, wire};

/// Which process this is; unset in the one that the user starts.
pub(crate) const ROLE: &str = "SWARMHOLD_BENCH_ROLE";

/// Plays a role, if this process has one.
pub(crate) fn play() -> bool {
    let Ok(role) = std::env::var(ROLE) else {
        return false;
    };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments[at].parse::<u64>().expect("a number");
    match role.as_str() {
        "link" => {
            let shape = Shape {
                rate: number(1),
                delay_ns: number(2),
                loss: arguments[3].parse().expect("a share"),
                buffer_bytes: number(4),
                mtu: number(5),
            };
            wire::serve(arguments[0].parse().expect("an address"), shape, 7);
        }
        "raw-serve" => raw_serve(Control::parse(&arguments[0]).expect("a name")),
        "raw-fetch" => raw_fetch(
            Control::parse(&arguments[0]).expect("a name"),
            arguments[1].parse().expect("an address"),
            Duration::from_secs(number(2)),
            Duration::from_secs(number(3)),
        ),
        "node-serve" => node_serve(Path::new(&arguments[0]), Path::new(&arguments[1])),
        "node-fetch" => node_fetch(
            &arguments[0],
            Path::new(&arguments[1]),
            Path::new(&arguments[2]),
        ),
        other => panic!("unknown role {other}"),
    }
    true
}

/// Prints what real sockets make of the lines.
pub(crate) fn run(extent: Extent) {
    say("real: processes with sockets, through an emulator in one more. MB/s of payload.\n");
    let open = Shape {
        rate: 0,
        delay_ns: 0,
        loss: 0.0,
        buffer_bytes: u64::MAX,
        mtu: 1500,
    };
    let (alone, _) = raw(Control::Ours, open, (1, 4));
    say(format!(
        "the emulator with no limit and no delay, datagrams of an Ethernet: {alone:.0}\n"
    ));
    say(format!(
        "{:<34}{:>9}{:>11}{:>9}{:>9}   wait of ours: mean, 95th percentile",
        "line", "cubic", "quinn-bbr", "ours", "node"
    ));
    for line in line::real(extent) {
        let seconds = match extent {
            Extent::Full => (4, 8),
            Extent::Quick => (2, 3),
        };
        let [cubic, quinn, ours] = Control::ALL.map(|control| raw(control, line.shape(), seconds));
        let node = node(line);
        let name = line.name();
        let (mean, high) = ours.1;
        say(format!(
            "{name:<34}{:>9.1}{:>11.1}{:>9.1}{node:>9.1}   {mean:.1}, {high:.1} ms",
            cubic.0, quinn.0, ours.0
        ));
    }
    say("\nnode: a container of twelve seconds of the line, from the dial to the finished file.");
}

/// Raw quinn: MB/s once settled, and the waits at the bottleneck in ms.
fn raw(control: Control, shape: Shape, seconds: (u64, u64)) -> (f64, (f64, f64)) {
    let (server, address) = start("raw-serve", &[control.name().as_ref()]);
    let (link, front) = emulator(&address, shape);
    let (settling, measured) = (seconds.0.to_string(), seconds.1.to_string());
    let arguments: [&OsStr; 4] = [
        control.name().as_ref(),
        front.as_ref(),
        settling.as_ref(),
        measured.as_ref(),
    ];
    let (client, rate) = start("raw-fetch", &arguments);
    stop(client);
    let waits = stop(link);
    stop(server);
    let numbers: Vec<f64> = waits
        .split(' ')
        .map(|n| n.parse().expect("a figure"))
        .collect();
    (rate.parse().expect("a figure"), (numbers[0], numbers[1]))
}

/// Node to node: MB/s of a container, all of it.
fn node(line: Line) -> f64 {
    let dir = folder().join(format!("swarmhold-wan-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder for the bench");
    let content = dir.join("content");
    let size = line.mbit * 125_000 * 12;
    write_noise(&content, size);
    let home = dir.join("serve");
    let (server, link) = start("node-serve", &[content.as_os_str(), home.as_os_str()]);
    let (_, hint) = link.split_once("&p=").expect("the link has an address");
    let address = hint.split('&').next().expect("an address").to_owned();
    let (emulator, front) = emulator(&address, line.shape());
    let link = link.replace(&address, &front);
    let (home, copy) = (dir.join("fetch"), dir.join("copy"));
    let (client, seconds) = start(
        "node-fetch",
        &[link.as_ref(), home.as_os_str(), copy.as_os_str()],
    );
    for child in [client, emulator, server] {
        stop(child);
    }
    std::fs::remove_dir_all(&dir).expect("the bench's own folder");
    size as f64 / 1e6 / seconds.parse::<f64>().expect("a figure")
}

fn emulator(server: &str, shape: Shape) -> (Child, String) {
    let numbers = [
        shape.rate.to_string(),
        shape.delay_ns.to_string(),
        shape.loss.to_string(),
        shape.buffer_bytes.to_string(),
        shape.mtu.to_string(),
    ];
    let mut arguments: Vec<&OsStr> = vec![server.as_ref()];
    arguments.extend(numbers.iter().map(OsStr::new));
    start("link", &arguments)
}

/// Starts a process and waits for its first line.
fn start(role: &str, arguments: &[&OsStr]) -> (Child, String) {
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new(program)
        .env(ROLE, role)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process of this program");
    let line = next_line(&mut child);
    (child, line)
}

/// Lets a process end by closing its input; its last line.
fn stop(mut child: Child) -> String {
    drop(child.stdin.take());
    let line = next_line(&mut child);
    child.wait().expect("it ends");
    line
}

fn next_line(child: &mut Child) -> String {
    let mut line = Vec::new();
    let mut byte = BufReader::with_capacity(1, child.stdout.as_mut().expect("piped"));
    byte.read_until(b'\n', &mut line).expect("a line");
    String::from_utf8(line).expect("text").trim().to_owned()
}

/// Sends on every stream that is opened, until the input ends.
fn raw_serve(control: Control) {
    runtime().block_on(async {
        let here: SocketAddr = ([127, 0, 0, 1], 0).into();
        let endpoint = Endpoint::server(control.server(), here).expect("a socket");
        say(endpoint.local_addr().expect("its address"));
        tokio::spawn(async move {
            while let Some(incoming) = endpoint.accept().await {
                tokio::spawn(async move {
                    let connection = incoming.await.expect("a connection");
                    let (mut send, _recv) = connection.accept_bi().await.expect("a stream");
                    let piece = bytes::Bytes::from(vec![0x5a; 64 * 1024]);
                    while send.write_chunk(piece.clone()).await.is_ok() {}
                });
            }
        });
        until_input_ends().await;
    });
}

/// Takes what comes for a while: MB/s once settled.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn raw_fetch(control: Control, server: SocketAddr, settling: Duration, measured: Duration) {
    runtime().block_on(async {
        let endpoint = Endpoint::client(([127, 0, 0, 1], 0).into()).expect("a socket");
        let connecting = endpoint.connect_with(control.client(), server, tls::SERVER_NAME);
        let connection = connecting.expect("a dial").await.expect("a connection");
        let (mut send, mut recv) = connection.open_bi().await.expect("a stream");
        send.write_all(b"go").await.expect("a question");
        let (began, mut bytes) = (Instant::now(), 0);
        while began.elapsed() < settling + measured {
            let piece = recv.read_chunk(usize::MAX, true).await.expect("data");
            if began.elapsed() >= settling {
                bytes += piece.expect("no end").bytes.len();
            }
        }
        say(bytes as f64 / 1e6 / measured.as_secs_f64());
        until_input_ends().await;
    });
}

/// Shares a file until the input ends.
fn node_serve(content: &Path, home: &Path) {
    runtime().block_on(async {
        let node = start_node(home).await;
        let manifest = create(content, node.wallet(), "content", None, |_| {}).expect("a manifest");
        let manifest = Arc::new(manifest);
        let shared = node.share(Arc::clone(&manifest), content).await;
        shared.expect("a container to share");
        say(node.link(&manifest));
        until_input_ends().await;
        node.stop().await;
    });
}

/// Fetches a container, from the dial to the finished file: seconds.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn node_fetch(link: &str, home: &Path, copy: &Path) {
    runtime().block_on(async {
        let node = start_node(home).await;
        let link = link.parse().expect("a link from the server");
        let began = Instant::now();
        let options = FetchOptions {
            output: Some(copy.to_owned()),
            ..FetchOptions::default()
        };
        let mut fetch = node.fetch(What::Link(link), options).await;
        fetch.finished().await.expect("a finished container");
        say(began.elapsed().as_secs_f64());
        until_input_ends().await;
        node.stop().await;
    });
}

async fn start_node(home: &Path) -> Node {
    let mut config = Config::new(home, Wallet::generate().expect("randomness"));
    config.listen = Listen::At(([127, 0, 0, 1], 0).into());
    config.discovery = Discovery::Off;
    Node::start(config).await.expect("a node")
}

async fn until_input_ends() {
    let wait = || std::io::stdin().read_to_end(&mut Vec::new());
    let ended = tokio::task::spawn_blocking(wait).await;
    ended.expect("no panic").expect("the parent closes it");
}

fn folder() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    }
}

fn write_noise(path: &Path, size: u64) {
    let mut file = std::fs::File::create(path).expect("a file for the content");
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut left = size;
    while left > 0 {
        let block: Vec<u8> = (0..8192)
            .flat_map(|_| {
                state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                (state ^ (state >> 29)).to_le_bytes()
            })
            .collect();
        let part = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        file.write_all(&block[..part])
            .expect("room for the content");
        left -= part as u64;
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}
