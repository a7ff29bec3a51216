//! `Segmentations`: what a segmentation is decided by.

use futures_util::future::join_all;

use sextant_domain::id::TenantId;
use sextant_domain::time::Day;

use crate::conformance::make::{ACME, BOLT, answer, asked, at, first, once};
use crate::conformance::{Harness, Segmentation};
use crate::port::{
    Activation, CODE_CHUNK_BYTES, EventFilter, EventRow, Once, RevisionRow, RevisionState,
    SegmentationRow, UseRow,
};
use crate::{Error, Result};

const HIGHEST: u32 = u32::MAX;

fn segmentation() -> SegmentationRow {
    SegmentationRow {
        key: "health".to_owned(),
        number: 1,
        segmenter_id: "acme.health".to_owned(),
        config: "{}".to_owned(),
        version: 1,
        plugin_digest: "aa".to_owned(),
        fit: Vec::new(),
        revision: 1,
        created_at: at(1),
        closed_on: None,
    }
}

pub(super) fn proposed(digest: &str) -> RevisionRow {
    RevisionRow {
        segmentation: 1,
        revision: 0,
        state: RevisionState::Proposed,
        segmenter_id: "acme.health".to_owned(),
        segmenter_version: "2.0.0".to_owned(),
        digest: digest.to_owned(),
        config: "{\"min\":1}".to_owned(),
        fit: Vec::new(),
        created_at: at(2),
        created_by: "a key".to_owned(),
        note: "because".to_owned(),
        shadow: Vec::new(),
    }
}

fn event(tenant: TenantId, what: &str) -> EventRow {
    EventRow {
        number: 0,
        at: at(3),
        tenant: Some(tenant),
        segmenter_id: "acme.health".to_owned(),
        segmentation: "health".to_owned(),
        revision: 0,
        event: what.as_bytes().to_vec(),
    }
}

pub(super) fn activation(from_version: u32, revision: u32) -> Activation {
    Activation {
        segmentation: 1,
        from_version,
        revision,
        from_state: RevisionState::Proposed,
        judged: None,
        leaves: RevisionState::Previous,
        closed_on: Some(Day(20_000)),
    }
}

async fn create(store: &Segmentation, tenant: TenantId) {
    let row = segmentation();
    let first = first(&row);
    let once = once(Some(tenant), "create", 0);
    let created = store.segmentations.create(tenant, &row, &first, once);
    assert_eq!(created.await.unwrap(), answer(&row));
}

async fn propose(store: &Segmentation, tenant: TenantId, digest: &str) -> Vec<u8> {
    let once = once(Some(tenant), &format!("propose {digest}"), 0);
    let event = event(tenant, "proposed");
    let proposed = proposed(digest);
    let stored = store.segmentations.propose(tenant, &proposed, event, once);
    stored.await.unwrap()
}

async fn activate(
    store: &Segmentation,
    tenant: TenantId,
    activation: &Activation,
) -> Result<Option<Vec<u8>>> {
    let name = format!("activate {activation:?}");
    let (event, once) = (event(tenant, "activated"), once(Some(tenant), &name, 0));
    store
        .segmentations
        .activate(tenant, activation, event, once)
        .await
}

async fn states(store: &Segmentation, tenant: TenantId) -> Vec<(u32, RevisionState)> {
    let all = store.segmentations.revisions(tenant, 1, HIGHEST, 10).await;
    let all = all.unwrap().into_iter();
    all.map(|row| (row.revision, row.state)).collect()
}

pub async fn a_revision_is_proposed_activated_and_taken_back<H: Harness>(harness: H) {
    use RevisionState::{Active, Previous, Proposed, Retired};

    let store = harness.segmentation().await;
    create(&store, ACME).await;
    for (revision, digest) in [(2, "bb"), (3, "cc")] {
        let numbered = RevisionRow {
            revision,
            ..proposed(digest)
        };
        assert_eq!(propose(&store, ACME, digest).await, answer(&numbered));
    }
    assert_eq!(
        states(&store, ACME).await,
        [(3, Proposed), (2, Retired), (1, Active)]
    );
    // The same request once more makes no fourth.
    propose(&store, ACME, "cc").await;
    for (revision, kept) in [(3, b"diff".to_vec()), (2, Vec::new())] {
        let segmentations = &store.segmentations;
        let keeping = segmentations.keep_shadow(ACME, 1, revision, b"diff".to_vec());
        keeping.await.unwrap();
        let found = segmentations.revisions(ACME, 1, revision + 1, 1).await;
        assert_eq!(found.unwrap()[0].shadow, kept, "revision {revision}");
    }

    let decided = SegmentationRow {
        version: 2,
        config: "{\"min\":1}".to_owned(),
        plugin_digest: "cc".to_owned(),
        revision: 3,
        closed_on: Some(Day(20_000)),
        ..segmentation()
    };
    for wrong in [activation(2, 3), activation(1, 2), activation(1, 9)] {
        assert_eq!(activate(&store, ACME, &wrong).await.unwrap(), None);
    }
    for _delivery in 0..2 {
        let activated = activate(&store, ACME, &activation(1, 3)).await.unwrap();
        assert_eq!(activated, Some(answer(&decided)));
    }
    let all = store.segmentations.all(ACME).await.unwrap();
    assert_eq!(all, [decided]);
    assert_eq!(
        states(&store, ACME).await,
        [(3, Active), (2, Retired), (1, Previous)]
    );
    let uses = store.catalogue.uses().await.unwrap();
    let used = |revision, state, digest: &str| UseRow {
        tenant: ACME,
        segmentation: 1,
        revision,
        state,
        digest: digest.to_owned(),
    };
    assert_eq!(uses, [used(1, Previous, "aa"), used(3, Active, "cc")]);

    let back = Activation {
        from_state: Previous,
        leaves: Retired,
        closed_on: None,
        ..activation(2, 1)
    };
    let returned = SegmentationRow {
        version: 3,
        ..segmentation()
    };
    let activated = activate(&store, ACME, &back).await.unwrap();
    assert_eq!(activated, Some(answer(&returned)));
    assert_eq!(
        states(&store, ACME).await,
        [(3, Retired), (2, Retired), (1, Active)]
    );
    let told = EventFilter {
        tenant: Some(ACME),
        segmenter_id: String::new(),
        segmentation: String::new(),
        before: u64::MAX,
        limit: 10,
    };
    let told = store.catalogue.events(&told).await.unwrap();
    let told: Vec<u32> = told.iter().map(|event| event.revision).collect();
    // Of the proposals the number that was assigned; the others say what they were given.
    assert_eq!(told, [0, 0, 3, 2]);
}

pub async fn what_was_learned_is_kept_with_all_of_its_bytes<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    let states = &store.segmentations;
    let learned: Vec<u8> = (0..=250_u8)
        .cycle()
        .take(2 * CODE_CHUNK_BYTES + 7)
        .collect();
    assert_eq!(states.state(ACME, "aa").await.unwrap(), None);
    // The second time changes nothing.
    for _ in 0..2 {
        states
            .keep_state(ACME, "aa", learned.clone())
            .await
            .unwrap();
    }
    assert_eq!(states.state(ACME, "aa").await.unwrap(), Some(learned));
    assert_eq!(states.state(ACME, "bb").await.unwrap(), None);
    assert_eq!(states.state(BOLT, "aa").await.unwrap(), None);
}

pub async fn what_a_request_was_answered_is_known_before_it_is_made_again<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    create(&store, ACME).await;
    let first: Once<RevisionRow> = once(Some(ACME), "again", 0);
    let request = first.request.clone();
    let segmentations = &store.segmentations;
    assert_eq!(segmentations.answered(&request).await.unwrap(), None);
    let (row, event) = (proposed("bb"), event(ACME, "proposed"));
    let answer = segmentations
        .propose(ACME, &row, event, first)
        .await
        .unwrap();
    assert_eq!(
        segmentations.answered(&request).await.unwrap(),
        Some(answer)
    );
    let other: Once<RevisionRow> = asked(Some(ACME), "again", "others", 0);
    let reused = segmentations.answered(&other.request).await;
    assert!(matches!(reused, Err(Error::RequestIdReused)), "{reused:?}");
    let theirs: Once<RevisionRow> = once(Some(BOLT), "again", 0);
    assert_eq!(segmentations.answered(&theirs.request).await.unwrap(), None);
}

pub async fn a_revision_answers_from_what_it_was_fitted_to<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    create(&store, ACME).await;
    let fitted = RevisionRow {
        fit: b"fit".to_vec(),
        ..proposed("bb")
    };
    let (event, once) = (event(ACME, "proposed"), once(Some(ACME), "fitted", 0));
    let stored = store.segmentations.propose(ACME, &fitted, event, once);
    stored.await.unwrap();
    let before = store.segmentations.all(ACME).await.unwrap();
    assert!(before[0].fit.is_empty());
    activate(&store, ACME, &activation(1, 2)).await.unwrap();
    let decided = store.segmentations.all(ACME).await.unwrap();
    assert_eq!(decided[0].fit, b"fit");
    let of_all = store.segmentations.revisions(ACME, 1, HIGHEST, 9).await;
    let fits: Vec<Vec<u8>> = of_all.unwrap().into_iter().map(|one| one.fit).collect();
    assert_eq!(fits, [b"fit".to_vec(), Vec::new()]);
}

pub async fn of_concurrent_activations_one_decides<H: Harness>(harness: H) {
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(harness.segmentation().await);
    }
    create(&stores[0], ACME).await;
    propose(&stores[0], ACME, "bb").await;
    let attempts = (0..).zip(&stores).map(async |(n, store)| {
        let once = once(Some(ACME), &format!("attempt {n}"), 0);
        let event = event(ACME, "activated");
        let activation = activation(1, 2);
        let activated = store.segmentations.activate(ACME, &activation, event, once);
        activated.await.unwrap().is_some()
    });
    let decided = join_all(attempts).await;
    assert_eq!(decided.iter().filter(|decided| **decided).count(), 1);
    let all = stores[0].segmentations.all(ACME).await.unwrap();
    assert_eq!((all[0].version, all[0].revision), (2, 2));
}

pub async fn a_revision_decides_only_by_the_report_that_was_judged<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    create(&store, ACME).await;
    propose(&store, ACME, "bb").await;
    let judged = |report: &[u8]| Activation {
        judged: Some(report.to_vec()),
        ..activation(1, 2)
    };
    let kept = store
        .segmentations
        .keep_shadow(ACME, 1, 2, b"newer".to_vec());
    kept.await.unwrap();
    for other in [&b"older"[..], b""] {
        let refused = activate(&store, ACME, &judged(other)).await;
        assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
    }
    let all = store.segmentations.all(ACME).await.unwrap();
    assert_eq!(all, [segmentation()]);
    let activated = activate(&store, ACME, &judged(b"newer")).await.unwrap();
    assert!(activated.is_some());
    // The same request again has its answer, whatever is known by then.
    let again = activate(&store, ACME, &judged(b"newer")).await.unwrap();
    assert_eq!(again, activated);
}

pub async fn revisions_of_tenants_are_apart<H: Harness>(harness: H) {
    let store = harness.segmentation().await;
    for tenant in [ACME, BOLT] {
        create(&store, tenant).await;
    }
    propose(&store, ACME, "bb").await;
    assert_eq!(states(&store, BOLT).await, [(1, RevisionState::Active)]);
    assert_eq!(
        activate(&store, BOLT, &activation(1, 2)).await.unwrap(),
        None
    );
    activate(&store, ACME, &activation(1, 2)).await.unwrap();
    let bolt = store.segmentations.all(BOLT).await.unwrap();
    assert_eq!(bolt, [segmentation()]);
}
