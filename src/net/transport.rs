//! QUIC's knobs: hostile-peer defaults, raised live for peers that we download from.
//!
//! Measured on loopback with 32 KiB chunks: ACK frequency with a threshold of 20 and a delay of
//! 5 ms, and `send_fairness` off, are worth a third of the throughput. Jumbo frames, where the path
//! carries them (loopback, many a data centre), are worth two thirds on top of that: a sixth of the
//! packets to seal, to track and to wake up for. Larger ones gain little more, because what goes out
//! in one system call is bounded (`bursts`).

use std::sync::Arc;
use std::time::Duration;

use quinn::{AckFrequencyConfig, MtuDiscoveryConfig, TransportConfig, VarInt};

use super::congestion::BbrFactory;
use super::guard::{Guard, PathFactory};
use crate::limits::{
    IDLE_TIMEOUT, KEEP_ALIVE, RECEIVE_WINDOW_START, RELAY_CHANNELS_MAX, SEND_WINDOW_START,
    STREAM_WINDOW, STREAMS_INBOUND_START,
};

/// Packets that may wait for one ACK (draft-ietf-quic-ack-frequency section 4).
const ACK_THRESHOLD: u32 = 20;
/// How long an ACK may wait.
const ACK_DELAY: Duration = Duration::from_millis(5);
/// The round-trip time assumed before the first sample; a third of it is the first retransmission.
const INITIAL_RTT: Duration = Duration::from_millis(100);

/// The side of a connection that keeps it alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Wants the connection, and pings when it is idle.
    Dialer,
    /// Lets it lapse.
    Acceptor,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Requests and answers.
    Requests,
    /// The same, through a SwarmMaster.
    Relayed,
    /// The packets of others.
    Carrying,
    /// Requests, or the packets of others: what it is turns out with the handshake.
    Either,
}

/// The round-trip time assumed before the first sample where a SwarmMaster carries: two paths.
const RELAYED_RTT: Duration = Duration::from_millis(300);
/// Datagrams of others that wait to be sent on, in bytes: 20 ms of 100 Mbit/s, half a second of 4 Mbit/s.
const CARRIED_OUT_BYTES: usize = 256 * 1024;
/// The same at a node, whose own packets they are and which waits for room: as much as a socket keeps.
const CARRIED_OWN_BYTES: usize = 64 * 1024;
/// Datagrams of others that came and were not read, in bytes.
const CARRIED_IN_BYTES: usize = 256 * 1024;
/// The largest UDP payload that is tried for on the way to a master, in bytes. That of Ethernet is found
/// at the first attempt, and is all that two packets of 1200 bytes need.
const CARRYING_BYTES_MAX: u16 = 1452;

/// The transport parameters and limits of a new connection (RFC 9000 section 18.2), whose paths a guard looks after
/// and on which the largest datagram is looked for like this.
pub(super) fn transport(
    role: Role,
    purpose: Purpose,
    guard: &Arc<Guard>,
    mtu: MtuDiscoveryConfig,
) -> Arc<TransportConfig> {
    let mut config = base(role);
    config.mtu_discovery_config(Some(mtu));
    config.congestion_controller_factory(Arc::new(PathFactory::new(guard, BbrFactory)));
    match purpose {
        Purpose::Requests => {}
        Purpose::Relayed => {
            // nobody but the master is sent anything
            config
                .congestion_controller_factory(Arc::new(BbrFactory))
                .initial_rtt(RELAYED_RTT);
        }
        Purpose::Carrying => {
            let mut mtu = MtuDiscoveryConfig::default();
            mtu.upper_bound(CARRYING_BYTES_MAX);
            config
                .mtu_discovery_config(Some(mtu))
                .max_concurrent_bidi_streams(VarInt::from_u32(RELAY_CHANNELS_MAX))
                .datagram_send_buffer_size(CARRIED_OWN_BYTES)
                .datagram_receive_buffer_size(Some(CARRIED_IN_BYTES));
        }
        Purpose::Either => {
            config
                .datagram_send_buffer_size(CARRIED_OUT_BYTES)
                .datagram_receive_buffer_size(Some(CARRIED_IN_BYTES));
        }
    }
    Arc::new(config)
}

fn base(role: Role) -> TransportConfig {
    let mut acks = AckFrequencyConfig::default();
    acks.ack_eliciting_threshold(VarInt::from_u32(ACK_THRESHOLD))
        .max_ack_delay(Some(ACK_DELAY));
    let idle = IDLE_TIMEOUT
        .try_into()
        .expect("a few seconds fit QUIC's idle timeout");
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS_INBOUND_START))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW_START))
        .send_window(SEND_WINDOW_START)
        .send_fairness(false)
        .initial_rtt(INITIAL_RTT)
        .ack_frequency_config(Some(acks))
        .max_idle_timeout(Some(idle))
        .keep_alive_interval((role == Role::Dialer).then_some(KEEP_ALIVE));
    transport
}
