//! `Catalogue`: segmenters that were published.

use std::collections::BTreeSet;
use std::time::Duration;

use sextant_domain::id::TenantId;

use crate::conformance::make::{ACME, BOLT, answer, at, first, once};
use crate::conformance::revisions::{activation, proposed};
use crate::conformance::{Harness, Segmentation};
use crate::port::{
    CODE_CHUNK_BYTES, EventFilter, EventRow, ReadyRow, ReplicaRow, SegmentationRow, SegmenterRow,
    SegmenterState, StateChange,
};
use crate::{Error, Result};

const FOR_EVER: Duration = Duration::from_secs(3_600);

fn row(digest: &str, version: &str) -> SegmenterRow {
    SegmenterRow {
        digest: digest.to_owned(),
        segmenter_id: "acme.health".to_owned(),
        version: version.to_owned(),
        platform: "linux_amd64".to_owned(),
        state: SegmenterState::Waiting,
        published_at: at(1),
        segmenter: b"told".to_vec(),
    }
}

fn event(tenant: Option<TenantId>, segmentation: &str, what: &str) -> EventRow {
    EventRow {
        number: 0,
        at: at(2),
        tenant,
        segmenter_id: "acme.health".to_owned(),
        segmentation: segmentation.to_owned(),
        revision: 0,
        event: what.as_bytes().to_vec(),
    }
}

async fn publish(store: &Segmentation, row: SegmenterRow, code: &[u8]) -> Result<bool> {
    let event = event(None, "", "published");
    store.catalogue.publish(row, code.to_vec(), event).await
}

fn change(digest: &str, from: &[SegmenterState], to: SegmenterState) -> StateChange {
    StateChange {
        digest: digest.to_owned(),
        from: from.to_vec(),
        to,
        segmenter: b"changed".to_vec(),
        only_unused: false,
    }
}

async fn changed(
    store: &Segmentation,
    change: StateChange,
    request: &str,
) -> Result<Option<Vec<u8>>> {
    let event = event(None, "", "changed");
    let once = once(None, request, 0);
    store.catalogue.change(change, event, once).await
}

fn ready(digest: &str, version: &str) -> SegmenterRow {
    SegmenterRow {
        state: SegmenterState::Ready,
        ..row(digest, version)
    }
}

fn retire(digest: &str) -> StateChange {
    StateChange {
        only_unused: true,
        ..change(digest, &[SegmenterState::Ready], SegmenterState::Retired)
    }
}

/// Makes a segmentation that is decided by a version.
async fn create(store: &Segmentation, key: &str, digest: &str) -> Result<()> {
    let row = SegmentationRow {
        key: key.to_owned(),
        number: 1,
        segmenter_id: "acme.health".to_owned(),
        config: "{}".to_owned(),
        version: 1,
        plugin_digest: digest.to_owned(),
        fit: Vec::new(),
        revision: 1,
        created_at: at(1),
        closed_on: None,
    };
    let (first, once) = (first(&row), once(Some(ACME), &format!("create {key}"), 0));
    let created = store.segmentations.create(ACME, &row, &first, once);
    created.await.map(|_answer| ())
}

/// Proposes a version for the first segmentation.
async fn propose(store: &Segmentation, digest: &str, request: &str) -> Result<()> {
    let row = proposed(digest);
    let once = once(Some(ACME), request, 0);
    let event = event(Some(ACME), "health", "proposed");
    let proposed = store.segmentations.propose(ACME, &row, event, once);
    proposed.await.map(|_answer| ())
}

/// Activates the revision that was proposed first.
async fn activate(store: &Segmentation) -> Result<()> {
    let event = event(Some(ACME), "health", "activated");
    let (activation, once) = (activation(1, 2), once(Some(ACME), "activate", 0));
    let activated = store.segmentations.activate(ACME, &activation, event, once);
    activated.await.map(|answer| assert!(answer.is_some()))
}

pub async fn a_segmenter_is_published_once_with_all_of_its_code<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    let code: Vec<u8> = (0..=255_u8)
        .cycle()
        .take(2 * CODE_CHUNK_BYTES + 7)
        .collect();
    assert!(publish(&store, row("aa", "1.0.0"), &code).await.unwrap());
    let changes_nothing = SegmenterRow {
        segmenter: Vec::new(),
        ..row("aa", "1.0.0")
    };
    assert!(!publish(&store, changes_nothing, &code).await.unwrap());
    // A server has no code.
    let server = SegmenterRow {
        platform: String::new(),
        ..row("bb", "1.0.0")
    };
    assert!(publish(&store, server.clone(), &[]).await.unwrap());
    let published = store.catalogue.published().await.unwrap();
    assert_eq!(published, [server, row("aa", "1.0.0")]);
    assert!(store.catalogue.code("aa").await.unwrap() == Some(code));
    assert_eq!(store.catalogue.code("bb").await.unwrap(), None);
    assert_eq!(store.catalogue.code("cc").await.unwrap(), None);
    assert_eq!(store.catalogue.newest_event().await.unwrap(), 2);
}

pub async fn a_version_has_one_digest_for_ever<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    publish(&store, row("aa", "1.0.0"), b"one").await.unwrap();
    let refused = publish(&store, row("bb", "1.0.0"), b"other").await;
    assert!(
        matches!(refused, Err(Error::AlreadyExists { .. })),
        "{refused:?}"
    );
    let elsewhere = SegmenterRow {
        platform: "linux_arm64".to_owned(),
        ..row("cc", "1.0.0")
    };
    assert!(publish(&store, elsewhere, b"arm").await.unwrap());
    assert!(publish(&store, row("dd", "1.0.1"), b"two").await.unwrap());
    assert_eq!(store.catalogue.code("bb").await.unwrap(), None);
    assert_eq!(store.catalogue.newest_event().await.unwrap(), 3);
}

pub async fn a_state_changes_only_from_where_it_may<H: Harness>(harness: H) {
    use SegmenterState::{Quarantined, Ready, Waiting};

    let store = harness.segmentation().await;
    publish(&store, row("aa", "1.0.0"), b"one").await.unwrap();
    let release = change("aa", &[Quarantined], Ready);
    assert_eq!(changed(&store, release, "1").await.unwrap(), None);
    let unknown = change("bb", &[Waiting], Ready);
    assert_eq!(changed(&store, unknown, "2").await.unwrap(), None);
    let approved = SegmenterRow {
        state: Ready,
        segmenter: b"changed".to_vec(),
        ..row("aa", "1.0.0")
    };
    for _delivery in 0..2 {
        let approve = change("aa", &[Waiting, Quarantined], Ready);
        assert_eq!(
            changed(&store, approve, "3").await.unwrap(),
            Some(answer(&approved))
        );
    }
    assert_eq!(store.catalogue.published().await.unwrap(), [approved]);
    assert_eq!(store.catalogue.newest_event().await.unwrap(), 2);
}

pub async fn a_segmenter_that_is_used_cannot_be_retired<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    for (digest, version) in [("aa", "1.0.0"), ("bb", "2.0.0")] {
        publish(&store, ready(digest, version), b"code")
            .await
            .unwrap();
    }
    create(&store, "health", "aa").await.unwrap();
    assert_eq!(changed(&store, retire("aa"), "1").await.unwrap(), None);
    assert!(changed(&store, retire("bb"), "2").await.unwrap().is_some());
}

pub async fn what_may_not_be_used_is_put_to_no_use<H: Harness>(harness: H) {
    use SegmenterState::{Quarantined, Ready, Retired, Waiting};

    let store = harness.segmentation().await;
    for (digest, version) in [("aa", "1.0.0"), ("bb", "2.0.0")] {
        publish(&store, ready(digest, version), b"code")
            .await
            .unwrap();
    }
    create(&store, "health", "aa").await.unwrap();
    propose(&store, "bb", "first").await.unwrap();
    let told = store.catalogue.newest_event().await.unwrap();
    let is_refused = |result: Result<()>| match result {
        Err(Error::NotReady { what }) => what == "segmenter \"acme.health\" 2.0.0",
        _ => false,
    };
    for state in [Waiting, Quarantined, Retired] {
        let taken = change("bb", &[Ready], state);
        let name = format!("taken: {state:?}");
        changed(&store, taken, &name).await.unwrap().unwrap();
        assert!(is_refused(create(&store, "other", "bb").await), "{state:?}");
        assert!(
            is_refused(propose(&store, "bb", "again").await),
            "{state:?}"
        );
        assert!(is_refused(activate(&store).await), "{state:?}");
        let back = change("bb", &[state], Ready);
        let name = format!("back: {state:?}");
        changed(&store, back, &name).await.unwrap().unwrap();
    }
    assert_eq!(store.segmentations.all(ACME).await.unwrap().len(), 1);
    assert_eq!(store.catalogue.uses().await.unwrap().len(), 2);
    assert_eq!(store.catalogue.newest_event().await.unwrap(), told + 6);
    // None of the requests is used up.
    create(&store, "other", "bb").await.unwrap();
    activate(&store).await.unwrap();
}

pub async fn of_a_use_and_an_end_at_one_time_one_happens<H: Harness>(harness: H) {
    let (one, other) = (harness.segmentation().await, harness.segmentation().await);
    let mut used = BTreeSet::new();
    for round in 0..40_u32 {
        let digest = format!("digest-{round}");
        let version = format!("1.0.{round}");
        let published = publish(&one, ready(&digest, &version), b"code").await;
        assert!(published.unwrap());
        let key = format!("segmentation-{round}");
        let (created, retired) = tokio::join!(
            create(&one, &key, &digest),
            changed(&other, retire(&digest), &digest)
        );
        let is_retired = retired.unwrap().is_some();
        let refused = matches!(created, Err(Error::NotReady { .. }));
        assert!(refused || created.is_ok(), "round {round}: {created:?}");
        assert_eq!(is_retired, refused, "round {round}: retired, refused");
        if !is_retired {
            used.insert(digest);
        }
    }
    let uses = one.catalogue.uses().await.unwrap();
    let found: BTreeSet<_> = uses.into_iter().map(|one| one.digest).collect();
    assert_eq!(found, used);
}

pub async fn events_are_told_in_order_to_those_whom_they_concern<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    assert_eq!(store.catalogue.newest_event().await.unwrap(), 0);
    let told = [
        event(None, "", "published"),
        event(Some(ACME), "health", "of acme"),
        event(Some(BOLT), "health", "of bolt"),
        event(Some(ACME), "value", "of another segmentation"),
    ];
    for event in told {
        store.catalogue.tell(event).await.unwrap();
    }
    let all = EventFilter {
        tenant: Some(ACME),
        segmenter_id: String::new(),
        segmentation: String::new(),
        before: u64::MAX,
        limit: 10,
    };
    let numbers = async |filter: EventFilter| {
        let events = store.catalogue.events(&filter).await.unwrap();
        events.iter().map(|event| event.number).collect::<Vec<_>>()
    };
    assert_eq!(numbers(all.clone()).await, [4, 2, 1]);
    assert_eq!(
        numbers(EventFilter {
            tenant: None,
            ..all.clone()
        })
        .await,
        [1]
    );
    assert_eq!(
        numbers(EventFilter {
            segmentation: "health".to_owned(),
            ..all.clone()
        })
        .await,
        [2]
    );
    assert_eq!(
        numbers(EventFilter {
            segmenter_id: "other".to_owned(),
            ..all.clone()
        })
        .await,
        Vec::<u64>::new()
    );
    let page = EventFilter {
        before: 4,
        limit: 1,
        ..all
    };
    let events = store.catalogue.events(&page).await.unwrap();
    let second = EventRow {
        number: 2,
        ..event(Some(ACME), "health", "of acme")
    };
    assert_eq!(events, [second]);
}

pub async fn replicas_say_how_they_stand_and_are_forgotten<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    let ready = |digest: &str, problem: &str| ReadyRow {
        digest: digest.to_owned(),
        problem: problem.to_owned(),
    };
    let replica = |replica: u128, ready: Vec<ReadyRow>| ReplicaRow {
        replica,
        name: format!("host {replica}"),
        ready,
    };
    let beat = async |one: &ReplicaRow, silent_for| {
        let beaten = store.catalogue.beat(one.clone(), silent_for).await;
        beaten.unwrap();
    };
    let replicas = async |within| store.catalogue.replicas(within).await.unwrap();
    let idle = replica(1, Vec::new());
    let busy = vec![ready("aa", ""), ready("bb", "V-glibc: too old")];
    let busy = replica(2, busy);
    for one in [&idle, &busy] {
        beat(one, FOR_EVER).await;
    }
    assert_eq!(replicas(FOR_EVER).await, [idle, busy.clone()]);
    // Who goes on saying so is listed, who has fallen silent is not.
    let silence = Duration::from_millis(200);
    loop {
        beat(&busy, FOR_EVER).await;
        if replicas(silence).await == std::slice::from_ref(&busy) {
            break;
        }
    }
    assert_eq!(replicas(FOR_EVER).await.len(), 2);
    // What it said before does not count any more, and who is silent is forgotten.
    let later = replica(2, vec![ready("bb", "")]);
    beat(&later, silence).await;
    assert_eq!(replicas(FOR_EVER).await, [later]);
}
