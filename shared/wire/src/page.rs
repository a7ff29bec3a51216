//! Page sizes and page tokens. A token is bound to the request that it continues: changed parameters are refused.

use hmac::{Hmac, KeyInit, Mac};
use prost::Message;
use sha2::Sha256;

use sextant_proto::common::v1::ErrorReason;

use crate::status::Problem;

/// Size of a page when none is asked for.
pub const DEFAULT_PAGE_SIZE: usize = 50;
/// Largest page.
pub const MAX_PAGE_SIZE: usize = 1000;
/// Rows of one page, in bytes: an answer stays below the 4 MiB that clients take by default.
pub const MAX_PAGE_BYTES: usize = 3 << 20;
const TAG_BYTES: usize = 12;

/// The size of a page: 0 is the default, more than the maximum is the maximum.
///
/// # Errors
/// Negative.
pub fn size(asked: i32) -> Result<usize, Problem> {
    match usize::try_from(asked) {
        Ok(0) => Ok(DEFAULT_PAGE_SIZE),
        Ok(size) => Ok(size.min(MAX_PAGE_SIZE)),
        Err(_) => Err(Problem::field(
            ErrorReason::FieldInvalid,
            "page_size",
            "must not be negative",
        )),
    }
}

/// How many rows, of these sizes in bytes, fit one page: the leading ones, and at least one, however large.
pub fn fitting(sizes: impl IntoIterator<Item = usize>) -> usize {
    let mut n_bytes = 0_usize;
    let fits = |(place, size): &(usize, usize)| {
        n_bytes = n_bytes.saturating_add(*size);
        n_bytes <= MAX_PAGE_BYTES || *place == 0
    };
    sizes.into_iter().enumerate().take_while(fits).count()
}

/// Makes and checks page tokens with a key that all replicas share.
#[derive(Clone)]
pub struct Pager {
    key: Hmac<Sha256>,
}

impl std::fmt::Debug for Pager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pager")
    }
}

impl Pager {
    /// A pager that signs with a secret of any length.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        // HMAC takes keys of every length; the block size is the fallback that cannot be met.
        let key = Hmac::new_from_slice(secret).unwrap_or_else(|_| Hmac::new(&Default::default()));
        Self { key }
    }

    /// The token that continues `request` (its page fields emptied by the caller) of one tenant behind `cursor`.
    pub fn token<M: Message>(&self, tenant: u128, request: &M, cursor: &str) -> String {
        let tag = self.tag(tenant, request, cursor);
        format!("{}.{cursor}", hex(&tag))
    }

    /// The cursor of a token; `None` for an empty one.
    ///
    /// # Errors
    /// The token was made for another request or was changed.
    pub fn cursor<M: Message>(
        &self,
        tenant: u128,
        request: &M,
        token: &str,
    ) -> Result<Option<String>, Problem> {
        if token.is_empty() {
            return Ok(None);
        }
        let foreign = || {
            Problem::field(
                ErrorReason::PageTokenInvalid,
                "page_token",
                "does not belong to this request; start again without one",
            )
        };
        let (tag, cursor) = token.split_once('.').ok_or_else(foreign)?;
        let expected = hex(&self.tag(tenant, request, cursor));
        if !constant_time_equal(tag.as_bytes(), expected.as_bytes()) {
            return Err(foreign());
        }
        Ok(Some(cursor.to_owned()))
    }

    fn tag<M: Message>(&self, tenant: u128, request: &M, cursor: &str) -> [u8; TAG_BYTES] {
        let mut mac = self.key.clone();
        mac.update(std::any::type_name::<M>().as_bytes());
        mac.update(&tenant.to_be_bytes());
        let request = request.encode_to_vec();
        mac.update(
            &u64::try_from(request.len())
                .unwrap_or(u64::MAX)
                .to_be_bytes(),
        );
        mac.update(&request);
        mac.update(cursor.as_bytes());
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&mac.finalize().into_bytes()[..TAG_BYTES]);
        tag
    }
}

fn constant_time_equal(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .fold(0, |differs, (l, r)| differs | (l ^ r))
            == 0
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
