//! The files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

/// A text file.
#[derive(Debug)]
pub(crate) struct File {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// All text files but what builds leave behind, in order of path.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

impl Tree {
    pub(crate) fn load() -> Self {
        let root = root();
        let mut paths = Vec::new();
        collect(&root, &mut paths);
        paths.sort();
        let files = paths.into_iter().filter_map(|path| {
            let relative = path.strip_prefix(&root).unwrap().to_str().unwrap();
            Some(File {
                path: relative.to_owned(),
                text: String::from_utf8(fs::read(&path).unwrap()).ok()?,
            })
        });
        Self {
            files: files.collect(),
        }
    }

    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(crate) fn with_extension<'a>(
        &'a self,
        extension: &'a str,
    ) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(move |file| {
            Path::new(&file.path)
                .extension()
                .is_some_and(|it| it == extension)
        })
    }

    /// Rust that people wrote.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.with_extension("rs")
            .filter(|file| !file.path.starts_with("proto/src/gen/"))
    }

    /// Rust that people wrote and users run.
    pub(crate) fn product(&self) -> impl Iterator<Item = &File> {
        self.rust().filter(|file| !is_test(&file.path))
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (name, kind) = (entry.file_name(), entry.file_type().unwrap());
        if kind.is_dir() {
            let made = ["target", "node_modules", "__pycache__", ".git"]
                .iter()
                .any(|made| name == *made);
            let data = folder == root() && name == "data";
            if !made && !data {
                collect(&entry.path(), into);
            }
        } else if kind.is_file() && name != ".git" {
            // In a work tree that git made beside the first one, `.git` is a file.
            into.push(entry.path());
        }
    }
}

/// Tests, benches, examples of use, and what tests are made of.
fn is_test(path: &str) -> bool {
    let support = [
        "tests/",
        "plugins/sdk/src/testing",
        "shared/backends/src/testing",
        "shared/store/src/conformance",
    ];
    path.contains("/tests/")
        || path.ends_with("/tests.rs")
        || path.contains("/benches/")
        || (path.contains("/examples/") && !path.starts_with("plugins/examples/"))
        || support.iter().any(|prefix| path.starts_with(prefix))
}

/// Fails with everything that was found, one finding per line.
#[track_caller]
pub(crate) fn report(findings: &[String]) {
    assert!(
        findings.is_empty(),
        "{} findings:\n{}",
        findings.len(),
        findings.join("\n")
    );
}
