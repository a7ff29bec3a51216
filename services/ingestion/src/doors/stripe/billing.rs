//! Subscriptions, invoices and payments of Stripe.

use serde_json::Value as Json;

use sextant_proto::common::v1::{ErrorReason, Money};
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_wire::status::Problem;

use crate::doors::stripe::object::{Object, scaled};
use crate::doors::stripe::{Said, Terms, missing};

/// A state, and whether it is the first that is told of an object: what comes later in the same second is told later.
fn later(progress: i64, kind: &str) -> i64 {
    progress * 2 + i64::from(!kind.ends_with(".created"))
}

pub(super) fn subscription(
    object: &Object<'_>,
    kind: &str,
    terms: Terms<'_>,
) -> Result<Said, Problem> {
    use pb::SubscriptionStatus as Status;
    let (status, progress) = match object.text("status")? {
        "incomplete" => (Status::Incomplete, 0),
        "trialing" => (Status::Trialing, 1),
        "active" => (Status::Active, 2),
        "past_due" => (Status::PastDue, 2),
        "unpaid" => (Status::Unpaid, 2),
        "paused" => (Status::Paused, 2),
        "incomplete_expired" => (Status::IncompleteExpired, 3),
        "canceled" => (Status::Canceled, 3),
        other => return Err(unknown(object, "status", other)),
    };
    // Whose collection is paused pays nothing, though Stripe leaves its status as it was.
    let is_paused = status == Status::Active && object.object("pause_collection").is_some();
    let status = if is_paused { Status::Paused } else { status };
    let cancellation = match object.text("cancellation_details.reason")? {
        "payment_failed" | "payment_disputed" => pb::CancellationKind::Involuntary,
        "cancellation_requested" => pb::CancellationKind::Voluntary,
        _ => pb::CancellationKind::Unspecified,
    };
    let items = object.list("items")?;
    let ends = period_ends(object, &items)?;
    let fact = pb::SubscriptionFact {
        subscription_id: object.text("id")?.to_owned(),
        status: status.into(),
        started_at: object.moment("start_date")?,
        trial_starts_at: object.moment("trial_start")?,
        trial_ends_at: object.moment("trial_end")?,
        current_period_ends_at: ends,
        canceled_at: object.moment("canceled_at")?,
        cancel_at: object.moment("cancel_at")?,
        ended_at: object.moment("ended_at")?,
        cancel_at_period_end: object.flag("cancel_at_period_end")?,
        cancellation: cancellation.into(),
        cancellation_reason: object.text("cancellation_details.reason")?.to_owned(),
        cancellation_feedback: object.text("cancellation_details.feedback")?.to_owned(),
        cancellation_comment: object.text("cancellation_details.comment")?.to_owned(),
        collection_method: collection(object)?.into(),
        resumes_at: object.moment("pause_collection.resumes_at")?,
        items: items
            .iter()
            .map(|one| item(one, object, terms))
            .collect::<Result<_, _>>()?,
        discounts: discounts(object)?,
        ..pb::SubscriptionFact::default()
    };
    Ok(Said {
        fact: Fact::Subscription(fact),
        progress: later(progress, kind),
    })
}

fn unknown(object: &Object<'_>, path: &str, value: &str) -> Problem {
    let shown: String = value.chars().take(40).collect();
    object.invalid(path, format!("{shown:?} is no state that is known here"))
}

/// The end of the period that is paid for: of the subscription, or since "basil" the earliest of its items.
fn period_ends(
    object: &Object<'_>,
    items: &[Object<'_>],
) -> Result<Option<prost_types::Timestamp>, Problem> {
    if let Some(ends) = object.moment("current_period_end")? {
        return Ok(Some(ends));
    }
    let ends = items.iter().map(|item| item.moment("current_period_end"));
    let ends: Vec<Option<prost_types::Timestamp>> = ends.collect::<Result<_, _>>()?;
    Ok(ends.into_iter().flatten().min_by_key(|ends| ends.seconds))
}

fn collection(object: &Object<'_>) -> Result<pb::CollectionMethod, Problem> {
    Ok(match object.text("collection_method")? {
        "charge_automatically" => pb::CollectionMethod::ChargeAutomatically,
        "send_invoice" => pb::CollectionMethod::SendInvoice,
        _ => pb::CollectionMethod::Unspecified,
    })
}

fn item(
    item: &Object<'_>,
    subscription: &Object<'_>,
    terms: Terms<'_>,
) -> Result<pb::SubscriptionItem, Problem> {
    // Items of very old versions have a plan alone, which says the same at other places.
    let (price, is_plan) = match item.object("price") {
        Some(price) => (price, false),
        None => match item.object("plan") {
            Some(plan) => (plan, true),
            None => return Err(missing(&item.place("price"))),
        },
    };
    let of = |name: &'static str| {
        if is_plan {
            name.to_owned()
        } else {
            format!("recurring.{name}")
        }
    };
    let interval = match price.text(&of("interval"))? {
        "day" => pb::BillingInterval::Day,
        "week" => pb::BillingInterval::Week,
        "month" => pb::BillingInterval::Month,
        "year" => pb::BillingInterval::Year,
        other => return Err(unknown(&price, &of("interval"), other)),
    };
    let is_metered = price.text(&of("usage_type"))? == "metered";
    let quantity = match item.count("quantity")? {
        Some(quantity) => quantity,
        None => u64::from(!is_metered),
    };
    let amount = if is_plan { "amount" } else { "unit_amount" };
    let currency = price.currency()?;
    let (minor, quantity) = unit(&price, amount, packages(&price, quantity)?, is_metered)?;
    let minor =
        scaled(minor, &currency).ok_or_else(|| price.invalid(amount, "is beyond all amounts"))?;
    // Of the item, or of the subscription before "basil".
    let moment = |path: &str| match item.moment(path)? {
        Some(at) => Ok(Some(at)),
        None => subscription.moment(path),
    };
    let (begins, ends) = (
        moment("current_period_start")?,
        moment("current_period_end")?,
    );
    let fx_rate_micros = terms.rate_micros(&currency);
    Ok(pb::SubscriptionItem {
        item_id: item.text("id")?.to_owned(),
        price: Some(pb::Price {
            price_id: price.text("id")?.to_owned(),
            unit_amount: Some(Money { minor, currency }),
            interval: interval.into(),
            interval_count: price.small_count(&of("interval_count"))?.unwrap_or(1),
            usage_type: if is_metered {
                pb::UsageType::Metered.into()
            } else {
                pb::UsageType::Licensed.into()
            },
            product_id: price.id("product")?.to_owned(),
            ..pb::Price::default()
        }),
        quantity,
        fx_rate_micros,
        current_period_starts_at: begins,
        current_period_ends_at: ends,
        ..pb::SubscriptionItem::default()
    })
}

/// How many of a price that is for several together.
fn packages(price: &Object<'_>, quantity: u64) -> Result<u64, Problem> {
    let Some(by) = price
        .count("transform_quantity.divide_by")?
        .filter(|by| *by > 0)
    else {
        return Ok(quantity);
    };
    Ok(match price.text("transform_quantity.round")? {
        "down" => quantity / by,
        _ => quantity.div_ceil(by),
    })
}

/// What one unit costs, and how many there are. A price of parts of a minor unit is told as one of all units together.
fn unit(
    price: &Object<'_>,
    amount: &str,
    quantity: u64,
    is_metered: bool,
) -> Result<(i64, u64), Problem> {
    if let Some(minor) = price.integer(amount)? {
        return Ok((minor, quantity));
    }
    // What is used is outside of what recurs, whatever it costs.
    if is_metered {
        return Ok((0, quantity));
    }
    let path = format!("{amount}_decimal");
    let exact = match price.text(&path)? {
        "" => None,
        text => of_decimal(text, quantity),
    };
    match exact {
        Some(minor) => Ok((minor, 1)),
        None => {
            let message = "must be set: Stripe does not send what a price with tiers comes to; give the subscription prices per unit, or send it by IngestBatch";
            Err(Problem::field(
                ErrorReason::FieldMissing,
                price.place(amount),
                message,
            ))
        },
    }
}

/// What a quantity costs at a price such as `"0.05"`, rounded to whole minor units, half up. Stripe gives at most 12 decimals.
pub(super) fn of_decimal(text: &str, quantity: u64) -> Option<i64> {
    const MAX_DECIMALS: usize = 12;
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > MAX_DECIMALS {
        return None;
    }
    let scale = 10_i128.checked_pow(u32::try_from(part.len()).ok()?)?;
    let scaled: i128 = format!("{whole}{part}").parse().ok()?;
    let exact = scaled.checked_mul(i128::from(quantity))?;
    let twice = exact.checked_mul(2)?.checked_add(scale)?;
    i64::try_from(twice.div_euclid(scale * 2)).ok()
}

/// Discounts that are written out. Newer versions name them by id alone, which says nothing of what they take off.
fn discounts(object: &Object<'_>) -> Result<Vec<pb::Discount>, Problem> {
    let mut all = object.list("discounts")?;
    all.retain(|one| one.has("id"));
    if all.is_empty() {
        all.extend(object.object("discount"));
    }
    let read = all.iter().filter_map(|one| discount(one).transpose());
    read.collect()
}

fn discount(discount: &Object<'_>) -> Result<Option<pb::Discount>, Problem> {
    let coupon = discount
        .object("coupon")
        .or_else(|| discount.object("source.coupon"));
    let Some(coupon) = coupon else {
        return Ok(None);
    };
    let duration = match coupon.text("duration")? {
        "once" => pb::DiscountDuration::Once,
        "repeating" => pb::DiscountDuration::Repeating,
        "forever" => pb::DiscountDuration::Forever,
        other => return Err(unknown(&coupon, "duration", other)),
    };
    let percent = coupon.number("percent_off")?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 100 percent are at most 10000 points; what is beyond is refused by the check"
    )]
    let percent_off_bps = percent.map_or(0, |percent| (percent * 100.0).round() as u32);
    let amount_off = match percent {
        Some(_) => None,
        None => Some(coupon.money("amount_off")?),
    };
    Ok(Some(pb::Discount {
        percent_off_bps,
        amount_off,
        duration: duration.into(),
        ends_at: discount.moment("end")?,
    }))
}

pub(super) fn invoice(object: &Object<'_>, kind: &str) -> Result<Said, Problem> {
    use pb::InvoiceStatus as Status;
    let (status, progress) = match object.text("status")? {
        "draft" => (Status::Draft, 0),
        "open" => (Status::Open, 1),
        "uncollectible" => (Status::Uncollectible, 2),
        "void" => (Status::Void, 3),
        "paid" => (Status::Paid, 3),
        other => return Err(unknown(object, "status", other)),
    };
    let currency = object.currency()?;
    // An invoice that gives more than it takes asks for nothing; its lines say what it gives.
    let amount = |path: &str| object.minor(path, &currency).map(|minor| minor.max(0));
    let total = amount("total")?;
    let subscription =
        object.first_id(["parent.subscription_details.subscription", "subscription"])?;
    let quote = object.first_id(["parent.quote_details.quote", "quote"])?;
    let lines = object.list("lines")?;
    let fact = pb::InvoiceFact {
        invoice_id: object.text("id")?.to_owned(),
        subscription_id: subscription.to_owned(),
        quote_id: quote.to_owned(),
        status: status.into(),
        tax_minor: tax(object, &currency)?.clamp(0, total),
        subtotal_minor: amount("subtotal")?,
        due_minor: amount("amount_due")?,
        paid_minor: amount("amount_paid")?,
        remaining_minor: amount("amount_remaining")?,
        due_at: object.moment("due_date")?,
        number: object.text("number")?.to_owned(),
        billing_reason: object.text("billing_reason")?.to_owned(),
        created_at: object.moment("created")?,
        period_starts_at: object.moment("period_start")?,
        period_ends_at: object.moment("period_end")?,
        finalized_at: object.moment("status_transitions.finalized_at")?,
        paid_at: object.moment("status_transitions.paid_at")?,
        voided_at: object.moment("status_transitions.voided_at")?,
        uncollectible_at: object.moment("status_transitions.marked_uncollectible_at")?,
        attempt_count: object.small_count("attempt_count")?.unwrap_or(0),
        next_attempt_at: object.moment("next_payment_attempt")?,
        collection_method: collection(object)?.into(),
        lines: lines
            .iter()
            .map(|one| line(one, &currency))
            .collect::<Result<_, _>>()?,
        total: Some(Money {
            minor: total,
            currency,
        }),
        ..pb::InvoiceFact::default()
    };
    Ok(Said {
        fact: Fact::Invoice(fact),
        progress: later(progress, kind),
    })
}

/// Tax in an invoice: one sum, or since "basil" a list of them.
fn tax(invoice: &Object<'_>, currency: &str) -> Result<i64, Problem> {
    if invoice.has("tax") {
        return invoice.minor("tax", currency);
    }
    let taxes = ["total_taxes", "total_tax_amounts"];
    let at = taxes.into_iter().find(|path| invoice.has(path));
    let mut sum = 0_i64;
    for one in at
        .map(|path| invoice.list(path))
        .transpose()?
        .unwrap_or_default()
    {
        sum = sum.saturating_add(one.minor("amount", currency)?);
    }
    Ok(sum)
}

fn line(line: &Object<'_>, currency: &str) -> Result<pb::InvoiceLine, Problem> {
    let price = line.first_id(["pricing.price_details.price", "price"])?;
    let proration = [
        "proration",
        "parent.subscription_item_details.proration",
        "parent.invoice_item_details.proration",
    ];
    Ok(pb::InvoiceLine {
        price_id: price.to_owned(),
        amount_minor: line.minor("amount", currency)?,
        proration: proration
            .into_iter()
            .any(|path| line.get(path).and_then(Json::as_bool) == Some(true)),
        period_starts_at: line.moment("period.start")?,
        period_ends_at: line.moment("period.end")?,
    })
}

/// A charge: a try to take a payment, or one that needs no intent.
pub(super) fn charge(object: &Object<'_>, terms: Terms<'_>) -> Result<Said, Problem> {
    use pb::PaymentStatus as Status;
    let currency = object.currency()?;
    // What is only authorised has not come yet, and what was not captured in the end never comes.
    let is_captured = object.get("captured").and_then(Json::as_bool) != Some(false);
    let authorised = object.minor("amount", &currency)?;
    let amount = if is_captured && object.has("amount_captured") {
        object.minor("amount_captured", &currency)?
    } else {
        authorised
    };
    let returned = object.minor("amount_refunded", &currency)?;
    let refunded = returned
        .saturating_sub(authorised.saturating_sub(amount))
        .max(0);
    let (status, progress) = match object.text("status")? {
        "pending" => (Status::Processing, 0),
        "failed" => (Status::Failed, 1),
        "succeeded" if !is_captured && refunded > 0 => (Status::Failed, 3),
        "succeeded" if !is_captured => (Status::Processing, 0),
        "succeeded" if object.flag("disputed")? => (Status::Disputed, 4),
        "succeeded" if refunded > 0 => (Status::Refunded, 3),
        "succeeded" => (Status::Succeeded, 2),
        other => return Err(unknown(object, "status", other)),
    };
    // An intent and its charges are one payment.
    let payment = match object.id("payment_intent")? {
        "" => object.text("id")?,
        intent => intent,
    };
    let decline = match object.text("failure_code")? {
        "" => "",
        _ => object.text("outcome.reason")?,
    };
    let card = "payment_method_details.card";
    let fact = pb::PaymentFact {
        payment_id: payment.to_owned(),
        invoice_id: object.id("invoice")?.to_owned(),
        status: status.into(),
        refunded_minor: if is_captured { refunded } else { 0 },
        failure_code: object.text("failure_code")?.to_owned(),
        decline_code: decline.to_owned(),
        method_type: object.text("payment_method_details.type")?.to_owned(),
        card_expiry_month: object
            .small_count(&format!("{card}.exp_month"))?
            .unwrap_or(0),
        card_expiry_year: object
            .small_count(&format!("{card}.exp_year"))?
            .unwrap_or(0),
        fx_rate_micros: terms.rate_micros(&currency),
        amount: Some(Money {
            minor: amount,
            currency,
        }),
        ..pb::PaymentFact::default()
    };
    Ok(Said {
        fact: Fact::Payment(fact),
        // A charge says more of a payment than its intent in the same state.
        progress: progress * 2 + 1,
    })
}

pub(super) fn payment_intent(object: &Object<'_>, terms: Terms<'_>) -> Result<Said, Problem> {
    use pb::PaymentStatus as Status;
    let has_failed = object.object("last_payment_error").is_some();
    let (status, progress) = match object.text("status")? {
        "processing" | "requires_capture" => (Status::Processing, 0),
        "requires_payment_method" if has_failed => (Status::Failed, 1),
        "requires_payment_method" | "requires_confirmation" | "requires_action" => {
            (Status::RequiresAction, 0)
        },
        "canceled" => (Status::Failed, 1),
        "succeeded" => (Status::Succeeded, 2),
        other => return Err(unknown(object, "status", other)),
    };
    let amount = match status {
        Status::Succeeded if object.has("amount_received") => "amount_received",
        _ => "amount",
    };
    let method = match object.text("last_payment_error.payment_method.type")? {
        "" => object
            .get("payment_method_types")
            .and_then(|kinds| kinds.get(0)?.as_str()),
        method => Some(method),
    };
    let currency = object.currency()?;
    let fact = pb::PaymentFact {
        payment_id: object.text("id")?.to_owned(),
        invoice_id: object.id("invoice")?.to_owned(),
        status: status.into(),
        failure_code: object.text("last_payment_error.code")?.to_owned(),
        decline_code: object.text("last_payment_error.decline_code")?.to_owned(),
        method_type: method.unwrap_or_default().to_owned(),
        fx_rate_micros: terms.rate_micros(&currency),
        amount: Some(object.money(amount)?),
        ..pb::PaymentFact::default()
    };
    Ok(Said {
        fact: Fact::Payment(fact),
        progress: progress * 2,
    })
}
