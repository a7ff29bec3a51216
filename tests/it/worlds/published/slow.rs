//! A segmenter that takes its time takes nobody else's.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};

use sextant::client::Client;
use sextant::installation::Role;
use sextant_proto::ingestion::v1::Tenant;
use sextant_proto::segmentation::v1::{
    ListMembersRequest, ListMembershipsRequest, ListSegmentsRequest,
};

use crate::worlds::process::free_address;
use crate::worlds::published::remote::{Server, write};
use crate::worlds::published::{LONGEST_WAIT, Team, with_seats};
use crate::worlds::records::{accept, accounts_in, ask, at, entity, membership, now, try_ask};
use crate::worlds::seats::Seats;
use crate::worlds::world::{Shape, made, segmentation, segmentation_by};

/// Seats of an account that it does not judge before it is told to.
const WAITS: u64 = 151_515;

const MODEL: &str = "\
import time
from pathlib import Path
from sextant_segmenter import Segmenter

class Seats(Segmenter):
    descriptor = 'seats.json'

    def segment(self, rows, call):
        seats = rows.column('revenue.seats').to_pylist()
        if 151515 in seats:
            Path('asked').touch()
            while not Path('go').exists():
                time.sleep(0.01)
        return ['large' if one >= 50 else 'small' for one in seats]
";

/// Waits until the model has been asked about the account.
async fn wait_until_asked(folder: &Path) {
    let give_up = Instant::now() + LONGEST_WAIT;
    while !folder.join("asked").exists() {
        assert!(Instant::now() < give_up, "the model is not asked");
        yield_now().await;
    }
}

/// Whoever looks at anything else of the tenant has an answer.
async fn others_are_answered(client: &Client, position: &str) {
    let of = |key: &str| key.to_owned();
    let at = || Some(now(position));
    let summed = ListSegmentsRequest {
        segmentation: of("value_tiers"),
        sum_features: vec![of("revenue.mrr_minor")],
        at: at(),
        ..ListSegmentsRequest::default()
    };
    let listed = ListMembersRequest {
        segmentation: of("value_tiers"),
        at: at(),
        ..ListMembersRequest::default()
    };
    let of_one = ListMembershipsRequest {
        account: entity("account-1"),
        at: at(),
        ..ListMembershipsRequest::default()
    };
    let looking = async {
        let summed = ask!(client, segmentation.list_segments, summed);
        assert!(summed.accounts >= 10, "{summed:?}");
        let listed = ask!(client, segmentation.list_members, listed);
        assert!(listed.members.len() >= 10, "{listed:?}");
        let of_one = ask!(client, segmentation.list_memberships, of_one);
        assert_eq!(of_one.memberships.len(), 2, "{of_one:?}");
    };
    timeout(LONGEST_WAIT, looking).await.unwrap();
}

/// The model in a folder, where it is to listen, and what the service has to know of it.
fn model() -> (TempDir, String, [String; 2]) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "1.0.0");
    fs::write(folder.path().join("seats.py"), MODEL).unwrap();
    let listen = free_address().to_string();
    let tokens = folder.path().join("tokens");
    fs::create_dir(&tokens).unwrap();
    fs::write(tokens.join("seats"), format!("http://{listen}\na secret\n")).unwrap();
    let settings = [
        format!("plugins.token_dir={}", tokens.display()),
        // As long as the test may take.
        "plugins.call_ms=60000".to_owned(),
    ];
    (folder, listen, settings)
}

/// Its server, registered by the team.
fn registered(team: &Team, folder: &Path, listen: &str) -> Server {
    let server = Server::start(folder, listen);
    let address = format!("http://{listen}");
    team.plugin(&["register", &address, "--token-name", "seats"]);
    server
}

#[tokio::test]
async fn while_a_segmenter_takes_its_time_everything_else_of_the_tenant_is_read() {
    let (folder, listen, settings) = model();
    for shape in [Shape::Embedded, Shape::Apart] {
        for file in ["asked", "go"] {
            drop(fs::remove_file(folder.path().join(file)));
        }
        let team = Team::start_with(shape, &settings).await;
        let _server = registered(&team, folder.path(), &listen);
        segmentation_by(&team.client, "seats", "team.seats", "{}").await;
        segmentation(&team.client, "value_tiers").await;
        let position = team.ten_accounts().await;
        assert_eq!(team.sizes(&position).await, (4, 6));

        // A change within a day.
        let newer = accept(&team.client, with_seats("account-11", 9, WAITS).to_vec()).await;
        wait_until_asked(folder.path()).await;
        others_are_answered(&team.client, &position).await;
        assert_eq!(team.sizes(&position).await, (4, 6));
        fs::write(folder.path().join("go"), "").unwrap();
        let judged = membership(&team.client, "account-11", "seats", &now(&newer)).await;
        assert_eq!(judged.segment, "large");

        // All accounts at once, for a segmentation that is new: it is not seen before it is whole.
        for file in ["asked", "go"] {
            fs::remove_file(folder.path().join(file)).unwrap();
        }
        let making = segmentation_by(&team.client, "more", "team.seats", "{}");
        let looking = async {
            wait_until_asked(folder.path()).await;
            others_are_answered(&team.client, &newer).await;
            let at = now(&newer);
            let reading = accounts_in(&team.client, "more", &at);
            let going = async { fs::write(folder.path().join("go"), "").unwrap() };
            let (n_accounts, ()) = tokio::join!(reading, going);
            assert_eq!(n_accounts, 11);
        };
        tokio::join!(making, looking);
    }
}

#[tokio::test]
async fn a_segmentation_that_is_behind_is_read_while_its_segmenter_is_asked_again() {
    let (folder, listen, settings) = model();
    let team = Team::start_with(Shape::Embedded, &settings).await;
    let server = registered(&team, folder.path(), &listen);
    segmentation_by(&team.client, "seats", "team.seats", "{}").await;
    let position = team.ten_accounts().await;
    assert_eq!(team.sizes(&position).await, (4, 6));

    drop(server);
    let newer = accept(&team.client, with_seats("account-11", 9, WAITS).to_vec()).await;
    assert_eq!(team.sizes(&newer).await, (4, 6));
    let _server = Server::start(folder.path(), &listen);
    wait_until_asked(folder.path()).await;
    assert_eq!(team.sizes(&newer).await, (4, 6));
    fs::write(folder.path().join("go"), "").unwrap();
    let give_up = Instant::now() + LONGEST_WAIT;
    while team.sizes(&newer).await != (4, 7) {
        assert!(Instant::now() < give_up);
    }
}

#[tokio::test]
async fn a_segmenter_that_does_not_say_why_answers_all_the_same() {
    let settings = ["plugins.call_ms=200".to_owned()];
    for explains in [
        "return SEG_E_NOT_FITTED;",
        "return SEG_E_UNSUPPORTED;",
        "return SEG_E_INVALID_CONFIG;",
        "return SEG_OK;",
        "abort();",
        "for (;;) pause();",
    ] {
        let team = Team::start_with(Shape::Embedded, &settings).await;
        let silent = Seats {
            explains: Some(explains),
            ..Seats::default()
        };
        team.plugin(&["push", &team.compile(silent)]);
        segmentation_by(&team.client, "seats", "acme.seats", "{}").await;
        let position = team.ten_accounts().await;
        assert_eq!(team.sizes(&position).await, (4, 6), "{explains}");
        // More often than it may fail with its answers.
        for hour in 9..14 {
            let changed = with_seats("account-1", hour, u64::from(hour) * 10);
            let position = accept(&team.client, changed[1..].to_vec()).await;
            let request = ListMembershipsRequest {
                account: entity("account-1"),
                at: Some(now(&position)),
                ..ListMembershipsRequest::default()
            };
            let listed = ask!(team.client, segmentation.list_memberships, request);
            let [one] = &listed.memberships[..] else {
                panic!("{listed:?}");
            };
            assert_eq!((&*one.segment, &*one.trouble), ("large", ""), "{explains}");
            // It is for what it reads.
            assert_eq!(one.current_reasons[0].feature, "revenue.seats");
        }
        let listed = team.plugin(&["list"]);
        let listed = listed["segmenters"].as_array().unwrap();
        let state = listed.iter().find(|one| one["segmenter"] == "acme.seats");
        assert_eq!(state.unwrap()["state"], "ready", "{explains}");
    }
}

const SLOW: &str = "\
import time
from sextant_segmenter import Segmenter

class Seats(Segmenter):
    descriptor = 'seats.json'

    def segment(self, rows, call):
        time.sleep(0.2)
        seats = rows.column('revenue.seats').to_pylist()
        return ['large' if one >= 50 else 'small' for one in seats]
";

#[tokio::test]
async fn what_is_made_in_one_process_is_seen_whole_or_not_at_all_in_another() {
    let (folder, listen, settings) = model();
    fs::write(folder.path().join("seats.py"), SLOW).unwrap();
    let team = Team::start_with(Shape::Apart, &settings).await;
    let _server = registered(&team, folder.path(), &listen);
    let (_second, other) = team.world.replica(Role::Segmentation, &settings);
    let sliced = Tenant {
        name: "sliced".to_owned(),
        time_zone: "UTC".to_owned(),
        base_currency: "USD".to_owned(),
        fixed_clock: Some(at("2026-02-01T12:00")),
        retention_days: 3_650,
        slices: 4,
        ..Tenant::default()
    };
    let here = made(&team.world.client(), sliced).await;
    let found = other.find_tenant(Some("sliced")).await.unwrap();
    let there = other.of_tenant(&found).unwrap();
    segmentation(&here, "value_tiers").await;
    let accounts = (1..=40).flat_map(|n| with_seats(&format!("account-{n}"), 8, 2 * n));
    let position = accept(&here, accounts.collect()).await;
    assert_eq!(
        accounts_in(&there, "value_tiers", &now(&position)).await,
        40
    );

    let is_made = Cell::new(false);
    let making = async {
        segmentation_by(&here, "seats", "team.seats", "{}").await;
        is_made.set(true);
    };
    let looking = async {
        loop {
            let was_made = is_made.get();
            let request = ListSegmentsRequest {
                segmentation: "seats".to_owned(),
                at: Some(now(&position)),
                ..ListSegmentsRequest::default()
            };
            match try_ask!(there, segmentation.list_segments, request) {
                Ok(seen) => assert_eq!(seen.accounts, 40, "{seen:?}"),
                // It is not known there yet.
                Err(status) => assert!(!was_made, "{status}"),
            }
            if was_made {
                return;
            }
        }
    };
    tokio::join!(making, looking);
}
