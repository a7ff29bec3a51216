//! The directory whose shared libraries are published as they come: for development, and for those who release by mounting a volume.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tracing::error;

use sextant_plugin_host::trust::Signed;
use sextant_plugin_host::{MAX_FILE_BYTES, Unreadable, read_file};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_runtime::blocking;
use sextant_store::port::SegmenterState;
use sextant_wire::status::Problem;

use crate::segmenters::{Actor, Offer, Segmenters};

/// What was found in the directory, and was published or refused: files with their sizes and times of change.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    files: BTreeMap<PathBuf, Stamp>,
    /// True: it could not be read the last time.
    is_away: bool,
}

/// Of the file, its manifest and its signature: whichever comes last is news.
type Stamp = [Option<(u64, Option<SystemTime>)>; 3];

impl Segmenters {
    /// The version that a reference names, for whoever changes something: what lies in the directory counts from the moment on in which
    /// they ask. Who only reads has nothing published.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub(crate) async fn find_to_use(
        &self,
        named: &pb::SegmenterRef,
    ) -> Result<Arc<pb::Segmenter>, Problem> {
        self.find_to_change(named, &[SegmenterState::Ready]).await
    }

    /// The same of versions in some states.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub(crate) async fn find_to_change(
        &self,
        named: &pb::SegmenterRef,
        states: &[SegmenterState],
    ) -> Result<Arc<pb::Segmenter>, Problem> {
        self.look_into_directory().await;
        self.find(named, states).await
    }

    /// Publishes what has come to the directory, or has changed, since it was looked into. What is refused is told of once. Two
    /// callers see what both have found.
    pub(crate) async fn look_into_directory(&self) {
        let Some(folder) = self.isolation.watched_dir.clone() else {
            return;
        };
        let mut watched = self.watched.lock().await;
        let listing = folder.clone();
        let found = blocking(move || Ok::<_, Problem>(files(&listing))).await;
        let found = match found.map_err(|problem| problem.message) {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return watched.told_away(&folder, &error.to_string()),
            Err(message) => return watched.told_away(&folder, &message),
        };
        watched.is_away = false;
        watched.files.retain(|path, _| found.contains_key(path));
        for (path, stamp) in found {
            if watched.files.get(&path) == Some(&stamp) {
                continue;
            }
            if self.publish_file(&path).await {
                watched.files.insert(path, stamp);
            }
        }
    }

    /// True: it is done with, be it published or refused.
    async fn publish_file(&self, path: &Path) -> bool {
        let reading = path.to_owned();
        let read = blocking(move || Ok::<_, Problem>(read(&reading))).await;
        let (code, signed) = match read {
            Ok(Ok(read)) => read,
            Ok(Err(Unreadable { path, error })) => {
                error!(file = %path.display(), %error, "a segmenter cannot be read");
                return true;
            },
            Err(_broke_off) => return false,
        };
        let offer = Offer {
            name: path.display().to_string(),
            code,
            digest: String::new(),
            signed,
            by: Actor("directory".to_owned()),
        };
        match self.publish(offer).await {
            Ok(_published) => true,
            Err(problem) if problem.reason == ErrorReason::Unavailable => false,
            Err(problem) => {
                let (field, problem) = (problem.field, problem.message);
                error!(file = %path.display(), field, problem, "a segmenter is not published");
                true
            },
        }
    }
}

impl Watched {
    fn told_away(&mut self, folder: &Path, error: &str) {
        if !self.is_away {
            error!(directory = %folder.display(), error, "plugins.watched_dir cannot be read");
        }
        self.is_away = true;
    }
}

/// A library, and what `sextant plugin sign` has put beside it: a manifest whose signature has not come yet is none.
fn read(path: &Path) -> Result<(Vec<u8>, Signed), Unreadable> {
    let unreadable = |error| Unreadable {
        path: path.to_owned(),
        error,
    };
    let code = read_file(path, MAX_FILE_BYTES).map_err(unreadable)?;
    match Signed::beside(path) {
        Err(missing) if missing.error.kind() == io::ErrorKind::NotFound => {
            Ok((code, Signed::default()))
        },
        signed => Ok((code, signed?)),
    }
}

/// The shared objects of a folder. What is no file, such as a pipe, has no end to be read to.
fn files(folder: &Path) -> io::Result<BTreeMap<PathBuf, Stamp>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_shared_object = path.extension().is_some_and(|extension| extension == "so");
        // A mounted volume shows files as links.
        if !is_shared_object || !path.is_file() {
            continue;
        }
        let [manifest, signature] = Signed::files_beside(&path);
        let stamp = [&path, &manifest, &signature].map(|file| {
            let about = std::fs::metadata(file).ok()?;
            Some((about.len(), about.modified().ok()))
        });
        files.insert(path, stamp);
    }
    Ok(files)
}

#[cfg(test)]
mod tests;
