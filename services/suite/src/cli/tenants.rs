//! Commands for tenants, keys and segmentations.

use std::collections::HashMap;

use clap::ArgMatches;

use sextant_domain::time::Zone;
use sextant_proto::ingestion::v1::{
    AdvanceClockRequest, CreateKeyRequest, CreateTenantRequest, Key, ListKeysRequest,
    ListTenantsRequest, RevokeKeyRequest, RfmTiePolicy, Tenant,
};
use sextant_proto::scoring::v1::GetClockRequest;
use sextant_proto::segmentation::v1::{
    CreateSegmentationRequest, ListSegmentationsRequest, ListSegmentersRequest, Segmentation,
};

use crate::cli::args::SCOPES;
use crate::cli::context::{Context, moment_of, number_of, text_of, texts_of};
use crate::cli::evaluated;
use crate::client::{Client, all_pages, request_id};
use crate::error::Error;
use crate::import::{history, values};
use crate::output::{Block, Cell, Column};
use crate::progress::Progress;
use crate::view;

/// Runs an action on tenants, keys or segmentations.
pub(crate) async fn run(
    what: &str,
    action: &str,
    context: &Context<'_>,
    matches: &ArgMatches,
) -> Result<(), Error> {
    let block = match (what, action) {
        ("tenants", "create") => create_tenant(context, matches).await?,
        ("tenants", "advance") => advance(context, matches).await?,
        ("tenants", "complete-import") => complete_import(context, matches).await?,
        ("tenants", _) => list_tenants(context).await?,
        ("keys", "create") => create_key(context, matches).await?,
        ("keys", "revoke") => revoke_key(context, matches).await?,
        ("keys", _) => list_keys(context).await?,
        (_, "create") => create_segmentation(context, matches).await?,
        (_, _) => list_segmentations(context).await?,
    };
    // What is listed here is of the installation, or of several tenants.
    context.print(matches, &Zone::utc(), &block.into())
}

async fn list_tenants(context: &Context<'_>) -> Result<Block, Error> {
    let tenants = all_tenants(&context.client()?).await?;
    Ok(tenants_block(&tenants))
}

/// All tenants that the key opens.
async fn all_tenants(client: &Client) -> Result<Vec<Tenant>, Error> {
    let request = ListTenantsRequest::default();
    Ok(all_pages!(client, tenants.list_tenants, request, tenants))
}

async fn create_tenant(context: &Context<'_>, matches: &ArgMatches) -> Result<Block, Error> {
    let client = context.client()?;
    let rfm_tie_policy = values::word::<RfmTiePolicy>(&text_of(matches, "rfm-ties"));
    let time_zone = text_of(matches, "time-zone");
    let zone =
        Zone::parse(&time_zone).map_err(|error| Error::usage(format!("--time-zone: {error}")))?;
    let tenant = Tenant {
        name: text_of(matches, "name"),
        time_zone,
        base_currency: text_of(matches, "currency"),
        fixed_clock: moment_of(matches, "fixed-clock", &zone)?,
        retention_days: number_of(matches, "retention-days"),
        slices: 1,
        rfm_tie_policy: rfm_tie_policy.map_err(Error::usage)?.into(),
        ..Tenant::default()
    };
    let request = CreateTenantRequest {
        tenant: Some(tenant),
        request_id: request_id(),
    };
    let answer = client
        .tenants()
        .create_tenant(client.request(request))
        .await?
        .into_inner();
    Ok(tenants_block(answer.tenant.as_slice()))
}

fn tenants_block(tenants: &[Tenant]) -> Block {
    let columns = vec![
        Column::left("name", "Name"),
        Column::left("tenant_id", "Id"),
        Column::left("time_zone", "Zone"),
        Column::left("base_currency", "Currency"),
        Column::left("fixed_clock", "Fixed clock"),
        Column::right("retention_days", "Records up to, days"),
        Column::left("rfm_tie_policy", "RFM ties"),
        Column::left("created_at", "Since"),
        Column::left("import_opened_at", "Import open since"),
    ];
    let mut block = Block::new("tenants", "", columns);
    for one in tenants {
        block.rows.push(vec![
            Cell::text(one.name.clone()),
            Cell::text(one.tenant_id.clone()),
            Cell::text(one.time_zone.clone()),
            Cell::text(one.base_currency.clone()),
            fixed_clock(one),
            Cell::Count(one.retention_days.into()),
            Cell::text(values::short(&one.rfm_tie_policy())),
            Cell::moment(one.created_at.as_ref()),
            Cell::moment(one.import_opened_at.as_ref()),
        ]);
    }
    block
}

/// Where a tenant's clock stands still, for people in the tenant's own zone, as it was given.
fn fixed_clock(tenant: &Tenant) -> Cell {
    match (
        Cell::moment(tenant.fixed_clock.as_ref()),
        Zone::parse(&tenant.time_zone),
    ) {
        (clock @ Cell::Moment(at), Ok(zone)) => Cell::titled(clock.shown(&zone), at.to_string()),
        (clock, _) => clock,
    }
}

async fn advance(context: &Context<'_>, matches: &ArgMatches) -> Result<Block, Error> {
    let (client, _) = context.of_tenant().await?;
    let request = AdvanceClockRequest {
        to: moment_of(matches, "to", client.zone())?,
        request_id: request_id(),
    };
    let answer = client
        .tenants()
        .advance_clock(client.request(request))
        .await?
        .into_inner();
    let mut block = Block::new("clock", "", vec![Column::left("position", "Position")]).noted(
        "Pass the position as --at-least to wait until every close on the way is evaluated.",
    );
    block.rows.push(vec![Cell::text(answer.position)]);
    Ok(block)
}

async fn complete_import(context: &Context<'_>, matches: &ArgMatches) -> Result<Block, Error> {
    let (client, _) = context.of_tenant().await?;
    let schedule = values::word(&text_of(matches, "history")).map_err(Error::usage)?;
    let progress = Progress::open(context.visibility, "complete-import");
    let completed = history::complete(&client, schedule, |news| progress.tell(news)).await;
    drop(progress);
    let position = completed?;
    evaluated::wait(context, matches, &client, &position).await?;
    Ok(view::position(&position))
}

async fn list_keys(context: &Context<'_>) -> Result<Block, Error> {
    if context.names_tenant() {
        let (client, tenant) = context.of_tenant().await?;
        let keys = all_pages!(client, access.list_keys, ListKeysRequest::default(), keys);
        return Ok(keys_block(&keys, &[tenant]).noted(
            "Keys of the installation open this tenant, too; they are listed where no tenant is named.",
        ));
    }
    let client = context.client()?;
    let keys = all_pages!(client, access.list_keys, ListKeysRequest::default(), keys);
    Ok(keys_block(&keys, &all_tenants(&client).await?))
}

async fn create_key(context: &Context<'_>, matches: &ArgMatches) -> Result<Block, Error> {
    let (client, tenant) = if matches.get_flag("installation") {
        (context.client()?, None)
    } else {
        let (client, tenant) = context.of_tenant().await?;
        (client, Some(tenant))
    };
    let named = texts_of(matches, "scope");
    let scopes = SCOPES
        .into_iter()
        .filter(|(name, _)| named.iter().any(|one| one == name))
        .map(|(_, scope)| scope.into())
        .collect();
    let tenant_id = tenant.as_ref().map(|tenant| tenant.tenant_id.clone());
    let key = Key {
        tenant_id: tenant_id.unwrap_or_default(),
        scopes,
        title: text_of(matches, "title"),
        expires_at: moment_of(matches, "expires", client.zone())?,
        ..Key::default()
    };
    let request = CreateKeyRequest {
        key: Some(key),
        request_id: request_id(),
    };
    let answer = client
        .access()
        .create_key(client.request(request))
        .await?
        .into_inner();
    let mut block = keys_block(answer.key.as_slice(), tenant.as_slice());
    block.columns.push(Column::left("secret", "Key"));
    for row in &mut block.rows {
        row.push(Cell::text(answer.secret.clone()));
    }
    Ok(block.noted("Keep the key: it is shown this once and stored nowhere."))
}

async fn revoke_key(context: &Context<'_>, matches: &ArgMatches) -> Result<Block, Error> {
    let client = context.client()?;
    let request = RevokeKeyRequest {
        key_id: text_of(matches, "id"),
        request_id: request_id(),
    };
    let answer = client
        .access()
        .revoke_key(client.request(request))
        .await?
        .into_inner();
    // The key is revoked, whether or not its tenant can be named.
    let tenants = match &answer.key {
        Some(key) if !key.tenant_id.is_empty() => {
            client.find_tenant(Some(&key.tenant_id)).await.ok()
        },
        _ => None,
    };
    Ok(keys_block(answer.key.as_slice(), tenants.as_slice()))
}

/// Keys with the names of their tenants; one that is not among `tenants` is shown by its id.
fn keys_block(keys: &[Key], tenants: &[Tenant]) -> Block {
    let names: HashMap<&str, &str> = tenants
        .iter()
        .map(|tenant| (&*tenant.tenant_id, &*tenant.name))
        .collect();
    let columns = vec![
        Column::left("key_id", "Id"),
        Column::left("tenant_id", "Tenant"),
        Column::left("scopes", "May"),
        Column::left("title", "For"),
        Column::left("created_at", "Since"),
        Column::left("expires_at", "Expires"),
        Column::left("revoked_at", "Revoked"),
    ];
    let mut block = Block::new("keys", "", columns);
    for one in keys {
        let id = one.tenant_id.as_str();
        let title = match names.get(id) {
            _ if id.is_empty() => "(installation)",
            Some(name) => name,
            None => id,
        };
        let tenant = Cell::titled(title, id);
        block.rows.push(vec![
            Cell::text(one.key_id.clone()),
            tenant,
            Cell::List(scope_names(one)),
            Cell::text(one.title.clone()),
            Cell::moment(one.created_at.as_ref()),
            Cell::moment(one.expires_at.as_ref()),
            Cell::moment(one.revoked_at.as_ref()),
        ]);
    }
    block
}

fn scope_names(key: &Key) -> Vec<String> {
    SCOPES
        .into_iter()
        .filter(|(_, scope)| key.scopes().any(|one| one == *scope))
        .map(|(name, _)| name.to_owned())
        .collect()
}

async fn list_segmentations(context: &Context<'_>) -> Result<Block, Error> {
    let (client, _) = context.of_tenant().await?;
    let request = ListSegmentationsRequest::default();
    let segmentations = all_pages!(
        client,
        segmentation.list_segmentations,
        request,
        segmentations
    );
    Ok(segmentations_block(&segmentations))
}

async fn create_segmentation(context: &Context<'_>, matches: &ArgMatches) -> Result<Block, Error> {
    let (client, _) = context.of_tenant().await?;
    let segmentation = Segmentation {
        key: text_of(matches, "name"),
        segmenter_id: text_of(matches, "segmenter"),
        segmenter_version: text_of(matches, "segmenter-version"),
        config: text_of(matches, "segmenter-config"),
        ..Segmentation::default()
    };
    let request = CreateSegmentationRequest {
        segmentation: Some(segmentation),
        request_id: request_id(),
        validate_only: matches.get_flag("dry-run"),
    };
    let answer = client
        .segmentation()
        .create_segmentation(client.long_request(request))
        .await?
        .into_inner();
    // Who may define need not be one who may read.
    let mut clocks = client.clock();
    let clock = clocks.get_clock(client.request(GetClockRequest::default()));
    let closed_on = clock
        .await
        .ok()
        .and_then(|clock| clock.into_inner().closed_on);
    let block = segmentations_block(answer.segmentation.as_slice());
    Ok(match closed_on {
        Some(day) => block.noted(format!(
            "It begins now: of the days up to {:04}-{:02}-{:02}, which are closed, it says nothing.",
            day.year, day.month, day.day
        )),
        None => block,
    })
}

fn segmentations_block(segmentations: &[Segmentation]) -> Block {
    let columns = vec![
        Column::left("key", "Key"),
        Column::left("segmenter", "Segmenter"),
        Column::left("segmenter_version", "Its version"),
        Column::right("version", "Generation"),
        Column::prose("configuration", "Configuration"),
        Column::left("created_at", "Since"),
        Column::rare("failure", "Is behind, for"),
    ];
    let mut block = Block::new("segmentations", "", columns);
    for one in segmentations {
        block.rows.push(vec![
            Cell::text(one.key.clone()),
            Cell::text(one.segmenter_id.clone()),
            Cell::text(one.segmenter_version.clone()),
            Cell::Count(one.version.into()),
            Cell::text(one.config.clone()),
            Cell::moment(one.created_at.as_ref()),
            match one.failure.as_str() {
                "" => Cell::Nothing,
                why => Cell::text(why.to_owned()),
            },
        ]);
    }
    block
}

/// Segmenters that are loaded.
pub(crate) async fn segmenters(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    // They are of the installation.
    let client = context.client()?;
    let segmenters = all_pages!(
        client,
        segmentation.list_segmenters,
        ListSegmentersRequest::default(),
        segmenters
    );
    let columns = vec![
        Column::left("segmenter", "Segmenter"),
        Column::left("version", "Version"),
        Column::prose("description", "What it does"),
        Column::prose("segment_names", "Segments"),
        Column::unseen("segments"),
        Column::prose("required_features", "Needs"),
        Column::left("config_schema", "Configuration"),
    ];
    let mut block = Block::new("segmenters", "", columns)
        .noted("`--output json` has the schema of each segmenter's configuration.");
    for one in segmenters {
        let segments = one.segments.into_iter();
        let (names, keys) = segments.map(|segment| (segment.title, segment.key)).unzip();
        block.rows.push(vec![
            Cell::text(one.segmenter_id),
            Cell::text(one.version),
            Cell::text(one.description),
            Cell::List(names),
            Cell::List(keys),
            Cell::List(one.required_features),
            Cell::titled("JSON Schema", one.config_schema),
        ]);
    }
    context.print(matches, client.zone(), &block.into())
}
