//! The Python package, asked over the network as a team would run it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use sextant_plugin_host::conformance::{Outcome, Verdict, judge_server};
use sextant_plugin_host::{ABSTAIN, Allowance, External, ExternalInstance, Server, Trouble, rows};

use crate::fixture::{call, hosts};

/// A model in Python as a server.
struct Python {
    child: Child,
    address: String,
}

impl Python {
    /// The example of the package.
    fn serve(listen: &str) -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../python");
        Self::of(&package.join("examples"), "health:Health", listen)
    }

    fn of(folder: &Path, class: &str, listen: &str) -> Self {
        let python = std::env::var_os("SEXTANT_TEST_PYTHON");
        let python = python.expect(
            "SEXTANT_TEST_PYTHON: a Python with grpcio and pyarrow, as tests/tools installs it",
        );
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../python");
        let mut child = Command::new(python)
            .args([
                "-m",
                "sextant_segmenter",
                "serve",
                class,
                "--listen",
                listen,
            ])
            .current_dir(folder)
            .env("PYTHONPATH", &package)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut told)
            .unwrap();
        let address = told.trim().rsplit(' ').next().unwrap().to_owned();
        assert!(address.starts_with("http://"), "{told}");
        Self { child, address }
    }

    fn server(&self) -> Server {
        Server {
            address: self.address.clone(),
            token: None,
        }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_model_in_python_answers_explains_vanishes_and_comes_back() {
    let python = Python::serve("127.0.0.1:0");
    let plugin = External::connect(&hosts(), &python.server(), Allowance::default()).unwrap();
    let descriptor = plugin.descriptor();
    assert_eq!(
        (descriptor.id.as_str(), descriptor.examples.len()),
        ("example.health_py", 1)
    );
    assert!(plugin.explains() && plugin.is_deterministic() && plugin.is_row_independent());
    let schema = rows::schema(descriptor);
    let instance = ExternalInstance::create(&plugin, "{}", &schema).unwrap();
    let given = [
        vec![json!(9_000_000), json!(0.9)],
        vec![json!(9_000_000), json!(0.2)],
        vec![json!(null), json!(0.2)],
        vec![json!(50_000), json!(null)],
    ];
    let batch = rows::of_values(descriptor, &given).unwrap();
    let answers = instance.segment(&batch, &call()).unwrap();
    assert_eq!(answers.segment, [0, 3, ABSTAIN, ABSTAIN]);
    assert_eq!((answers.missing.len(), answers.unanswered.len()), (1, 0));
    let reasons = instance.explain(&batch, &call(), 1).unwrap();
    let texts = reasons
        .iter()
        .map(|of_row| of_row.first().and_then(|one| one.text.as_deref()));
    let expected = [
        Some("90% of the seats are in use"),
        Some("20% of the seats are in use"),
        Some("revenue.arr_minor is unknown"),
        None,
    ];
    assert_eq!(texts.collect::<Vec<_>>(), expected);

    let listen = python.address.replace("http://", "");
    drop(python);
    let gone = instance.segment(&batch, &call()).unwrap();
    assert!(
        matches!(gone.unanswered[0].trouble, Trouble::Gone(_)),
        "{:?}",
        gone.unanswered
    );
    let _again = Python::serve(&listen);
    let back = instance.segment(&batch, &call()).unwrap();
    assert_eq!((back.segment, back.unanswered), (answers.segment, vec![]));
}

/// Finds out which of the features of its configuration is the greatest, and says what list it was shown.
const GREATEST: &str = r#"
import json
from sextant_segmenter import Reason, Segmenter

class Greatest(Segmenter):
    descriptor = json.loads("""{
        "id": "test.greatest", "version": "1.0.0", "abi": "1.0", "title": "Greatest", "output": "single",
        "requires": [{"feature": "revenue.seats", "type": "int64", "on_missing": "skip_row"}],
        "optional": [{"feature": "usage.history", "type": "list<float64>"}],
        "dynamic_features": true, "feature_scope": ["usage.*"], "dynamic_segments": {"max": 3},
        "config_schema": {"type": "object", "properties": {
            "features": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3, "default": ["usage.logins"]}}},
        "examples": [
            {"config": {}, "rows": [[1, [1, 2], 5]], "expect": ["usage.logins"]},
            {"config": {"features": ["usage.a", "usage.b"]}, "rows": [[1, null, 5, 6]], "expect": ["usage.b"]}]
    }""")

    def features(self):
        return [{"feature": name, "type": "float64", "on_missing": "skip_row"} for name in self.config["features"]]

    def segments(self):
        return [{"key": name} for name in self.config["features"]]

    def segment(self, rows, call):
        wanted = self.config["features"]
        assert rows.schema.names == ["revenue.seats", "usage.history", *wanted], rows.schema.names
        values = zip(*(rows.column(name).to_pylist() for name in wanted))
        return [max(zip(row, wanted))[1] for row in values]

    def explain(self, rows, call, top_k):
        histories = rows.column("usage.history").to_pylist()
        return [[Reason(self.config["features"][-1], 1.0, f"of {history}")] for history in histories]
"#;

#[test]
fn a_model_in_python_is_asked_about_what_its_configuration_reads_and_answers_segments_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("greatest.py"), GREATEST).unwrap();
    let python = Python::of(folder.path(), "greatest:Greatest", "127.0.0.1:0");
    let plugin = External::connect(&hosts(), &python.server(), Allowance::default()).unwrap();
    let config = r#"{"features":["usage.b","usage.a"]}"#;
    let canonical = plugin.descriptor().config_schema.canonical(config).unwrap();
    let configured = plugin.configured(&canonical, None).unwrap();
    let names: Vec<&str> = configured.features.iter().map(|one| &*one.name).collect();
    assert_eq!(
        names,
        ["revenue.seats", "usage.history", "usage.b", "usage.a"]
    );
    let batch = rows::of_values(
        &configured,
        &[
            vec![json!(1), json!([1.5, null]), json!(1.0), json!(2.0)],
            vec![json!(1), json!(null), json!(3.0), json!(2.0)],
            vec![json!(1), json!(null), json!(null), json!(2.0)],
        ],
    );
    let batch = batch.unwrap();
    let instance = ExternalInstance::create(&plugin, config, batch.schema_ref()).unwrap();
    let keys = instance.descriptor().segments.iter().map(|one| &*one.key);
    assert_eq!(keys.collect::<Vec<_>>(), ["usage.b", "usage.a"]);
    let answers = instance.segment(&batch, &call()).unwrap();
    assert_eq!(answers.segment, [1, 0, ABSTAIN]);
    assert_eq!((answers.missing[0].row, answers.missing[0].feature), (2, 2));
    let reasons = instance.explain(&batch, &call(), 1).unwrap();
    let told = (reasons[0][0].feature_index, reasons[0][0].text.as_deref());
    assert_eq!(told, (3, Some("of [1.5, None]")));

    let outside = plugin.configured(r#"{"features":["revenue.mrr_minor"]}"#, None);
    let outside = outside.unwrap_err().to_string();
    assert!(outside.contains("outside of feature_scope"), "{outside}");

    let verdicts = judge_server(&hosts(), &python.server(), &Allowance::default());
    let failed = verdicts.iter().filter(|one| one.outcome == Outcome::Fail);
    assert_eq!(failed.collect::<Vec<_>>(), Vec::<&Verdict>::new());
    let asked = |id: &str| verdicts.iter().find(|one| one.id == id).unwrap().outcome;
    let passed = [
        "E-examples",
        "Q-lists",
        "Q-stable",
        "Q-answers",
        "C-explain",
    ];
    assert_eq!(passed.map(asked), [Outcome::Pass; 5]);
    assert_eq!(asked("R-leak"), Outcome::Skipped);
}
