//! What is stored and answered, beside what the oracle says.

use std::collections::BTreeMap;

use prost_types::Timestamp;

use sextant::client::Client;
use sextant_proto::common::v1::{Date, ReadAt};
use sextant_proto::ingestion::v1::{ListSourcesRequest, Source};
use sextant_proto::metrics::v1::{GetChurnRequest, GetWaterfallRequest, ListMovementsRequest};
use sextant_proto::scoring::v1::feature::Value;
use sextant_proto::segmentation::v1::{
    ListMembersRequest, ListTransitionsRequest, Membership, Reason,
};

use crate::worlds::oracle::{Change, Moved, Oracle, VALUES};
use crate::worlds::records::{ask, features, later, now, revenue, score};
use crate::worlds::story::{DAYS, Life, START};

/// More than there are accounts and changes.
const ALL: i32 = 1_000;
/// Days in whose early morning memberships are read as they are known now: all clocks stood at noon.
const PAST_DAYS: [usize; 4] = [20, 40, 50, 59];

async fn counts(client: &Client) -> Source {
    let request = client.request(ListSourcesRequest::default());
    let answer = client.sources().list_sources(request).await;
    let mut sources = answer.unwrap().into_inner().sources;
    assert_eq!(sources.len(), 1);
    sources.remove(0)
}

/// Of a tenant whose clock stands at noon of the last day, with `lifecycle` and the segmentations [`VALUES`].
pub(crate) async fn compare(client: &Client, oracle: &Oracle, n_records: usize, position: &str) {
    let counts = counts(client).await;
    assert_eq!(
        (
            counts.accepted,
            counts.held,
            counts.rejected,
            counts.conflict
        ),
        (u64::try_from(n_records).unwrap(), 0, 0, 0)
    );
    let at = now(position);
    compare_scoring(client, oracle, &at).await;
    compare_segments(client, oracle, &at).await;
    compare_metrics(client, oracle, &at).await;
}

async fn compare_scoring(client: &Client, oracle: &Oracle, at: &ReadAt) {
    let bands = oracle.bands();
    for life in &oracle.lives {
        let name = &life.name;
        let found = features(client, name, at).await;
        let expected = [
            ("usage.events_28d", Some(life.events_28d(DAYS))),
            ("usage.active_days_28d", Some(life.active_days_28d(DAYS))),
            ("usage.active_users_28d", Some(life.active_users_28d(DAYS))),
            ("revenue.mrr_minor", life.mrr_minor(DAYS)),
        ];
        for (feature, expected) in expected {
            let expected = expected.map(Value::Integer);
            assert_eq!(found[feature], expected, "{feature} of {name}");
        }
        let percentile = oracle.percentile(life).map(|percent| percent as f64);
        assert_eq!(
            found["revenue.mrr_percentile"],
            percentile.map(Value::Number),
            "{name}"
        );
        let score = score(client, name, "rfm", at).await.unwrap();
        let band = bands.get(name).map_or("", String::as_str);
        assert_eq!(score.band, band, "{name}: {score:?}");
    }
}

/// All memberships of a segmentation by account.
pub(crate) async fn members(
    client: &Client,
    segmentation: &str,
    at: &ReadAt,
) -> BTreeMap<String, Membership> {
    let request = ListMembersRequest {
        segmentation: segmentation.to_owned(),
        at: Some(at.clone()),
        page_size: ALL,
        ..ListMembersRequest::default()
    };
    let members = ask!(client, segmentation.list_members, request).members;
    let by_account = members.into_iter().map(|member| {
        let membership = member.membership.unwrap();
        (membership.account.clone().unwrap().id, membership)
    });
    by_account.collect()
}

async fn compare_segments(client: &Client, oracle: &Oracle, at: &ReadAt) {
    let found = members(client, "lifecycle", at).await;
    assert_eq!(found.len(), oracle.lives.len());
    for life in &oracle.lives {
        let (name, membership) = (&life.name, &found[&life.name]);
        assert_eq!(membership.segment, life.stage(), "{name}");
        says_why(&membership.current_reasons, life, life.stage(), DAYS);
    }
    for day in PAST_DAYS {
        let at = ReadAt {
            as_of: Some(later(START, day * 24 + 6)),
            ..at.clone()
        };
        let found = members(client, "lifecycle", &at).await;
        for life in &oracle.lives {
            let (name, stage) = (&life.name, life.stage_at_close(day - 1));
            assert_eq!(found[name].segment, stage, "{name} on day {day}");
        }
    }
    let [amounts, ranks] = VALUES.map(|(key, _)| key);
    let by_amount = members(client, amounts, at).await;
    let by_rank = members(client, ranks, at).await;
    for life in &oracle.lives {
        let name = &life.name;
        let tiers = [&by_amount, &by_rank]
            .map(|found| found.get(name).map_or("", |member| member.segment.as_str()));
        let expected = [life.tier(), oracle.rank(life)].map(Option::unwrap_or_default);
        assert_eq!(tiers, expected, "{name}");
    }
}

#[track_caller]
fn says_why(reasons: &[Reason], life: &Life, stage: &str, day: usize) {
    for (feature, value) in life.reasons(stage, day) {
        let is_there = reasons
            .iter()
            .any(|reason| reason.feature == feature && reason.value == value);
        assert!(
            is_there,
            "{feature} of {} is {value}: {reasons:?}",
            life.name
        );
    }
}

/// Who moved since a day, when and why, where facts came after the closes that they are about.
pub(crate) async fn compare_moves(client: &Client, oracle: &Oracle, since: usize, position: &str) {
    let request = ListTransitionsRequest {
        segmentation: "lifecycle".to_owned(),
        since: Some(later(START, since * 24)),
        at: Some(now(position)),
        page_size: ALL,
        ..ListTransitionsRequest::default()
    };
    let transitions = ask!(client, segmentation.list_transitions, request).transitions;
    let mut moves = Vec::new();
    for one in transitions {
        let (account, day) = (one.account.unwrap().id, day_of(one.at));
        let life = oracle.lives.iter().find(|life| life.name == account);
        says_why(&one.reasons, life.unwrap(), &one.to_segment, day);
        moves.push(Moved {
            account,
            day,
            stages: [one.from_segment, one.to_segment],
            is_late: one.correction,
        });
    }
    moves.sort();
    assert_eq!(moves, oracle.moves(since..DAYS));
}

/// The day of the story that a moment is in.
fn day_of(moment: Option<Timestamp>) -> usize {
    let seconds = moment.unwrap().seconds - later(START, 0).seconds;
    usize::try_from(seconds / 86_400).unwrap()
}

async fn compare_metrics(client: &Client, oracle: &Oracle, at: &ReadAt) {
    let total = revenue(client, at).await.total.unwrap();
    assert_eq!(total.mrr_minor, oracle.mrr_minor());

    let request = ListMovementsRequest {
        at: Some(at.clone()),
        page_size: ALL,
        ..ListMovementsRequest::default()
    };
    let listed = ask!(client, metrics.list_movements, request).movements;
    let mut changes: Vec<Change> = listed
        .into_iter()
        .map(|one| Change {
            account: one.account.unwrap().id,
            day: day_of(one.at),
            kind: one.kind,
            cause: one.cause,
            delta_exact: one.delta_exact,
        })
        .collect();
    changes.sort();
    assert_eq!(changes, oracle.changes());

    let request = GetWaterfallRequest {
        months: 3,
        at: Some(at.clone()),
        ..GetWaterfallRequest::default()
    };
    let months = ask!(client, metrics.get_waterfall, request).months;
    assert_eq!(months, oracle.waterfall());
    let mut end_exact = 0;
    for month in months {
        assert_eq!(month.start_exact, end_exact, "{month:?}");
        end_exact =
            month.start_exact + month.new_exact + month.reactivation_exact + month.expansion_exact
                - month.contraction_exact
                - month.churn_exact
                + month.fx_revaluation_exact
                + month.restatement_exact;
        assert_eq!(month.end_exact, end_exact, "{month:?}");
    }

    let march = |day| {
        Some(Date {
            year: 2026,
            month: 3,
            day,
        })
    };
    let request = GetChurnRequest {
        first_day: march(1),
        last_day: march(2),
        segmentation: "lifecycle".to_owned(),
        at: Some(at.clone()),
    };
    let answer = ask!(client, metrics.get_churn, request);
    let mut churn = vec![answer.total.unwrap()];
    churn.extend(answer.segments);
    assert_eq!(churn, oracle.churn());
}
