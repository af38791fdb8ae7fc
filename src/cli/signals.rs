//! Ctrl-C and SIGTERM: once is a wish, twice is an order.

use std::process;

use tokio::sync::watch;

/// A first signal asks for a graceful end; [`Signals::stopped`] hears of it. A second one ends the
/// process at once, with 128 and the signal's number, as shells say it.
pub(super) struct Signals {
    stop: watch::Receiver<bool>,
}

impl Signals {
    /// Listens from now on. To be called within a runtime.
    pub(super) fn listen() -> std::io::Result<Self> {
        let (asked, stop) = watch::channel(false);
        let mut arrivals = Arrivals::listen()?;
        tokio::spawn(async move {
            arrivals.next().await;
            asked.send_replace(true);
            let signal = arrivals.next().await;
            process::exit(128 + signal);
        });
        Ok(Self { stop })
    }

    /// Signals that a test sends.
    #[cfg(test)]
    pub(super) fn by_hand() -> (watch::Sender<bool>, Self) {
        let (asked, stop) = watch::channel(false);
        (asked, Self { stop })
    }

    /// Waits for the first signal; returns at once if it has come.
    pub(super) async fn stopped(&mut self) {
        if self.stop.wait_for(|stop| *stop).await.is_err() {
            // nobody listens any more, so no signal will come
            std::future::pending().await
        }
    }
}

/// The numbers of the signals that arrive.
#[cfg(unix)]
struct Arrivals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Arrivals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.interrupt.recv() => 2,
            _ = self.terminate.recv() => 15,
        }
    }
}

/// Ctrl-C alone, where there are no signals.
#[cfg(not(unix))]
struct Arrivals;

#[cfg(not(unix))]
impl Arrivals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> i32 {
        match tokio::signal::ctrl_c().await {
            Ok(()) => 2,
            Err(_) => std::future::pending().await,
        }
    }
}
