//! A segmenter that a team runs on a server of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tokio::time::Instant;

use crate::worlds::process::{free_address, program};
use crate::worlds::published::{LONGEST_WAIT, Team, column, with_seats};
use crate::worlds::records::{accept, membership, now};
use crate::worlds::world::{Shape, segmentation_by};

const MODEL: &str = "\
from sextant_segmenter import Segmenter

class Seats(Segmenter):
    descriptor = 'seats.json'

    def segment(self, rows, call):
        seats = rows.column('revenue.seats').to_pylist()
        return ['large' if one >= 50 else 'small' for one in seats]
";

/// What it answers depends on how often it was asked.
const COUNTING: &str = "\
from sextant_segmenter import Segmenter

class Seats(Segmenter):
    descriptor = 'seats.json'
    calls = 0

    def segment(self, rows, call):
        self.calls += 1
        return ['large' if self.calls % 2 else 'small'] * rows.num_rows
";

/// What it proves its name with, in its folder, if it does.
const CERTIFICATE: &str = "certificate.pem";
const PRIVATE_KEY: &str = "private-key.pem";

/// A server of the model; ended with it.
pub(super) struct Server(Child);

impl Server {
    pub(super) fn start(folder: &Path, listen: &str) -> Self {
        let Some(python) = std::env::var_os("SEXTANT_TEST_PYTHON") else {
            panic!("SEXTANT_TEST_PYTHON: a Python with grpcio and pyarrow");
        };
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/python");
        let certificate = ["--certificate", CERTIFICATE, "--private-key", PRIVATE_KEY];
        let has_one = folder.join(CERTIFICATE).exists();
        let mut child = Command::new(python)
            .args(["-m", "sextant_segmenter", "serve", "seats:Seats"])
            .args(["--listen", listen, "--token-file", "token"])
            .args(if has_one { &certificate[..] } else { &[] })
            .current_dir(folder)
            .env("PYTHONPATH", package)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = String::new();
        let printed = child.stdout.take().unwrap();
        BufReader::new(printed).read_line(&mut told).unwrap();
        assert!(told.contains("://"), "{told}");
        Self(child)
    }
}

impl Server {
    /// Stops it, so that it hangs; or has it go on.
    fn signal(&self, signal: &str) {
        let number = self.0.id().to_string();
        let sent = Command::new("kill").args([signal, &number]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Writes the model into a folder; the segments that it knows are in its descriptor.
pub(super) fn write(folder: &Path, version: &str) {
    let descriptor = format!(
        r#"{{"id":"team.seats","version":"{version}","abi":"1.0","title":"Seats","output":"single","requires":[{{"feature":"revenue.seats","type":"int64","on_missing":"skip_row"}}],"segments":[{{"key":"small"}},{{"key":"large"}}]}}"#
    );
    fs::write(folder.join("seats.json"), descriptor).unwrap();
    fs::write(folder.join("seats.py"), MODEL).unwrap();
    fs::write(folder.join("token"), "a secret").unwrap();
}

/// A team whose installation has the token of a server, and where that is to listen.
async fn with_a_token(folder: &Path) -> (Team, String) {
    let tokens = folder.join("tokens");
    fs::create_dir(&tokens).unwrap();
    let settings = [format!("plugins.token_dir={}", tokens.display())];
    let team = Team::start_with(Shape::Embedded, &settings).await;
    let listen = free_address().to_string();
    fs::write(tokens.join("seats"), format!("http://{listen}\na secret\n")).unwrap();
    (team, listen)
}

/// Waits until an account is judged as expected.
async fn wait_for(team: &Team, (account, segment): (&str, &str), position: &str) {
    let give_up = Instant::now() + LONGEST_WAIT;
    loop {
        let found = membership(&team.client, account, "seats", &now(position)).await;
        if found.segment == segment && found.trouble.is_empty() {
            return;
        }
        assert!(Instant::now() < give_up, "{found:?}");
    }
}

#[tokio::test]
async fn a_server_is_registered_judges_goes_away_comes_back_and_cannot_become_another_one() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "1.0.0");
    let (team, listen) = with_a_token(folder.path()).await;
    let address = format!("http://{listen}");

    let told = team.refused(&["register", &address]);
    assert!(told.contains("R-answers"), "{told}");
    let server = Server::start(folder.path(), &listen);
    let told = team.refused(&["register", &address]);
    assert!(told.contains("Unauthenticated"), "{told}");
    let told = team.refused(&["register", &address, "--token-name", "../token"]);
    assert!(told.contains("must be the name of a file"), "{told}");
    // A token is sent to its own server only.
    let elsewhere = format!("http://{}", free_address());
    let told = team.refused(&["register", &elsewhere, "--token-name", "seats"]);
    assert!(told.contains("is not for this server"), "{told}");
    let registered = team.plugin(&["register", &address, "--token-name", "seats"]);
    assert_eq!(registered["segmenters"][0]["kind"], "remote");

    let create = [
        "segmentations",
        "create",
        "seats",
        "--segmenter",
        "team.seats",
        "--tenant",
        "seats",
    ];
    let made = team.world.cli(&create);
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    let position = team.ten_accounts().await;
    assert_eq!(team.sizes(&position).await, (4, 6));

    // While it is away accounts stay where they are; then it makes up for what it has missed.
    drop(server);
    let [_, changed] = with_seats("account-9", 9, 10);
    let position = accept(&team.client, vec![changed]).await;
    let held = membership(&team.client, "account-9", "seats", &now(&position)).await;
    assert_eq!(held.segment, "large");
    let server = Server::start(folder.path(), &listen);
    wait_for(&team, ("account-9", "small"), &position).await;

    // At the same address something else answers: it is not what was registered.
    drop(server);
    write(folder.path(), "2.0.0");
    let _other = Server::start(folder.path(), &listen);
    let [_, changed] = with_seats("account-8", 10, 10);
    let position = accept(&team.client, vec![changed]).await;
    let held = membership(&team.client, "account-8", "seats", &now(&position)).await;
    assert_eq!(held.segment, "large");
    let registered = team.plugin(&["register", &address, "--token-name", "seats"]);
    assert_eq!(registered["segmenters"][0]["version"], "2.0.0");
    let newer = ["--segmenter", "team.seats", "--segmenter-version", "2.0.0"];
    team.plugin(&[&["propose", "seats"][..], &newer].concat());
    team.accept("seats", "2", "a new model");
    wait_for(&team, ("account-8", "small"), &position).await;
}

#[tokio::test]
async fn a_server_may_move_and_ask_for_another_token() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "1.0.0");
    let (team, listen) = with_a_token(folder.path()).await;
    let server = Server::start(folder.path(), &listen);
    let address = format!("http://{listen}");
    team.plugin(&["register", &address, "--token-name", "seats"]);
    segmentation_by(&team.client, "seats", "team.seats", "{}").await;
    let position = team.ten_accounts().await;
    assert_eq!(team.sizes(&position).await, (4, 6));

    drop(server);
    let there = format!("http://{}", free_address());
    let token = folder.path().join("tokens").join("there");
    fs::write(&token, format!("{there}\nanother secret\n")).unwrap();
    fs::write(folder.path().join("token"), "another secret").unwrap();
    let server = Server::start(folder.path(), there.trim_start_matches("http://"));
    let [_, changed] = with_seats("account-9", 9, 10);
    let position = accept(&team.client, vec![changed]).await;
    let moved = team.plugin(&["register", &there, "--token-name", "there"]);
    assert_eq!(moved["segmenters"][0]["address"], there.as_str());
    wait_for(&team, ("account-9", "small"), &position).await;
    // A request that names the old place moves it back, as long as somebody answers there.
    let told = team.refused(&["register", &address, "--token-name", "seats"]);
    assert!(told.contains("R-answers"), "{told}");

    // What asks for another token from now on says so, and is sent that of its file once that is another one.
    drop(server);
    fs::write(folder.path().join("token"), "a third secret").unwrap();
    let _server = Server::start(folder.path(), there.trim_start_matches("http://"));
    let [_, changed] = with_seats("account-8", 9, 10);
    let position = accept(&team.client, vec![changed]).await;
    let held = membership(&team.client, "account-8", "seats", &now(&position)).await;
    assert_eq!(held.segment, "large");
    let logs = team.plugin(&["logs", "team.seats"]).to_string();
    assert!(logs.contains("Unauthenticated"), "{logs}");
    fs::write(&token, format!("{there}\na third secret\n")).unwrap();
    wait_for(&team, ("account-8", "small"), &position).await;
}

#[tokio::test]
async fn a_server_that_hangs_keeps_nobody_from_reading_however_much_is_decided_by_it() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "1.0.0");
    let (team, listen) = with_a_token(folder.path()).await;
    let address = format!("http://{listen}");
    let server = Server::start(folder.path(), &listen);
    team.plugin(&["register", &address, "--token-name", "seats"]);
    let keys: Vec<String> = (0..20).map(|k| format!("seats-{k}")).collect();
    for key in keys.iter().map(String::as_str).chain(["seats"]) {
        segmentation_by(&team.client, key, "team.seats", "{}").await;
    }
    segmentation_by(&team.client, "stages", "sextant.lifecycle", "{}").await;
    let position = team.ten_accounts().await;
    assert_eq!(team.sizes(&position).await, (4, 6));

    server.signal("-STOP");
    for hour in 9..12 {
        let [_, changed] = with_seats("account-9", hour, 10);
        let position = accept(&team.client, vec![changed]).await;
        let held = membership(&team.client, "account-9", "seats", &now(&position)).await;
        assert_eq!(held.segment, "large");
        let stage = membership(&team.client, "account-9", "stages", &now(&position)).await;
        assert!(
            stage.trouble.is_empty() && !stage.segment.is_empty(),
            "{stage:?}"
        );
    }
    let shown = team
        .world
        .cli(&["segmentations", "list", "--tenant", "seats", "-o", "json"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("does not answer"), "{shown}");

    server.signal("-CONT");
    let position = {
        let [_, changed] = with_seats("account-8", 12, 10);
        accept(&team.client, vec![changed]).await
    };
    for account in ["account-8", "account-9"] {
        wait_for(&team, (account, "small"), &position).await;
    }
}

#[tokio::test]
async fn a_server_whose_answers_break_a_test_is_not_registered_and_the_service_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "1.0.0");
    fs::write(folder.path().join("seats.py"), COUNTING).unwrap();
    let (team, listen) = with_a_token(folder.path()).await;
    let address = format!("http://{listen}");
    let register = ["register", &address, "--token-name", "seats"];
    let token = folder.path().join("token");
    let check = ["check", &address, "--token-file", token.to_str().unwrap()];

    let server = Server::start(folder.path(), &listen);
    let told = team.refused(&register);
    for part in ["SEGMENTER_REJECTED", "X-again", "give other answers"] {
        assert!(told.contains(part), "{told}");
    }
    let events = team.plugin(&["events"]);
    assert_eq!(column(&events, "events", "action"), ["rejected"]);
    assert!(events.to_string().contains("X-again"), "{events}");
    let listed = team.plugin(&["list"]);
    let ids = column(&listed, "segmenters", "segmenter");
    assert!(!ids.contains(&"team.seats".into()), "{listed}");
    // Its author finds the same.
    team.refused(&check);
    drop(server);

    write(folder.path(), "1.0.1");
    let _server = Server::start(folder.path(), &listen);
    let verdicts = team.plugin(&check);
    let outcome = |id: &str| {
        let verdicts = verdicts["verdicts"].as_array().unwrap();
        let found = verdicts.iter().find(|one| one["check"] == id).unwrap();
        found["outcome"].clone()
    };
    assert_eq!(
        (outcome("X-again"), outcome("R-leak")),
        ("ok".into(), "skipped".into())
    );
    team.plugin(&register);
    let report = team.plugin(&["report", "team.seats"]);
    let checks = column(&report, "verdicts", "check");
    assert!(checks.contains(&"X-again".into()), "{report}");
    let create = "segmentations create seats --segmenter team.seats --tenant seats";
    let made = team.world.cli(&create.split(' ').collect::<Vec<_>>());
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    let position = team.ten_accounts().await;
    assert_eq!(team.sizes(&position).await, (4, 6));
}

#[test]
fn a_server_is_run_measured_and_compared_as_a_file_is() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "1.0.0");
    let listen = free_address().to_string();
    let _server = Server::start(folder.path(), &listen);
    let rows = folder.path().join("rows.csv");
    fs::write(&rows, "account_id,revenue.seats\nacme,60\nbeta,5\n").unwrap();
    let address = format!("http://{listen}");
    let answer = |arguments: &[&str]| {
        let output = program()
            .arg("plugin")
            .args(arguments)
            .arg("--token-file")
            .arg(folder.path().join("token"))
            .args(["-o", "json"])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{told}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let rows = rows.to_str().unwrap();
    let run = answer(&["run", &address, "--csv", rows]);
    assert_eq!(column(&run, "rows", "segment"), ["large", "small"]);
    let costs = answer(&["bench", &address, "--rows", "10"]);
    assert_eq!(costs["costs"][2]["rows"], 10, "{costs}");
    let diff = answer(&["diff", &address, &address, "--csv", rows]);
    assert_eq!(diff["moved"].as_array().unwrap().len(), 0, "{diff}");
}

#[test]
fn a_server_with_a_certificate_is_spoken_with_in_secret_if_its_authority_is_known() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "1.0.0");
    let certified = || rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (own, other) = (certified(), certified());
    let [known, unknown] = [CERTIFICATE, "other.pem"].map(|name| folder.path().join(name));
    fs::write(&known, own.cert.pem()).unwrap();
    fs::write(&unknown, other.cert.pem()).unwrap();
    let private_key = own.signing_key.serialize_pem();
    fs::write(folder.path().join(PRIVATE_KEY), private_key).unwrap();
    let listen = free_address().to_string();
    let _server = Server::start(folder.path(), &listen);
    let check = |scheme: &str, authorities: &Path| {
        let output = program()
            .args(["plugin", "check", &format!("{scheme}://{listen}")])
            .args(["--only-failed", "--token-file"])
            .arg(folder.path().join("token"))
            .env("SSL_CERT_FILE", authorities)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), told)
    };
    let (code, told) = check("https", &known);
    assert_eq!(code, Some(0), "{told}");
    // It does not speak with who does not, and is not spoken with by who does not know it.
    for (scheme, authorities) in [("https", &unknown), ("http", &known)] {
        let (code, told) = check(scheme, authorities);
        assert_eq!(code, Some(1), "{scheme}: {told}");
        assert!(told.contains("R-answers"), "{told}");
    }
}
