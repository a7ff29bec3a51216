//! API keys: `sx_<id>_<secret>`, 16 hexadecimal digits of id and 64 of secret. Only the secret's SHA-256 is ever stored.

use std::fmt;
use std::hint::black_box;

use sha2::{Digest as _, Sha256};

const PREFIX: &str = "sx_";
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;

/// The public half of a key: what it is looked up by, listed by and revoked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u64);

impl KeyId {
    /// Reads 16 lower-case hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        from_hex::<ID_BYTES>(text).map(|bytes| Self(u64::from_be_bytes(bytes)))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// SHA-256 of a key's secret: what is stored.
#[derive(Clone, Copy)]
pub struct SecretDigest(pub [u8; 32]);

impl SecretDigest {
    /// Compares without telling by its duration where the first difference is.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        let difference = self
            .0
            .iter()
            .zip(&other.0)
            .fold(0_u8, |seen, (left, right)| black_box(seen | (left ^ right)));
        black_box(difference) == 0
    }
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest(…)")
    }
}

/// A whole key, as its owner holds it.
#[derive(Clone)]
pub struct Key {
    id: KeyId,
    secret: [u8; SECRET_BYTES],
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, …)", self.id)
    }
}

/// Why there is no key.
#[derive(Debug)]
pub enum KeyError {
    /// The text is no key. It is not repeated: it may be most of one.
    Malformed,
    /// The system gives no random bytes.
    NoRandomness {
        /// What the system said.
        source: getrandom::Error,
    },
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => write!(
                f,
                "not a key of the form sx_<16 hexadecimal digits>_<64 hexadecimal digits>"
            ),
            Self::NoRandomness { .. } => write!(f, "no random bytes for a new key"),
        }
    }
}

impl std::error::Error for KeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Malformed => None,
            Self::NoRandomness { source } => Some(source),
        }
    }
}

impl Key {
    /// A new key: 64 random bits of id, 256 of secret.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn generate() -> Result<Self, KeyError> {
        let mut id = [0_u8; ID_BYTES];
        let mut secret = [0_u8; SECRET_BYTES];
        getrandom::fill(&mut id).map_err(|source| KeyError::NoRandomness { source })?;
        getrandom::fill(&mut secret).map_err(|source| KeyError::NoRandomness { source })?;
        Ok(Self {
            id: KeyId(u64::from_be_bytes(id)),
            secret,
        })
    }

    /// Reads `sx_<id>_<secret>`.
    ///
    /// # Errors
    /// The text is no key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let halves = text
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('_'));
        let (id, secret) = halves.ok_or(KeyError::Malformed)?;
        let id = KeyId::parse(id).ok_or(KeyError::Malformed)?;
        let secret = from_hex(secret).ok_or(KeyError::Malformed)?;
        Ok(Self { id, secret })
    }

    /// The public half.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// What to store: SHA-256 over the 32 bytes of the secret.
    #[must_use]
    pub fn digest(&self) -> SecretDigest {
        SecretDigest(Sha256::digest(self.secret).into())
    }

    /// The whole key as text, to be shown to its owner once.
    #[must_use]
    pub fn expose(&self) -> String {
        use fmt::Write as _;
        let mut text = format!("{PREFIX}{}_", self.id);
        for byte in self.secret {
            // Writing to a String cannot fail.
            if write!(text, "{byte:02x}").is_err() {
                break;
            }
        }
        text
    }
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N * 2 {
        return None;
    }
    let mut bytes = [0_u8; N];
    let mut all = 0;
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let (high, low) = (NIBBLES[usize::from(pair[0])], NIBBLES[usize::from(pair[1])]);
        all |= high | low;
        *byte = high << 4 | low;
    }
    (all < 16).then_some(bytes)
}

/// Values of hexadecimal digits; of all else, more than any digit's. A table, for every call reads a key.
const NIBBLES: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    values
};
