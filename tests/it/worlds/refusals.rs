//! What a caller is told that called the wrong process, with the wrong key, or for what does not exist.

use sextant_runtime::auth::Key;

use crate::worlds::records::at;
use crate::worlds::world::{Shape, World, segmentation, tenant};

const TENANT: &str = "refusals";

/// Runs a command that fails; its exit code and what it says.
fn fails(world: &World, arguments: &[&str]) -> (Option<i32>, String) {
    let output = world.cli(&[arguments, &["--tenant", TENANT]].concat());
    assert_eq!(output.stdout, b"");
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn who_calls_the_process_of_another_service_learns_what_it_serves_and_where_the_call_went() {
    let world = World::start(Shape::Apart).await;
    tenant(&world.client(), TENANT, at("2026-02-01T00:00")).await;
    let scoring = world.addresses().scoring.clone();
    let (code, told) = fails(&world, &["segments", "rfm", "--address", &scoring]);
    assert_eq!(code, Some(1), "{told}");
    assert_eq!(
        told,
        format!(
            "error: \"sextant.ingestion.v1.TenantService/GetTenant\" is not served here, only sextant.scoring.v1.ScoringService, \
             sextant.scoring.v1.ClockService, sextant.scoring.v1.FeedService: call the process that serves it, each service may have an address \
             of its own (METHOD_UNKNOWN); called at {scoring}, that is the address of --address or SEXTANT_ADDRESS: where each service is a process \
             of its own, leave it out and set services.ingestion to the address of that one, and so for every service \
             (--set services.ingestion=URL or SEXTANT_SERVICES__INGESTION=URL)\n  more: sextant explain METHOD_UNKNOWN\n"
        )
    );
    let output = world.cli(&["segments", "rfm", "--tenant", TENANT]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("(SEGMENTATION_UNKNOWN)"),
        "with the addresses of its settings it reaches every service: {told}"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_in_the_words_of_the_command_line_and_names_where_the_key_is_from() {
    let world = World::start(Shape::Embedded).await;
    let client = tenant(&world.client(), TENANT, at("2026-02-01T00:00")).await;
    segmentation(&client, "rfm").await;
    for (arguments, code, expected) in [
        (
            &["members", "rfm", "--show", "mrr"][..],
            2,
            "--show: feature \"mrr\" is not in the catalogue; list it with `sextant features` (FEATURE_UNKNOWN)\n",
        ),
        (
            &[
                "segments",
                "rfm",
                "--sum",
                "revenue.mrr_minor",
                "--as-of",
                "2026-01-01",
            ],
            2,
            "error: --sum: are summed up for the present only, for features of a past moment are computed account by account; leave them \
             out for sizes alone, or ask `sextant metrics revenue --by` for the revenue of that moment by segment (FIELD_INVALID)\n",
        ),
        (
            &[
                "members",
                "rfm",
                "--show",
                "revenue.mrr_minor",
                "--as-of",
                "2026-01-01",
            ],
            2,
            "error: --show: is for the present only",
        ),
        (
            &["segments", "rfm", "--at-least", "nonsense"],
            2,
            "error: --at-least: ",
        ),
    ] {
        let (found, told) = fails(&world, arguments);
        assert_eq!(found, Some(code), "{told}");
        assert!(told.contains(expected), "{told}");
    }
    let stranger = Key::generate().unwrap();
    let told = world.cli_of(&stranger, &["segments", "rfm", "--tenant", TENANT]);
    assert_eq!(told.status.code(), Some(4));
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(told.contains("(KEY_INVALID); the key of --key\n"), "{told}");
    assert!(!told.contains(&*stranger.expose()), "{told}");
    world.end().await;
}
