//! How a commit goes on when more waits for its accounts than one transaction takes.
//!
//! An account is known from the transaction on that brings it. What waited for it is stored from then on, a bounded part in
//! each transaction: by the commit that brings the account, which answers when nothing is left, or, if that was interrupted, by
//! the next ones of its tenant. The engine notes in that first transaction which accounts still have something, so nothing is
//! forgotten whenever a process ends. Until nothing is left, no other commit stores facts of these accounts: what waited is
//! first.

use std::collections::BTreeMap;

use tokio::sync::Mutex;

use sextant_domain::id::Slice;

use crate::port::{Committed, FactBatch, SliceHeads};
use crate::{BoxFuture, Result};

/// What still waits for accounts of the tenant that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backlog {
    /// Nothing.
    None,
    /// Records of accounts that other commits have made known.
    OfOthers,
    /// Records of accounts that this commit has made known.
    Own,
}

/// What became of a batch.
#[derive(Debug)]
pub enum Written {
    /// It is stored.
    Stored(Committed, Backlog),
    /// Nothing of it is stored: it has facts of accounts for which others still wait.
    Behind(Box<FactBatch>),
}

/// A part of what waited is stored.
#[derive(Debug)]
pub struct Released {
    /// Newest number of each slice that was written to.
    pub heads: SliceHeads,
    /// Whether more may wait.
    pub rest: bool,
}

/// What an engine does in one transaction.
pub trait Steps: Send + Sync + std::fmt::Debug {
    /// Stores a batch, unless others are first, and at most [`crate::port::MAX_RELEASED`] of the records that waited for its
    /// accounts.
    fn write(&self, batch: FactBatch) -> BoxFuture<'_, Result<Written>>;

    /// Stores at most so many of the records that wait for known accounts of a tenant, on behalf of a call: a batch without facts.
    fn release_part(&self, call: FactBatch) -> BoxFuture<'_, Result<Released>>;
}

/// Stores a batch and all that waited for its accounts. Only the holder of `turn` releases, so that parts of several callers
/// never make one great transaction together.
///
/// # Errors
/// The engine's. If it is that of a later part, the batch is stored; sent again, it is answered `Duplicate`.
pub async fn commit(
    steps: &impl Steps,
    turn: &Mutex<()>,
    mut batch: FactBatch,
) -> Result<Committed> {
    let call = FactBatch {
        facts: Vec::new(),
        sources: Vec::new(),
        rejections: Vec::new(),
        ..batch
    };
    let mut heads = BTreeMap::new();
    let (mut committed, backlog) = loop {
        match steps.write(batch).await? {
            Written::Stored(committed, backlog) => break (committed, backlog),
            Written::Behind(again) => batch = *again,
        }
        release_all(steps, turn, &call, &mut heads).await?;
    };
    match backlog {
        Backlog::None => {},
        Backlog::Own => release_all(steps, turn, &call, &mut heads).await?,
        Backlog::OfOthers => {
            // Most often its commit is at it; else a part is stored here. This batch is stored whatever becomes of that.
            if let Ok(_turn) = turn.try_lock() {
                match steps.release_part(call).await {
                    Ok(released) => heads.extend(released.heads),
                    Err(error) => {
                        tracing::warn!(%error, "records that waited for an account are not released yet");
                    },
                }
            }
        },
    }
    if !heads.is_empty() {
        // Numbers ascend; those of the batch itself may be the newest.
        for (slice, sequence) in committed.heads {
            let newest = heads.entry(slice).or_insert(sequence);
            *newest = sequence.max(*newest);
        }
        committed.heads = heads.into_iter().collect();
    }
    Ok(committed)
}

/// Stores all that waits for keys which have a place, on behalf of a call: a batch without facts.
///
/// # Errors
/// The engine's. What is left is stored by the next ones.
pub async fn release(steps: &impl Steps, turn: &Mutex<()>, call: &FactBatch) -> Result<SliceHeads> {
    let mut heads = BTreeMap::new();
    release_all(steps, turn, call, &mut heads).await?;
    Ok(heads.into_iter().collect())
}

/// Releases until nothing waits.
async fn release_all(
    steps: &impl Steps,
    turn: &Mutex<()>,
    call: &FactBatch,
    heads: &mut BTreeMap<Slice, u64>,
) -> Result<()> {
    loop {
        let _turn = turn.lock().await;
        let released = steps.release_part(call.clone()).await?;
        heads.extend(released.heads);
        if !released.rest {
            return Ok(());
        }
    }
}
