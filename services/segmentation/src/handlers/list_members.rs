use arrow_array::RecordBatch;
use tonic::{Request, Response, Status};

use sextant_domain::feature::Feature;
use sextant_domain::id::AccountUid;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_runtime::tenant::tenant_of;
use sextant_store::port::Page;
use sextant_wire::page;
use sextant_wire::status::{Problem, store};

use super::{Handlers, Reading, feature, offset};
use crate::decide::decode;
use crate::state::TenantState;
use crate::wire::membership;

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::ListMembersRequest>,
) -> Result<Response<pb::ListMembersResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let request = request.into_inner();
    let reading = handlers.begin(tenant, request.at.as_ref()).await?;
    let known = reading.segmentation(&request.segmentation)?;
    check_segments(handlers, &reading, &request).await?;
    let bound = pb::ListMembersRequest {
        page_size: 0,
        page_token: String::new(),
        ..request.clone()
    };
    let cursor = handlers
        .pager
        .cursor(tenant.0, &bound, &request.page_token)?;
    let size = page::size(request.page_size)?;
    let (members, next) = if reading.at.is_now() {
        handlers
            .present_members(&reading, known.number, &request, (size, offset(cursor)?))
            .await?
    } else {
        handlers
            .past_members(
                &reading,
                known.number,
                &request,
                Page {
                    after: cursor,
                    limit: size + 1,
                },
            )
            .await?
    };
    Ok(Response::new(pb::ListMembersResponse {
        members,
        next_page_token: next.map_or(String::new(), |next| {
            handlers.pager.token(tenant.0, &bound, &next)
        }),
        freshness: Some(reading.freshness(known.version)),
    }))
}

async fn check_segments(
    handlers: &Handlers,
    reading: &Reading,
    request: &pb::ListMembersRequest,
) -> Result<(), Status> {
    let state = handlers.engine.read(reading.tenant).await?;
    let Some(one) = state
        .as_ref()
        .and_then(|state| state.by_key(&request.segmentation))
    else {
        return Ok(());
    };
    let segments = &one.plugin.descriptor().segments;
    if let Some(unknown) = request
        .segments
        .iter()
        .find(|key| segments.iter().all(|segment| segment.key != **key))
    {
        let known: Vec<&str> = segments
            .iter()
            .map(|segment| segment.key.as_str())
            .collect();
        let message = format!(
            "segment \"{unknown}\" is not known; there are: {}",
            known.join(", ")
        );
        return Err(Problem::field(ErrorReason::SegmentUnknown, "segments", message).into());
    }
    Ok(())
}

/// Where a feature of an account is found: table and row.
struct Found<'a> {
    uid: AccountUid,
    table: &'a RecordBatch,
    row: usize,
    order: f64,
}

impl Handlers {
    async fn present_members(
        &self,
        reading: &Reading,
        number: u16,
        request: &pb::ListMembersRequest,
        (size, skip): (usize, u64),
    ) -> Result<(Vec<pb::Member>, Option<String>), Status> {
        let order = if request.order_by_feature.is_empty() {
            None
        } else {
            Some(feature(&request.order_by_feature, "order_by_feature")?)
        };
        let shown = request
            .show_features
            .iter()
            .map(|name| feature(name, "show_features"))
            .collect::<Result<Vec<_>, _>>()?;
        let (writing, tables) = self.table(reading.tenant).await?;
        let state = writing.downgrade();
        let Some(state) = state.as_ref() else {
            return Ok((Vec::new(), None));
        };
        let mut found = candidates(state, number, &request.segments, &tables, order);
        let name = |uid: &AccountUid| state.names.get(uid).map(|names| &names.id);
        found.sort_by(|left, right| {
            right
                .order
                .total_cmp(&left.order)
                .then_with(|| name(&left.uid).cmp(&name(&right.uid)))
        });
        let skip_rows = usize::try_from(skip).unwrap_or(usize::MAX);
        let members = found.iter().skip(skip_rows).take(size).filter_map(|found| {
            let transition = decode(&state.present(number, found.uid)?.transition)?;
            Some(pb::Member {
                account_name: transition.account_name.clone(),
                membership: Some(membership(
                    transition,
                    reading.view.currency.closed_on,
                    &reading.view.zone,
                )),
                feature_values: shown
                    .iter()
                    .map(|feature| {
                        sextant_columns::value_text(found.table, *feature, found.row)
                            .unwrap_or_default()
                    })
                    .collect(),
            })
        });
        let next = skip_rows.saturating_add(size);
        Ok((
            members.collect(),
            (next < found.len()).then(|| next.to_string()),
        ))
    }

    async fn past_members(
        &self,
        reading: &Reading,
        number: u16,
        request: &pb::ListMembersRequest,
        page: Page,
    ) -> Result<(Vec<pb::Member>, Option<String>), Status> {
        if !request.order_by_feature.is_empty() || !request.show_features.is_empty() {
            return Err(Problem::field(
                ErrorReason::FieldInvalid,
                "order_by_feature",
                "and show_features are for the present only",
            )
            .into());
        }
        let memberships = &self.engine.memberships;
        let mut rows = memberships
            .members_at(
                reading.tenant,
                number,
                &request.segments,
                reading.past(),
                &page,
            )
            .await
            .map_err(store)?;
        let more = rows.len() == page.limit;
        rows.truncate(page.limit - 1);
        let next = rows
            .last()
            .filter(|_| more)
            .map(|(account, _)| account.id.to_string());
        let members = rows.into_iter().filter_map(|(account, row)| {
            let transition = decode(&row.transition)?;
            Some(pb::Member {
                account_name: account.name,
                membership: Some(membership(
                    transition,
                    reading.view.currency.closed_on,
                    &reading.view.zone,
                )),
                feature_values: Vec::new(),
            })
        });
        Ok((members.collect(), next))
    }
}

fn candidates<'a>(
    state: &TenantState,
    number: u16,
    segments: &[String],
    tables: &'a [RecordBatch],
    order: Option<Feature>,
) -> Vec<Found<'a>> {
    let wanted = |segment: &str| segments.is_empty() || segments.iter().any(|key| key == segment);
    let mut found = Vec::new();
    for table in tables {
        for (row, uid) in sextant_columns::uids(table).into_iter().enumerate() {
            if state
                .present(number, uid)
                .is_some_and(|present| present.standing.member_of().is_some_and(wanted))
            {
                let order = order.map_or(0.0, |feature| {
                    sextant_columns::number(table, feature, row).unwrap_or(f64::NEG_INFINITY)
                });
                found.push(Found {
                    uid,
                    table,
                    row,
                    order,
                });
            }
        }
    }
    found
}
