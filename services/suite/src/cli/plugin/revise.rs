//! Commands about what segmentations are decided by.

use clap::ArgMatches;

use sextant_proto::segmentation::v1::{
    ActivateRevisionRequest, Fit, GetRevisionRequest, ListRevisionsRequest, MembershipState,
    ProposeRevisionRequest, Revision, RollBackRevisionRequest, Segmentation, SegmenterRef,
    ShadowDiff, ShadowMove,
};

use crate::cli::context::{Context, text_of};
use crate::cli::plugin::publish::named;
use crate::client::{Client, all_pages, request_id};
use crate::error::Error;
use crate::import::values;
use crate::output::{Block, Cell, Column, Document};
use crate::view;

/// Proposes a version or a configuration for a segmentation.
pub(crate) async fn propose(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let segmentation = text_of(matches, "segmentation");
    propose_one(context, matches, (segmentation, named(matches))).await
}

/// The same of a version that is known.
pub(crate) async fn propose_one(
    context: &Context<'_>,
    matches: &ArgMatches,
    (segmentation, named): (String, SegmenterRef),
) -> Result<(), Error> {
    let (client, tenant) = context.of_tenant().await?;
    let request = ProposeRevisionRequest {
        segmentation,
        segmenter: Some(named).filter(|named| *named != SegmenterRef::default()),
        config: text_of(matches, "segmenter-config"),
        note: text_of(matches, "note"),
        request_id: request_id(),
    };
    let answer = client
        .segmenters()
        .propose_revision(client.long_request(request))
        .await?;
    let revision = answer.into_inner().revision.unwrap_or_default();
    let shown = document(&revision, &tenant.base_currency);
    context.print(matches, client.zone(), &shown)
}

/// What a proposed revision would change.
pub(crate) async fn diff(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let (client, tenant) = context.of_tenant().await?;
    let request = GetRevisionRequest {
        segmentation: text_of(matches, "segmentation"),
        revision: 0,
    };
    let answer = client
        .segmenters()
        .get_revision(client.request(request))
        .await?;
    let revision = answer.into_inner().revision.unwrap_or_default();
    let shown = document(&revision, &tenant.base_currency);
    context.print(matches, client.zone(), &shown)
}

/// The revisions of a segmentation.
pub(crate) async fn list(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let (client, _) = context.of_tenant().await?;
    let all = revisions_of(&client, &text_of(matches, "segmentation")).await?;
    context.print(matches, client.zone(), &revisions(&all).into())
}

/// The same, as they are told.
pub(crate) async fn revisions_of(
    client: &Client,
    segmentation: &str,
) -> Result<Vec<Revision>, Error> {
    let request = ListRevisionsRequest {
        segmentation: segmentation.to_owned(),
        ..ListRevisionsRequest::default()
    };
    Ok(all_pages!(
        client,
        segmenters.list_revisions,
        request,
        revisions
    ))
}

/// Lets the proposed revision decide.
pub(crate) async fn activate(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let (client, _) = context.of_tenant().await?;
    let accepted = matches.get_one::<u32>("accept-diff").copied();
    let named = matches.get_one::<u32>("revision").copied();
    let request = ActivateRevisionRequest {
        segmentation: text_of(matches, "segmentation"),
        revision: accepted.or(named).unwrap_or(0),
        accept_diff: accepted.is_some(),
        note: text_of(matches, "note"),
        request_id: request_id(),
    };
    let answer = client
        .segmenters()
        .activate_revision(client.request(request))
        .await?;
    let segmentation = answer.into_inner().segmentation.unwrap_or_default();
    context.print(matches, client.zone(), &decided(&segmentation).into())
}

/// Lets the revision before decide again.
pub(crate) async fn roll_back(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let (client, _) = context.of_tenant().await?;
    let request = RollBackRevisionRequest {
        segmentation: text_of(matches, "segmentation"),
        note: text_of(matches, "note"),
        request_id: request_id(),
    };
    let answer = client
        .segmenters()
        .roll_back_revision(client.request(request))
        .await?;
    let segmentation = answer.into_inner().segmentation.unwrap_or_default();
    context.print(matches, client.zone(), &decided(&segmentation).into())
}

fn decided(segmentation: &Segmentation) -> Block {
    let columns = vec![
        Column::left("segmentation", "Segmentation"),
        Column::right("version", "Version"),
        Column::right("revision", "Revision"),
        Column::left("segmenter", "Segmenter"),
        Column::left("segmenter_version", "Version"),
        Column::prose("config", "Configuration"),
        Column::rare("failure", "Is behind, for"),
        Column::unseen("digest"),
    ];
    let mut block = Block::new("segmentations", "", columns);
    block.rows.push(vec![
        Cell::text(segmentation.key.clone()),
        Cell::Count(segmentation.version.into()),
        Cell::Count(segmentation.revision.into()),
        Cell::text(segmentation.segmenter_id.clone()),
        Cell::text(segmentation.segmenter_version.clone()),
        Cell::text(segmentation.config.clone()),
        match segmentation.failure.as_str() {
            "" => Cell::Nothing,
            why => Cell::text(why.to_owned()),
        },
        Cell::text(segmentation.plugin_digest.clone()),
    ]);
    block
}

fn revisions(revisions: &[Revision]) -> Block {
    let columns = vec![
        Column::right("revision", "Revision"),
        Column::left("state", "State"),
        Column::left("segmenter", "Segmenter"),
        Column::left("version", "Version"),
        Column::prose("config", "Configuration"),
        Column::left("created_at", "Since"),
        Column::left("created_by", "By"),
        Column::prose("note", "Why"),
        Column::unseen("digest"),
    ];
    let mut block = Block::new("revisions", "", columns);
    for one in revisions {
        block.rows.push(vec![
            Cell::Count(one.revision.into()),
            Cell::text(values::short(&one.state())),
            Cell::text(one.segmenter_id.clone()),
            Cell::text(one.segmenter_version.clone()),
            Cell::text(one.config.clone()),
            Cell::moment(one.created_at.as_ref()),
            Cell::text(one.created_by.clone()),
            Cell::text(one.note.clone()),
            Cell::text(one.digest.clone()),
        ]);
    }
    block
}

/// A revision with what it would change.
fn document(revision: &Revision, currency: &str) -> Document {
    let mut blocks = vec![revisions(std::slice::from_ref(revision))];
    blocks.extend(revision.fit.as_ref().map(fit));
    if let Some(diff) = &revision.diff {
        blocks.push(gates(diff));
        let mut moves = moves(&diff.moves, currency);
        if diff.unanswered > 0 {
            moves = moves.noted(format!(
                "{} without an answer, such as {}: {}",
                diff.unanswered,
                diff.unanswered_examples.join(", "),
                diff.trouble
            ));
        }
        blocks.push(moves);
        if !diff.drivers.is_empty() || diff.unexplained > 0 {
            blocks.push(drivers(diff));
        }
    }
    Document::from(blocks)
}

fn fit(fit: &Fit) -> Block {
    let columns = vec![
        Column::right("accounts", "Accounts"),
        Column::left("as_of", "As of"),
        Column::right("state_bytes", "Bytes"),
        Column::left("state_digest", "Digest"),
    ];
    let mut block = Block::new("fit", "What it has learned from", columns);
    block.rows.push(vec![
        Cell::Count(fit.accounts),
        Cell::moment(fit.as_of.as_ref()),
        Cell::Count(fit.state_bytes),
        Cell::text(fit.state_digest.clone()),
    ]);
    block
}

fn gates(diff: &ShadowDiff) -> Block {
    let columns = vec![
        Column::left("gate", "Gate"),
        Column::left("passed", "Passed"),
        Column::prose("found", "Found"),
        Column::prose("limit", "Limit"),
    ];
    let mut block = Block::new("gates", "May it decide without a word?", columns);
    for gate in &diff.gates {
        block.rows.push(vec![
            Cell::text(gate.name.clone()),
            Cell::text(if gate.passed { "yes" } else { "no" }),
            Cell::text(gate.found.clone()),
            Cell::text(gate.limit.clone()),
        ]);
    }
    block
}

fn moves(moves: &[ShadowMove], currency: &str) -> Block {
    let columns = vec![
        Column::left("from", "Is"),
        Column::left("to", "Would be"),
        Column::right("accounts", "Accounts"),
        Column::right("mrr_minor", "MRR"),
        Column::prose("examples", "Such as"),
    ];
    let mut block = Block::new("moves", "Who is where, and would be", columns);
    for one in moves {
        let stays = (one.from_state(), &one.from_segment) == (one.to_state(), &one.to_segment);
        let to = place(one.to_state(), &one.to_segment);
        block.rows.push(vec![
            place(one.from_state(), &one.from_segment),
            if stays {
                Cell::titled("(stays)", to.key())
            } else {
                to
            },
            Cell::Count(one.accounts),
            Cell::money(one.mrr_minor, currency),
            Cell::List(one.examples.clone()),
        ]);
    }
    block
}

/// Where accounts are; segments by their keys.
fn place(state: MembershipState, segment: &str) -> Cell {
    if state == MembershipState::Member {
        Cell::text(segment)
    } else {
        view::place(state)
    }
}

fn drivers(diff: &ShadowDiff) -> Block {
    let columns = vec![
        Column::left("feature", "Feature"),
        Column::right("accounts", "Accounts"),
        Column::prose("example", "Such as"),
    ];
    let mut block = Block::new("drivers", "What drives the moves", columns);
    for one in &diff.drivers {
        block.rows.push(vec![
            Cell::text(one.feature.clone()),
            Cell::Count(one.accounts),
            Cell::text(one.example.clone()),
        ]);
    }
    if diff.unexplained > 0 {
        let (unexplained, explained) = (diff.unexplained, diff.explained);
        block.note = format!(
            "It gives no reason for {unexplained} of the {explained} accounts that it was asked about; sextant plugin logs may say why."
        );
    }
    block
}
