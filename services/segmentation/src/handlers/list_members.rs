use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;
use prost::Message;
use tonic::{Request, Response, Status};

use sextant_domain::feature::Feature;
use sextant_domain::id::{AccountUid, ExternalId, Slice, TenantId};
use sextant_plugin_host::Deadline;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_runtime::blocking;
use sextant_runtime::tenant::tenant_of;
use sextant_store::port::Page;
use sextant_wire::page;
use sextant_wire::read::uid_bytes;
use sextant_wire::status::{Problem, store};

use super::{Handlers, Reading, feature, numeric_feature, offset};
use crate::columns::Of;
use crate::current::{LONGEST_OF_READER, Question};
use crate::decide::decode;
use crate::state::{TenantState, Use};
use crate::tenant::Reading as Looking;
use crate::wire::membership;

/// How often the features of a page are read, for other accounts have come to it, at most.
const MOST_READ: usize = 3;

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::ListMembersRequest>,
) -> Result<Response<pb::ListMembersResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let request = request.into_inner();
    let answer = handlers.of_one_version((tenant, &request.segmentation), || {
        answer(handlers, tenant, &request)
    });
    answer.await.map(Response::new)
}

async fn answer(
    handlers: &Handlers,
    tenant: TenantId,
    request: &pb::ListMembersRequest,
) -> Result<pb::ListMembersResponse, Status> {
    let reading = handlers
        .begin((tenant, &request.segmentation), request.at.as_ref())
        .await?;
    let known = reading.segmentation(&request.segmentation)?;
    check_segments(handlers, &reading, request).await?;
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
            .present_members(&reading, known.number, request, (size, cursor))
            .await?
    } else {
        handlers
            .past_members(
                &reading,
                known.number,
                request,
                Page {
                    after: cursor,
                    limit: size + 1,
                },
            )
            .await?
    };
    Ok(pb::ListMembersResponse {
        members,
        next_page_token: next.map_or(String::new(), |next| {
            handlers.pager.token(tenant.0, &bound, &next)
        }),
        freshness: Some(reading.freshness(Some(known))),
    })
}

async fn check_segments(
    handlers: &Handlers,
    reading: &Reading,
    request: &pb::ListMembersRequest,
) -> Result<(), Status> {
    let state = handlers.engine.read(reading.tenant).await?;
    let Some(state) = state.as_ref() else {
        return Ok(());
    };
    // Where something new is about to decide, accounts are in the segments of what decided before.
    let of = state.by_key(&request.segmentation);
    let of = of.filter(|of| state.judged_by(of) == of.row.version);
    let Some(one) = of.and_then(Use::usable) else {
        return Ok(());
    };
    let segments = &one.instance.descriptor().segments;
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

/// An account of a page, and where its features are: table and row.
struct Found {
    uid: AccountUid,
    place: Option<(usize, usize)>,
}

/// A page of the present: its accounts, and the tables that their features are in.
struct Chosen {
    page: Vec<Found>,
    tables: Arc<Vec<RecordBatch>>,
    /// More accounts follow.
    more: bool,
    /// How many are before the page; `None`: they are ordered by id, and what follows is behind the last one.
    skipped: Option<usize>,
}

impl Handlers {
    async fn present_members(
        &self,
        reading: &Reading,
        number: u16,
        request: &pb::ListMembersRequest,
        (size, cursor): (usize, Option<String>),
    ) -> Result<(Vec<pb::Member>, Option<String>), Status> {
        let by = request.order_by_feature.as_str();
        let order = (!by.is_empty())
            .then(|| numeric_feature(by, "order_by_feature"))
            .transpose()?;
        let shown = request
            .show_features
            .iter()
            .map(|name| feature(name, "show_features"))
            .collect::<Result<Vec<_>, _>>()?;
        let members = (number, request.segments.as_slice());
        let (looking, chosen) = if let Some(order) = order {
            let skip = usize::try_from(offset(cursor)?).unwrap_or(usize::MAX);
            let tables = self.table(reading.tenant).await?;
            let looking = self.engine.read_all(reading.tenant, number).await?;
            let chosen = looking
                .as_ref()
                .map(|state| by_feature(state, members, (order, tables), (skip, size)));
            (looking, chosen)
        } else {
            let of = (reading.tenant, members);
            self.page_by_id(of, (size, cursor.as_deref())).await?
        };
        let (Some(state), Some(chosen)) = (looking.as_ref(), chosen) else {
            return Ok((Vec::new(), None));
        };
        let questions = questions(state, &request.segmentation, &chosen)?;
        let answers_of = |found: &Found| {
            let present = state.present(number, found.uid)?;
            let transition = decode(&present.transition)?;
            let value = |feature: &Feature| {
                let (table, row) = found.place?;
                sextant_columns::value_text(chosen.tables.get(table)?, *feature, row)
            };
            Some(pb::Member {
                account_name: transition.account_name.clone(),
                membership: Some(pb::Membership {
                    trouble: present.trouble.as_deref().unwrap_or_default().to_owned(),
                    ..membership(
                        transition,
                        reading.view.currency.closed_on,
                        &reading.view.zone,
                    )
                }),
                feature_values: shown
                    .iter()
                    .map(|feature| value(feature).unwrap_or_default())
                    .collect(),
            })
        };
        let members: Vec<Option<pb::Member>> = chosen.page.iter().map(answers_of).collect();
        drop(looking);
        let members = with_reasons(members, questions).await?;
        let mut members: Vec<pb::Member> = members.into_iter().flatten().collect();
        let fitting = page::fitting(members.iter().map(Message::encoded_len));
        let more = chosen.more || fitting < members.len();
        members.truncate(fitting);
        let next = match chosen.skipped {
            Some(skipped) => Some(skipped.saturating_add(members.len()).to_string()),
            None => members.last().and_then(id_of),
        };
        Ok((members, next.filter(|_| more)))
    }

    /// A page of accounts by id, with the state that it is of and the features of these accounts alone. The tenant is free while those
    /// are read; where other accounts have come to the page meanwhile, they are read once more.
    async fn page_by_id(
        &self,
        (tenant, members): (TenantId, (u16, &[String])),
        (size, after): (usize, Option<&str>),
    ) -> Result<(Looking, Option<Chosen>), Status> {
        let (mut tables, mut asked) = (Vec::new(), BTreeSet::new());
        let mut reads = 0;
        loop {
            let looking = self.engine.read_all(tenant, members.0).await?;
            let Some(state) = looking.as_ref() else {
                return Ok((looking, None));
            };
            let chosen = by_id(state, members, size, after);
            let is_read = chosen.page.iter().all(|found| asked.contains(&found.uid));
            if is_read || reads == MOST_READ {
                let chosen = with_features(chosen, tables);
                return Ok((looking, Some(chosen)));
            }
            let by_slice = by_slice(state, &chosen.page);
            drop(looking);
            asked = chosen.page.iter().map(|found| found.uid).collect();
            tables = Vec::new();
            for (slice, uids) in by_slice {
                let columns = self.engine.columns(tenant, slice, Of::Present, uids);
                tables.extend(columns.await?.tables);
            }
            reads += 1;
        }
    }

    async fn past_members(
        &self,
        reading: &Reading,
        number: u16,
        request: &pb::ListMembersRequest,
        page: Page,
    ) -> Result<(Vec<pb::Member>, Option<String>), Status> {
        if !request.order_by_feature.is_empty() || !request.show_features.is_empty() {
            let field = if request.order_by_feature.is_empty() {
                "show_features"
            } else {
                "order_by_feature"
            };
            return Err(Problem::field(
                ErrorReason::FieldInvalid,
                field,
                "is for the present only, for features of a past moment are computed account by account; leave it out, or ask \
                 GetFeatures for those of an account",
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
        let fitting = page::fitting(rows.iter().map(|(_, row)| row.transition.len()));
        let size = fitting.min(page.limit - 1);
        let more = rows.len() > size;
        rows.truncate(size);
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

/// The accounts of a page by the slice that they are in.
fn by_slice(state: &TenantState, page: &[Found]) -> BTreeMap<Slice, Vec<Bytes>> {
    let mut by_slice: BTreeMap<Slice, Vec<Bytes>> = BTreeMap::new();
    for found in page {
        let names = state.names.get(&found.uid);
        if let Some(Ok(id)) = names.map(|names| ExternalId::parse(&names.id)) {
            let slice = Slice::of_account(&id, state.n_slices);
            let uids = by_slice.entry(slice).or_default();
            uids.push(uid_bytes(found.uid));
        }
    }
    by_slice
}

/// A page with the features of its accounts.
fn with_features(mut chosen: Chosen, tables: Vec<RecordBatch>) -> Chosen {
    let mut places = HashMap::new();
    for (at, table) in tables.iter().enumerate() {
        let rows = sextant_columns::uids(table).into_iter().enumerate();
        places.extend(rows.map(|(row, uid)| (uid, (at, row))));
    }
    for found in &mut chosen.page {
        found.place = places.get(&found.uid).copied();
    }
    Chosen {
        tables: Arc::new(tables),
        ..chosen
    }
}

fn id_of(member: &pb::Member) -> Option<String> {
    let account = member.membership.as_ref()?.account.as_ref()?;
    Some(account.id.clone())
}

/// A question about some accounts of a page, and where in it they are.
type Placed = (Vec<usize>, Question);

/// Why the accounts of a page are where they are now.
fn questions(state: &TenantState, key: &str, chosen: &Chosen) -> Result<Vec<Placed>, Problem> {
    let Some(of) = state.by_key(key) else {
        return Ok(Vec::new());
    };
    let tables = chosen.tables.iter().enumerate().map(|(at, table)| {
        let in_table = |(index, found): (usize, &Found)| {
            let (table, row) = found.place?;
            (table == at).then_some((index, row))
        };
        let page = chosen.page.iter().enumerate();
        let (places, rows): (Vec<usize>, Vec<usize>) = page.filter_map(in_table).unzip();
        (table, places, rows)
    });
    let mut questions = Vec::new();
    for (table, places, rows) in tables.filter(|(_, places, _)| !places.is_empty()) {
        let question = state.question(of, table, &rows)?;
        questions.extend(question.map(|question| (places, question)));
    }
    Ok(questions)
}

/// The members of a page with why they are where they are now.
async fn with_reasons(
    mut members: Vec<Option<pb::Member>>,
    questions: Vec<Placed>,
) -> Result<Vec<Option<pb::Member>>, Problem> {
    blocking(move || {
        let until = Deadline::after(LONGEST_OF_READER);
        for (places, question) in questions {
            for (place, reasons) in places.into_iter().zip(question.asked(until)) {
                let member = members[place].as_mut();
                if let Some(of) = member.and_then(|member| member.membership.as_mut()) {
                    of.current_reasons = reasons;
                }
            }
        }
        Ok(members)
    })
    .await
}

/// True: the account is in one of these segments. Where none is named, every account that was evaluated is listed, whatever came
/// of it, as it is of the past.
fn is_listed(state: &TenantState, (number, segments): (u16, &[String]), uid: AccountUid) -> bool {
    let wanted = |segment: &str| segments.iter().any(|key| key == segment);
    state.present(number, uid).is_some_and(|present| {
        segments.is_empty() || present.standing.member_of().is_some_and(wanted)
    })
}

/// The page of members that follows an external id.
fn by_id(
    state: &TenantState,
    members: (u16, &[String]),
    size: usize,
    after: Option<&str>,
) -> Chosen {
    let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
    let accounts = state.uids.range::<str, _>((begin, Bound::Unbounded));
    let accounts = accounts.filter(|(_, uid)| is_listed(state, members, **uid));
    let mut found: Vec<(&Arc<str>, &AccountUid)> = accounts.take(size.saturating_add(1)).collect();
    let more = found.len() > size;
    found.truncate(size);
    Chosen {
        more,
        skipped: None,
        page: found
            .iter()
            .map(|(_, uid)| Found {
                uid: **uid,
                place: None,
            })
            .collect(),
        tables: Arc::default(),
    }
}

/// The page of members behind so many others, the greatest value first, equal ones by external id.
fn by_feature(
    state: &TenantState,
    members: (u16, &[String]),
    (order, tables): (Feature, Arc<Vec<RecordBatch>>),
    (skip, size): (usize, usize),
) -> Chosen {
    let mut found = Vec::new();
    for (at, table) in tables.iter().enumerate() {
        for (row, uid) in sextant_columns::uids(table).into_iter().enumerate() {
            if is_listed(state, members, uid) {
                let value = sextant_columns::number(table, order, row);
                found.push((value.unwrap_or(f64::NEG_INFINITY), uid, (at, row)));
            }
        }
    }
    let name = |uid: &AccountUid| Some(&state.names.get(uid)?.id);
    let by_value = |left: &(f64, AccountUid, _), right: &(f64, AccountUid, _)| {
        right
            .0
            .total_cmp(&left.0)
            .then_with(|| name(&left.1).cmp(&name(&right.1)))
    };
    // Only the page is put in order, not all that is before and behind it.
    let end = skip.saturating_add(size);
    let more = end < found.len();
    let mut page: &mut [_] = &mut found;
    if end < page.len() {
        page = page.select_nth_unstable_by(end, by_value).0;
    }
    if skip > 0 && skip < page.len() {
        page.select_nth_unstable_by(skip, by_value);
    }
    let page = page.get_mut(skip..).unwrap_or_default();
    page.sort_unstable_by(by_value);
    let page = page.iter().map(|(_, uid, place)| Found {
        uid: *uid,
        place: Some(*place),
    });
    Chosen {
        more,
        skipped: Some(skip),
        page: page.collect(),
        tables,
    }
}
