use prost::Message;

use sextant_domain::id::AccountUid;
use sextant_proto::ingestion::v1::value::Kind;

use super::*;

/// Facts are written as (day it holds from, day it became known, fact); days count from 1970.
type Told = (i64, i64, Fact);

const DAY: i64 = sextant_domain::time::DAY_US;

fn version((at, known, fact): &Told) -> FactVersion {
    let kind = match fact {
        Fact::Account(_) => FactKind::Account,
        Fact::AccountUser(_) => FactKind::AccountUser,
        Fact::Subscription(_) => FactKind::Subscription,
        Fact::Payment(_) => FactKind::Payment,
        Fact::User(_) => FactKind::User,
        Fact::Event(_) => FactKind::Event,
        Fact::Invoice(_) => FactKind::Invoice,
        other => panic!("{other:?} is told of nobody here"),
    };
    let record = pb::Record {
        fact: Some(fact.clone()),
        ..pb::Record::default()
    };
    FactVersion {
        uid: AccountUid(1),
        kind,
        occurred_at: Instant(at * DAY),
        known_at: Instant(known * DAY),
        record: record.encode_to_vec(),
    }
}

fn seen(told: &[Told], as_of: i64, known_at: i64) -> Option<Picture> {
    let versions: Vec<_> = told.iter().map(version).collect();
    let id = ExternalId::parse("acme").unwrap();
    let moment = Moment {
        as_of: Instant(as_of * DAY),
        known_at: Instant(known_at * DAY),
    };
    let seen = picture(&id, &versions, moment).unwrap();
    let profile = profile(&id, &versions, moment).unwrap();
    assert_eq!(
        profile.map(|profile| profile.account),
        seen.as_ref().map(|seen| seen.account.clone())
    );
    seen
}

fn text(text: &str) -> pb::Value {
    pb::Value {
        kind: Some(Kind::Text(text.to_owned())),
    }
}

fn account(name: &str, traits: &[(&str, &str)], cleared: &[&str]) -> Fact {
    Fact::Account(pb::AccountFact {
        account_id: "acme".into(),
        name: name.into(),
        traits: traits
            .iter()
            .map(|(name, value)| ((*name).into(), text(value)))
            .collect(),
        cleared_traits: cleared.iter().map(|name| (*name).into()).collect(),
        ..pb::AccountFact::default()
    })
}

fn user(id: &str, left: bool, role: pb::AccountUserRole) -> Fact {
    Fact::AccountUser(pb::AccountUserFact {
        account_id: "acme".into(),
        user_id: id.into(),
        role: role.into(),
        left,
    })
}

fn subscription(id: &str, status: pb::SubscriptionStatus) -> Fact {
    Fact::Subscription(pb::SubscriptionFact {
        subscription_id: id.into(),
        status: status.into(),
        ..pb::SubscriptionFact::default()
    })
}

fn payment(id: &str, status: pb::PaymentStatus) -> Fact {
    Fact::Payment(pb::PaymentFact {
        payment_id: id.into(),
        status: status.into(),
        ..pb::PaymentFact::default()
    })
}

/// The traits of a picture as "name=value", sorted.
fn traits(picture: Option<Picture>) -> Vec<String> {
    let value = |value: &pb::Value| match &value.kind {
        Some(Kind::Text(text)) => text.clone(),
        other => format!("{other:?}"),
    };
    let account = picture.unwrap().account;
    account
        .traits
        .iter()
        .map(|(name, held)| format!("{name}={}", value(held)))
        .collect()
}

#[test]
fn traits_merge_and_a_cleared_one_holds_no_value() {
    let told = [
        (
            1,
            1,
            account("Acme", &[("industry", "steel"), ("country", "PL")], &[]),
        ),
        (5, 5, account("", &[("country", "DE")], &["industry"])),
        (9, 9, account("", &[("industry", "rail")], &["industry"])),
    ];
    for (as_of, expected) in [
        (1, vec!["country=PL", "industry=steel"]),
        (4, vec!["country=PL", "industry=steel"]),
        (5, vec!["country=DE"]),
        (9, vec!["country=DE"]), // Named in both: no value.
    ] {
        assert_eq!(
            traits(seen(&told, as_of, 99)),
            expected,
            "as of day {as_of}"
        );
    }
    assert_eq!(seen(&told, 9, 99).unwrap().account.name, "Acme");
}

#[test]
fn a_late_fact_changes_the_past_only_for_those_who_know_it() {
    let told = [
        (1, 1, account("Acme", &[("plan", "free")], &[])),
        (5, 20, account("", &[("plan", "gold")], &[])),
        (10, 10, account("", &[("plan", "silver")], &[])),
    ];
    for (as_of, known_at, expected) in [
        (7, 7, "plan=free"),
        (7, 19, "plan=free"),
        (7, 20, "plan=gold"),
        (12, 12, "plan=silver"),
        (12, 20, "plan=silver"),
    ] {
        assert_eq!(
            traits(seen(&told, as_of, known_at)),
            [expected],
            "as of day {as_of}, known on day {known_at}"
        );
    }
}

#[test]
fn of_two_facts_of_one_moment_the_one_known_later_holds_and_then_the_later_in_order() {
    let corrected = [
        (3, 9, account("right", &[], &[])),
        (3, 3, account("wrong", &[], &[])),
    ];
    assert_eq!(seen(&corrected, 3, 9).unwrap().account.name, "right");
    assert_eq!(seen(&corrected, 3, 8).unwrap().account.name, "wrong");
    let same_batch = [
        (3, 3, account("first", &[], &[])),
        (3, 3, account("second", &[], &[])),
    ];
    assert_eq!(seen(&same_batch, 3, 3).unwrap().account.name, "second");
}

#[test]
fn an_account_is_not_there_before_its_first_fact_nor_for_those_who_do_not_know_it() {
    let told = [
        (2, 4, account("Acme", &[], &[])),
        (1, 1, subscription("s", pb::SubscriptionStatus::Active)),
    ];
    assert!(seen(&told, 1, 99).is_none());
    assert!(seen(&told, 3, 3).is_none());
    let found = seen(&told, 2, 4).unwrap();
    assert_eq!(found.account.created_at, Some(timestamp(Instant(2 * DAY))));
    assert_eq!(found.watermark, Instant(2 * DAY));
}

#[test]
fn a_stated_start_overrides_the_first_time_heard_of() {
    let Fact::Account(mut stated) = account("Acme", &[], &[]) else {
        unreachable!()
    };
    stated.created_at = Some(timestamp(Instant(-7 * DAY)));
    let told = [
        (2, 2, account("Acme", &[], &[])),
        (3, 3, Fact::Account(stated)),
        (4, 4, account("New", &[], &[])),
    ];
    assert_eq!(
        seen(&told, 2, 9).unwrap().account.created_at,
        Some(timestamp(Instant(2 * DAY)))
    );
    assert_eq!(
        seen(&told, 4, 9).unwrap().account.created_at,
        Some(timestamp(Instant(-7 * DAY)))
    );
}

#[test]
fn a_leave_that_was_corrected_was_none() {
    let ann = |left| user("ann", left, pb::AccountUserRole::Member);
    let told = [
        (1, 1, account("Acme", &[], &[])),
        (1, 1, ann(false)),
        (5, 5, ann(true)),
        (5, 9, ann(false)),
    ];
    let joined = |known_at| {
        let users = seen(&told, 30, known_at).unwrap().users;
        let user = users.first()?;
        Some(user.joined_at.unwrap().seconds / 86_400)
    };
    assert_eq!([joined(7), joined(9)], [None, Some(1)]);
}

#[test]
fn users_join_change_role_leave_and_come_again() {
    use pb::AccountUserRole::{Admin, Member};
    let told = [
        (1, 1, account("Acme", &[], &[])),
        (1, 1, user("zoe", false, Member)),
        (2, 2, user("ann", false, Member)),
        (3, 3, user("ann", false, Admin)),
        (5, 5, user("ann", true, Member)),
        (8, 8, user("ann", false, Member)),
    ];
    let present = |as_of| {
        let users = seen(&told, as_of, 99).unwrap().users;
        let shown = |user: &pb::AccountUser| {
            let joined = user.joined_at.unwrap().seconds / 86_400;
            format!(
                "{} {:?} since {joined}",
                user.user.as_ref().unwrap().id,
                user.role()
            )
        };
        users.iter().map(shown).collect::<Vec<_>>()
    };
    assert_eq!(present(1), ["zoe Member since 1"]);
    assert_eq!(present(4), ["ann Admin since 2", "zoe Member since 1"]);
    assert_eq!(present(5), ["zoe Member since 1"]);
    assert_eq!(present(8), ["ann Member since 8", "zoe Member since 1"]);
}

#[test]
fn subscriptions_stand_as_their_newest_version_says() {
    use pb::SubscriptionStatus::{Active, Canceled, Trialing};
    let told = [
        (1, 1, account("Acme", &[], &[])),
        (1, 1, subscription("b", Trialing)),
        (4, 4, subscription("b", Active)),
        (6, 6, subscription("a", Active)),
        (9, 9, subscription("b", Canceled)),
    ];
    let standing = |as_of| {
        let found = seen(&told, as_of, 99).unwrap().subscriptions;
        found
            .iter()
            .map(|one| (one.subscription_id.clone(), one.status()))
            .collect::<Vec<_>>()
    };
    assert_eq!(standing(3), [("b".to_owned(), Trialing)]);
    assert_eq!(
        standing(7),
        [("a".to_owned(), Active), ("b".to_owned(), Active)]
    );
    assert_eq!(
        standing(9),
        [("a".to_owned(), Active), ("b".to_owned(), Canceled)]
    );
}

#[test]
fn the_newest_twenty_payments_are_shown_and_a_refund_does_not_make_one_newer() {
    let mut told = vec![(1, 1, account("Acme", &[], &[]))];
    told.extend((1..=25).map(|day| {
        (
            day,
            day,
            payment(&format!("p{day:02}"), pb::PaymentStatus::Succeeded),
        )
    }));
    told.push((26, 26, payment("p20", pb::PaymentStatus::Refunded)));
    told.push((27, 27, payment("p01", pb::PaymentStatus::Refunded)));
    let payments = seen(&told, 30, 30).unwrap().payments;
    let ids: Vec<&str> = payments
        .iter()
        .map(|payment| payment.payment_id.as_str())
        .collect();
    let expected: Vec<String> = (6..=25).rev().map(|day| format!("p{day:02}")).collect();
    assert_eq!(ids, expected);
    assert_eq!(payments[5].status(), pb::PaymentStatus::Refunded);
}

#[test]
fn a_damaged_record_is_an_error_and_not_an_absence() {
    let mut damaged = version(&(1, 1, account("Acme", &[], &[])));
    damaged.record = vec![0xff];
    let id = ExternalId::parse("acme").unwrap();
    let moment = Moment {
        as_of: Instant(9 * DAY),
        known_at: Instant(9 * DAY),
    };
    assert_eq!(
        picture(&id, &[damaged], moment).unwrap_err().reason_name(),
        "INTERNAL"
    );
}
