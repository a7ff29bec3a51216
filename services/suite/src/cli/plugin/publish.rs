//! Commands about versions of segmenters: publishing them, and taking them out of use.

use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use clap::ArgMatches;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;
use tokio_stream::iter;

use sextant_domain::time::Zone;
use sextant_plugin_host::trust::Signed;
use sextant_plugin_host::{MAX_FILE_BYTES, read_file};
use sextant_proto::segmentation::v1::upload_segmenter_request::Part;
use sextant_proto::segmentation::v1::{
    ApproveSegmenterRequest, GetSegmenterRequest, ListSegmenterEventsRequest,
    ListSegmenterLinesRequest, ListSegmentersRequest, QuarantineSegmenterRequest,
    RegisterSegmenterRequest, ReleaseSegmenterRequest, RetireSegmenterRequest, Segmenter,
    SegmenterRef, UploadHead, UploadSegmenterRequest,
};

use crate::cli::context::{Context, number_of, pages_up_to, text_of};
use crate::cli::note;
use crate::cli::plugin::revise;
use crate::cli::plugin::sign::signed_beside;
use crate::client::{Client, all_pages, request_id};
use crate::error::Error;
use crate::import::{hex, values};
use crate::output::{Block, Cell, Column};

/// Bytes of a message.
const CHUNK_BYTES: usize = 256 << 10;
/// Whoever waits for longer is told what for.
const SOON: Duration = Duration::from_secs(5);

/// Publishes a file and, for a segmentation, proposes it.
pub(crate) async fn push(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let path = matches
        .get_one::<PathBuf>("file")
        .cloned()
        .unwrap_or_default();
    let signed = signed_beside(&path)?;
    let code = read_file(&path, MAX_FILE_BYTES).map_err(|source| Error::File { path, source })?;
    let segmentation = text_of(matches, "segmentation");
    // A key of the installation may have no tenant to name where nothing is proposed.
    if segmentation.is_empty() {
        let segmenter = upload(&context.client()?, code, signed).await?;
        return context.print(matches, &Zone::utc(), &versions(&[segmenter]).into());
    }
    let client = context.of_tenant().await?.0;
    // Before anything is published: there may be no such segmentation.
    revise::revisions_of(&client, &segmentation).await?;
    let segmenter = upload(&client, code, signed).await?;
    let named = SegmenterRef {
        digest: segmenter.digest,
        ..SegmenterRef::default()
    };
    let proposed = revise::propose_one(context, matches, (segmentation, named)).await;
    let is_told_alone = matches!(proposed, Err(Error::Output(_)));
    if proposed.is_err() && !is_told_alone {
        let (id, version) = (segmenter.segmenter_id, segmenter.version);
        note(&format!(
            "{id} {version} is published, and not proposed: `sextant plugin propose` does that"
        ));
    }
    proposed
}

async fn upload(client: &Client, code: Vec<u8>, signed: Signed) -> Result<Segmenter, Error> {
    let is_signed = !signed.is_absent();
    let head = UploadHead {
        digest: hex(&Sha256::digest(&code)),
        size: code.len() as u64,
        manifest: signed.manifest.into(),
        signature: signed.signature,
    };
    let chunks: Vec<_> = code
        .chunks(CHUNK_BYTES)
        .map(|chunk| Part::Chunk(chunk.to_vec().into()))
        .collect();
    let parts = std::iter::once(Part::Head(head)).chain(chunks);
    let parts: Vec<_> = parts
        .map(|part| UploadSegmenterRequest { part: Some(part) })
        .collect();
    let mut segmenters = client.segmenters();
    let mut judged = pin!(segmenters.upload_segmenter(client.long_request(iter(parts))));
    let answer = match timeout(SOON, &mut judged).await {
        Ok(answer) => answer,
        Err(_elapsed) => {
            note("it is being judged, which takes up to 30 seconds, or waits until others are");
            judged.await
        },
    };
    let segmenter = answer?.into_inner().segmenter.unwrap_or_default();
    if is_signed && segmenter.signature.is_empty() {
        note(
            "its signature does not count: this installation trusts whoever may publish, and lists no keys",
        );
    }
    tell_failed(&segmenter);
    Ok(segmenter)
}

/// What a version was taken with although it failed: how long it takes depends on the machine and on what else runs there.
fn tell_failed(segmenter: &Segmenter) {
    for one in &segmenter.verdicts {
        if one.outcome == "fail" {
            let (check, found, fix) = (&one.check, &one.found, &one.fix);
            note(&format!(
                "it is published, and failed {check} here: {found}; to fix it: {fix}"
            ));
        }
    }
}

/// Publishes a server.
pub(crate) async fn register(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let client = context.client()?;
    let request = RegisterSegmenterRequest {
        address: text_of(matches, "server"),
        token_name: text_of(matches, "token-name"),
        request_id: request_id(),
    };
    let answer = client
        .segmenters()
        .register_segmenter(client.long_request(request))
        .await?;
    let segmenter = answer.into_inner().segmenter.unwrap_or_default();
    tell_failed(&segmenter);
    context.print(matches, &Zone::utc(), &versions(&[segmenter]).into())
}

/// Versions, or with a segmentation its revisions.
pub(crate) async fn list(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    if !text_of(matches, "segmentation").is_empty() {
        return revise::list(context, matches).await;
    }
    let client = context.client()?;
    let request = ListSegmentersRequest::default();
    let all = all_pages!(client, segmentation.list_segmenters, request, segmenters);
    context.print(matches, &Zone::utc(), &versions(&all).into())
}

/// What the checks of a version found.
pub(crate) async fn report(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let client = context.client()?;
    let request = GetSegmenterRequest {
        segmenter: Some(named(matches)),
    };
    let answer = client
        .segmenters()
        .get_segmenter(client.request(request))
        .await?;
    let segmenter = answer.into_inner().segmenter.unwrap_or_default();
    let columns = vec![
        Column::left("check", "Check"),
        Column::left("outcome", "Outcome"),
        Column::prose("found", "Found"),
        Column::prose("why", "Why it matters"),
        Column::prose("fix", "What to do"),
    ];
    let title = format!("{} {}", segmenter.segmenter_id, segmenter.version);
    let mut block = Block::new("verdicts", &title, columns);
    for one in segmenter.verdicts {
        let is_well = matches!(one.outcome.as_str(), "pass" | "skipped");
        let told = |text: String| {
            if is_well {
                Cell::Nothing
            } else {
                Cell::text(text)
            }
        };
        block.rows.push(vec![
            Cell::text(one.check),
            Cell::text(one.outcome),
            Cell::text(one.found),
            told(one.why),
            told(one.fix),
        ]);
    }
    context.print(matches, &Zone::utc(), &block.into())
}

/// Approves a version, takes it out of use, lets it be used again, or ends it.
pub(crate) async fn change(
    action: &str,
    context: &Context<'_>,
    matches: &ArgMatches,
) -> Result<(), Error> {
    let client = context.client()?;
    let (note, request_id) = (text_of(matches, "note"), request_id());
    let mut segmenters = client.segmenters();
    let changed = match action {
        "approve" => {
            let digest = text_of(matches, "digest");
            let request = ApproveSegmenterRequest {
                digest,
                note,
                request_id,
            };
            let answer = segmenters
                .approve_segmenter(client.request(request))
                .await?;
            answer.into_inner().segmenter
        },
        "quarantine" => {
            let request = QuarantineSegmenterRequest {
                segmenter: Some(named(matches)),
                note,
                request_id,
            };
            let answer = segmenters
                .quarantine_segmenter(client.request(request))
                .await?;
            answer.into_inner().segmenter
        },
        "release" => {
            let request = ReleaseSegmenterRequest {
                segmenter: Some(named(matches)),
                note,
                request_id,
            };
            let answer = segmenters
                .release_segmenter(client.request(request))
                .await?;
            answer.into_inner().segmenter
        },
        _ => {
            let request = RetireSegmenterRequest {
                segmenter: Some(named(matches)),
                note,
                request_id,
            };
            let answer = segmenters.retire_segmenter(client.request(request)).await?;
            answer.into_inner().segmenter
        },
    };
    context.print(
        matches,
        &Zone::utc(),
        &versions(&[changed.unwrap_or_default()]).into(),
    )
}

/// What a segmenter has written, oldest first as in a log.
pub(crate) async fn logs(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let client = context.client()?;
    let request = ListSegmenterLinesRequest {
        segmenter: Some(named(matches)),
        ..ListSegmenterLinesRequest::default()
    };
    let answer = pages_up_to!(
        client,
        segmenters.list_segmenter_lines,
        request,
        lines,
        number_of(matches, "limit")
    );
    let columns = vec![
        Column::left("at", "When"),
        Column::left("level", "Level"),
        Column::left("text", "Line"),
    ];
    let mut block = Block::new("lines", "", columns);
    for one in answer.lines.into_iter().rev() {
        block.rows.push(vec![
            Cell::moment(one.at.as_ref()),
            Cell::text(one.level),
            Cell::text(one.text),
        ]);
    }
    context.print(matches, &Zone::utc(), &block.into())
}

/// What was done to segmenters and revisions.
pub(crate) async fn events(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let segmentation = text_of(matches, "segmentation");
    let (client, zone) = if segmentation.is_empty() && !context.names_tenant() {
        (context.client()?, Zone::utc())
    } else {
        let (client, _) = context.of_tenant().await?;
        let zone = client.zone().clone();
        (client, zone)
    };
    let request = ListSegmenterEventsRequest {
        segmenter_id: text_of(matches, "segmenter"),
        segmentation,
        ..ListSegmenterEventsRequest::default()
    };
    let answer = pages_up_to!(
        client,
        segmenters.list_segmenter_events,
        request,
        events,
        number_of(matches, "limit")
    );
    let columns = vec![
        Column::left("at", "When"),
        Column::left("action", "What"),
        Column::left("segmenter", "Segmenter"),
        Column::left("version", "Version"),
        Column::rare("segmentation", "Segmentation"),
        Column::right("revision", "Revision"),
        Column::left("by", "By"),
        Column::prose("why", "Why"),
        Column::unseen("digest"),
        Column::unseen("number"),
    ];
    let mut block = Block::new("events", "", columns);
    for one in answer.events {
        block.rows.push(vec![
            Cell::moment(one.at.as_ref()),
            Cell::text(values::short(&one.action())),
            Cell::text(one.segmenter_id),
            Cell::text(one.version),
            Cell::text(one.segmentation),
            match one.revision {
                0 => Cell::Nothing,
                number => Cell::Count(number.into()),
            },
            Cell::text(one.by),
            Cell::text(one.why),
            Cell::text(one.digest),
            Cell::Count(one.number),
        ]);
    }
    context.print(matches, &zone, &block.into())
}

/// The version that a command names.
pub(crate) fn named(matches: &ArgMatches) -> SegmenterRef {
    SegmenterRef {
        digest: String::new(),
        segmenter_id: text_of(matches, "segmenter"),
        version: text_of(matches, "segmenter-version"),
    }
}

/// Versions of segmenters.
fn versions(segmenters: &[Segmenter]) -> Block {
    let columns = vec![
        Column::left("segmenter", "Segmenter"),
        Column::left("version", "Version"),
        Column::left("state", "State"),
        Column::left("kind", "Runs"),
        Column::left("title", "Title"),
        Column::left("published_at", "Published"),
        Column::left("published_by", "By"),
        Column::rare("address", "Server"),
        Column::rare("signed_by", "Signed by"),
        Column::rare("approved_by", "Approved by"),
        Column::rare("sandbox_lacks", "Its sandbox lacks"),
        Column::rare("why", "Why"),
        Column::left("digest", "Digest"),
    ];
    let mut block = Block::new("segmenters", "", columns);
    for one in segmenters {
        block.rows.push(vec![
            Cell::text(one.segmenter_id.clone()),
            Cell::text(one.version.clone()),
            Cell::text(values::short(&one.state())),
            Cell::text(values::short(&one.kind())),
            Cell::text(one.title.clone()),
            Cell::moment(one.published_at.as_ref()),
            Cell::text(one.published_by.clone()),
            Cell::text(one.address.clone()),
            Cell::text(one.signed_by.clone()),
            Cell::text(one.approved_by.clone()),
            Cell::text(one.sandbox_lacks.join(", ")),
            Cell::text(one.why.clone()),
            Cell::titled(one.digest.chars().take(12).collect::<String>(), &one.digest),
        ]);
    }
    block
}
