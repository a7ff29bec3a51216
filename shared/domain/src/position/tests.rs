use super::*;

const ACME: TenantId = TenantId(0x0198_0000_0000_7000_8000_0000_1234_5678);

#[test]
fn a_position_survives_its_text() {
    let position = Position::new(vec![(Slice(3), 35), (Slice(0), 1_000_000), (Slice(7), 0)]);
    let text = position.encode(ACME);
    assert_eq!(Position::decode(&text, ACME), Ok(position.clone()));
    assert_eq!(position.of(Slice(7)), 0);
}

#[test]
fn a_position_of_another_tenant_or_a_changed_one_is_refused() {
    let text = Position::new(vec![(Slice(0), 9)]).encode(ACME);
    assert_eq!(
        Position::decode(&text, TenantId(1)),
        Err(Error::OtherTenant)
    );
    for broken in [
        "",
        "!",
        "zzz.1",
        &format!("{text}.x"),
        &format!("{text}-"),
        &text.replace('-', "+"),
    ] {
        assert!(Position::decode(broken, ACME).is_err(), "{broken:?}");
    }
    // No tenant's positions begin so.
    assert_eq!(Position::decode("yesterday", ACME), Err(Error::Unreadable));
}

#[test]
fn a_position_covers_what_is_not_beyond_it() {
    let older = Position::new(vec![(Slice(0), 4)]);
    let newer = Position::new(vec![(Slice(0), 5), (Slice(1), 1)]);
    assert!(newer.covers(&older) && !older.covers(&newer) && older.covers(&Position::default()));
}
