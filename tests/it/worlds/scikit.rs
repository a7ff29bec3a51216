//! A data scientist's way with scikit-learn, as the README of the Python package tells it, word for word: from the demo's data to a
//! model that judges every account.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use sextant::client::Client;
use sextant::links::{Addresses, Links};
use sextant_proto::segmentation::v1::{ListMembersRequest, Member, MembershipState};
use sextant_runtime::auth::Key;
use sextant_runtime::link::LinkOptions;
use sextant_runtime::telemetry::Meters;

use crate::worlds::guide::{script, shell};
use crate::worlds::process::{Process, free_address, segmenters};

const TENANT: &str = "saas-150-18-1";

/// What each feature adds to the logarithm of an account's odds, found without the class: by giving it the value of an average
/// account. Prints account, feature and difference.
const DIFFERENCES: &str = "
import json, sys
import joblib, numpy, pyarrow.feather
features = json.load(open('churn.json'))['model']['features']
pipeline = joblib.load('model.joblib')
inputs, regression = pipeline[:-1], pipeline[-1]
mean = pipeline['scale'].mean_
unknown = list(pipeline['impute'].indicator_.features_)
for row in pyarrow.feather.read_table('today.arrow').to_pylist():
    if row['account_id'] != sys.argv[1]:
        continue
    values = [[float('nan') if row[name] is None else float(row[name]) for name in features]]
    imputed = pipeline['impute'].transform(values)
    odds = lambda given: float(regression.decision_function(pipeline['scale'].transform(given))[0])
    for place, name in enumerate(features):
        average = imputed.copy()
        average[0, place] = mean[place]
        if place in unknown:
            flag = len(features) + unknown.index(place)
            average[0, flag] = mean[flag]
        print(name, odds(imputed) - odds(average))
";

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The Python that `tests/tools` installs, first in the path, and the package from its source.
fn with_python(shell: &mut Command) {
    let Some(python) = std::env::var_os("SEXTANT_TEST_PYTHON") else {
        panic!("SEXTANT_TEST_PYTHON: a Python with grpcio, pyarrow and scikit-learn");
    };
    let bin = Path::new(&python).parent().unwrap().display();
    let (_, path) = shell.get_envs().find(|(name, _)| *name == "PATH").unwrap();
    let path = format!("{bin}:{}", path.unwrap().to_str().unwrap());
    shell
        .env("PATH", path)
        .env("PYTHONPATH", root().join("plugins/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
}

/// The accounts of a segment, by account.
async fn members(client: &Client, segment: &str) -> Vec<Member> {
    let request = ListMembersRequest {
        segmentation: "churn".to_owned(),
        segments: vec![segment.to_owned()],
        page_size: 1_000,
        ..ListMembersRequest::default()
    };
    let mut service = client.segmentation();
    let answer = service.list_members(client.request(request)).await;
    answer.unwrap().into_inner().members
}

#[test]
fn the_example_is_trained_with_the_versions_that_its_users_install() {
    let tools = fs::read_to_string(root().join("tests/tools")).unwrap();
    let (_, pinned) = tools.split_once("SCIKIT_LEARN=").unwrap();
    let pinned = pinned.split_whitespace().next().unwrap();
    let example = root().join("plugins/python/examples/churn/requirements.txt");
    let required = fs::read_to_string(example).unwrap();
    assert_eq!(required.trim(), format!("scikit-learn=={pinned}"));
}

/// The demo's company, and how it is called.
struct Demo {
    _process: Process,
    folder: TempDir,
    address: String,
    key: String,
}

impl Demo {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listen = free_address().to_string();
        let settings = [
            "store.data_dir=data".to_owned(),
            format!("plugins.builtin_dir={}", segmenters().display()),
            format!("server.listen={listen}"),
            format!("server.admin_listen={}", free_address()),
            "server.drain_notice_ms=0".to_owned(),
        ];
        let arguments = ["--dataset", "saas", "--accounts", "150"];
        let (process, told) = Process::demo(&arguments, folder.path(), &settings);
        let (_, key) = told.split_once("export SEXTANT_KEY=").unwrap();
        Self {
            _process: process,
            folder,
            address: format!("http://{listen}"),
            key: key.split_whitespace().next().unwrap().to_owned(),
        }
    }

    /// The folder that the example was copied into.
    fn churn(&self) -> PathBuf {
        self.folder.path().join("churn")
    }

    /// Runs a script in it as the user would.
    fn shell(&self, script: &str, variables: &[(&str, &str)]) -> String {
        shell(script, &self.churn(), |shell| {
            shell
                .env("SEXTANT_ADDRESS", &self.address)
                .env("SEXTANT_KEY", &self.key)
                .env("SEXTANT_TENANT", TENANT)
                .envs(variables.iter().copied());
            with_python(shell);
        })
    }

    async fn client(&self) -> Client {
        let options = LinkOptions::new(Duration::from_secs(30), Meters::none());
        let links = Links::connect(&Addresses::all_at(&self.address), &options).unwrap();
        let client = Client::new(links, Some(&Key::parse(&self.key).unwrap()));
        let tenant = client.find_tenant(Some(TENANT)).await.unwrap();
        client.of_tenant(&tenant).unwrap()
    }

    /// Segments by account, of lines of JSON.
    fn segments(&self, file: &str) -> BTreeMap<String, Value> {
        let lines = fs::read_to_string(self.churn().join(file)).unwrap();
        let rows = lines.lines().map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            (
                row["account"].as_str().unwrap().to_owned(),
                row["segment"].clone(),
            )
        });
        rows.collect()
    }
}

/// The reasons of an account are what its features weigh.
async fn check_reasons(demo: &Demo) {
    let high = members(&demo.client().await, "high").await;
    let membership = high
        .first()
        .and_then(|one| one.membership.as_ref())
        .unwrap();
    assert_eq!(membership.state(), MembershipState::Member);
    let account = &membership.account.as_ref().unwrap().id;
    let script = format!("python -c \"$DIFFERENCES\" {account}");
    let differences = demo.shell(&script, &[("DIFFERENCES", DIFFERENCES)]);
    assert!(membership.reasons.len() > 1);
    for reason in &membership.reasons {
        let found = differences
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{} ", reason.feature)));
        let found: f64 = found.unwrap().parse().unwrap();
        assert!(
            (found - reason.contribution).abs() < 1e-5,
            "{account}: {reason:?}, by difference {found}"
        );
        let direction = if found > 0.0 { "raises" } else { "lowers" };
        assert!(
            reason.text.ends_with(&format!("{direction} the risk")),
            "{reason:?}"
        );
    }
}

#[tokio::test]
async fn the_way_from_an_export_to_a_scikit_learn_model_judges_every_account_as_the_model_does() {
    let demo = Demo::start();
    let copied = Command::new("cp")
        .arg("-r")
        .arg(root().join("plugins/python/examples/churn"))
        .arg(demo.churn())
        .status();
    assert!(copied.unwrap().success());
    let heading = "A scikit-learn model, from its data to reasons";
    let said = demo.shell(&script("plugins/python/README.md", heading), &[]);
    for told in [
        "area under the ROC curve",
        "1 example holds",
        "High risk",
        "all where the model puts them",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    check_reasons(&demo).await;
    // It is not pleased with everything.
    let altered = "sed '0,/\"high\"/s//\"low\"/' members.ndjson >altered.ndjson
        if python compare.py today.arrow altered.ndjson 2>&1; then exit 1; fi";
    let said = demo.shell(altered, &[]);
    assert!(
        said.contains("1 of ") && said.contains("accounts differ"),
        "{said}"
    );

    // A built-in segmenter says of the rows of an export what the service has stored.
    let built_in = segmenters().join("libsextant_segmenter_value_tiers.so");
    let again = "set -e
        sextant export today.csv
        sextant plugin run \"$SEGMENTER\" --csv today.csv --output ndjson >again.ndjson
        sextant members value --limit 0 --output ndjson >stored.ndjson";
    demo.shell(again, &[("SEGMENTER", built_in.to_str().unwrap())]);
    let stored = demo.segments("stored.ndjson");
    assert!(stored.len() > 150, "{}", stored.len());
    assert_eq!(demo.segments("again.ndjson"), stored);
}
