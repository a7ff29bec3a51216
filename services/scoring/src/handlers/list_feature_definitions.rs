use tonic::{Request, Response, Status};

use sextant_domain::feature::{Basis, CATALOGUE, CATALOGUE_VERSION, Definition, Type};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::scoring::v1 as pb;
use sextant_runtime::tenant::tenant_of;
use sextant_wire::page;
use sextant_wire::status::Problem;

use super::Handlers;

pub(super) fn handle(
    handlers: &Handlers,
    request: &Request<pb::ListFeatureDefinitionsRequest>,
) -> Result<Response<pb::ListFeatureDefinitionsResponse>, Status> {
    let tenant = tenant_of(request)?;
    let request = request.get_ref();
    let size = page::size(request.page_size)?;
    let bound = pb::ListFeatureDefinitionsRequest::default();
    let after = match handlers
        .pager
        .cursor(tenant.0, &bound, &request.page_token)?
    {
        None => 0,
        Some(cursor) => cursor.parse().map_err(|_not_a_place| {
            Problem::field(ErrorReason::PageTokenInvalid, "page_token", "is unreadable")
        })?,
    };
    let definitions: Vec<_> = CATALOGUE
        .iter()
        .skip(after)
        .take(size)
        .map(definition)
        .collect();
    let next = after + definitions.len();
    let more = next < CATALOGUE.len();
    Ok(Response::new(pb::ListFeatureDefinitionsResponse {
        definitions,
        next_page_token: if more {
            handlers.pager.token(tenant.0, &bound, &next.to_string())
        } else {
            String::new()
        },
        catalogue_version: CATALOGUE_VERSION,
    }))
}

fn definition(definition: &Definition) -> pb::FeatureDefinition {
    let r#type = match definition.r#type {
        Type::Integer | Type::Recurring => pb::FeatureType::Int64,
        Type::Number => pb::FeatureType::Float64,
        Type::Text => pb::FeatureType::Text,
        Type::Time => pb::FeatureType::Timestamp,
    };
    pb::FeatureDefinition {
        name: definition.name.to_owned(),
        r#type: r#type.into(),
        unit: definition.unit.to_owned(),
        description: definition.meaning.to_owned(),
        population: definition.basis == Basis::Population,
    }
}
