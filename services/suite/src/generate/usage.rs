//! What users do in the product, hour by hour.

use std::collections::BTreeMap;

use sextant_domain::time::{DAY_US, Day, Instant};
use sextant_proto::ingestion::v1::{EventFact, Value, value::Kind};

use crate::generate::account::{Standing, user_id};
use crate::generate::calendar::{HOURS, MONTH_WEIGHT, activity, closes_quarter};
use crate::generate::draw::{Draw, cumulative, logistic, nearest};
use crate::generate::product::{FEATURES, KEYS, PAGES, SETUP_STEPS, mixture, reports};
use crate::generate::profile::Need;

/// Actions a month of an account with one seat, half-logistic usage and intensity 1. Chosen so that the default options
/// give about 1.3 million events, sessions included.
const ACTIONS_PER_MONTH: f64 = 22.2;
/// Actions that fill one session of a busy user.
const ACTIONS_PER_SESSION: u32 = 12;
/// Share of actions that are looks at a page and no use of a feature.
const PAGE_SHARE: f64 = 0.15;
/// Extra use of reports at the end of a quarter.
const QUARTER_END: f64 = 0.15;
/// Median length of a session, in minutes, and the standard deviation of its logarithm.
const SESSION_MINUTES: f64 = 6.0;
const SESSION_SIGMA: f64 = 0.8;
/// Probability that a new account stops at a step of the set-up.
const SETUP_STOP: f64 = 0.06;

/// What happened.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Deed {
    /// A session began; it lasts that many milliseconds.
    Session(i64),
    /// A product feature was used.
    Feature(usize),
    /// A page was looked at.
    Page(&'static str),
    /// A step of the set-up was completed.
    Step(&'static str),
}

/// Something a user did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Action {
    pub(crate) at: Instant,
    /// Place of the user in the account.
    user: u32,
    deed: Deed,
}

impl Action {
    /// As the product reports it.
    pub(crate) fn event(self, account: u32, account_id: String) -> EventFact {
        let mut event = EventFact {
            account_id,
            user_id: user_id(account, self.user),
            quantity: 1,
            ..EventFact::default()
        };
        let (kind, data) = match self.deed {
            Deed::Session(duration_ms) => {
                event.duration_ms = duration_ms;
                ("session.start", None)
            },
            Deed::Feature(feature) => {
                KEYS[feature].clone_into(&mut event.feature_key);
                ("feature.used", None)
            },
            Deed::Page(path) => ("page", Some(("path", path))),
            Deed::Step(step) => ("setup.step_completed", Some(("step", step))),
        };
        kind.clone_into(&mut event.r#type);
        if let Some((name, value)) = data {
            event.data = BTreeMap::from([(name.to_owned(), text(value))]);
        }
        event
    }
}

/// A text as a value.
pub(crate) fn text(value: &str) -> Value {
    Value {
        kind: Some(Kind::Text(value.to_owned())),
    }
}

/// How the users of one account work.
#[derive(Debug)]
pub(crate) struct Habits {
    intensity: f64,
    features: [f64; FEATURES],
    hours: [f64; 24],
    /// Extra use of reports on the day being drawn.
    reporting: f64,
    draw: Draw,
}

impl Habits {
    pub(crate) fn new(need: Need, intensity: f64, mut draw: Draw) -> Self {
        Self {
            intensity,
            features: mixture(need, &mut draw),
            hours: cumulative(HOURS),
            reporting: 0.0,
            draw,
        }
    }

    /// Adds the actions of a day that begins at `midnight`: negative binomial for each user with dispersion 2, users
    /// weighted by Zipf's law with exponent 1.
    pub(crate) fn act(
        &mut self,
        day: Day,
        midnight: Instant,
        standing: &Standing,
        actions: &mut Vec<Action>,
    ) {
        self.reporting = if closes_quarter(day) {
            QUARTER_END
        } else {
            0.0
        };
        if standing.once {
            let count = 1 + self.draw.below(4);
            self.session(standing.since, (0, count), actions);
            return;
        }
        let size = f64::from(standing.seats).powf(0.85);
        let level = logistic(0.9 * standing.usage - 0.2);
        let month = size * level * self.intensity * ACTIONS_PER_MONTH;
        let weights: f64 = (1..=standing.seats)
            .map(|place| 1.0 / f64::from(place))
            .sum();
        let first = month * activity(day) / MONTH_WEIGHT / weights;
        for user in 0..standing.seats {
            let count = self.draw.negative_binomial(first / (f64::from(user) + 1.0));
            if count == 0 {
                continue;
            }
            let sessions = count.div_ceil(ACTIONS_PER_SESSION);
            for session in 0..sessions {
                let share = count / sessions + u32::from(session < count % sessions);
                let at = midnight.plus_us(self.time_of_day_us());
                self.session(at, (user, share), actions);
            }
        }
        actions.retain(|action| action.at >= standing.since);
    }

    /// A session of one user with that many actions.
    fn session(&mut self, starts: Instant, (user, count): (u32, u32), actions: &mut Vec<Action>) {
        let length_ms = SESSION_MINUTES * 60_000.0 * (SESSION_SIGMA * self.draw.normal()).exp();
        actions.push(Action {
            at: starts,
            user,
            deed: Deed::Session(nearest(length_ms)),
        });
        for _ in 0..count {
            let at = starts.plus_us(nearest(length_ms * self.draw.unit()) * 1_000);
            if self.draw.chance(PAGE_SHARE) {
                actions.push(Action {
                    at,
                    user,
                    deed: Deed::Page(self.draw.pick(&PAGES)),
                });
                continue;
            }
            let feature = self.draw.index(&self.features);
            let used = Action {
                at,
                user,
                deed: Deed::Feature(feature),
            };
            actions.push(used);
            if reports(feature) && self.draw.chance(self.reporting) {
                actions.push(used);
            }
        }
    }

    /// Steps of the set-up from the moment at which the account joins: the better the fit, the sooner and the further.
    pub(crate) fn set_up(&mut self, fit: f64, joined: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut at = joined;
        for step in SETUP_STEPS {
            if self.draw.chance(SETUP_STOP * (-0.5 * fit).exp()) {
                break;
            }
            let days = i64::from(self.draw.poisson(1.5 * (-0.4 * fit).exp()));
            let minutes = nearest(self.draw.between(5.0, 90.0));
            at = at.plus_us(days * DAY_US + minutes * 60_000_000);
            actions.push(Action {
                at,
                user: 0,
                deed: Deed::Step(step),
            });
        }
        actions
    }

    fn time_of_day_us(&mut self) -> i64 {
        let hour = i64::try_from(self.draw.index(&self.hours)).unwrap_or(0);
        (hour * 3_600_000 + nearest(self.draw.between(0.0, 3_599_999.0))) * 1_000
    }
}
