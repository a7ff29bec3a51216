//! `Replica`, as scoring and metrics keep it.

use futures_util::future::join_all;

use crate::conformance::Harness;
use crate::conformance::make::{ACME, BOLT, SLICE, account_fact, replica, replica_account};
use crate::port::{
    AccountFactRow, Metrics, MetricsCommit, Replica, ReplicaCommit, Scoring, ScoringCommit,
};
use crate::{Error, Result};

/// A service that keeps a replica.
enum Follower<'a> {
    Scoring(&'a dyn Scoring),
    Metrics(&'a dyn Metrics),
}

impl Follower<'_> {
    async fn commit(&self, replica: ReplicaCommit) -> Result<()> {
        match self {
            Self::Scoring(scoring) => {
                let (months, models, evaluations) = (Vec::new(), Vec::new(), Vec::new());
                let state = scoring.state(replica.tenant, replica.slice).await?;
                scoring
                    .commit(ScoringCommit {
                        replica,
                        months,
                        models,
                        state,
                        evaluations,
                    })
                    .await
                    .map(|_sequence| ())
            },
            Self::Metrics(metrics) => metrics.commit(MetricsCommit::Facts(replica)).await,
        }
    }
}

pub async fn scoring_keeps_what_it_followed<H: Harness>(harness: H) {
    let store = harness.scoring().await;
    keeps_what_it_followed(&Follower::Scoring(&*store.scoring), &*store.replica).await;
}

pub async fn metrics_keeps_what_it_followed<H: Harness>(harness: H) {
    let store = harness.metrics().await;
    keeps_what_it_followed(&Follower::Metrics(&*store.metrics), &*store.replica).await;
}

pub async fn a_fenced_commit_of_scoring_leaves_nothing<H: Harness>(harness: H) {
    let store = harness.scoring().await;
    a_fenced_commit_leaves_nothing(&Follower::Scoring(&*store.scoring), &*store.replica).await;
}

pub async fn a_fenced_commit_of_facts_to_metrics_leaves_nothing<H: Harness>(harness: H) {
    let store = harness.metrics().await;
    a_fenced_commit_leaves_nothing(&Follower::Metrics(&*store.metrics), &*store.replica).await;
}

pub async fn of_concurrent_scorers_one_moves_the_cursor<H: Harness>(harness: H) {
    let stores = [
        harness.scoring().await,
        harness.scoring().await,
        harness.scoring().await,
    ];
    let followers: Vec<_> = stores
        .iter()
        .map(|store| Follower::Scoring(&*store.scoring))
        .collect();
    one_moves_the_cursor(&followers, &*stores[0].replica).await;
}

pub async fn of_concurrent_metrics_one_moves_the_cursor<H: Harness>(harness: H) {
    let stores = [
        harness.metrics().await,
        harness.metrics().await,
        harness.metrics().await,
    ];
    let followers: Vec<_> = stores
        .iter()
        .map(|store| Follower::Metrics(&*store.metrics))
        .collect();
    one_moves_the_cursor(&followers, &*stores[0].replica).await;
}

async fn keeps_what_it_followed(follower: &Follower<'_>, stored: &dyn Replica) {
    assert_eq!(
        (
            stored.cursor(ACME, SLICE).await.unwrap(),
            stored.cursors().await.unwrap()
        ),
        (0, Vec::new())
    );
    let first = ReplicaCommit {
        accounts: vec![
            replica_account(2, "bellows", ""),
            replica_account(1, "anvil", "Anvil Ltd"),
        ],
        facts: vec![
            account_fact(2, 3, 0),
            account_fact(1, 3, 1),
            account_fact(1, 2, 1),
            account_fact(1, 2, 0),
        ],
        ..replica(ACME, 0, 3)
    };
    follower.commit(first).await.unwrap();
    follower.commit(replica(BOLT, 0, 9)).await.unwrap();
    let accounts = vec![
        replica_account(2, "bellows", "Bellows Inc"),
        replica_account(3, "chisel", ""),
    ];
    follower
        .commit(ReplicaCommit {
            accounts,
            facts: vec![account_fact(1, 4, 0)],
            ..replica(ACME, 3, 4)
        })
        .await
        .unwrap();

    assert_eq!(stored.cursor(ACME, SLICE).await.unwrap(), 4);
    assert_eq!(
        stored.cursors().await.unwrap(),
        [(ACME, SLICE, 4), (BOLT, SLICE, 9)]
    );
    let renamed = [
        replica_account(1, "anvil", "Anvil Ltd"),
        replica_account(2, "bellows", "Bellows Inc"),
        replica_account(3, "chisel", ""),
    ];
    assert_eq!(stored.accounts(ACME, SLICE).await.unwrap(), renamed);
    let facts: [AccountFactRow; 5] = [
        account_fact(1, 2, 0),
        account_fact(1, 2, 1),
        account_fact(1, 3, 1),
        account_fact(1, 4, 0),
        account_fact(2, 3, 0),
    ];
    assert_eq!(stored.facts(ACME, SLICE).await.unwrap(), facts);
    assert_eq!(stored.accounts(BOLT, SLICE).await.unwrap(), []);
    assert_eq!(stored.facts(BOLT, SLICE).await.unwrap(), []);
}

async fn a_fenced_commit_leaves_nothing(follower: &Follower<'_>, stored: &dyn Replica) {
    follower.commit(replica(ACME, 0, 3)).await.unwrap();
    for expected in [0, 2, 4] {
        let accounts = vec![replica_account(1, "anvil", "")];
        let stale = ReplicaCommit {
            accounts,
            facts: vec![account_fact(1, 4, 0)],
            ..replica(ACME, expected, 9)
        };
        let refused = follower.commit(stale).await;
        assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
    }
    assert_eq!(stored.cursor(ACME, SLICE).await.unwrap(), 3);
    assert_eq!(stored.accounts(ACME, SLICE).await.unwrap(), []);
    assert_eq!(stored.facts(ACME, SLICE).await.unwrap(), []);
}

async fn one_moves_the_cursor(followers: &[Follower<'_>], stored: &dyn Replica) {
    for cursor in 0..10 {
        let commits = (0..).zip(followers).map(|(n, follower)| {
            let facts = vec![account_fact(n, cursor + 1, 0)];
            follower.commit(ReplicaCommit {
                facts,
                ..replica(ACME, cursor, cursor + 1)
            })
        });
        let results = join_all(commits).await;
        assert_eq!(
            results.iter().filter(|result| result.is_ok()).count(),
            1,
            "{results:?}"
        );
        assert!(
            results
                .iter()
                .all(|result| matches!(result, Ok(()) | Err(Error::Fenced))),
            "{results:?}"
        );
    }
    assert_eq!(stored.cursor(ACME, SLICE).await.unwrap(), 10);
    assert_eq!(stored.facts(ACME, SLICE).await.unwrap().len(), 10);
}
