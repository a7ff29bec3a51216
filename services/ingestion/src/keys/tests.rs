use super::*;

#[test]
fn admin_allows_all_that_can_be_granted_and_nothing_of_services() {
    let admin = allowed(bits(&[pb::Scope::Admin.into()]).unwrap());
    let expected: Scopes = Scope::ALL
        .into_iter()
        .filter(|scope| *scope != Scope::Service)
        .collect();
    assert_eq!(admin, expected);
    let reader = allowed(bits(&[pb::Scope::Read.into()]).unwrap());
    assert_eq!(reader, Scopes::NONE.with(Scope::Read));
}

#[test]
fn granted_scopes_are_shown_as_they_were_asked_for() {
    let asked = [pb::Scope::Admin, pb::Scope::Read, pb::Scope::Read].map(i32::from);
    assert_eq!(
        granted(bits(&asked).unwrap()).collect::<Vec<_>>(),
        [pb::Scope::Read, pb::Scope::Admin]
    );
    for refused in [0, 7, -1] {
        assert_eq!(bits(&[pb::Scope::Read.into(), refused]), None);
    }
}

#[test]
fn a_key_means_the_same_over_a_link_as_in_the_store() {
    let key = Key::generate().unwrap();
    let row = KeyRow {
        tenant: Some(TenantId(9)),
        scopes: bits(&[pb::Scope::Ingest.into()]).unwrap(),
        expires_at: Some(Instant(5_000_000)),
        revoked_at: Some(Instant(4_000_000)),
        ..installation_key(&key, "test", Instant(0))
    };
    let answer = pb::ResolveKeyResponse {
        key: Some(convert::key(&row)),
        secret_sha256: row.secret_sha256.to_vec().into(),
    };
    let (near, far) = (record(&row), received(answer).unwrap().unwrap());
    assert!(near.secret_sha256.matches(&far.secret_sha256));
    assert_eq!(
        (near.tenant, near.scopes, near.expires_at, near.revoked),
        (far.tenant, far.scopes, far.expires_at, far.revoked)
    );
    assert!(
        received(pb::ResolveKeyResponse::default())
            .unwrap()
            .is_none()
    );
    let damaged = pb::ResolveKeyResponse {
        key: Some(convert::key(&row)),
        secret_sha256: vec![1].into(),
    };
    assert!(received(damaged).is_err());
}
