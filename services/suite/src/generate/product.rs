//! The product that is sold: forty features in five groups, one group for each need that accounts have.

use crate::generate::draw::Draw;
use crate::generate::profile::Need;

#[cfg(test)]
mod tests;

/// Number of product features.
pub(crate) const FEATURES: usize = 40;
const GROUP: usize = 8;
/// Exponent of the Zipf law of feature use.
const ZIPF: f64 = 1.1;
/// Share of an account's use that its main need decides; other needs and general use share the rest.
const MAIN_NEED: f64 = 0.65;

/// Keys of the features, eight for each need in the order of [`Need::ALL`].
pub(crate) const KEYS: [&str; FEATURES] = [
    "report.dashboard",
    "report.export",
    "report.schedule",
    "report.funnel",
    "report.cohort",
    "report.custom",
    "report.share",
    "report.forecast",
    "automate.rule",
    "automate.trigger",
    "automate.template",
    "automate.bulk_edit",
    "automate.schedule",
    "automate.webhook",
    "automate.approval",
    "automate.script",
    "collaborate.comment",
    "collaborate.mention",
    "collaborate.board",
    "collaborate.document",
    "collaborate.review",
    "collaborate.guest",
    "collaborate.poll",
    "collaborate.chat",
    "connect.api",
    "connect.crm",
    "connect.calendar",
    "connect.email",
    "connect.warehouse",
    "connect.import",
    "connect.sync",
    "connect.marketplace",
    "govern.roles",
    "govern.audit_log",
    "govern.sso",
    "govern.retention",
    "govern.backup",
    "govern.policy",
    "govern.region",
    "govern.encryption",
];

/// Steps of setting the product up, in order.
pub(crate) const SETUP_STEPS: [&str; 5] = [
    "create_workspace",
    "import_data",
    "invite_team",
    "connect_system",
    "first_report",
];

/// Pages that users look at.
pub(crate) const PAGES: [&str; 6] = [
    "/home",
    "/search",
    "/settings",
    "/help",
    "/plans",
    "/notifications",
];

/// Whether a feature makes reports, which are used more at the end of a quarter.
pub(crate) fn reports(feature: usize) -> bool {
    feature < GROUP
}

/// Cumulative use of the features by one account: Zipf laws whose top ranks go to the features of a need, mixed by how
/// much the account has of each need.
pub(crate) fn mixture(need: Need, draw: &mut Draw) -> [f64; FEATURES] {
    let mut strengths = Need::ALL.map(|_| -(1.0 - draw.unit()).ln());
    let total: f64 = strengths.iter().sum();
    for (strength, other) in strengths.iter_mut().zip(Need::ALL) {
        *strength *= (1.0 - MAIN_NEED) / total;
        if other == need {
            *strength += MAIN_NEED;
        }
    }
    let mut weights = [0.0; FEATURES];
    for (group, strength) in strengths.into_iter().enumerate() {
        for (feature, weight) in weights.iter_mut().enumerate() {
            *weight += strength * f64::from(rank(group, feature)).powf(-ZIPF);
        }
    }
    crate::generate::draw::cumulative(weights)
}

/// Rank, from 1, of a feature for accounts with one need: the need's own features first, then the others, taken in turn
/// from each group.
fn rank(group: usize, feature: usize) -> u32 {
    let (its_group, place) = (feature / GROUP, feature % GROUP);
    let rank = if its_group == group {
        place
    } else {
        let turn = (its_group + Need::ALL.len() - group) % Need::ALL.len() - 1;
        GROUP + place * (Need::ALL.len() - 1) + turn
    };
    u32::try_from(rank + 1).unwrap_or(u32::MAX)
}
