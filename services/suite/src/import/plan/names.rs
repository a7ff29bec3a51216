//! What the columns of exports are called.

use crate::import::columns::{EXTERNAL_ID, Kind};

/// A product whose exports are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Product {
    HubSpot,
    Salesforce,
}

/// What a column of ours is called, in letters and digits alone; the likeliest first.
type Names = (&'static str, &'static [&'static str]);

const ACCOUNTS: &[Names] = &[
    (
        "account_id",
        &[
            "accountid",
            "companyid",
            "customerid",
            "organizationid",
            "workspaceid",
            "tenantid",
            "recordid",
            "id",
        ],
    ),
    (
        "time",
        &[
            "time",
            "updatedat",
            "lastmodifieddate",
            "lastmodified",
            "modifiedat",
            "lastupdated",
        ],
    ),
    (
        "name",
        &[
            "name",
            "accountname",
            "companyname",
            "company",
            "customername",
            "organization",
        ],
    ),
    (
        "created_at",
        &[
            "createdat",
            "createddate",
            "createdate",
            "created",
            "signupdate",
            "customersince",
        ],
    ),
    ("domain", &["domain", "companydomainname", "companydomain"]),
    (
        "owner_id",
        &[
            "ownerid",
            "accountownerid",
            "owner",
            "accountowner",
            "companyowner",
            "accountmanager",
            "csm",
        ],
    ),
    (
        "parent_account_id",
        &["parentaccountid", "parentid", "parentcompanyid"],
    ),
    ("industry", &["industry"]),
    (
        "employee_count",
        &[
            "employeecount",
            "numberofemployees",
            "employees",
            "headcount",
        ],
    ),
    ("country", &["country", "countryregion", "billingcountry"]),
    (
        "renewal_at",
        &[
            "renewalat",
            "renewaldate",
            "contractrenewaldate",
            "contractenddate",
        ],
    ),
];

const OTHERS: &[Names] = &[
    (
        "time",
        &[
            "time",
            "date",
            "timestamp",
            "updatedat",
            "occurredat",
            "createdat",
            "createddate",
            "created",
        ],
    ),
    (
        "account_id",
        &[
            "accountid",
            "companyid",
            "customerid",
            "customer",
            "organizationid",
            "workspaceid",
            "account",
        ],
    ),
    (
        "user_id",
        &["userid", "contactid", "user", "distinctid", "personid"],
    ),
    ("role", &["role"]),
    ("type", &["type", "event", "eventname", "eventtype"]),
    ("id", &["id", "eventid", "messageid", "uuid"]),
    ("feature_key", &["featurekey", "feature"]),
    ("quantity", &["quantity", "seats"]),
    ("duration_ms", &["durationms"]),
    ("subscription_id", &["subscriptionid", "subscription"]),
    ("invoice_id", &["invoiceid", "invoice", "invoicenumber"]),
    ("payment_id", &["paymentid", "chargeid", "transactionid"]),
    ("status", &["status"]),
    ("price_id", &["priceid", "plan", "planid"]),
    ("unit_amount", &["unitamount", "planamount", "price"]),
    ("currency", &["currency"]),
    ("interval", &["interval", "planinterval", "billinginterval"]),
    ("interval_count", &["intervalcount", "planintervalcount"]),
    ("product_id", &["productid", "product"]),
    ("started_at", &["startedat", "startdate", "start"]),
    ("trial_ends_at", &["trialendsat", "trialend"]),
    (
        "current_period_ends_at",
        &["currentperiodendsat", "currentperiodend"],
    ),
    ("canceled_at", &["canceledat", "cancelledat"]),
    ("cancel_at", &["cancelat"]),
    ("ended_at", &["endedat"]),
    ("cancellation_reason", &["cancellationreason"]),
    ("total", &["total", "invoicetotal"]),
    ("tax", &["tax"]),
    ("due_at", &["dueat", "duedate"]),
    ("amount", &["amount", "amountpaid"]),
    ("refunded", &["refunded", "amountrefunded"]),
    ("failure_code", &["failurecode"]),
    ("response_id", &["responseid"]),
    ("survey_id", &["surveyid"]),
    ("kind", &["kind"]),
    ("score", &["score", "npsscore", "rating"]),
    ("responded_at", &["respondedat", "responsedate"]),
    ("comment", &["comment", "feedback"]),
    ("ticket_id", &["ticketid", "ticketnumber"]),
    ("requester_user_id", &["requesterid"]),
    ("priority", &["priority"]),
    ("first_response_at", &["firstresponseat"]),
    ("solved_at", &["solvedat", "resolvedat"]),
    ("closed_at", &["closedat", "closeddate"]),
    ("tags", &["tags"]),
    ("opportunity_id", &["opportunityid", "dealid"]),
    ("stage", &["stage", "stagename", "dealstage"]),
    ("closes_at", &["closesat", "closedate"]),
    ("owner_id", &["ownerid", "owner"]),
];

impl Product {
    /// The product that wrote a header, if it is known.
    pub(super) fn of(names: &[String]) -> Option<Self> {
        let names: Vec<String> = names.iter().map(|name| letters(name)).collect();
        let has = |name: &str| names.iter().any(|one| one == name);
        // Exports of the same product about something else.
        let others = [
            "stagename",
            "dealstage",
            "email",
            "firstname",
            "closedate",
            "casenumber",
        ];
        let is_of_an_account = has("id") && has("accountid");
        if is_of_an_account || others.into_iter().any(has) {
            return None;
        }
        if has("recordid") && (has("companyname") || has("companydomainname")) {
            return Some(Self::HubSpot);
        }
        // With the names of the API, or with those of reports.
        let of_api = has("id") && has("name") && (has("ownerid") || has("billingcountry"));
        let of_report = has("accountid") && has("accountname") && has("accountowner");
        (of_api || of_report).then_some(Self::Salesforce)
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::HubSpot => "HubSpot's companies",
            Self::Salesforce => "Salesforce's accounts",
        }
    }

    /// What the column is called that holds its own ids, and what other accounts name it by.
    const fn own_id(self) -> (&'static [&'static str], &'static str) {
        match self {
            Self::HubSpot => (&["recordid"], "hubspot"),
            Self::Salesforce => (&["id", "accountid"], "salesforce"),
        }
    }
}

/// What the rows of a file are, by how many columns that every row must have its header has.
pub(super) fn kind_of(product: Option<Product>, names: &[String]) -> Kind {
    if product.is_some() {
        return Kind::Accounts;
    }
    let share = |kind: Kind| {
        let targets: Vec<String> = names
            .iter()
            .flat_map(|name| meant(kind, None, name).targets)
            .collect();
        let required = kind.columns().iter().filter(|column| column.required);
        let (mut n_required, mut n_found) = (0, 0);
        for column in required {
            n_required += 1;
            n_found += usize::from(targets.iter().any(|target| target == column.name));
        }
        // All of many says more than all of few.
        let is_whole = n_found == n_required;
        (is_whole, n_found, targets.len())
    };
    let best = Kind::ALL.into_iter().rev().max_by_key(|kind| share(*kind));
    best.unwrap_or(Kind::Accounts)
}

/// What a column is by its name.
#[derive(Debug, Default)]
pub(super) struct Meaning {
    pub(super) targets: Vec<String>,
    /// How far down the list of names it is: the fewer, the plainer.
    pub(super) rank: usize,
}

/// What a column of this name is.
pub(super) fn meant(kind: Kind, product: Option<Product>, name: &str) -> Meaning {
    let of = |targets, rank| Meaning { targets, rank };
    if kind.has_column(name) {
        return of(vec![name.to_owned()], 0);
    }
    let name = letters(name);
    if let Some(product) = product {
        let (ids, system) = product.own_id();
        if ids.contains(&name.as_str()) {
            let external = format!("{EXTERNAL_ID}{system}");
            return of(vec!["account_id".to_owned(), external], 0);
        }
    }
    // When something began is its time only where it has no other place for that.
    if name.starts_with("created") && kind.has_column("created_at") {
        return of(vec!["created_at".to_owned()], 1);
    }
    let all = if kind == Kind::Accounts {
        ACCOUNTS
    } else {
        OTHERS
    };
    let known = all.iter().filter(|(target, _)| kind.has_column(target));
    let mut found = known.filter_map(|(target, names)| {
        let rank = names.iter().position(|one| *one == name)?;
        Some(of(vec![(*target).to_owned()], rank + 1))
    });
    found.next().unwrap_or_default()
}

/// A name in lower case, of letters and digits alone.
fn letters(name: &str) -> String {
    let letters = name.chars().filter(|letter| letter.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// A name as traits have it: `Annual Revenue` and `AnnualRevenue` are `annual_revenue`.
pub(super) fn snake(name: &str) -> String {
    const MAX_BYTES: usize = 180;
    let mut snake = String::new();
    let mut before = ' ';
    for letter in name.chars() {
        let begins = letter.is_uppercase() && before.is_lowercase();
        let is_apart = !letter.is_alphanumeric();
        if (begins || is_apart) && !snake.is_empty() && !snake.ends_with('_') {
            snake.push('_');
        }
        if !is_apart {
            snake.extend(letter.to_lowercase());
        }
        before = letter;
    }
    let snake = snake.trim_end_matches('_');
    let (cut, _) = snake.split_at(snake.floor_char_boundary(MAX_BYTES));
    if cut.is_empty() { "column" } else { cut }.to_owned()
}
