use uuid::Uuid;

use sextant_domain::time::Instant;
use sextant_proto::ingestion::v1::{HistorySchedule, Tenant};

use super::{Setup, request_id, timestamp};

#[test]
fn a_step_of_the_demo_has_the_same_request_id_in_every_run() {
    let id = request_id("cdnow", "tenant");
    assert_eq!(id, request_id("cdnow", "tenant"));
    assert_ne!(id, request_id("saas", "tenant"));
    assert_ne!(id, request_id("cdnow", "rfm"));
    assert_eq!(Uuid::parse_str(&id).unwrap().get_version_num(), 8);
}

#[test]
fn only_the_tenant_that_the_demo_makes_is_its_own() {
    let setup = Setup {
        tenant: "saas".to_owned(),
        clock: Instant(1_000_000_000),
        segmentations: &[],
        sources: &["crm", "billing"],
        history: HistorySchedule::Daily,
    };
    let at = |seconds: i64| Some(timestamp(Instant(seconds * 1_000_000)));
    let made = setup.asked();
    assert_eq!(setup.difference(&made, &[]), None);
    assert_eq!(setup.difference(&made, &["file", "billing"]), None);
    let advanced = Tenant {
        fixed_clock: at(2_000),
        ..made.clone()
    };
    assert_eq!(setup.difference(&advanced, &["crm"]), None);

    let others = [
        Tenant {
            fixed_clock: None,
            ..made.clone()
        },
        Tenant {
            fixed_clock: at(999),
            ..made.clone()
        },
        Tenant {
            time_zone: "Europe/Warsaw".to_owned(),
            ..made.clone()
        },
        Tenant {
            base_currency: "EUR".to_owned(),
            ..made.clone()
        },
        Tenant {
            retention_days: 1_826,
            ..made.clone()
        },
    ];
    for other in others {
        assert!(setup.difference(&other, &[]).is_some(), "{other:?}");
    }
    assert!(setup.difference(&made, &["file"]).is_some());
}
