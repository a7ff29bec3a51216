//! Facts: what was observed about an account, once, with time and source.

/// What kind of fact a record holds. The codes are stored: never change one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactKind {
    /// State of an account.
    Account,
    /// State of a user.
    User,
    /// A user joined or left an account.
    AccountUser,
    /// Something happened.
    Event,
    /// State of a subscription.
    Subscription,
    /// State of an invoice.
    Invoice,
    /// State of a payment.
    Payment,
    /// State of a response to a survey.
    SurveyResponse,
    /// State of a support ticket.
    Ticket,
    /// State of an opportunity to sell.
    Opportunity,
    /// A contact with an account.
    Touchpoint,
    /// What was spent on keeping accounts.
    Cost,
    /// What became of an account.
    OutcomeLabel,
    /// State of a product feature in the catalogue.
    ProductFeature,
    /// State of the collection of an unpaid invoice.
    Dunning,
}

impl FactKind {
    /// All kinds, by code.
    pub const ALL: [Self; 15] = [
        Self::Account,
        Self::User,
        Self::AccountUser,
        Self::Event,
        Self::Subscription,
        Self::Invoice,
        Self::Payment,
        Self::SurveyResponse,
        Self::Ticket,
        Self::Opportunity,
        Self::Touchpoint,
        Self::Cost,
        Self::OutcomeLabel,
        Self::ProductFeature,
        Self::Dunning,
    ];

    /// The stored code, 1 to 15.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Account => 1,
            Self::User => 2,
            Self::AccountUser => 3,
            Self::Event => 4,
            Self::Subscription => 5,
            Self::Invoice => 6,
            Self::Payment => 7,
            Self::SurveyResponse => 8,
            Self::Ticket => 9,
            Self::Opportunity => 10,
            Self::Touchpoint => 11,
            Self::Cost => 12,
            Self::OutcomeLabel => 13,
            Self::ProductFeature => 14,
            Self::Dunning => 15,
        }
    }

    /// The kind of a stored code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The name of the field that holds it in a record, such as "account_user".
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::User => "user",
            Self::AccountUser => "account_user",
            Self::Event => "event",
            Self::Subscription => "subscription",
            Self::Invoice => "invoice",
            Self::Payment => "payment",
            Self::SurveyResponse => "survey_response",
            Self::Ticket => "ticket",
            Self::Opportunity => "opportunity",
            Self::Touchpoint => "touchpoint",
            Self::Cost => "cost",
            Self::OutcomeLabel => "outcome_label",
            Self::ProductFeature => "product_feature",
            Self::Dunning => "dunning",
        }
    }
}
