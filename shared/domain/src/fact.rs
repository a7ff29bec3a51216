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
}

impl FactKind {
    /// All kinds, by code.
    pub const ALL: [Self; 7] = [
        Self::Account,
        Self::User,
        Self::AccountUser,
        Self::Event,
        Self::Subscription,
        Self::Invoice,
        Self::Payment,
    ];

    /// The stored code, 1 to 7.
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
        }
    }
}
