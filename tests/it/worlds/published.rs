//! Segmenters that teams publish to the running service: watched in the shadow, activated, taken back, and thrown out where they fail.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio_stream::StreamExt as _;
use tonic::Code;

use sextant::client::Client;
use sextant_proto::ingestion::v1::Record;
use sextant_proto::segmentation::v1::upload_segmenter_request::Part;
use sextant_proto::segmentation::v1::{
    ListMembersRequest, ListSegmenterEventsRequest, SegmenterAction, UploadHead,
    UploadSegmenterRequest,
};
use sextant_wire::status::reason_of;

use crate::worlds::records::{accept, account, ask, at, membership, now, segments, subscription};
use crate::worlds::seats::{CRASHES, Seats};
use crate::worlds::world::{Shape, World, segmentation_by, tenant};

const TENANT: &str = "seats";

/// Longest wait for what the service does by itself.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// An account with so many seats, each for ten dollars a month, since an hour of a day.
fn with_seats(name: &str, hour: u32, seats: u64) -> [Record; 2] {
    let time = at(&format!("2026-01-20T{hour:02}:00"));
    [account(name, time), subscription(name, time, seats, 1_000)]
}

/// Runs a command of the group; its answer.
fn plugin(world: &World, arguments: &[&str]) -> Value {
    let output = world.cli(&[&["plugin"], arguments, &["--output", "json"]].concat());
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {told}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The same of a command that is refused; what it says.
fn refused(world: &World, arguments: &[&str]) -> String {
    let output = world.cli(&[&["plugin"], arguments].concat());
    let told = String::from_utf8(output.stderr).unwrap();
    assert_ne!(output.status.code(), Some(0), "{arguments:?}");
    told
}

/// How many accounts are in the segments.
async fn sizes(client: &Client, position: &str) -> (u64, u64) {
    let segments = segments(client, "seats", &now(position)).await;
    let of = |key: &str| {
        let found = segments.iter().find(|one| {
            let segment = one.segment.as_ref();
            segment.is_some_and(|segment| segment.key == key)
        });
        found.map_or(0, |found| found.accounts)
    };
    (of("small"), of("large"))
}

/// Ten accounts with ten, twenty, ... a hundred seats.
async fn ten_accounts(client: &Client) -> String {
    let accounts = (1..=10).flat_map(|n| with_seats(&format!("account-{n}"), 8, 10 * n));
    accept(client, accounts.collect()).await
}

#[tokio::test]
async fn a_segmenter_is_published_watched_activated_and_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let compile = |version, large_from| {
        let seats = Seats {
            version,
            large_from,
            ..Seats::default()
        };
        let path = seats.compile_into(folder.path());
        path.to_str().unwrap().to_owned()
    };
    let (first, second) = (compile("1.0.0", 50), compile("1.1.0", 60));
    for shape in [Shape::Embedded, Shape::Apart] {
        let world = World::start(shape).await;
        let client = tenant(&world.client(), TENANT, at("2026-02-01T12:00")).await;
        let published = plugin(&world, &["push", &first]);
        assert_eq!(published["segmenters"][0]["state"], "ready", "{published}");
        segmentation_by(&client, "seats", "seats", "{}").await;
        let position = ten_accounts(&client).await;
        assert_eq!(sizes(&client, &position).await, (4, 6));

        // One of ten would move, with fifty of the 550 seats that pay.
        let arguments = ["--segmentation", "seats", "--note", "sixty it is"];
        let watched = plugin(
            &world,
            &[&["push", &second][..], &arguments, &["--tenant", TENANT]].concat(),
        );
        let moves = watched["moves"].as_array().unwrap();
        let told = |of: &Value| {
            (
                of["from"].clone(),
                of["to"].clone(),
                of["accounts"].clone(),
                of["mrr_minor"]["minor"].clone(),
            )
        };
        assert_eq!(
            told(&moves[0]),
            ("large".into(), "small".into(), 1.into(), 50_000.into()),
            "{watched}"
        );
        assert_eq!(moves[0]["examples"][0], "account-5");
        assert_eq!(moves.len(), 3, "one cell moves, two stay");
        // Nobody has moved.
        assert_eq!(sizes(&client, &position).await, (4, 6));

        let activated = plugin(&world, &["activate", "seats", "--tenant", TENANT]);
        assert_eq!(activated["segmentations"][0]["version"], 2);
        assert_eq!(activated["segmentations"][0]["segmenter_version"], "1.1.0");
        assert_eq!(sizes(&client, &position).await, (5, 5));
        let moved = membership(&client, "account-5", "seats", &now(&position)).await;
        let stayed = membership(&client, "account-6", "seats", &now(&position)).await;
        assert_eq!(
            (moved.segment.as_str(), moved.segmentation_version),
            ("small", 2)
        );
        assert_eq!(
            (stayed.segment.as_str(), stayed.segmentation_version),
            ("large", 1)
        );
        assert_ne!(moved.plugin_digest, stayed.plugin_digest);

        // What decides is in the store: processes that start anew decide by it.
        for role in world.roles() {
            world.kill_and_restart(role);
        }
        world.wait_until_all_serve();
        let installation = world.client();
        let found = installation.find_tenant(Some(TENANT)).await.unwrap();
        let client = installation.of_tenant(&found).unwrap();
        let [_, changed] = with_seats("account-9", 9, 55);
        let position = accept(&client, vec![changed]).await;
        assert_eq!(sizes(&client, &position).await, (6, 4));

        let back = [
            "rollback",
            "seats",
            "--note",
            "fifty it was",
            "--tenant",
            TENANT,
        ];
        let rolled_back = plugin(&world, &back);
        assert_eq!(rolled_back["segmentations"][0]["version"], 3);
        assert_eq!(
            rolled_back["segmentations"][0]["segmenter_version"],
            "1.0.0"
        );
        assert_eq!(sizes(&client, &position).await, (4, 6));
        let told = refused(&world, &back);
        assert!(told.contains("has no revision to go back to"), "{told}");

        let listed = plugin(
            &world,
            &["list", "--segmentation", "seats", "--tenant", TENANT],
        );
        let states: Vec<_> = listed["revisions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["state"].clone())
            .collect();
        assert_eq!(states, ["retired", "active"]);
        let events = plugin(
            &world,
            &["events", "--segmentation", "seats", "--tenant", TENANT],
        );
        let events: Vec<_> = events["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one["action"].clone(), one["why"].clone()))
            .collect();
        assert_eq!(
            events,
            [
                ("rolled_back".into(), "fifty it was".into()),
                ("activated".into(), Value::Null),
                ("proposed".into(), "sixty it is".into()),
            ]
        );
        // The version that nothing is decided by any more can end, and the other one cannot.
        let retired = plugin(
            &world,
            &["retire", "sextant.seats", "--segmenter-version", "1.1.0"],
        );
        assert_eq!(retired["segmenters"][0]["state"], "retired");
        let told = refused(
            &world,
            &["retire", "sextant.seats", "--segmenter-version", "1.0.0"],
        );
        assert!(told.contains("can be retired"), "{told}");
    }
}

#[tokio::test]
async fn a_revision_that_would_move_too_much_needs_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(Shape::Embedded).await;
    let client = tenant(&world.client(), TENANT, at("2026-02-01T12:00")).await;
    let seats = |version, large_from| {
        let seats = Seats {
            version,
            large_from,
            ..Seats::default()
        };
        let path = seats.compile_into(folder.path());
        path.to_str().unwrap().to_owned()
    };
    plugin(&world, &["push", &seats("1.0.0", 50)]);
    segmentation_by(&client, "seats", "seats", "{}").await;
    let position = ten_accounts(&client).await;
    let of = ["--segmentation", "seats", "--tenant", TENANT];
    plugin(&world, &[&["push", &seats("2.0.0", 90)][..], &of].concat());
    let shown = plugin(&world, &["diff", "seats", "--tenant", TENANT]);
    let gates = shown["gates"].as_array().unwrap();
    let failed: Vec<_> = gates
        .iter()
        .filter(|gate| gate["passed"] == "no")
        .map(|gate| gate["gate"].clone())
        .collect();
    assert_eq!(failed, ["moved_accounts", "moved_revenue"], "{shown}");

    let told = refused(&world, &["activate", "seats", "--tenant", TENANT]);
    assert!(
        told.contains("moved_accounts (40.0 % of the accounts, at most 15 %)"),
        "{told}"
    );
    assert!(told.contains("GATES_NOT_PASSED"), "{told}");
    let told = refused(
        &world,
        &["activate", "seats", "--accept-diff", "--tenant", TENANT],
    );
    assert!(told.contains("must say why"), "{told}");
    assert_eq!(sizes(&client, &position).await, (4, 6));
    let accepted = [
        "--accept-diff",
        "--note",
        "agreed with sales",
        "--tenant",
        TENANT,
    ];
    plugin(&world, &[&["activate", "seats"][..], &accepted].concat());
    assert_eq!(sizes(&client, &position).await, (8, 2));

    // A configuration alone is a revision, too; one that the schema refuses is none.
    let settings = ["--settings", "{\"unit\":1}", "--tenant", TENANT];
    let told = refused(&world, &[&["propose", "seats"][..], &settings].concat());
    assert!(told.contains("/unit"), "{told}");
    let settings = ["--settings", "{\"unit\":\"chair\"}", "--tenant", TENANT];
    let proposed = plugin(&world, &[&["propose", "seats"][..], &settings].concat());
    assert_eq!(proposed["revisions"][0]["config"], "{\"unit\":\"chair\"}");
    plugin(&world, &["activate", "seats", "--tenant", TENANT]);
    assert_eq!(sizes(&client, &position).await, (8, 2));
}

#[tokio::test]
async fn a_segmenter_that_keeps_failing_is_put_in_quarantine_and_the_one_before_decides_again() {
    let folder = tempfile::tempdir().unwrap();
    for shape in [Shape::Embedded, Shape::Apart] {
        let world = World::start(shape).await;
        let client = tenant(&world.client(), TENANT, at("2026-02-01T12:00")).await;
        // The first version crashes with nobody, the second with some.
        let seats = |version, crashes| {
            let seats = Seats {
                version,
                crashes,
                ..Seats::default()
            };
            let path = seats.compile_into(folder.path());
            path.to_str().unwrap().to_owned()
        };
        plugin(&world, &["push", &seats("1.0.0", 1_000_000)]);
        segmentation_by(&client, "seats", "seats", "{}").await;
        ten_accounts(&client).await;
        let of = ["--segmentation", "seats", "--tenant", TENANT];
        plugin(
            &world,
            &[&["push", &seats("1.1.0", CRASHES)][..], &of].concat(),
        );
        plugin(&world, &["activate", "seats", "--tenant", TENANT]);

        let mut position = String::new();
        for n in 1..=3 {
            let [_, fatal] = with_seats(&format!("account-{n}"), 8 + n, CRASHES + u64::from(n));
            position = accept(&client, vec![fatal]).await;
            // Each is an incident of its own, for the rows are not alike.
            membership(&client, &format!("account-{n}"), "seats", &now(&position)).await;
        }
        // Nobody has to do anything: it goes back by itself, and all accounts are judged.
        let mut actions = Vec::new();
        let give_up = tokio::time::Instant::now() + LONGEST_WAIT;
        while actions.first() != Some(&SegmenterAction::RolledBack) {
            assert!(tokio::time::Instant::now() < give_up, "{actions:?}");
            let request = ListSegmenterEventsRequest::default();
            let answer = ask!(client, segmenters.list_segmenter_events, request);
            actions = answer.events.iter().map(|event| event.action()).collect();
        }
        assert_eq!(actions[1], SegmenterAction::Quarantined);
        let members = ListMembersRequest {
            segmentation: "seats".to_owned(),
            at: Some(now(&position)),
            ..ListMembersRequest::default()
        };
        let mut troubled = 1;
        while troubled > 0 {
            assert!(tokio::time::Instant::now() < give_up, "{troubled}");
            let answer = ask!(client, segmentation.list_members, members);
            let members = answer
                .members
                .iter()
                .filter_map(|member| member.membership.as_ref());
            troubled = members.filter(|one| !one.trouble.is_empty()).count();
        }
        assert_eq!(sizes(&client, &position).await, (1, 9));
        let listed = plugin(&world, &["list"]);
        let listed = listed["segmenters"].as_array().unwrap();
        let bad = listed.iter().find(|one| one["version"] == "1.1.0").unwrap();
        assert_eq!(bad["state"], "quarantined");
        assert!(bad["why"].as_str().unwrap().contains("SIGSEGV"), "{bad}");

        let told = refused(
            &world,
            &[
                "propose",
                "seats",
                "--segmenter",
                "sextant.seats",
                "--segmenter-version",
                "1.1.0",
                "--tenant",
                TENANT,
            ],
        );
        assert!(told.contains("is in quarantine"), "{told}");
        let released = plugin(
            &world,
            &[
                "release",
                "sextant.seats",
                "--segmenter-version",
                "1.1.0",
                "--note",
                "tried again",
            ],
        );
        assert_eq!(released["segmenters"][0]["state"], "ready");
        let logs = plugin(
            &world,
            &["logs", "sextant.seats", "--segmenter-version", "1.0.0"],
        );
        assert!(logs["lines"].is_array());
    }
}

/// Parts of an upload.
fn parts(code: &[u8], announced: &[u8]) -> Vec<UploadSegmenterRequest> {
    let digest: String = Sha256::digest(announced)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let head = UploadHead {
        digest,
        size: announced.len() as u64,
        ..UploadHead::default()
    };
    let chunks = code
        .chunks(4_096)
        .map(|chunk| Part::Chunk(chunk.to_vec().into()));
    let parts = std::iter::once(Part::Head(head)).chain(chunks);
    parts
        .map(|part| UploadSegmenterRequest { part: Some(part) })
        .collect()
}

/// Uploads code under the digest of what was announced.
async fn upload(client: &Client, code: &[u8], announced: &[u8]) -> (Code, String, String) {
    let stream = tokio_stream::iter(parts(code, announced));
    let answer = client
        .segmenters()
        .upload_segmenter(client.request(stream))
        .await;
    match answer {
        Ok(_published) => (Code::Ok, String::new(), String::new()),
        Err(status) => (
            status.code(),
            reason_of(&status).unwrap_or_default(),
            status.message().to_owned(),
        ),
    }
}

fn library(folder: &Path, seats: Seats) -> Vec<u8> {
    fs::read(seats.compile_into(folder)).unwrap()
}

#[tokio::test]
async fn what_is_not_fit_to_be_published_is_refused_with_the_check_that_it_fails() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(Shape::Embedded).await;
    let client = tenant(&world.client(), TENANT, at("2026-02-01T12:00")).await;
    let first = library(folder.path(), Seats::default());
    assert_eq!(upload(&client, &first, &first).await.0, Code::Ok);
    // The same bytes again are no news.
    assert_eq!(upload(&client, &first, &first).await.0, Code::Ok);
    segmentation_by(&client, "seats", "seats", "{}").await;
    let position = ten_accounts(&client).await;

    let other = library(
        folder.path(),
        Seats {
            large_from: 51,
            ..Seats::default()
        },
    );
    let older = library(
        folder.path(),
        Seats {
            version: "0.9.0",
            ..Seats::default()
        },
    );
    let unknown = library(
        folder.path(),
        Seats {
            version: "2.0.0",
            feature: "revenue.seat",
            ..Seats::default()
        },
    );
    let crashing = library(
        folder.path(),
        Seats {
            version: "2.1.0",
            crashes: 0,
            ..Seats::default()
        },
    );
    let mut flipped = first.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let cut = &first[..first.len() / 2];
    let cases: [(&str, &[u8], &[u8], Code, &str, &str); 8] = [
        (
            "broken off",
            cut,
            &first,
            Code::InvalidArgument,
            "FIELD_INVALID",
            "head.size",
        ),
        (
            "truncated",
            cut,
            cut,
            Code::InvalidArgument,
            "SEGMENTER_REJECTED",
            "V-elf",
        ),
        (
            "flipped on the way",
            &flipped,
            &first,
            Code::InvalidArgument,
            "SEGMENTER_REJECTED",
            "",
        ),
        (
            "no library",
            b"no library",
            b"no library",
            Code::InvalidArgument,
            "SEGMENTER_REJECTED",
            "V-elf",
        ),
        (
            "other bytes",
            &other,
            &other,
            Code::AlreadyExists,
            "ALREADY_EXISTS",
            "D-version",
        ),
        (
            "downgrade",
            &older,
            &older,
            Code::InvalidArgument,
            "SEGMENTER_REJECTED",
            "D-downgrade",
        ),
        (
            "unknown feature",
            &unknown,
            &unknown,
            Code::InvalidArgument,
            "SEGMENTER_REJECTED",
            "did you mean \"revenue.seats\"?",
        ),
        (
            "crashing",
            &crashing,
            &crashing,
            Code::InvalidArgument,
            "SEGMENTER_REJECTED",
            "SIGSEGV",
        ),
    ];
    for (name, code, announced, expected, reason, told) in cases {
        let (found, why, message) = upload(&client, code, announced).await;
        assert_eq!(
            (found, why.as_str()),
            (expected, reason),
            "{name}: {message}"
        );
        assert!(message.contains(told), "{name}: {message}");
        // The service has noticed nothing.
        assert_eq!(sizes(&client, &position).await, (4, 6), "{name}");
    }
    // An upload whose sender goes away leaves nothing.
    let head = parts(&first, &first).into_iter().take(1);
    let endless = tokio_stream::iter(head).chain(tokio_stream::pending());
    let mut broken = client.segmenters();
    let waiting = broken.upload_segmenter(client.stream(endless));
    let given_up = tokio::time::timeout(Duration::from_millis(200), waiting).await;
    assert!(given_up.is_err());
    assert_eq!(upload(&client, &first, &first).await.0, Code::Ok);

    let events = plugin(&world, &["events"]);
    let events = events["events"].as_array().unwrap();
    let rejected = events
        .iter()
        .filter(|event| event["action"] == "rejected")
        .count();
    // All but the one that did not arrive.
    assert_eq!(rejected, 7);
}
