use uuid::Uuid;

use super::request_id;

#[test]
fn a_step_of_the_demo_has_the_same_request_id_in_every_run() {
    let id = request_id("cdnow", "tenant");
    assert_eq!(id, request_id("cdnow", "tenant"));
    assert_ne!(id, request_id("saas", "tenant"));
    assert_ne!(id, request_id("cdnow", "rfm"));
    assert_eq!(Uuid::parse_str(&id).unwrap().get_version_num(), 8);
}
