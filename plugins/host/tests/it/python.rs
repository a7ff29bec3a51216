//! The Python package, asked over the network as a team would run it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use sextant_plugin_host::{ABSTAIN, Allowance, External, ExternalInstance, Server, Trouble, rows};

use crate::fixture::{call, hosts};

/// The example of the package as a server.
struct Python {
    child: Child,
    address: String,
}

impl Python {
    fn serve(listen: &str) -> Self {
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
                "health:Health",
                "--listen",
                listen,
            ])
            .current_dir(package.join("examples"))
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
    let server = Server {
        address: python.address.clone(),
        token: None,
    };
    let plugin = External::connect(&hosts(), &server, Allowance::default()).unwrap();
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
