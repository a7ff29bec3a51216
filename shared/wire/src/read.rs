//! What every read is asked with and answered with.

use sextant_domain::id::{AccountUid, ExternalId, ExternalIdError, TenantId};
use sextant_domain::position::{self, Position};
use sextant_domain::time::{Day, Instant};
use sextant_proto::common::v1::{
    EntityKind, EntityRef, ErrorReason, Freshness, FreshnessState, ReadAt,
};

use crate::status::Problem;
use crate::time;

/// How far the clocks of two machines may differ: what one of them answered can be asked of the other at once.
const CLOCKS_DIFFER_US: i64 = 1_000_000;

/// At which moment and with which knowledge a read is answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Moment {
    /// The moment that the answer is about; `None`: the tenant's evaluation clock.
    pub as_of: Option<Instant>,
    /// Only what was known then counts; `None`: all that is known.
    pub known_at: Option<Instant>,
    /// The answer must know at least this.
    pub floor: Position,
    /// Oldest data that the caller takes, in milliseconds; `None`: any.
    pub max_age_ms: Option<i64>,
}

impl Moment {
    /// True for a read of the present with all knowledge.
    #[must_use]
    pub fn is_now(&self) -> bool {
        self.as_of.is_none() && self.known_at.is_none()
    }

    /// The later of the moment and the knowledge that the caller names.
    #[must_use]
    pub fn latest(&self) -> Option<Instant> {
        self.as_of.max(self.known_at)
    }

    /// The same read where the tenant's evaluation clock has reached `clock`. Of what the clock has not reached nothing can be
    /// said, and what will be known then is not known yet; a moment that is ahead by no more than clocks differ is the clock's.
    ///
    /// # Errors
    /// FIELD_INVALID where the moment or the knowledge is one that the clock has not reached.
    pub fn reached_by(self, clock: Instant) -> Result<Self, Problem> {
        Ok(Self {
            as_of: reached(self.as_of, "at.as_of", clock)?,
            known_at: reached(self.known_at, "at.known_at", clock)?,
            ..self
        })
    }
}

/// A moment that a field names where the tenant's evaluation clock has reached `clock`, as in [`Moment::reached_by`].
///
/// # Errors
/// FIELD_INVALID where the clock has not reached it.
pub fn reached(
    named: Option<Instant>,
    field: &str,
    clock: Instant,
) -> Result<Option<Instant>, Problem> {
    match named {
        Some(at) if at > clock.plus_us(CLOCKS_DIFFER_US) => Err(Problem::field(
            ErrorReason::FieldInvalid,
            field,
            format!(
                "{at} is ahead of the tenant's clock, which has reached {clock}; name a moment up to that one, leave the \
                 field out, or advance a clock that stands still and name the position of that answer in at.at_least_position"
            ),
        )),
        named => Ok(named.map(|at| at.min(clock))),
    }
}

/// Reads a `ReadAt`.
///
/// # Errors
/// An instant out of range, a negative age, or a position that is not this tenant's.
pub fn moment(at: Option<&ReadAt>, tenant: TenantId) -> Result<Moment, Problem> {
    let Some(at) = at else {
        return Ok(Moment::default());
    };
    let floor = position(&at.at_least_position, tenant).map_err(|problem| Problem {
        field: "at.at_least_position".into(),
        ..problem
    })?;
    let max_age_ms = match at.require_fresh_within_ms {
        0 => None,
        age if age > 0 => Some(age),
        _ => {
            return Err(Problem::field(
                ErrorReason::FieldInvalid,
                "at.require_fresh_within_ms",
                "must not be negative",
            ));
        },
    };
    Ok(Moment {
        as_of: time::optional(at.as_of.as_ref(), "at.as_of")?,
        known_at: time::optional(at.known_at.as_ref(), "at.known_at")?,
        floor,
        max_age_ms,
    })
}

/// Reads a position; an empty text is the beginning.
///
/// # Errors
/// Not a position of this tenant.
pub fn position(text: &str, tenant: TenantId) -> Result<Position, Problem> {
    if text.is_empty() {
        return Ok(Position::default());
    }
    Position::decode(text, tenant).map_err(|error: position::Error| {
        Problem::new(ErrorReason::PositionInvalid, error.to_string())
    })
}

/// An external id of a field.
///
/// # Errors
/// Missing, too long, or with control characters, naming the field.
pub fn external_id(text: &str, field: &str) -> Result<ExternalId, Problem> {
    ExternalId::parse(text).map_err(|error| {
        let reason = match error {
            ExternalIdError::Missing => ErrorReason::FieldMissing,
            ExternalIdError::TooLong { .. } => ErrorReason::FieldTooLong,
            ExternalIdError::ControlCharacter { .. } => ErrorReason::FieldInvalid,
        };
        Problem::field(reason, field, error.to_string())
    })
}

/// The account that a request names.
///
/// # Errors
/// Absent, not an account, or with an id that is none.
pub fn account(entity: Option<&EntityRef>, field: &str) -> Result<ExternalId, Problem> {
    let entity = entity
        .ok_or_else(|| Problem::field(ErrorReason::FieldMissing, field, "must name an account"))?;
    if entity.kind() != EntityKind::Account {
        return Err(Problem::field(
            ErrorReason::FieldInvalid,
            format!("{field}.kind"),
            "must be ENTITY_KIND_ACCOUNT",
        ));
    }
    external_id(&entity.id, &format!("{field}.id"))
}

/// The account that a request may name.
///
/// # Errors
/// Given, but not an account.
pub fn optional_account(
    entity: Option<&EntityRef>,
    field: &str,
) -> Result<Option<ExternalId>, Problem> {
    entity
        .map(|entity| account(Some(entity), field))
        .transpose()
}

/// A reference to an account.
#[must_use]
pub fn account_ref(id: &str) -> EntityRef {
    EntityRef {
        kind: EntityKind::Account.into(),
        id: id.to_owned(),
    }
}

/// There is no such account.
#[must_use]
pub fn account_unknown(id: &ExternalId) -> Problem {
    Problem::new(
        ErrorReason::AccountUnknown,
        format!("account \"{id}\" is not known; send an account record for it first"),
    )
}

/// The 16 bytes of a uid.
#[must_use]
pub fn uid_bytes(uid: AccountUid) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(&uid.0.to_be_bytes())
}

/// A uid or tenant id from 16 bytes.
///
/// # Errors
/// Not 16 bytes.
pub fn uuid(bytes: &[u8], field: &str) -> Result<u128, Problem> {
    let bytes: [u8; 16] = bytes.try_into().map_err(|_other_length| {
        Problem::field(ErrorReason::FieldInvalid, field, "must have 16 bytes")
    })?;
    Ok(u128::from_be_bytes(bytes))
}

/// How current an answer is, as a service knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Currency {
    /// The moment that the answer is about.
    pub as_of: Instant,
    /// Own time of the newest fact in the answer's source data.
    pub watermark: Option<Instant>,
    /// How current it is.
    pub state: FreshnessState,
    /// What is in it.
    pub position: Position,
    /// Version of the definition behind it; 0: none.
    pub definition_version: u32,
    /// Version of the model behind it; empty: none.
    pub model_version: String,
    /// The last closed day.
    pub closed_on: Option<Day>,
}

/// The freshness block of an answer.
#[must_use]
pub fn freshness(tenant: TenantId, currency: &Currency) -> Freshness {
    Freshness {
        as_of: Some(time::timestamp(currency.as_of)),
        watermark: currency.watermark.map(time::timestamp),
        state: currency.state.into(),
        position: currency.position.encode(tenant),
        definition_version: currency.definition_version,
        model_version: currency.model_version.clone(),
        catalogue_version: sextant_domain::feature::CATALOGUE_VERSION,
        engine_version: env!("CARGO_PKG_VERSION").to_owned(),
        closed_on: currency.closed_on.map(time::date),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: Instant = Instant(1_800_000_000_000_000);

    fn ahead(as_of_us: Option<i64>, known_at_us: Option<i64>) -> Moment {
        Moment {
            as_of: as_of_us.map(|us| CLOCK.plus_us(us)),
            known_at: known_at_us.map(|us| CLOCK.plus_us(us)),
            ..Moment::default()
        }
    }

    #[test]
    fn a_moment_up_to_the_clock_is_taken_as_it_is() {
        for moment in [
            ahead(None, None),
            ahead(Some(0), Some(0)),
            ahead(Some(-1), None),
            ahead(None, Some(-1)),
        ] {
            assert_eq!(moment.clone().reached_by(CLOCK), Ok(moment));
        }
    }

    #[test]
    fn a_moment_that_is_ahead_as_clocks_of_machines_are_is_the_clocks() {
        let now = ahead(Some(0), Some(0));
        assert_eq!(
            ahead(Some(CLOCKS_DIFFER_US), Some(1)).reached_by(CLOCK),
            Ok(now)
        );
    }

    #[test]
    fn a_moment_that_the_clock_has_not_reached_is_refused_by_the_name_of_its_field() {
        let far = CLOCKS_DIFFER_US + 1;
        for (moment, field) in [
            (ahead(Some(far), Some(0)), "at.as_of"),
            (ahead(None, Some(far)), "at.known_at"),
        ] {
            let refused = moment.reached_by(CLOCK).unwrap_err();
            assert_eq!(
                (refused.reason_name(), &*refused.field),
                ("FIELD_INVALID", field)
            );
            let clock = format!("has reached {CLOCK}");
            assert!(refused.message.contains(&clock), "{}", refused.message);
        }
    }
}
