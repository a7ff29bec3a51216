use sextant_domain::time::Day;

use super::{tenant_name, whole_months_before};
use crate::generate::Options;

#[test]
fn the_months_before_a_day_are_whole_ones() {
    let day = |text| Day::parse(text).unwrap();
    assert_eq!(
        whole_months_before(day("2026-01-01"), 3),
        (day("2025-10-01"), day("2025-12-31"))
    );
    assert_eq!(
        whole_months_before(day("2026-03-31"), 1),
        (day("2026-02-01"), day("2026-02-28"))
    );
}

#[test]
fn another_company_is_another_tenant() {
    assert_eq!(tenant_name(Options::default()), "saas");
    assert_eq!(
        tenant_name(Options {
            seed: 7,
            ..Options::default()
        }),
        "saas-500-18-7"
    );
}
