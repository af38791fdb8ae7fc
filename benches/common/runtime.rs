//! The runtime that a benchmark's own tasks run on.

/// One thread, with timers and sockets.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}
