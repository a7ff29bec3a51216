//! Every read of accounts, scoring, segmentation and metrics, by the name of its method.

use std::fmt::Debug;
use std::time::Duration;

use tokio::time::timeout;
use tonic::Status;

use sextant::client::Client;
use sextant_columns::Export;
use sextant_proto::common::v1::{Date, Freshness, ReadAt};
use sextant_proto::ingestion::v1 as ingestion;
use sextant_proto::methods;
use sextant_proto::metrics::v1 as metrics;
use sextant_proto::scoring::v1 as scoring;
use sextant_proto::segmentation::v1 as segmentation;

use crate::worlds::records::entity;

/// What is asked about.
pub(crate) const ACCOUNT: &str = "acme";
pub(crate) const LIFECYCLE: &str = "lifecycle";
/// Longest wait for transitions that are stored.
const LONGEST_WATCH: Duration = Duration::from_secs(30);

/// How a read is made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    pub(crate) at: Option<ReadAt>,
    pub(crate) page_size: i32,
    pub(crate) page_token: String,
    pub(crate) resume_after: String,
    /// Transitions that a watch waits for.
    pub(crate) n_transitions: usize,
}

/// An answer, and what of it can be passed on.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) text: String,
    pub(crate) position: Option<String>,
    pub(crate) next_page_token: Option<String>,
}

impl Read {
    fn of(answer: &impl Debug) -> Self {
        Self {
            text: format!("{answer:?}"),
            position: None,
            next_page_token: None,
        }
    }

    fn about(self, freshness: Option<&Freshness>) -> Self {
        Self {
            position: Some(freshness.unwrap().position.clone()),
            ..self
        }
    }

    fn paged(self, next_page_token: &str) -> Self {
        Self {
            next_page_token: Some(next_page_token.to_owned()),
            ..self
        }
    }
}

/// `call!(client, scoring.get_clock, request)` is an answer or its refusal.
macro_rules! call {
    ($client:expr, $service:ident . $rpc:ident, $request:expr) => {
        $client
            .$service()
            .$rpc($client.request($request))
            .await?
            .into_inner()
    };
}

fn day(month: i32, day: i32) -> Option<Date> {
    Some(Date {
        year: 2026,
        month,
        day,
    })
}

/// All methods that read, in an order in which those that cannot wait for a position come after one that can.
pub(crate) fn reads() -> Vec<&'static str> {
    let all = [
        methods::INGESTION_ACCOUNT_SERVICE,
        methods::SCORING_SCORING_SERVICE,
        methods::SCORING_CLOCK_SERVICE,
        methods::SEGMENTATION_SEGMENTATION_SERVICE,
        methods::METRICS_METRICS_SERVICE,
    ]
    .concat();
    let (mut reads, changes): (Vec<&str>, Vec<&str>) = all.into_iter().partition(|method| {
        ["Get", "List", "Watch"]
            .iter()
            .any(|verb| method.starts_with(verb))
    });
    assert_eq!(changes, ["CreateSegmentation"], "change the new one too");
    reads.sort_by_key(|method| !takes_a_position(method));
    reads
}

pub(crate) fn takes_a_position(method: &str) -> bool {
    !matches!(
        method,
        "GetClock"
            | "ListFeatureDefinitions"
            | "ListModels"
            | "ListSegmenters"
            | "ListSegmentations"
            | "WatchTransitions"
    )
}

/// What every tenant is told alike.
pub(crate) fn is_of_the_program(method: &str) -> bool {
    matches!(method, "ListFeatureDefinitions" | "ListSegmenters")
}

pub(crate) async fn read(
    client: Client,
    method: &'static str,
    given: Given,
) -> Result<Read, Status> {
    if methods::INGESTION_ACCOUNT_SERVICE.contains(&method) {
        read_accounts(&client, method, given).await
    } else if methods::METRICS_METRICS_SERVICE.contains(&method) {
        read_metrics(&client, method, given).await
    } else if methods::SEGMENTATION_SEGMENTATION_SERVICE.contains(&method) {
        read_segmentation(&client, method, given).await
    } else {
        read_scoring(&client, method, given).await
    }
}

async fn read_accounts(client: &Client, method: &str, given: Given) -> Result<Read, Status> {
    let (account, at) = (entity(ACCOUNT), given.at);
    let (page_size, page_token) = (given.page_size, given.page_token);
    Ok(match method {
        "GetAccount" => {
            let request = ingestion::GetAccountRequest { account, at };
            let answer = call!(client, accounts.get_account, request);
            Read::of(&answer).about(answer.freshness.as_ref())
        },
        "GetHierarchy" => {
            let request = ingestion::GetHierarchyRequest { account, at };
            let answer = call!(client, accounts.get_hierarchy, request);
            Read::of(&answer).about(answer.freshness.as_ref())
        },
        "ListAccounts" => {
            let request = ingestion::ListAccountsRequest {
                at,
                page_size,
                page_token,
                ..Default::default()
            };
            let answer = call!(client, accounts.list_accounts, request);
            Read::of(&answer)
                .about(answer.freshness.as_ref())
                .paged(&answer.next_page_token)
        },
        "ListInvoices" => {
            let request = ingestion::ListInvoicesRequest {
                account,
                at,
                page_size,
                page_token,
            };
            let answer = call!(client, accounts.list_invoices, request);
            Read::of(&answer)
                .about(answer.freshness.as_ref())
                .paged(&answer.next_page_token)
        },
        "ListPayments" => {
            let request = ingestion::ListPaymentsRequest {
                account,
                at,
                page_size,
                page_token,
            };
            let answer = call!(client, accounts.list_payments, request);
            Read::of(&answer)
                .about(answer.freshness.as_ref())
                .paged(&answer.next_page_token)
        },
        "ListTimeline" => {
            let request = ingestion::ListTimelineRequest {
                account,
                at,
                page_size,
                page_token,
                ..Default::default()
            };
            let answer = call!(client, accounts.list_timeline, request);
            Read::of(&answer)
                .about(answer.freshness.as_ref())
                .paged(&answer.next_page_token)
        },
        _ => panic!("read {method} here too"),
    })
}

async fn read_scoring(client: &Client, method: &str, given: Given) -> Result<Read, Status> {
    let (account, at) = (entity(ACCOUNT), given.at);
    let (page_size, page_token) = (given.page_size, given.page_token);
    Ok(match method {
        "GetFeatures" => {
            let request = scoring::GetFeaturesRequest { account, at };
            let answer = call!(client, scoring.get_features, request);
            Read::of(&answer).about(answer.freshness.as_ref())
        },
        "ListFeatures" => {
            let request = scoring::ListFeaturesRequest {
                at,
                page_size,
                page_token,
            };
            let answer = call!(client, scoring.list_features, request);
            let export = Export::of_pages(&[&answer.arrow_ipc]).unwrap();
            let rows = (0..export.n_accounts()).map(|row| export.texts(row).unwrap());
            Read::of(&(rows.collect::<Vec<_>>(), &answer.freshness))
                .about(answer.freshness.as_ref())
                .paged(&answer.next_page_token)
        },
        "GetScores" => {
            let request = scoring::GetScoresRequest { account, at };
            let answer = call!(client, scoring.get_scores, request);
            Read::of(&answer).about(answer.freshness.as_ref())
        },
        "ListFeatureDefinitions" => {
            let request = scoring::ListFeatureDefinitionsRequest {
                page_size,
                page_token,
            };
            let answer = call!(client, scoring.list_feature_definitions, request);
            Read::of(&answer).paged(&answer.next_page_token)
        },
        "ListModels" => {
            let request = scoring::ListModelsRequest {
                page_size,
                page_token,
            };
            let answer = call!(client, scoring.list_models, request);
            Read::of(&answer).paged(&answer.next_page_token)
        },
        "GetClock" => Read::of(&call!(
            client,
            clock.get_clock,
            scoring::GetClockRequest::default()
        )),
        _ => panic!("read {method} here too"),
    })
}

async fn read_segmentation(client: &Client, method: &str, given: Given) -> Result<Read, Status> {
    let (account, at) = (entity(ACCOUNT), given.at.clone());
    let (page_size, page_token) = (given.page_size, given.page_token.clone());
    let segmentation = LIFECYCLE.to_owned();
    Ok(match method {
        "ListSegmenters" => {
            let request = segmentation::ListSegmentersRequest {
                page_size,
                page_token,
            };
            let answer = call!(client, segmentation.list_segmenters, request);
            Read::of(&answer).paged(&answer.next_page_token)
        },
        "ListSegmentations" => {
            let request = segmentation::ListSegmentationsRequest {
                page_size,
                page_token,
            };
            let answer = call!(client, segmentation.list_segmentations, request);
            Read::of(&answer).paged(&answer.next_page_token)
        },
        "ListSegments" => {
            let request = segmentation::ListSegmentsRequest {
                segmentation,
                at,
                sum_features: vec!["revenue.mrr_minor".to_owned()],
                page_size,
                page_token,
            };
            let answer = call!(client, segmentation.list_segments, request);
            Read::of(&answer)
                .about(answer.freshness.as_ref())
                .paged(&answer.next_page_token)
        },
        "GetMembership" => {
            let request = segmentation::GetMembershipRequest {
                account,
                segmentation,
                at,
            };
            let answer = call!(client, segmentation.get_membership, request);
            let (membership, freshness) = (answer.membership(), answer.freshness().unwrap());
            Read::of(&(membership.unwrap(), &freshness)).about(Some(&freshness))
        },
        "ListMemberships" => {
            let request = segmentation::ListMembershipsRequest {
                account,
                at,
                page_size,
                page_token,
            };
            let answer = call!(client, segmentation.list_memberships, request);
            Read::of(&answer)
                .about(answer.freshness.as_ref())
                .paged(&answer.next_page_token)
        },
        "ListMembers" => {
            let request = segmentation::ListMembersRequest {
                segmentation,
                at,
                show_features: vec!["usage.events_28d".to_owned()],
                page_size,
                page_token,
                ..segmentation::ListMembersRequest::default()
            };
            let answer = call!(client, segmentation.list_members, request);
            Read::of(&answer)
                .about(answer.freshness.as_ref())
                .paged(&answer.next_page_token)
        },
        "ListTransitions" | "WatchTransitions" => {
            return read_transitions(client, method, given).await;
        },
        _ => panic!("read {method} here too"),
    })
}

async fn read_transitions(client: &Client, method: &str, given: Given) -> Result<Read, Status> {
    if method == "ListTransitions" {
        let request = segmentation::ListTransitionsRequest {
            at: given.at,
            page_size: given.page_size,
            page_token: given.page_token,
            ..segmentation::ListTransitionsRequest::default()
        };
        let answer = call!(client, segmentation.list_transitions, request);
        return Ok(Read::of(&answer)
            .about(answer.freshness.as_ref())
            .paged(&answer.next_page_token));
    }
    let request = segmentation::WatchTransitionsRequest {
        segmentation: String::new(),
        resume_after: given.resume_after,
    };
    let mut service = client.segmentation();
    let watching = service.watch_transitions(client.stream(request)).await?;
    let (mut watching, mut told) = (watching.into_inner(), Vec::new());
    // The first message says where the watch begins; it tells of foreign resume tokens, too.
    let mut token = String::new();
    while token.is_empty() || told.len() < given.n_transitions {
        let message = timeout(LONGEST_WATCH, watching.message()).await.unwrap()?;
        let message = message.unwrap();
        token = message.resume_token;
        told.extend(message.transitions);
    }
    Ok(Read {
        position: Some(token),
        ..Read::of(&told)
    })
}

async fn read_metrics(client: &Client, method: &str, given: Given) -> Result<Read, Status> {
    let (at, segmentation) = (given.at, LIFECYCLE.to_owned());
    Ok(match method {
        "GetRevenue" => {
            let request = metrics::GetRevenueRequest { at, segmentation };
            let answer = call!(client, metrics.get_revenue, request);
            Read::of(&answer).about(answer.freshness.as_ref())
        },
        "GetWaterfall" => {
            let request = metrics::GetWaterfallRequest {
                last_month: day(1, 1),
                months: 2,
                at,
                segmentation,
            };
            let answer = call!(client, metrics.get_waterfall, request);
            Read::of(&answer).about(answer.freshness.as_ref())
        },
        "GetChurn" => {
            let request = metrics::GetChurnRequest {
                first_day: day(1, 15),
                last_day: day(1, 31),
                segmentation,
                at,
            };
            let answer = call!(client, metrics.get_churn, request);
            Read::of(&answer).about(answer.freshness.as_ref())
        },
        "ListMovements" => {
            let request = metrics::ListMovementsRequest {
                at,
                page_size: given.page_size,
                page_token: given.page_token,
                segmentation,
                ..metrics::ListMovementsRequest::default()
            };
            let answer = call!(client, metrics.list_movements, request);
            Read::of(&answer)
                .about(answer.freshness.as_ref())
                .paged(&answer.next_page_token)
        },
        _ => panic!("read {method} here too"),
    })
}
