use std::time::Duration;

use sextant_runtime::auth::Key;
use sextant_wire::status::{method_unknown, unauthenticated, unavailable};

use super::{Peer, check, watch_scoring};
use crate::doctor::Verdict;
use crate::service_key::ServiceKey;
use crate::testing::loaded;

const ADDRESS: &str = "http://127.0.0.1:1";

#[test]
fn what_a_service_answers_is_told_with_the_key_and_its_origin_and_a_fix() {
    let key = Key::generate().unwrap();
    let secret = key.expose();
    let configured = ServiceKey::configured(&loaded(&[("auth.service_key", &secret)])).unwrap();
    let named = format!("auth.service_key sx_{}_… (flag --set)", key.id());
    let scoring = Peer {
        check: "service: scoring",
        name: "scoring",
        address: ADDRESS,
        ask: watch_scoring,
    };
    let refused = || unauthenticated("KEY_INVALID", "the API key is not known");
    let gone = unavailable(
        "scoring at http://127.0.0.1:1 cannot be reached",
        Duration::ZERO,
    );
    let busy = unavailable("API keys cannot be checked at the moment", Duration::ZERO);
    let other = method_unknown("/sextant.scoring.v1.FeedService/WatchHeads", &["other"]);
    let [takes, refuses] = ["takes", "refuses"].map(|word| format!("{word} {named}"));
    let table = [
        (Ok(()), configured.as_ref(), Verdict::Ok, takes.as_str(), ""),
        (Ok(()), None, Verdict::Ok, "answers", ""),
        (
            Err(refused()),
            configured.as_ref(),
            Verdict::Failed,
            refuses.as_str(),
            "the same auth.service_key",
        ),
        (
            Err(refused()),
            None,
            Verdict::Warning,
            "no auth.service_key",
            "set auth.service_key",
        ),
        (
            Err(gone),
            configured.as_ref(),
            Verdict::Failed,
            "does not answer",
            "start `sextant serve scoring` there, or correct services.scoring",
        ),
        (
            Err(busy),
            configured.as_ref(),
            Verdict::Failed,
            "API keys cannot be checked",
            "what scoring logs",
        ),
        (
            Err(other),
            configured.as_ref(),
            Verdict::Failed,
            "another service",
            "correct services.scoring",
        ),
    ];
    for (answer, key, verdict, found, fix) in table {
        let finding = scoring.judge(key, answer);
        assert_eq!(finding.verdict, verdict, "{finding:?}");
        assert!(finding.found.contains(found), "{finding:?}");
        assert!(finding.fix.contains(fix), "{finding:?}");
        assert_eq!(
            finding.fix.is_empty(),
            verdict == Verdict::Ok,
            "{finding:?}"
        );
        assert!(!finding.found.contains(&*secret), "{finding:?}");
    }
}

#[tokio::test]
async fn every_service_that_is_said_to_be_elsewhere_is_asked_and_an_own_one_that_does_not_run_yet_is_left_out()
 {
    assert!(check(&loaded(&[])).await.is_empty());
    let secret = Key::generate().unwrap().expose();
    let elsewhere = [
        ("auth.service_key", secret.as_str()),
        ("server.listen", "127.0.0.1:1"),
        ("services.ingestion", "http://127.0.0.1:2"),
        ("services.scoring", ADDRESS),
        ("services.metrics", "http://127.0.0.1:2"),
    ];
    let found = check(&loaded(&elsewhere)).await;
    let found: Vec<_> = found.iter().map(|one| (one.check, one.verdict)).collect();
    assert_eq!(found, [("service: ingestion", Verdict::Failed)]);

    let found = check(&loaded(&[("auth.service_key", "sx_short")])).await;
    assert_eq!(found.len(), 1);
    assert!(
        found[0]
            .found
            .starts_with("auth.service_key (flag --set): not a key"),
        "{found:?}"
    );
    assert!(!found[0].found.contains("sx_short"), "{found:?}");
}
