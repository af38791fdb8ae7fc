//! Getting a mapping, renewing it, and giving it back: the life of it, without the protocols.

use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};

use super::{MapState, Mapping, is_outside};

/// From one attempt to the next where no router gives a port; twice as long each time.
const RETRY: Duration = Duration::from_secs(30);
const RETRY_MAX: Duration = Duration::from_secs(30 * 60);
/// How often it is looked whether this is another network.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// The shortest lease that is believed: a router that renews each instant is not kept busy.
const LEASE_MIN: Duration = Duration::from_secs(2);

/// Somebody who maps ports.
pub(super) trait Router {
    /// What it needs to renew or to end a mapping.
    type Lease: Clone;

    /// Asks for a mapping.
    fn obtain(&mut self) -> impl Future<Output = Result<(Mapping, Self::Lease), Refusal>>;

    /// Asks for more time.
    fn renew(
        &mut self,
        lease: &Self::Lease,
    ) -> impl Future<Output = Result<(Mapping, Self::Lease), String>>;

    /// Gives a mapping back.
    fn give_back(&mut self, lease: Self::Lease) -> impl Future<Output = ()>;

    /// Whether this is another network than when it was last asked for a mapping.
    fn has_moved(&mut self) -> bool;
}

/// Why there is no mapping.
#[derive(Debug, Clone)]
pub(super) enum Refusal {
    /// This machine has an outside address already.
    Needless(IpAddr),
    /// Nobody gave one, for these reasons.
    Failed(String),
}

/// Why a mapping is not kept any longer.
enum End {
    /// It is over.
    Stopped,
    /// It was lost, or is of another network.
    Lost,
}

/// Keeps a port mapped until it is stopped.
pub(super) async fn keep<R: Router>(
    mut router: R,
    tell: impl Fn(MapState),
    mut stop: oneshot::Receiver<()>,
) {
    let mut retry = RETRY;
    loop {
        tell(MapState::Asking);
        let obtained = tokio::select! {
            obtained = router.obtain() => obtained,
            _ = &mut stop => return,
        };
        tell(match obtained {
            Ok((mapping, lease)) if is_outside(mapping.outside.ip()) => {
                retry = RETRY;
                tell(MapState::Mapped(mapping));
                match hold(&mut router, mapping, lease, &tell, &mut stop).await {
                    End::Stopped => return,
                    End::Lost => continue,
                }
            }
            Ok((mapping, lease)) => {
                router.give_back(lease).await;
                let ip = mapping.outside.ip();
                MapState::Unmapped(format!(
                    "the router's own outside address is {ip}: there is another NAT behind it"
                ))
            }
            Err(Refusal::Failed(why)) => MapState::Unmapped(why),
            Err(Refusal::Needless(ip)) => MapState::Needless(ip),
        });
        let next = Instant::now() + retry;
        retry = (2 * retry).min(RETRY_MAX);
        loop {
            tokio::select! {
                () = sleep_until(next) => break,
                () = sleep(LOOK_EVERY) => if router.has_moved() { break },
                _ = &mut stop => return,
            }
        }
    }
}

/// Renews a mapping at half of its lease, and after that at half of what is left (RFC 6887
/// section 11.2.1), until it is lost or given back.
async fn hold<R: Router>(
    router: &mut R,
    mut mapping: Mapping,
    mut lease: R::Lease,
    tell: &impl Fn(MapState),
    stop: &mut oneshot::Receiver<()>,
) -> End {
    let granted = |mapping: &Mapping| Instant::now() + mapping.lease.max(LEASE_MIN);
    let mut ends = granted(&mapping);
    loop {
        let left = ends.saturating_duration_since(Instant::now());
        if left < LEASE_MIN / 2 {
            return End::Lost;
        }
        let due = Instant::now() + left / 2;
        loop {
            tokio::select! {
                () = sleep_until(due) => break,
                () = sleep(LOOK_EVERY) => if router.has_moved() { return End::Lost },
                _ = &mut *stop => {
                    router.give_back(lease).await;
                    return End::Stopped;
                }
            }
        }
        match router.renew(&lease).await {
            Ok((renewed, of)) if is_outside(renewed.outside.ip()) => {
                (mapping, lease) = (renewed, of);
                ends = granted(&mapping);
                tell(MapState::Mapped(mapping));
            }
            Ok((_, of)) => {
                router.give_back(of).await;
                return End::Lost;
            }
            Err(why) => tracing::debug!(%why, "the port mapping was not renewed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};

    use super::super::Method;
    use super::*;

    /// What happened, and when, in seconds.
    type Log = Arc<Mutex<Vec<(u64, &'static str)>>>;

    /// A router that answers by a script; at its end it says yes for an hour.
    struct Scripted {
        began: Instant,
        answers: VecDeque<Result<Mapping, String>>,
        log: Log,
    }

    impl Scripted {
        fn note(&self, what: &'static str) {
            let now = self.began.elapsed().as_secs();
            self.log.lock().unwrap().push((now, what));
        }

        fn answer(&mut self) -> Result<(Mapping, ()), String> {
            let next = self.answers.pop_front();
            next.unwrap_or_else(|| Ok(mapping("1.2.3.4:7922", 3600)))
                .map(|mapping| (mapping, ()))
        }
    }

    impl Router for Scripted {
        type Lease = ();

        async fn obtain(&mut self) -> Result<(Mapping, ()), Refusal> {
            self.note("obtain");
            self.answer().map_err(Refusal::Failed)
        }

        async fn renew(&mut self, (): &()) -> Result<(Mapping, ()), String> {
            self.note("renew");
            self.answer()
        }

        async fn give_back(&mut self, (): ()) {
            self.note("give back");
        }

        fn has_moved(&mut self) -> bool {
            self.log.lock().unwrap().len() == 1 && self.began.elapsed() > Duration::from_secs(9000)
        }
    }

    fn mapping(outside: &str, seconds: u64) -> Mapping {
        Mapping {
            outside: outside.parse().unwrap(),
            method: Method::Pcp,
            lease: Duration::from_secs(seconds),
        }
    }

    /// Runs a script for so many seconds and then stops it.
    async fn run(
        answers: Vec<Result<Mapping, String>>,
        seconds: u64,
    ) -> (Vec<(u64, &'static str)>, MapState) {
        let log = Log::default();
        let router = Scripted {
            began: Instant::now(),
            answers: answers.into(),
            log: Arc::clone(&log),
        };
        let last = Mutex::new(MapState::Asking);
        let (stop, stopped) = oneshot::channel();
        let kept = async {
            keep(router, |state| *last.lock().unwrap() = state, stopped).await;
        };
        let stopping = async {
            sleep(Duration::from_secs(seconds)).await;
            let last = last.lock().unwrap().clone();
            drop(stop);
            last
        };
        let ((), last) = tokio::join!(kept, stopping);
        let log = log.lock().unwrap().clone();
        (log, last)
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_renewed_at_half_of_its_lease_and_given_back() {
        let hour = mapping("1.2.3.4:7922", 3600);
        let (log, last) = run(vec![], 4000).await;
        assert_eq!(
            log,
            [
                (0, "obtain"),
                (1800, "renew"),
                (3600, "renew"),
                (4000, "give back")
            ]
        );
        assert_eq!(last, MapState::Mapped(hour));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_not_renewed_is_asked_for_again_when_it_ends() {
        let refusals = std::iter::repeat_n(Err("no".to_owned()), 20);
        let script = std::iter::once(Ok(mapping("1.2.3.4:7922", 64))).chain(refusals);
        let (log, _) = run(script.collect(), 63).await;
        let renewals: Vec<u64> = log[1..].iter().map(|(at, _)| *at).collect();
        assert_eq!(renewals[..4], [32, 48, 56, 60]);
        let refusals = std::iter::repeat_n(Err("no".to_owned()), 3);
        let script = std::iter::once(Ok(mapping("1.2.3.4:7922", 4))).chain(refusals);
        let (log, last) = run(script.collect(), 100).await;
        assert_eq!(log[..2], [(0, "obtain"), (2, "renew")]);
        assert!(log.iter().filter(|(_, what)| *what == "obtain").count() == 2);
        assert_eq!(last, MapState::Mapped(mapping("1.2.3.4:7922", 3600)));
    }

    #[tokio::test(start_paused = true)]
    async fn where_there_is_none_it_is_tried_ever_more_seldom() {
        let refusals = std::iter::repeat_n(Err("no router".to_owned()), 5);
        let (log, last) = run(refusals.collect(), 400).await;
        let times: Vec<u64> = log.iter().map(|(at, _)| *at).collect();
        assert_eq!(times, [0, 30, 90, 210]);
        assert_eq!(last, MapState::Unmapped("no router".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outside_that_is_none_is_given_back() {
        let inner = mapping("192.168.7.1:7922", 3600);
        let (log, last) = run(vec![Ok(inner)], 5).await;
        assert_eq!(log, [(0, "obtain"), (0, "give back")]);
        let MapState::Unmapped(why) = last else {
            panic!("{last:?}");
        };
        assert!(why.contains("192.168.7.1"), "{why}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_router_that_gives_no_time_is_not_asked_all_the_time() {
        let none = std::iter::repeat_n(Ok(mapping("1.2.3.4:7922", 0)), 100);
        let (log, _) = run(none.collect(), 20).await;
        assert!(log.len() <= 25, "{}", log.len());
    }

    #[tokio::test(start_paused = true)]
    async fn another_network_is_asked_at_once() {
        let day = mapping("1.2.3.4:7922", 86_400);
        let (log, _) = run(vec![Ok(day)], 9100).await;
        assert_eq!(log[..2], [(0, "obtain"), (9030, "obtain")]);
    }
}
