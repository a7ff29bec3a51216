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
use crate::wire::{cache_key, cached, from_cached, membership};

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::GetMembershipRequest>,
) -> Result<Response<pb::GetMembershipResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let request = request.into_inner();
    let account = read::account(request.account.as_ref(), "account")?;
    let reading = handlers.begin(tenant, request.at.as_ref()).await?;
    let (key, number, version) = reading.segmentation(&request.segmentation)?;
    let transition = if reading.at.is_now() {
        handlers.present(&reading, key, *number, &account).await?
    } else {
        handlers.past(&reading, *number, &account).await?
    };
    Ok(Response::new(pb::GetMembershipResponse {
        membership: Some(membership(
            transition,
            reading.view.currency.closed_on,
            &reading.view.zone,
        )),
        freshness: Some(reading.freshness(*version)),
    }))
}

fn not_judged(account: &ExternalId) -> Problem {
    Problem::new(
        ErrorReason::AccountUnknown,
        format!("account \"{account}\" was not in this segmentation at that moment"),
    )
}

impl Handlers {
    /// The present membership: from the first cache that knows enough, or else from the store.
    async fn present(
        &self,
        reading: &Reading,
        segmentation: &str,
        number: u16,
        account: &ExternalId,
    ) -> Result<pb::Transition, Status> {
        let key = cache_key(
            reading.tenant,
            reading.view.currency.closed_on,
            segmentation,
            account.as_str(),
        );
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
            if let Some(transition) = from_cached(&entry.bytes, floor) {
                let found = [(key, entry)];
                for cache in &self.engine.caches[..nearer] {
                    cache.put(&found).await;
                }
                return Ok(transition);
            }
        }
        self.stored(reading, key, number, account).await
    }

    async fn stored(
        &self,
        reading: &Reading,
        key: String,
        number: u16,
        account: &ExternalId,
    ) -> Result<pb::Transition, Status> {
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
            .find(|row| row.segmentation == number)
            .ok_or_else(|| not_judged(account))?;
        let entry = Entry {
            position: progress.cursor,
            bytes: cached(progress.facts_sequence, &row.transition),
        };
        let found = [(key, entry)];
        for cache in &self.engine.caches {
            cache.put(&found).await;
        }
        decode(&row.transition).ok_or_else(|| {
            Problem::new(ErrorReason::Internal, "stored transition is unreadable").into()
        })
    }

    async fn past(
        &self,
        reading: &Reading,
        number: u16,
        account: &ExternalId,
    ) -> Result<pb::Transition, Status> {
        let uid = self.account(reading.tenant, account).await?.uid;
        let (as_of, known_at) = reading.past();
        let row = self
            .engine
            .memberships
            .at(reading.tenant, uid, number, as_of, known_at)
            .await
            .map_err(store)?;
        let row = row.ok_or_else(|| not_judged(account))?;
        decode(&row.transition).ok_or_else(|| {
            Problem::new(ErrorReason::Internal, "stored transition is unreadable").into()
        })
    }
}
