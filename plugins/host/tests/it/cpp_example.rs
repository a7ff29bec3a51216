//! `plugins/examples/cpp/seat_pressure.cpp` is compiled as its header says, keeps to what the service relies on, and no exception of
//! its class crosses the border.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};

use sextant_plugin_host::conformance::{Outcome, judge};
use sextant_plugin_host::{Allowance, CallError, FailureCode, Instance, Plugin, rows};

use crate::fixture::{call, hosts};

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/cpp/seat_pressure.cpp")
}

/// Compiles the example with a part of it replaced.
fn compile(folder: &Path, (part, other): (&str, &str)) -> PathBuf {
    let text = fs::read_to_string(source()).unwrap();
    assert!(text.contains(part));
    let (file, library) = (folder.join("model.cpp"), folder.join("model.so"));
    fs::write(&file, text.replace(part, other)).unwrap();
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("../abi/include");
    let compiled = Command::new("c++")
        .args([
            "-O2",
            "-std=c++17",
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Werror",
        ])
        .args(["-fvisibility=hidden", "-shared", "-fPIC", "-I"])
        .arg(header)
        .arg("-o")
        .args([&library, &file])
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{complaints}");
    library
}

#[test]
fn the_example_in_cpp_passes_every_test_of_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let library = compile(folder.path(), ("", ""));
    let verdicts = judge(&hosts(), &library, &Allowance::default());
    let odd: Vec<_> = verdicts
        .iter()
        .filter(|one| matches!(one.outcome, Outcome::Fail | Outcome::Warning))
        .collect();
    assert!(odd.is_empty(), "{odd:#?}");
}

#[test]
fn a_configuration_that_the_class_refuses_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = Plugin::load(&compile(folder.path(), ("", ""))).unwrap();
    let config = r#"{"full_from":0.2,"empty_below":0.3}"#;
    match Instance::create(&plugin, config).unwrap_err() {
        CallError::Plugin(failure) => {
            assert_eq!(failure.code, FailureCode::InvalidConfig);
            assert_eq!(failure.field, "/empty_below");
            assert_eq!(failure.message, "must not be above full_from");
        },
        other => panic!("{other}"),
    }
}

#[test]
fn an_exception_is_an_error_of_its_call() {
    for (thrown, told) in [
        ("throw std::runtime_error(\"no such luck\")", "no such luck"),
        ("throw 7", "an exception that says nothing"),
        ("throw std::bad_alloc()", "out of memory"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let raises = ("return SEG_ABSTAIN;", &*format!("{thrown};"));
        let plugin = Plugin::load(&compile(folder.path(), raises)).unwrap();
        let mut instance = Instance::create(&plugin, "{}").unwrap();
        let schema = rows::schema(plugin.descriptor());
        instance.bind(&schema).unwrap();
        let of = |share: f64| {
            let columns: [ArrayRef; 2] = [
                Arc::new(Float64Array::from(vec![share])),
                Arc::new(Int64Array::from(vec![1])),
            ];
            RecordBatch::try_new(Arc::new(schema.clone()), columns.to_vec()).unwrap()
        };
        let good = instance.segment(&of(0.95), &call()).unwrap();
        assert_eq!(good.segment, [0]);
        let bad = of(f64::NAN);
        match instance.segment(&bad, &call()).unwrap_err() {
            CallError::Plugin(failure) => assert_eq!(failure.message, told),
            other => panic!("{other}"),
        }
    }
}
