//! The workers: hashing, zstd and disk, away from the network thread.
//!
//! A few threads take jobs off one queue. The queue needs no bound of its own: verification jobs
//! are bounded by the bytes in flight, reading jobs by the bytes being served.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::mpsc;

use super::outflow::Outflow;
use super::work::{Done, Job, Tools};
use crate::yielding::give_way;

/// Worker threads, at most: two flows of 10 Gbit/s keep about this many busy.
const WORKERS_MAX: usize = 8;

/// The threads and their queue. Dropped, it finishes what is queued and stops.
#[derive(Debug)]
pub(super) struct Pool {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
    outflow: Arc<Outflow>,
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    ready: Condvar,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    stopping: bool,
}

impl Pool {
    /// Starts the workers. What they finish comes out of `done`.
    pub(super) fn start(done: &mpsc::UnboundedSender<Done>) -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let outflow = Arc::new(Outflow::new(cores));
        let queue = Arc::new(Queue::default());
        let worker = |number: usize| {
            let (queue, done, mut tools) = (
                Arc::clone(&queue),
                done.clone(),
                Tools::new(Arc::clone(&outflow))?,
            );
            std::thread::Builder::new()
                .name(format!("swarmhold-{number}"))
                .spawn(move || {
                    while let Some(job) = queue.next() {
                        // The driver is gone only when the node is.
                        let _ = done.send(job.run(&mut tools));
                        give_way();
                    }
                })
        };
        let threads = (0..cores.clamp(2, WORKERS_MAX))
            .map(worker)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            queue,
            threads,
            outflow,
        })
    }

    /// What the workers and the network know of how fast bytes leave.
    pub(super) fn outflow(&self) -> &Outflow {
        &self.outflow
    }

    /// Queues a job.
    pub(super) fn submit(&self, job: Job) {
        self.queue.lock().jobs.push_back(job);
        self.queue.ready.notify_one();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.lock().stopping = true;
        self.queue.ready.notify_all();
        for thread in self.threads.drain(..) {
            // A worker that panicked has printed why.
            let _ = thread.join();
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job, or nothing when the pool stops and the queue is empty.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.stopping {
                return None;
            }
            state = self
                .ready
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}
