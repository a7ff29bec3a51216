use std::sync::Arc;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::time::Instant;
use sextant_proto::ingestion::v1::Tenant;
use sextant_store::port::MovesProgress;

use super::{Breakdown, Progress, Settings, TenantState};

fn acme() -> TenantState {
    let tenant = Tenant {
        time_zone: "Europe/Warsaw".to_owned(),
        base_currency: "EUR".to_owned(),
        slices: 2,
        ..Tenant::default()
    };
    TenantState::empty(TenantId(1), Settings::from_wire(&tenant).unwrap())
}

fn with_slices(slices: [Progress; 2]) -> TenantState {
    let mut state = acme();
    state.slices = (0..).map(Slice).zip(slices).collect();
    state
}

#[test]
fn the_zone_of_the_policy_is_the_tenants() {
    assert_eq!(acme().settings.policy.zone.name(), "Europe/Warsaw");
}

#[test]
fn settings_that_make_no_sense_name_the_field() {
    let refuse = |tenant: Tenant| Settings::from_wire(&tenant).unwrap_err().field;
    let valid = Tenant {
        time_zone: "UTC".to_owned(),
        base_currency: "EUR".to_owned(),
        ..Tenant::default()
    };
    assert_eq!(
        refuse(Tenant {
            time_zone: "Mars".to_owned(),
            ..valid.clone()
        }),
        "tenant.time_zone"
    );
    assert_eq!(
        refuse(Tenant {
            base_currency: "???".to_owned(),
            ..valid
        }),
        "tenant.base_currency"
    );
}

fn moves(cursor: u64, facts_sequence: u64) -> MovesProgress {
    MovesProgress {
        cursor,
        facts_sequence,
        behind: Vec::new(),
    }
}

#[test]
fn a_breakdown_includes_only_what_segmentation_has_answered_for() {
    let ahead = Progress {
        cursor: 7,
        moves: moves(3, 5),
        ..Progress::default()
    };
    let behind = Progress {
        cursor: 4,
        moves: moves(3, 9),
        ..Progress::default()
    };
    let state = with_slices([ahead, behind]);
    assert_eq!(
        state.position(&Breakdown::Total).slices(),
        [(Slice(0), 7), (Slice(1), 4)]
    );
    assert_eq!(
        state.position(&Breakdown::parse("tier")).slices(),
        [(Slice(0), 5), (Slice(1), 4)]
    );
}

#[test]
fn history_is_being_evaluated_while_moves_answer_for_nothing() {
    let idle = Progress {
        cursor: 4,
        ..Progress::default()
    };
    let evaluating = Progress {
        moves: moves(3, 0),
        ..idle.clone()
    };
    assert!(!with_slices([idle.clone(), idle.clone()]).is_evaluating_history());
    assert!(with_slices([idle, evaluating]).is_evaluating_history());
}

#[test]
fn a_fixed_clock_stands_still() {
    let mut state = acme();
    assert_eq!(state.now(Instant(9)), Instant(9));
    state.settings.fixed_clock = Some(Instant(5));
    assert_eq!(state.now(Instant(9)), Instant(5));
}

#[test]
fn a_segmentation_is_known_once_it_has_moved_an_account() {
    let mut state = acme();
    let by_tier = Breakdown::parse("tier");
    assert_eq!(
        state.check(&by_tier).unwrap_err().reason_name(),
        "SEGMENTATION_UNKNOWN"
    );
    state.segmentations.insert(Arc::from("tier"));
    assert!(state.check(&by_tier).is_ok() && state.check(&Breakdown::parse("")).is_ok());
}
