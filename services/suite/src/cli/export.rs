//! `sextant export`: the features of all accounts in a file, for those who make models of them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Command};

use sextant_columns::Export;
use sextant_proto::common::v1::Freshness;
use sextant_proto::scoring::v1::ListFeaturesRequest;

use crate::cli::args;
use crate::cli::context::{Context, read_at};
use crate::client::{Client, PAGE_SIZE};
use crate::error::Error;
use crate::output::{Block, Cell, Column, Document};
use crate::progress::Progress;

/// How a file is laid out, by its ending.
#[derive(Debug, Clone, Copy)]
enum Layout {
    Arrow,
    Csv,
}

impl Layout {
    fn of(path: &Path) -> Result<Self, Error> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("arrow" | "feather") => Ok(Self::Arrow),
            Some("csv") => Ok(Self::Csv),
            _ => Err(Error::usage(format!(
                "{}: end its name in .arrow or .feather (Arrow), or in .csv",
                path.display()
            ))),
        }
    }
}

/// What may be written on the command line.
pub(crate) fn command() -> Command {
    args::read("export")
        .about("Writes the features of all accounts to a file, such as to train a model with")
        .after_help(
            "A row for each account that existed then, by account_id, and a column for each feature of the catalogue (`sextant features`).\n\
             FILE.arrow or FILE.feather is an Arrow file: pyarrow.feather.read_table or pandas.read_feather reads it, in the types that a segmenter gets.\n\
             FILE.csv is text; an empty cell is unknown. `sextant plugin run --csv` takes it.",
        )
        .arg(args::file("file", "FILE", "The file; its ending says how it is laid out: .arrow, .feather or .csv"))
}

/// Writes the file.
pub(crate) async fn export(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let path = matches.get_one::<PathBuf>("file").cloned();
    let path = path.unwrap_or_default();
    let layout = Layout::of(&path)?;
    let (client, _) = context.of_tenant().await?;
    let request = ListFeaturesRequest {
        at: read_at(matches, client.zone())?,
        page_size: PAGE_SIZE,
        page_token: String::new(),
    };
    let progress = Progress::open(context.visibility, "export");
    let (pages, freshness) = pages(&client, request).await?;
    let unusable = |error: sextant_columns::Error| Error::Output(io::Error::other(error));
    let export = Export::of_pages(&pages).map_err(unusable)?;
    let bytes = match layout {
        Layout::Arrow => {
            let mut bytes = Vec::new();
            export.write_arrow(&mut bytes).map_err(unusable)?;
            bytes
        },
        Layout::Csv => csv(&export)?,
    };
    fs::write(&path, bytes).map_err(|source| Error::File {
        path: path.clone(),
        source,
    })?;
    drop(progress);
    let document = Document::from(summary(&path, &export)).fresh_as(freshness);
    context.print(matches, client.zone(), &document)
}

/// All pages, and how current they are.
async fn pages(
    client: &Client,
    mut request: ListFeaturesRequest,
) -> Result<(Vec<bytes::Bytes>, Option<Freshness>), Error> {
    let (mut pages, mut freshness) = (Vec::new(), None);
    loop {
        let asked = client.request(request.clone());
        let answer = client.scoring().list_features(asked).await?.into_inner();
        pages.push(answer.arrow_ipc);
        freshness = freshness.or(answer.freshness);
        if answer.next_page_token.is_empty() {
            return Ok((pages, freshness));
        }
        request.page_token = answer.next_page_token;
    }
}

fn csv(export: &Export) -> Result<Vec<u8>, Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Error::Output(error.into());
    writer.write_record(export.names()).map_err(failed)?;
    for row in 0..export.n_accounts() {
        let texts = export.texts(row);
        let texts = texts.map_err(|error| Error::Output(io::Error::other(error)))?;
        writer.write_record(texts).map_err(failed)?;
    }
    let written = writer.into_inner();
    written.map_err(|error| Error::Output(error.into_error()))
}

fn summary(path: &Path, export: &Export) -> Block {
    let columns = vec![
        Column::left("file", "File"),
        Column::right("accounts", "Accounts"),
        Column::right("columns", "Columns"),
    ];
    let mut block = Block::new("exported", "", columns);
    let count = |n: usize| Cell::Count(u64::try_from(n).unwrap_or(u64::MAX));
    block.rows.push(vec![
        Cell::text(path.display().to_string()),
        count(export.n_accounts()),
        count(export.names().len()),
    ]);
    block
}
