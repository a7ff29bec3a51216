use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime;
use tokio::time::timeout;

use crate::cache::Cache;
use crate::port::{
    self, Accounts, Catalogue, Facts, Feed, Intake, Keys, Memberships, Places, Replica,
    Segmentations, Tenants, Writable,
};
use crate::release::Steps;

/// A case that takes longer hangs.
const DEADLINE: Duration = Duration::from_secs(120);

/// Cases that an engine does not pass, each with the reason.
pub type Excluded = &'static [(&'static str, &'static str)];

/// The ports of ingestion: one handle onto a store.
#[derive(Debug, Clone)]
pub struct Ingestion {
    /// Its facts.
    pub facts: Arc<dyn Facts>,
    /// Its feed.
    pub feed: Arc<dyn Feed>,
    /// Its tenants.
    pub tenants: Arc<dyn Tenants>,
    /// Its keys.
    pub keys: Arc<dyn Keys>,
    /// Its accounts.
    pub accounts: Arc<dyn Accounts>,
    /// Where users, and what other systems know, belong.
    pub places: Arc<dyn Places>,
    /// What has come in.
    pub intake: Arc<dyn Intake>,
    /// Its transactions, of which `facts` makes commits.
    pub steps: Arc<dyn Steps>,
}

impl Ingestion {
    /// All ports of one store.
    pub fn of<S: Facts + Steps + Feed + Tenants + Keys + Accounts + Places + Intake + 'static>(
        store: &Arc<S>,
    ) -> Self {
        Self {
            facts: Arc::<S>::clone(store),
            feed: Arc::<S>::clone(store),
            tenants: Arc::<S>::clone(store),
            keys: Arc::<S>::clone(store),
            accounts: Arc::<S>::clone(store),
            places: Arc::<S>::clone(store),
            intake: Arc::<S>::clone(store),
            steps: Arc::<S>::clone(store),
        }
    }
}

/// The ports of scoring: one handle onto a store.
#[derive(Debug, Clone)]
pub struct Scoring {
    /// Its results.
    pub scoring: Arc<dyn port::Scoring>,
    /// Its replica of the facts.
    pub replica: Arc<dyn Replica>,
    /// Its feed.
    pub feed: Arc<dyn Feed>,
}

impl Scoring {
    /// All ports of one store.
    pub fn of<S: port::Scoring + Replica + Feed + 'static>(store: &Arc<S>) -> Self {
        Self {
            scoring: Arc::<S>::clone(store),
            replica: Arc::<S>::clone(store),
            feed: Arc::<S>::clone(store),
        }
    }
}

/// The ports of segmentation: one handle onto a store.
#[derive(Debug, Clone)]
pub struct Segmentation {
    /// Its definitions.
    pub segmentations: Arc<dyn Segmentations>,
    /// The segmenters that were published.
    pub catalogue: Arc<dyn Catalogue>,
    /// Its memberships.
    pub memberships: Arc<dyn Memberships>,
    /// Its feed.
    pub feed: Arc<dyn Feed>,
}

impl Segmentation {
    /// All ports of one store.
    pub fn of<S: Segmentations + Catalogue + Memberships + Feed + 'static>(store: &Arc<S>) -> Self {
        Self {
            segmentations: Arc::<S>::clone(store),
            catalogue: Arc::<S>::clone(store),
            memberships: Arc::<S>::clone(store),
            feed: Arc::<S>::clone(store),
        }
    }
}

/// The ports of metrics: one handle onto a store.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Its moves.
    pub metrics: Arc<dyn port::Metrics>,
    /// Its replica of the facts.
    pub replica: Arc<dyn Replica>,
}

impl Metrics {
    /// All ports of one store.
    pub fn of<S: port::Metrics + Replica + 'static>(store: &Arc<S>) -> Self {
        Self {
            metrics: Arc::<S>::clone(store),
            replica: Arc::<S>::clone(store),
        }
    }
}

/// An engine under test.
pub trait Harness: Sized + Send + Sync {
    /// An empty store of all services.
    fn fresh() -> impl Future<Output = Self> + Send;

    /// One more handle onto ingestion's store: as independent of the others as those of two processes, where an engine
    /// allows two.
    fn ingestion(&self) -> impl Future<Output = Ingestion> + Send;

    /// One more handle onto scoring's store.
    fn scoring(&self) -> impl Future<Output = Scoring> + Send;

    /// One more handle onto segmentation's store.
    fn segmentation(&self) -> impl Future<Output = Segmentation> + Send;

    /// One more handle onto metrics' store.
    fn metrics(&self) -> impl Future<Output = Metrics> + Send;

    /// What a process asks whether it can write.
    fn writable(&self) -> impl Future<Output = Arc<dyn Writable>> + Send;

    /// Closes the store and opens what is there. The case has dropped its handles.
    fn reopen(self) -> impl Future<Output = Self> + Send;
}

/// A cache under test.
pub trait CacheHarness: Sized + Send + Sync {
    /// A cache in which no earlier case has left anything.
    fn fresh() -> impl Future<Output = Self> + Send;

    /// One more handle onto it.
    fn cache(&self) -> impl Future<Output = Arc<dyn Cache>> + Send;
}

/// Runs one case on a fresh store, or prints why it is excluded.
pub fn run<H: Harness, C: AsyncFnOnce(H)>(name: &str, excluded: Excluded, case: C) {
    if is_excluded(name, excluded) {
        return;
    }
    on_runtime(async { case(H::fresh().await).await });
}

/// Runs one case on a fresh cache, or prints why it is excluded.
pub fn run_cache<H: CacheHarness, C: AsyncFnOnce(H)>(name: &str, excluded: Excluded, case: C) {
    if is_excluded(name, excluded) {
        return;
    }
    on_runtime(async { case(H::fresh().await).await });
}

#[expect(clippy::print_stderr, reason = "the runner of tests shows it")]
fn is_excluded(name: &str, excluded: Excluded) -> bool {
    let Some((_, reason)) = excluded.iter().find(|(other, _)| *other == name) else {
        return false;
    };
    eprintln!("{name} is excluded: {reason}");
    true
}

fn on_runtime(case: impl Future<Output = ()>) {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { timeout(DEADLINE, case).await.unwrap() });
}
