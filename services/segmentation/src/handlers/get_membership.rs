use std::sync::atomic::Ordering;

use bytes::Bytes;
use prost::Message as _;
use tonic::{Request, Response, Status};

use sextant_domain::id::ExternalId;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_runtime::tenant::tenant_of;
use sextant_store::cache::Entry;
use sextant_wire::read;
use sextant_wire::status::{Problem, store};

use super::{Handlers, Reading};
use crate::decide::decode;
use crate::engine::Known;
use crate::wire::{cached, from_cached, membership};

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::GetMembershipRequest>,
) -> Result<Response<pb::GetMembershipResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let request = request.into_inner();
    let account = read::account(request.account.as_ref(), "account")?;
    let reading = handlers.begin(tenant, request.at.as_ref()).await?;
    let known = reading.segmentation(&request.segmentation)?;
    let membership = if reading.at.is_now() {
        handlers.present(&reading, known, &account).await?
    } else {
        handlers.past(&reading, known, &account).await?
    };
    Ok(Response::new(pb::GetMembershipResponse {
        membership,
        freshness: reading.encoded_freshness(known),
    }))
}

fn not_judged(account: &ExternalId) -> Problem {
    Problem::new(
        ErrorReason::AccountUnknown,
        format!("account \"{account}\" was not in this segmentation at that moment"),
    )
}

impl Handlers {
    /// The present membership, encoded: from the first cache that knows enough, or else from the store.
    async fn present(
        &self,
        reading: &Reading,
        known: &Known,
        account: &ExternalId,
    ) -> Result<Bytes, Status> {
        let key = [&known.cache_keys, account.as_str()].concat();
        // Numbers of different slices cannot be compared: the greatest is safe for all, at the price of a miss.
        let floor = reading
            .at
            .floor
            .slices()
            .iter()
            .map(|(_, sequence)| *sequence)
            .max()
            .unwrap_or(0);
        for (nearer, cache) in self.engine.caches.iter().enumerate() {
            let Some(entry) = cache.get(&key, 0).await else {
                continue;
            };
            if let Some(membership) = from_cached(&entry.bytes, floor) {
                let found = [(key, entry)];
                for cache in &self.engine.caches[..nearer] {
                    cache.put(&found).await;
                }
                self.engine.lookups.hits.fetch_add(1, Ordering::Relaxed);
                return Ok(membership);
            }
        }
        if !self.engine.caches.is_empty() {
            self.engine.lookups.misses.fetch_add(1, Ordering::Relaxed);
        }
        self.stored(reading, known, key, account).await
    }

    async fn stored(
        &self,
        reading: &Reading,
        known: &Known,
        key: String,
        account: &ExternalId,
    ) -> Result<Bytes, Status> {
        let uid = self.account(reading.tenant, account).await?.uid;
        let slice = sextant_domain::id::Slice::of_account(account, reading.view.n_slices);
        let progress = self
            .engine
            .memberships
            .progress(reading.tenant, slice)
            .await
            .map_err(store)?;
        let rows = self
            .engine
            .memberships
            .of_account(reading.tenant, uid)
            .await
            .map_err(store)?;
        let row = rows
            .into_iter()
            .find(|row| row.segmentation == known.number)
            .ok_or_else(|| not_judged(account))?;
        let membership = reading.membership(&row.transition)?;
        let entry = Entry {
            position: progress.cursor,
            bytes: cached(progress.facts_sequence, &membership),
        };
        let found = [(key, entry)];
        for cache in &self.engine.caches {
            cache.put(&found).await;
        }
        Ok(membership.encode_to_vec().into())
    }

    async fn past(
        &self,
        reading: &Reading,
        known: &Known,
        account: &ExternalId,
    ) -> Result<Bytes, Status> {
        let uid = self.account(reading.tenant, account).await?.uid;
        let (as_of, known_at) = reading.past();
        let row = self
            .engine
            .memberships
            .at(reading.tenant, uid, known.number, as_of, known_at)
            .await
            .map_err(store)?;
        let row = row.ok_or_else(|| not_judged(account))?;
        let membership = reading.membership(&row.transition)?;
        Ok(membership.encode_to_vec().into())
    }
}

impl Reading {
    /// The membership that a stored transition led to.
    fn membership(&self, transition: &[u8]) -> Result<pb::Membership, Problem> {
        let transition = decode(transition).ok_or_else(|| {
            Problem::new(ErrorReason::Internal, "stored transition is unreadable")
        })?;
        let (closed_on, zone) = (self.view.currency.closed_on, &self.view.zone);
        Ok(membership(transition, closed_on, zone))
    }
}
