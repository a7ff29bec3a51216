//! A loaded segmenter.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sextant_segmenter_abi::{
    SEG_CAP_DETERMINISTIC, SEG_CAP_EXPLAIN, SEG_CAP_ROW_INDEPENDENT, SEG_CAP_THREAD_SAFE,
};

use crate::check::{Check, Finding};
use crate::library::{self, Object, Place, Table};
use crate::sealed::Sealed;
use crate::{ConfigFault, Descriptor, LoadError, Verified};

/// Segmenters are files with this beginning and end.
const FILE_NAME: (&str, &str) = ("libsextant_segmenter_", ".so");

/// A segmenter that passed every check and is loaded until the process ends. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Plugin {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: Verified,
    table: Table,
}

impl Plugin {
    /// Reads the file once, verifies it without running it, loads it and checks its table. The file may be replaced or
    /// deleted afterwards; a file that changed becomes another plugin, beside this one, when it is loaded again.
    ///
    /// # Errors
    ///
    /// [`LoadError`] names the check that failed, why it exists and how to fix the cause.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        Self::load_verified(Verified::read(path)?)
    }

    /// Loads a file that was verified, and checks its table.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load), of the checks whose ids start with `L-`.
    pub fn load_verified(file: Verified) -> Result<Self, LoadError> {
        let path = file.path().to_owned();
        Self::load_at(file, Place::Service).map_err(|finding| LoadError::new(&path, finding))
    }

    pub(crate) fn load_at(file: Verified, place: Place) -> Result<Self, Finding> {
        let table = library::load(
            file.memory(),
            (file.descriptor(), file.descriptor_json()),
            place,
        )?;
        let inner = Arc::new(Inner { file, table });
        Ok(Self { inner })
    }

    /// The file that it was loaded from.
    pub fn path(&self) -> &Path {
        self.inner.file.path()
    }

    /// SHA-256 of the file.
    pub fn digest(&self) -> &[u8; 32] {
        self.inner.file.digest()
    }

    /// SHA-256 of the file, in lower-case hexadecimal digits.
    pub fn digest_hex(&self) -> String {
        self.inner.file.digest_hex()
    }

    /// What it reads, what it answers, how it is configured.
    pub fn descriptor(&self) -> &Descriptor {
        self.inner.file.descriptor()
    }

    /// The descriptor as the author wrote it.
    pub fn descriptor_json(&self) -> &str {
        self.inner.file.descriptor_json()
    }

    /// Checks a configuration and returns its canonical text with every default filled in. The segmenter itself may
    /// still refuse what a schema cannot say, in [`Instance::create`](crate::Instance::create).
    ///
    /// # Errors
    ///
    /// Every value that breaks a rule, by JSON pointer.
    pub fn canonical_config(&self, config_json: &str) -> Result<String, Vec<ConfigFault>> {
        self.descriptor().config_schema.canonical(config_json)
    }

    /// Whether it can give reasons.
    pub fn explains(&self) -> bool {
        self.inner.table.caps & SEG_CAP_EXPLAIN != 0
    }

    /// Whether it promises the same bytes for the same configuration, call and rows.
    pub fn is_deterministic(&self) -> bool {
        self.inner.table.caps & SEG_CAP_DETERMINISTIC != 0
    }

    /// Whether it promises that a row's answer does not depend on other rows, so that batches may be cut anywhere.
    pub fn is_row_independent(&self) -> bool {
        self.inner.table.caps & SEG_CAP_ROW_INDEPENDENT != 0
    }

    /// Whether one instance may be called from several threads at once; otherwise the host makes them wait.
    pub fn is_thread_safe(&self) -> bool {
        self.inner.table.caps & SEG_CAP_THREAD_SAFE != 0
    }

    /// Whether it has to be fitted, and answers from the state that this leaves.
    pub fn fits(&self) -> bool {
        self.inner.table.fit.is_some()
    }

    /// What it was loaded from.
    pub(crate) fn memory(&self) -> &Sealed {
        self.inner.file.memory()
    }

    /// Where it is in memory.
    pub(crate) fn object(&self) -> Object {
        library::object_of(&self.inner.table)
    }

    pub(crate) fn table(&self) -> &Table {
        &self.inner.table
    }
}

/// Loads every segmenter (`libsextant_segmenter_*.so`) of a folder, in the order of their file names. A folder that cannot be read
/// is one error.
pub fn discover(folder: &Path) -> Vec<Result<Plugin, LoadError>> {
    match candidates(folder) {
        Ok(files) => {
            let mut ids = BTreeMap::new();
            let of_segmenters = files.iter().filter(|(_, is_named)| *is_named);
            of_segmenters
                .map(|(path, _)| Plugin::load(path).and_then(|plugin| only_one(&mut ids, plugin)))
                .collect()
        },
        Err(error) => {
            let finding =
                Finding::new(Check::Readable, "the folder could not be read").caused_by(error);
            vec![Err(LoadError::new(folder, finding))]
        },
    }
}

/// Shared objects of a folder that [`discover`] leaves alone, because they are not named like segmenters.
///
/// # Errors
///
/// A folder that cannot be read.
pub fn left_alone(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let others = candidates(folder)?.into_iter();
    let others = others.filter(|(_, is_named)| !is_named);
    Ok(others.map(|(path, _)| path).collect())
}

fn only_one(ids: &mut BTreeMap<String, PathBuf>, plugin: Plugin) -> Result<Plugin, LoadError> {
    let (id, path) = (&plugin.descriptor().id, plugin.path());
    match ids.insert(id.clone(), path.to_owned()) {
        None => Ok(plugin),
        Some(first) => {
            let what = format!("{} has the id {id}, too", first.display());
            Err(LoadError::new(path, Finding::new(Check::OneOfItsId, what)))
        },
    }
}

/// The shared objects of a folder, by name, and whether each is named like a segmenter.
fn candidates(folder: &Path) -> io::Result<Vec<(PathBuf, bool)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (start, end) = FILE_NAME;
        if let Some(name) = entry.file_name().to_str()
            && name.ends_with(end)
        {
            files.push((entry.path(), name.starts_with(start)));
        }
    }
    files.sort();
    Ok(files)
}
