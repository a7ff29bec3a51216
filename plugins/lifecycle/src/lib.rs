//! Built-in segmenter `sextant.lifecycle`: the stage of an account between first contact and return after churn.
//!
//! The status of the subscription decides most stages. Among active subscriptions, time and usage decide:
//!
//! - *Won back* from the first close after a churn, for `won_back_days` paying days; then adopting.
//! - *Onboarding* below `onboarding_days` paying days, unless the account was further already (a return from churn or
//!   pause does not start over).
//! - *Established* from `established_after_days` paying days on (by default 30 days of onboarding and three months), if
//!   usage is healthy at that moment: at least `established_min_active_days` active days in the last 28. Where usage is
//!   unknown, time alone decides. An established account stays so while its subscription is active; weak usage is a
//!   matter of health, not of stage.
//! - *Adopting* in between.
//!
//! A *paused* account that paid counts as churned from `paused_churn_days` days on (90, as logo churn counts it), not before.
//!
//! An active subscription that does not pay (a free plan) is a prospect. After a failed payment, a pause or a scheduled
//! cancellation is over, the same rules give the stage again. The previous stage is the one at the last day close;
//! where it alone holds an account where it is, the reasons say so. There are no margins.

mod lifecycle;
mod stage;

pub use lifecycle::{Account, Lifecycle};
pub use stage::{ChurnKind, Facts, Policy, Stage, Status};

sextant_segmenter::export_segmenter!(Lifecycle);
