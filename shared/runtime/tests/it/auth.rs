use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::uri::PathAndQuery;
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt as _;

use sextant_domain::id::TenantId;
use sextant_domain::time::Instant;
use sextant_runtime::auth::{
    Access, Key, KeyId, KeyRecord, KeySource, KeySourceUnavailable, MethodTable, Scope, Scopes,
};
use sextant_runtime::link::Link;
use sextant_runtime::server::{MountError, Part};
use sextant_runtime::telemetry::Meters;
use sextant_wire::status::reason_of;

use crate::probe::{ASK, Probe, TALK, ask, call, talk, watch};
use crate::world::{BOTH, Keys, Kind, LIMITS, World, linked, within};

fn record(key: &Key, scopes: Scopes) -> KeyRecord {
    KeyRecord {
        secret_sha256: key.digest(),
        tenant: Some(TenantId(7)),
        scopes,
        expires_at: None,
        revoked: false,
    }
}

#[tokio::test]
async fn only_a_living_key_with_the_scope_of_the_method_gets_through() {
    let keys: Vec<Key> = (0..5).map(|_| Key::generate().unwrap()).collect();
    let read = Scopes::NONE.with(Scope::Read);
    let all_but_read: Scopes = Scope::ALL
        .into_iter()
        .filter(|scope| *scope != Scope::Read)
        .collect();
    let known = || {
        vec![
            (keys[0].id(), record(&keys[0], read)),
            (keys[1].id(), record(&keys[1], all_but_read)),
            (
                keys[2].id(),
                KeyRecord {
                    expires_at: Some(Instant(1)),
                    ..record(&keys[2], read)
                },
            ),
            (
                keys[3].id(),
                KeyRecord {
                    revoked: true,
                    ..record(&keys[3], read)
                },
            ),
        ]
    };
    let bearer = |key: &Key| Some(format!("Bearer {}", key.expose()));
    let cases = [
        ("a good key", bearer(&keys[0]), None),
        ("no key", None, Some((Code::Unauthenticated, "KEY_MISSING"))),
        (
            "no such key",
            bearer(&keys[4]),
            Some((Code::Unauthenticated, "KEY_INVALID")),
        ),
        (
            "no key at all",
            Some("Bearer sx_nonsense".to_owned()),
            Some((Code::Unauthenticated, "KEY_INVALID")),
        ),
        (
            "wrong scope",
            bearer(&keys[1]),
            Some((Code::PermissionDenied, "SCOPE_MISSING")),
        ),
        (
            "expired",
            bearer(&keys[2]),
            Some((Code::Unauthenticated, "KEY_INVALID")),
        ),
        (
            "revoked",
            bearer(&keys[3]),
            Some((Code::Unauthenticated, "KEY_INVALID")),
        ),
    ];
    for kind in BOTH {
        let world = World::with(LIMITS, Keys(known()), Meters::none());
        let link = world
            .link(Probe::new().0, kind, &world.options_without_key())
            .await;
        // Twice: the second time, the cache answers.
        for (case, header, refused) in cases.iter().chain(&cases) {
            let mut request = Request::new("principal".to_owned());
            if let Some(header) = header {
                request
                    .metadata_mut()
                    .insert("authorization", header.parse().unwrap());
            }
            let answer = within(call(&link, request)).await;
            expect_verdict(&format!("{kind:?}, {case}"), answer, *refused);
        }
    }
}

fn expect_verdict(
    case: &str,
    answer: Result<Response<String>, Status>,
    refused: Option<(Code, &str)>,
) {
    match (answer, refused) {
        (Ok(answer), None) => assert!(
            answer.get_ref().contains("TenantId(7)"),
            "{case}: {answer:?}"
        ),
        (Err(status), Some(expected)) => {
            let info = status.get_details_error_info().unwrap();
            assert_eq!((status.code(), info.reason.as_str()), expected, "{case}");
        },
        (answer, _) => panic!("{case}: {answer:?}"),
    }
}

#[tokio::test]
async fn a_public_method_needs_no_key_and_a_service_of_ours_may_call_everything() {
    for kind in BOTH {
        let world = World::new(LIMITS);
        let link = world
            .link(Probe::new().0, kind, &world.options_without_key())
            .await;
        let (_say, words) = tokio::sync::mpsc::channel(1);
        assert!(within(talk(&link, words)).await.is_ok(), "{kind:?}");

        let world = World::new(LIMITS);
        let link = world.link(Probe::new().0, kind, &world.options()).await;
        let principal = within(ask(&link, "principal")).await.unwrap();
        assert!(principal.contains("tenant: None"), "{kind:?}: {principal}");
    }
}

#[tokio::test]
async fn a_method_for_any_scope_needs_a_living_key_and_no_scope() {
    let key = Key::generate().unwrap();
    let no_scope = record(&key, Scopes::NONE);
    let world = World::with(LIMITS, Keys(vec![(key.id(), no_scope)]), Meters::none());
    let table = MethodTable::new(&[(ASK, Access::AnyScope)]);
    let part = Part::new("probe", table).service(Probe::new().0, ["Ask"]);
    let link = part.mount(&world.around).unwrap();
    let link = link.link(&world.options_without_key());
    let by = |key: &Key| {
        let mut request = Request::new("principal".to_owned());
        let header = format!("Bearer {}", key.expose()).parse().unwrap();
        request.metadata_mut().insert("authorization", header);
        request
    };
    expect_verdict("no scope", within(call(&link, by(&key))).await, None);
    for (case, request, reason) in [
        (
            "no key",
            Request::new("principal".to_owned()),
            "KEY_MISSING",
        ),
        ("no such key", by(&Key::generate().unwrap()), "KEY_INVALID"),
    ] {
        let answer = within(call(&link, request)).await;
        expect_verdict(case, answer, Some((Code::Unauthenticated, reason)));
    }
}

#[tokio::test]
async fn a_method_without_an_entry_prevents_the_start() {
    let world = World::new(LIMITS);
    let table = MethodTable::new(&[(ASK, Access::Scope(Scope::Read)), (TALK, Access::Public)]);
    let part = Part::new("probe", table).service(Probe::new().0, ["Ask", "Watch", "Talk"]);
    let MountError::Methods { part, source } = part.mount(&world.around).unwrap_err();
    assert_eq!(part, "probe");
    assert_eq!(
        source.to_string(),
        "methods without a required scope: /test.v1.Probe/Watch; add them to the method table"
    );
}

#[tokio::test]
async fn a_method_that_is_not_in_the_table_is_not_served_even_if_a_route_exists() {
    for kind in BOTH {
        // The part forgets to say that it serves Ask, so the check cannot see it.
        let world = World::new(LIMITS);
        let part = Part::new("probe", MethodTable::new(&[(TALK, Access::Public)]))
            .service(Probe::new().0, ["Talk"]);
        let mounted = part.mount(&world.around).unwrap();
        let link = match kind {
            Kind::InProcess => mounted.link(&world.options()),
            Kind::Network => {
                let address = world.serve(mounted).await;
                Link::connect(&format!("http://{address}"), &world.options()).unwrap()
            },
        };
        let refused = within(ask(&link, "echo:x")).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented, "{kind:?}");
        assert_eq!(reason_of(&refused).unwrap(), "METHOD_UNKNOWN", "{kind:?}");
        assert!(
            refused
                .message()
                .starts_with("\"test.v1.Probe/Ask\" is not served here, but its service is"),
            "{kind:?}: {refused}"
        );
    }
}

#[tokio::test]
async fn a_service_that_the_process_does_not_have_is_refused_with_what_it_serves() {
    for kind in BOTH {
        let (_world, link, _probe, _events) = linked(kind).await;
        let mut client = tonic::client::Grpc::new(link);
        let Ok(()) = client.ready().await;
        let path = PathAndQuery::from_static("/test.v1.Other/Ask");
        let codec = ProstCodec::<String, String>::default();
        let asked = client.unary(Request::new(String::new()), path, codec);
        let refused = within(asked).await.unwrap_err();
        assert_eq!(reason_of(&refused).unwrap(), "METHOD_UNKNOWN", "{kind:?}");
        assert_eq!(
            refused.message(),
            "\"test.v1.Other/Ask\" is not served here, only test.v1.Probe: call the process that serves it, each service may have an \
             address of its own",
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn a_process_whose_key_a_peer_refuses_is_not_ready_and_says_why_until_it_is_taken() {
    let (own, other) = (World::new(LIMITS), World::new(LIMITS));
    own.serve(own.mount(Probe::new().0)).await;
    let options = own.options().of_peer("ingestion");
    let options = options.telling(&own.readiness, "the key of tests");
    let link = other.link(Probe::new().0, Kind::Network, &options).await;

    let mut request = Request::new("principal".to_owned());
    let of_a_caller = format!("Bearer {}", Key::generate().unwrap().expose());
    let headers = request.metadata_mut();
    headers.insert("authorization", of_a_caller.parse().unwrap());
    assert!(within(call(&link, request)).await.is_err());
    assert_eq!(own.readiness.obstacle(), None, "it was not our key");

    assert!(within(ask(&link, "echo:x")).await.is_err());
    let refused = "ingestion refuses the key of tests: give both processes the same key";
    assert_eq!(own.readiness.obstacle().as_deref(), Some(refused));
    let gone = Link::connect("http://127.0.0.1:1", &options).unwrap();
    assert!(within(ask(&gone, "echo:x")).await.is_err());
    assert_eq!(own.readiness.obstacle().as_deref(), Some(refused));

    let known = record(&own.service_key, Scopes::NONE.with(Scope::Read));
    let keys = Keys(vec![(own.service_key.id(), known)]);
    let other = World::with(LIMITS, keys, Meters::none());
    let link = other.link(Probe::new().0, Kind::Network, &options).await;
    assert_eq!(within(ask(&link, "echo:x")).await.unwrap(), "x");
    assert_eq!(own.readiness.obstacle(), None);
}

/// One key, until it is taken back.
#[derive(Clone)]
struct Revocable(Arc<Mutex<KeyRecord>>);

impl KeySource for Revocable {
    fn resolve(
        &self,
        _id: KeyId,
    ) -> BoxFuture<'_, Result<Option<KeyRecord>, KeySourceUnavailable>> {
        let record = self.0.lock().unwrap().clone();
        Box::pin(async { Ok(Some(record)) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_soon_after_its_key_was_taken_back_whether_or_not_it_has_something_to_say() {
    let minute = Duration::from_secs(60);
    let key = Key::generate().unwrap();
    let source = Revocable(Arc::new(Mutex::new(record(&key, Scopes::ALL))));
    let world = World::with(LIMITS, source.clone(), Meters::none());
    let options = world.options_without_key();
    let link = world.link(Probe::new().0, Kind::InProcess, &options).await;
    let opened = async |command: &str| {
        let mut request = Request::new(command.to_owned());
        let bearer = format!("Bearer {}", key.expose());
        let metadata = request.metadata_mut();
        metadata.insert("authorization", bearer.parse().unwrap());
        let mut stream = watch(&link, request).await.unwrap();
        assert!(stream.message().await.unwrap().is_some());
        stream
    };
    let (mut silent, mut flood) = (opened("silent").await, opened("flood").await);
    let waiting = tokio::time::timeout(5 * minute, silent.message()).await;
    assert!(waiting.is_err(), "the key is valid: {waiting:?}");
    assert!(flood.message().await.unwrap().is_some());

    source.0.lock().unwrap().revoked = true;
    let ended = tokio::time::timeout(minute, silent.message()).await;
    let refused = ended.unwrap().unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    // What was said before is heard first.
    let mut refused = None;
    for _ in 0..1_000_000 {
        if let Err(status) = flood.message().await {
            refused = Some(status.code());
            break;
        }
    }
    assert_eq!(refused, Some(Code::Unauthenticated));
}
