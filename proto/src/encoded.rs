//! Answers whose parts stay encoded, so that what a cache holds is sent as it is.

use bytes::Bytes;
use prost::{DecodeError, Message};

use crate::common::v1::Freshness;
use crate::segmentation::v1::Membership;

/// One membership.
///
/// The type that `GetMembershipResponse` of the `.proto` file would generate, but with encoded parts: on the wire, a message
/// within a message is the same as a field of bytes.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct GetMembershipResponse {
    /// The membership, an encoded [`Membership`].
    #[prost(bytes = "bytes", tag = "1")]
    pub membership: Bytes,
    /// How current the answer is, an encoded [`Freshness`].
    #[prost(bytes = "bytes", tag = "2")]
    pub freshness: Bytes,
}

impl GetMembershipResponse {
    /// The membership.
    ///
    /// # Errors
    /// The server sent something else.
    pub fn membership(&self) -> Result<Membership, DecodeError> {
        Membership::decode(self.membership.clone())
    }

    /// How current the answer is.
    ///
    /// # Errors
    /// The server sent something else.
    pub fn freshness(&self) -> Result<Freshness, DecodeError> {
        Freshness::decode(self.freshness.clone())
    }
}
