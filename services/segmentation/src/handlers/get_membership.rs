use std::sync::atomic::Ordering;

use bytes::Bytes;
use prost::Message as _;
use tonic::{Request, Response, Status};

use sextant_domain::id::{ExternalId, Slice};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_runtime::tenant::tenant_of;
use sextant_store::cache::Entry;
use sextant_wire::read;
use sextant_wire::status::{Problem, store};

use super::{Handlers, Reading};
use crate::decide::decode;
use crate::engine::Known;
use crate::wire::{membership, present};

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::GetMembershipRequest>,
) -> Result<Response<pb::GetMembershipResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let request = request.into_inner();
    let account = read::account(request.account.as_ref(), "account")?;
    let reading = handlers
        .begin((tenant, &request.segmentation), request.at.as_ref())
        .await?;
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
    /// The present membership, encoded: from the first cache that can be believed, or else from the store.
    async fn present(
        &self,
        reading: &Reading,
        known: &Known,
        account: &ExternalId,
    ) -> Result<Bytes, Status> {
        let key = [&known.cache_keys, account.as_str()].concat();
        let slice = Slice::of_account(account, reading.view.n_slices);
        let (caches, lookups) = (&self.engine.caches, &self.engine.lookups);
        let of = (reading.tenant, slice);
        if caches.is_empty() {
            return Ok(self.stored(reading, known, slice, account).await?.bytes);
        }
        if let Some(membership) = caches.get(of, &key).await {
            lookups.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(membership);
        }
        lookups.misses.fetch_add(1, Ordering::Relaxed);
        let newest = caches.newest(of);
        let entry = self.stored(reading, known, slice, account).await?;
        let membership = entry.bytes.clone();
        caches.keep(of, newest, (key, entry)).await;
        Ok(membership)
    }

    /// The present membership as it is stored, at the commit up to which it is known to be true at least.
    async fn stored(
        &self,
        reading: &Reading,
        known: &Known,
        slice: Slice,
        account: &ExternalId,
    ) -> Result<Entry, Status> {
        let uid = self.account(reading.tenant, account).await?.uid;
        let memberships = &self.engine.memberships;
        let progress = memberships.progress(reading.tenant, slice).await;
        let progress = progress.map_err(store)?;
        let rows = memberships.of_account(reading.tenant, uid).await;
        let row = rows
            .map_err(store)?
            .into_iter()
            .find(|row| row.segmentation == known.number)
            .ok_or_else(|| not_judged(account))?;
        let membership = present(&row, progress.closed_on, &reading.view.zone);
        let membership = membership.ok_or_else(unreadable)?;
        Ok(Entry {
            position: progress.version,
            bytes: membership.encode_to_vec().into(),
        })
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
        let (closed_on, zone) = (reading.view.currency.closed_on, &reading.view.zone);
        let transition = decode(&row.transition).ok_or_else(unreadable)?;
        let membership = membership(transition, closed_on, zone);
        Ok(membership.encode_to_vec().into())
    }
}

fn unreadable() -> Problem {
    Problem::new(ErrorReason::Internal, "stored transition is unreadable")
}
