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

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Accounts,
        Self::Users,
        Self::AccountUsers,
        Self::Events,
        Self::Subscriptions,
        Self::Invoices,
        Self::Payments,
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
            Self::AccountUsers | Self::Subscriptions | Self::Invoices | Self::Payments => &[],
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
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| kind.as_str().strip_suffix('s') == Some(fact))?;
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
