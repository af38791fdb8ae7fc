//! A real PostgreSQL server for tests, which `SWARMHOLD_TEST_POSTGRES` names: each test makes a database
//! there, and drops it. CONTRIBUTING.md says how to get one.
//!
//! Used by the library's own tests of the index too, through `#[path]`.

use std::io::Write as _;
use std::sync::Once;

use ::postgres::{Client, NoTls};

use super::skip::skip;

/// A database of a test's own.
pub(crate) struct Owned {
    /// Its address.
    pub(crate) url: String,
    server: String,
    name: String,
}

/// Makes a database. Says so and gives none where there is no server, which `SWARMHOLD_NO_SKIP` forbids.
pub(crate) fn own_database() -> Option<Owned> {
    let Ok(server) = std::env::var("SWARMHOLD_TEST_POSTGRES") else {
        let reason = "SWARMHOLD_TEST_POSTGRES names no PostgreSQL server";
        // once is enough
        static SAID: Once = Once::new();
        SAID.call_once(|| skip(reason));
        return None;
    };
    let mut random = [0; 8];
    getrandom::fill(&mut random).unwrap();
    let name = format!("swarmhold_{:016x}", u64::from_le_bytes(random));
    let mut client = Client::connect(&server, NoTls).unwrap();
    let make = format!("CREATE DATABASE {name}");
    client.batch_execute(&make).unwrap();
    let (address, options) = server.split_once('?').unwrap_or((&server, ""));
    let (host, _) = address.rsplit_once('/').unwrap();
    let url = format!("{host}/{name}?{options}");
    Some(Owned { url, server, name })
}

impl Drop for Owned {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        let client = Client::connect(&self.server, NoTls);
        if let Err(error) = client.and_then(|mut client| client.batch_execute(&drop)) {
            // nobody can be told where stderr is gone
            let _ = writeln!(std::io::stderr(), "a database stays behind: {error}");
        }
    }
}
