//! Watching transitions.

use std::time::Duration;

use prost::Message as _;
use tokio::time::timeout;
use tonic::Streaming;

use sextant_proto::segmentation::v1 as pb;

use crate::world::{Segmentation, TIERS, World, about, at, reason};

/// How long it may take to hear of another process.
const PATIENCE: Duration = Duration::from_secs(10);

async fn watch(
    segmentation: &Segmentation,
    key: &str,
    resume_after: &str,
) -> Streaming<pb::WatchTransitionsResponse> {
    let request = pb::WatchTransitionsRequest {
        segmentation: key.to_owned(),
        resume_after: resume_after.to_owned(),
    };
    let mut client = segmentation.client.clone();
    let answer = client.watch_transitions(about(request)).await;
    answer.unwrap().into_inner()
}

/// The next `n` transitions as "account segment", and the token behind them.
async fn next(
    stream: &mut Streaming<pb::WatchTransitionsResponse>,
    n: usize,
) -> (Vec<String>, String) {
    let (mut moves, mut token) = (Vec::new(), String::new());
    while moves.len() < n {
        let answer = stream.message().await.unwrap().unwrap();
        moves.extend(answer.transitions.iter().map(|one| {
            let account = &one.account.as_ref().unwrap().id;
            format!("{account} {}", one.to_segment)
        }));
        token = answer.resume_token;
    }
    (moves, token)
}

async fn started(world: &World) -> Segmentation {
    let segmentation = world.start();
    segmentation.create_tiers().await;
    world.put(&[("a", 1_500_000), ("b", 60_000)]);
    let position = world.close("2027-03-09");
    segmentation.membership("a", at(&position)).await.unwrap();
    segmentation
}

#[tokio::test]
async fn a_watch_begins_now_and_resumes_without_loss_or_repetition() {
    let world = World::new();
    let segmentation = started(&world).await;
    let mut stream = watch(&segmentation, "", "").await;
    let begin = stream.message().await.unwrap().unwrap();
    assert!(begin.transitions.is_empty() && !begin.resume_token.is_empty());

    let position = world.change("2027-03-10 10:00", &[("a", 300_000)]);
    segmentation.membership("a", at(&position)).await.unwrap();
    let (moves, token) = next(&mut stream, 1).await;
    assert_eq!(moves, ["a high"]);
    drop(stream);

    // While nobody watches; an entry in which nobody moves says nothing.
    world.change("2027-03-10 11:00", &[("a", 310_000)]);
    for mrr_minor in [10_000, 300_000] {
        let position = world.change("2027-03-10 12:00", &[("b", mrr_minor)]);
        segmentation.membership("b", at(&position)).await.unwrap();
    }
    let position = world.change("2027-03-10 13:00", &[("a", 60_000)]);
    segmentation.membership("a", at(&position)).await.unwrap();
    let expected = ["b low", "b high", "a medium"];
    let mut stream = watch(&segmentation, "", &token).await;
    let (moves, _) = next(&mut stream, 3).await;
    assert_eq!(moves, expected);

    // From the beginning of the first watch on, in another process.
    segmentation.stop();
    let segmentation = world.start();
    let mut stream = watch(&segmentation, "", &begin.resume_token).await;
    let (moves, _) = next(&mut stream, 4).await;
    assert_eq!(moves[0], "a high");
    assert_eq!(moves[1..], expected);
}

#[tokio::test]
async fn moves_of_one_moment_are_each_told_once() {
    let world = World::new();
    let segmentation = started(&world).await;
    let begin = watch(&segmentation, "", "").await.message().await;
    let begin = begin.unwrap().unwrap();
    let mut expected = Vec::new();
    for round in 0..6 {
        let (mrr_minor, moved) = [(300_000, "a high"), (1_500_000, "a strategic")][round % 2];
        let position = world.change("2027-03-10 10:00", &[("a", mrr_minor)]);
        segmentation.membership("a", at(&position)).await.unwrap();
        expected.push(moved);
    }
    let mut stream = watch(&segmentation, "", &begin.resume_token).await;
    let (moves, _) = next(&mut stream, 6).await;
    assert_eq!(moves, expected);
}

#[tokio::test]
async fn a_close_at_which_very_many_move_is_told_in_messages_that_clients_take() {
    const N_ACCOUNTS: usize = 2_500;
    let world = World::new();
    let segmentation = started(&world).await;
    let begin = watch(&segmentation, "", "").await.message().await;
    let begin = begin.unwrap().unwrap();
    let names: Vec<String> = (0..N_ACCOUNTS).map(|n| format!("account {n:04}")).collect();
    let accounts: Vec<(&str, i64)> = names.iter().map(|name| (&**name, 60_000)).collect();
    world.put(&accounts);
    let position = world.close("2027-03-10");
    segmentation.membership("a", at(&position)).await.unwrap();

    let mut tokens = vec![begin.resume_token];
    let mut told: Vec<Vec<String>> = Vec::new();
    let mut stream = watch(&segmentation, "", &tokens[0]).await;
    while told.iter().map(Vec::len).sum::<usize>() < N_ACCOUNTS {
        let answer = stream.message().await.unwrap().unwrap();
        assert!(answer.encoded_len() < 2 << 20, "{}", answer.encoded_len());
        let ids = answer
            .transitions
            .iter()
            .map(|one| one.transition_id.clone());
        told.push(ids.collect());
        tokens.push(answer.resume_token);
    }
    let sizes: Vec<usize> = told.iter().map(Vec::len).filter(|len| *len > 0).collect();
    assert_eq!(sizes, [1_000, 1_000, 500]);
    let mut unique: Vec<&String> = told.iter().flatten().collect();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), N_ACCOUNTS);

    // Behind each message of them a watch goes on with the next.
    let mut rest = watch(&segmentation, "", &tokens[tokens.len() - 2]).await;
    let mut last = Vec::new();
    while last.is_empty() {
        let answer = rest.message().await.unwrap().unwrap();
        last.extend(answer.transitions.into_iter().map(|one| one.transition_id));
    }
    assert_eq!(Some(&last), told.last());
}

#[tokio::test]
async fn a_watch_of_one_segmentation_leaves_out_the_others() {
    let world = World::new();
    let segmentation = started(&world).await;
    let config = r#"{"mode":"cut_points","medium_from_minor":55000}"#;
    let other = segmentation.create("other", "sextant.value_tiers", config);
    other.await.unwrap();
    let mut stream = watch(&segmentation, TIERS, "").await;
    world.change("2027-03-10 10:00", &[("b", 52_000)]);
    world.change("2027-03-10 11:00", &[("b", 10_000)]);
    let (moves, _) = next(&mut stream, 1).await;
    assert_eq!(moves, ["b low"]);
}

#[tokio::test]
async fn tokens_and_segmentations_that_are_not_there_are_refused() {
    let world = World::new();
    let segmentation = started(&world).await;
    for (key, token, expected) in [
        ("none", "", "SEGMENTATION_UNKNOWN"),
        ("", "yesterday", "POSITION_INVALID"),
    ] {
        let request = pb::WatchTransitionsRequest {
            segmentation: key.to_owned(),
            resume_after: token.to_owned(),
        };
        let mut client = segmentation.client.clone();
        let refused = client.watch_transitions(about(request)).await;
        assert_eq!(reason(refused.map(|_stream| ())), expected);
    }
}

#[tokio::test]
async fn a_watch_of_one_process_tells_what_another_has_committed() {
    let world = World::new();
    let committing = started(&world).await;
    // The other process never hears of scoring's feed, so everything is committed before it could.
    world.scoring.silence();
    let other = world.start();
    let mut stream = watch(&other, "", "").await;
    stream.message().await.unwrap().unwrap();
    let position = world.change("2027-03-10 10:00", &[("a", 300_000)]);
    committing.membership("a", at(&position)).await.unwrap();
    let told = async { while next(&mut stream, 1).await.0 != ["a high"] {} };
    timeout(PATIENCE, told).await.unwrap();
}
