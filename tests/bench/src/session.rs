//! Calls to the product, as any client would make them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};
use uuid::Uuid;

use sextant_proto::common::v1::{EntityKind, EntityRef, ReadAt};
use sextant_proto::ingestion::v1::ingestion_service_client::IngestionServiceClient;
use sextant_proto::ingestion::v1::tenant_service_client::TenantServiceClient;
use sextant_proto::ingestion::v1::{
    CompleteImportRequest, CreateTenantRequest, HistorySchedule, IngestOptions, IngestRequest,
    IngestResponse, Record, StartImportRequest, Tenant, VerdictKind,
};
use sextant_proto::scoring::v1::GetFeaturesRequest;
use sextant_proto::scoring::v1::scoring_service_client::ScoringServiceClient;
use sextant_proto::segmentation::v1::segmentation_service_client::SegmentationServiceClient;
use sextant_proto::segmentation::v1::segmenter_service_client::SegmenterServiceClient;
use sextant_proto::segmentation::v1::{
    CreateSegmentationRequest, GetMembershipRequest, GetMembershipResponse, ListSegmentsRequest,
    Segmentation,
};

use crate::program::Served;

const DEADLINE: Duration = Duration::from_secs(30);
/// Longest wait for something to be evaluated.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// Records of one message of a stream.
pub(crate) const MESSAGE: usize = 1_000;

/// One tenant of an installation.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    channel: Channel,
    pub(crate) key: String,
    pub(crate) tenant: String,
}

/// How the installation takes what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Knowledge {
    Now,
    Historical,
}

/// What became of records.
#[derive(Debug, Default, Clone)]
pub(crate) struct Stored {
    pub(crate) accepted: u64,
    pub(crate) duplicates: u64,
    /// Position of the last acknowledgement.
    pub(crate) position: String,
}

/// A connection to an address.
pub(crate) fn channel(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    endpoint.tcp_nodelay(true).connect_lazy()
}

/// An account by its id.
pub(crate) fn account_ref(id: String) -> Option<EntityRef> {
    Some(EntityRef {
        kind: EntityKind::Account.into(),
        id,
    })
}

impl Session {
    /// Makes a tenant; its clock stands still if a moment is given.
    pub(crate) async fn create(
        served: &Served,
        fixed_clock: Option<prost_types::Timestamp>,
    ) -> Self {
        let mut session = Self {
            channel: channel(served.address),
            key: served.key.clone(),
            tenant: String::new(),
        };
        let tenant = Tenant {
            name: "bench".to_owned(),
            time_zone: "UTC".to_owned(),
            base_currency: "USD".to_owned(),
            fixed_clock,
            retention_days: 3_650,
            slices: 1,
            ..Tenant::default()
        };
        let request = CreateTenantRequest {
            tenant: Some(tenant),
            request_id: request_id(),
        };
        let answer = session
            .tenants()
            .create_tenant(session.request(request))
            .await
            .unwrap();
        session.tenant = answer.into_inner().tenant.unwrap().tenant_id;
        session
    }

    /// Another connection of the same client.
    pub(crate) fn reconnected(&self, address: SocketAddr) -> Self {
        Self {
            channel: channel(address),
            ..self.clone()
        }
    }

    pub(crate) fn tenants(&self) -> TenantServiceClient<Channel> {
        TenantServiceClient::new(self.channel.clone())
    }

    pub(crate) fn segmenters(&self) -> SegmenterServiceClient<Channel> {
        SegmenterServiceClient::new(self.channel.clone())
    }

    pub(crate) fn segmentation(&self) -> SegmentationServiceClient<Channel> {
        SegmentationServiceClient::new(self.channel.clone())
    }

    /// A message with key, tenant and deadline.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = self.stream(message);
        request.set_timeout(DEADLINE);
        request
    }

    fn stream<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        metadata.insert(
            "authorization",
            format!("Bearer {}", self.key).parse().unwrap(),
        );
        if !self.tenant.is_empty() {
            metadata.insert("sextant-tenant", self.tenant.parse().unwrap());
        }
        request
    }

    /// Puts a segmenter to use.
    pub(crate) async fn create_segmentation(&self, key: &str, segmenter: &str, config: &str) {
        let segmentation = Segmentation {
            key: key.to_owned(),
            segmenter_id: segmenter.to_owned(),
            config: config.to_owned(),
            ..Segmentation::default()
        };
        let request = CreateSegmentationRequest {
            segmentation: Some(segmentation),
            request_id: request_id(),
            validate_only: false,
        };
        self.segmentation()
            .create_segmentation(self.request(request))
            .await
            .unwrap();
    }

    /// Imports records as history and waits until a segmentation has taken them in.
    pub(crate) async fn import(&self, records: Vec<Record>, segmentation: &str) {
        let start = StartImportRequest {
            request_id: request_id(),
        };
        self.tenants()
            .start_import(self.request(start))
            .await
            .unwrap();
        let n_records = records.len();
        let stored = self.send(records, Knowledge::Historical).await;
        assert_eq!(stored.accepted, u64::try_from(n_records).unwrap());
        let complete = CompleteImportRequest {
            history: HistorySchedule::Latest.into(),
            request_id: request_id(),
        };
        let completed = self
            .tenants()
            .complete_import(self.request(complete))
            .await
            .unwrap();
        let position = completed.into_inner().position;
        let begun = Instant::now();
        loop {
            let request = ListSegmentsRequest {
                segmentation: segmentation.to_owned(),
                at: at_least(&position),
                ..ListSegmentsRequest::default()
            };
            match self
                .segmentation()
                .list_segments(self.request(request))
                .await
            {
                Ok(_) => return,
                Err(status) => must_be_unready(&status, begun),
            }
        }
    }

    /// Sends records over one stream, as many as the credit allows at a time.
    pub(crate) async fn send(&self, records: Vec<Record>, knowledge: Knowledge) -> Stored {
        self.send_observed(records, knowledge, f64::INFINITY, |_| ())
            .await
    }

    /// The same at so many records per second at most; `acknowledged` is told of each acknowledgement.
    pub(crate) async fn send_observed(
        &self,
        records: Vec<Record>,
        knowledge: Knowledge,
        per_second: f64,
        mut acknowledged: impl FnMut(&IngestResponse),
    ) -> Stored {
        let (requests, mut answers) = self.open(knowledge).await;
        let mut credit = answers.message().await.unwrap().unwrap().credit_records as usize;
        let mut waiting = messages(records);
        let (mut stored, mut open, mut n_open) = (Stored::default(), VecDeque::new(), 0);
        let mut due = Instant::now();
        while !waiting.is_empty() || !open.is_empty() {
            let next = waiting.front().map(|message| message.records.len());
            let may_send = next.filter(|n_records| n_open + n_records <= credit);
            let answer = tokio::select! {
                biased;
                () = tokio::time::sleep_until(due), if may_send.is_some() => {
                    let (message, n_records) = (waiting.pop_front().unwrap(), may_send.unwrap());
                    n_open += n_records;
                    open.push_back((message.sequence, n_records));
                    due += Duration::from_secs_f64(n_records as f64 / per_second);
                    requests.send(message).await.unwrap();
                    continue;
                },
                answer = answers.message() => answer.unwrap().expect("the stream was cut off"),
            };
            credit = answer.credit_records as usize;
            while open
                .front()
                .is_some_and(|(sequence, _)| *sequence <= answer.acknowledged_sequence)
            {
                n_open -= open.pop_front().unwrap().1;
            }
            stored.count(&answer);
            acknowledged(&answer);
        }
        stored
    }

    /// Opens a stream of records.
    pub(crate) async fn open(
        &self,
        knowledge: Knowledge,
    ) -> (mpsc::Sender<IngestRequest>, Streaming<IngestResponse>) {
        let (requests, outgoing) = mpsc::channel(4);
        let options = IngestOptions {
            historical: knowledge == Knowledge::Historical,
        };
        let first = IngestRequest {
            options: Some(options),
            ..IngestRequest::default()
        };
        requests.send(first).await.unwrap();
        let mut client = IngestionServiceClient::new(self.channel.clone());
        let answers = client
            .ingest(self.stream(ReceiverStream::new(outgoing)))
            .await;
        (requests, answers.unwrap().into_inner())
    }

    /// Waits until scoring has taken in what a position stands for.
    pub(crate) async fn projected(&self, position: &str, account: &str) {
        let begun = Instant::now();
        let mut client = ScoringServiceClient::new(self.channel.clone());
        loop {
            let request = GetFeaturesRequest {
                account: account_ref(account.to_owned()),
                at: at_least(position),
            };
            match client.get_features(self.request(request)).await {
                Ok(_) => return,
                Err(status) => must_be_unready(&status, begun),
            }
        }
    }

    pub(crate) async fn membership(
        &self,
        account: String,
        segmentation: &str,
    ) -> GetMembershipResponse {
        let request = membership_request(account, segmentation);
        let answer = self
            .segmentation()
            .get_membership(self.request(request))
            .await;
        answer.unwrap().into_inner()
    }
}

impl Stored {
    fn count(&mut self, answer: &IngestResponse) {
        self.accepted += answer.accepted;
        for verdict in answer.exceptions.iter().flat_map(|batch| &batch.verdicts) {
            assert_eq!(verdict.kind(), VerdictKind::Duplicate, "{verdict:?}");
            self.duplicates += 1;
        }
        if !answer.position.is_empty() {
            answer.position.clone_into(&mut self.position);
        }
    }
}

pub(crate) fn membership_request(account: String, segmentation: &str) -> GetMembershipRequest {
    GetMembershipRequest {
        account: account_ref(account),
        segmentation: segmentation.to_owned(),
        at: None,
    }
}

pub(crate) fn request_id() -> String {
    Uuid::new_v4().to_string()
}

fn at_least(position: &str) -> Option<ReadAt> {
    Some(ReadAt {
        at_least_position: position.to_owned(),
        ..ReadAt::default()
    })
}

/// Each record is moved once: cutting the rest off again and again would copy all of it for every message, while the clock runs.
fn messages(records: Vec<Record>) -> VecDeque<IngestRequest> {
    let mut records = records.into_iter();
    let parts = std::iter::from_fn(|| {
        let part: Vec<Record> = records.by_ref().take(MESSAGE).collect();
        (!part.is_empty()).then_some(part)
    });
    let message = |(sequence, records)| IngestRequest {
        options: None,
        sequence,
        records,
    };
    (1..).zip(parts).map(message).collect()
}

/// Only "not yet" is a reason to ask again.
fn must_be_unready(status: &Status, begun: Instant) {
    let unready = status.code() == Code::DeadlineExceeded;
    assert!(unready && begun.elapsed() < LONGEST_WAIT, "{status:?}");
}
