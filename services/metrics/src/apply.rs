//! What entries of either feed bring: read once, stored, and taken over into memory where the tenant is loaded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sextant_domain::fact::FactKind;
use sextant_domain::id::{AccountUid, ExternalId, Slice, TenantId};
use sextant_domain::time::Instant;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as ingestion;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::segmentation::v1 as segmentation;
use sextant_store::port::{
    AccountFactRow, MetricsCommit, MoveRow, MovesProgress, ReplicaAccount, ReplicaCommit,
};
use sextant_wire::read::{external_id, uuid};
use sextant_wire::record;
use sextant_wire::status::Problem;
use sextant_wire::time::{optional, required};

use crate::import_mark;
use crate::segments::SegmentMove;
use crate::state::{StoredVersion, TenantState};

/// Some entries of one slice of a feed.
#[derive(Debug)]
pub(crate) enum Batch {
    /// Of ingestion's.
    Facts(FactsBatch),
    /// Of segmentation's.
    Moves(MovesBatch),
}

/// Which feed of which tenant, and where in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) tenant: TenantId,
    pub(crate) slice: Slice,
    /// The entries are those behind this one.
    pub(crate) after: u64,
}

/// What entries of ingestion's feed bring to metrics: accounts and subscriptions. Everything else only moves the cursor.
#[derive(Debug)]
pub(crate) struct FactsBatch {
    span: Span,
    cursor: u64,
    accounts: BTreeMap<AccountUid, ExternalId>,
    subscriptions: Vec<AccountFactRow>,
    /// Whether an import is open after these entries; `None`: as before.
    importing: Option<bool>,
    clock: Option<Instant>,
}

/// What entries of segmentation's feed bring.
#[derive(Debug)]
pub(crate) struct MovesBatch {
    span: Span,
    progress: MovesProgress,
    moves: Vec<MoveRow>,
}

impl FactsBatch {
    /// Reads an answer of ingestion's feed.
    pub(crate) fn read(span: Span, answer: &ingestion::ReadFactsResponse) -> Result<Self, Problem> {
        let mut batch = Self {
            span,
            cursor: span.after,
            accounts: BTreeMap::new(),
            subscriptions: Vec::new(),
            importing: None,
            clock: None,
        };
        for entry in &answer.entries {
            for (ordinal, stored) in (0..).zip(&entry.facts) {
                batch.add(entry.sequence, ordinal, stored)?;
            }
            if let Some(mark) = &entry.import {
                batch.importing = Some(!mark.completed);
            }
            batch.clock = batch.clock.max(optional(entry.clock.as_ref(), "clock")?);
            batch.cursor = batch.cursor.max(entry.sequence);
        }
        Ok(batch)
    }

    fn add(
        &mut self,
        sequence: u64,
        ordinal: u32,
        stored: &ingestion::StoredFact,
    ) -> Result<(), Problem> {
        if stored.account_uid.is_empty() {
            return Ok(());
        }
        let uid = AccountUid(uuid(&stored.account_uid, "account_uid")?);
        let account_id = match record::decode(&stored.record)?.fact {
            Some(Fact::Account(fact)) => fact.account_id,
            Some(Fact::Subscription(fact)) => {
                self.subscriptions.push(AccountFactRow {
                    uid,
                    sequence,
                    ordinal,
                    kind: FactKind::Subscription,
                    occurred_at: required(stored.occurred_at.as_ref(), "occurred_at")?,
                    known_at: required(stored.known_at.as_ref(), "known_at")?,
                    record: stored.record.to_vec(),
                });
                fact.account_id
            },
            Some(_) => return Ok(()),
            None => {
                return Err(Problem::new(
                    ErrorReason::Internal,
                    "stored record holds no fact",
                ));
            },
        };
        // One that is named otherwise was named by its own id when it became known.
        if !account_id.is_empty() {
            self.accounts
                .insert(uid, external_id(&account_id, "account_id")?);
        }
        Ok(())
    }

    /// Answers name an account by its id alone, so names are not kept.
    fn account_rows(&self) -> Result<Vec<ReplicaAccount>, Problem> {
        let accounts = self.accounts.iter().map(|(uid, id)| {
            Ok(ReplicaAccount {
                uid: *uid,
                id: id.clone(),
                name: String::new(),
            })
        });
        accounts
            .chain(self.importing.map(import_mark::row))
            .collect()
    }
}

impl MovesBatch {
    /// Reads an answer of segmentation's feed.
    pub(crate) fn read(
        span: Span,
        answer: &segmentation::ReadMovesResponse,
    ) -> Result<Self, Problem> {
        let mut batch = Self {
            span,
            progress: MovesProgress {
                cursor: span.after,
                ..MovesProgress::default()
            },
            moves: Vec::new(),
        };
        for entry in &answer.entries {
            let known_at = required(entry.known_at.as_ref(), "known_at")?;
            for told in &entry.moves {
                batch.moves.push(MoveRow {
                    uid: AccountUid(uuid(&told.account_uid, "account_uid")?),
                    segmentation: told.segmentation.clone(),
                    segment: told.segment.clone(),
                    at: required(told.at.as_ref(), "at")?,
                    known_at: optional(told.known_at.as_ref(), "known_at")?.unwrap_or(known_at),
                });
            }
            let is_partial = entry.backfilling || entry.continued;
            batch.progress = MovesProgress {
                cursor: batch.progress.cursor.max(entry.sequence),
                facts_sequence: if is_partial { 0 } else { entry.facts_sequence },
                behind: entry.behind.clone(),
            };
        }
        Ok(batch)
    }
}

impl Batch {
    /// Where the batch stands.
    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Facts(batch) => batch.span,
            Self::Moves(batch) => batch.span,
        }
    }

    /// What has to be stored.
    pub(crate) fn commit(&self) -> Result<MetricsCommit, Problem> {
        Ok(match self {
            Self::Facts(batch) => MetricsCommit::Facts(ReplicaCommit {
                tenant: batch.span.tenant,
                slice: batch.span.slice,
                expected_cursor: batch.span.after,
                cursor: batch.cursor,
                accounts: batch.account_rows()?,
                facts: batch.subscriptions.clone(),
            }),
            Self::Moves(batch) => MetricsCommit::Moves {
                tenant: batch.span.tenant,
                slice: batch.span.slice,
                expected_cursor: batch.span.after,
                progress: batch.progress.clone(),
                moves: batch.moves.clone(),
            },
        })
    }
}

impl TenantState {
    /// Takes a batch over that has been stored. `None`: another process has stored more meanwhile, so the tenant has to be
    /// loaded again.
    pub(crate) fn take_over(mut self, batch: Batch) -> Option<Self> {
        let progress = self.slices.entry(batch.span().slice).or_default();
        match batch {
            Batch::Facts(batch) => {
                if progress.cursor != batch.span.after {
                    return None;
                }
                progress.cursor = batch.cursor;
                progress.importing = batch.importing.unwrap_or(progress.importing);
                self.settings.fixed_clock = self.settings.fixed_clock.max(batch.clock);
                batch
                    .accounts
                    .into_iter()
                    .for_each(|(uid, id)| self.name(uid, &id));
                batch
                    .subscriptions
                    .into_iter()
                    .for_each(|row| self.subscribe(row));
            },
            Batch::Moves(batch) => {
                if progress.moves.cursor != batch.span.after {
                    return None;
                }
                progress.moves = batch.progress;
                batch.moves.iter().for_each(|row| self.move_account(row));
            },
        }
        Some(self)
    }

    /// Notes an account's id.
    pub(crate) fn name(&mut self, uid: AccountUid, id: &ExternalId) {
        let account = self.accounts.entry(uid).or_default();
        if &*account.id != id.as_str() {
            Arc::make_mut(account).id = id.as_str().into();
        }
    }

    /// Adds a version of a subscription.
    pub(crate) fn subscribe(&mut self, row: AccountFactRow) {
        self.n_facts += 1;
        self.watermark = self.watermark.max(Some(row.occurred_at));
        let account = Arc::make_mut(self.accounts.entry(row.uid).or_default());
        account.subscribe(StoredVersion {
            at: row.occurred_at,
            known_at: row.known_at,
            record: row.record.into(),
        });
    }

    /// Adds a move between segments.
    pub(crate) fn move_account(&mut self, row: &MoveRow) {
        self.n_facts += 1;
        let segmentation = interned(&mut self.segmentations, &row.segmentation);
        let segment = interned(&mut self.segments, &row.segment);
        let account = Arc::make_mut(self.accounts.entry(row.uid).or_default());
        account.segments.add(SegmentMove {
            segmentation,
            segment,
            at: row.at,
            known_at: row.known_at,
        });
    }
}

fn interned(names: &mut BTreeSet<Arc<str>>, name: &str) -> Arc<str> {
    if let Some(known) = names.get(name) {
        return Arc::clone(known);
    }
    let name: Arc<str> = name.into();
    names.insert(Arc::clone(&name));
    name
}
