//! What metrics keeps of one tenant in memory. Everything in it can be read back from the store, apart from the tenant's own
//! settings, which ingestion tells.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use tracing::error;

use sextant_domain::id::{AccountUid, Slice, TenantId};
use sextant_domain::money::Currency;
use sextant_domain::mrr::{Books, MetricPolicy, Movement, Preset};
use sextant_domain::position::Position;
use sextant_domain::subscription::{AccountBilling, SubscriptionVersion};
use sextant_domain::time::{Instant, Zone};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as ingestion;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_store::port::MovesProgress;
use sextant_wire::record;
use sextant_wire::status::Problem;

use crate::segments::SegmentHistory;

/// At which instant and with which knowledge a question is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) as_of: Instant,
    pub(crate) known_at: Instant,
}

impl Moment {
    /// With all that is known.
    pub(crate) const ALL_KNOWLEDGE: Instant = Instant(i64::MAX);
}

/// How an answer is broken down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Breakdown {
    /// Not at all.
    Total,
    /// By the segments of the segmentation with this key.
    BySegment(Box<str>),
}

impl Breakdown {
    /// Reads the key of a request; empty: no breakdown.
    pub(crate) fn parse(segmentation: &str) -> Self {
        if segmentation.is_empty() {
            Self::Total
        } else {
            Self::BySegment(segmentation.into())
        }
    }
}

/// What the tenant decided about itself.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) currency: Currency,
    pub(crate) fixed_clock: Option<Instant>,
    pub(crate) n_slices: u16,
    /// The rules behind every figure; its zone is the tenant's.
    pub(crate) policy: MetricPolicy,
}

impl Settings {
    pub(crate) fn from_wire(tenant: &ingestion::Tenant) -> Result<Self, Problem> {
        let damaged = |field: &str, message: String| {
            Problem::field(ErrorReason::Internal, format!("tenant.{field}"), message)
        };
        let zone = Zone::parse(&tenant.time_zone)
            .map_err(|error| damaged("time_zone", error.to_string()))?;
        Ok(Self {
            currency: Currency::parse(&tenant.base_currency)
                .map_err(|error| damaged("base_currency", error.to_string()))?,
            fixed_clock: sextant_wire::time::optional(
                tenant.fixed_clock.as_ref(),
                "tenant.fixed_clock",
            )?,
            n_slices: u16::try_from(tenant.slices).unwrap_or(1).max(1),
            policy: MetricPolicy::preset(Preset::Sextant, zone),
        })
    }
}

/// How far one slice has got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Newest entry of ingestion's feed that is taken in.
    pub(crate) cursor: u64,
    /// True while an import is open.
    pub(crate) importing: bool,
    /// How far segmentation's feed is taken in. It answers for no ingestion entry while imported history is being evaluated.
    pub(crate) moves: MovesProgress,
}

impl Progress {
    /// True while segmentation still evaluates imported history.
    pub(crate) fn is_evaluating_history(&self) -> bool {
        self.moves.cursor > 0 && self.moves.facts_sequence == 0
    }
}

/// One state of a subscription, as it came. Decoded only when the ledger is written: an account changes far less often than
/// it is kept.
#[derive(Debug, Clone)]
pub(crate) struct StoredVersion {
    pub(crate) at: Instant,
    pub(crate) known_at: Instant,
    pub(crate) record: Box<[u8]>,
}

/// What follows from an account's subscriptions under the tenant's policy.
#[derive(Debug)]
pub(crate) struct Ledger {
    billing: AccountBilling,
    books: OnceLock<Books>,
}

/// One account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    pub(crate) id: Box<str>,
    pub(crate) segments: SegmentHistory,
    subscriptions: Vec<StoredVersion>,
    /// Written on first need; `None` inside: there is none.
    ledger: OnceLock<Option<Arc<Ledger>>>,
}

impl Account {
    /// Adds a version of a subscription. What followed from the others is forgotten.
    pub(crate) fn subscribe(&mut self, version: StoredVersion) {
        self.subscriptions.push(version);
        self.ledger = OnceLock::new();
    }

    /// The account's billing; `None` where it has no subscription.
    pub(crate) fn billing(&self, settings: &Settings) -> Option<&AccountBilling> {
        self.ledger(settings).map(|ledger| &ledger.billing)
    }

    /// Every movement that was ever in the account's books, as they are where nothing happens after `as_of`.
    pub(crate) fn movements(&self, settings: &Settings, as_of: Instant) -> Cow<'_, [Movement]> {
        let Some(ledger) = self.ledger(settings) else {
            return Cow::Borrowed(&[]);
        };
        let books = ledger.books.get_or_init(|| ledger.billing.books());
        if books.splits(as_of) {
            return Cow::Owned(ledger.billing.books_until(as_of).movements);
        }
        Cow::Borrowed(&books.movements)
    }

    fn ledger(&self, settings: &Settings) -> Option<&Ledger> {
        self.ledger
            .get_or_init(|| self.write_ledger(settings).map(Arc::new))
            .as_deref()
    }

    /// Subscriptions that cannot be added up are refused at the door. Should there be some all the same, they must not cost the
    /// other accounts their figures.
    fn write_ledger(&self, settings: &Settings) -> Option<Ledger> {
        if self.subscriptions.is_empty() {
            return None;
        }
        match self.add_up(settings) {
            Ok(billing) => Some(Ledger {
                billing,
                books: OnceLock::new(),
            }),
            Err(problem) => {
                error!(account = %self.id, error = %problem.message, "account is left out of revenue, its subscriptions cannot be added up");
                None
            },
        }
    }

    fn add_up(&self, settings: &Settings) -> Result<AccountBilling, Problem> {
        let versions = self
            .subscriptions
            .iter()
            .map(|stored| stored.decode(settings.currency));
        let versions: Vec<SubscriptionVersion> = versions.collect::<Result<_, _>>()?;
        AccountBilling::new(versions, &settings.policy)
            .map_err(|error| Problem::new(ErrorReason::Internal, error.to_string()))
    }
}

impl StoredVersion {
    fn decode(&self, base: Currency) -> Result<SubscriptionVersion, Problem> {
        match record::decode(&self.record)?.fact {
            Some(Fact::Subscription(fact)) => {
                record::subscription_version(&fact, self.at, self.known_at, base)
            },
            _ => Err(Problem::new(
                ErrorReason::Internal,
                "stored subscription is unreadable",
            )),
        }
    }
}

/// One tenant. Copies share the accounts that do not differ, so that a reader keeps what it began with while a follower goes
/// on.
#[derive(Debug, Clone)]
pub(crate) struct TenantState {
    pub(crate) tenant: TenantId,
    pub(crate) settings: Settings,
    pub(crate) slices: BTreeMap<Slice, Progress>,
    pub(crate) accounts: BTreeMap<AccountUid, Arc<Account>>,
    /// Keys of segmentations and segments, each kept once.
    pub(crate) segmentations: BTreeSet<Arc<str>>,
    pub(crate) segments: BTreeSet<Arc<str>>,
    /// Own time of the newest subscription.
    pub(crate) watermark: Option<Instant>,
    /// Versions of subscriptions, and moves.
    pub(crate) n_facts: usize,
}

impl TenantState {
    /// Nothing known yet.
    pub(crate) fn empty(tenant: TenantId, settings: Settings) -> Self {
        Self {
            tenant,
            settings,
            slices: BTreeMap::new(),
            accounts: BTreeMap::new(),
            segmentations: BTreeSet::new(),
            segments: BTreeSet::new(),
            watermark: None,
            n_facts: 0,
        }
    }

    /// What it holds, in facts.
    pub(crate) fn size(&self) -> u64 {
        (self.accounts.len() + self.n_facts) as u64
    }

    /// The tenant's evaluation clock: where it stands still, or `real`.
    pub(crate) fn now(&self, real: Instant) -> Instant {
        self.settings.fixed_clock.unwrap_or(real)
    }

    /// True while an import is open in any slice.
    pub(crate) fn is_importing(&self) -> bool {
        self.slices.values().any(|slice| slice.importing)
    }

    /// True while segmentation still evaluates imported history of any slice.
    pub(crate) fn is_evaluating_history(&self) -> bool {
        self.slices.values().any(Progress::is_evaluating_history)
    }

    /// True: the segmentation of a breakdown is behind in some slice, for its segmenter fails or is missing.
    pub(crate) fn is_behind(&self, breakdown: &Breakdown) -> bool {
        let Breakdown::BySegment(segmentation) = breakdown else {
            return false;
        };
        let mut behind = self.slices.values().flat_map(|slice| &slice.moves.behind);
        behind.any(|key| **key == **segmentation)
    }

    /// What an answer includes of ingestion's feeds: its subscriptions, and for a breakdown only as far as segmentation has
    /// answered for them.
    pub(crate) fn position(&self, breakdown: &Breakdown) -> Position {
        let included = |progress: &Progress| match breakdown {
            Breakdown::Total => progress.cursor,
            Breakdown::BySegment(_) => progress.cursor.min(progress.moves.facts_sequence),
        };
        Position::new(
            self.slices
                .iter()
                .map(|(slice, progress)| (*slice, included(progress)))
                .collect(),
        )
    }

    /// The account of an external id.
    pub(crate) fn account(&self, id: &str) -> Option<&Account> {
        self.accounts
            .values()
            .find(|account| &*account.id == id)
            .map(Arc::as_ref)
    }

    /// The segmentation of a breakdown must have moved an account once.
    pub(crate) fn check(&self, breakdown: &Breakdown) -> Result<(), Problem> {
        match breakdown {
            Breakdown::BySegment(key) if !self.segmentations.contains(&**key) => {
                let message = format!(
                    "segmentation \"{key}\" has not put an account into a segment; check the key"
                );
                Err(Problem::new(ErrorReason::SegmentationUnknown, message))
            },
            Breakdown::Total | Breakdown::BySegment(_) => Ok(()),
        }
    }

    /// Each account with the segment that it is in at a moment; empty: none, or no breakdown.
    pub(crate) fn by_segment<'a>(
        &'a self,
        breakdown: &'a Breakdown,
        moment: Moment,
    ) -> impl Iterator<Item = (&'a str, &'a Account)> {
        self.accounts.values().map(move |account| {
            let segment = match breakdown {
                Breakdown::Total => None,
                Breakdown::BySegment(key) => account.segments.segment_at(key, moment),
            };
            (segment.unwrap_or_default(), account.as_ref())
        })
    }
}

#[cfg(test)]
mod tests;
