//! Facts that scoring takes in between an entry of its feed and the features that are read for it: what follows from them is
//! known since they are, and in the end the same is known as if they had come later.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;

use sextant_domain::time::Instant;
use sextant_proto::common::v1::{Money, ReadAt};
use sextant_proto::ingestion::v1 as ingestion;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::scoring::v1::GetClockRequest;
use sextant_proto::scoring::v1::clock_service_client::ClockServiceClient;
use sextant_proto::segmentation::v1 as pb;
use sextant_runtime::link::Link;
use sextant_wire::time;

use crate::between::Between;
use crate::upstream::uid;
use crate::world::{Segmentation, World, about, account_ref, as_of, at, end_of, on, position};

const MEDIUM: i64 = 60_000;
const HIGH: i64 = 300_000;

fn instant(text: &str) -> Instant {
    time::instant(&on(text).unwrap()).unwrap()
}

fn known(as_of: &str, known_at: &str) -> Option<ReadAt> {
    Some(ReadAt {
        as_of: on(as_of),
        known_at: on(known_at),
        ..ReadAt::default()
    })
}

#[tokio::test]
async fn a_move_that_newer_facts_brought_about_is_known_since_they_are() {
    let world = World::new();
    let segmentation = world.start();
    segmentation.create_tiers().await;
    world.put(&[("a", MEDIUM), ("b", MEDIUM)]);
    let position = world.close("2027-03-09");
    segmentation.membership("a", at(&position)).await.unwrap();

    let stopped = world.scoring.stop_next_columns();
    world.change("2027-03-10 09:00", &[("a", MEDIUM)]);
    stopped.is_there.await.unwrap();
    world.scoring.run_ahead(instant("2027-03-10 10:00"));
    let position = world.change("2027-03-10 10:00", &[("a", HIGH)]);
    stopped.go_on.send(()).unwrap();
    segmentation.membership("a", at(&position)).await.unwrap();
    for (known_at, segment) in [("2027-03-10 09:59", "medium"), ("2027-03-10 10:00", "high")] {
        let read = known("2027-03-10 10:00", known_at);
        assert_eq!(segmentation.segment("a", read).await, segment, "{known_at}");
    }
    // What is compared with that is not known before it.
    world.scoring.run_ahead(instant("2027-03-10 09:30"));
    let position = world.change_known("2027-03-10 10:01", "2027-03-10 09:31", &[("b", HIGH)]);
    let other = segmentation.membership("b", at(&position)).await.unwrap();
    assert_eq!(other.known_at, on("2027-03-10 10:00"));
}

#[tokio::test]
async fn a_correction_that_newer_facts_brought_about_is_known_since_they_are_and_ends_right() {
    let world = World::new();
    let segmentation = world.start();
    segmentation.create_tiers().await;
    world.put(&[("a", MEDIUM)]);
    let mut last = String::new();
    for day in 6..=9 {
        last = world.close(&format!("2027-03-{day:02}"));
    }
    segmentation.membership("a", at(&last)).await.unwrap();

    let stopped = world.scoring.stop_next_columns();
    world.late("2027-03-10 09:00", &[("a", "2027-03-08")]);
    stopped.is_there.await.unwrap();
    // The newer facts reach back further.
    world.scoring.run_ahead(instant("2027-03-10 10:00"));
    for day in ["2027-03-07", "2027-03-08"] {
        world.scoring.learn(day, "a", HIGH);
    }
    let position = world.late("2027-03-10 10:00", &[("a", "2027-03-07")]);
    stopped.go_on.send(()).unwrap();
    segmentation.membership("a", at(&position)).await.unwrap();
    let path = async |known_at: &str| {
        let mut path = Vec::new();
        for day in 6..=9 {
            let read = ReadAt {
                as_of: end_of(&format!("2027-03-{day:02}")),
                known_at: on(known_at),
                ..ReadAt::default()
            };
            path.push(segmentation.segment("a", Some(read)).await);
        }
        path
    };
    assert_eq!(path("2027-03-10 09:59").await, ["medium"; 4]);
    let expected = ["medium", "high", "high", "medium"];
    assert_eq!(path("2027-03-10 10:00").await, expected);
    let entered = as_of(end_of("2027-03-08"));
    let entered = segmentation.membership("a", entered).await.unwrap();
    assert_eq!(entered.entered_at, end_of("2027-03-07"));
}

const ACCOUNTS: [&str; 10] = ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9"];
const SEGMENTATIONS: [&str; 3] = ["lifecycle", "rfm", "value_tiers"];

fn stored(account: &str, (at, known_at): (&str, &str), fact: Fact) -> ingestion::StoredFact {
    let record = ingestion::Record {
        source: "test".to_owned(),
        id: format!("{account} {at} {known_at}"),
        time: on(at),
        fact: Some(fact),
        ..ingestion::Record::default()
    };
    ingestion::StoredFact {
        account_uid: sextant_wire::read::uid_bytes(uid(account)),
        occurred_at: on(at),
        known_at: on(known_at),
        historical: at == known_at,
        record: record.encode_to_vec().into(),
    }
}

fn account(account: &str, at: &str) -> ingestion::StoredFact {
    let fact = ingestion::AccountFact {
        account_id: account.to_owned(),
        name: account.to_uppercase(),
        ..ingestion::AccountFact::default()
    };
    stored(account, (at, at), Fact::Account(fact))
}

fn subscription(account: &str, at: (&str, &str), seats: u64) -> ingestion::StoredFact {
    let price = ingestion::Price {
        price_id: "seat".to_owned(),
        unit_amount: Some(Money {
            minor: 1_000,
            currency: "USD".to_owned(),
        }),
        interval: ingestion::BillingInterval::Month.into(),
        interval_count: 1,
        rank: 1,
        ..ingestion::Price::default()
    };
    let item = ingestion::SubscriptionItem {
        item_id: "plan".to_owned(),
        price: Some(price),
        quantity: seats,
        fx_rate_micros: 0,
        ..ingestion::SubscriptionItem::default()
    };
    let fact = ingestion::SubscriptionFact {
        account_id: account.to_owned(),
        subscription_id: format!("{account} plan"),
        status: ingestion::SubscriptionStatus::Active.into(),
        items: vec![item],
        ..ingestion::SubscriptionFact::default()
    };
    stored(account, at, Fact::Subscription(fact))
}

fn event(account: &str, user: &str, at: (&str, &str)) -> ingestion::StoredFact {
    let fact = ingestion::EventFact {
        account_id: account.to_owned(),
        user_id: user.to_owned(),
        r#type: "feature.used".to_owned(),
        feature_key: "reports".to_owned(),
        ..ingestion::EventFact::default()
    };
    stored(account, at, Fact::Event(fact))
}

/// What was known of ten accounts before: each uses the product a little more than the one before it.
fn before() -> Vec<ingestion::StoredFact> {
    let mut facts = Vec::new();
    for (number, name) in (1..).zip(ACCOUNTS) {
        let began = "2027-02-20";
        facts.push(account(name, began));
        facts.push(subscription(name, (began, began), number));
        for day in 0..number {
            let day = format!("2027-02-{:02} 09:00", 20 + day % 8);
            facts.push(event(name, "ann", (&day, &day)));
        }
    }
    facts
}

/// Seats of closed days that came late.
fn late_subscriptions(known_at: &str) -> Vec<ingestion::StoredFact> {
    let numbered = (0..).zip(ACCOUNTS);
    let late = numbered.map(|(number, name)| {
        let day = format!("2027-03-{:02}", 2 + number % 5);
        subscription(name, (&day, known_at), (number * 37) % 250)
    });
    late.collect()
}

/// Use on closed days that came late: of some accounts earlier and of others later than their seats.
fn late_events(known_at: &str) -> Vec<ingestion::StoredFact> {
    let mut facts = Vec::new();
    for (number, name) in (0..).zip(ACCOUNTS) {
        for day in (1 + (number * 3) % 8)..=9 {
            for user in ["ann", "bob", "cy"].iter().take(1 + number % 3) {
                let day = format!("2027-03-{day:02} 10:00");
                facts.push(event(name, user, (&day, known_at)));
            }
        }
    }
    facts
}

/// When the second facts become known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Second {
    OnThatDay,
    OnTheNextDay,
    /// Never: on the next day nothing becomes known of these accounts.
    Never,
}

const FIRST: &str = "2027-03-10 10:00";
/// A microsecond after the last of that day.
const END_OF_DAY: &str = "2027-03-11";

impl Second {
    fn known_at(self) -> &'static str {
        match self {
            Self::OnThatDay => "2027-03-10 11:00",
            Self::OnTheNextDay | Self::Never => "2027-03-11 08:00",
        }
    }

    fn facts(self) -> Vec<ingestion::StoredFact> {
        match self {
            Self::OnThatDay | Self::OnTheNextDay => late_events(self.known_at()),
            Self::Never => vec![account("third", self.known_at())],
        }
    }
}

/// Where the features of the first facts are stopped until scoring has the second ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Nowhere,
    /// Before, so that both are read together.
    Before,
    PastCloses,
    Present,
}

/// How an account stands in the segmentations, and since when.
type Standings = Vec<(String, Option<prost_types::Timestamp>)>;

/// What is said of each account as of some moments.
type Picture = BTreeMap<(&'static str, String), Standings>;

async fn taken_in(scoring: &Link, position: &str) {
    let request = GetClockRequest {
        at_least_position: position.to_owned(),
    };
    let mut clock = ClockServiceClient::new(scoring.clone());
    clock.get_clock(about(request)).await.unwrap();
}

async fn memberships(segmentation: &Segmentation, account: &str, read: ReadAt) -> Standings {
    let request = pb::ListMembershipsRequest {
        account: Some(account_ref(account)),
        at: Some(read),
        ..pb::ListMembershipsRequest::default()
    };
    let mut client = segmentation.client.clone();
    let answer = client.list_memberships(about(request)).await.unwrap();
    let memberships = answer.into_inner().memberships.into_iter();
    memberships
        .map(|one| {
            let standing = format!("{} {:?} {}", one.segmentation, one.state(), one.segment);
            (standing, one.entered_at)
        })
        .collect()
}

/// With which knowledge is asked: before the first facts, with them, at the end of their day, with the second ones, and now.
const BEFORE: &str = "2027-03-10 09:59";
const NOW: &str = "";

/// What is said with the knowledge of each moment, and since when what is stored is known.
async fn run(stop: Stop, second: Second) -> (BTreeMap<&'static str, Picture>, BTreeSet<Instant>) {
    let world = World::new();
    let scoring = world.start_scoring();
    let between = Between::new(scoring.clone());
    let segmentation = world.start_between(&between);
    let sent = async |now: &str, facts| {
        world.hand.set(instant(now));
        position(world.ingestion.append(facts))
    };
    let reached = async |position: &str| {
        let read = at(position).unwrap();
        memberships(&segmentation, "a0", read).await
    };
    world.ingestion.append(Vec::new());
    for key in SEGMENTATIONS {
        let segmenter_id = format!("sextant.{key}");
        let made = segmentation.create(key, &segmenter_id, "{}").await;
        made.unwrap();
    }
    reached(&sent("2027-03-10 08:00", before()).await).await;

    let another = vec![account("another", "2027-03-10 09:00")];
    let mut stopped = (stop == Stop::Before).then(|| between.columns.stop_after(0));
    let another = sent("2027-03-10 09:00", another).await;
    if let Some(stopped) = &mut stopped {
        (&mut stopped.is_there).await.unwrap();
    } else {
        reached(&another).await;
    }
    if matches!(stop, Stop::PastCloses | Stop::Present) {
        let others = usize::from(stop == Stop::Present);
        stopped = Some(between.columns.stop_after(others));
    }
    let first = sent(FIRST, late_subscriptions(FIRST)).await;
    // What scoring takes in together it tells of together.
    taken_in(&scoring, &first).await;
    let known_at = second.known_at();
    let last = if let Some(stopped) = stopped {
        if stop != Stop::Before {
            stopped.is_there.await.unwrap();
        }
        let last = sent(known_at, second.facts()).await;
        taken_in(&scoring, &last).await;
        stopped.go_on.send(()).unwrap();
        last
    } else {
        reached(&first).await;
        sent(known_at, second.facts()).await
    };
    reached(&last).await;
    let end = "2027-03-12 08:00";
    let used = event("a0", "ann", (end, end));
    reached(&sent(end, vec![used]).await).await;
    let mut pictures = BTreeMap::new();
    for moment in [BEFORE, FIRST, END_OF_DAY, known_at, NOW] {
        pictures.insert(moment, picture(&segmentation, moment).await);
    }
    let request = pb::ListTransitionsRequest {
        page_size: 1_000,
        ..pb::ListTransitionsRequest::default()
    };
    let mut client = segmentation.client.clone();
    let transitions = client.list_transitions(about(request)).await.unwrap();
    let transitions = transitions.into_inner().transitions.into_iter();
    let known = transitions.map(|one| time::instant(&one.known_at.unwrap()).unwrap());
    (pictures, known.collect())
}

async fn picture(segmentation: &Segmentation, known_at: &str) -> Picture {
    let mut picture = Picture::new();
    let closes = (1..=10).map(|day| end_of(&format!("2027-03-{day:02}")));
    for as_of in closes.chain([None]) {
        for account in ACCOUNTS {
            let read = ReadAt {
                as_of,
                known_at: Some(known_at).filter(|at| *at != NOW).and_then(on),
                ..ReadAt::default()
            };
            let standings = memberships(segmentation, account, read).await;
            picture.insert((account, format!("{as_of:?}")), standings);
        }
    }
    picture
}

#[tokio::test]
async fn facts_that_scoring_takes_in_before_an_entry_is_evaluated_change_nothing_of_what_is_known_when()
 {
    for second in [Second::OnThatDay, Second::OnTheNextDay] {
        let (paused, _) = run(Stop::Nowhere, second).await;
        let moments = [BEFORE, FIRST, second.known_at()];
        let [before, first, then] = moments.map(|moment| &paused[moment]);
        assert!(before != first && first != then, "{second:?}");
        // What is found at the first entry is known with the second facts, but not after the end of its day.
        let found_at = second.known_at().min(END_OF_DAY);
        for stop in [Stop::Before, Stop::PastCloses, Stop::Present] {
            let (torn, known) = run(stop, second).await;
            for (moment, picture) in &torn {
                let same = Some(*moment).filter(|moment| *moment != FIRST);
                let expected = &paused[same.unwrap_or(BEFORE)];
                assert_eq!(picture, expected, "{second:?}, {stop:?}: {moment}");
            }
            let mut too_early = known.range(instant(FIRST)..instant(found_at).plus_us(-1));
            assert_eq!(too_early.next(), None, "{second:?}, {stop:?}");
        }
    }
}

#[tokio::test]
async fn what_is_known_at_the_end_of_a_day_is_what_it_would_be_without_the_next_day() {
    let (with, _) = run(Stop::Nowhere, Second::OnTheNextDay).await;
    let (without, _) = run(Stop::Nowhere, Second::Never).await;
    for moment in [BEFORE, FIRST, END_OF_DAY] {
        assert_eq!(with[moment], without[moment], "{moment}");
    }
    assert_ne!(with[NOW], without[NOW]);
}
