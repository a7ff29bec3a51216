//! Shared objects for tests: the built-in ones that cargo put beside this binary, and small ones compiled with `cc`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::{env, fs};

use arrow_array::{ArrayRef, Int64Array, RecordBatch};

use sextant_plugin_host::{
    Allowance, Call, External, ExternalInstance, Hosts, Instance, LoadError, Plugin, Verified,
};

/// The folder with the `.so` files of the dev-dependencies: where this binary is.
pub(crate) fn built_in_folder() -> PathBuf {
    env::current_exe().unwrap().parent().unwrap().to_owned()
}

pub(crate) fn built_in(name: &str) -> Plugin {
    Plugin::load(&built_in_folder().join(format!("libsextant_segmenter_{name}.so"))).unwrap()
}

pub(crate) fn call() -> Call<'static> {
    Call {
        tenant: "acme",
        as_of_us: 1_767_225_600_000_000,
        seed: 7,
        deadline: None,
        cancel: None,
    }
}

/// Compiles C into `<folder>/<name>.so`.
pub(crate) fn compile(folder: &Path, source: &Path, name: &str, options: &[&str]) -> PathBuf {
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../abi/include");
    let object = folder.join(format!("{name}.so"));
    let output = Command::new("cc")
        .args([
            "-O1",
            "-std=gnu11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-fvisibility=hidden",
            "-shared",
            "-fPIC",
            "-I",
        ])
        .arg(include)
        .arg("-o")
        .args([&object, source])
        // Libraries come behind what needs them.
        .args(options)
        .output()
        .unwrap_or_else(|error| panic!("cc is needed by this test: {error}"));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    object
}

/// A C segmenter over one int64 column, with the parts of the table that a test wants to be different. Answers are the
/// values of the column.
#[derive(Debug, Clone)]
pub(crate) struct Fixture {
    /// C initialisers that replace those of the table.
    pub(crate) table: String,
    /// Body of `segment`, with `in`, `values` and `rows` in scope, up to the answer in `answer(out, values, rows)`.
    pub(crate) segment: String,
    /// Body of the entry function.
    pub(crate) entry: String,
    /// Body of `explain`.
    pub(crate) explain: String,
    pub(crate) descriptor: String,
    /// Functions before all others.
    pub(crate) prelude: String,
}

pub(crate) const DESCRIPTOR: &str = r#"{"id":"test.fixture","version":"1.0.0","abi":"1.0","title":"Fixture","output":"single","requires":[{"feature":"test.value","type":"int64","on_missing":"skip_row"}],"segments":[{"key":"zero"},{"key":"one"},{"key":"two"}]}"#;

impl Default for Fixture {
    fn default() -> Self {
        Self {
            table: String::new(),
            segment: "return answer(out, values, rows);".to_owned(),
            entry: "return &table;".to_owned(),
            explain: "return SEG_E_UNSUPPORTED;".to_owned(),
            descriptor: DESCRIPTOR.to_owned(),
            prelude: String::new(),
        }
    }
}

impl Fixture {
    fn source(&self) -> String {
        let descriptor = self.descriptor.replace('\\', "\\\\").replace('"', "\\\"");
        let Self {
            table,
            segment,
            entry,
            explain,
            prelude,
            ..
        } = self;
        include_str!("fixture.c")
            .replace("@DESCRIPTOR@", &descriptor)
            .replace("@PRELUDE@", prelude)
            .replace("@TABLE@", table)
            .replace("@SEGMENT@", segment)
            .replace("@ENTRY@", entry)
            .replace("@EXPLAIN@", explain)
    }

    /// Compiles it into a folder, with further options.
    pub(crate) fn compile_with(&self, folder: &Path, options: &[&str]) -> PathBuf {
        let source = folder.join("fixture.c");
        fs::write(&source, self.source()).unwrap();
        compile(folder, &source, "fixture", options)
    }

    pub(crate) fn load(&self) -> Result<Plugin, LoadError> {
        let folder = tempfile::tempdir().unwrap();
        Plugin::load(&self.compile_with(folder.path(), &[]))
    }

    /// In a process of its own, with a promise that rows do not depend on each other.
    pub(crate) fn isolated(&self) -> External {
        let folder = tempfile::tempdir().unwrap();
        let path = self
            .independent()
            .compile_with(folder.path(), &["-pthread"]);
        External::start(
            &hosts(),
            Verified::read(&path).unwrap(),
            Allowance::default(),
        )
        .unwrap()
    }

    /// The same, with that promise.
    pub(crate) fn independent(&self) -> Self {
        let caps = ".caps = SEG_CAP_EXPLAIN | SEG_CAP_ROW_INDEPENDENT";
        Self {
            table: [self.table.as_str(), caps]
                .join(", ")
                .trim_start_matches(", ")
                .to_owned(),
            ..self.clone()
        }
    }

    /// A bound instance.
    pub(crate) fn instance(&self) -> Instance {
        let mut instance = Instance::create(&self.load().unwrap(), "").unwrap();
        instance.bind(values([]).schema_ref()).unwrap();
        instance
    }
}

/// Host processes of this crate's own program.
pub(crate) fn hosts() -> Hosts {
    Hosts::new(Path::new(env!("CARGO_BIN_EXE_sextant-plugin-host"))).unwrap()
}

/// An instance of an isolated fixture.
pub(crate) fn bound(plugin: &External) -> ExternalInstance {
    ExternalInstance::create(plugin, "", values([]).schema_ref()).unwrap()
}

/// A batch of the fixture's one column.
pub(crate) fn values<const N: usize>(values: [Option<i64>; N]) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
    RecordBatch::try_from_iter_with_nullable([("test.value", column, true)]).unwrap()
}
