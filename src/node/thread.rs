//! The network thread: a runtime of its own, on which somebody is built and runs until it is stopped.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::sync::oneshot;

use super::error::StartError;

/// How long the background jobs of who has stopped are waited for; a large file takes longer to hash.
const JOBS_END: Duration = Duration::from_secs(2);

/// Who has asked for the end, if anybody has: to be told when all of it is over.
type Stopped = Option<oneshot::Sender<()>>;

/// Starts the thread. `build` runs on it, within its runtime, and gives what runs there and what is handed
/// back as soon as it does.
pub(super) async fn start<U, B, R>(build: B) -> Result<U, StartError>
where
    U: Send + 'static,
    B: FnOnce() -> Result<(R, U), StartError> + Send + 'static,
    R: Future<Output = Stopped>,
{
    let (up, ready) = oneshot::channel();
    std::thread::Builder::new()
        .name("swarmhold-net".to_owned())
        .spawn(move || run(build, up))?;
    let stopped = || StartError::System(io::Error::other("the network thread stopped"));
    ready.await.map_err(|_| stopped())?
}

fn run<U, R: Future<Output = Stopped>>(
    build: impl FnOnce() -> Result<(R, U), StartError>,
    up: oneshot::Sender<Result<U, StartError>>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            // Whoever started it may have gone; then nobody minds.
            let _ = up.send(Err(error.into()));
            return;
        }
    };
    let stopped = runtime.block_on(async {
        match build() {
            Ok((running, ready)) => match up.send(Ok(ready)) {
                Ok(()) => running.await,
                Err(_) => None,
            },
            Err(error) => {
                let _ = up.send(Err(error));
                None
            }
        }
    });
    // The socket closes with the runtime, and files with the jobs that still read them.
    runtime.shutdown_timeout(JOBS_END);
    if let Some(stopped) = stopped {
        // Whoever asked may have gone.
        let _ = stopped.send(());
    }
}
