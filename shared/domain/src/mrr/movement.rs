//! A change of an account's recurring revenue, as the books record it.

use crate::mrr::Mrr;
use crate::time::Instant;

/// Kind of a movement, from the account's revenue before (P) and after (N).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MovementKind {
    /// P = 0, N > 0, never paid before.
    New,
    /// N > P > 0.
    Expansion,
    /// 0 < N < P.
    Contraction,
    /// P > 0, N = 0.
    Churn,
    /// P = 0, N > 0, paid before.
    Reactivation,
    /// The locked exchange rate of an unchanged price was set anew.
    FxRevaluation,
    /// Something learned after the books of its month had closed, entered in the month in which it was learned.
    Restatement,
    /// Revenue that moved between accounts; comes in pairs that net to zero.
    Transfer,
}

impl MovementKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::New,
        Self::Expansion,
        Self::Contraction,
        Self::Churn,
        Self::Reactivation,
        Self::FxRevaluation,
        Self::Restatement,
        Self::Transfer,
    ];

    /// Stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Expansion => "EXPANSION",
            Self::Contraction => "CONTRACTION",
            Self::Churn => "CHURN",
            Self::Reactivation => "REACTIVATION",
            Self::FxRevaluation => "FX_REVALUATION",
            Self::Restatement => "RESTATEMENT",
            Self::Transfer => "TRANSFER",
        }
    }

    /// Reads the stable name; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether a movement of this kind may have this sign.
    #[must_use]
    pub fn allows(self, delta: Mrr) -> bool {
        match self {
            Self::New | Self::Expansion | Self::Reactivation => delta > Mrr::ZERO,
            Self::Contraction | Self::Churn => delta < Mrr::ZERO,
            Self::FxRevaluation | Self::Restatement | Self::Transfer => true,
        }
    }
}

/// Why revenue moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Quantity of a plan.
    Seats,
    /// A recurring service.
    Services,
    /// A plan of higher rank.
    PlanUpgrade,
    /// An integration.
    Integration,
    /// A further product or a second subscription.
    ExtraProduct,
    /// A plan of lower rank.
    PlanDowngrade,
    /// Another price for the same thing.
    Price,
    /// A discount was given, changed or taken back.
    Discount,
    /// A finite coupon ran out.
    DiscountExpiry,
    /// Measured use.
    Usage,
    /// Exchange rate.
    Fx,
    /// A pause began.
    Pause,
    /// A pause ended.
    Resume,
    /// The account ended a subscription.
    CancelVoluntary,
    /// A payment failed for good.
    CancelInvoluntary,
    /// From paid to free of charge.
    ToFree,
    /// Accounts were merged.
    Merge,
    /// Learned after the books had closed.
    LateData,
}

impl Cause {
    /// All causes.
    pub const ALL: [Self; 18] = [
        Self::Seats,
        Self::Services,
        Self::PlanUpgrade,
        Self::Integration,
        Self::ExtraProduct,
        Self::PlanDowngrade,
        Self::Price,
        Self::Discount,
        Self::DiscountExpiry,
        Self::Usage,
        Self::Fx,
        Self::Pause,
        Self::Resume,
        Self::CancelVoluntary,
        Self::CancelInvoluntary,
        Self::ToFree,
        Self::Merge,
        Self::LateData,
    ];

    /// Stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seats => "SEATS",
            Self::Services => "SERVICES",
            Self::PlanUpgrade => "PLAN_UPGRADE",
            Self::Integration => "INTEGRATION",
            Self::ExtraProduct => "EXTRA_PRODUCT",
            Self::PlanDowngrade => "PLAN_DOWNGRADE",
            Self::Price => "PRICE",
            Self::Discount => "DISCOUNT",
            Self::DiscountExpiry => "DISCOUNT_EXPIRY",
            Self::Usage => "USAGE",
            Self::Fx => "FX",
            Self::Pause => "PAUSE",
            Self::Resume => "RESUME",
            Self::CancelVoluntary => "CANCEL_VOLUNTARY",
            Self::CancelInvoluntary => "CANCEL_INVOLUNTARY",
            Self::ToFree => "TO_FREE",
            Self::Merge => "MERGE",
            Self::LateData => "LATE_DATA",
        }
    }

    /// Reads the stable name; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == text)
    }
}

/// The share of one cause in an expansion or contraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CausePart {
    /// Why.
    pub cause: Cause,
    /// How much; may point against the movement, as when seats are added at a lower price.
    pub delta: Mrr,
}

/// One movement of one account. It counts for readers who know at least up to [`Self::known_at`] and, if it was
/// superseded, not up to [`Self::superseded_at`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// When the revenue changed; for a restatement, when it became known.
    pub at: Instant,
    /// When this became known.
    pub known_at: Instant,
    /// When something learned while the month was open replaced this; absent while it stands.
    pub superseded_at: Option<Instant>,
    /// Kind.
    pub kind: MovementKind,
    /// `after − before`.
    pub delta: Mrr,
    /// The account's revenue before.
    pub before: Mrr,
    /// The account's revenue after.
    pub after: Mrr,
    /// The heaviest cause; absent for a first payment and for a return from anything but a pause.
    pub cause: Option<Cause>,
    /// All causes of an expansion or contraction, their deltas summing to `delta`; empty for other kinds.
    pub parts: Box<[CausePart]>,
    /// Whole days without revenue before a reactivation.
    pub days_away: Option<u32>,
    /// When the cancellation behind a churn was asked for.
    pub cancel_notice_at: Option<Instant>,
    /// Version of the policy that classified it.
    pub policy_version: u32,
}

impl Movement {
    /// A movement without cause from one amount to another.
    #[must_use]
    pub fn new(kind: MovementKind, at: Instant, before: Mrr, after: Mrr) -> Self {
        Self {
            at,
            known_at: at,
            superseded_at: None,
            kind,
            delta: Mrr(after.0 - before.0),
            before,
            after,
            cause: None,
            parts: Box::default(),
            days_away: None,
            cancel_notice_at: None,
            policy_version: 0,
        }
    }

    /// The two sides of revenue moving from one account to another, as when accounts are merged: first what leaves,
    /// then what arrives on top of `arriving_before`. Together they net to zero.
    #[must_use]
    pub fn transfer(at: Instant, moved: Mrr, arriving_before: Mrr) -> [Self; 2] {
        let after = Mrr(arriving_before.0 + moved.0);
        let leaves = Self::new(MovementKind::Transfer, at, moved, Mrr::ZERO);
        let arrives = Self::new(MovementKind::Transfer, at, arriving_before, after);
        [leaves, arrives].map(|side| Self {
            cause: Some(Cause::Merge),
            ..side
        })
    }

    /// Whether readers who know everything up to `known_at` see this movement.
    #[must_use]
    pub fn is_known(&self, known_at: Instant) -> bool {
        self.known_at <= known_at
            && self
                .superseded_at
                .is_none_or(|superseded_at| known_at < superseded_at)
    }

    /// Whether a churn was the account's decision; absent for other kinds and for pauses.
    #[must_use]
    pub fn voluntary(&self) -> Option<bool> {
        match (self.kind, self.cause) {
            (MovementKind::Churn, Some(Cause::CancelVoluntary | Cause::ToFree)) => Some(true),
            (MovementKind::Churn, Some(Cause::CancelInvoluntary)) => Some(false),
            _ => None,
        }
    }

    /// Whether two movements say the same, whenever that became known.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        let timeless =
            |movement: &Self| (movement.at, movement.kind, movement.before, movement.after);
        timeless(self) == timeless(other)
            && self.cause == other.cause
            && self.parts == other.parts
            && self.days_away == other.days_away
            && self.cancel_notice_at == other.cancel_notice_at
    }
}
