use futures_util::future::try_join_all;
use tonic::{Request, Response, Status};

use sextant_domain::id::{AccountUid, ExternalId, Slice};
use sextant_plugin_host::Deadline;
use sextant_proto::segmentation::v1 as pb;
use sextant_runtime::blocking;
use sextant_runtime::tenant::tenant_of;
use sextant_wire::status::{Problem, store};
use sextant_wire::{page, read};

use super::{Handlers, Reading};
use crate::columns::Of;
use crate::current::LONGEST_OF_READER;
use crate::decide::decode;
use crate::wire::{membership, present};

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::ListMembershipsRequest>,
) -> Result<Response<pb::ListMembershipsResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let request = request.into_inner();
    let account = read::account(request.account.as_ref(), "account")?;
    let size = page::size(request.page_size)?;
    let bound = pb::ListMembershipsRequest {
        page_size: 0,
        page_token: String::new(),
        ..request.clone()
    };
    let after = handlers
        .pager
        .cursor(tenant.0, &bound, &request.page_token)?
        .unwrap_or_default();
    let reading = handlers.begin((tenant, ""), request.at.as_ref()).await?;
    reading.check_freshness(None)?;
    let Some(uid) = handlers.uid(&reading, &account).await? else {
        return Ok(Response::new(pb::ListMembershipsResponse {
            freshness: Some(reading.freshness(None)),
            ..pb::ListMembershipsResponse::default()
        }));
    };
    let (closed_on, zone) = (reading.view.currency.closed_on, &reading.view.zone);
    let mut memberships = Vec::new();
    if reading.at.is_now() {
        let rows = handlers.engine.memberships.of_account(tenant, uid).await;
        let rows = rows.map_err(store)?;
        memberships.extend(rows.iter().filter_map(|row| present(row, closed_on, zone)));
    } else {
        let (as_of, known_at) = reading.past();
        for known in &reading.view.segmentations {
            let row = handlers
                .engine
                .memberships
                .at(tenant, uid, known.number, as_of, known_at)
                .await
                .map_err(store)?;
            let transition = row.and_then(|row| decode(&row.transition));
            let past = transition.map(|transition| membership(transition, closed_on, zone));
            memberships.extend(past);
        }
    }
    memberships.retain(|one| one.segmentation > after);
    memberships.sort_by(|left, right| left.segmentation.cmp(&right.segmentation));
    memberships.truncate(size + 1);
    let more = memberships.len() > size;
    memberships.truncate(size);
    if reading.at.is_now() {
        handlers
            .explain_now(&reading, (&account, uid), &mut memberships)
            .await?;
    }
    let last = memberships.last().filter(|_| more);
    let next_page_token = last.map_or(String::new(), |last| {
        handlers.pager.token(tenant.0, &bound, &last.segmentation)
    });
    Ok(Response::new(pb::ListMembershipsResponse {
        memberships,
        next_page_token,
        freshness: Some(reading.freshness(None)),
    }))
}

impl Handlers {
    /// Adds why the account is where it is now.
    async fn explain_now(
        &self,
        reading: &Reading,
        (account, uid): (&ExternalId, AccountUid),
        memberships: &mut [pb::Membership],
    ) -> Result<(), Status> {
        if memberships.is_empty() {
            return Ok(());
        }
        let slice = Slice::of_account(account, reading.view.n_slices);
        let uids = vec![read::uid_bytes(uid)];
        let columns = self
            .engine
            .columns(reading.tenant, slice, Of::Present, uids)
            .await?;
        let state = self.engine.read(reading.tenant).await?;
        let mut tables = columns.tables.into_iter();
        let Some(table) = tables.next().filter(|table| table.num_rows() > 0) else {
            return Ok(());
        };
        let mut questions = Vec::with_capacity(memberships.len());
        for (place, one) in memberships.iter().enumerate() {
            let Some((state, of)) = state
                .as_ref()
                .and_then(|state| Some((state, state.by_key(&one.segmentation)?)))
            else {
                continue;
            };
            // It may have moved since the membership was read.
            let present = state.present(of.row.number, uid);
            if present.is_some_and(|present| *present.standing.segment == *one.segment) {
                let question = state.question(of, &table, &[0])?;
                questions.extend(question.map(|question| (place, question)));
            }
        }
        drop(state);
        // Side by side: one that is slow keeps no other waiting.
        let until = Deadline::after(LONGEST_OF_READER);
        let asked = questions.into_iter().map(|(place, question)| {
            blocking(move || {
                let reasons = question.asked(until).pop();
                Ok::<_, Problem>((place, reasons.unwrap_or_default()))
            })
        });
        for (place, reasons) in try_join_all(asked).await? {
            let membership = &mut memberships[place];
            membership.current_reasons = reasons;
        }
        Ok(())
    }
}
