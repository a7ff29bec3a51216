//! The columns that a CSV file of each kind may have.

use sextant_runtime::config::nearest;

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

    /// What a column of any name may begin with; empty where there are none.
    #[must_use]
    pub const fn free_prefix(self) -> &'static str {
        match self {
            Self::Accounts | Self::Users => "trait.",
            Self::Events => "data.",
            Self::AccountUsers | Self::Subscriptions | Self::Invoices | Self::Payments => "",
        }
    }

    /// All columns in words, for the help.
    #[must_use]
    pub fn describe(self) -> String {
        let mut text = format!("Columns of {}:\n", self.as_str());
        for column in self.columns() {
            let mark = if column.required { "*" } else { " " };
            text.push_str(&format!(" {mark} {:<24}{}\n", column.name, column.about));
        }
        if !self.free_prefix().is_empty() {
            text.push_str(&format!(
                "   {:<24}any further value\n",
                format!("{}NAME", self.free_prefix())
            ));
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
            (!name.contains('\\')).then(|| format!("{}{name}", kind.free_prefix()))
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

/// The header of a file: where each column is.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    kind: Kind,
    names: Vec<String>,
    /// Places of the kind's columns in its order, then of the free ones by name: the order that makes rows comparable.
    order: Vec<usize>,
}

impl Header {
    /// Checks the names of a header.
    ///
    /// # Errors
    /// What is wrong with it, in one sentence with the fix.
    pub(crate) fn read(kind: Kind, names: Vec<String>, delimiter: u8) -> Result<Self, String> {
        if let [only] = names.as_slice()
            && let Some(other) = [',', ';', '\t', '|']
                .into_iter()
                .find(|other| only.contains(*other))
            && u32::from(delimiter) != u32::from(other)
        {
            let (shown, said) = if other == '\t' {
                ("tab".to_owned(), "tab".to_owned())
            } else {
                // As a shell takes it.
                (other.to_string(), format!("'{other}'"))
            };
            return Err(format!(
                "its header is one column with \"{shown}\" in it; say --delimiter {said}"
            ));
        }
        for (place, name) in names.iter().enumerate() {
            if name.is_empty() {
                return Err(format!("column {} has no name in the header", place + 1));
            }
            if names.iter().take(place).any(|before| before == name) {
                return Err(format!(
                    "column \"{name}\" is twice in the header; remove or rename one"
                ));
            }
        }
        let mut order = Vec::new();
        for column in kind.columns() {
            match names.iter().position(|name| name == column.name) {
                Some(place) => order.push(place),
                None if column.required => return Err(missing(kind, column.name, &names)),
                None => {},
            }
        }
        order.extend(free_columns(kind, &names)?);
        if kind == Kind::Accounts
            && !names
                .iter()
                .any(|name| name == "time" || name == "created_at")
        {
            return Err(
                "needs a column \"time\" or \"created_at\": a record has a time of its own"
                    .to_owned(),
            );
        }
        Ok(Self { kind, names, order })
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn name(&self, place: usize) -> &str {
        self.names.get(place).map_or("", String::as_str)
    }

    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    /// Places of the columns, in an order that does not depend on the file's.
    pub(crate) fn order(&self) -> &[usize] {
        &self.order
    }
}

fn missing(kind: Kind, column: &str, names: &[String]) -> String {
    let others = names.iter().map(String::as_str);
    let others = others.filter(|name| !kind.columns().iter().any(|column| column.name == *name));
    let meant = others.filter(|name| meant_by(name, kind) == Some(column));
    let meant: Vec<String> = meant
        .map(|name| format!("; did you mean it by \"{name}\"?"))
        .collect();
    format!(
        "lacks the column \"{column}\" that {} need{}; its header is {}",
        kind.as_str(),
        meant.concat(),
        names.join(", ")
    )
}

/// The column of the kind that a name may stand for.
fn meant_by(name: &str, kind: Kind) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    nearest(&lower, kind.columns().iter().map(|column| column.name))
}

/// Places of the columns that are not the kind's own, by name.
fn free_columns(kind: Kind, names: &[String]) -> Result<Vec<usize>, String> {
    let prefix = kind.free_prefix();
    let mut free: Vec<(&str, usize)> = Vec::new();
    for (place, name) in names.iter().enumerate() {
        if kind.columns().iter().any(|column| column.name == name) {
            continue;
        }
        if prefix.is_empty() || !name.starts_with(prefix) || name.len() == prefix.len() {
            let known: Vec<&str> = kind.columns().iter().map(|column| column.name).collect();
            let free = if prefix.is_empty() {
                String::new()
            } else {
                format!(", {prefix}NAME")
            };
            let meant = meant_by(name, kind).map(|meant| format!("did you mean \"{meant}\"? "));
            return Err(format!(
                "column \"{name}\" is none of {}{free}; {}rename or remove it",
                known.join(", "),
                meant.unwrap_or_default()
            ));
        }
        free.push((name, place));
    }
    free.sort_unstable();
    Ok(free.into_iter().map(|(_, place)| place).collect())
}
