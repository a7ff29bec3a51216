//! A data set into a tenant of its own, by requests that may be repeated.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prost_types::Timestamp;
use sha2::{Digest as _, Sha256};
use tonic::Status;
use uuid::Builder;

use sextant_domain::time::Instant;
use sextant_proto::common::v1::{ErrorReason, ReadAt};
use sextant_proto::ingestion::v1::{
    CreateTenantRequest, GetTenantRequest, HistorySchedule, ListSourcesRequest, Tenant,
};
use sextant_proto::segmentation::v1::{
    CreateSegmentationRequest, ListSegmentsRequest, ListSegmentsResponse, Segmentation,
};

use crate::client::{Client, at_least, is};
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

/// A tenant of the demo.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// Its name.
    pub(crate) tenant: String,
    /// Where its clock stands still.
    pub(crate) clock: Instant,
    /// Key, segmenter and configuration of each segmentation.
    pub(crate) segmentations: &'static [(&'static str, &'static str, &'static str)],
    /// The sources of its records.
    pub(crate) sources: &'static [&'static str],
    /// Which past closes are evaluated.
    pub(crate) history: HistorySchedule,
}

/// What is sent.
pub(crate) struct Records {
    /// The records.
    pub(crate) items: Items,
    /// How much of what they are made of has become records.
    pub(crate) extent: Extent,
}

/// How much of a file, or of a time, has become records.
pub(crate) struct Extent {
    /// All of it, in bytes or days.
    pub(crate) size: u64,
    /// That much of it.
    pub(crate) consumed: Arc<AtomicU64>,
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
    let tenant = match find(client, setup).await? {
        Some(found) => found,
        None => make_tenant(client, setup).await?,
    };
    let client = client.of_tenant(&tenant)?;
    for (key, segmenter, config) in setup.segmentations {
        make_segmentation(&client, setup, [key, segmenter, config]).await?;
    }
    // An earlier run that was interrupted has left it open.
    history::open(&client, Open::Resume).await?;
    let tally = send(&client, setup, records, visibility).await?;
    let position = history::complete(&client, setup.history, |_news| ()).await?;
    let progress = Progress::open(
        visibility,
        &format!("{}: evaluating the history", setup.tenant),
    );
    history::evaluated(&client, &position, |news| progress.tell(news)).await?;
    drop(progress);
    Ok(Ready {
        at: at_least(&position),
        client,
        tally,
        clock: clock_of(&tenant).unwrap_or(setup.clock),
        currency: tenant.base_currency,
    })
}

/// The tenant, where an earlier run of the demo has made it; `None`: there is none of that name.
///
/// # Errors
/// Another one has the name: it may be anybody's, and nothing is to be stored in it.
pub(crate) async fn find(client: &Client, setup: &Setup) -> Result<Option<Tenant>, Error> {
    let request = GetTenantRequest {
        tenant: setup.tenant.clone(),
    };
    let found = client.tenants().get_tenant(client.request(request)).await;
    let tenant = match found {
        Ok(found) => found.into_inner().tenant.ok_or_else(stranger)?,
        Err(status) if is(&status, ErrorReason::TenantUnknown) => return Ok(None),
        Err(status) => return Err(status.into()),
    };
    let of_tenant = client.of_tenant(&tenant)?;
    let request = of_tenant.request(ListSourcesRequest::default());
    let listed = of_tenant.sources().list_sources(request).await?;
    let sources = listed.into_inner().sources;
    let sources: Vec<&str> = sources.iter().map(|one| one.source.as_str()).collect();
    match setup.difference(&tenant, &sources) {
        None => Ok(Some(tenant)),
        Some(what) => Err(Error::Conflict {
            message: format!(
                "the tenant \"{}\" that is there already is not the demo's, for {what}: nothing was stored; give the demo data of its own with \
                 `sextant demo --data-dir DIR`, where DIR is a new directory",
                setup.tenant
            ),
        }),
    }
}

impl Setup {
    /// The tenant as it is asked for.
    fn asked(&self) -> Tenant {
        Tenant {
            name: self.tenant.clone(),
            time_zone: "UTC".to_owned(),
            base_currency: "USD".to_owned(),
            fixed_clock: Some(timestamp(self.clock)),
            retention_days: RETENTION_DAYS,
            slices: 1,
            ..Tenant::default()
        }
    }

    /// What tells a tenant from the one that the demo makes, whose clock somebody may have moved forward since, and which may hold
    /// records of other sources beside its own; `None`: nothing.
    fn difference(&self, tenant: &Tenant, sources: &[&str]) -> Option<&'static str> {
        let asked = self.asked();
        if tenant.time_zone != asked.time_zone {
            Some("its time zone is another")
        } else if tenant.base_currency != asked.base_currency {
            Some("its currency is another")
        } else if clock_of(tenant).is_none_or(|clock| clock < self.clock) {
            Some("its clock is another")
        } else if (tenant.retention_days, tenant.slices) != (asked.retention_days, asked.slices) {
            Some("it keeps its records otherwise")
        } else if !sources.is_empty() && !sources.iter().any(|one| self.sources.contains(one)) {
            Some("its records are from other sources")
        } else {
            None
        }
    }
}

/// Where a tenant's clock stands still.
fn clock_of(tenant: &Tenant) -> Option<Instant> {
    sextant_wire::time::instant(tenant.fixed_clock.as_ref()?).ok()
}

fn stranger() -> Error {
    Error::usage("the server does not speak as Sextant does; check --address")
}

async fn make_tenant(client: &Client, setup: &Setup) -> Result<Tenant, Error> {
    let request = CreateTenantRequest {
        tenant: Some(setup.asked()),
        request_id: request_id(&setup.tenant, "tenant"),
    };
    let made = client
        .tenants()
        .create_tenant(client.request(request))
        .await?;
    made.into_inner().tenant.ok_or_else(stranger)
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
        .create_segmentation(client.long_request(request))
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
    let Records { items, extent } = records;
    let progress = Progress::share(visibility, extent.size, &what);
    let mut tally = Tally::new(MAX_COMPLAINTS);
    let mut observer = |tally: &Tally, news: News<'_>| {
        progress.tell(news);
        progress.at(
            extent.consumed.load(Ordering::Relaxed),
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
    /// The segments of a segmentation with sums.
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
        let request = self.client.request(request);
        let answer = self.client.segmentation().list_segments(request).await?;
        Ok(answer.into_inner())
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
