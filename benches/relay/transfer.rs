//! One transfer at a time, directly and through the master in turn.

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use swarmhold::{FetchOptions, FetchStatus, Link, What, create_recalling};

use crate::cpu::cpu_s;
use crate::median::median;
use crate::role::{self, path_argument, text_argument};
use crate::runtime::runtime;
use crate::say::say;
use crate::{Options, V4, V6, hint_for, is_listed, noise, start_master, start_node};

pub(crate) const MASTER: &str = "relay-master";
pub(crate) const SERVE: &str = "relay-serve";
pub(crate) const FETCH: &str = "relay-fetch";

/// What a transfer through a master is to reach of a direct one. On loopback, where the direct one has
/// packets of up to 9000 bytes and nothing but CPU time to wait for, this is no promise but a guard.
const RATIO_MIN: f64 = 0.1;

/// One transfer, as its leecher saw it.
struct Took {
    /// Until the first chunk was there.
    first_s: f64,
    /// From then to the finished file.
    seconds: f64,
    cpu_s: f64,
}

pub(crate) fn run(folder: &Path, options: &Options) -> ExitCode {
    let container = folder.join("container");
    noise::write_noise(&container, options.size);
    let rate = options.rate.unwrap_or(u64::MAX).to_string();
    let (mut master, hints) = role::start(MASTER, &[folder.as_os_str(), rate.as_ref()]);
    let (on_v4, on_v6) = hints.split_once(' ').expect("two hints");
    let home = folder.join("seeder");
    let arguments: [&OsStr; 3] = [container.as_os_str(), home.as_os_str(), on_v6.as_ref()];
    let (seeder, link) = role::start(SERVE, &arguments);
    let gib = (1u64 << 30) as f64 / options.size as f64;
    let (mut relayed, mut direct, mut ratios, mut cpu) = (vec![], vec![], vec![], vec![]);
    let (mut both_relayed, mut both_direct, mut firsts) = (vec![], vec![], vec![]);
    for round in 0..options.common.rounds {
        let fetch = |ip: &str, hint: &str, way: &str| {
            let home = folder.join(format!("{way}-{round}"));
            let arguments: [&OsStr; 4] = [ip.as_ref(), hint.as_ref(), home.as_ref(), link.as_ref()];
            let said = role::last_line(role::start_child(FETCH, &arguments));
            std::fs::remove_dir_all(&home).expect("what was fetched");
            let figures = said.split(' ').map(|it| it.parse().expect("a figure"));
            let figures: Vec<f64> = figures.collect();
            Took {
                first_s: figures[0],
                seconds: figures[1],
                cpu_s: figures[2],
            }
        };
        let straight = fetch(V6, on_v6, "direct");
        let before = cpu_of(&mut master);
        let through = fetch(V4, on_v4, "relayed");
        cpu.push((cpu_of(&mut master) - before) * gib);
        let speed = |took: &Took| options.size as f64 / 1e6 / took.seconds;
        say(format!(
            "round {}: {:.1} MB/s through the master (first chunk after {:.2} s, master {:.1} s CPU per GiB), {:.1} MB/s \
             directly",
            round + 1,
            speed(&through),
            through.first_s,
            cpu.last().expect("just measured"),
            speed(&straight),
        ));
        ratios.push(speed(&through) / speed(&straight));
        relayed.push(speed(&through));
        direct.push(speed(&straight));
        both_relayed.push(through.cpu_s * gib);
        both_direct.push(straight.cpu_s * gib);
        firsts.push(through.first_s);
    }
    drop(role::stop(seeder));
    drop(role::stop(master));
    let ratio = median(ratios);
    say(format!(
        "median {:.1} MB/s through the master, {:.1} MB/s directly: {ratio:.2} of it (asked on this line: {RATIO_MIN}); CPU per GiB: \
         master {:.1} s, leecher {:.1} s and not {:.1} s; first chunk after {:.2} s",
        median(relayed),
        median(direct),
        median(cpu),
        median(both_relayed),
        median(both_direct),
        median(firsts),
    ));
    match ratio >= RATIO_MIN {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// CPU time of a master so far, which it says when it is asked.
fn cpu_of(master: &mut std::process::Child) -> f64 {
    use std::io::Write as _;
    let stdin = master.stdin.as_mut().expect("piped");
    stdin.write_all(b"?").expect("it reads");
    role::next_line(master).parse().expect("a figure")
}

/// A master, until its input ends.
pub(crate) fn master() -> ExitCode {
    runtime().block_on(async {
        let rate = text_argument(2).parse().expect("a rate");
        let master = start_master(&path_argument(1), rate).await;
        say(format!(
            "{} {}",
            hint_for(V4, &master),
            hint_for(V6, &master)
        ));
        let mut asked = [0];
        while std::io::stdin().read(&mut asked).is_ok_and(|read| read > 0) {
            say(cpu_s());
        }
        say("done");
        master.stop().await;
    });
    ExitCode::SUCCESS
}

/// A seeder, until its input ends.
pub(crate) fn serve() -> ExitCode {
    let container = path_argument(1);
    runtime().block_on(async {
        let node = start_node(&path_argument(2), V6, &text_argument(3)).await;
        let recall = node.recall();
        let manifest =
            create_recalling(&container, node.wallet(), "c", None, Some(&recall), |_| {});
        let manifest = manifest.expect("a manifest");
        let kept = node.remember_right(&manifest).await;
        kept.expect("room for what is known of it");
        let manifest = Arc::new(manifest);
        let shared = node.share(Arc::clone(&manifest), &container).await;
        shared.expect("a container to share");
        is_listed(&node, 1).await;
        say(Link::of(&manifest, []));
        let mut rest = Vec::new();
        std::io::stdin()
            .read_to_end(&mut rest)
            .expect("the parent closes it");
        say("done");
        node.stop().await;
    });
    ExitCode::SUCCESS
}

/// Fetches once: the time until the first chunk was there, and from then on.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(crate) fn fetch() -> ExitCode {
    runtime().block_on(async {
        let home = path_argument(3);
        let node = start_node(&home, &text_argument(1), &text_argument(2)).await;
        let link: Link = text_argument(4).parse().expect("a link");
        let (began, before) = (Instant::now(), cpu_s());
        let options = FetchOptions {
            output: Some(home.join("copy")),
            ..FetchOptions::default()
        };
        let mut fetch = node.fetch(What::Link(link), options).await;
        let mut status = fetch.status();
        let first = |now: &FetchStatus| match now {
            FetchStatus::Downloading(container) | FetchStatus::Finishing(container) => {
                container.held > 0
            }
            FetchStatus::FindingManifest { .. }
            | FetchStatus::Checking { .. }
            | FetchStatus::Paused(_)
            | FetchStatus::Blocked { .. } => false,
        };
        // It may be done before anybody looks.
        let _ = status.wait_for(first).await;
        let first_s = began.elapsed().as_secs_f64();
        fetch.finished().await.expect("a finished container");
        let seconds = began.elapsed().as_secs_f64() - first_s;
        say(format!("{first_s} {seconds} {}", cpu_s() - before));
        node.stop().await;
    });
    ExitCode::SUCCESS
}
