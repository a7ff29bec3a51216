use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, header};

use sextant_domain::id::TenantId;
use sextant_domain::time::Instant;

use super::{
    Access, Authenticator, Key, KeyId, KeyRecord, KeySource, KeySourceUnavailable, MethodTable,
    MethodTableError, Principal, Refusal, Scope, Scopes,
};
use crate::clock::{Clock, ManualClock};

const TTL: Duration = Duration::from_secs(30);
const TENANT: TenantId = TenantId(7);

/// Knows at most one key and counts how often it is asked.
#[derive(Default)]
struct One {
    key: Option<(KeyId, KeyRecord)>,
    down: bool,
    asked: AtomicUsize,
}

impl KeySource for One {
    fn resolve(&self, id: KeyId) -> BoxFuture<'_, Result<Option<KeyRecord>, KeySourceUnavailable>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            if self.down {
                return Err(KeySourceUnavailable {
                    source: "no route to host".into(),
                });
            }
            Ok(self
                .key
                .as_ref()
                .filter(|(known, _)| *known == id)
                .map(|(_, record)| record.clone()))
        })
    }
}

struct World {
    key: Key,
    source: Arc<One>,
    authenticator: Authenticator,
    hand: ManualClock,
}

fn world(change: impl FnOnce(&mut KeyRecord)) -> World {
    let key = Key::generate().unwrap();
    let mut record = KeyRecord {
        secret_sha256: key.digest(),
        tenant: Some(TENANT),
        scopes: Scopes::NONE.with(Scope::Read),
        expires_at: None,
        revoked: false,
    };
    change(&mut record);
    let source = Arc::new(One {
        key: Some((key.id(), record)),
        ..One::default()
    });
    let (clock, hand) = Clock::manual(Instant(1_000));
    let authenticator = Authenticator::new(Arc::clone(&source) as Arc<dyn KeySource>, clock, TTL);
    World {
        key,
        source,
        authenticator,
        hand,
    }
}

fn with(value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    headers
}

fn with_key(key: &Key) -> HeaderMap {
    with(&format!("Bearer {}", key.expose()))
}

#[test]
fn a_key_reads_back_from_its_text_and_prints_without_its_secret() {
    let key = Key::generate().unwrap();
    let text = key.expose();
    assert_eq!(text.len(), 3 + 16 + 1 + 64);
    let back = Key::parse(&text).unwrap();
    assert_eq!(back.id(), key.id());
    assert!(back.digest().matches(&key.digest()));
    let (_, secret) = text.rsplit_once('_').unwrap();
    let short = text.trim_end_matches(char::is_alphanumeric);
    assert!(!format!("{key:?} {:?}", key.digest()).contains(secret));
    assert_ne!(Key::generate().unwrap().expose(), text);
    let long = format!("{text}0");
    for nonsense in [
        "",
        "sx_",
        "sx_12_34",
        short,
        long.as_str(),
        &text.to_uppercase(),
        &text.replace("sx_", "sk_"),
    ] {
        assert!(Key::parse(nonsense).is_err(), "{nonsense:?}");
    }
}

#[test]
fn digests_differ_if_any_single_bit_does() {
    let digest = Key::generate().unwrap().digest();
    for bit in 0..256 {
        let mut other = digest;
        other.0[bit / 8] ^= 1 << (bit % 8);
        assert!(!digest.matches(&other), "bit {bit}");
    }
    assert!(digest.matches(&digest.clone()));
}

#[test]
fn scopes_are_a_set_and_imply_nothing() {
    let scopes: Scopes = [Scope::Admin, Scope::Read].into_iter().collect();
    assert_eq!(
        scopes.iter().map(Scope::as_str).collect::<Vec<_>>(),
        ["read", "admin"]
    );
    assert!(!scopes.contains(Scope::Ingest));
    for scope in Scope::ALL {
        assert_eq!(Scope::parse(scope.as_str()), Some(scope));
        assert!(Scopes::ALL.contains(scope) && !Scopes::NONE.contains(scope));
    }
    assert_eq!(Scope::parse("root"), None);
}

#[tokio::test]
async fn a_good_key_is_its_principal() {
    let world = world(|_| {});
    let principal = world
        .authenticator
        .authenticate(&with_key(&world.key))
        .await
        .unwrap();
    let expected = Principal {
        tenant: Some(TENANT),
        scopes: Scopes::NONE.with(Scope::Read),
        key_id: world.key.id(),
    };
    assert_eq!(principal, expected);
}

#[tokio::test]
async fn a_key_may_come_as_the_user_of_basic_authentication() {
    let world = world(|_| {});
    let key = world.key.expose();
    for pair in [format!("{key}:"), format!("{key}:ignored"), key] {
        let headers = with(&format!("basic {}", BASE64.encode(&pair)));
        let principal = world.authenticator.authenticate(&headers).await.unwrap();
        assert_eq!(principal.key_id, world.key.id());
    }
}

#[tokio::test]
async fn every_other_key_is_refused_with_its_reason() {
    let world = world(|_| {});
    let text = world.key.expose();
    let stranger = Key::generate().unwrap();
    let wrong_secret = stranger
        .expose()
        .replace(&stranger.id().to_string(), &world.key.id().to_string());
    for (headers, refusal) in [
        (HeaderMap::new(), Refusal::Missing),
        (with("Digest dXNlcjpwYXNz"), Refusal::Missing),
        (with("Basic dXNlcjpwYXNz"), Refusal::Invalid),
        (with("Basic %%%"), Refusal::Invalid),
        (with("Basic /////w=="), Refusal::Invalid),
        (with(&text), Refusal::Missing),
        (with("Bearer abc"), Refusal::Invalid),
        (with_key(&stranger), Refusal::Invalid),
        (with(&format!("Bearer {wrong_secret}")), Refusal::Invalid),
    ] {
        assert_eq!(
            world.authenticator.authenticate(&headers).await,
            Err(refusal),
            "{headers:?}"
        );
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused_but_only_its_holder_learns_why() {
    let world = world(|record| record.revoked = true);
    assert_eq!(
        world
            .authenticator
            .authenticate(&with_key(&world.key))
            .await,
        Err(Refusal::Revoked)
    );
    let guess = format!("Bearer sx_{}_{}", world.key.id(), "0".repeat(64));
    assert_eq!(
        world.authenticator.authenticate(&with(&guess)).await,
        Err(Refusal::Invalid)
    );
}

#[tokio::test]
async fn a_key_expires_at_its_moment_even_when_cached() {
    let world = world(|record| record.expires_at = Some(Instant(1_001)));
    assert!(
        world
            .authenticator
            .authenticate(&with_key(&world.key))
            .await
            .is_ok()
    );
    world.hand.advance_us(1);
    assert_eq!(
        world
            .authenticator
            .authenticate(&with_key(&world.key))
            .await,
        Err(Refusal::Expired)
    );
    assert_eq!(world.source.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn answers_about_known_and_unknown_keys_are_remembered_for_the_ttl_or_until_forgotten() {
    let world = world(|_| {});
    let stranger = Key::generate().unwrap();
    let asked = || world.source.asked.load(Ordering::SeqCst);
    for _ in 0..3 {
        assert!(
            world
                .authenticator
                .authenticate(&with_key(&world.key))
                .await
                .is_ok()
        );
        assert!(
            world
                .authenticator
                .authenticate(&with_key(&stranger))
                .await
                .is_err()
        );
    }
    assert_eq!(asked(), 2);
    tokio::time::advance(TTL).await;
    assert!(
        world
            .authenticator
            .authenticate(&with_key(&world.key))
            .await
            .is_ok()
    );
    assert_eq!(asked(), 3);
    world.authenticator.forget(world.key.id());
    assert!(
        world
            .authenticator
            .authenticate(&with_key(&world.key))
            .await
            .is_ok()
    );
    assert_eq!(asked(), 4);
}

/// Has read a record when it is asked, and gives it when it is let.
struct Slow {
    record: KeyRecord,
    revoked: AtomicBool,
    gate: tokio::sync::Semaphore,
}

impl KeySource for Slow {
    fn resolve(
        &self,
        _id: KeyId,
    ) -> BoxFuture<'_, Result<Option<KeyRecord>, KeySourceUnavailable>> {
        Box::pin(async {
            let mut record = self.record.clone();
            record.revoked = self.revoked.load(Ordering::SeqCst);
            self.gate.acquire().await.unwrap().forget();
            Ok(Some(record))
        })
    }
}

#[tokio::test]
async fn a_record_that_was_read_before_its_key_was_revoked_is_not_remembered() {
    let key = Key::generate().unwrap();
    let source = Arc::new(Slow {
        record: KeyRecord {
            secret_sha256: key.digest(),
            tenant: Some(TENANT),
            scopes: Scopes::NONE,
            expires_at: None,
            revoked: false,
        },
        revoked: AtomicBool::new(false),
        gate: tokio::sync::Semaphore::new(0),
    });
    let authenticator = Authenticator::new(
        Arc::clone(&source) as Arc<dyn KeySource>,
        Clock::real(),
        TTL,
    );
    let headers = with_key(&key);
    let mut early = Box::pin(authenticator.authenticate(&headers));
    assert!(futures_util::poll!(&mut early).is_pending());
    source.revoked.store(true, Ordering::SeqCst);
    authenticator.forget(key.id());
    source.gate.add_permits(2);
    assert!(early.await.is_ok());
    assert_eq!(
        authenticator.authenticate(&headers).await,
        Err(Refusal::Revoked)
    );
}

#[tokio::test]
async fn a_silent_source_is_no_verdict_and_is_asked_again() {
    let source = Arc::new(One {
        down: true,
        ..One::default()
    });
    let authenticator = Authenticator::new(
        Arc::clone(&source) as Arc<dyn KeySource>,
        Clock::real(),
        TTL,
    );
    let headers = with_key(&Key::generate().unwrap());
    for _ in 0..2 {
        assert_eq!(
            authenticator.authenticate(&headers).await,
            Err(Refusal::Unavailable)
        );
    }
    assert_eq!(source.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn the_service_key_may_do_everything_and_nobody_is_asked() {
    let world = world(|_| {});
    let service = Key::generate().unwrap();
    let authenticator = world.authenticator.with_service_key(&service);
    let principal = authenticator
        .authenticate(&with_key(&service))
        .await
        .unwrap();
    assert_eq!((principal.tenant, principal.scopes), (None, Scopes::ALL));
    let guess = format!("Bearer sx_{}_{}", service.id(), "0".repeat(64));
    assert_eq!(
        authenticator.authenticate(&with(&guess)).await,
        Err(Refusal::Invalid)
    );
    assert_eq!(world.source.asked.load(Ordering::SeqCst), 0);
}

#[test]
fn a_table_that_differs_from_the_descriptors_is_refused() {
    let table = MethodTable::new(&[
        ("/s.v1.S/Get", Access::Scope(Scope::Read)),
        ("/s.v1.S/Ping", Access::Public),
    ]);
    assert_eq!(table.check(["/s.v1.S/Get", "/s.v1.S/Ping"]), Ok(()));
    let undecided = table
        .check(["/s.v1.S/Get", "/s.v1.S/Ping", "/s.v1.S/Delete"])
        .unwrap_err();
    assert_eq!(
        undecided,
        MethodTableError::Undecided(vec!["/s.v1.S/Delete".to_owned()])
    );
    let not_served = table.check(["/s.v1.S/Get"]).unwrap_err();
    assert_eq!(
        not_served,
        MethodTableError::NotServed(vec!["/s.v1.S/Ping".to_owned()])
    );
    assert_eq!(table.access("/s.v1.S/Delete"), None);
    assert_eq!(
        (table.label("/s.v1.S/Get"), table.label("/invented")),
        ("s.v1.S/Get", "_OTHER")
    );
}
