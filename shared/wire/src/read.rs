//! What every read is asked with and answered with.

use sextant_domain::id::{AccountUid, ExternalId, ExternalIdError, TenantId};
use sextant_domain::position::{self, Position};
use sextant_domain::time::{Day, Instant};
use sextant_proto::common::v1::{
    EntityKind, EntityRef, ErrorReason, Freshness, FreshnessState, ReadAt,
};

use crate::status::Problem;
use crate::time;

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
