//! Records on their way: small until the moment of their delivery, then written out.

use sextant_domain::time::{DAY_US, Day, Instant};
use sextant_proto::ingestion::v1::Record;
use sextant_proto::ingestion::v1::record::Fact;

use crate::generate::account::account_id;
use crate::generate::calendar::timestamp;
use crate::generate::dirt::{Breakage, Flaw};
use crate::generate::usage::Action;

/// Where it keeps its accounts.
const CRM: &str = "crm";
/// Its own product.
const PRODUCT: &str = "product";
/// Where it bills.
const BILLING: &str = "billing";
/// The systems that its records come from.
pub const SOURCES: [&str; 3] = [CRM, PRODUCT, BILLING];

/// What a record says.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// Something that a user of the account did.
    Event(Action),
    /// Any other fact.
    State(Box<Fact>),
}

/// A record that waits for the moment of its delivery.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    /// When it is delivered.
    pub(crate) at: Instant,
    /// Its own time.
    pub(crate) time: Instant,
    pub(crate) account: u32,
    /// Number of the record within its account.
    pub(crate) sequence: u32,
    pub(crate) flaw: Flaw,
    pub(crate) content: Content,
}

impl Pending {
    /// The UTC day of its delivery.
    pub(crate) fn day(&self) -> Day {
        Day(i32::try_from(self.at.0.div_euclid(DAY_US)).unwrap_or(i32::MAX))
    }

    /// The record as it is delivered, with its flaw.
    pub(crate) fn into_record(self) -> Record {
        let fact = match self.content {
            Content::Event(action) => {
                Fact::Event(action.event(self.account, account_id(self.account)))
            },
            Content::State(fact) => *fact,
        };
        let source = match &fact {
            Fact::Account(_) => CRM,
            Fact::User(_) | Fact::AccountUser(_) | Fact::Event(_) => PRODUCT,
            // Subscriptions, invoices and payments: a company makes no others.
            _ => BILLING,
        };
        let mut record = Record {
            source: source.to_owned(),
            id: format!("{:06}-{}", self.account, self.sequence),
            time: Some(timestamp(self.time)),
            sent_at: None,
            fact: Some(fact),
            ..Record::default()
        };
        apply(self.flaw, &mut record);
        record
    }
}

/// Writes a flaw into a record. Times and repetitions are flaws of the delivery alone.
fn apply(flaw: Flaw, record: &mut Record) {
    match (flaw, &mut record.fact) {
        (Flaw::Conflict, Some(Fact::Event(event))) => event.quantity += 1,
        (Flaw::UnknownAccount(number), Some(Fact::Event(event))) => {
            event.account_id = format!("lost-{number:03}")
        },
        (Flaw::Malformed(Breakage::NoType), Some(Fact::Event(event))) => event.r#type.clear(),
        (Flaw::Malformed(Breakage::LongAccount), Some(Fact::Event(event))) => {
            event.account_id = "x".repeat(201)
        },
        (Flaw::Malformed(Breakage::NoTime), _) => record.time = None,
        (Flaw::Malformed(Breakage::NoFact), fact) => *fact = None,
        _ => {},
    }
}
