//! Rows of a CSV file as records.

mod relations;

use std::collections::BTreeMap;

use csv::StringRecord;
use prost_types::Timestamp;

use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::ingestion::v1::value::Kind as ValueKind;
use sextant_proto::ingestion::v1::{
    AccountFact, AccountUserFact, AccountUserRole, BillingInterval, CancellationKind, Discount,
    DiscountDuration, EventFact, ExternalId, InvoiceFact, InvoiceStatus, PaymentFact,
    PaymentStatus, Price, Record, SubscriptionFact, SubscriptionItem, SubscriptionStatus,
    UsageType, UserFact, Value,
};
use sextant_wire::record::MAX_RATE_MICROS;

use crate::import::Fault;
use crate::import::batch::TIME;
use crate::import::columns::{EXTERNAL_ID, Kind};
use crate::import::header::{Header, Held};
use crate::import::identity::{RowId, RowIds};
use crate::import::values::{self, Named};
use crate::import::writing::Writing;

/// The cells of one row by the names of their columns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'r> {
    header: &'r Header,
    cells: &'r StringRecord,
    writing: &'r Writing,
}

impl<'r> Row<'r> {
    pub(crate) fn new(header: &'r Header, cells: &'r StringRecord, writing: &'r Writing) -> Self {
        Self {
            header,
            cells,
            writing,
        }
    }

    fn text_of(&self, held: &'r Held) -> Option<&'r str> {
        let text = match held {
            Held::Cell(place) => self.cells.get(*place)?,
            Held::Constant(text) => text,
        };
        Some(text.trim()).filter(|text| !text.is_empty())
    }

    /// A cell; `None` where it is empty or the file has no such column.
    fn get(&self, name: &str) -> Option<&'r str> {
        self.text_of(self.header.held(name)?)
    }

    fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }

    fn required(&self, name: &str) -> Result<&'r str, Fault> {
        self.get(name)
            .ok_or_else(|| Fault::new(name, "is empty, and every row must fill it"))
    }

    /// The column that the record's time is read from.
    pub(crate) fn time_column(&self) -> &'static str {
        let is_begun = self.header.kind() == Kind::Accounts
            && self.get(TIME).is_none()
            && self.header.has("created_at");
        if is_begun { "created_at" } else { TIME }
    }

    /// An id; that of the row where the cell is empty.
    fn id_or(&self, name: &str, id: &RowId) -> String {
        self.get(name)
            .map_or_else(|| id.record_id(), ToOwned::to_owned)
    }

    /// A number with decimals; `None` where the cell is empty.
    fn decimal(&self, name: &str) -> Result<Option<f64>, Fault> {
        self.number(name, |text| values::decimal(text).map(Some))
    }

    /// Several values in a cell.
    fn several(&self, name: &str) -> Vec<String> {
        let parts = self.get(name).into_iter().flat_map(|text| text.split(';'));
        let parts = parts.map(str::trim).filter(|part| !part.is_empty());
        parts.map(ToOwned::to_owned).collect()
    }

    /// A word that every row must have.
    fn required_word<E: Named + Into<i32>>(&self, name: &str) -> Result<i32, Fault> {
        self.required(name)?;
        self.word::<E>(name)
    }

    /// A cell read as a value; the type's default where it is empty.
    fn read<T: Default>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, Fault> {
        match self.get(name) {
            None => Ok(T::default()),
            Some(text) => read(text).map_err(|problem| Fault::new(name, problem)),
        }
    }

    /// A cell with a number read as a value.
    fn number<T: Default>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, Fault> {
        self.read(name, |text| read(&self.writing.number(text)?))
    }

    fn time(&self, name: &str) -> Result<Option<Timestamp>, Fault> {
        self.read(name, |text| self.writing.time(text).map(Some))
    }

    fn required_time(&self, name: &str) -> Result<Timestamp, Fault> {
        let text = self.required(name)?;
        self.writing
            .time(text)
            .map_err(|problem| Fault::new(name, problem))
    }

    fn word<E: Named + Into<i32>>(&self, name: &str) -> Result<i32, Fault> {
        self.read(name, |text| values::word::<E>(text).map(Into::into))
    }

    /// Texts of the columns that begin with a prefix, by what follows it, each with the column.
    fn free(&self, prefix: &str) -> impl Iterator<Item = (&'r str, &'r str, &'r str)> {
        let row = *self;
        row.header
            .columns()
            .iter()
            .filter_map(move |(column, held)| {
                let name = column.strip_prefix(prefix)?;
                Some((name, row.text_of(held)?, column.as_str()))
            })
    }

    /// Values of traits or data.
    fn values(&self) -> Result<BTreeMap<String, Value>, Fault> {
        let Some(prefix) = self.header.kind().value_prefix() else {
            return Ok(BTreeMap::new());
        };
        let values = self.free(prefix).map(|(name, text, column)| {
            let value = self.writing.value(text);
            let value = value.map_err(|problem| Fault::new(column, problem))?;
            Ok((name.to_owned(), value))
        });
        values.collect()
    }

    /// What the row says, in an order that does not depend on the file's.
    fn says(&self) -> impl Iterator<Item = (&'r str, &'r str)> {
        self.free("").map(|(_, text, column)| (column, text))
    }
}

/// A row as a record.
pub(crate) fn record(row: &Row<'_>, source: &str, ids: &mut RowIds) -> Result<Record, Fault> {
    let id = ids.next(row.header.kind().as_str(), row.says());
    let (time, fact) = match row.header.kind() {
        Kind::Accounts => account(row)?,
        Kind::Events => event(row)?,
        Kind::Subscriptions => subscription(row)?,
        Kind::Payments => payment(row, &id)?,
        Kind::Users => user(row)?,
        Kind::AccountUsers => account_user(row)?,
        Kind::Invoices => invoice(row)?,
        Kind::Dunning => relations::dunning(row)?,
        Kind::SurveyResponses => relations::survey_response(row)?,
        Kind::Tickets => relations::ticket(row)?,
        Kind::Opportunities => relations::opportunity(row)?,
        Kind::Touchpoints => relations::touchpoint(row, &id)?,
        Kind::Costs => relations::cost(row, &id)?,
        Kind::OutcomeLabels => relations::outcome_label(row, &id)?,
        Kind::ProductFeatures => relations::product_feature(row)?,
    };
    let own_id = row.get("id").filter(|_| row.header.kind() == Kind::Events);
    Ok(Record {
        source: source.to_owned(),
        id: own_id.map_or_else(|| id.record_id(), ToOwned::to_owned),
        time: Some(time),
        sent_at: None,
        fact: Some(fact),
        ..Record::default()
    })
}

fn account(row: &Row<'_>) -> Result<(Timestamp, Fact), Fault> {
    let mut traits = row.values()?;
    let mut known = |name: &str, kind: Option<ValueKind>| {
        if let Some(kind) = kind {
            traits.insert(name.to_owned(), Value { kind: Some(kind) });
        }
    };
    for name in ["industry", "country", "timezone"] {
        known(
            name,
            row.get(name).map(|text| ValueKind::Text(text.to_owned())),
        );
    }
    known(
        "employee_count",
        row.number("employee_count", |text| {
            values::integer(text).map(|count| Some(ValueKind::Integer(count)))
        })?,
    );
    known("renewal_at", row.time("renewal_at")?.map(ValueKind::Time));
    let created_at = row.time("created_at")?;
    let time = row.time(TIME)?.or(created_at);
    let time = time.ok_or_else(|| {
        let (column, problem) = if row.header.has(TIME) {
            (
                TIME,
                "is empty, and so is created_at; a record has a time of its own",
            )
        } else {
            (
                "created_at",
                "is empty, and there is no column \"time\"; a record has a time of its own",
            )
        };
        Fault::new(column, problem)
    })?;
    let external_ids = row.free(EXTERNAL_ID).map(|(system, id, _)| ExternalId {
        system: system.to_owned(),
        id: id.to_owned(),
    });
    let fact = AccountFact {
        account_id: row.required("account_id")?.to_owned(),
        name: row.text("name"),
        created_at,
        owner_id: row.text("owner_id"),
        parent_account_id: row.text("parent_account_id"),
        traits,
        external_ids: external_ids.collect(),
        domain: row.text("domain"),
        ..AccountFact::default()
    };
    Ok((time, Fact::Account(fact)))
}

fn user(row: &Row<'_>) -> Result<(Timestamp, Fact), Fault> {
    let fact = UserFact {
        user_id: row.required("user_id")?.to_owned(),
        traits: row.values()?,
        cleared_traits: Vec::new(),
        ..UserFact::default()
    };
    Ok((row.required_time(TIME)?, Fact::User(fact)))
}

fn account_user(row: &Row<'_>) -> Result<(Timestamp, Fact), Fault> {
    let fact = AccountUserFact {
        account_id: row.required("account_id")?.to_owned(),
        user_id: row.required("user_id")?.to_owned(),
        role: row.word::<AccountUserRole>("role")?,
        left: row.read("left", values::flag)?,
    };
    Ok((row.required_time(TIME)?, Fact::AccountUser(fact)))
}

fn event(row: &Row<'_>) -> Result<(Timestamp, Fact), Fault> {
    let fact = EventFact {
        account_id: row.required("account_id")?.to_owned(),
        user_id: row.text("user_id"),
        r#type: row.required("type")?.to_owned(),
        feature_key: row.text("feature_key"),
        quantity: row.number("quantity", values::integer)?,
        duration_ms: row.number("duration_ms", values::integer)?,
        data: row.values()?,
        ..EventFact::default()
    };
    Ok((row.required_time(TIME)?, Fact::Event(fact)))
}

fn subscription(row: &Row<'_>) -> Result<(Timestamp, Fact), Fault> {
    let fact = SubscriptionFact {
        account_id: row.required("account_id")?.to_owned(),
        subscription_id: row.required("subscription_id")?.to_owned(),
        status: row.required_word::<SubscriptionStatus>("status")?,
        started_at: row.time("started_at")?,
        trial_ends_at: row.time("trial_ends_at")?,
        current_period_ends_at: row.time("current_period_ends_at")?,
        canceled_at: row.time("canceled_at")?,
        cancel_at: row.time("cancel_at")?,
        ended_at: row.time("ended_at")?,
        cancellation: row.word::<CancellationKind>("cancellation")?,
        cancellation_reason: row.text("cancellation_reason"),
        items: vec![item(row)?],
        discounts: discount(row)?.into_iter().collect(),
        ..SubscriptionFact::default()
    };
    Ok((row.required_time(TIME)?, Fact::Subscription(fact)))
}

fn item(row: &Row<'_>) -> Result<SubscriptionItem, Fault> {
    let price = Price {
        price_id: row.required("price_id")?.to_owned(),
        unit_amount: Some(money(row, "unit_amount")?),
        interval: row.required_word::<BillingInterval>("interval")?,
        interval_count: row.number("interval_count", values::integer)?,
        usage_type: row.word::<UsageType>("usage_type")?,
        product_id: row.text("product_id"),
        rank: row.number("rank", values::integer)?,
    };
    let quantity = row.number("quantity", |text| values::integer(text).map(Some))?;
    Ok(SubscriptionItem {
        item_id: String::new(),
        price: Some(price),
        quantity: quantity.unwrap_or(1),
        fx_rate_micros: rate(row)?,
        ..SubscriptionItem::default()
    })
}

fn discount(row: &Row<'_>) -> Result<Option<Discount>, Fault> {
    let bps = row.number("percent_off", |text| values::fixed(text, 2))?;
    if bps == 0 {
        return Ok(None);
    }
    let problem = || Fault::new("percent_off", "must be between 0 and 100");
    let percent_off_bps = u32::try_from(bps)
        .ok()
        .filter(|bps| *bps <= 10_000)
        .ok_or_else(problem)?;
    Ok(Some(Discount {
        percent_off_bps,
        duration: DiscountDuration::Forever.into(),
        ..Discount::default()
    }))
}

fn invoice(row: &Row<'_>) -> Result<(Timestamp, Fact), Fault> {
    let total = money(row, "total")?;
    let tax = row.number("tax", |text| values::money(text, &total.currency).map(Some))?;
    let fact = InvoiceFact {
        account_id: row.required("account_id")?.to_owned(),
        invoice_id: row.required("invoice_id")?.to_owned(),
        subscription_id: row.text("subscription_id"),
        status: row.required_word::<InvoiceStatus>("status")?,
        total: Some(total),
        tax_minor: tax.map_or(0, |tax| tax.minor),
        due_at: row.time("due_at")?,
        ..InvoiceFact::default()
    };
    Ok((row.required_time(TIME)?, Fact::Invoice(fact)))
}

fn payment(row: &Row<'_>, id: &RowId) -> Result<(Timestamp, Fact), Fault> {
    let amount = money(row, "amount")?;
    let refunded = row.number("refunded", |text| {
        values::money(text, &amount.currency).map(Some)
    })?;
    let status = match row.get("status") {
        None => PaymentStatus::Succeeded.into(),
        Some(_) => row.word::<PaymentStatus>("status")?,
    };
    let fact = PaymentFact {
        account_id: row.required("account_id")?.to_owned(),
        payment_id: row.id_or("payment_id", id),
        invoice_id: row.text("invoice_id"),
        status,
        amount: Some(amount),
        refunded_minor: refunded.map_or(0, |refunded| refunded.minor),
        failure_code: row.text("failure_code"),
        fx_rate_micros: rate(row)?,
        ..PaymentFact::default()
    };
    Ok((row.required_time(TIME)?, Fact::Payment(fact)))
}

fn money(row: &Row<'_>, name: &str) -> Result<sextant_proto::common::v1::Money, Fault> {
    let currency = row.required("currency")?;
    let amount = row.required(name)?;
    sextant_domain::money::Currency::parse(currency)
        .map_err(|error| Fault::new("currency", error.to_string()))?;
    let amount = row.writing.number(amount);
    let money = amount.and_then(|amount| values::money(&amount, currency));
    money.map_err(|problem| Fault::new(name, problem))
}

/// A rate in millionths; 0 where the cell is empty. One that the service does not take is refused here, in the unit of the file.
fn rate(row: &Row<'_>) -> Result<i64, Fault> {
    row.number("fx_rate", |text| {
        let micros = values::fixed(text, 6)?;
        if (1..=MAX_RATE_MICROS).contains(&micros) {
            return Ok(micros);
        }
        Err(format!(
            "\"{text}\" must be above 0 and at most {}",
            MAX_RATE_MICROS / 1_000_000
        ))
    })
}

#[cfg(test)]
mod tests;
