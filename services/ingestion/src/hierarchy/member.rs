//! An account in a hierarchy, and what it comes to. Pure.

use std::collections::BTreeSet;

use sextant_domain::fact::FactKind;
use sextant_domain::id::ExternalId;
use sextant_domain::money::Currency;
use sextant_domain::mrr::{MetricPolicy, Mrr};
use sextant_domain::subscription::AccountBilling;
use sextant_domain::time::Instant;
use sextant_proto::common::v1::Money;
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::SubscriptionStatus;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_store::port::FactVersion;
use sextant_wire::read::account_ref;
use sextant_wire::record;
use sextant_wire::status::Problem;

use crate::fold::{self, Moment};

/// What counts, and how.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) moment: Moment,
    pub(super) base: Currency,
    pub(super) policy: MetricPolicy,
}

/// What accounts come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Totals {
    accounts: u32,
    users: BTreeSet<String>,
    subscriptions: u32,
    mrr: Mrr,
}

impl Totals {
    pub(super) fn add(&mut self, mut other: Self) {
        self.accounts = self.accounts.saturating_add(other.accounts);
        // The fewer into the more.
        if self.users.len() < other.users.len() {
            std::mem::swap(&mut self.users, &mut other.users);
        }
        self.users.append(&mut other.users);
        self.subscriptions = self.subscriptions.saturating_add(other.subscriptions);
        self.mrr = [self.mrr, other.mrr].into_iter().sum();
    }

    pub(super) fn told(&self, base: Currency) -> pb::AccountTotals {
        pb::AccountTotals {
            accounts: self.accounts,
            users: u32::try_from(self.users.len()).unwrap_or(u32::MAX),
            subscriptions: self.subscriptions,
            mrr: Some(Money {
                minor: i64::try_from(self.mrr.to_minor()).unwrap_or(i64::MAX),
                currency: base.code().to_owned(),
            }),
        }
    }
}

/// An account of which something was known at a moment.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: ExternalId,
    name: String,
    owner_id: String,
    /// The account that it belongs to.
    pub(super) parent: Option<ExternalId>,
    /// What it comes to alone.
    pub(super) totals: Totals,
    /// Own time of the newest fact in it.
    pub(super) watermark: Instant,
}

impl Member {
    /// What facts say of an account; `None` when nothing of it was known at the moment.
    ///
    /// # Errors
    /// A stored record is damaged.
    pub(super) fn of(
        id: &ExternalId,
        versions: &[FactVersion],
        terms: &Terms,
    ) -> Result<Option<Self>, Problem> {
        let Some(picture) = fold::picture(id, versions, terms.moment)? else {
            return Ok(None);
        };
        let paid = picture.subscriptions.iter().filter(|one| {
            let status = one.status();
            matches!(
                status,
                SubscriptionStatus::Active | SubscriptionStatus::PastDue
            )
        });
        let users = picture.users.iter().filter_map(|one| one.user.as_ref());
        let users = users.map(|user| user.id.clone());
        let totals = Totals {
            accounts: 1,
            subscriptions: u32::try_from(paid.count()).unwrap_or(u32::MAX),
            users: users.collect(),
            mrr: mrr(versions, terms)?,
        };
        let parent = ExternalId::parse(&picture.account.parent_account_id).ok();
        Ok(Some(Self {
            id: id.clone(),
            name: picture.account.name,
            owner_id: picture.account.owner_id,
            parent,
            totals,
            watermark: picture.watermark,
        }))
    }

    /// As it is told, without what it comes to.
    pub(super) fn node(&self, depth: u32) -> pb::HierarchyNode {
        let parent = self.parent.as_ref().map(ExternalId::as_str);
        pb::HierarchyNode {
            account: Some(account_ref(self.id.as_str())),
            name: self.name.clone(),
            owner_id: self.owner_id.clone(),
            parent_account_id: parent.unwrap_or_default().to_owned(),
            depth,
            totals: None,
        }
    }
}

/// Recurring revenue of an account in the tenant's base currency. What does not add up was refused at the door; should it be there all the
/// same, it counts nothing, as in all other answers.
fn mrr(versions: &[FactVersion], terms: &Terms) -> Result<Mrr, Problem> {
    let mut found = Vec::new();
    let told = versions
        .iter()
        .filter(|one| one.kind == FactKind::Subscription);
    for version in told {
        if let Some(Fact::Subscription(said)) = record::decode(&version.record)?.fact {
            let (at, known_at) = (version.occurred_at, version.known_at);
            found.push(record::subscription_version(
                &said, at, known_at, terms.base,
            )?);
        }
    }
    let Moment { as_of, known_at } = terms.moment;
    let billing = AccountBilling::new(found, &terms.policy);
    Ok(billing.map_or(Mrr::ZERO, |billing| billing.mrr_at(as_of, known_at)))
}
