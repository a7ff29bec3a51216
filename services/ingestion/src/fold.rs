//! What an account's facts say of it at a moment, with the knowledge of a moment. Pure.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use sextant_domain::fact::FactKind;
use sextant_domain::id::{AccountUid, ExternalId};
use sextant_domain::time::Instant;
use sextant_proto::common::v1::{EntityKind, EntityRef};
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_store::port::FactVersion;
use sextant_wire::read::account_ref;
use sextant_wire::record;
use sextant_wire::status::Problem;
use sextant_wire::time::timestamp;

/// Ids of one account in other systems, in an answer.
const MAX_EXTERNAL_IDS: usize = 100;
/// Payments of one account in an answer.
const MAX_PAYMENTS: usize = 20;

/// Which facts count: those that hold at `as_of` and were known at `known_at`, both included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) as_of: Instant,
    pub(crate) known_at: Instant,
}

/// An account's profile at a moment.
#[derive(Debug, PartialEq)]
pub(crate) struct Profile {
    pub(crate) account: pb::Account,
    /// Own time of the newest fact in it.
    pub(crate) watermark: Instant,
}

/// All that is shown of an account at a moment.
#[derive(Debug, PartialEq)]
pub(crate) struct Picture {
    pub(crate) account: pb::Account,
    /// By id.
    pub(crate) users: Vec<pb::AccountUser>,
    /// As they stand, by id.
    pub(crate) subscriptions: Vec<pb::SubscriptionFact>,
    /// Newest first.
    pub(crate) payments: Vec<pb::PaymentFact>,
    /// By trait.
    pub(crate) trait_provenance: BTreeMap<String, pb::TraitProvenance>,
    /// Own time of the newest fact in it.
    pub(crate) watermark: Instant,
}

/// A fact that counts.
struct Visible {
    at: Instant,
    /// Who said it.
    source: String,
    fact: Fact,
}

/// The profile of an account; `None` when nothing of it was known at the moment.
///
/// # Errors
/// A stored record is damaged.
pub(crate) fn profile(
    id: &ExternalId,
    versions: &[FactVersion],
    moment: Moment,
) -> Result<Option<Profile>, Problem> {
    let visible = visible(versions, moment, |kind| kind == FactKind::Account)?;
    let watermark = visible.last().map(|newest| newest.at);
    Ok(merge(id, &visible)
        .zip(watermark)
        .map(|(account, watermark)| Profile { account, watermark }))
}

/// The picture of an account; `None` when nothing of it was known at the moment.
///
/// # Errors
/// A stored record is damaged.
pub(crate) fn picture(
    id: &ExternalId,
    versions: &[FactVersion],
    moment: Moment,
) -> Result<Option<Picture>, Problem> {
    let visible = visible(versions, moment, is_shown)?;
    let Some(account) = merge(id, &visible) else {
        return Ok(None);
    };
    let Some(watermark) = visible.last().map(|newest| newest.at) else {
        return Ok(None);
    };
    Ok(Some(Picture {
        account,
        users: users(&visible),
        subscriptions: subscriptions(&visible),
        payments: standings(&visible, payment)
            .into_iter()
            .take(MAX_PAYMENTS)
            .map(|one| one.state)
            .collect(),
        trait_provenance: trait_provenance(&visible),
        watermark,
    }))
}

/// Whether a source has said something of an account that counts.
///
/// # Errors
/// A stored record is damaged.
pub(crate) fn is_told_by(
    source: &str,
    versions: &[FactVersion],
    moment: Moment,
) -> Result<bool, Problem> {
    for version in versions.iter().filter(|one| counts(one, moment)) {
        if record::decode(&version.record)?.source == source {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The versions of one account, among those of several by uid.
pub(crate) fn of_account(uid: AccountUid, versions: &[FactVersion]) -> &[FactVersion] {
    let from = versions.partition_point(|version| version.uid < uid);
    let to = versions.partition_point(|version| version.uid <= uid);
    &versions[from..to]
}

fn counts(version: &FactVersion, moment: Moment) -> bool {
    version.occurred_at <= moment.as_of && version.known_at <= moment.known_at
}

fn is_shown(kind: FactKind) -> bool {
    matches!(
        kind,
        FactKind::Account | FactKind::AccountUser | FactKind::Subscription | FactKind::Payment
    )
}

/// The facts that count, by (time, knowledge): a later one overrides what an earlier one says. Facts of one time and
/// knowledge stay in the order of `versions`.
fn visible(
    versions: &[FactVersion],
    moment: Moment,
    wanted: impl Fn(FactKind) -> bool,
) -> Result<Vec<Visible>, Problem> {
    let mut chosen: Vec<&FactVersion> = versions
        .iter()
        .filter(|version| wanted(version.kind) && counts(version, moment))
        .collect();
    chosen.sort_by_key(|version| (version.occurred_at, version.known_at));
    let mut facts = Vec::with_capacity(chosen.len());
    for version in chosen {
        let record = record::decode(&version.record)?;
        if let Some(fact) = record.fact {
            facts.push(Visible {
                at: version.occurred_at,
                source: record.source,
                fact,
            });
        }
    }
    Ok(facts)
}

/// Account facts merged: each changes what it names and leaves the rest.
fn merge(id: &ExternalId, visible: &[Visible]) -> Option<pb::Account> {
    let mut account: Option<pb::Account> = None;
    for one in visible {
        let Fact::Account(fact) = &one.fact else {
            continue;
        };
        let account = account.get_or_insert_with(|| pb::Account {
            r#ref: Some(account_ref(id.as_str())),
            created_at: Some(timestamp(one.at)),
            ..pb::Account::default()
        });
        override_text(&mut account.name, &fact.name);
        override_text(&mut account.owner_id, &fact.owner_id);
        override_text(&mut account.parent_account_id, &fact.parent_account_id);
        override_text(&mut account.domain, &fact.domain);
        if fact.created_at.is_some() {
            account.created_at = fact.created_at;
        }
        account.traits.extend(
            fact.traits
                .iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        // A trait that is named in both has no value.
        for name in &fact.cleared_traits {
            account.traits.remove(name);
        }
    }
    if let Some(account) = &mut account {
        account.external_ids = external_ids(visible);
    }
    account
}

/// What other systems call an account, by system and id: of very many those that were said last.
fn external_ids(visible: &[Visible]) -> Vec<pb::ExternalId> {
    let mut ids = BTreeMap::new();
    let newest_first = visible.iter().rev().filter_map(|one| match &one.fact {
        Fact::Account(fact) => Some(&fact.external_ids),
        _ => None,
    });
    for one in newest_first.flatten() {
        if ids.len() == MAX_EXTERNAL_IDS {
            break;
        }
        ids.insert((&one.system, &one.id), one);
    }
    ids.into_values().cloned().collect()
}

/// Where the traits that an account has come from. A source that says again what is known changes nothing.
fn trait_provenance(visible: &[Visible]) -> BTreeMap<String, pb::TraitProvenance> {
    let mut known: BTreeMap<&str, (&pb::Value, pb::TraitProvenance)> = BTreeMap::new();
    for one in visible {
        let Fact::Account(fact) = &one.fact else {
            continue;
        };
        for (name, value) in &fact.traits {
            let is_known = known
                .get(name.as_str())
                .is_some_and(|(held, _)| *held == value);
            if !is_known {
                let provenance = pb::TraitProvenance {
                    source: one.source.clone(),
                    origin: fact.origin,
                    since: Some(timestamp(one.at)),
                };
                known.insert(name, (value, provenance));
            }
        }
        for name in &fact.cleared_traits {
            known.remove(name.as_str());
        }
    }
    known
        .into_iter()
        .map(|(name, (_, provenance))| (name.to_owned(), provenance))
        .collect()
}

fn override_text(text: &mut String, with: &str) {
    if !with.is_empty() {
        with.clone_into(text);
    }
}

/// Who is in the account: a user who left and came again joined when they came again. Of what is said of a user at one time the
/// last word counts.
fn users(visible: &[Visible]) -> Vec<pb::AccountUser> {
    let mut words = BTreeMap::new();
    for one in visible {
        if let Fact::AccountUser(fact) = &one.fact {
            words.insert((one.at, fact.user_id.as_str()), fact);
        }
    }
    let mut present: BTreeMap<&str, pb::AccountUser> = BTreeMap::new();
    for ((at, _), fact) in words {
        if fact.left {
            present.remove(fact.user_id.as_str());
            continue;
        }
        let user = present
            .entry(&fact.user_id)
            .or_insert_with(|| pb::AccountUser {
                user: Some(EntityRef {
                    kind: EntityKind::User.into(),
                    id: fact.user_id.clone(),
                }),
                role: fact.role,
                joined_at: Some(timestamp(at)),
            });
        user.role = fact.role;
    }
    present.into_values().collect()
}

fn subscriptions(visible: &[Visible]) -> Vec<pb::SubscriptionFact> {
    let mut newest: BTreeMap<&str, &pb::SubscriptionFact> = BTreeMap::new();
    for one in visible {
        if let Fact::Subscription(fact) = &one.fact {
            newest.insert(&fact.subscription_id, fact);
        }
    }
    newest.into_values().cloned().collect()
}

/// Something of an account that has a state, such as an invoice.
#[derive(Debug, PartialEq)]
pub(crate) struct Standing<T> {
    /// The tenant's id of it.
    pub(crate) id: String,
    /// Time of its first state.
    pub(crate) first_at: Instant,
    /// From when its latest state holds.
    pub(crate) since: Instant,
    /// That state.
    pub(crate) state: T,
}

/// An account's invoices, newest first.
///
/// # Errors
/// A stored record is damaged.
pub(crate) fn invoices(
    versions: &[FactVersion],
    moment: Moment,
) -> Result<Vec<Standing<pb::InvoiceFact>>, Problem> {
    let visible = visible(versions, moment, |kind| kind == FactKind::Invoice)?;
    Ok(standings(&visible, |fact| match fact {
        Fact::Invoice(fact) => Some((fact.invoice_id.as_str(), fact)),
        _ => None,
    }))
}

/// An account's payments, newest first.
///
/// # Errors
/// A stored record is damaged.
pub(crate) fn payments(
    versions: &[FactVersion],
    moment: Moment,
) -> Result<Vec<Standing<pb::PaymentFact>>, Problem> {
    let visible = visible(versions, moment, |kind| kind == FactKind::Payment)?;
    Ok(standings(&visible, payment))
}

fn payment(fact: &Fact) -> Option<(&str, &pb::PaymentFact)> {
    match fact {
        Fact::Payment(fact) => Some((&fact.payment_id, fact)),
        _ => None,
    }
}

/// The latest state of each thing, the newest thing first, by the moment at which each was first heard of: a refund does not
/// make an old payment a new one.
fn standings<T: Clone>(
    visible: &[Visible],
    named: impl Fn(&Fact) -> Option<(&str, &T)>,
) -> Vec<Standing<T>> {
    let mut newest: BTreeMap<&str, (Instant, Instant, &T)> = BTreeMap::new();
    for one in visible {
        if let Some((id, state)) = named(&one.fact) {
            newest
                .entry(id)
                .and_modify(|(_, since, latest)| (*since, *latest) = (one.at, state))
                .or_insert((one.at, one.at, state));
        }
    }
    let mut standings: Vec<Standing<T>> = newest
        .into_iter()
        .map(|(id, (first_at, since, state))| Standing {
            id: id.to_owned(),
            first_at,
            since,
            state: state.clone(),
        })
        .collect();
    standings.sort_by_key(|one| Reverse(one.first_at));
    standings
}

#[cfg(test)]
mod tests;
