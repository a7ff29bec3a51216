use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use sextant_runtime::link::{Link, LinkError, LinkOptions};
use sextant_runtime::server::{Listener, Server};
use sextant_runtime::telemetry::Meters;
use sextant_wire::status::reason_of;

use crate::probe::{Probe, ask, ask_with_a_number, watch};
use crate::world::{BOTH, LIMITS, World, linked, subscribe_everywhere, within};

#[tokio::test]
async fn a_status_is_the_same_over_both_kinds() {
    for kind in BOTH {
        let (_world, link, _probe, _seen) = linked(kind).await;
        assert_eq!(within(ask(&link, "echo:hello")).await.unwrap(), "hello");
        for (command, code, message) in [
            ("absent", Code::NotFound, "no such thing"),
            ("cancelled", Code::Cancelled, "changed my mind"),
            (
                "nonsense",
                Code::InvalidArgument,
                "unknown command \"nonsense\"",
            ),
        ] {
            let status = within(ask(&link, command)).await.unwrap_err();
            assert_eq!(
                (status.code(), status.message()),
                (code, message),
                "{kind:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_timeout_of_a_tonic_server_is_deadline_exceeded_not_cancelled() {
    for kind in BOTH {
        let (_world, link, _probe, _seen) = linked(kind).await;
        let status = within(ask(&link, "tonic-timeout")).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{kind:?}: {status}");
    }
}

#[tokio::test]
async fn a_handler_that_panics_fails_its_own_call_only() {
    for kind in BOTH {
        let (_world, link, _probe, _seen) = linked(kind).await;
        let status = within(ask(&link, "panic")).await.unwrap_err();
        assert_eq!(status.code(), Code::Internal, "{kind:?}: {status}");
        assert_eq!(
            within(ask(&link, "echo:still here")).await.unwrap(),
            "still here",
            "{kind:?}"
        );
    }
}

/// Lines of a log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Lines of errors.
    fn errors(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let errors = text.lines().filter(|line| line.contains("ERROR"));
        errors.map(str::to_owned).collect()
    }

    fn begin(&self) -> tracing::subscriber::DefaultGuard {
        subscribe_everywhere();
        let writer = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }
}

#[tokio::test]
async fn an_internal_answer_is_logged_once_with_the_chain_of_its_causes() {
    for kind in BOTH {
        let log = Log::default();
        let _guard = log.begin();
        let (_world, link, _probe, _seen) = linked(kind).await;
        let status = within(ask(&link, "defect")).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::Internal, "stored data is unreadable"),
            "{kind:?}"
        );
        let told = log.errors();
        assert_eq!(told.len(), 1, "{kind:?}: {told:?}");
        assert!(
            told[0].contains("stored data is unreadable") && told[0].contains("page 3 is damaged"),
            "{kind:?}: {told:?}"
        );
    }
}

#[tokio::test]
async fn bytes_that_are_no_request_of_the_method_are_malformed_and_no_defect() {
    for kind in BOTH {
        let log = Log::default();
        let _guard = log.begin();
        let (_world, link, _probe, _seen) = linked(kind).await;
        let status = within(ask_with_a_number(&link)).await.unwrap_err();
        let reason = reason_of(&status);
        assert_eq!(
            (status.code(), reason.as_deref()),
            (Code::InvalidArgument, Some("MALFORMED")),
            "{kind:?}: {status}"
        );
        assert_eq!(log.errors(), [""; 0], "{kind:?}");
        assert_eq!(within(ask(&link, "echo:hello")).await.unwrap(), "hello");
    }
}

#[tokio::test]
async fn a_peer_that_does_not_listen_is_unavailable_with_a_retry_hint() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let options = LinkOptions::new(Duration::from_secs(10), Meters::none());
    let link = Link::connect(&format!("http://{free}"), &options).unwrap();
    let status = within(ask(&link, "echo:hello")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.get_details_retry_info().is_some());
}

#[tokio::test]
async fn a_link_reconnects_once_its_peer_is_back() {
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let world = World::new(LIMITS);
    let link = Link::connect(&format!("http://{address}"), &world.options()).unwrap();
    assert_eq!(
        within(ask(&link, "echo:hello")).await.unwrap_err().code(),
        Code::Unavailable
    );
    let mounted = world.mount(Probe::new().0);
    let server = Server::new(vec![mounted], Duration::from_secs(600));
    let listener = Listener::bind(address).unwrap();
    server
        .start(listener, &world.around, &world.readiness)
        .await
        .unwrap();
    assert_eq!(within(ask(&link, "echo:hello")).await.unwrap(), "hello");
}

#[test]
fn a_peer_that_dies_ends_its_streams_with_unavailable() {
    // Two executors: dropping the server's closes its sockets, as the end of its process would.
    let server = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let client = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let world = World::new(LIMITS);
    let address = server.block_on(async { world.serve(world.mount(Probe::new().0)).await });
    client.block_on(async {
        let link = Link::connect(&format!("http://{address}"), &world.options()).unwrap();
        let mut stream = within(watch(&link, Request::new("one".to_owned())))
            .await
            .unwrap();
        assert_eq!(
            within(stream.message()).await.unwrap().as_deref(),
            Some("first")
        );
        server.shutdown_background();
        let status = within(stream.message()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert!(status.get_details_retry_info().is_some());
    });
}

#[test]
fn an_address_that_cannot_be_read_is_refused() {
    let options = LinkOptions::new(Duration::from_secs(1), Meters::none());
    let error = Link::connect("http://not an address", &options).unwrap_err();
    assert!(matches!(error, LinkError::AddressMalformed { .. }));
}

#[tokio::test]
async fn nothing_is_sent_in_the_clear_to_an_address_with_https() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let options = LinkOptions::new(Duration::from_secs(5), Meters::none());
    let link = Link::connect(&address, &options).unwrap();
    let listening = async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut first = [0];
        connection.read_exact(&mut first).await.unwrap();
        first
    };
    let (first, asked) = within(async { tokio::join!(listening, ask(&link, "echo:hello")) }).await;
    // The record of a handshake of TLS; in the clear HTTP/2 begins with "PRI".
    assert_eq!(first, [22]);
    let status = asked.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}
