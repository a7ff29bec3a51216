//! The contract by the names of its fields: what records are read from and written to as text.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, EnumDescriptor, EnumValueDescriptor, MessageDescriptor};

use sextant_proto::FILE_DESCRIPTOR_SET;

#[expect(
    clippy::expect_used,
    reason = "generated together with the types that it describes; a test reads it"
)]
static RECORD: LazyLock<MessageDescriptor> = LazyLock::new(|| {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET)
        .ok()
        .and_then(|pool| pool.get_message_by_name("sextant.ingestion.v1.Record"))
        .expect("the contract that was built in has records")
});

/// What a record is made of.
pub(crate) fn record() -> MessageDescriptor {
    RECORD.clone()
}

/// The value of an enum by its name, whole or without its prefix, in any case: "SUCCEEDED", "succeeded" or
/// "PAYMENT_STATUS_SUCCEEDED".
///
/// # Errors
/// Says which names there are.
pub(crate) fn word(of: &EnumDescriptor, text: &str) -> Result<i32, String> {
    let upper = text.to_ascii_uppercase();
    let named = of.values().find(|value| {
        value.name() == upper || value.name().strip_prefix(&prefix(of)) == Some(&upper)
    });
    named.map(|value| value.number()).ok_or_else(|| {
        let known = words(of).join(", ");
        format!("\"{text}\" is none of {known}")
    })
}

/// The short names of an enum, in its order, without the unspecified one.
pub(crate) fn words(of: &EnumDescriptor) -> Vec<String> {
    let prefix = prefix(of);
    let short = |value: EnumValueDescriptor| {
        let name = value.name();
        name.strip_prefix(&prefix).unwrap_or(name).to_lowercase()
    };
    of.values()
        .filter(|value| value.number() != 0)
        .map(short)
        .collect()
}

/// What every name of an enum begins with: the contract calls the first one `…_UNSPECIFIED`.
fn prefix(of: &EnumDescriptor) -> String {
    let first = of.default_value();
    first.name().trim_end_matches("UNSPECIFIED").to_owned()
}
