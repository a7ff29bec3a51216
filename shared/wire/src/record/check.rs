mod account;
mod billing;
mod field;
mod relation;

pub use field::{value as check_value, value_name as check_value_name};

use prost::Message;

use sextant_domain::fact::FactKind;
use sextant_domain::id::{AccountKey, PayloadHash, RecordIdentity};
use sextant_domain::money::Currency;
use sextant_domain::time::{DAY_US, Instant};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::record::Fact;

use crate::read::external_id;
use crate::status::Problem;
use crate::time;

/// Most records of one batch.
pub const MAX_BATCH_RECORDS: usize = 10_000;
/// How far a record's time may lie ahead of the clock, in microseconds.
const MAX_AHEAD_US: i64 = DAY_US;
/// Largest record, encoded: whoever follows the feed can take it in, and who reads it can be answered.
pub const MAX_RECORD_BYTES: usize = 1 << 20;

/// What the door knows when a record comes.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    /// The tenant's evaluation clock: the future begins behind it.
    pub now: Instant,
    /// The real moment at which the record came, to correct the source's clock.
    pub received_at: Instant,
    /// Records older than this many days are refused.
    pub retention_days: u32,
    /// Amounts in another currency must bring their rate.
    pub base_currency: Currency,
}

/// A record that may be stored.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What makes two deliveries the same record.
    pub identity: RecordIdentity,
    /// Hash of `encoded`.
    pub payload: PayloadHash,
    /// What kind of fact it holds.
    pub kind: FactKind,
    /// The account that it is about.
    pub account: Option<AccountKey>,
    /// Its time, corrected for a wrong source clock.
    pub occurred_at: Instant,
    /// The encoded record, without `sent_at`, which differs between two deliveries of one record.
    pub encoded: Vec<u8>,
}

/// Checks a record at the door.
///
/// # Errors
/// The first thing that is wrong with it, naming the field, the reason and the fix.
pub fn check(record: &mut pb::Record, door: &Door) -> Result<Checked, Problem> {
    external_id(&record.source, "source")?;
    external_id(&record.id, "id")?;
    let own_time = time::required(record.time.as_ref(), "time")?;
    let sent_at = time::optional(record.sent_at.take().as_ref(), "sent_at")?;
    let occurred_at = corrected(own_time, sent_at, door)?;
    let named = named(record.account_key.as_ref())?;
    let (kind, account) = check_fact(record.fact.as_ref(), named, door.base_currency)?;
    let encoded = record.encode_to_vec();
    if encoded.len() > MAX_RECORD_BYTES {
        let message = format!(
            "makes a record of {} bytes, at most {MAX_RECORD_BYTES} are allowed; leave out what segments do not depend on",
            encoded.len()
        );
        return Err(Problem::field(
            ErrorReason::FieldTooLong,
            kind.field(),
            message,
        ));
    }
    Ok(Checked {
        identity: RecordIdentity::new(&record.source, &record.id, own_time),
        payload: PayloadHash::of(&encoded),
        kind,
        account,
        occurred_at,
        encoded,
    })
}

/// The record's time as it would read on a right clock. Only an offset of more than a minute counts as a wrong clock:
/// less is the way through the network.
fn corrected(own_time: Instant, sent_at: Option<Instant>, door: &Door) -> Result<Instant, Problem> {
    const TOLERANCE_US: i64 = 60_000_000;
    let offset = sent_at.map_or(0, |sent_at| door.received_at.0.saturating_sub(sent_at.0));
    let at = if offset.abs() > TOLERANCE_US {
        own_time.plus_us(offset)
    } else {
        own_time
    };
    if own_time.0 < 0 || at.0 < 0 {
        return Err(Problem::field(
            ErrorReason::TimeBefore1970,
            "time",
            "is before 1970; check the unit of the source's clock",
        ));
    }
    if at.0 > door.now.0.saturating_add(MAX_AHEAD_US) {
        let message = format!(
            "{at} is more than 24 hours ahead of {}; mend the source's clock and send the record again",
            door.now
        );
        return Err(Problem::field(ErrorReason::TimeInFuture, "time", message));
    }
    let oldest = door
        .now
        .0
        .saturating_sub(i64::from(door.retention_days).saturating_mul(DAY_US));
    let old = own_time.min(at);
    if old.0 < oldest {
        let message = format!(
            "{old} is more than {} days before the tenant's clock, the age up to which records are taken",
            door.retention_days
        );
        return Err(Problem::field(ErrorReason::TooOld, "time", message));
    }
    Ok(at)
}

/// The account by what another system calls it.
fn named(key: Option<&pb::ExternalId>) -> Result<Option<AccountKey>, Problem> {
    let Some(key) = key else {
        return Ok(None);
    };
    let system = external_id(&key.system, "account_key.system")?;
    let id = external_id(&key.id, "account_key.id")?;
    Ok(Some(AccountKey::in_system(&system, &id)))
}

/// The account of a fact: by its own id, or as the record names it.
fn account_of(own: &str, named: Option<AccountKey>) -> Result<AccountKey, Problem> {
    match named {
        Some(_) if !own.is_empty() => Err(Problem::field(
            ErrorReason::FieldInvalid,
            "account_id",
            "must be empty where account_key names the account",
        )),
        Some(named) => Ok(named),
        None => external_id(own, "account_id").map(AccountKey::from),
    }
}

/// What a fact is about.
type About = (FactKind, Option<AccountKey>);

fn check_fact(
    fact: Option<&Fact>,
    named: Option<AccountKey>,
    base: Currency,
) -> Result<About, Problem> {
    let Some(fact) = fact else {
        let kinds = FactKind::ALL.map(FactKind::field).join(", ");
        let message = format!("must be one of {kinds}");
        return Err(Problem::field(ErrorReason::FieldMissing, "fact", message));
    };
    let kind = kind_of(fact);
    let about = match fact {
        Fact::User(fact) => account::user(fact).map(|()| None),
        Fact::ProductFeature(fact) => account::product_feature(fact).map(|()| None),
        Fact::Account(fact) => of_account(account::account(fact), &fact.account_id, named),
        Fact::AccountUser(fact) => of_account(account::account_user(fact), &fact.account_id, named),
        Fact::Event(fact) => account::event(fact).and_then(|user| match user {
            Some(user) if fact.account_id.is_empty() && named.is_none() => {
                Ok(Some(AccountKey::of_user(&user)))
            },
            Some(_) | None => account_of(&fact.account_id, named).map(Some),
        }),
        Fact::Subscription(fact) => {
            of_account(billing::subscription(fact, base), &fact.account_id, named)
        },
        Fact::Invoice(fact) => of_account(billing::invoice(fact), &fact.account_id, named),
        Fact::Payment(fact) => of_account(billing::payment(fact, base), &fact.account_id, named),
        Fact::Dunning(fact) => of_account(billing::dunning(fact), &fact.account_id, named),
        Fact::Cost(fact) => billing::cost(fact, base).and_then(|()| {
            match fact.allocation() == pb::CostAllocation::Direct {
                true => account_of(&fact.account_id, named).map(Some),
                false => billing::spread(fact).map(|()| None),
            }
        }),
        Fact::SurveyResponse(fact) => {
            of_account(relation::survey_response(fact), &fact.account_id, named)
        },
        Fact::Ticket(fact) => of_account(relation::ticket(fact), &fact.account_id, named),
        Fact::Opportunity(fact) => of_account(relation::opportunity(fact), &fact.account_id, named),
        Fact::Touchpoint(fact) => of_account(relation::touchpoint(fact), &fact.account_id, named),
        Fact::OutcomeLabel(fact) => {
            of_account(relation::outcome_label(fact), &fact.account_id, named)
        },
    };
    about
        .map(|account| (kind, account))
        .map_err(|problem| problem.below(kind.field()))
}

/// The account comes first: what is wrong with it is told before what else is.
fn of_account(
    rest: Result<(), Problem>,
    own: &str,
    named: Option<AccountKey>,
) -> Result<Option<AccountKey>, Problem> {
    let account = account_of(own, named)?;
    rest.map(|()| Some(account))
}

fn kind_of(fact: &Fact) -> FactKind {
    match fact {
        Fact::Account(_) => FactKind::Account,
        Fact::User(_) => FactKind::User,
        Fact::AccountUser(_) => FactKind::AccountUser,
        Fact::Event(_) => FactKind::Event,
        Fact::Subscription(_) => FactKind::Subscription,
        Fact::Invoice(_) => FactKind::Invoice,
        Fact::Payment(_) => FactKind::Payment,
        Fact::SurveyResponse(_) => FactKind::SurveyResponse,
        Fact::Ticket(_) => FactKind::Ticket,
        Fact::Opportunity(_) => FactKind::Opportunity,
        Fact::Touchpoint(_) => FactKind::Touchpoint,
        Fact::Cost(_) => FactKind::Cost,
        Fact::OutcomeLabel(_) => FactKind::OutcomeLabel,
        Fact::ProductFeature(_) => FactKind::ProductFeature,
        Fact::Dunning(_) => FactKind::Dunning,
    }
}

#[cfg(test)]
mod tests;
