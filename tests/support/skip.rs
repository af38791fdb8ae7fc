//! What is said where a test cannot run on this machine.

use std::io::Write as _;

/// Says why a test is skipped. Fails it instead where `SWARMHOLD_NO_SKIP` is set, as in CI.
pub(crate) fn skip(reason: &str) {
    assert!(
        std::env::var_os("SWARMHOLD_NO_SKIP").is_none(),
        "SWARMHOLD_NO_SKIP is set, but {reason}"
    );
    // Written past the test harness, which would keep it to itself.
    writeln!(std::io::stderr(), "skipped: {reason}").expect("stderr is open");
}
