//! Endpoints of webhooks: where another system sends what happens there, and how its signature is checked.
//!
//! An endpoint is a file `NAME.json` in the directory `ingest.webhook_dir`, read at every delivery: a changed one counts at once.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

use sextant_domain::id::ExternalId;
use sextant_domain::money::Currency;
use sextant_domain::time::Instant;
use sextant_proto::common::v1::ErrorReason;
use sextant_runtime::blocking;
use sextant_wire::status::Problem;

/// How far the moment of a signature may be from now, as Stripe's own libraries have it: who has seen a delivery cannot send it for ever.
const TOLERANCE_S: u64 = 300;
/// Signatures of one delivery: one for each secret that Stripe has of the endpoint.
const MAX_SIGNATURES: usize = 16;
const MAX_NAME_BYTES: usize = 64;
const MAX_FILE_BYTES: u64 = 1 << 20;

/// An endpoint as its file describes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Endpoint {
    /// Name or id of the tenant.
    pub(crate) tenant: String,
    /// Source of its records.
    #[serde(default = "default_source")]
    pub(crate) source: String,
    /// Secrets that it is signed with: several while one is replaced by another.
    signing_secrets: Vec<SigningSecret>,
    /// What becomes of customers that belong to no account.
    #[serde(default)]
    pub(crate) accounts: Accounts,
    /// Name of the metadata of a customer that holds the id of its account.
    #[serde(default = "default_metadata")]
    pub(crate) account_metadata: String,
    /// Units of the tenant's base currency for one of another, in millionths, by ISO 4217 code.
    #[serde(default)]
    pub(crate) fx_rate_micros: BTreeMap<String, i64>,
}

/// What becomes of customers that belong to no account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Accounts {
    /// They wait until an account has them among its external ids.
    #[default]
    Match,
    /// Each becomes an account, under its own id.
    Create,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct SigningSecret(String);

impl std::fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningSecret")
    }
}

fn default_source() -> String {
    "stripe".to_owned()
}

fn default_metadata() -> String {
    "account_id".to_owned()
}

impl Endpoint {
    /// The endpoint of a name.
    ///
    /// # Errors
    /// WEBHOOK_UNKNOWN; INTERNAL where its file cannot be used (the log says why).
    pub(crate) async fn find(directory: Option<&Path>, name: &str) -> Result<Self, Problem> {
        let Some(directory) = directory.filter(|_| is_name(name)) else {
            return Err(unknown());
        };
        let path = directory.join(name).with_extension("json");
        blocking(move || read(&path)).await
    }

    /// Refuses what is not signed with a secret of this endpoint, or was signed too long ago. `header` is what `Stripe-Signature` says:
    /// `t=SECONDS,v1=HEX`, with one `v1` for each secret.
    ///
    /// # Errors
    /// SIGNATURE_INVALID.
    pub(crate) fn verify(&self, header: &str, body: &[u8], now: Instant) -> Result<(), Problem> {
        let mut signed_at = None;
        let mut signatures = Vec::new();
        for part in header.split(',') {
            match part.trim().split_once('=') {
                Some(("t", seconds)) => signed_at = Some(seconds),
                Some(("v1", hex)) => signatures.extend(bytes_of(hex)),
                _ => {},
            }
        }
        let signed_at = signed_at.ok_or_else(|| invalid("names no moment (t=)"))?;
        let seconds: i64 = signed_at
            .parse()
            .map_err(|_no_number| invalid("names a moment that is no number of seconds"))?;
        if now.0.div_euclid(1_000_000).abs_diff(seconds) > TOLERANCE_S {
            let message = format!(
                "is of a moment more than {TOLERANCE_S} seconds from now; Stripe signs each try anew, and the clocks must agree"
            );
            return Err(invalid(message));
        }
        if signatures.len() > MAX_SIGNATURES {
            return Err(invalid(format!(
                "holds more than {MAX_SIGNATURES} signatures (v1=)"
            )));
        }
        let mut secrets = self.signing_secrets.iter();
        let is_signed = secrets.any(|secret| secret.has_signed(signed_at, body, &signatures));
        if !is_signed {
            return Err(invalid(
                "holds no signature (v1=) of this body with a secret of this endpoint; compare its file with the secret that Stripe shows",
            ));
        }
        Ok(())
    }
}

/// Whether a name is that of a file in the directory, and of none elsewhere.
fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(is_plain)
}

fn read(path: &Path) -> Result<Endpoint, Problem> {
    let damaged = |error: String| {
        tracing::error!(path = %path.display(), %error, "the file of a webhook's endpoint cannot be used");
        let message = "the file of this endpoint cannot be used; the log says why";
        Problem::new(ErrorReason::Internal, message)
    };
    let size = match std::fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(unknown()),
        Err(error) => return Err(damaged(error.to_string())),
    };
    if size > MAX_FILE_BYTES {
        return Err(damaged(format!("has more than {MAX_FILE_BYTES} bytes")));
    }
    let text = std::fs::read(path).map_err(|error| damaged(error.to_string()))?;
    // What the parser says of it may hold a secret.
    let endpoint: Endpoint = serde_json::from_slice(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        damaged(format!(
            "is not as an endpoint is described ({:?} error at line {line}, column {column})",
            error.classify()
        ))
    })?;
    let is_open = |SigningSecret(secret): &SigningSecret| secret.trim().is_empty();
    if endpoint.signing_secrets.is_empty() || endpoint.signing_secrets.iter().any(is_open) {
        return Err(damaged(
            "signing_secrets names none, or an empty one".to_owned(),
        ));
    }
    let is_wrong = |code: &str, micros: i64| Currency::parse(code).is_err() || micros <= 0;
    let mut rates = endpoint.fx_rate_micros.iter();
    if let Some((code, _)) = rates.find(|(code, micros)| is_wrong(code, **micros)) {
        let why = "it takes ISO 4217 codes and rates above 0";
        return Err(damaged(format!("fx_rate_micros has {code:?}; {why}")));
    }
    if ExternalId::parse(&endpoint.source).is_err() {
        return Err(damaged("source is no name of a source".to_owned()));
    }
    Ok(endpoint)
}

fn unknown() -> Problem {
    let message = "no such endpoint: it is the name of a file in ingest.webhook_dir, without .json";
    Problem::new(ErrorReason::WebhookUnknown, message)
}

fn invalid(message: impl Into<String>) -> Problem {
    Problem::field(ErrorReason::SignatureInvalid, "stripe-signature", message)
}

impl SigningSecret {
    /// Whether one of the signatures is of this secret: Stripe signs the moment, a point and the body with its whole text (HMAC, SHA-256).
    fn has_signed(&self, signed_at: &str, body: &[u8], signatures: &[Vec<u8>]) -> bool {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()) else {
            return false;
        };
        mac.update(signed_at.as_bytes());
        mac.update(b".");
        mac.update(body);
        // Takes as long for a wrong signature as for a right one; the body is read once, however many there are.
        let mut all = signatures.iter();
        all.any(|signature| mac.clone().verify_slice(signature).is_ok())
    }
}

/// The bytes of a text in hexadecimal; `None` where it is none.
fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    pairs
        .iter()
        .map(|[high, low]| u8::try_from(digit(*high)? << 4 | digit(*low)?).ok())
        .collect()
}

#[cfg(test)]
mod tests;
