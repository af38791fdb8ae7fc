//! From a `.deluge` file's bytes to a [`Manifest`], or to the exact reason why not.
//!
//! First the syntax of the whole file and its keys, then what each value says, last what the values
//! say together. Nothing is guessed, repaired or skipped, with one exception: peers are hints that
//! anyone may have added, so one that cannot be dialled is left out with a warning.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::content::{Content, check_count};
use super::error::{ManifestError, Place, Warning, excerpt};
use super::json::{self, Raw};
use super::layout::{Layout, LayoutError};
use super::seal::{Contact, Seal};
use super::{Manifest, VERSION, hint};
use crate::digest::{Address, Digest, ProgramId};
use crate::limits::{
    CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, CHUNKS_MAX, CONTAINER_BYTES_MAX, MANIFEST_BYTES_MAX,
    MANIFEST_PEERS_MAX, SIGNED_TIME_MAX_S,
};

/// The original program's version, whose hash lists do not cover content.
const LEGACY_VERSION: &str = "v0.1.2-alpha-deluge";

/// Every key of the format: those that every manifest has, then those of signed ones.
const KEYS: [&str; 13] = [
    "_version",
    "_name",
    "_totalHash",
    "_totalSizeB",
    "_chunkSizeB",
    "hashList",
    "_address",
    "_ip",
    "peers",
    "_port",
    "_time",
    "_pubKey",
    "_signature",
];
/// How many of [`KEYS`] every manifest has.
const REQUIRED: usize = 9;
/// Where in [`KEYS`] those begin that only a signature needs; a port may stand alone.
const SEALING: usize = 10;

impl Manifest {
    /// Reads the bytes of a `.deluge` file, at most
    /// [`MANIFEST_BYTES_MAX`]. The one way from outside to a manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestError::TooLong(bytes.len()));
        }
        let fields = Fields::read(bytes)?;
        fields.check_version()?;
        fields.check_presence()?;
        let layout = fields.layout()?;
        let content = Content {
            chunk_hashes: fields.hash_list(layout)?,
            name: fields.string("_name")?.into_owned(),
            program_id: ProgramId::new(fields.digest("_totalHash")?),
            address: Address::new(fields.digest("_address")?),
            layout,
        };
        let contact = fields.contact()?;
        let (peers, warnings) = fields.peers()?;
        let manifest = Self::new(content, contact, fields.seal()?)?;
        Ok(Self {
            peers,
            warnings,
            ..manifest
        })
    }
}

/// Reads bytes that a fuzzer made up. Panics if what is accepted does not survive a round trip.
#[doc(hidden)]
pub fn fuzz_parse(bytes: &[u8]) {
    if let Ok(manifest) = Manifest::parse(bytes) {
        assert_eq!(Manifest::parse(&manifest.to_json()).as_ref(), Ok(&manifest));
    }
}

/// The values of a file whose syntax and keys are known to be right, by their place in [`KEYS`].
struct Fields<'a>([Option<Raw<'a>>; KEYS.len()]);

impl<'a> Fields<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, ManifestError> {
        let mut values = [None; KEYS.len()];
        json::object(bytes, |key, value| {
            let Some(at) = KEYS.iter().position(|known| *known == key) else {
                return Err(ManifestError::UnknownField(excerpt(&key)));
            };
            match values[at].replace(value) {
                Some(_) => Err(ManifestError::DuplicateKey(KEYS[at])),
                None => Ok(()),
            }
        })?;
        Ok(Self(values))
    }

    /// Refuses other versions, and lists that the original program made whatever their version.
    fn check_version(&self) -> Result<(), ManifestError> {
        let version = match self.find("_version") {
            Some(_) => Some(self.string("_version")?),
            None => None,
        };
        if version.as_deref() == Some(LEGACY_VERSION) || self.has_legacy_hashes() {
            return Err(ManifestError::Legacy);
        }
        match version {
            Some(other) if other != VERSION => Err(ManifestError::Version(excerpt(&other))),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether each hash is over the text of those before it, as the original program's are: the
    /// first is then over nothing, and the second over the digits of the first.
    fn has_legacy_hashes(&self) -> bool {
        let first = Digest::OF_NOTHING.to_string();
        let second = Digest::of(first.as_bytes()).to_string();
        let hashes = self.find("hashList").and_then(Raw::elements);
        hashes.is_some_and(|hashes| {
            let start = hashes.take(2).map(Raw::string);
            start.eq([first, second].map(|hash| Some(Cow::Owned(hash))))
        })
    }

    /// Refuses a file that lacks a key.
    fn check_presence(&self) -> Result<(), ManifestError> {
        let lacking = |keys: &[&'static str]| {
            let mut keys = keys.iter().copied();
            keys.find(|key| self.find(key).is_none())
        };
        if let Some(key) = lacking(&KEYS[..REQUIRED]) {
            return Err(ManifestError::MissingField(key));
        }
        match lacking(&KEYS[REQUIRED..]) {
            Some(key) if self.0[SEALING..].iter().any(Option::is_some) => {
                Err(ManifestError::MissingForSignature(key))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn layout(&self) -> Result<Layout, ManifestError> {
        let size = self.integer("_totalSizeB", 1, CONTAINER_BYTES_MAX)?;
        let (min, max) = (CHUNK_BYTES_MIN.into(), CHUNK_BYTES_MAX.into());
        let chunk_size = self.integer("_chunkSizeB", min, max)?;
        let chunk_size =
            u32::try_from(chunk_size).map_err(|_| LayoutError::ChunkSize(chunk_size))?;
        Ok(Layout::new(size, chunk_size)?)
    }

    /// The hashes, of which there are as many as the layout needs.
    fn hash_list(&self, layout: Layout) -> Result<Vec<Digest>, ManifestError> {
        let entries = || self.array("hashList", "an array");
        let hashes = entries()?
            .take(CHUNKS_MAX as usize)
            .enumerate()
            .map(|(index, entry)| hash(index, entry))
            .collect::<Result<Vec<_>, _>>()?;
        check_count(layout, entries()?.count())?;
        Ok(hashes)
    }

    fn contact(&self) -> Result<Contact, ManifestError> {
        let text = self.string("_ip")?;
        // one text for each address, and the other way round, so that the signature covers the text
        let ip: Option<IpAddr> = text.parse().ok();
        let ip = ip.filter(|ip| ip.to_canonical().to_string() == text);
        Ok(Contact {
            ip: ip.ok_or_else(|| ManifestError::Ip(excerpt(&text)))?,
            port: match self.find("_port") {
                Some(_) => Some(self.number("_port", u16::MAX)?),
                None => None,
            },
        })
    }

    fn seal(&self) -> Result<Option<Seal>, ManifestError> {
        if self.find("_signature").is_none() {
            return Ok(None);
        }
        let public_key: Digest = self
            .string("_pubKey")?
            .parse()
            .map_err(ManifestError::KeyText)?;
        let signature = STANDARD
            .decode(self.string("_signature")?.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(ManifestError::MalformedSignature("not 64 bytes in base64"))?;
        Ok(Some(Seal {
            time: self.number("_time", SIGNED_TIME_MAX_S)?,
            public_key: *public_key.as_bytes(),
            signature,
        }))
    }

    /// The peers that may be dialled, each once, and a warning for each of the others.
    fn peers(&self) -> Result<(Vec<SocketAddr>, Vec<Warning>), ManifestError> {
        let entries = || self.array("peers", "an array");
        let count = entries()?.count();
        if count > MANIFEST_PEERS_MAX {
            return Err(ManifestError::TooManyPeers(count));
        }
        let (mut peers, mut warnings) = (vec![], vec![]);
        for (index, entry) in entries()?.enumerate() {
            match peer(index, entry)? {
                Some(address) => hint::add(&mut peers, address),
                None => warnings.push(Warning::Peer(index)),
            }
        }
        Ok((peers, warnings))
    }

    /// The value of a key, if it is there.
    fn find(&self, key: &str) -> Option<Raw<'a>> {
        let known = KEYS.iter().position(|known| *known == key);
        self.0[known.expect("only the format's keys are asked for")]
    }

    fn value(&self, key: &'static str) -> Result<Raw<'a>, ManifestError> {
        self.find(key).ok_or(ManifestError::MissingField(key))
    }

    fn string(&self, key: &'static str) -> Result<Cow<'a, str>, ManifestError> {
        let at = Place::Field(key);
        let expected = "string";
        let string = self.value(key)?.string();
        string.ok_or(ManifestError::Type { at, expected })
    }

    fn array(
        &self,
        key: &'static str,
        expected: &'static str,
    ) -> Result<impl Iterator<Item = Raw<'a>>, ManifestError> {
        let at = Place::Field(key);
        let elements = self.value(key)?.elements();
        elements.ok_or(ManifestError::Type { at, expected })
    }

    fn digest(&self, key: &'static str) -> Result<Digest, ManifestError> {
        let at = Place::Field(key);
        let digest = self.string(key)?.parse();
        digest.map_err(|why| ManifestError::Hash { at, why })
    }

    /// A number from 0 to `max`, which its type can hold.
    fn number<N: TryFrom<u64> + Into<u64>>(
        &self,
        field: &'static str,
        max: N,
    ) -> Result<N, ManifestError> {
        let (min, max) = (0, max.into());
        let value = self.integer(field, min, max)?;
        let value = Some(value).filter(|value| *value <= max);
        let value = value.and_then(|value| value.try_into().ok());
        value.ok_or(ManifestError::Number { field, min, max })
    }

    /// A number of whatever size; the range is that which an error names.
    fn integer(&self, field: &'static str, min: u64, max: u64) -> Result<u64, ManifestError> {
        let value = self.value(field)?.integer();
        value.ok_or(ManifestError::Number { field, min, max })
    }
}

/// One entry of the hash list.
fn hash(index: usize, entry: Raw<'_>) -> Result<Digest, ManifestError> {
    let at = Place::Hash(index);
    let expected = "string";
    let text = entry.string();
    let text = text.ok_or(ManifestError::Type { at, expected })?;
    match text.parse() {
        Ok(digest) => Ok(digest),
        // the original program wrote the index of an equal chunk in place of its hash
        Err(_) if is_decimal(&text) => Err(ManifestError::BackReference {
            index,
            text: excerpt(&text),
        }),
        Err(why) => Err(ManifestError::Hash { at, why }),
    }
}

/// Whether a text is a decimal number of fewer digits than a hash has.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    (1..64).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// One entry of the peers; none if it cannot be dialled.
fn peer(index: usize, entry: Raw<'_>) -> Result<Option<SocketAddr>, ManifestError> {
    let pair: Vec<Raw<'_>> = match entry.elements() {
        Some(elements) => elements.take(3).collect(),
        None => vec![],
    };
    let [ip, port] = pair[..] else {
        return Err(ManifestError::Type {
            at: Place::Peer(index),
            expected: "an IP and a port",
        });
    };
    let ip = ip.string().and_then(|ip| ip.parse().ok());
    let port = port.integer().and_then(|port| port.try_into().ok());
    let address = ip.zip(port).map(|(ip, port)| SocketAddr::new(ip, port));
    Ok(address.filter(|address| hint::is_dialable(*address)))
}
