//! Commands that bring data in.

mod stopped;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::ArgMatches;
use tokio::task::spawn_blocking;
use tonic::Status;

use sextant_domain::time::Zone;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1::HistorySchedule;
use sextant_proto::scoring::v1::GetClockRequest;
use sextant_wire::time::instant;

use crate::cli::context::{Context, is_given, moment_of, number_of, text_of};
use crate::cli::import::stopped::{LeftOpen, Underway, stopped};
use crate::cli::{evaluated, note};
use crate::client::{Client, is};
use crate::error::Error;
use crate::generate::counts::Counts;
use crate::generate::{Company, Dirt, Options};
use crate::import::batch::Batches;
use crate::import::cdnow::CdnowRows;
use crate::import::columns::Kind;
use crate::import::history::{self, Open};
use crate::import::map::{self, Map};
use crate::import::ndjson::{NdjsonRows, write};
use crate::import::patience::News;
use crate::import::plan::propose;
use crate::import::rejects::{Form, Rejects};
use crate::import::tally::{Run, Tally};
use crate::import::upload::{Knowledge, Observer, rehearse, upload};
use crate::import::{self, COMPLETED, CsvRows, Input, Item, Items, Layout, Part, values};
use crate::output::{Block, Cell, Column, Document, format};
use crate::progress::{Progress, Visibility};
use crate::view;

/// Sends the rows of a file.
pub(crate) async fn import(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let path = matches
        .get_one::<PathBuf>("file")
        .cloned()
        .unwrap_or_default();
    let input = Input::open(&path)?;
    let consumed = input.consumed();
    let schedule = schedule(matches)?;
    let (client, _) = context.of_tenant().await?;
    let progress = Progress::bytes(context.visibility, input.size(), "import");
    let (items, form) = items(input, &path, matches, client.zone())?;
    let open = open(matches, schedule)?;
    let mut left_open = LeftOpen::default();
    let old = Old::of(&client, schedule).await;
    let batches = Batches::new(old.counting(items))
        .in_messages_of(context.loaded.config.ingest.max_batch_bytes);
    let rejects_path = matches.get_one::<PathBuf>("rejects");
    let rejects = rejects_path.map(|rejects| Rejects::create(rejects, form, &path));
    let max_errors = usize::try_from(number_of(matches, "max-errors")).unwrap_or(usize::MAX);
    let run = if matches.get_flag("dry-run") {
        Run::Dry
    } else {
        Run::Real
    };
    let tally = Tally::new(max_errors).of(run).writing(rejects.transpose()?);
    let mut underway = Underway::new(tally, knowledge(schedule));
    let tally = underway.tally();
    let mut observer = observer(progress, consumed);
    let position = if run == Run::Dry {
        let rehearsed = rehearse(&client, knowledge(schedule), batches, tally, &mut observer).await;
        rehearsed.map(|()| String::new()).map_err(unrehearsed)
    } else {
        let history = schedule.map(|schedule| (schedule, open, &mut left_open));
        store(&client, history, batches, tally, &mut observer).await
    };
    drop(observer);
    let mut tally = underway.ended();
    let written = complain(&path, &mut tally, rejects_path);
    let position = match position {
        Ok(position) => position,
        Err(error) => {
            note(&stopped(&tally));
            return Err(error);
        },
    };
    written?;
    // Also where nobody reads it to its end.
    let printed = context.print(matches, client.zone(), &summary(&tally, &position));
    if let Some(hint) = old.hint(run, tally.rows.accepted, tally.rows_judged())
        && context.visibility == Visibility::Terminal
    {
        note(&hint);
    }
    if schedule.is_some() && run == Run::Real {
        evaluated::wait(context, matches, &client, &position).await?;
    }
    printed?;
    if tally.is_clean() {
        Ok(())
    } else {
        Err(Error::Incomplete)
    }
}

/// Rows of a file of news that are about times long past: many of them mean that it is history.
#[derive(Debug, Default)]
struct Old {
    /// Before this they are old, in seconds since 1970; `None`: nobody asks.
    before: Option<i64>,
    rows: Arc<AtomicU64>,
}

impl Old {
    /// Later than this before the tenant's clock, a record is news that came late.
    const AGE_SECONDS: i64 = 7 * 86_400;

    async fn of(client: &Client, schedule: Option<HistorySchedule>) -> Self {
        if schedule.is_some() {
            return Self::default();
        }
        let asked = client.request(GetClockRequest::default());
        // Who may not ask, or asks a scoring that is away, is not told.
        let clock = client.clock().get_clock(asked).await.ok();
        let now = clock.and_then(|clock| clock.into_inner().now);
        Self {
            before: now.map(|now| now.seconds.saturating_sub(Self::AGE_SECONDS)),
            rows: Arc::default(),
        }
    }

    /// The same records, the old ones counted.
    fn counting(&self, items: Items) -> Items {
        let Some(before) = self.before else {
            return items;
        };
        let rows = Arc::clone(&self.rows);
        Box::new(items.inspect(move |item| {
            if let Ok(Item::Record { origin, record }) = item
                && origin.part == Part::Row
                && record.time.is_some_and(|time| time.seconds < before)
            {
                rows.fetch_add(1, Ordering::Relaxed);
            }
        }))
    }

    /// What to know where most of the rows are old, and most were accepted now, or would be.
    fn hint(&self, run: Run, n_accepted: u64, n_rows: u64) -> Option<String> {
        let old = self.rows.load(Ordering::Relaxed);
        let taken = match run {
            Run::Real => "were taken",
            Run::Dry => "would be taken",
        };
        (old.min(n_accepted) > n_rows / 2).then(|| {
            format!(
                "note: {} of {} rows are about times more than a week ago and {taken} as news: what they change in the past is shown as learned late, and no \
                 day before the first closed one is evaluated; a file of history is imported with --history daily",
                format::count(old),
                format::count(n_rows)
            )
        })
    }
}

/// Says which rows were not taken, or would not be, and where the others of them are.
fn complain(path: &Path, tally: &mut Tally, rejects: Option<&PathBuf>) -> Result<(), Error> {
    for complaint in &tally.complaints {
        note(&format!("{}: {complaint}", path.display()));
    }
    let more = tally.n_more_complaints();
    if more > 0 {
        let more = format::count(u64::try_from(more).unwrap_or(u64::MAX));
        note(&format!(
            "{}: and {more} more; --max-errors N prints N of them, --rejects FILE writes all",
            path.display()
        ));
    }
    if let (Some(rows), Some(rejects)) = (tally.finish_rejects()?, rejects) {
        note(&of_rejects(tally.run(), path, rejects, rows));
    }
    Ok(())
}

/// What to do with the file of so many rows that were not taken, or would not be.
fn of_rejects(run: Run, path: &Path, rejects: &Path, rows: u64) -> String {
    let (path, rejects, rows) = (path.display(), rejects.display(), format::count(rows));
    match run {
        Run::Real => format!(
            "{rejects}: {rows} rows that were not taken, each with why; correct them there and import that file"
        ),
        Run::Dry => format!(
            "{rejects}: {rows} rows that would not be taken, each with why; no row was taken: correct them in {path}, or import {path} and then, corrected, that file"
        ),
    }
}

/// Shows how far the import is; what it shows is gone when it is dropped.
fn observer(progress: Progress, consumed: Arc<AtomicU64>) -> impl FnMut(&Tally, News<'_>) + Send {
    move |tally, news| {
        progress.tell(news);
        let message = format!("{} rows", format::count(tally.rows_judged()));
        progress.at(consumed.load(Ordering::Relaxed), message);
    }
}

fn summary(tally: &Tally, position: &str) -> Document {
    let mut document = Document::default();
    document
        .blocks
        .push(tally.block("verdicts", "Rows by verdict".to_owned()));
    if !tally.reasons.is_empty() {
        let columns = vec![
            Column::left("reason", "Reason"),
            Column::right("rows", "Rows"),
        ];
        let more = match tally.run() {
            Run::Real => {
                "`sextant explain REASON` says what to do; `sextant rejections` lists the records."
            },
            Run::Dry => "`sextant explain REASON` says what to do.",
        };
        let mut block = Block::new("reasons", "Rejected rows by reason", columns).noted(more);
        for (reason, rows) in &tally.reasons {
            block
                .rows
                .push(vec![Cell::text(reason.clone()), Cell::Count(*rows)]);
        }
        document.blocks.push(block);
    }
    if !position.is_empty() {
        document.blocks.push(view::position(position));
    }
    document
}

/// Which past closes are evaluated; `None`: the file is news.
fn schedule(matches: &ArgMatches) -> Result<Option<HistorySchedule>, Error> {
    match text_of(matches, "history").as_str() {
        "none" => Ok(None),
        name => values::word(name).map(Some).map_err(Error::usage),
    }
}

/// What to do where an import of history is open already.
fn open(matches: &ArgMatches, schedule: Option<HistorySchedule>) -> Result<Open, Error> {
    match (matches.get_flag("resume"), schedule) {
        (false, _) => Ok(Open::Refuse),
        (true, Some(_)) => Ok(Open::Resume),
        (true, None) => Err(Error::usage(
            "--resume goes on in an import of history; say --history, too",
        )),
    }
}

fn knowledge(schedule: Option<HistorySchedule>) -> Knowledge {
    if schedule.is_some() {
        Knowledge::Historical
    } else {
        Knowledge::Now
    }
}

/// Sends everything, as history if there is a schedule, and gives the position from which reads include it.
async fn store(
    client: &Client,
    history: Option<(HistorySchedule, Open, &mut LeftOpen)>,
    batches: Batches,
    tally: &mut Tally,
    observer: Observer<'_>,
) -> Result<String, Error> {
    let Some((schedule, open, left_open)) = history else {
        upload(client, Knowledge::Now, batches, tally, observer).await?;
        return Ok(tally.position.clone());
    };
    let found_open = history::open(client, open).await.map_err(|status| {
        let aside = if is(&status, ErrorReason::ImportState) {
            "wait for it, or, if it was interrupted, repeat this command with --resume to go on in it"
        } else {
            ""
        };
        refused(status, aside)
    })?;
    left_open.0 = true;
    if let Some(status) = found_open {
        note(&format!("note: going on: {}", status.message()));
    }
    let stored = upload(client, Knowledge::Historical, batches, tally, observer).await;
    let completed = match stored {
        Ok(()) => history::complete(client, schedule, |news| observer(tally, news))
            .await
            .map_err(|status| {
                let was_completed = is(&status, ErrorReason::ImportState);
                refused(status, if was_completed { COMPLETED } else { "" })
            }),
        Err(error) => Err(error.into()),
    };
    left_open.0 = completed.as_ref().is_err_and(|error| !is_closed(error));
    completed
}

/// Why a dry run stopped. It goes on in nothing.
fn unrehearsed(error: import::Error) -> Error {
    match error {
        import::Error::Refused { status, .. } if !is(&status, ErrorReason::MessageTooLarge) => {
            refused(*status, "nothing was stored")
        },
        other => other.into(),
    }
}

fn refused(status: Status, aside: &str) -> Error {
    Error::Refused {
        status: Box::new(status),
        aside: aside.to_owned(),
    }
}

/// Whether an import failed because it is not open any more.
fn is_closed(error: &Error) -> bool {
    match error {
        Error::Refused { status, .. } | Error::Import(import::Error::Refused { status, .. }) => {
            is(status, ErrorReason::ImportState)
        },
        _ => false,
    }
}

/// The records of a file, whose days begin in the zone, and how rows that are not taken are written.
fn items(
    input: Input,
    path: &Path,
    matches: &ArgMatches,
    zone: &Zone,
) -> Result<(Items, Form), Error> {
    let source = text_of(matches, "source");
    if let Some(path) = matches.get_one::<PathBuf>("map") {
        let wrong = |problem| Error::usage(format!("--map {}: {problem}", path.display()));
        let map = Map::read(path).map_err(wrong)?;
        let delimiter = map.delimiter().map_err(wrong)?;
        let rows = CsvRows::mapped(input, &map, &source, zone)?;
        let names = rows.names().clone();
        return Ok((Box::new(rows), Form::Csv { delimiter, names }));
    }
    let named = matches
        .get_one::<String>("format")
        .and_then(|name| Layout::parse(name));
    let layout = named.or_else(|| Layout::of_name(&path.to_string_lossy()));
    let layout = layout.ok_or_else(|| {
        Error::usage(format!(
            "the name \"{}\" does not tell how the file is laid out; say --format",
            path.display()
        ))
    })?;
    Ok(match layout {
        Layout::Cdnow => {
            let source = if is_given(matches, "source") {
                source
            } else {
                "cdnow".to_owned()
            };
            (Box::new(CdnowRows::new(input, &source, zone)), Form::Cdnow)
        },
        Layout::Ndjson => (
            Box::new(NdjsonRows::new(input, &source, zone)),
            Form::Ndjson,
        ),
        Layout::Csv => {
            let kind = Kind::parse(&text_of(matches, "kind"));
            let kind = kind.ok_or_else(|| {
                Error::usage(format!(
                    "say with --kind what the rows are: {}",
                    Kind::ALL.map(Kind::as_str).join(", ")
                ))
            })?;
            let delimiter = delimiter(matches)?;
            let rows = CsvRows::new(input, kind, &source, delimiter, zone)?;
            let names = rows.names().clone();
            (Box::new(rows), Form::Csv { delimiter, names })
        },
    })
}

fn delimiter(matches: &ArgMatches) -> Result<u8, Error> {
    let text = text_of(matches, "delimiter");
    map::delimiter(&text)
        .ok_or_else(|| Error::usage(format!("--delimiter {text} is not one character, nor tab")))
}

/// Proposes how a file is mapped, and writes that where it is asked to.
pub(crate) fn plan(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let path = matches
        .get_one::<PathBuf>("file")
        .cloned()
        .unwrap_or_default();
    let kind = Kind::parse(&text_of(matches, "kind"));
    let delimiter = is_given(matches, "delimiter")
        .then(|| delimiter(matches))
        .transpose()?;
    let proposal = propose(&path, kind, delimiter)?;
    let columns = vec![
        Column::left("column", "Column"),
        Column::left("becomes", "Becomes"),
        Column::left("example", "Example"),
        Column::left("note", "Note"),
    ];
    let of = match proposal.product {
        Some(product) => format!(
            "{} as {}: an export of {product}",
            path.display(),
            proposal.map.kind
        ),
        None => format!("{} as {}", path.display(), proposal.map.kind),
    };
    let mut block = Block::new("columns", of, columns);
    for column in &proposal.columns {
        block.rows.push(vec![
            Cell::text(column.name.clone()),
            Cell::text(column.targets.join(", ")),
            Cell::text(column.example.clone()),
            Cell::text(column.note.clone()),
        ]);
    }
    context.print(matches, &Zone::utc(), &block.into())?;
    for told in &proposal.notes {
        note(&format!("note: {told}"));
    }
    let Some(to) = matches.get_one::<PathBuf>("write") else {
        note("--write MAP.json writes it to a file, to be corrected and imported with --map");
        return Ok(());
    };
    write_new(to, &proposal.map)?;
    note(&format!(
        "{}: look it through, then try it: sextant import {} --map {} --dry-run",
        to.display(),
        path.display(),
        to.display()
    ));
    Ok(())
}

/// Writes a map to a file that is not there yet: somebody may have corrected the one that is.
fn write_new(path: &Path, map: &Map) -> Result<(), Error> {
    let failed = |source: io::Error| {
        if source.kind() == io::ErrorKind::AlreadyExists {
            let message = format!("{} exists; remove it or name another file", path.display());
            return Error::Conflict { message };
        }
        Error::File {
            path: path.to_owned(),
            source,
        }
    };
    let mut file = File::create_new(path).map_err(failed)?;
    let mut text = serde_json::to_string_pretty(map).map_err(|error| failed(error.into()))?;
    text.push('\n');
    file.write_all(text.as_bytes()).map_err(failed)
}

/// Writes the records of a generated company.
pub(crate) async fn generate(matches: &ArgMatches) -> Result<(), Error> {
    let end = moment_of(matches, "end", &Zone::utc())?.and_then(|end| instant(&end).ok());
    let options = Options {
        seed: matches.get_one::<u64>("seed").copied().unwrap_or_default(),
        accounts: number_of(matches, "accounts"),
        months: number_of(matches, "months"),
        end: end.unwrap_or_else(|| Options::default().end),
        dirt: if matches.get_flag("clean") {
            Dirt::Clean
        } else {
            Dirt::Realistic
        },
    };
    let company = Company::new(options)?;
    let path = matches.get_one::<PathBuf>("output").cloned();
    let visibility = if matches.get_flag("quiet") || path.is_none() {
        Visibility::Hidden
    } else {
        Visibility::Terminal
    };
    let n_accounts = company.accounts();
    let written = spawn_blocking(move || match path {
        None => write_records(&company, visibility, io::stdout().lock()).map_err(Error::Output),
        Some(path) => {
            let written =
                File::create(&path).and_then(|file| write_records(&company, visibility, file));
            written.map_err(|source| Error::File { path, source })
        },
    });
    let counts = match written.await {
        Ok(written) => written?,
        Err(broken) => return Err(Error::Installation(broken.into())),
    };
    if !matches.get_flag("quiet") {
        note(&format!(
            "{} records of {} accounts, of which about {} pay at the end; the others left before or never paid",
            format::count(counts.records()),
            format::count(n_accounts.into()),
            format::count(options.accounts.into())
        ));
        note(&format!(
            "a tenant whose clock stands at the end takes {} of them; {} come again, {} in conflict, {} are refused and {} wait for accounts that never come",
            format::count(counts.accepted()),
            format::count(counts.duplicates),
            format::count(counts.conflicts),
            format::count(counts.rejected()),
            format::count(counts.unknown_account)
        ));
    }
    Ok(())
}

/// Writes all records and counts them.
fn write_records(company: &Company, visibility: Visibility, to: impl Write) -> io::Result<Counts> {
    /// Records between two frames of the progress.
    const STEP: u64 = 10_000;
    let progress = Progress::share(visibility, company.days_until(None), "generate");
    let mut to = BufWriter::new(to);
    let mut n_records = 0_u64;
    let mut records = company.records();
    while let Some(record) = records.next() {
        to.write_all(write(&record).as_bytes())?;
        to.write_all(b"\n")?;
        n_records += 1;
        if n_records.is_multiple_of(STEP) {
            let days = company.days_until(Some(records.now()));
            progress.at(days, format!("{} records", format::count(n_records)));
        }
    }
    to.flush()?;
    Ok(records.counts())
}

#[cfg(test)]
mod tests;
