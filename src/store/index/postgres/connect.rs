//! Which database, and sessions of it.
//!
//! What leaves the machine is encrypted and the server's certificate is checked, unless the address says
//! `sslmode=disable`. (libpq's `prefer` and `require` encrypt without looking at whom for.)

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ::postgres::config::{Host, SslMode};
use ::postgres::{Client, Config, NoTls};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::store::index::IndexError;

/// How long a server may take to accept a session.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);
/// How each session of a reader is set: its questions are many and short. There is an index for each, and
/// 200 ms are four times what a master grants a search.
const READER: &str = "SET default_transaction_read_only = on; SET statement_timeout = 200;
                      SET enable_seqscan = off; SET jit = off;";
/// How the session of a writer is set. What a crash of the server loses is registered again.
const WRITER: &str = "SET synchronous_commit = off; SET statement_timeout = 30000; SET jit = off;";

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Reader,
    Writer,
}

/// A PostgreSQL database: `postgres://user:password@host:port/name`, with the options of libpq behind a
/// question mark. Shown without the password.
#[derive(Clone)]
pub struct Database {
    config: Box<Config>,
    /// Certificates that the server's is checked against, instead of the system's.
    roots: Option<PathBuf>,
}

/// Why a text names no database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It begins with something else.
    #[error("an index is postgres://USER@HOST/DATABASE")]
    Scheme,
    /// What follows makes no sense.
    #[error("not the address of a PostgreSQL database: {0}")]
    Address(::postgres::Error),
}

impl FromStr for Database {
    type Err = DatabaseError;

    fn from_str(text: &str) -> Result<Self, DatabaseError> {
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(DatabaseError::Scheme);
        }
        let (address, options) = text.split_once('?').unwrap_or((text, ""));
        let mut roots = None;
        let known = options
            .split('&')
            .filter(|option| match option.strip_prefix("sslrootcert=") {
                Some(path) => {
                    roots = Some(PathBuf::from(path));
                    false
                }
                None => !option.is_empty(),
            });
        let known: Vec<&str> = known.collect();
        let address = format!("{address}?{}", known.join("&"));
        let mut config: Config = address.parse().map_err(DatabaseError::Address)?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIME_MAX);
        }
        if config.get_application_name().is_none() {
            config.application_name("swarmhold");
        }
        let config = Box::new(config);
        Ok(Self { config, roots })
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        for (at, host) in self.config.get_hosts().iter().enumerate() {
            f.write_str(if at > 0 { "," } else { "" })?;
            match host {
                Host::Tcp(name) => f.write_str(name)?,
                #[cfg(unix)]
                Host::Unix(path) => write!(f, "{}", path.display())?,
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Database {
    /// Opens a session.
    pub(super) fn connect(&self, role: Role) -> Result<Client, IndexError> {
        let failed = |source| IndexError::Postgres {
            place: self.to_string(),
            source: Box::new(source),
        };
        let mut config = self.config.clone();
        let is_plain = match config.get_ssl_mode() {
            SslMode::Disable => true,
            SslMode::Require => false,
            SslMode::Prefer | _ => config.get_hosts().iter().all(is_here),
        };
        let connected = match is_plain {
            true => config.ssl_mode(SslMode::Disable).connect(NoTls),
            false => {
                let tls = MakeRustlsConnect::new(self.encryption()?);
                config.ssl_mode(SslMode::Require).connect(tls)
            }
        };
        let mut client = connected.map_err(failed)?;
        let settings = match role {
            Role::Reader => READER,
            Role::Writer => WRITER,
        };
        client.batch_execute(settings).map_err(failed)?;
        Ok(client)
    }

    /// How the server is checked.
    fn encryption(&self) -> Result<ClientConfig, IndexError> {
        let failed = |why: String| IndexError::Certificates {
            place: self.to_string(),
            why,
        };
        let mut roots = RootCertStore::empty();
        match &self.roots {
            Some(path) => {
                let unreadable = |error| failed(format!("{}: {error}", path.display()));
                for root in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
                    let added = roots.add(root.map_err(unreadable)?);
                    added.map_err(|error| failed(format!("{}: {error}", path.display())))?;
                }
            }
            None => {
                let system = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(system.certs);
            }
        }
        if roots.is_empty() {
            return Err(failed(
                "there are no root certificates; sslrootcert=FILE names some".to_owned(),
            ));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.to_string()))?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }
}

/// Whether what is sent to a server stays on this machine.
fn is_here(host: &Host) -> bool {
    match host {
        #[cfg(unix)]
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            let ip: Option<std::net::IpAddr> = name.parse().ok();
            name == "localhost" || ip.is_some_and(|ip| ip.is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_shown_without_its_password() {
        let text =
            "postgres://swarm:secret@db.example:5433/index?sslrootcert=ca.pem&sslmode=require";
        let database: Database = text.parse().unwrap();
        assert_eq!(database.to_string(), "postgres://db.example/index");
        assert!(!format!("{database:?}").contains("secret"));
        assert_eq!(database.roots, Some(PathBuf::from("ca.pem")));
        for wrong in [
            "mysql://a/b",
            "index.db",
            "postgres://h/d?sslmode=never",
            "postgres://h:port/d",
        ] {
            assert!(wrong.parse::<Database>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_what_stays_here_is_not_encrypted() {
        let first = |text: &str| {
            let database: Database = text.parse().unwrap();
            is_here(&database.config.get_hosts()[0])
        };
        for (text, here) in [
            ("postgres://localhost/d", true),
            ("postgres://127.0.0.1/d", true),
            ("postgres://%2Frun%2Fpostgresql/d", true),
            ("postgres://192.0.2.7/d", false),
            ("postgres://db.example/d", false),
        ] {
            assert_eq!(first(text), here, "{text}");
        }
    }
}
