//! What rows say, as this program's types.

use std::error::Error as StdError;
use std::net::SocketAddr;

use ::postgres::row::RowIndex;
use ::postgres::types::{FromSql, Type};
use ::postgres::{Error, Row};

use crate::digest::{Address, Digest, ManifestId, ProgramId};
use crate::index::{Candidate, Seat};
use crate::store::index::Listed;
use crate::wire::{Hit, Holding};

/// 32 bytes.
struct Hash(Digest);

/// An address and a port.
struct Spot(SocketAddr);

impl<'a> FromSql<'a> for Hash {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        let bytes: [u8; 32] = raw.try_into()?;
        Ok(Self(Digest::from_bytes(bytes)))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::BYTEA
    }
}

impl<'a> FromSql<'a> for Spot {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(str::from_utf8(raw)?.parse()?))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::TEXT
    }
}

pub(super) fn listed_of(row: &Row) -> Result<Listed, Error> {
    let (Spot(remote), listen): (Spot, &str) = (row.try_get("remote")?, row.try_get("listen")?);
    Ok(Listed {
        seat: Seat {
            address: Address::new(digest(row, "address")?),
            remote,
        },
        manifest_id: ManifestId::new(digest(row, "manifest")?),
        held: Holding {
            chunks: count(row, "chunks")?,
            map: row.try_get::<_, i64>("map")?.cast_unsigned(),
        },
        // what is no address was not written here
        listen: listen.split(' ').flat_map(str::parse).collect(),
        candidate: Candidate {
            subnet: row.try_get::<_, i64>("subnet")?.cast_unsigned(),
            is_open: row.try_get("open")?,
            is_whole: row.try_get("whole")?,
        },
    })
}

pub(super) fn hit_of(row: &Row) -> Result<Hit, Error> {
    Ok(Hit {
        manifest_id: ManifestId::new(digest(row, "manifest")?),
        program_id: ProgramId::new(digest(row, "program")?),
        owner: Address::new(digest(row, "owner")?),
        name: row.try_get("name")?,
        size: unsigned(row, "size")?,
        time: unsigned(row, "time")?,
        seeders: count(row, "seeders")?,
        peers: count(row, "holders")?,
    })
}

fn digest(row: &Row, column: &str) -> Result<Digest, Error> {
    let Hash(digest) = row.try_get(column)?;
    Ok(digest)
}

/// A count of rows or chunks. What is beyond 32 bits was not written here and counts as the most.
fn count(row: &Row, column: &str) -> Result<u32, Error> {
    Ok(u32::try_from(unsigned(row, column)?).unwrap_or(u32::MAX))
}

/// A size, a time or a count. Negative ones were not written here and count as none.
pub(super) fn unsigned<I: RowIndex + std::fmt::Display>(
    row: &Row,
    column: I,
) -> Result<u64, Error> {
    let value: i64 = row.try_get(column)?;
    Ok(u64::try_from(value).unwrap_or(0))
}
