//! What is not fit to be published is refused with the check that it fails, and nobody notices.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;
use tokio_stream::StreamExt as _;
use tonic::Code;

use sextant::client::Client;
use sextant_proto::segmentation::v1::upload_segmenter_request::Part;
use sextant_proto::segmentation::v1::{UploadHead, UploadSegmenterRequest};
use sextant_runtime::auth::Key;
use sextant_wire::status::reason_of;

use crate::worlds::published::{Team, column};
use crate::worlds::seats::Seats;
use crate::worlds::world::{Shape, segmentation_by};

/// Parts of an upload of code under the size and digest of what was announced.
fn parts(code: &[u8], announced: &[u8]) -> Vec<UploadSegmenterRequest> {
    let digest = Sha256::digest(announced);
    let head = UploadHead {
        digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
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

/// Uploads it; how that ended: code, reason and message.
async fn upload(client: &Client, code: &[u8], announced: &[u8]) -> (Code, String, String) {
    let stream = tokio_stream::iter(parts(code, announced));
    let answer = client
        .segmenters()
        .upload_segmenter(client.request(stream))
        .await;
    match answer {
        Ok(_published) => (Code::Ok, String::new(), String::new()),
        Err(status) => {
            let reason = reason_of(&status).unwrap_or_default();
            (status.code(), reason, status.message().to_owned())
        },
    }
}

impl Team {
    fn library(&self, seats: Seats) -> Vec<u8> {
        fs::read(self.compile(seats)).unwrap()
    }

    /// A team whose version decides.
    async fn published() -> (Self, Vec<u8>, String) {
        Self::published_with(&[]).await
    }

    async fn published_with(settings: &[String]) -> (Self, Vec<u8>, String) {
        let team = Self::start_with(Shape::Embedded, settings).await;
        let first = team.library(Seats::default());
        assert_eq!(upload(&team.client, &first, &first).await.0, Code::Ok);
        segmentation_by(&team.client, "seats", "acme.seats", "{}").await;
        let position = team.ten_accounts().await;
        (team, first, position)
    }

    /// Uploads what is refused; the service has noticed nothing.
    async fn is_refused(&self, code: &[u8], position: &str, (reason, told): (&str, &str)) {
        let (_, found, message) = upload(&self.client, code, code).await;
        assert_eq!(found, reason, "{message}");
        assert!(message.contains(told), "{message}");
        assert_eq!(self.sizes(position).await, (4, 6));
    }
}

#[tokio::test]
async fn bytes_that_are_damaged_or_do_not_all_arrive_are_no_segmenter() {
    let (team, first, position) = Team::published().await;
    let cut = &first[..first.len() / 2];
    let rejected = "SEGMENTER_REJECTED";
    team.is_refused(cut, &position, (rejected, "V-elf")).await;
    team.is_refused(b"no library", &position, (rejected, "V-elf"))
        .await;

    // Half of what was announced, and other bytes than were announced.
    let (code, reason, message) = upload(&team.client, cut, &first).await;
    assert_eq!((code, reason.as_str()), (Code::InvalidArgument, rejected));
    assert!(message.starts_with("V-digest: head.size"), "{message}");
    let mut flipped = first.clone();
    // Within the padding behind the code: it is still a library.
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let (code, reason, _) = upload(&team.client, &flipped, &first).await;
    assert_eq!((code, reason.as_str()), (Code::InvalidArgument, rejected));

    // A sender that goes away leaves nothing.
    let head = parts(&first, &first).into_iter().take(1);
    let endless = tokio_stream::iter(head).chain(tokio_stream::pending());
    let mut segmenters = team.client.segmenters();
    let waiting = segmenters.upload_segmenter(team.client.stream(endless));
    assert!(timeout(Duration::from_millis(200), waiting).await.is_err());
    // The same bytes again are no news.
    assert_eq!(upload(&team.client, &first, &first).await.0, Code::Ok);
    let events = team.plugin(&["events"]);
    let told = column(&events, "events", "action");
    assert_eq!(told, ["rejected", "rejected", "rejected", "published"]);
}

#[tokio::test]
async fn a_thousand_damaged_libraries_are_told_what_they_fail_and_nobody_notices() {
    let seed = 20_261_130;
    println!("seed {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (team, _, position) = Team::published().await;
    // Of an older version: what is damaged where nothing can be said of it is refused for that, and not run.
    let older = team.library(Seats {
        version: "0.9.0",
        ..Seats::default()
    });
    let (mut checks, mut published) = (BTreeSet::new(), 0);
    for k in 0..1_000 {
        let mut code = older.clone();
        if k % 2 == 0 {
            code.truncate(random.random_range(0..code.len()));
        } else {
            for _ in 0..random.random_range(1..8) {
                let place = random.random_range(0..code.len());
                code[place] ^= 1 << random.random_range(0..8);
            }
        }
        let (_, reason, message) = upload(&team.client, &code, &code).await;
        if code.is_empty() {
            continue;
        }
        // Where the descriptor itself is hit, it may ask for other features, or be of a newer version and sound.
        if reason.is_empty() {
            published += 1;
        } else {
            assert_eq!(reason, "SEGMENTER_REJECTED", "{k}: {message}");
            let check = message.split(':').next().unwrap().to_owned();
            let (family, name) = check.split_once('-').unwrap();
            assert!(family.len() == 1 && !name.is_empty(), "{k}: {message}");
            checks.insert(check);
        }
        assert_eq!(team.sizes(&position).await, (4, 6), "{k}");
    }
    assert!(
        checks.contains("V-elf") && checks.contains("D-downgrade") && published < 20,
        "{checks:?}, {published} published"
    );
}

/// Where the code of a library is: its largest section that can be executed. Offsets of ELF, 64 bits, little-endian.
fn code_of(library: &[u8]) -> Range<usize> {
    const EXECUTABLE: u64 = 4;
    let number = |at: usize, bytes: usize| {
        let word = library[at..at + bytes].iter().rev();
        word.fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    let place = |at: usize| usize::try_from(number(at, 8)).unwrap();
    let (first, n_sections) = (place(0x28), number(0x3c, 2));
    let sections = (0..n_sections).map(|n| first + 64 * usize::try_from(n).unwrap());
    let executable = sections.filter(|section| number(section + 8, 8) & EXECUTABLE != 0);
    let ranges = executable.map(|section| {
        let begin = place(section + 24);
        begin..begin + place(section + 32)
    });
    ranges.max_by_key(Range::len).unwrap()
}

#[tokio::test]
async fn libraries_whose_code_is_damaged_run_and_nobody_else_notices() {
    const ID: &str = "acme.damaged-00";
    let seed = 20_261_201;
    println!("seed {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (team, _, position) = Team::published().await;
    let whole = team.library(Seats {
        id: ID,
        ..Seats::default()
    });
    let damaged = code_of(&whole);
    let mut checks = BTreeSet::new();
    for k in 0..16 {
        // Nothing is known of the id, so it is judged by running it.
        let id = format!("acme.damaged-{k:02}");
        let places: Vec<usize> = (0..whole.len() - ID.len())
            .filter(|at| whole[*at..].starts_with(ID.as_bytes()))
            .collect();
        let mut code = whole.clone();
        for at in places {
            code[at..at + ID.len()].copy_from_slice(id.as_bytes());
        }
        for _ in 0..3 {
            code[random.random_range(damaged.clone())] ^= 1 << random.random_range(0..8);
        }
        let (_, reason, message) = upload(&team.client, &code, &code).await;
        if !reason.is_empty() {
            assert_eq!(reason, "SEGMENTER_REJECTED", "{k}: {message}");
            checks.insert(message.split(':').next().unwrap().to_owned());
        }
        assert_eq!(team.sizes(&position).await, (4, 6), "{k}");
    }
    assert!(
        checks.iter().any(|check| !check.starts_with("V-")),
        "{checks:?}"
    );
}

#[tokio::test]
async fn a_version_has_one_digest_and_the_next_one_is_newer() {
    let (team, _, position) = Team::published().await;
    let other = team.library(Seats {
        large_from: 51,
        ..Seats::default()
    });
    let exists = ("ALREADY_EXISTS", "D-version");
    team.is_refused(&other, &position, exists).await;
    let older = team.library(Seats {
        version: "0.9.0",
        ..Seats::default()
    });
    let ours = team.library(Seats {
        id: "sextant.seats",
        ..Seats::default()
    });
    let not_theirs = ("SEGMENTER_REJECTED", "D-id");
    team.is_refused(&ours, &position, not_theirs).await;
    let downgrade = ("SEGMENTER_REJECTED", "D-downgrade");
    team.is_refused(&older, &position, downgrade).await;
}

#[tokio::test]
async fn a_segmenter_that_fails_a_test_or_asks_for_what_is_not_there_is_refused() {
    let (team, _, position) = Team::published().await;
    let unknown = team.library(Seats {
        version: "2.0.0",
        feature: "revenue.seat",
        ..Seats::default()
    });
    let hint = "did you mean \"revenue.seats\"?";
    team.is_refused(&unknown, &position, ("SEGMENTER_REJECTED", hint))
        .await;
    let crashing = team.library(Seats {
        version: "2.1.0",
        crashes: 0,
        ..Seats::default()
    });
    let crashed = ("SEGMENTER_REJECTED", "SIGSEGV");
    team.is_refused(&crashing, &position, crashed).await;
    // What was found of the one that was taken can be read.
    let report = team.plugin(&["report", "acme.seats"]);
    let checks = column(&report, "verdicts", "check");
    assert!(checks.contains(&"D-many".into()), "{report}");
}

#[tokio::test]
async fn one_that_takes_all_the_time_that_there_is_to_judge_it_holds_up_nobody_else() {
    // Far longer than the others take together, on whatever machine.
    let call = "plugins.call_ms=30000".to_owned();
    let (team, _, position) = Team::published_with(&[call]).await;
    let hangs = team.library(Seats {
        id: "acme.endless",
        hangs: 0,
        ..Seats::default()
    });
    let later = ["1.1.0", "1.2.0", "1.3.0"].map(|version| {
        team.library(Seats {
            version,
            ..Seats::default()
        })
    });
    // Another team's: of one key one is judged at a time.
    let publisher = "keys create --installation --scope plugins.publish --output json";
    let made = team.world.cli(&publisher.split(' ').collect::<Vec<_>>());
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let another = Key::parse(made["keys"][0]["secret"].as_str().unwrap()).unwrap();
    let another = team.world.client_with(&another);
    let endless = async {
        let (code, _, message) = upload(&another, &hangs, &hangs).await;
        assert_ne!(code, Code::Ok, "{message}");
    };
    // One after the other, so that it is judged before the last of them at the latest.
    let others = async {
        for code in &later {
            let (answered, _, message) = upload(&team.client, code, code).await;
            assert_eq!(answered, Code::Ok, "{message}");
        }
    };
    tokio::select! {
        biased;
        () = endless => panic!("it was answered first"),
        () = others => {},
    }
    assert_eq!(team.sizes(&position).await, (4, 6));
}

#[tokio::test]
async fn who_stops_sending_is_told_so_and_gives_way() {
    let (team, first, _) = Team::published().await;
    let stalled = (0..12).map(|_| async {
        let begun = tokio_stream::iter(parts(&first, &first)).take(2);
        let stream = begun.chain(tokio_stream::pending());
        let mut segmenters = team.client.segmenters();
        let stream = team.client.stream(stream);
        segmenters.upload_segmenter(stream).await.unwrap_err()
    });
    for status in futures_util::future::join_all(stalled).await {
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    }
    assert_eq!(upload(&team.client, &first, &first).await.0, Code::Ok);
}
