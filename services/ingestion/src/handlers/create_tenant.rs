use prost::Message;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use sextant_domain::id::TenantId;
use sextant_domain::money::Currency;
use sextant_domain::time::{Instant, Zone};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as pb;
use sextant_runtime::tenant::of_installation;
use sextant_store::port::{Once, TenantRow};
use sextant_wire::read::external_id;
use sextant_wire::status::Problem;
use sextant_wire::tenant::tie_policy;
use sextant_wire::{request, time};

use crate::service::Shared;
use crate::{admission, convert, failure};

/// Longest that facts can be kept, in days: a hundred years.
const MAX_RETENTION_DAYS: u32 = 36_500;
const MAX_SLICES: u32 = 256;

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<pb::CreateTenantRequest>,
) -> Result<Response<pb::CreateTenantResponse>, Status> {
    of_installation(&request)?;
    let request = request.into_inner();
    let parameters = (&request, request.request_id.as_str());
    let once = request::read(None, "CreateTenant", parameters, shared.deps.clock.now())?;
    let asked = request
        .tenant
        .as_ref()
        .ok_or_else(|| Problem::field(ErrorReason::FieldMissing, "tenant", "must be set"))?;
    let row = row(asked, shared).map_err(|problem| problem.below("tenant"))?;
    let answer = |row: &TenantRow| {
        let tenant = Some(convert::tenant(row));
        pb::CreateTenantResponse { tenant }.encode_to_vec()
    };
    let stored = shared
        .deps
        .tenants
        .create(&row, Once::new(once, answer))
        .await
        .map_err(failure::of_store)?;
    Ok(Response::new(request::answer(&stored)?))
}

fn row(asked: &pb::Tenant, shared: &Shared) -> Result<TenantRow, Problem> {
    let now = shared.deps.clock.now();
    let invalid =
        |field: &str, message: String| Problem::field(ErrorReason::FieldInvalid, field, message);
    let name = external_id(&asked.name, "name")?;
    if Uuid::try_parse(name.as_str()).is_ok() {
        return Err(invalid(
            "name",
            "must not be a UUID, for tenants are asked for by id or name".to_owned(),
        ));
    }
    if asked.time_zone.is_empty() {
        return Err(Problem::field(
            ErrorReason::FieldMissing,
            "time_zone",
            "must be an IANA name such as Europe/Warsaw",
        ));
    }
    let zone =
        Zone::parse(&asked.time_zone).map_err(|error| invalid("time_zone", error.to_string()))?;
    let currency = Currency::parse(&asked.base_currency).map_err(|error| {
        Problem::field(
            ErrorReason::CurrencyUnknown,
            "base_currency",
            error.to_string(),
        )
    })?;
    let fixed_clock = time::optional(asked.fixed_clock.as_ref(), "fixed_clock")?;
    if fixed_clock.is_some_and(|clock| clock < Instant(0)) {
        return Err(Problem::field(
            ErrorReason::TimeBefore1970,
            "fixed_clock",
            "must not be before 1970",
        ));
    }
    if asked.retention_days > MAX_RETENTION_DAYS {
        return Err(invalid(
            "retention_days",
            format!(
                "is {}, at most {MAX_RETENTION_DAYS} are allowed",
                asked.retention_days
            ),
        ));
    }
    let slices = asked.slices.max(1);
    let n_slices = u16::try_from(slices).ok().filter(|_| slices <= MAX_SLICES);
    Ok(TenantRow {
        tenant: TenantId(admission::new_uid(now)),
        name: name.as_str().to_owned(),
        time_zone: zone.name().to_owned(),
        base_currency: currency.code().to_owned(),
        fixed_clock,
        retention_days: if asked.retention_days == 0 {
            shared.deps.limits.default_retention_days
        } else {
            asked.retention_days
        },
        n_slices: n_slices
            .ok_or_else(|| invalid("slices", format!("is {slices}, must be 1 to {MAX_SLICES}")))?,
        import_opened_at: None,
        created_at: now,
        rfm_tie_policy: tie_policy(asked.rfm_tie_policy, "rfm_tie_policy")?,
    })
}
