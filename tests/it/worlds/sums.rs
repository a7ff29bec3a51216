//! What is summed up over accounts is summed up exactly.

use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::ingestion::v1::{BillingInterval, Record};
use sextant_proto::segmentation::v1::ListSegmentsRequest;

use crate::worlds::records::{accept, account, ask, at, feature, now, revenue_by, subscription};
use crate::worlds::world::{Shape, World, segmentation, tenant};

/// A subscription that is paid once a year.
fn yearly(account: &str, minor: i64) -> Record {
    let mut record = subscription(account, at("2026-01-10T00:00"), 1, minor);
    if let Some(Fact::Subscription(fact)) = &mut record.fact {
        for item in &mut fact.items {
            let price = item.price.as_mut().unwrap();
            price.interval = BillingInterval::Year.into();
        }
    }
    record
}

#[tokio::test]
async fn the_revenue_of_a_segment_is_the_same_wherever_it_is_summed_up() {
    for shape in [Shape::Embedded, Shape::Apart] {
        let world = World::start(shape).await;
        let client = tenant(&world.client(), "sums", at("2026-02-25T12:00")).await;
        segmentation(&client, "lifecycle").await;
        // A dollar a year is 8 1/3 cents a month: 58 1/3 for seven, where seven times 8 are 56.
        let mut records = Vec::new();
        for number in 1..=7 {
            let name = format!("a{number}");
            records.push(account(&name, at("2026-01-05T00:00")));
            records.push(yearly(&name, 100));
        }
        let position = accept(&client, records).await;
        let at = now(&position);
        let one = feature(&client, "a1", "revenue.mrr_minor", &at).await;
        assert_eq!(one, Some(8), "{shape:?}: people read whole cents");

        let request = ListSegmentsRequest {
            segmentation: "lifecycle".to_owned(),
            at: Some(at.clone()),
            sum_features: ["revenue.mrr_minor", "revenue.arr_minor"]
                .map(str::to_owned)
                .into(),
            ..ListSegmentsRequest::default()
        };
        let segments = ask!(client, segmentation.list_segments, request).segments;
        let full = segments
            .iter()
            .find(|segment| segment.accounts == 7)
            .unwrap();
        let sums = full.sums.iter().map(|sum| format!("{:.5}", sum.sum));
        let sums: Vec<String> = sums.collect();
        // Of each account ten-thousandths of a cent are kept: seven times 8.3333, and 99.9996.
        assert_eq!(sums, ["58.33310", "699.99720"], "{shape:?}");

        let by_segment = revenue_by(&client, "lifecycle", &at).await;
        let key = full.segment.as_ref().map(|segment| segment.key.clone());
        let revenue = by_segment
            .segments
            .iter()
            .find(|one| Some(&one.segment) == key.as_ref());
        assert_eq!(revenue.unwrap().mrr_minor, 58, "{shape:?}");
        world.end().await;
    }
}
