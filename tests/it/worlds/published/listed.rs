//! Which servers are asked: those that the operator lists, as what they are listed for.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;

use serde_json::{Value, json};
use tokio::time::Instant;

use sextant_proto::segmentation::v1::ListSegmentationsRequest;

use crate::worlds::process::free_address;
use crate::worlds::published::remote::{Server, write};
use crate::worlds::published::{LONGEST_WAIT, Team, column, with_seats};
use crate::worlds::records::{accept, at, membership, now, subscription};
use crate::worlds::world::Shape;

#[tokio::test]
async fn a_server_that_is_not_listed_is_not_connected_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trusted.json");
    let other = json!({"servers": [{"address": "http://models.acme.example:80", "ids": ["*"]}]});
    fs::write(&file, other.to_string()).unwrap();
    let listing = format!("plugins.trust_file={}", file.display());
    for (trust, more) in [("signed", None), ("digest", None), ("open", Some(&listing))] {
        let mut settings = vec![format!("plugins.trust={trust}")];
        settings.extend(more.cloned());
        let team = Team::start_with(Shape::Embedded, &settings).await;
        let internal = TcpListener::bind("127.0.0.1:0").unwrap();
        internal.set_nonblocking(true).unwrap();
        let address = format!("http://{}", internal.local_addr().unwrap());
        let told = team.refused(&["register", &address]);
        for part in ["S-server", "is not listed", "plugins.trust_file"] {
            assert!(told.contains(part), "{trust}: {told}");
        }
        let connected = internal.accept().unwrap_err();
        assert_eq!(connected.kind(), ErrorKind::WouldBlock, "{trust}");
        let events = team.plugin(&["events"]);
        assert_eq!(column(&events, "events", "action"), ["rejected"]);
    }
}

/// Why the team's segmentation is behind; empty: it is not.
async fn failure(team: &Team) -> String {
    let request = team.client.request(ListSegmentationsRequest::default());
    let mut segmentations = team.client.segmentation();
    let answer = segmentations.list_segmentations(request).await.unwrap();
    let listed = answer.into_inner().segmentations;
    let seats = listed.iter().find(|one| one.key == "seats").unwrap();
    seats.failure.clone()
}

/// News of one account, of a minute each, until something is so: what a process reads of the list is told with what comes next.
async fn news_until(team: &Team, minute: &mut u32, is_so: impl AsyncFn(&str) -> bool) {
    let give_up = Instant::now() + LONGEST_WAIT;
    loop {
        *minute += 1;
        let (day, hour) = (21 + *minute / 1_440, *minute / 60 % 24);
        let time = at(&format!("2026-01-{day}T{hour:02}:{:02}", *minute % 60));
        let changed = subscription("account-1", time, 11, 1_000);
        let position = accept(&team.client, vec![changed]).await;
        if is_so(&position).await {
            return;
        }
        assert!(Instant::now() < give_up, "after {minute} news");
    }
}

#[tokio::test]
async fn a_server_is_asked_as_what_it_is_listed_for_until_it_is_not_listed_any_more() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "1.0.0");
    let (tokens, file) = (folder.path().join("tokens"), folder.path().join("trusted"));
    fs::create_dir(&tokens).unwrap();
    let listen = free_address().to_string();
    let address = format!("http://{listen}");
    fs::write(tokens.join("seats"), format!("{address}\na secret\n")).unwrap();
    let list = |servers: Value| fs::write(&file, json!({"servers": servers}).to_string()).unwrap();
    list(json!([{"address": address, "ids": ["other.*"]}]));
    let settings = [
        "plugins.trust=signed".to_owned(),
        format!("plugins.trust_file={}", file.display()),
        format!("plugins.token_dir={}", tokens.display()),
    ];
    let team = Team::start_with(Shape::Embedded, &settings).await;
    let _server = Server::start(folder.path(), &listen);

    // The ids of other teams are theirs.
    let register = ["register", &address, "--token-name", "seats"];
    let told = team.refused(&register);
    assert!(told.contains("may not be \"team.seats\""), "{told}");
    assert!(told.contains("S-server"), "{told}");
    let listed = json!([{"address": address, "ids": ["team.*"]}]);
    list(listed.clone());
    let registered = team.plugin(&register);
    assert_eq!(registered["segmenters"][0]["state"], "ready");
    let create = "segmentations create seats --segmenter team.seats --tenant seats";
    let made = team.world.cli(&create.split(' ').collect::<Vec<_>>());
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    let position = team.ten_accounts().await;
    assert_eq!(team.sizes(&position).await, (4, 6));

    // Accounts stay where they were while it is not asked, and with the next news it makes up for that.
    list(json!([]));
    let mut news = 0;
    news_until(&team, &mut news, async |_| {
        failure(&team).await.contains("S-server")
    })
    .await;
    let [_, changed] = with_seats("account-9", 23, 10);
    let position = accept(&team.client, vec![changed]).await;
    let held = membership(&team.client, "account-9", "seats", &now(&position)).await;
    assert_eq!(held.segment, "large");
    list(listed);
    news_until(&team, &mut news, async |position| {
        let found = membership(&team.client, "account-9", "seats", &now(position)).await;
        found.segment == "small"
    })
    .await;
    assert_eq!(failure(&team).await, "");
}
