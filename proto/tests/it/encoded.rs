//! Types that are written by hand say what the `.proto` files say.

use bytes::Bytes;
use prost::Message;

use sextant_proto::common::v1::Freshness;
use sextant_proto::segmentation::v1::{GetMembershipResponse, Membership};

use crate::fresh::descriptors;

#[test]
fn an_answer_with_encoded_parts_has_the_fields_of_the_proto_file() {
    let files = descriptors().file;
    let message = files
        .iter()
        .filter(|file| file.package() == "sextant.segmentation.v1")
        .flat_map(|file| &file.message_type)
        .find(|message| message.name() == "GetMembershipResponse")
        .unwrap();
    let fields: Vec<(i32, &str, &str)> = message
        .field
        .iter()
        .map(|field| (field.number(), field.name(), field.type_name()))
        .collect();
    assert_eq!(
        fields,
        [
            (1, "membership", ".sextant.segmentation.v1.Membership"),
            (2, "freshness", ".sextant.common.v1.Freshness"),
        ]
    );
}

#[test]
fn an_answer_with_encoded_parts_is_encoded_as_messages_within_a_message_are() {
    /// As it would be generated.
    #[derive(Clone, PartialEq, Message)]
    struct Generated {
        #[prost(message, optional, tag = "1")]
        membership: Option<Membership>,
        #[prost(message, optional, tag = "2")]
        freshness: Option<Freshness>,
    }
    let (membership, freshness) = (
        Membership {
            segment: "high".to_owned(),
            provisional: true,
            ..Membership::default()
        },
        Freshness {
            position: "1.0-7".to_owned(),
            ..Freshness::default()
        },
    );
    let answer = GetMembershipResponse {
        membership: membership.encode_to_vec().into(),
        freshness: freshness.encode_to_vec().into(),
    };
    assert_eq!(answer.membership().unwrap(), membership);
    assert_eq!(answer.freshness().unwrap(), freshness);
    let generated = Generated {
        membership: Some(membership),
        freshness: Some(freshness),
    };
    let wire = Bytes::from(generated.encode_to_vec());
    assert_eq!(answer.encode_to_vec(), wire);
    assert_eq!(GetMembershipResponse::decode(wire).unwrap(), answer);
}
