//! `sextant plugin new`: a segmenter to begin with, and everything that building it takes.

mod files;

use std::fs;
use std::path::{Path, PathBuf};

use clap::ArgMatches;

use sextant_domain::time::Zone;
use sextant_plugin_host::Descriptor;

use crate::cli::context::{Context, text_of};
use crate::cli::plugin::new::files::{C, File, PYTHON, RUST, SDK};
use crate::error::Error;
use crate::output::{Block, Cell, Column};

/// Languages that there is a beginning in.
pub(crate) const LANGUAGES: [&str; 3] = ["rust", "c", "python"];

/// The id of the examples that are made into a new segmenter.
const EXAMPLES: [&str; 3] = [
    "example.team_size",
    "example.health_groups",
    "example.health_py",
];

/// Makes the folder.
pub(crate) fn new(context: &Context<'_>, matches: &ArgMatches) -> Result<(), Error> {
    let folder = matches
        .get_one::<PathBuf>("name")
        .cloned()
        .unwrap_or_default();
    let name = folder.file_name().and_then(|name| name.to_str());
    let name = name.filter(|name| is_name(name)).ok_or_else(|| {
        Error::usage("name it with lower-case letters, digits and '_', beginning with a letter")
    })?;
    let id = match text_of(matches, "id") {
        id if id.is_empty() => format!("example.{name}"),
        id => id,
    };
    if id.starts_with("sextant.") {
        return Err(Error::usage(format!(
            "\"{id}\" would be refused where it is published: ids that begin with sextant. are those of segmenters that come with the service"
        )));
    }
    if !Descriptor::is_id(&id) {
        let message = format!(
            "\"{id}\" is no id such as acme.health: parts of [a-z0-9_-] with a dot between them"
        );
        return Err(Error::usage(message));
    }
    if folder.exists() {
        let folder = folder.display();
        return Err(Error::usage(format!("{folder} exists: name a new folder")));
    }
    let (own, brought, next): (&[File], &[File], String) = match text_of(matches, "lang").as_str() {
        "c" => (C, &[], "make && sextant plugin check NAME.so".to_owned()),
        "python" => (
            PYTHON,
            &[],
            "pip install ./sextant_segmenter && python -m sextant_segmenter check NAME:Health"
                .to_owned(),
        ),
        _ => (
            RUST,
            SDK,
            "cargo test && cargo build --release && sextant plugin check target/release/libNAME.so"
                .to_owned(),
        ),
    };
    for file in own.iter().chain(brought) {
        write(&folder, file, (name, &id))?;
    }
    let columns = vec![
        Column::left("folder", "Folder"),
        Column::left("segmenter", "Segmenter"),
        Column::unseen("next"),
    ];
    let next = next.replace("NAME", name);
    let shown = folder.display().to_string();
    // In one line, to be copied.
    let note = format!("Next: cd {shown} && {next}");
    let mut block = Block::new("segmenters", "", columns).noted(note);
    block.rows.push(vec![
        Cell::text(shown),
        Cell::text(id.clone()),
        Cell::text(next),
    ]);
    context.print(matches, &Zone::utc(), &block.into())
}

fn is_name(name: &str) -> bool {
    let is_of_name = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(is_of_name)
}

fn write(folder: &Path, (path, text): &File, (name, id): (&str, &str)) -> Result<(), Error> {
    let path = folder.join(path.replace("NAME", name));
    let failed = |source| Error::File {
        path: path.clone(),
        source,
    };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let mut text = text.replace("@NAME@", name);
    for example in EXAMPLES {
        text = text.replace(example, id);
    }
    fs::write(&path, text).map_err(failed)
}
