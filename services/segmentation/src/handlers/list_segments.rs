use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use tonic::{Request, Response, Status};

use sextant_domain::feature::Feature;
use sextant_domain::id::TenantId;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_proto::segmentation::v1::MembershipState;
use sextant_runtime::tenant::tenant_of;
use sextant_store::port::RevisionState;
use sextant_wire::page;
use sextant_wire::status::{Problem, store};

use super::{Handlers, numeric_feature, offset};
use crate::registry::segment_definition;
use crate::segmenters::Published;
use crate::state::{TenantState, state as state_of};
use crate::tenant::dropped;

/// State and segment of a group of accounts.
type Group = (i32, String);

#[derive(Debug, Clone, Default)]
struct Totals {
    accounts: u64,
    /// Of these, those for which the segmenter has failed.
    unanswered: u64,
    /// Of each feature, in its summands, with the accounts of which it is known.
    sums: Vec<(f64, u64)>,
}

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::ListSegmentsRequest>,
) -> Result<Response<pb::ListSegmentsResponse>, Status> {
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
    request: &pb::ListSegmentsRequest,
) -> Result<pb::ListSegmentsResponse, Status> {
    let size = page::size(request.page_size)?;
    let bound = pb::ListSegmentsRequest {
        page_size: 0,
        page_token: String::new(),
        ..request.clone()
    };
    let skip = offset(
        handlers
            .pager
            .cursor(tenant.0, &bound, &request.page_token)?,
    )?;
    let skip = usize::try_from(skip).unwrap_or(usize::MAX);
    let reading = handlers
        .begin((tenant, &request.segmentation), request.at.as_ref())
        .await?;
    let known = reading.segmentation(&request.segmentation)?;
    let features = request
        .sum_features
        .iter()
        .map(|name| numeric_feature(name, "sum_features"))
        .collect::<Result<Vec<_>, _>>()?;
    let groups = if reading.at.is_now() {
        handlers
            .present_groups(tenant, known.number, &features)
            .await?
    } else if features.is_empty() {
        let (as_of, known_at) = reading.past();
        let counts = handlers
            .engine
            .memberships
            .counts_at(tenant, known.number, as_of, known_at)
            .await
            .map_err(store)?;
        let group = |state: u8, segment: String, accounts| {
            (
                (i32::from(state_of(state)), segment),
                Totals {
                    accounts,
                    unanswered: 0,
                    sums: Vec::new(),
                },
            )
        };
        counts
            .into_iter()
            .map(|count| group(count.state, count.segment, count.accounts))
            .collect()
    } else {
        return Err(past_sums().into());
    };
    let declared = handlers.declared((tenant, &request.segmentation)).await?;
    let published = handlers.engine.segmenters.published();
    let segments = definitions(declared, &groups, &published);
    let mut segments = summaries(segments, &groups, &features);
    let behind = skip.min(segments.len());
    segments.drain(..behind);
    let more = segments.len() > size;
    segments.truncate(size);
    let next = (behind + size).to_string();
    Ok(pb::ListSegmentsResponse {
        segments,
        accounts: groups.values().map(|totals| totals.accounts).sum(),
        freshness: Some(reading.freshness(Some(known))),
        next_page_token: if more {
            handlers.pager.token(tenant.0, &bound, &next)
        } else {
            String::new()
        },
    })
}

fn past_sums() -> Problem {
    Problem::field(
        ErrorReason::FieldInvalid,
        "sum_features",
        "are summed up for the present only, for features of a past moment are computed account by account; leave them out for sizes \
         alone, or ask GetRevenue for the revenue of that moment by segment",
    )
}

fn summaries(
    segments: Vec<pb::SegmentDefinition>,
    groups: &BTreeMap<Group, Totals>,
    features: &[Feature],
) -> Vec<pb::SegmentSummary> {
    let nobody = Totals {
        sums: vec![(0.0, 0); features.len()],
        ..Totals::default()
    };
    let summary = |state: MembershipState,
                   segment: Option<pb::SegmentDefinition>,
                   totals: &Totals| pb::SegmentSummary {
        segment,
        state: state.into(),
        accounts: totals.accounts,
        unanswered: totals.unanswered,
        sums: features
            .iter()
            .zip(&totals.sums)
            .map(|(feature, (sum, known))| pb::FeatureSum {
                feature: feature.name().to_owned(),
                sum: *sum / sextant_columns::summands_per_unit(*feature),
                known: *known,
            })
            .collect(),
    };
    let mut summaries: Vec<pb::SegmentSummary> = Vec::new();
    let member = MembershipState::Member;
    for segment in segments {
        let totals = groups.get(&(member.into(), segment.key.clone()));
        let totals = totals.unwrap_or(&nobody);
        summaries.push(summary(member, Some(segment), totals));
    }
    for rest in [MembershipState::None, MembershipState::Abstained] {
        if let Some(totals) = groups.get(&(rest.into(), String::new())) {
            summaries.push(summary(rest, None, totals));
        }
    }
    summaries
}

/// The segments of a segmentation, and those that have accounts and that its segmenter does not know, for an earlier version has put
/// them there: as some version declares them, and by their keys where none does.
fn definitions(
    (mut segments, segmenter_id): (Vec<pb::SegmentDefinition>, String),
    groups: &BTreeMap<Group, Totals>,
    published: &Published,
) -> Vec<pb::SegmentDefinition> {
    let versions = published.values();
    let versions = versions.filter(|told| told.segmenter_id == segmenter_id);
    let declared: Vec<_> = versions.flat_map(|told| &told.segments).collect();
    for (_, key) in groups.keys().filter(|(_, key)| !key.is_empty()) {
        if segments.iter().any(|segment| segment.key == *key) {
            continue;
        }
        let known = declared.iter().find(|segment| segment.key == *key);
        let unknown = || pb::SegmentDefinition {
            key: key.clone(),
            title: key.clone(),
            ..pb::SegmentDefinition::default()
        };
        segments.push(known.map_or_else(unknown, |known| pb::SegmentDefinition::clone(known)));
    }
    segments
}

impl Handlers {
    /// The segments of what all accounts of a segmentation are judged by, and the segmenter of that.
    async fn declared(
        &self,
        (tenant, key): (TenantId, &str),
    ) -> Result<(Vec<pb::SegmentDefinition>, String), Status> {
        let (row, known, is_judged) = {
            let state = self.engine.read(tenant).await?;
            let state = state.as_ref().ok_or_else(dropped)?;
            let Some(one) = state.by_key(key) else {
                return Ok(<_>::default());
            };
            let is_judged = state.judged_by(one) == one.row.version;
            (one.row.clone(), state.segments_judged(one), is_judged)
        };
        let (mut digest, mut segmenter_id) = (row.plugin_digest, row.segmenter_id);
        if !is_judged {
            // Something new decides, and has not judged them yet.
            let revisions = self.engine.revisions(tenant, row.number).await?;
            let mut revisions = revisions.into_iter();
            if let Some(before) = revisions.find(|one| one.state == RevisionState::Previous) {
                (digest, segmenter_id) = (before.digest, before.segmenter_id);
            }
        }
        if !known.is_empty() {
            return Ok((known.to_vec(), segmenter_id));
        }
        // It cannot be asked, and is known all the same.
        let segmenters = &self.engine.segmenters;
        let declared = match segmenters.built_in.get(&segmenter_id) {
            Ok(built_in) => {
                let segments = built_in.descriptor().segments.iter();
                segments.map(segment_definition).collect()
            },
            Err(_published) => {
                let published = segmenters.published();
                published
                    .get(&digest)
                    .map_or_else(Vec::new, |told| told.segments.clone())
            },
        };
        Ok((declared, segmenter_id))
    }

    async fn present_groups(
        &self,
        tenant: TenantId,
        number: u16,
        features: &[Feature],
    ) -> Result<BTreeMap<Group, Totals>, Status> {
        let tables = if features.is_empty() {
            Arc::default()
        } else {
            self.table(tenant).await?
        };
        let reading = self.engine.read_all(tenant, number).await?;
        let Some(state) = reading.as_ref() else {
            return Ok(BTreeMap::new());
        };
        Ok(totals(state, number, features, &tables))
    }
}

fn totals(
    state: &TenantState,
    number: u16,
    features: &[Feature],
    tables: &[RecordBatch],
) -> BTreeMap<Group, Totals> {
    let mut groups: BTreeMap<Group, Totals> = BTreeMap::new();
    let Some(present) = state.present.get(&number) else {
        return groups;
    };
    let empty = Totals {
        sums: vec![(0.0, 0); features.len()],
        ..Totals::default()
    };
    for one in present.values() {
        let group = (
            i32::from(one.standing.state),
            one.standing.segment.to_string(),
        );
        let totals = groups.entry(group).or_insert_with(|| empty.clone());
        totals.accounts += 1;
        totals.unanswered += u64::from(one.trouble.is_some());
    }
    for table in tables {
        for (row, uid) in sextant_columns::uids(table).iter().enumerate() {
            let Some(one) = present.get(uid) else {
                continue;
            };
            let Some(totals) = groups.get_mut(&(
                i32::from(one.standing.state),
                one.standing.segment.to_string(),
            )) else {
                continue;
            };
            for (feature, (sum, known)) in features.iter().zip(&mut totals.sums) {
                if let Some(value) = sextant_columns::summand(table, *feature, row) {
                    *sum += value;
                    *known += 1;
                }
            }
        }
    }
    groups
}
