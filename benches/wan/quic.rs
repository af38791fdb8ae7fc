//! A flow of quinn alone, as fast as its congestion controller lets it.

use std::net::SocketAddr;

use quinn::Endpoint;
use swarmhold::identity::tls;

use crate::control::Control;
use crate::host::{input_ends, seconds};
use crate::meter::Meter;
use crate::role::text_argument;
use crate::runtime::runtime;
use crate::say;

/// The role that sends; its arguments are the controller and the address to listen at.
pub(crate) const SERVE: &str = "quic-serve";
/// The role that receives; its arguments are the controller, the address, and two times in seconds.
pub(crate) const FETCH: &str = "quic-fetch";

/// Sends on every stream that is opened, until the input ends.
pub(crate) fn serve() {
    let control = Control::parse(&text_argument(1)).expect("a name");
    let here: SocketAddr = text_argument(2).parse().expect("an address");
    runtime().block_on(async {
        let endpoint = Endpoint::server(control.server(), here).expect("a socket");
        say(endpoint.local_addr().expect("its address"));
        tokio::spawn(async move {
            while let Some(incoming) = endpoint.accept().await {
                tokio::spawn(async move {
                    let connection = incoming.await.expect("a connection");
                    let (mut send, _recv) = connection.accept_bi().await.expect("a stream");
                    let piece = bytes::Bytes::from(vec![0x5a; 64 * 1024]);
                    while send.write_chunk(piece.clone()).await.is_ok() {}
                });
            }
        });
        input_ends().await;
    });
}

/// Takes what comes for a while: MB/s once settled, in all and by parts.
pub(crate) fn fetch() {
    let control = Control::parse(&text_argument(1)).expect("a name");
    let server: SocketAddr = text_argument(2).parse().expect("an address");
    runtime().block_on(async {
        let endpoint = Endpoint::client(([0, 0, 0, 0], 0).into()).expect("a socket");
        let connecting = endpoint.connect_with(control.client(), server, tls::SERVER_NAME);
        let connection = connecting.expect("a dial").await.expect("a connection");
        let (mut send, mut recv) = connection.open_bi().await.expect("a stream");
        send.write_all(b"go").await.expect("a question");
        let mut meter = Meter::start(seconds(3), seconds(4));
        let mut bytes = 0;
        while !meter.is_over() {
            let piece = recv.read_chunk(usize::MAX, true).await.expect("data");
            bytes += piece.expect("no end").bytes.len() as u64;
            meter.note(bytes);
        }
        say(meter.rates());
    });
}
