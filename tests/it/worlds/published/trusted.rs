//! Whose segmenters are run: those that somebody has approved, or that a trusted key has signed.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use sextant::installation::Role;

use crate::worlds::published::{Team, column};
use crate::worlds::records::{accept, now, try_membership};
use crate::worlds::seats::Seats;
use crate::worlds::world::{Shape, segmentation_by};

/// A key of a team, as `keygen` makes it: the file of the secret one, and the public one.
fn key(team: &Team, name: &str) -> (String, Value) {
    let path = team.folder.path().join(name);
    let made = team.plugin(&["keygen", path.to_str().unwrap()]);
    let secret = made["keys"][0]["secret_key"].as_str().unwrap().to_owned();
    (secret, made["keys"][0]["public_key"].clone())
}

/// A team at an installation that asks for signatures, and trusts its key and that of another team.
struct Signing {
    team: Team,
    /// Secret keys.
    ours: String,
    theirs: String,
    our_public: Value,
    /// The file with the keys that are trusted.
    trusted: PathBuf,
    _folder: TempDir,
}

impl Signing {
    async fn start(shape: Shape) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let trusted = folder.path().join("trusted.json");
        fs::write(&trusted, "{\"keys\":[]}").unwrap();
        let settings = [
            "plugins.trust=signed".to_owned(),
            format!("plugins.trust_file={}", trusted.display()),
        ];
        let team = Team::start_with(shape, &settings).await;
        let (ours, our_public) = key(&team, "ours");
        let (theirs, their_public) = key(&team, "theirs");
        let signing = Self {
            team,
            ours,
            theirs,
            our_public: our_public.clone(),
            trusted,
            _folder: folder,
        };
        signing.trust(&json!({"keys": [
            {"name": "ours", "public_key": our_public, "ids": ["acme.seats"]},
            {"name": "theirs", "public_key": their_public, "ids": ["other.*"]},
        ]}));
        signing
    }

    fn trust(&self, keys: &Value) {
        fs::write(&self.trusted, keys.to_string()).unwrap();
    }
}

#[tokio::test]
async fn where_signatures_are_asked_for_a_segmenter_runs_only_under_its_own_teams_signature() {
    let signing = Signing::start(Shape::Embedded).await;
    let Signing {
        team, ours, theirs, ..
    } = &signing;
    let trusted = signing.trusted.to_str().unwrap();
    let file = team.version("1.0.0", 50);
    let told = team.refused(&["push", &file]);
    assert!(told.contains("S-signed"), "{told}");

    team.plugin(&["sign", &file, "--secret-key", theirs]);
    let told = team.refused(&["push", &file]);
    assert!(told.contains("S-key"), "{told}");
    let verdict = team
        .world
        .cli(&["plugin", "verify", &file, "--trust-file", trusted]);
    assert_eq!(verdict.status.code(), Some(1));

    // A signature is of this file, and of no other one.
    team.plugin(&["sign", &file, "--secret-key", ours]);
    let other = team.version("1.0.1", 50);
    for ending in ["manifest", "manifest.minisig"] {
        fs::copy(format!("{file}.{ending}"), format!("{other}.{ending}")).unwrap();
    }
    let told = team.refused(&["push", &other]);
    assert!(told.contains("S-manifest"), "{told}");

    let verdict = team.plugin(&["verify", &file, "--trust-file", trusted]);
    assert_eq!(verdict["verified"][0]["signed_by"], "ours");
    let published = team.plugin(&["push", &file]);
    assert_eq!(published["segmenters"][0]["signed_by"], "ours");
    segmentation_by(&team.client, "seats", "acme.seats", "{}").await;
    let position = team.ten_accounts().await;
    assert_eq!(team.sizes(&position).await, (4, 6));
    let events = team.plugin(&["events"]);
    let rejected = column(&events, "events", "action");
    assert_eq!(rejected.iter().filter(|one| *one == "rejected").count(), 3);
}

#[tokio::test]
async fn a_key_that_is_taken_away_takes_its_segmenters_out_of_use() {
    for shape in [Shape::Embedded, Shape::Apart] {
        let signing = Signing::start(shape).await;
        let Signing {
            team,
            ours,
            our_public,
            ..
        } = &signing;
        let file = team.version("1.0.0", 50);
        team.plugin(&["sign", &file, "--secret-key", ours]);
        let published = team.plugin(&["push", &file]);
        segmentation_by(&team.client, "seats", "acme.seats", "{}").await;
        let position = team.ten_accounts().await;
        assert_eq!(team.sizes(&position).await, (4, 6));

        let digest = published["segmenters"][0]["digest"].clone();
        signing.trust(&json!({
            "keys": [{"name": "ours", "public_key": our_public, "ids": ["acme.*"]}],
            "revoked": [{"digest": digest, "why": "a stolen laptop"}],
        }));
        let give_up = tokio::time::Instant::now() + super::LONGEST_WAIT;
        let why = loop {
            let listed = team.plugin(&["list"]);
            let listed = listed["segmenters"].as_array().unwrap().iter();
            let ours = listed.clone().find(|one| one["segmenter"] == "acme.seats");
            let ours = ours.unwrap();
            if ours["state"] == "quarantined" {
                break ours["why"].clone();
            }
            assert!(tokio::time::Instant::now() < give_up, "{ours}");
        };
        assert_eq!(why, "S-revoked: it was taken back: a stolen laptop");
        // Accounts stay where they were; nothing of it runs any more.
        assert_eq!(team.sizes(&position).await, (4, 6));
    }
}

#[tokio::test]
async fn a_key_may_be_trusted_with_one_tenant_alone() {
    let signing = Signing::start(Shape::Embedded).await;
    let Signing {
        team,
        ours,
        our_public,
        ..
    } = &signing;
    let of = |tenants: Value| {
        let key = json!({"name": "ours", "public_key": our_public, "ids": ["acme.*"], "tenants": tenants});
        signing.trust(&json!({ "keys": [key] }));
    };
    of(json!(["00000000-0000-7000-8000-000000000001"]));
    let file = team.version("1.0.0", 50);
    team.plugin(&["sign", &file, "--secret-key", ours]);
    team.plugin(&["push", &file]);
    let create = [
        "segmentations",
        "create",
        "seats",
        "--segmenter",
        "acme.seats",
        "--tenant",
        "seats",
    ];
    let refused = team.world.cli(&create);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(told.contains("is not trusted with this tenant"), "{told}");
    let found = team
        .world
        .client()
        .find_tenant(Some("seats"))
        .await
        .unwrap();
    of(json!([found.tenant_id]));
    let made = team.world.cli(&create);
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    let position = team.ten_accounts().await;
    assert_eq!(team.sizes(&position).await, (4, 6));

    // With this one no longer: its accounts stay, and nothing is asked for it any more.
    of(json!(["00000000-0000-7000-8000-000000000001"]));
    wait_for_failure(team, "is not trusted with this tenant");
    let position = accept(&team.client, super::with_seats("acme", 8, 70).into()).await;
    let unjudged = try_membership(&team.client, "acme", "seats", &now(&position)).await;
    unjudged.unwrap_err();
    assert_eq!(team.sizes(&position).await, (4, 6));

    // Nor where all of it is read from its store again.
    for role in team.world.roles() {
        team.world.kill_and_restart(role);
    }
    let team = signing.team.anew().await;
    wait_for_failure(&team, "is not trusted with this tenant");
    let unjudged = try_membership(&team.client, "acme", "seats", &now(&position)).await;
    unjudged.unwrap_err();
    assert_eq!(team.sizes(&position).await, (4, 6));
}

/// Waits until the segmentation is behind, for that reason; empty: until it is not any more.
fn wait_for_failure(team: &Team, why: &str) {
    let give_up = tokio::time::Instant::now() + super::LONGEST_WAIT;
    loop {
        let list = ["segmentations", "list", "--tenant", "seats", "-o", "json"];
        let listed = team.world.cli(&list).stdout;
        let listed: Value = serde_json::from_slice(&listed).unwrap();
        let failure = listed["segmentations"][0]["failure"].as_str();
        if failure.unwrap_or_default().contains(why) && failure.is_some() != why.is_empty() {
            return;
        }
        assert!(tokio::time::Instant::now() < give_up, "{listed}");
    }
}

#[tokio::test]
async fn what_was_published_when_nobody_had_to_approve_is_not_asked_where_somebody_has_to() {
    for shape in [Shape::Embedded, Shape::Apart] {
        let team = Team::start(shape).await;
        let published = team.plugin(&["push", &team.version("1.0.0", 50)]);
        assert_eq!(published["segmenters"][0]["state"], "ready");
        segmentation_by(&team.client, "seats", "acme.seats", "{}").await;
        let position = team.ten_accounts().await;
        assert_eq!(team.sizes(&position).await, (4, 6));

        let stricter = ["plugins.trust=digest".to_owned()];
        for role in team.world.roles() {
            team.world.kill_and_restart_with(role, &stricter);
        }
        let team = team.anew().await;
        wait_for_failure(&team, "S-approved");
        let position = accept(&team.client, super::with_seats("acme", 8, 70).into()).await;
        let unjudged = try_membership(&team.client, "acme", "seats", &now(&position)).await;
        unjudged.unwrap_err();

        let digest = published["segmenters"][0]["digest"].as_str().unwrap();
        let told = team.refused(&["approve", digest.split_at(12).0]);
        assert!(told.contains("64 digits"), "{told}");
        team.plugin(&["approve", digest, "--note", "read it"]);
        wait_for_failure(&team, "");
        let judged = try_membership(&team.client, "acme", "seats", &now(&position)).await;
        assert_eq!(judged.unwrap().segment, "large");
    }
}

#[tokio::test]
async fn where_digests_are_approved_a_segmenter_waits_for_somebody() {
    let settings = ["plugins.trust=digest".to_owned()];
    let team = Team::start_with(Shape::Embedded, &settings).await;
    let published = team.plugin(&["push", &team.version("1.0.0", 50)]);
    assert_eq!(published["segmenters"][0]["state"], "waiting");
    let create = [
        "segmentations",
        "create",
        "seats",
        "--segmenter",
        "acme.seats",
        "--tenant",
        "seats",
    ];
    let refused = team.world.cli(&create);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(told.contains("1.0.0 (waiting)"), "{told}");
    let digest = published["segmenters"][0]["digest"].as_str().unwrap();
    // There is no way around it.
    let told = team.refused(&["quarantine", "acme.seats", "--note", "and back"]);
    assert!(told.contains("waiting"), "{told}");
    let approved = team.plugin(&["approve", digest, "--note", "read it"]);
    assert_eq!(approved["segmenters"][0]["state"], "ready");
    let made = team.world.cli(&create);
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    let position = accept(&team.client, super::with_seats("acme", 8, 70).into()).await;
    let judged = try_membership(&team.client, "acme", "seats", &now(&position)).await;
    assert_eq!(judged.unwrap().segment, "large");
    // What is newer waits again.
    let seats = Seats {
        version: "1.1.0",
        ..Seats::default()
    };
    let newer = team.plugin(&["push", &team.compile(seats)]);
    assert_eq!(newer["segmenters"][0]["state"], "waiting");
}

#[tokio::test]
async fn where_no_key_is_listed_a_signature_does_not_count() {
    let team = Team::start(Shape::Embedded).await;
    let (ours, _) = key(&team, "ours");
    let file = team.version("1.0.0", 50);
    team.plugin(&["sign", &file, "--secret-key", &ours]);
    let pushed = team.world.cli(&["plugin", "push", &file]);
    let told = String::from_utf8(pushed.stderr).unwrap();
    assert_eq!(pushed.status.code(), Some(0), "{told}");
    assert!(told.contains("its signature does not count"), "{told}");
    // It can be used, and its key is nobody.
    segmentation_by(&team.client, "seats", "acme.seats", "{}").await;
    let position = team.ten_accounts().await;
    assert_eq!(team.sizes(&position).await, (4, 6));
}

#[tokio::test]
async fn a_signature_may_come_after_what_is_signed() {
    let team = Team::start(Shape::Apart).await;
    let file = team.version("1.0.0", 50);
    team.plugin(&["push", &file]);
    segmentation_by(&team.client, "seats", "acme.seats", "{}").await;
    let position = team.ten_accounts().await;
    assert_eq!(team.sizes(&position).await, (4, 6));
    // It is the older one by now, and decides.
    team.plugin(&["push", &team.version("1.1.0", 60)]);

    let [(ours, our_public), (theirs, _)] = ["ours", "theirs"].map(|name| key(&team, name));
    let trusted = team.folder.path().join("trusted.json");
    let roots = json!({"keys": [{"name": "ours", "public_key": our_public, "ids": ["acme.*"]}]});
    fs::write(&trusted, roots.to_string()).unwrap();
    let stricter = [
        "plugins.trust=signed".to_owned(),
        format!("plugins.trust_file={}", trusted.display()),
    ];
    for role in team.world.roles() {
        team.world.kill_and_restart_with(role, &stricter);
    }
    let team = team.anew().await;
    wait_for_failure(&team, "S-signed");
    let position = accept(&team.client, super::with_seats("acme", 8, 70).into()).await;
    // Nobody else's will do, and none at all neither.
    let told = team.refused(&["push", &file]);
    assert!(told.contains("S-signed"), "{told}");
    team.plugin(&["sign", &file, "--secret-key", &theirs]);
    let told = team.refused(&["push", &file]);
    assert!(told.contains("S-key"), "{told}");
    team.plugin(&["sign", &file, "--secret-key", &ours]);
    let manifest = format!("{file}.manifest");
    let changed = fs::read_to_string(&manifest)
        .unwrap()
        .replace("1.0.0", "1.0.1");
    fs::write(&manifest, changed).unwrap();
    let told = team.refused(&["push", &file]);
    let what = "the key \"ours\" has signed another manifest";
    assert!(told.contains("S-manifest") && told.contains(what), "{told}");
    team.plugin(&["sign", &file, "--secret-key", &ours]);
    let pushed = team.plugin(&["push", &file]);
    assert_eq!(pushed["segmenters"][0]["signed_by"], "ours");
    wait_for_failure(&team, "");
    let judged = try_membership(&team.client, "acme", "seats", &now(&position)).await;
    assert_eq!(judged.unwrap().segment, "large");
    let events = team.plugin(&["events", "--segmenter", "acme.seats"]);
    assert_eq!(column(&events, "events", "action")[0], "amended");

    // While nobody knows who is trusted, what runs goes on, whatever else is told of the catalogue, and whoever of several takes in
    // what happens: the others read from the store what it has found.
    let (_second, other) = team.world.replica(Role::Segmentation, &stricter);
    let found = other.find_tenant(Some("seats")).await.unwrap();
    let other = other.of_tenant(&found).unwrap();
    let judged = try_membership(&other, "acme", "seats", &now(&position)).await;
    assert_eq!(judged.unwrap().segment, "large");
    fs::write(&trusted, "{").unwrap();
    let none = team.folder.path().join("none.so");
    fs::write(&none, "no library").unwrap();
    let told = team.refused(&["push", none.to_str().unwrap()]);
    assert!(told.contains("V-elf"), "{told}");
    for (hour, seats, segment) in [
        (9, 20, "small"),
        (10, 70, "large"),
        (11, 30, "small"),
        (12, 80, "large"),
        (13, 40, "small"),
        (14, 90, "large"),
    ] {
        let [_, changed] = super::with_seats("acme", hour, seats);
        let position = accept(&team.client, vec![changed]).await;
        for client in [&team.client, &other] {
            let judged = try_membership(client, "acme", "seats", &now(&position)).await;
            assert_eq!(judged.unwrap().segment, segment);
        }
    }
    let listed = team.plugin(&["list"]).to_string();
    assert!(listed.contains("asked as before, for now"), "{listed}");
}
