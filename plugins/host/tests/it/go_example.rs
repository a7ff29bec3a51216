//! `plugins/examples/go` is compiled as its comment says: it runs in a process of its own, in the whole sandbox, and nowhere else.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use sextant_plugin_host::conformance::{Outcome, judge};
use sextant_plugin_host::{
    Allowance, CallError, Check, External, ExternalInstance, FailureCode, Plugin, Verified, rows,
};

use crate::fixture::{call, hosts};

fn compile(folder: &Path) -> PathBuf {
    let go = env::var_os("SEXTANT_TEST_GO");
    let go = go.expect("SEXTANT_TEST_GO: a Go compiler, as tests/tools installs it");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let library = folder.join("plan_fit.so");
    let header = root.join("abi/include").canonicalize().unwrap();
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let compiled = Command::new(go)
        .args([
            "build",
            "-buildmode=c-shared",
            "-trimpath",
            "-ldflags=-s",
            "-o",
        ])
        .arg(&library)
        .arg(".")
        .current_dir(root.join("examples/go"))
        .env("CGO_CFLAGS", format!("-O2 -I{}", header.display()))
        .env("CGO_ENABLED", "1")
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-modcacherw")
        .env("GOPATH", temporary.join("go"))
        .env("GOCACHE", temporary.join("go-cache"))
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{complaints}");
    library
}

#[test]
fn the_example_in_go_runs_in_a_process_of_its_own_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let library = compile(folder.path());
    let refused = Plugin::load(&library).unwrap_err();
    assert_eq!(refused.check(), Check::InProcess, "{refused}");

    let hosts = hosts();
    let verdicts = judge(&hosts, &library, &Allowance::default());
    let failed: Vec<_> = verdicts
        .iter()
        .filter(|one| one.outcome == Outcome::Fail)
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");

    let file = Verified::read(&library).unwrap();
    let plugin = External::start(&hosts, file, Allowance::default()).unwrap();
    let schema = rows::schema(plugin.descriptor());
    let config = r#"{"full_from":0.5,"idle_below":0.1}"#;
    let instance = ExternalInstance::create(&plugin, config, &schema).unwrap();
    let given = [vec![json!(10), json!(0.5)], vec![json!(0), json!(0.5)]];
    let batch = rows::of_values(plugin.descriptor(), &given).unwrap();
    let answers = instance.segment(&batch, &call()).unwrap();
    assert_eq!(answers.segment, [0, sextant_plugin_host::ABSTAIN]);
    let odd = r#"{"full_from":0.1,"idle_below":0.5}"#;
    match ExternalInstance::create(&plugin, odd, &schema).unwrap_err() {
        CallError::Plugin(failure) => {
            assert_eq!(failure.code, FailureCode::InvalidConfig);
            assert_eq!(failure.field, "/idle_below");
        },
        other => panic!("{other}"),
    }
}
