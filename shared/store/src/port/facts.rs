use std::collections::BTreeMap;

use sextant_domain::fact::FactKind;
use sextant_domain::id::{AccountKey, ExternalId, PayloadHash, RecordIdentity, TenantId};
use sextant_domain::time::Instant;

use crate::port::feed::{SliceHeads, Trace};
use crate::{BoxFuture, Result};

/// A checked record, ready to be stored.
#[derive(Debug, Clone)]
pub struct NewFact {
    /// What makes two deliveries the same record.
    pub identity: RecordIdentity,
    /// Hash of the encoded record, to tell a duplicate from a conflict.
    pub payload: PayloadHash,
    /// What kind of fact it is.
    pub kind: FactKind,
    /// The account that it is about; `None` for facts about no account, which go to slice 0. One that is named by a user or by
    /// what another system calls it is taken for unknown: who knows its own id names it by that.
    pub account: Option<AccountKey>,
    /// For [`FactKind::Account`]: the uid that the account gets if it is new. Otherwise unused.
    pub new_account_uid: u128,
    /// When it happened or from when it holds, corrected for a wrong source clock.
    pub occurred_at: Instant,
    /// When it became known: when it was stored, or for imported history (assumed) when it happened.
    pub known_at: Instant,
    /// True: `known_at` is assumed.
    pub historical: bool,
    /// The encoded record.
    pub record: Vec<u8>,
}

impl NewFact {
    /// The account that it makes known, if it is not yet.
    #[must_use]
    pub fn brings(&self) -> Option<ExternalId> {
        let own = self.account.as_ref()?.own()?;
        (self.kind == FactKind::Account)
            .then(|| ExternalId::parse(own).ok())
            .flatten()
    }

    /// When it is known where the tenant's clock, when it is stored, stands at `clock` (`None`: it does not stand still): no news
    /// is known before.
    #[must_use]
    pub fn known_by(&self, clock: Option<Instant>) -> Instant {
        match clock.filter(|_| !self.historical) {
            Some(clock) => self.known_at.max(clock),
            None => self.known_at,
        }
    }
}

/// What makes two refusals one: source, id (of a record without one, its content) and reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RejectionKey(pub u128);

impl RejectionKey {
    /// The key of the refusal of an encoded record.
    #[must_use]
    pub fn of(source: &str, id: &str, record: &[u8], reason: &str) -> Self {
        let content = PayloadHash::of(record).0.to_be_bytes();
        let (tag, name): (u8, &[u8]) = if id.is_empty() {
            (0, &content)
        } else {
            (1, id.as_bytes())
        };
        let mut said = vec![tag];
        for part in [source.as_bytes(), name, reason.as_bytes()] {
            // With its length before it, so that no two lists of parts are the same bytes.
            said.extend_from_slice(&part.len().to_be_bytes());
            said.extend_from_slice(part);
        }
        Self(PayloadHash::of(&said).0)
    }
}

/// A refused record that is kept for correction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRejection {
    /// What makes two refusals one.
    pub key: RejectionKey,
    /// Path of the field.
    pub field: String,
    /// Machine-readable reason.
    pub reason: String,
    /// What is wrong and how to mend it.
    pub hint: String,
    /// The encoded record.
    pub record: Vec<u8>,
    /// Its source, as text; may be anything.
    pub source: String,
}

impl NewRejection {
    /// Of a record that waited for its account while another one took its identity: nobody else has it any more.
    #[must_use]
    pub fn of_contradiction(source: &str, record: Vec<u8>) -> Self {
        const REASON: &str = "CONFLICT";
        let hint = "while it waited for its account, another record with its source, id and time was stored; if both are true, send this one with an id of its own";
        Self {
            key: RejectionKey::of(source, "", &record, REASON),
            field: "id".to_owned(),
            reason: REASON.to_owned(),
            hint: hint.to_owned(),
            record,
            source: source.to_owned(),
        }
    }
}

/// Records in one entry of the feed, in bytes, unless one record alone is larger: an entry is read by one message, and
/// that has to stay below the 4 MiB that clients take by default. What a commit
/// stores beyond that (many records may have waited for its accounts) goes into more entries.
pub const MAX_ENTRY_BYTES: usize = 2 << 20;

/// Records that waited for accounts and are stored in one transaction: no more than so many, and none once they have come to
/// [`MAX_RELEASED_BYTES`]. What is left is stored in the next ones, see [`crate::release`].
pub const MAX_RELEASED: usize = 10_000;

/// Bytes of records; see [`MAX_RELEASED`].
pub const MAX_RELEASED_BYTES: usize = 8 << 20;

/// Facts of one tenant that are stored in one transaction.
#[derive(Debug, Clone)]
pub struct FactBatch {
    /// The tenant.
    pub tenant: TenantId,
    /// Number of slices of the tenant.
    pub n_slices: u16,
    /// Unique id of the batch, a UUIDv7 of the caller.
    pub batch_id: u128,
    /// When the batch is stored.
    pub recorded_at: Instant,
    /// Where the tenant's clock stands, for a tenant whose clock stands still until it is moved.
    pub fixed_clock: Option<Instant>,
    /// The facts, in order of arrival.
    pub facts: Vec<NewFact>,
    /// Source of each fact, parallel to `facts`, for the counts.
    pub sources: Vec<std::sync::Arc<str>>,
    /// Refused records of the same delivery.
    pub rejections: Vec<NewRejection>,
    /// The call that brought it, for its feed entries.
    pub trace: Option<Trace>,
}

/// What a batch brought of one source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Records that came, whatever became of them, except for imported history.
    pub n_news: u64,
    /// The latest time that a record which was not refused has of its own, no later than the tenant's clock.
    pub watermark: Option<Instant>,
}

impl Arrival {
    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            n_news: self.n_news + other.n_news,
            watermark: self.watermark.max(other.watermark),
        }
    }
}

impl FactBatch {
    /// What came of each source.
    #[must_use]
    pub fn arrivals(&self) -> BTreeMap<&str, Arrival> {
        let clock = self.clock();
        let facts = self.sources.iter().zip(&self.facts).map(|(source, fact)| {
            let came = Arrival {
                n_news: u64::from(!fact.historical),
                watermark: Some(fact.occurred_at.min(clock)),
            };
            (&**source, came)
        });
        let refused = self.rejections.iter().map(|one| {
            let came = Arrival {
                n_news: 1,
                watermark: None,
            };
            (one.source.as_str(), came)
        });
        let mut arrivals = BTreeMap::new();
        // Most records of a batch are of one source: a run of them is looked up once.
        let mut run: Option<(&str, Arrival)> = None;
        let mut note = |(source, came): (_, Arrival)| {
            let sum: &mut Arrival = arrivals.entry(source).or_default();
            *sum = sum.and(came);
        };
        for (source, came) in facts.chain(refused) {
            run = match run.take() {
                Some((same, before)) if same == source => Some((same, before.and(came))),
                other => {
                    other.into_iter().for_each(&mut note);
                    Some((source, came))
                },
            };
        }
        run.into_iter().for_each(&mut note);
        arrivals
    }

    /// Where the tenant's clock stands.
    #[must_use]
    pub fn clock(&self) -> Instant {
        self.fixed_clock.unwrap_or(self.recorded_at)
    }

    /// Whether a fact of it is imported history.
    #[must_use]
    pub fn holds_history(&self) -> bool {
        self.facts.iter().any(|fact| fact.historical)
    }
}

/// What became of one fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Stored.
    Accepted,
    /// Was stored before, or waited and is stored by this commit.
    Duplicate,
    /// Another payload was stored under the same identity before.
    Conflict,
    /// Its account is not known; kept until it is. Does not consume the identity in the dedupe table.
    Held,
}

/// The result of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// One for each fact, in order.
    pub outcomes: Vec<Outcome>,
    /// Newest number of each slice that the commit wrote to, by slice. Empty when nothing was stored.
    pub heads: SliceHeads,
}

/// The one command port of facts.
///
/// `commit` is atomic (but for what waited, see 4) and durable when it returns. A batch with a fact of history
/// (`historical`) is refused whole unless an import of the tenant is open, and that stays open until the commit: none is
/// completed between the two.
/// 1. [`FactKind::Account`] facts create unknown accounts first (uid from `new_account_uid`, slice from the external id).
/// 2. Facts of accounts that are still unknown are put into the held table, keyed by identity: again there is `Held`
///    (same payload, counted once) or `Conflict` (another payload).
/// 3. The others are inserted into the dedupe table (tenant, hour, hash); what is there already is `Duplicate` or, with
///    another payload hash, `Conflict`. The first of several in one batch wins. Exact under concurrent writers.
/// 4. Accepted facts are stored; held facts of accounts that have just appeared are stored with them (their deduplication
///    included, ahead of the batch's own: what waited is first), known when they are stored, but where history waited for an
///    account that history brings as it was when they were held. Both belong to this batch: first its own in order of
///    arrival, then the replayed ones in the order in which they were held. Where more waits than [`MAX_RELEASED`] allows,
///    the rest is stored in transactions of its own, account by account, before `commit` returns and before any fact of a
///    later batch about these accounts. History among it is news if the import was completed between two of these.
/// 5. Rejections are stored, each key once in a tenant: one that comes again changes nothing. So are per-source counts, of
///    every delivery, also of a rejection that came before (held replayed: held − 1 and accepted + 1; duplicate + 1 or
///    conflict + 1 instead if its identity has been taken since).
///    Facts of accounts that are named by a user or by what another system calls them are held too; where a place of that key is
///    known ([`crate::port::Places`]), they are stored before `commit` returns.
/// 6. Last, for each slice with stored facts, in ascending order, the next feed number is taken and an entry written.
///    A batch that stores no fact writes no entry.
pub trait Facts: Send + Sync + std::fmt::Debug {
    /// Stores a batch.
    ///
    /// # Errors
    /// [`crate::Error::NoImport`], [`crate::Error::Unavailable`] or [`crate::Error::Full`]: nothing of it was stored, or, where more
    /// waited for its accounts than one transaction stores, all of it but not yet all that waited.
    fn commit(&self, batch: FactBatch) -> BoxFuture<'_, Result<Committed>>;

    /// Stores what waits for keys that have a place by now, on behalf of a call: a batch without facts. Returns the newest number of
    /// each slice that it wrote to.
    fn release(&self, call: FactBatch) -> BoxFuture<'_, Result<SliceHeads>>;
}
