//! Timers finer than a millisecond, for pacing.
//!
//! quinn paces in bursts of two milliseconds and tops its bucket up for no longer than that, so a
//! timer that is a millisecond late costs what the bucket could not hold: with tokio's own, which
//! round up to the next millisecond, a flow of 100 Mbit/s got a ninth less than its window allowed.
//! Here one timer of the system (timerfd_create(2)) with the resolution of its clock serves all
//! connections of an endpoint.
//!
//! Invariant: the system's timer is set to the earliest deadline or to one before it. A deadline that
//! moves back leaves it as it is, which costs one wake-up and saves a system call for each packet.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::task::JoinHandle;

/// The least time that the system's timer can be set to: none at all would stop it.
const SOONEST: Duration = Duration::from_nanos(1);

/// tokio for everything but timers.
#[derive(Debug)]
pub(super) struct FineRuntime {
    alarm: Arc<Alarm>,
    driver: JoinHandle<()>,
}

impl FineRuntime {
    /// Must run inside a tokio runtime, on which the timers then go.
    #[expect(
        deprecated,
        reason = "`AsyncFd::new` is for descriptors that are owned for as long; this one is, by an `OwnedFd`"
    )]
    pub(super) fn start() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let alarm = Arc::new(Alarm {
            clock: AsyncFd::new(timerfd_create(TimerfdClockId::Monotonic, flags)?)?,
            waiting: Mutex::default(),
        });
        let driver = tokio::spawn(Arc::clone(&alarm).drive());
        Ok(Self { alarm, driver })
    }
}

impl Drop for FineRuntime {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Runtime for FineRuntime {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        Box::pin(Timer {
            alarm: Arc::clone(&self.alarm),
            at,
            place: None,
        })
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        TokioRuntime.spawn(future);
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        TokioRuntime.wrap_udp_socket(socket)
    }
}

/// One timer of the system, and who waits for what.
#[derive(Debug)]
struct Alarm {
    clock: AsyncFd<OwnedFd>,
    waiting: Mutex<Waiting>,
}

/// Deadlines and who is to be woken at each.
#[derive(Debug, Default)]
struct Waiting {
    wakers: BTreeMap<Place, Waker>,
    /// What the system's timer is set to.
    armed: Option<Instant>,
    places: u64,
}

/// Where a timer waits: in the order of deadlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    at: Instant,
    /// Tells two of the same time apart.
    number: u64,
}

/// One timer of one connection.
#[derive(Debug)]
struct Timer {
    alarm: Arc<Alarm>,
    at: Instant,
    /// Where it waits, once it does.
    place: Option<Place>,
}

impl AsyncTimer for Timer {
    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        self.leave();
        self.at = at;
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<()> {
        if TokioRuntime.now() >= self.at {
            self.leave();
            return Poll::Ready(());
        }
        let at = self.at;
        let place = self.place;
        self.place = Some(self.alarm.wait(place, at, cx.waker()));
        Poll::Pending
    }
}

impl Timer {
    fn leave(&mut self) {
        if let Some(place) = self.place.take() {
            let mut waiting = self.alarm.lock();
            waiting.wakers.remove(&place);
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Alarm {
    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting
            .lock()
            .expect("nothing panics while holding it")
    }

    /// Enters a waker at its place, or at a new one.
    fn wait(&self, place: Option<Place>, at: Instant, waker: &Waker) -> Place {
        let mut waiting = self.lock();
        let place = place.unwrap_or_else(|| {
            waiting.places += 1;
            Place {
                at,
                number: waiting.places,
            }
        });
        waiting.wakers.insert(place, waker.clone());
        self.arm(&mut waiting);
        place
    }

    /// Sets the system's timer, where it would come too late for the first who waits.
    fn arm(&self, waiting: &mut Waiting) {
        let Some((&Place { at: first, .. }, _)) = waiting.wakers.first_key_value() else {
            return;
        };
        if waiting.armed.is_some_and(|armed| armed <= first) {
            return;
        }
        let left = first.saturating_duration_since(TokioRuntime.now());
        let left = left.max(SOONEST);
        let once = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec::try_from(left)
                .expect("a deadline of a connection is days away at most"),
        };
        timerfd_settime(self.clock.get_ref(), TimerfdTimerFlags::empty(), &once)
            .expect("a timer of ours takes a time that is valid");
        waiting.armed = Some(first);
    }

    /// Wakes who is due whenever the system's timer goes off.
    async fn drive(self: Arc<Self>) {
        while let Ok(mut ready) = self.clock.readable().await {
            let mut expirations = [0; 8];
            // Nothing to read means that it was set anew meanwhile.
            let _ = rustix::io::read(self.clock.get_ref(), &mut expirations);
            ready.clear_ready();
            self.wake_due();
        }
    }

    fn wake_due(&self) {
        let now = TokioRuntime.now();
        let mut waiting = self.lock();
        waiting.armed = None;
        let later = waiting.wakers.split_off(&Place {
            at: now,
            number: u64::MAX,
        });
        let due = std::mem::replace(&mut waiting.wakers, later);
        self.arm(&mut waiting);
        drop(waiting);
        for waker in due.into_values() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn wait(timer: &mut Pin<Box<dyn AsyncTimer>>) {
        poll_fn(|cx| timer.as_mut().poll(cx)).await;
    }

    #[tokio::test]
    async fn a_timer_ends_at_its_time_and_not_before() {
        let runtime = FineRuntime::start().unwrap();
        let at = TokioRuntime.now() + Duration::from_micros(300);
        wait(&mut runtime.new_timer(at)).await;
        assert!(TokioRuntime.now() >= at);
        wait(&mut runtime.new_timer(at)).await;
    }

    #[tokio::test]
    async fn timers_end_in_the_order_of_their_deadlines() {
        let runtime = FineRuntime::start().unwrap();
        let now = TokioRuntime.now();
        let at = |ms| now + Duration::from_millis(ms);
        let mut late = runtime.new_timer(at(20));
        let mut moved = runtime.new_timer(at(5));
        let mut early = runtime.new_timer(at(30));
        let ended = Mutex::new(Vec::new());
        let note = |name| ended.lock().unwrap().push(name);
        tokio::join!(
            async {
                wait(&mut late).await;
                note("late");
            },
            async {
                poll_fn(|cx| {
                    let _ = moved.as_mut().poll(cx);
                    Poll::Ready(())
                })
                .await;
                moved.as_mut().reset(at(40));
                wait(&mut moved).await;
                note("moved");
            },
            async {
                poll_fn(|cx| {
                    let _ = early.as_mut().poll(cx);
                    Poll::Ready(())
                })
                .await;
                early.as_mut().reset(at(1));
                wait(&mut early).await;
                note("early");
            }
        );
        assert_eq!(ended.into_inner().unwrap(), ["early", "late", "moved"]);
    }

    #[tokio::test]
    async fn a_timer_that_is_dropped_leaves_nothing() {
        let runtime = FineRuntime::start().unwrap();
        let later = TokioRuntime.now() + Duration::from_secs(3600);
        let mut timer = runtime.new_timer(later);
        poll_fn(|cx| {
            let _ = timer.as_mut().poll(cx);
            Poll::Ready(())
        })
        .await;
        assert_eq!(runtime.alarm.lock().wakers.len(), 1);
        drop(timer);
        assert!(runtime.alarm.lock().wakers.is_empty());
    }
}
