//! The columns that a CSV file of each kind may have.

/// What the columns of values of traits begin with.
pub(crate) const TRAIT: &str = "trait.";
/// What the columns of ids in other systems begin with.
pub(crate) const EXTERNAL_ID: &str = "external_id.";

/// What the rows of a CSV file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// States of accounts.
    Accounts,
    /// States of the people who use the product.
    Users,
    /// Who belongs to which account.
    AccountUsers,
    /// Things that happened.
    Events,
    /// States of subscriptions with one item each.
    Subscriptions,
    /// States of invoices.
    Invoices,
    /// States of payments.
    Payments,
    /// States of the collection of unpaid invoices.
    Dunning,
    /// States of responses to surveys.
    SurveyResponses,
    /// States of support tickets.
    Tickets,
    /// States of opportunities to sell.
    Opportunities,
    /// Contacts with accounts.
    Touchpoints,
    /// What was spent on keeping accounts.
    Costs,
    /// What became of accounts.
    OutcomeLabels,
    /// Features of the product.
    ProductFeatures,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name in the header.
    pub name: &'static str,
    /// Whether every file must have it and every row must fill it.
    pub required: bool,
    /// What it holds.
    pub about: &'static str,
}

const fn required(name: &'static str, about: &'static str) -> Column {
    Column {
        name,
        required: true,
        about,
    }
}

const fn optional(name: &'static str, about: &'static str) -> Column {
    Column {
        name,
        required: false,
        about,
    }
}

const ACCOUNTS: &[Column] = &[
    required("account_id", "your id of the account"),
    optional("time", "from when the row holds; without it, created_at"),
    optional("name", "display name"),
    optional("created_at", "when the account came to you"),
    optional("domain", "internet domain, such as acme.example"),
    optional("owner_id", "id of the person who looks after it"),
    optional("parent_account_id", "account that it belongs to"),
    optional("industry", "industry as you name it"),
    optional("employee_count", "number of employees"),
    optional("country", "country"),
    optional("timezone", "IANA time zone"),
    optional("renewal_at", "when its contract renews"),
];

const USERS: &[Column] = &[
    required("time", "from when the row holds"),
    required("user_id", "your id of the user"),
];

const ACCOUNT_USERS: &[Column] = &[
    required("time", "from when the row holds"),
    required("account_id", "your id of the account"),
    required("user_id", "your id of the user"),
    optional(
        "role",
        "member, admin, billing, champion or exec_sponsor; without it, member",
    ),
    optional("left", "true: the user left the account at that time"),
];

const EVENTS: &[Column] = &[
    required("time", "when it happened"),
    required("account_id", "your id of the account"),
    required("type", "what happened, such as feature.used"),
    optional("id", "id of the event; without it, the content of the row"),
    optional("user_id", "who did it"),
    optional("feature_key", "product feature that was used"),
    optional("quantity", "how often; without it, once"),
    optional("duration_ms", "how long, in milliseconds"),
];

const SUBSCRIPTIONS: &[Column] = &[
    required("time", "from when the row holds"),
    required("account_id", "your id of the account that pays"),
    required("subscription_id", "your id of the subscription"),
    required(
        "status",
        "incomplete, incomplete_expired, trialing, active, past_due, unpaid, paused or canceled",
    ),
    required("price_id", "your id of the price"),
    required("unit_amount", "price of one unit and period, such as 49.90"),
    required("currency", "ISO 4217 code"),
    required("interval", "day, week, month or year"),
    optional("interval_count", "intervals in a period; without it, one"),
    optional("quantity", "units, such as seats; without it, one"),
    optional("product_id", "plan or add-on"),
    optional("rank", "rank of the plan, to tell upgrades from downgrades"),
    optional("usage_type", "licensed or metered; without it, licensed"),
    optional(
        "fx_rate",
        "rate into the base currency when the price was set",
    ),
    optional("percent_off", "lasting discount in percent, such as 12.5"),
    optional(
        "started_at",
        "when it began; revenue and tenure count from the rows' own times",
    ),
    optional("trial_ends_at", "when its trial ends"),
    optional(
        "current_period_ends_at",
        "end of the period that is paid for",
    ),
    optional("canceled_at", "when the cancellation was asked for"),
    optional("cancel_at", "when a cancellation takes effect"),
    optional("ended_at", "when it ended for good"),
    optional("cancellation", "voluntary or involuntary"),
    optional("cancellation_reason", "reason that was given"),
];

const INVOICES: &[Column] = &[
    required("time", "when the row began to hold"),
    required("account_id", "your id of the account that pays"),
    required("invoice_id", "your id of the invoice"),
    required("status", "draft, open, paid, uncollectible or void"),
    required("total", "sum with tax, such as 12.34"),
    required("currency", "ISO 4217 code"),
    optional("tax", "tax in the sum"),
    optional("subscription_id", "subscription that it bills"),
    optional("due_at", "when it is due"),
];

const PAYMENTS: &[Column] = &[
    required("time", "when the row began to hold"),
    required("account_id", "your id of the account that pays"),
    required("amount", "amount, such as 12.34"),
    required("currency", "ISO 4217 code"),
    optional(
        "payment_id",
        "your id of the payment; without it, the content of the row",
    ),
    optional(
        "status",
        "processing, succeeded, failed, refunded or disputed; without it, succeeded",
    ),
    optional("invoice_id", "invoice that it pays"),
    optional("refunded", "amount that was paid back"),
    optional("failure_code", "why it failed"),
    optional("fx_rate", "rate into the base currency on its day"),
];

const DUNNING: &[Column] = &[
    required("time", "when the row began to hold"),
    required("account_id", "your id of the account"),
    required("invoice_id", "your id of the invoice"),
    required("outcome", "retrying, recovered or exhausted"),
    optional("campaign_id", "campaign that collects it"),
    optional("step", "step of the campaign, from 1"),
    optional("started_at", "when it began"),
    optional("next_retry_at", "when payment is tried again"),
    optional("recovered_at", "when it was paid"),
];

const SURVEY_RESPONSES: &[Column] = &[
    required("time", "when the row began to hold"),
    required("account_id", "your id of the account"),
    required("response_id", "your id of the response"),
    required("survey_id", "your id of the survey"),
    required("kind", "nps, csat, ces, pmf, onboarding or exit"),
    optional("user_id", "who was asked"),
    optional("sent_at", "when it was sent"),
    optional(
        "responded_at",
        "when it was answered; of an answer without this, time",
    ),
    optional("score", "score that was given; without it, none was"),
    optional("scale_min", "least score; of nps 0"),
    optional("scale_max", "greatest score; of nps 10"),
    optional("question_key", "question that it answers"),
    optional("answers", "what was chosen, with ; between"),
    optional("comment", "what was written"),
    optional("language", "language of the comment"),
    optional("sentiment", "mood of the comment, -1 to 1"),
    optional("sentiment_model", "what judged it"),
    optional("channel", "how it was sent"),
    optional("ticket_id", "ticket that it follows"),
    optional("stage", "lifecycle stage that it belongs to"),
    optional("weight", "how much it counts; without it, once"),
];

const TICKETS: &[Column] = &[
    required("time", "when the row began to hold"),
    required("account_id", "your id of the account"),
    required("ticket_id", "your id of the ticket"),
    required("status", "new, open, pending, hold, solved or closed"),
    optional("requester_user_id", "who asked"),
    optional("priority", "low, normal, high or urgent"),
    optional(
        "type",
        "question, incident, problem, task or cancellation_request",
    ),
    optional("category", "subject area"),
    optional("product_area", "part of the product"),
    optional("channel", "how it came"),
    optional("created_at", "when it was opened"),
    optional("first_response_at", "when somebody first answered"),
    optional("solved_at", "when it was solved"),
    optional("closed_at", "when it was closed"),
    optional("reopened_count", "how often it was opened again"),
    optional("message_count", "how many messages it has"),
    optional("sla_breached", "true: a promised time was missed"),
    optional("escalated", "true: it was handed to the next level"),
    optional("csat_score", "how satisfied the requester was"),
    optional("sentiment", "mood of the requester, -1 to 1"),
    optional("tags", "tags, with ; between"),
];

const OPPORTUNITIES: &[Column] = &[
    required("time", "when the row began to hold"),
    required("account_id", "your id of the account"),
    required("opportunity_id", "your id of the opportunity"),
    optional("stage", "stage as you name it"),
    optional(
        "amount",
        "what it would bring, such as 12.34; needs currency",
    ),
    optional("currency", "ISO 4217 code"),
    optional("type", "new, renewal or expansion"),
    optional("outcome", "open, won or lost; without it, open"),
    optional("origin", "rule, csm or crm"),
    optional("opened_at", "when it was seen"),
    optional("closes_at", "when it was or will be decided"),
    optional("evidence", "what speaks for it, with ; between"),
    optional("owner_id", "who looks after it"),
];

const TOUCHPOINTS: &[Column] = &[
    required("time", "when it was"),
    required("account_id", "your id of the account"),
    required("kind", "email, call, meeting or in_app"),
    optional(
        "touchpoint_id",
        "your id of it; without it, the content of the row",
    ),
    optional("owner_id", "who made it"),
    optional("user_id", "who was contacted"),
    optional("play_id", "play that it belongs to"),
    optional("outcome", "what came of it"),
    optional("minutes", "how long it took"),
];

const COSTS: &[Column] = &[
    required("time", "when the row began to hold"),
    required(
        "kind",
        "cs_salary, onboarding, training, loyalty, community, retention_marketing, tools or support",
    ),
    required("allocation", "direct, per_hour or per_mrr"),
    required("amount", "amount, such as 12.34"),
    required("currency", "ISO 4217 code"),
    required("period_starts_at", "beginning of the period"),
    required("period_ends_at", "end of the period"),
    optional(
        "cost_id",
        "your id of the cost; without it, the content of the row",
    ),
    optional("account_id", "account of a direct one"),
    optional("fx_rate", "rate into the base currency"),
];

const OUTCOME_LABELS: &[Column] = &[
    required("time", "when it happened"),
    required("account_id", "your id of the account"),
    required("kind", "churn, expansion, renewal or save"),
    optional(
        "label_id",
        "your id of the label; without it, the content of the row",
    ),
    optional(
        "horizon_days",
        "days before it within which a forecast is judged",
    ),
    optional("retracted", "true: it was wrong and counts no more"),
];

const PRODUCT_FEATURES: &[Column] = &[
    required("time", "from when the row holds"),
    required("feature_key", "its key, as events name it"),
    optional("name", "display name"),
    optional("module", "module of the product"),
    optional("tier", "plan tier from which it is included"),
    optional("is_core", "true: part of what the product is for"),
    optional(
        "depth_weight",
        "how much using it says of depth; without it, 1",
    ),
    optional("automates_action", "action that it automates"),
    optional("price_id", "price, where it is sold apart"),
    optional("retired", "true: it exists no more"),
];

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 15] = [
        Self::Accounts,
        Self::Users,
        Self::AccountUsers,
        Self::Events,
        Self::Subscriptions,
        Self::Invoices,
        Self::Payments,
        Self::Dunning,
        Self::SurveyResponses,
        Self::Tickets,
        Self::Opportunities,
        Self::Touchpoints,
        Self::Costs,
        Self::OutcomeLabels,
        Self::ProductFeatures,
    ];

    /// The name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Users => "users",
            Self::AccountUsers => "account_users",
            Self::Events => "events",
            Self::Subscriptions => "subscriptions",
            Self::Invoices => "invoices",
            Self::Payments => "payments",
            Self::Dunning => "dunning",
            Self::SurveyResponses => "survey_responses",
            Self::Tickets => "tickets",
            Self::Opportunities => "opportunities",
            Self::Touchpoints => "touchpoints",
            Self::Costs => "costs",
            Self::OutcomeLabels => "outcome_labels",
            Self::ProductFeatures => "product_features",
        }
    }

    /// The name of one of its rows, as records have it.
    fn fact(self) -> &'static str {
        match self {
            Self::Opportunities => "opportunity",
            other => other.as_str().trim_end_matches('s'),
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Its columns.
    #[must_use]
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Self::Accounts => ACCOUNTS,
            Self::Users => USERS,
            Self::AccountUsers => ACCOUNT_USERS,
            Self::Events => EVENTS,
            Self::Subscriptions => SUBSCRIPTIONS,
            Self::Invoices => INVOICES,
            Self::Payments => PAYMENTS,
            Self::Dunning => DUNNING,
            Self::SurveyResponses => SURVEY_RESPONSES,
            Self::Tickets => TICKETS,
            Self::Opportunities => OPPORTUNITIES,
            Self::Touchpoints => TOUCHPOINTS,
            Self::Costs => COSTS,
            Self::OutcomeLabels => OUTCOME_LABELS,
            Self::ProductFeatures => PRODUCT_FEATURES,
        }
    }

    /// What columns of any name may begin with, and what those hold; values of traits or data first.
    #[must_use]
    pub const fn free_prefixes(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Accounts => &[
                (TRAIT, "any further value"),
                (EXTERNAL_ID, "its id in the system of that name"),
            ],
            Self::Users => &[(TRAIT, "any further value")],
            Self::Events => &[("data.", "any further value")],
            Self::AccountUsers
            | Self::Subscriptions
            | Self::Invoices
            | Self::Payments
            | Self::Dunning
            | Self::SurveyResponses
            | Self::Tickets
            | Self::Opportunities
            | Self::Touchpoints
            | Self::Costs
            | Self::OutcomeLabels
            | Self::ProductFeatures => &[],
        }
    }

    /// What columns of further values begin with; `None` where there are none.
    pub(crate) fn value_prefix(self) -> Option<&'static str> {
        self.free_prefixes().first().map(|(prefix, _)| *prefix)
    }

    /// Whether a column of this name may be there.
    pub(crate) fn has_column(self, name: &str) -> bool {
        let is_free = |prefix: &str| name.len() > prefix.len() && name.starts_with(prefix);
        self.columns().iter().any(|column| column.name == name)
            || self
                .free_prefixes()
                .iter()
                .any(|(prefix, _)| is_free(prefix))
    }

    /// All columns in words, for the help.
    #[must_use]
    pub fn describe(self) -> String {
        let mut text = format!("Columns of {}:\n", self.as_str());
        for column in self.columns() {
            let mark = if column.required { "*" } else { " " };
            text.push_str(&format!(" {mark} {:<24}{}\n", column.name, column.about));
        }
        for (prefix, about) in self.free_prefixes() {
            text.push_str(&format!("   {:<24}{about}\n", format!("{prefix}NAME")));
        }
        text
    }
}

/// Fields of records in a unit that says its name, and the columns that they are read from.
const SCALED: [(&str, &str); 4] = [
    ("tax_minor", "tax"),
    ("refunded_minor", "refunded"),
    ("fx_rate_micros", "fx_rate"),
    ("percent_off_bps", "percent_off"),
];

/// A sentence about a record with the names of columns for those of fields.
#[must_use]
pub(crate) fn in_columns(sentence: &str) -> String {
    SCALED
        .into_iter()
        .fold(sentence.to_owned(), |sentence, (field, column)| {
            sentence.replace(field, column)
        })
}

/// The column that a field of a record is read from, by the field's path in the record, such as `amount` for
/// `payment.amount.minor`; `None` where there is no such column.
#[must_use]
pub(crate) fn column_of(field: &str) -> Option<String> {
    let (fact, path) = field.split_once('.')?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.fact() == fact)?;
    let is_column = |name: &str| kind.columns().iter().any(|column| column.name == name);
    if let Some(rest) = path
        .strip_prefix("traits[\"")
        .or_else(|| path.strip_prefix("data[\""))
    {
        let (name, _) = rest.split_once("\"]")?;
        return if kind == Kind::Accounts && is_column(name) {
            Some(name.to_owned())
        } else {
            // A name with a backslash is escaped in the path.
            let prefix = kind.value_prefix().filter(|_| !name.contains('\\'))?;
            Some(format!("{prefix}{name}"))
        };
    }
    // A row has one item with one price, and one discount.
    let path = ["items[0].", "price.", "discounts[0]."]
        .into_iter()
        .fold(path, |path, part| path.strip_prefix(part).unwrap_or(path));
    let name = match path {
        "unit_amount.minor" => "unit_amount",
        "amount.minor" => "amount",
        "total.minor" => "total",
        "unit_amount.currency" | "amount.currency" | "total.currency" => "currency",
        other => SCALED
            .into_iter()
            .find(|(field, _)| *field == other)
            .map_or(other, |(_, column)| column),
    };
    is_column(name).then(|| name.to_owned())
}
