//! From revenue at the start of a window to revenue at its end, exactly.

use std::fmt;

use crate::mrr::{Movement, MovementKind, Mrr};
use crate::time::Instant;

/// A half-open span of time: from the first instant up to, not including, the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    from: Instant,
    to: Instant,
}

impl Window {
    /// From `from` up to `to`.
    ///
    /// # Errors
    /// `to` is earlier than `from`.
    pub fn new(from: Instant, to: Instant) -> Result<Self, WaterfallError> {
        if to < from {
            return Err(WaterfallError::WindowReversed { from, to });
        }
        Ok(Self { from, to })
    }

    /// The span between two instants, in either order.
    #[must_use]
    pub fn spanning(a: Instant, b: Instant) -> Self {
        Self {
            from: a.min(b),
            to: a.max(b),
        }
    }

    /// First instant inside.
    #[must_use]
    pub fn from(&self) -> Instant {
        self.from
    }

    /// First instant after it.
    #[must_use]
    pub fn to(&self) -> Instant {
        self.to
    }
}

/// How movements are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Granularity {
    /// Every change: 60 up and 60 down in one month are 60 of each.
    EventLedger,
    /// One movement per account and window, first against last state: 60 up and 60 down are nothing.
    PeriodNet,
}

impl Granularity {
    /// Stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EventLedger => "event_ledger",
            Self::PeriodNet => "period_net",
        }
    }
}

/// What moved in a window. Contraction and churn are stated as positive amounts; revaluation and restatement keep
/// their sign.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flows {
    /// First payments.
    pub new: Mrr,
    /// Returns.
    pub reactivation: Mrr,
    /// More from paying accounts.
    pub expansion: Mrr,
    /// Less from paying accounts.
    pub contraction: Mrr,
    /// Lost accounts.
    pub churn: Mrr,
    /// Exchange rates.
    pub fx_revaluation: Mrr,
    /// What was learned after the books had closed.
    pub restatement: Mrr,
}

impl Flows {
    /// All flows with their signs.
    #[must_use]
    pub fn net(&self) -> Mrr {
        let gained = self.new.0 + self.reactivation.0 + self.expansion.0;
        let lost = self.contraction.0 + self.churn.0;
        Mrr(gained - lost + self.fx_revaluation.0 + self.restatement.0)
    }

    /// True: nothing moved, not even up and down again.
    #[must_use]
    pub fn is_still(&self) -> bool {
        *self == Self::default()
    }

    fn add(&mut self, kind: MovementKind, delta: i128) {
        match kind {
            MovementKind::New => self.new.0 += delta,
            MovementKind::Reactivation => self.reactivation.0 += delta,
            MovementKind::Expansion => self.expansion.0 += delta,
            MovementKind::Contraction => self.contraction.0 -= delta,
            MovementKind::Churn => self.churn.0 -= delta,
            MovementKind::FxRevaluation => self.fx_revaluation.0 += delta,
            MovementKind::Restatement => self.restatement.0 += delta,
            // Both sides of a transfer net to zero; the waterfall checks that they do.
            MovementKind::Transfer => {},
        }
    }

    fn merge(&mut self, other: &Self) {
        self.new.0 += other.new.0;
        self.reactivation.0 += other.reactivation.0;
        self.expansion.0 += other.expansion.0;
        self.contraction.0 += other.contraction.0;
        self.churn.0 += other.churn.0;
        self.fx_revaluation.0 += other.fx_revaluation.0;
        self.restatement.0 += other.restatement.0;
    }
}

/// Why there is no waterfall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaterfallError {
    /// The window ends before it begins.
    WindowReversed {
        /// Its beginning.
        from: Instant,
        /// Its end.
        to: Instant,
    },
    /// Start and flows do not give the end.
    NotClosed {
        /// Revenue at the start.
        start: Mrr,
        /// All flows with their signs.
        net: Mrr,
        /// Revenue at the end.
        end: Mrr,
    },
    /// A movement contradicts itself: its delta is not after minus before, or has the wrong sign for its kind.
    MovementInconsistent {
        /// When it happened.
        at: Instant,
        /// Its kind.
        kind: MovementKind,
        /// Its delta.
        delta: Mrr,
    },
    /// One side of a transfer is missing.
    TransferUnbalanced {
        /// What the transfers in the window sum to.
        sum: Mrr,
    },
}

impl fmt::Display for WaterfallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WindowReversed { from, to } => write!(
                f,
                "window ends at {to}, before it begins at {from}; swap them"
            ),
            Self::NotClosed { start, net, end } => write!(
                f,
                "waterfall does not close: start {} and flows {} do not give end {}, all in 1/10000 minor units",
                start.0, net.0, end.0
            ),
            Self::MovementInconsistent { at, kind, delta } => write!(
                f,
                "movement {} at {at} contradicts itself: delta {} is not after minus before, or has the wrong sign",
                kind.as_str(),
                delta.0
            ),
            Self::TransferUnbalanced { sum } => {
                write!(
                    f,
                    "transfers in the window sum to {}, not to 0; give both accounts of each transfer",
                    sum.0
                )
            },
        }
    }
}

impl std::error::Error for WaterfallError {}

/// A waterfall that closes:
/// `end = start + new + reactivation + expansion − contraction − churn + fx_revaluation + restatement`, in integers.
/// There is no way to build one that does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waterfall {
    start: Mrr,
    flows: Flows,
    end: Mrr,
    granularity: Granularity,
}

impl Waterfall {
    /// Takes over amounts that were counted independently of one another.
    ///
    /// # Errors
    /// They do not close.
    pub fn new(
        start: Mrr,
        flows: Flows,
        end: Mrr,
        granularity: Granularity,
    ) -> Result<Self, WaterfallError> {
        let net = flows.net();
        if start.0 + net.0 != end.0 {
            return Err(WaterfallError::NotClosed { start, net, end });
        }
        Ok(Self {
            start,
            flows,
            end,
            granularity,
        })
    }

    /// The waterfall of any accounts' movements, in any order, as known at an instant: event ledger.
    ///
    /// # Errors
    /// A movement contradicts itself, or a transfer lacks its other side.
    pub fn of<'a>(
        movements: impl IntoIterator<Item = &'a Movement>,
        window: Window,
        known_at: Instant,
    ) -> Result<Self, WaterfallError> {
        let mut sums = Sums::default();
        for movement in movements {
            if movement.at < window.to && movement.is_known(known_at) {
                sums.add(movement, window)?;
            }
        }
        sums.close(Granularity::EventLedger)
    }

    /// The waterfall of accounts, each given by its movements, as known at an instant: period net.
    ///
    /// # Errors
    /// A movement contradicts itself, or a transfer lacks its other side.
    pub fn net<'a>(
        accounts: impl IntoIterator<Item = &'a [Movement]>,
        window: Window,
        known_at: Instant,
    ) -> Result<Self, WaterfallError> {
        let mut sums = Sums::default();
        for movements in accounts {
            let account = NetAccount::of(movements, window, known_at)?;
            sums.start.0 += account.start;
            sums.end.0 += account.end;
            sums.transferred.0 += account.transferred;
            sums.flows.merge(&account.flows());
        }
        sums.close(Granularity::PeriodNet)
    }

    /// Revenue at the start of the window.
    #[must_use]
    pub fn start(&self) -> Mrr {
        self.start
    }

    /// What moved.
    #[must_use]
    pub fn flows(&self) -> &Flows {
        &self.flows
    }

    /// Revenue at the end of the window.
    #[must_use]
    pub fn end(&self) -> Mrr {
        self.end
    }

    /// How movements were counted.
    #[must_use]
    pub fn granularity(&self) -> Granularity {
        self.granularity
    }
}

#[derive(Default)]
struct Sums {
    start: Mrr,
    flows: Flows,
    end: Mrr,
    transferred: Mrr,
}

impl Sums {
    fn add(&mut self, movement: &Movement, window: Window) -> Result<(), WaterfallError> {
        let delta = checked_delta(movement)?;
        self.end.0 += delta;
        if movement.at < window.from {
            self.start.0 += delta;
            return Ok(());
        }
        if movement.kind == MovementKind::Transfer {
            self.transferred.0 += delta;
        }
        self.flows.add(movement.kind, delta);
        Ok(())
    }

    fn close(self, granularity: Granularity) -> Result<Waterfall, WaterfallError> {
        if self.transferred.0 != 0 {
            return Err(WaterfallError::TransferUnbalanced {
                sum: self.transferred,
            });
        }
        Waterfall::new(self.start, self.flows, self.end, granularity)
    }
}

/// The change of one account over a window.
#[derive(Default)]
struct NetAccount {
    start: i128,
    end: i128,
    fx_revaluation: i128,
    restatement: i128,
    transferred: i128,
    paid_before: bool,
    /// The first gain from nothing inside the window.
    first_gain: Option<(Instant, MovementKind)>,
}

impl NetAccount {
    fn of(
        movements: &[Movement],
        window: Window,
        known_at: Instant,
    ) -> Result<Self, WaterfallError> {
        let mut account = Self::default();
        for movement in movements {
            if movement.at >= window.to || !movement.is_known(known_at) {
                continue;
            }
            let delta = checked_delta(movement)?;
            account.end += delta;
            if movement.at < window.from {
                account.start += delta;
                account.paid_before |= movement.after > Mrr::ZERO;
                continue;
            }
            match movement.kind {
                MovementKind::FxRevaluation => account.fx_revaluation += delta,
                MovementKind::Restatement => account.restatement += delta,
                MovementKind::Transfer => account.transferred += delta,
                MovementKind::New | MovementKind::Reactivation => {
                    let gain = (movement.at, movement.kind);
                    account.first_gain =
                        Some(account.first_gain.map_or(gain, |first| first.min(gain)));
                },
                MovementKind::Expansion | MovementKind::Contraction | MovementKind::Churn => {},
            }
        }
        Ok(account)
    }

    fn movement(&self) -> Option<(MovementKind, Mrr)> {
        // A rate changes what an account pays, not whether it does.
        let before = self.start + self.restatement + self.transferred;
        let delta = self.end - before - self.fx_revaluation;
        let kind = match (before > 0, self.end > 0) {
            _ if delta == 0 => return None,
            (false, true) if delta > 0 => match self.first_gain {
                Some((_, kind)) => kind,
                None if self.paid_before => MovementKind::Reactivation,
                None => MovementKind::New,
            },
            (true, false) if delta < 0 => MovementKind::Churn,
            _ if delta > 0 => MovementKind::Expansion,
            _ => MovementKind::Contraction,
        };
        Some((kind, Mrr(delta)))
    }

    fn flows(&self) -> Flows {
        let mut flows = Flows::default();
        flows.fx_revaluation.0 = self.fx_revaluation;
        flows.restatement.0 = self.restatement;
        if let Some((kind, delta)) = self.movement() {
            flows.add(kind, delta.0);
        }
        flows
    }
}

fn checked_delta(movement: &Movement) -> Result<i128, WaterfallError> {
    let delta = movement.delta.0;
    let consistent = movement.after.0 - movement.before.0 == delta;
    if consistent && movement.kind.allows(movement.delta) {
        return Ok(delta);
    }
    Err(WaterfallError::MovementInconsistent {
        at: movement.at,
        kind: movement.kind,
        delta: movement.delta,
    })
}
