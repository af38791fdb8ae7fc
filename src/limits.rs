//! Every bound of swarmhold: its value, its unit, and why it is what it is.
//!
//! A number that limits what a peer, a manifest or a user can make this node do stands here and
//! nowhere else. The assertions at the end relate the limits to each other, so that changing one
//! without its neighbours does not compile.

use std::time::Duration;

/// One kibibyte, in bytes.
pub const KIB: usize = 1024;
/// One mebibyte, in bytes.
pub const MIB: usize = 1024 * KIB;

// --- identity (DESIGN section 5) --------------------------------------------------------------

/// A peer's certificate, in bytes. Ours takes about 300; a 4096-bit RSA certificate, which is to be
/// refused for its key and not for its size, takes about 1300.
pub const CERTIFICATE_BYTES_MAX: usize = 2 * KIB;
/// A key file, in bytes; the longest form, a sealed key, takes less than 320.
pub const KEY_FILE_BYTES_MAX: usize = KIB;
/// A passphrase, in bytes of UTF-8.
pub const PASSPHRASE_BYTES_MAX: usize = KIB;
/// A backup phrase as typed, in bytes; 24 words of at most 8 letters take 215.
pub const BACKUP_BYTES_MAX: usize = KIB;
/// Memory that a key file may ask argon2id to fill, in KiB: 256 MiB.
pub const KEY_MEMORY_KIB_MAX: u32 = 256 * 1024;
/// Passes over that memory that a key file may ask for: a few seconds at the largest memory.
pub const KEY_PASSES_MAX: u32 = 16;
/// Lanes that a key file may ask for. They are computed one after the other, so they cost nothing more.
pub const KEY_LANES_MAX: u32 = 16;

// --- manifest (DESIGN section 4) --------------------------------------------------------------

/// Size of a manifest file, in bytes. 4096 hashes of 64 digits with JSON around them take 280 KiB.
pub const MANIFEST_BYTES_MAX: usize = 512 * KIB;
/// Hashes in a manifest. The original format's bound; it also keeps a bitfield at 512 bytes.
pub const CHUNKS_MAX: u32 = 4096;
/// Smallest chunk, in bytes: the original format's only chunk size.
pub const CHUNK_BYTES_MIN: u32 = 32 * 1024;
/// Largest chunk, in bytes. One chunk is held in memory whole while it is verified.
pub const CHUNK_BYTES_MAX: u32 = 16 * 1024 * 1024;
/// Largest container, in bytes: 64 GiB.
pub const CONTAINER_BYTES_MAX: u64 = CHUNKS_MAX as u64 * CHUNK_BYTES_MAX as u64;
/// Length of a display name, in characters.
pub const NAME_CHARS_MAX: usize = 64;
/// Peer hints in a manifest.
pub const MANIFEST_PEERS_MAX: usize = 200;
/// Nesting of JSON values in a manifest: object, array of peers, one peer.
pub const MANIFEST_DEPTH_MAX: usize = 4;
/// Length of a share link, in bytes.
pub const LINK_BYTES_MAX: usize = 4 * KIB;
/// Addresses (`p=`) and SwarmMasters (`s=`) in a share link, each.
pub const LINK_PEERS_MAX: usize = 32;
/// Length of a SwarmMaster's name in a share link, in bytes: a wallet address, the longest host name and
/// a port.
pub const MASTER_BYTES_MAX: usize = 65 + 260;
/// Latest signing time, in seconds since 1970: the end of the year 9999.
pub const SIGNED_TIME_MAX_S: u64 = 253_402_300_799;
/// By how much a signing time may be ahead of our clock before we remark on it.
pub const SIGNED_AHEAD_MAX: Duration = Duration::from_secs(10 * 60);
/// Lowest port of a peer that a manifest may make us dial. Below it are other people's services.
pub const HINT_PORT_MIN: u16 = 1024;

// --- wire (DESIGN section 6) ------------------------------------------------------------------

/// A request, in bytes. The largest, a search, takes less than 400.
pub const REQUEST_BYTES_MAX: usize = KIB;
/// A reply header or a subscription update, in bytes; a full bitfield takes 512.
pub const HEADER_BYTES_MAX: usize = 8 * KIB;
/// Bytes of a bitfield on the wire: one bit for each chunk.
pub const BITFIELD_BYTES_MAX: usize = CHUNKS_MAX as usize / 8;
/// Chunks named in one `Have` update. The length prefix and up to five bytes each fit a header.
pub const HAVES_MAX: usize = 1024;
/// Containers named in one `Deluges` reply.
pub const DELUGES_MAX: usize = 64;
/// Listen candidates in a `Hello`.
pub const LISTEN_ADDRESSES_MAX: usize = 8;
/// By how much a compressed chunk must be smaller than the raw one to be sent: one part in this.
pub const COMPRESS_GAIN_MIN: usize = 20;
/// Window that a compressed chunk may ask for, in bytes, where the chunk itself is smaller. Ours
/// take half of it at most; the encoders of others take more for higher levels.
pub const ZSTD_WINDOW_BYTES_MAX: usize = MIB;

/// Holders named in one answer of a SwarmMaster: enough to begin with, and no list of everybody.
pub const HOLDERS_TOLD_MAX: usize = 50;
/// A query's text, in bytes: four for each character that a name may have.
pub const QUERY_BYTES_MAX: usize = NAME_BYTES_MAX;
/// A display name, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 4 * NAME_CHARS_MAX;
/// Places at which a node may be met, in one invitation: what a stranger can have us send punches to.
pub const MEET_CANDIDATES_MAX: usize = 8;
/// The longest that a SwarmMaster may have two nodes wait for each other, in microseconds: a second.
pub const MEET_WAIT_US_MAX: u32 = 1_000_000;
/// Containers named in one answer to a search: more than anybody reads.
pub const HITS_MAX: usize = 50;
/// The answer to a search, in bytes.
pub const LISTING_BYTES_MAX: usize = 24 * KIB;

// --- transport (DESIGN section 6, hostile-peer defaults) ---------------------------------------

/// Streams that a peer may have open towards us before we have downloaded from it.
pub const STREAMS_INBOUND_START: u32 = 16;
/// Chunk requests that we have out at one peer.
pub const REQUESTS_OUT_MAX: u32 = 120;
/// Streams that a peer may have open towards us once it has proven useful, or once we serve it. A
/// stream's place comes back a round trip after its last byte, so on a long line it takes twice
/// [`REQUESTS_OUT_MAX`] to have all of them under way, and a few for everything else.
pub const STREAMS_INBOUND_MAX: u32 = 256;
/// Unread bytes of one connection before we have asked it for anything.
pub const RECEIVE_WINDOW_START: u32 = 256 * 1024;
/// Unread bytes of one connection that we download from: covers 1 Gbit/s at 64 ms.
pub const RECEIVE_WINDOW_DOWNLOAD: u32 = 8 * 1024 * 1024;
/// Unread bytes of all connections that we download from, together: what hostile sources can pin.
pub const RECEIVE_WINDOWS_TOTAL: u32 = 64 * 1024 * 1024;
/// Unread bytes of one such connection, however many there are: 50 Mbit/s at 160 ms.
pub const RECEIVE_WINDOW_DOWNLOAD_MIN: u32 = 1024 * 1024;
/// Unread bytes of one stream; the connection's window binds first.
pub const STREAM_WINDOW: u32 = 4 * 1024 * 1024;
/// Bytes that wait in our memory for one connection to send and acknowledge them, before we serve it.
pub const SEND_WINDOW_START: u64 = MIB as u64;
/// The same for one that we serve. A loss holds what was sent after it for two round trips, so this is for
/// 1 Gbit/s at 25 ms with losses.
pub const SEND_WINDOW_UPLOAD: u64 = 8 * MIB as u64;
/// The same for all that we serve, together: what those can pin that take their time to acknowledge.
pub const SEND_WINDOWS_TOTAL: u64 = 256 * MIB as u64;
/// Channels that one node may have open with one SwarmMaster, opened by itself and by others each.
pub const RELAY_CHANNELS_MAX: u32 = 16;
/// Handshakes that may wait for admission.
pub const INCOMING_MAX: usize = 256;
/// Bytes buffered for one handshake before it is admitted.
pub const INCOMING_BUFFER_BYTES: u64 = 16 * 1024;
/// Bytes buffered for all handshakes before they are admitted.
pub const INCOMING_BUFFER_BYTES_TOTAL: u64 = 4 * 1024 * 1024;
/// Handshakes under way with addresses that are not validated, above which we ask for a retry.
pub const HANDSHAKES_UNVALIDATED_MAX: usize = 64;
/// Connections that a node keeps.
pub const CONNECTIONS_MAX: usize = 512;
/// Connections from one IPv4 address or one IPv6 /64. Loopback is exempt.
pub const CONNECTIONS_PER_HOST_MAX: usize = 8;
/// A handshake that takes longer is given up.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection on which nothing arrives for this long is dead.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// How often an idle connection is kept alive by the side that wants it.
pub const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// A request must have arrived whole by then.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// A reply that makes no progress for this long is reset.
pub const PROGRESS_TIMEOUT: Duration = Duration::from_secs(10);
/// The slowest that a peer may read what it asked for, in bytes per second, beyond the first ten
/// seconds: what is being read for it counts against everybody's budget.
pub const SERVE_RATE_MIN: u64 = 16 * 1024;
/// Requests that one peer may open at once, as a burst, and per second thereafter.
pub const REQUEST_BURST: u32 = 512;
/// Requests per second of one peer, sustained; 4000 chunks of 32 KiB are 125 MiB/s.
pub const REQUESTS_PER_SECOND: u32 = 20_000;
/// Resets within ten seconds after which a peer is dropped.
pub const RESETS_MAX: u32 = 1000;

/// Manifests for one bare program id that are asked of one peer.
pub const CANDIDATE_MANIFESTS_MAX: usize = 3;
/// Addresses that a node keeps in mind to dial.
pub const CANDIDATES_MAX: usize = 512;
/// Dials under way at once: what a stranger's list of addresses can make us send is bounded.
pub const DIALS_MAX: usize = 20;

// --- engine (DESIGN section 7) ----------------------------------------------------------------

/// Ranges of one container that readers may wait for at once; each costs a look for each pick.
pub const READERS_MAX: usize = 16;
/// Bytes asked for and not yet stored, of all peers and containers together.
pub const IN_FLIGHT_BYTES_MAX: u64 = 32 * MIB as u64;
/// Bytes read for uploads and not yet taken by the transport, of all peers together.
pub const SERVING_BYTES_MAX: u64 = 16 * MIB as u64;
/// Compressed chunks of one container kept for the next asker, in bytes.
pub const COMPRESSED_CACHE_BYTES: usize = 4 * MIB;
/// Requests of one peer that may wait to be served.
pub const UPLOAD_QUEUE_MAX: usize = 256;
/// Bytes written and not yet synced, of one container, at which a sync begins: small enough that one
/// is under way while the next gathers, within [`UNSYNCED_BYTES_MAX`].
pub const SYNC_BATCH_BYTES: u64 = UNSYNCED_BYTES_MAX / 2;
/// Bytes written and not yet synced, of one container: what a loss of power may take. Two chunks where
/// those are larger.
pub const UNSYNCED_BYTES_MAX: u64 = 4 * MIB as u64;
/// How long what was written waits for a sync, where less than [`SYNC_BATCH_BYTES`] come.
pub const SYNC_AFTER: Duration = Duration::from_secs(2);
/// Bytes of chunks kept in memory while a `.part` is rearranged for another manifest: four of the
/// largest, or a whole small container.
pub const REARRANGE_BYTES_MAX: usize = 64 * MIB;
/// Bad chunks of one address, after which it is banned.
pub const BAD_CHUNKS_MAX: u32 = 3;
/// How long a ban lasts.
pub const BAN: Duration = Duration::from_secs(24 * 60 * 60);
/// Addresses that blame remembers; the oldest that is not banned goes first.
pub const BLAMED_MAX: usize = 4096;
/// Addresses whose credit is kept; the smallest account goes first.
pub const CREDIT_MAX: usize = 4096;
/// Time in which what an address gave and got comes to count half: a few days, so that who helped
/// this week is known, and nobody lives off last year.
pub const CREDIT_HALF_LIFE: Duration = Duration::from_secs(3 * 24 * 60 * 60);

const _: () = assert!(
    CHUNKS_MAX.is_multiple_of(8),
    "a full bitfield has no spare bits"
);
const _: () = assert!(CHUNK_BYTES_MIN.is_power_of_two() && CHUNK_BYTES_MAX.is_power_of_two());
const _: () = assert!(
    BITFIELD_BYTES_MAX + 16 <= HEADER_BYTES_MAX,
    "a bitfield fits a header"
);
const _: () = assert!(
    HAVES_MAX * 5 + 16 <= HEADER_BYTES_MAX,
    "a full batch of haves fits"
);
const _: () = assert!(
    DELUGES_MAX * 110 <= HEADER_BYTES_MAX,
    "a full list of deluges fits"
);
const _: () = assert!(
    HOLDERS_TOLD_MAX * 150 + 16 <= HEADER_BYTES_MAX,
    "a full list of holders fits"
);
const _: () = assert!(
    HITS_MAX * (NAME_BYTES_MAX + 140) + 16 <= LISTING_BYTES_MAX
        && LISTING_BYTES_MAX <= u16::MAX as usize,
    "a full listing fits, and a length prefix of two bytes can say it"
);
const _: () = assert!(
    REQUEST_BYTES_MAX <= HEADER_BYTES_MAX && HEADER_BYTES_MAX <= u16::MAX as usize,
    "a length prefix of two bytes can say it"
);
const _: () = assert!(CHUNKS_MAX as usize * 70 + 64 * KIB <= MANIFEST_BYTES_MAX);
const _: () = assert!(
    IN_FLIGHT_BYTES_MAX >= CHUNK_BYTES_MAX as u64,
    "the largest chunk can be asked for"
);
const _: () = assert!(
    SERVING_BYTES_MAX >= CHUNK_BYTES_MAX as u64,
    "the largest chunk can be served"
);
