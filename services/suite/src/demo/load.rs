//! A data set into a tenant of its own, by requests that may be repeated.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prost_types::Timestamp;
use sha2::{Digest as _, Sha256};
use tonic::Status;
use uuid::Builder;

use sextant_domain::time::Instant;
use sextant_proto::common::v1::{ErrorReason, ReadAt};
use sextant_proto::ingestion::v1::{
    CreateTenantRequest, GetTenantRequest, HistorySchedule, Tenant,
};
use sextant_proto::metrics::v1::GetRevenueRequest;
use sextant_proto::segmentation::v1::{
    CreateSegmentationRequest, ListSegmentsRequest, ListSegmentsResponse, Segmentation,
};

use crate::client::{Client, at_least, is, settled};
use crate::error::Error;
use crate::import::batch::Batches;
use crate::import::history::{self, Open};
use crate::import::patience::News;
use crate::import::tally::Tally;
use crate::import::upload::{Knowledge, upload};
use crate::import::{Input, Items};
use crate::output::format;
use crate::progress::{Progress, Visibility};

/// Long enough for any demo's history.
const RETENTION_DAYS: u32 = 3_650;
/// Longest wait for one read of the demo.
const READ_DEADLINE: Duration = Duration::from_secs(30);

/// A tenant of the demo.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// Its name.
    pub(crate) tenant: String,
    /// Where its clock stands still.
    pub(crate) clock: Instant,
    /// Key, segmenter and configuration of each segmentation.
    pub(crate) segmentations: &'static [(&'static str, &'static str, &'static str)],
    /// Which past closes are evaluated.
    pub(crate) history: HistorySchedule,
}

/// What is sent.
pub(crate) struct Records {
    /// The records.
    pub(crate) items: Items,
    /// The file that they are read from, if there is one.
    pub(crate) file: Option<Extent>,
}

/// How much of a file is read.
pub(crate) struct Extent {
    /// Its size in bytes.
    size: u64,
    /// Bytes that have been read.
    consumed: Arc<AtomicU64>,
}

impl Extent {
    pub(crate) fn of(input: &Input) -> Self {
        Self {
            size: input.size(),
            consumed: input.consumed(),
        }
    }
}

/// A tenant whose data is loaded and evaluated.
#[derive(Debug)]
pub(crate) struct Ready {
    /// A client for it.
    pub(crate) client: Client,
    /// What became of each record.
    pub(crate) tally: Tally,
    /// Currency of its amounts.
    pub(crate) currency: String,
    /// Its clock.
    pub(crate) clock: Instant,
    /// What reads must include.
    pub(crate) at: Option<ReadAt>,
}

/// Makes the tenant, loads the records, and waits until everything is evaluated.
pub(crate) async fn load(
    client: &Client,
    setup: &Setup,
    records: Records,
    visibility: Visibility,
) -> Result<Ready, Error> {
    let tenant = make_tenant(client, setup).await?;
    let client = client.of_tenant(&tenant)?;
    for (key, segmenter, config) in setup.segmentations {
        make_segmentation(&client, setup, [key, segmenter, config]).await?;
    }
    // An earlier run that was interrupted has left it open.
    history::open(&client, Open::Resume).await?;
    let tally = send(&client, setup, records, visibility).await?;
    let position = history::complete(&client, setup.history, |_news| ()).await?;
    let ready = Ready {
        at: at_least(&position),
        client,
        tally,
        currency: tenant.base_currency,
        clock: setup.clock,
    };
    let progress = Progress::open(
        visibility,
        &format!("{}: evaluating the history", setup.tenant),
    );
    for (key, _, _) in setup.segmentations {
        ready.segments(key, &[]).await?;
    }
    ready.wait_for_metrics().await?;
    drop(progress);
    Ok(ready)
}

async fn make_tenant(client: &Client, setup: &Setup) -> Result<Tenant, Error> {
    let tenant = Tenant {
        name: setup.tenant.clone(),
        time_zone: "UTC".to_owned(),
        base_currency: "USD".to_owned(),
        fixed_clock: Some(timestamp(setup.clock)),
        retention_days: RETENTION_DAYS,
        slices: 1,
        ..Tenant::default()
    };
    let request = CreateTenantRequest {
        tenant: Some(tenant),
        request_id: request_id(&setup.tenant, "tenant"),
    };
    let made = client
        .tenants()
        .create_tenant(client.request(request))
        .await;
    let made = match made {
        Ok(made) => made.into_inner().tenant,
        // A run of the demo made it so long ago that its request is not known any more.
        Err(status) if is(&status, ErrorReason::AlreadyExists) => {
            let request = GetTenantRequest {
                tenant: setup.tenant.clone(),
            };
            let found = client.tenants().get_tenant(client.request(request)).await?;
            found.into_inner().tenant
        },
        Err(status) => return Err(status.into()),
    };
    made.ok_or_else(|| Error::usage("the server does not speak as Sextant does; check --address"))
}

async fn make_segmentation(
    client: &Client,
    setup: &Setup,
    [key, segmenter, config]: [&str; 3],
) -> Result<(), Error> {
    let segmentation = Segmentation {
        key: key.to_owned(),
        segmenter_id: segmenter.to_owned(),
        config: config.to_owned(),
        ..Segmentation::default()
    };
    let request = CreateSegmentationRequest {
        segmentation: Some(segmentation),
        request_id: request_id(&setup.tenant, key),
        validate_only: false,
    };
    match client
        .segmentation()
        .create_segmentation(client.request(request))
        .await
    {
        Ok(_) => Ok(()),
        // An earlier run of the demo made it.
        Err(status) if is(&status, ErrorReason::AlreadyExists) => Ok(()),
        Err(status) => Err(status.into()),
    }
}

async fn send(
    client: &Client,
    setup: &Setup,
    records: Records,
    visibility: Visibility,
) -> Result<Tally, Error> {
    /// Complaints about the demo's own data are counted and not shown.
    const MAX_COMPLAINTS: usize = 0;
    let what = format!("{}: sending", setup.tenant);
    let Records { items, file } = records;
    let progress = match &file {
        Some(file) => Progress::bytes(visibility, file.size, &what),
        None => Progress::open(visibility, &what),
    };
    let mut tally = Tally::new(MAX_COMPLAINTS);
    let mut observer = |tally: &Tally, news: News<'_>| {
        progress.tell(news);
        let read = file
            .as_ref()
            .map(|file| file.consumed.load(Ordering::Relaxed));
        progress.at(
            read.unwrap_or_else(|| tally.acknowledged()),
            format!("{} records", format::count(tally.acknowledged())),
        );
    };
    upload(
        client,
        Knowledge::Historical,
        Batches::new(items),
        &mut tally,
        &mut observer,
    )
    .await?;
    Ok(tally)
}

impl Ready {
    /// The segments of a segmentation with sums, once everything is evaluated.
    pub(crate) async fn segments(
        &self,
        key: &str,
        sums: &[&str],
    ) -> Result<ListSegmentsResponse, Status> {
        let request = ListSegmentsRequest {
            segmentation: key.to_owned(),
            at: self.at.clone(),
            sum_features: sums.iter().map(|name| (*name).to_owned()).collect(),
            page_size: 1000,
            page_token: String::new(),
        };
        settled(|| {
            let (client, request) = (self.client.clone(), request.clone());
            Box::pin(async move {
                let mut request = client.request(request);
                request.set_timeout(READ_DEADLINE);
                Ok(client
                    .segmentation()
                    .list_segments(request)
                    .await?
                    .into_inner())
            })
        })
        .await
    }

    async fn wait_for_metrics(&self) -> Result<(), Status> {
        let request = GetRevenueRequest {
            at: self.at.clone(),
            segmentation: String::new(),
        };
        settled(|| {
            let (client, request) = (self.client.clone(), request.clone());
            Box::pin(async move {
                client
                    .metrics()
                    .get_revenue(client.request(request))
                    .await?;
                Ok(())
            })
        })
        .await
    }
}

/// A moment on the wire.
pub(crate) fn timestamp(at: Instant) -> Timestamp {
    sextant_wire::time::timestamp(at)
}

/// The id of a request of the demo that makes something: the same for the same tenant and step, whenever and wherever it is made (UUID version 8,
/// RFC 9562).
pub(crate) fn request_id(tenant: &str, step: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(format!("sextant demo\n{tenant}\n{step}")).into();
    let mut bytes = [0; 16];
    for (byte, drawn) in bytes.iter_mut().zip(digest) {
        *byte = drawn;
    }
    Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests;
