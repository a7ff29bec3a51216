//! Several changes of one account close together: at one instant, and on both sides of the moment that is asked about.

use sextant_proto::metrics::v1 as pb;

use crate::billing::{account, active, monthly, on, since};
use crate::world::{Metrics, World, as_of, at};

async fn mrr_minor(metrics: &Metrics, position: &str) -> i64 {
    let request = pb::GetRevenueRequest {
        at: at(position),
        ..Default::default()
    };
    let answer = metrics.revenue(request).await.unwrap();
    answer.total.unwrap().mrr_minor
}

#[tokio::test]
async fn of_several_states_of_one_instant_the_last_one_in_the_feed_counts() {
    let world = World::new();
    let seats = |account: &str, seats| {
        since(
            "2027-01-05",
            active(account, "s", vec![monthly(seats, 1_000)]),
        )
    };
    let metrics = world.start();
    world.facts(vec![account("a", "2027-01-01"), account("b", "2027-01-01")]);
    // In one entry, and in two.
    let position = world.facts(vec![seats("a", 25), seats("a", 5), seats("b", 5)]);
    assert_eq!(mrr_minor(&metrics, &position).await, 10_000);
    let position = world.facts(vec![seats("b", 25)]);
    assert_eq!(mrr_minor(&metrics, &position).await, 30_000);
    let position = world.facts(vec![seats("b", 3)]);
    assert_eq!(mrr_minor(&metrics, &position).await, 8_000);
    let request = pb::ListMovementsRequest {
        at: at(&position),
        ..Default::default()
    };
    let movements = metrics.movements(request.clone()).await.unwrap();
    let after = movements.movements.iter().map(|one| one.after_exact);
    assert_eq!(after.collect::<Vec<_>>(), [50_000_000, 30_000_000]);
    metrics.stop();

    let again = world.start();
    assert_eq!(mrr_minor(&again, &position).await, 8_000);
    let read_back = again.movements(request).await.unwrap();
    assert_eq!(read_back.movements, movements.movements);
}

#[tokio::test]
async fn revenue_waterfall_and_movements_agree_between_two_changes_of_one_hour() {
    let world = World::new();
    let priced = |at: &str, minor| since(at, active("a", "s", vec![monthly(1, minor)]));
    let position = world.facts(vec![
        account("a", "2027-01-01"),
        priced("2027-02-03 10:00", 10_000),
        priced("2027-02-03 10:30", 15_000),
    ]);
    world.moves(1, "2027-01-02", &[("a", "gold")]);
    let metrics = world.start();
    for (moment, expected) in [
        ("2027-02-03 09:59", None),
        ("2027-02-03 10:00", Some(100_000_000)),
        ("2027-02-03 10:15", Some(100_000_000)),
        ("2027-02-03 10:30", Some(150_000_000)),
        ("2027-02-04", Some(150_000_000)),
    ] {
        let at = as_of(moment, &position);
        let request = pb::GetRevenueRequest {
            at: at.clone(),
            ..Default::default()
        };
        let revenue = metrics.revenue(request).await.unwrap().total.unwrap();
        assert_eq!(revenue.mrr_exact, expected.unwrap_or(0), "{moment}");
        let request = pb::GetWaterfallRequest {
            at: at.clone(),
            segmentation: "tier".to_owned(),
            months: 2,
            ..Default::default()
        };
        let waterfall = metrics.waterfall(request).await.unwrap();
        assert_eq!(waterfall.granularity, "period_net");
        let end = waterfall.months.last().unwrap();
        assert_eq!(
            (end.new_exact, end.end_exact),
            (revenue.mrr_exact, revenue.mrr_exact),
            "{moment}"
        );
        let of_segments = waterfall.segments.iter();
        let of_segments = of_segments.map(|one| one.months.last().unwrap().end_exact);
        assert_eq!(of_segments.sum::<i64>(), revenue.mrr_exact, "{moment}");
        let request = pb::ListMovementsRequest {
            at,
            ..Default::default()
        };
        let listed = metrics.movements(request).await.unwrap();
        assert_eq!(listed.granularity, "event_ledger");
        let after = listed.movements.first().map(|one| one.after_exact);
        assert_eq!(after, expected, "{moment}");
        assert!(
            listed
                .movements
                .iter()
                .all(|one| one.at == on("2027-02-03 10:00"))
        );
    }
}

#[tokio::test]
async fn an_account_of_many_of_the_largest_subscriptions_counts_in_full() {
    let world = World::new();
    let largest = sextant_wire::record::MAX_MINOR;
    let mut facts = vec![account("a", "2027-01-01")];
    facts.extend((0..40).map(|number| {
        let name = format!("s{number}");
        since("2027-01-05", active("a", &name, vec![monthly(1, largest)]))
    }));
    let position = world.facts(facts);
    assert_eq!(mrr_minor(&world.start(), &position).await, 40 * largest);
}

#[tokio::test]
async fn a_change_of_seats_and_price_at_once_is_told_by_its_causes() {
    let world = World::new();
    let priced = |at, seats, minor| since(at, active("a", "s", vec![monthly(seats, minor)]));
    let position = world.facts(vec![
        account("a", "2027-01-01"),
        priced("2027-01-05", 5, 1_000),
        priced("2027-02-05", 7, 1_200),
    ]);
    let metrics = world.start();
    let request = pb::ListMovementsRequest {
        at: at(&position),
        ..Default::default()
    };
    let movements = metrics.movements(request).await.unwrap().movements;
    let parts = |one: &pb::Movement| {
        let parts = one.parts.iter();
        parts
            .map(|part| (part.cause.clone(), part.delta_exact / 10_000))
            .collect::<Vec<_>>()
    };
    // Two seats more at the old price, and seven at two units more each.
    let expected =
        [("SEATS", 2_000), ("PRICE", 1_400)].map(|(cause, minor)| (cause.to_owned(), minor));
    assert_eq!(
        (parts(&movements[0]), movements[0].cause.as_str()),
        (expected.to_vec(), "SEATS")
    );
    assert_eq!(parts(&movements[1]), []);
}

#[tokio::test]
async fn the_first_item_is_the_plan_where_every_item_names_a_product_and_none_a_rank() {
    let world = World::new();
    let of = |product: &str, quantity, minor| {
        let mut item = monthly(quantity, minor);
        item.item_id = product.to_owned();
        let price = item.price.as_mut().unwrap();
        product.clone_into(&mut price.product_id);
        price.rank = 0;
        item
    };
    let sold = |at, seats, calls| {
        let items = vec![of("pro", seats, 1_000), of("calls", calls, 10)];
        since(at, active("a", "s", items))
    };
    let position = world.facts(vec![
        account("a", "2027-01-01"),
        sold("2027-01-05", 5, 100),
        sold("2027-02-05", 7, 150),
    ]);
    let metrics = world.start();
    let request = pb::ListMovementsRequest {
        at: at(&position),
        ..Default::default()
    };
    let movements = metrics.movements(request).await.unwrap().movements;
    let parts = movements[0].parts.iter();
    let parts: Vec<_> = parts
        .map(|part| (part.cause.as_str(), part.delta_exact / 10_000))
        .collect();
    assert_eq!(parts, [("SEATS", 2_000), ("EXTRA_PRODUCT", 500)]);
}
