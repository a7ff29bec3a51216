//! Who and what a fact is about, and what makes two deliveries the same record.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::time::Instant;

/// Longest external id, in bytes. Stripe, Segment and the CRMs stay below 100.
pub const MAX_EXTERNAL_ID_BYTES: usize = 200;

/// One company that runs Sextant for its accounts: the isolation and sharding boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(pub u128);

/// Sextant's own id of an account: a UUIDv7, assigned once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountUid(pub u128);

/// A part of a tenant's accounts that has its own feed numbers. Most tenants have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Slice(pub u16);

impl Slice {
    /// The slice of an account, fixed for ever by its external id (first two bytes of its SHA-256).
    #[must_use]
    pub fn of_account(id: &ExternalId, n_slices: u16) -> Self {
        if n_slices <= 1 {
            return Self(0);
        }
        let digest = Sha256::digest(id.as_str().as_bytes());
        Self(u16::from_be_bytes([digest[0], digest[1]]) % n_slices)
    }
}

/// An id that the tenant's own systems gave: 1 to 200 bytes of text without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExternalId(Box<str>);

/// Why a text cannot be an external id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExternalIdError {
    /// The text is empty.
    Missing,
    /// The text has more than [`MAX_EXTERNAL_ID_BYTES`] bytes.
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// The text holds a control character (NUL, newline, bidirectional override …).
    ControlCharacter {
        /// Byte offset of the first one.
        at: usize,
    },
}

impl fmt::Display for ExternalIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "must not be empty"),
            Self::TooLong { bytes } => write!(
                f,
                "has {bytes} bytes, at most {MAX_EXTERNAL_ID_BYTES} are allowed"
            ),
            Self::ControlCharacter { at } => write!(f, "has a control character at byte {at}"),
        }
    }
}

impl std::error::Error for ExternalIdError {}

impl ExternalId {
    /// Checks and takes over a text.
    ///
    /// # Errors
    /// Empty, too long, or with a control or bidirectional-override character.
    pub fn parse(text: &str) -> Result<Self, ExternalIdError> {
        if text.is_empty() {
            return Err(ExternalIdError::Missing);
        }
        if text.len() > MAX_EXTERNAL_ID_BYTES {
            return Err(ExternalIdError::TooLong { bytes: text.len() });
        }
        if let Some((at, _)) = text.char_indices().find(|(_, c)| is_invisible_control(*c)) {
            return Err(ExternalIdError::ControlCharacter { at });
        }
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How a record names its account: by the tenant's own id, by what another system calls it, or by one of its users.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountKey(Box<str>);

/// What an [`AccountKey`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountName<'k> {
    /// The tenant's own id.
    Own(&'k str),
    /// What another system calls it.
    InSystem {
        /// The system, such as "stripe".
        system: &'k str,
        /// Its id there.
        id: &'k str,
    },
    /// A user who is in it.
    OfUser(&'k str),
    /// The account that it belongs to.
    ChildrenOf(&'k str),
}

impl AccountKey {
    /// Begins each part of a key that is no own id, which can hold none: it is a control character. The keys are stored: never
    /// change it.
    const PART: char = '\u{1f}';

    /// The key of an account that another system knows.
    #[must_use]
    pub fn in_system(system: &ExternalId, id: &ExternalId) -> Self {
        let part = Self::PART;
        Self(format!("{part}{system}{part}{id}").into())
    }

    /// The key of the account that a user is in.
    #[must_use]
    pub fn of_user(user: &ExternalId) -> Self {
        let part = Self::PART;
        Self(format!("{part}{part}{user}").into())
    }

    /// The key of the accounts that belong to one.
    #[must_use]
    pub fn children_of(parent: &ExternalId) -> Self {
        let part = Self::PART;
        Self(format!("{part}{part}{part}{parent}").into())
    }

    /// A key as it was stored.
    #[must_use]
    pub fn stored(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The key as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it says.
    #[must_use]
    pub fn name(&self) -> AccountName<'_> {
        let Some(parts) = self.0.strip_prefix(Self::PART) else {
            return AccountName::Own(&self.0);
        };
        match parts.split_once(Self::PART) {
            Some(("", rest)) => match rest.strip_prefix(Self::PART) {
                Some(parent) => AccountName::ChildrenOf(parent),
                None => AccountName::OfUser(rest),
            },
            Some((system, id)) => AccountName::InSystem { system, id },
            None => AccountName::OfUser(parts),
        }
    }

    /// The tenant's own id, where it is one.
    #[must_use]
    pub fn own(&self) -> Option<&str> {
        match self.name() {
            AccountName::Own(id) => Some(id),
            AccountName::InSystem { .. } | AccountName::OfUser(_) | AccountName::ChildrenOf(_) => {
                None
            },
        }
    }
}

impl From<&ExternalId> for AccountKey {
    fn from(id: &ExternalId) -> Self {
        Self(id.0.clone())
    }
}

impl From<ExternalId> for AccountKey {
    fn from(id: ExternalId) -> Self {
        Self(id.0)
    }
}

impl fmt::Display for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_invisible_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// What makes two deliveries the same record: the hour of the record's own, uncorrected time and a 128-bit hash of
/// source and id (ARCHITECTURE "Identity of a record"). The hash is the first 16 bytes of
/// SHA-256(source bytes, 0x00, id bytes), named and frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordIdentity {
    /// Hours since 1970-01-01T00Z of the record's own time.
    pub hour: i32,
    /// Hash of source and id.
    pub hash: u128,
}

impl RecordIdentity {
    /// The identity of a record.
    #[must_use]
    pub fn new(source: &str, id: &str, own_time: Instant) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(source.as_bytes());
        hasher.update([0]);
        hasher.update(id.as_bytes());
        Self {
            hour: own_time.hour(),
            hash: first_16(hasher),
        }
    }
}

/// A 128-bit hash of a record's payload, to tell a duplicate from a conflict: the first 16 bytes of SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PayloadHash(pub u128);

impl PayloadHash {
    /// The hash of a canonical payload.
    #[must_use]
    pub fn of(payload: &[u8]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(payload);
        Self(first_16(hasher))
    }
}

fn first_16(hasher: Sha256) -> u128 {
    let digest = hasher.finalize();
    let mut head = [0_u8; 16];
    head.copy_from_slice(&digest[..16]);
    u128::from_be_bytes(head)
}
