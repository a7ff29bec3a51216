use std::time::Duration;

use tokio::time::Instant;

use sextant_backends::redis::{Config, Redis};
use sextant_backends::testing::{RedisServer, redis_url};
use sextant_store::cache::{Cache, Entry};

use crate::support::within;

const RECOVERY: Duration = Duration::from_secs(20);

fn cache(server: &RedisServer) -> Redis {
    Redis::new(Config {
        pause: Duration::from_millis(50),
        ..Config::new(server.url())
    })
    .unwrap()
}

async fn connected(url: &str) -> redis::aio::MultiplexedConnection {
    let admin = redis::Client::open(url).unwrap();
    admin.get_multiplexed_async_connection().await.unwrap()
}

fn entry(position: u64, text: &str) -> Entry {
    Entry {
        position,
        bytes: text.as_bytes().to_vec().into(),
    }
}

/// Puts until it is read back.
async fn recovers(cache: &Redis, key: &str) {
    within(RECOVERY, async {
        loop {
            cache.put(&[(key.to_owned(), entry(1, "again"))]).await;
            if cache.get(key, 0).await.is_some() {
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_killed_server_is_a_miss_and_a_restarted_one_is_used_again() {
    let server = RedisServer::start();
    let cache = cache(&server);
    recovers(&cache, "{t}:a").await;
    assert_eq!(cache.get("{t}:a", 0).await, Some(entry(1, "again")));
    server.kill();
    assert!(!cache.put(&[("{t}:a".to_owned(), entry(2, "lost"))]).await);
    for _ in 0..100 {
        assert_eq!(cache.get("{t}:a", 0).await, None);
    }
    server.start_again();
    recovers(&cache, "{t}:a").await;
}

#[tokio::test]
async fn a_server_that_turned_replica_is_given_up_and_found_again() {
    let (server, primary) = (RedisServer::start(), RedisServer::start());
    let cache = cache(&server);
    recovers(&cache, "{t}:a").await;
    let mut admin = connected(&server.url()).await;
    let port = primary.port().to_string();
    redis::cmd("REPLICAOF")
        .arg("127.0.0.1")
        .arg(&port)
        .exec_async(&mut admin)
        .await
        .unwrap();
    // A write is refused (READONLY): no error for the caller, who is told, and no answer from what was the primary.
    let is_put = cache.put(&[("{t}:b".to_owned(), entry(1, "lost"))]).await;
    assert!(!is_put);
    assert_eq!(cache.get("{t}:b", 0).await, None);
    redis::cmd("REPLICAOF")
        .arg("NO")
        .arg("ONE")
        .exec_async(&mut admin)
        .await
        .unwrap();
    recovers(&cache, "{t}:c").await;
}

#[tokio::test]
async fn a_server_that_comes_back_with_an_older_state_does_not_answer_from_it() {
    let server = RedisServer::start();
    let cache = cache(&server);
    recovers(&cache, "{t}:a").await;
    let mut admin = connected(&server.url()).await;
    redis::cmd("SAVE").exec_async(&mut admin).await.unwrap();
    assert!(cache.put(&[("{t}:a".to_owned(), entry(2, "newer"))]).await);
    server.kill();
    server.start_again();
    recovers(&cache, "{t}:b").await;
    let mut admin = connected(&server.url()).await;
    let n_keys: u64 = redis::cmd("DBSIZE").query_async(&mut admin).await.unwrap();
    assert_eq!(n_keys, 2, "the older state is there");
    assert_eq!(cache.get("{t}:a", 0).await, None);
}

#[tokio::test]
async fn a_frozen_server_costs_one_timeout_and_then_nothing_until_the_pause_is_over() {
    let server = RedisServer::start();
    let pause = Duration::from_secs(2);
    let cache = Redis::new(Config {
        pause,
        ..Config::new(server.url())
    })
    .unwrap();
    recovers(&cache, "{t}:a").await;
    server.freeze();
    let started = Instant::now();
    assert_eq!(cache.get("{t}:a", 0).await, None);
    for _ in 0..1_000 {
        assert_eq!(cache.get("{t}:a", 0).await, None);
    }
    let spent = started.elapsed();
    server.thaw();
    assert!(
        spent >= Duration::from_millis(100) && spent < pause,
        "{spent:?}"
    );
    recovers(&cache, "{t}:a").await;
}

#[tokio::test]
async fn of_reads_that_travel_together_each_gets_its_own_value() {
    let server = RedisServer::start();
    // A machine that is busy with other tests is no reason for a miss.
    let patient = Redis::new(Config {
        response_timeout: RECOVERY,
        ..Config::new(server.url())
    })
    .unwrap();
    recovers(&patient, "{t}:first").await;
    // More than one question holds; every third key has no value.
    let keys: Vec<String> = (0..1_000).map(|number| format!("{{t}}:{number}")).collect();
    let has_value = |number: usize| !number.is_multiple_of(3);
    let entry = |number: usize| has_value(number).then(|| entry(7, &format!("value {number}")));
    let stored: Vec<(String, Entry)> = (0..keys.len())
        .filter_map(|number| Some((keys[number].clone(), entry(number)?)))
        .collect();
    patient.put(&stored).await;
    let reads = keys.iter().map(|key| patient.get(key, 0));
    let expected: Vec<Option<Entry>> = (0..keys.len()).map(entry).collect();
    let found = futures_util::future::join_all(reads).await;
    let other = (0..keys.len()).filter(|number| found[*number] != expected[*number]);
    let other: Vec<_> = other.map(|number| (number, &found[number])).collect();
    assert_eq!(other, [], "keys with another value");
    let cache = cache(&server);
    recovers(&cache, "{t}:second").await;
    // Those that are on their way when the server stops answering all have a miss, and none waits for ever.
    server.freeze();
    let reads = futures_util::future::join_all(keys.iter().map(|key| cache.get(key, 0)));
    let misses = within(RECOVERY, reads).await;
    server.thaw();
    assert_eq!(misses, vec![None; keys.len()]);
}

#[tokio::test]
async fn scripts_that_the_server_forgot_are_loaded_again() {
    let server = RedisServer::start();
    let cache = cache(&server);
    recovers(&cache, "{t}:a").await;
    let mut admin = connected(&server.url()).await;
    redis::cmd("SCRIPT")
        .arg("FLUSH")
        .exec_async(&mut admin)
        .await
        .unwrap();
    recovers(&cache, "{t}:b").await;
}

#[tokio::test]
async fn positions_beyond_the_precision_of_floats_are_compared_exactly() {
    let cache = Redis::new(Config::new(redis_url())).unwrap();
    let key = format!("{{{}}}:position", uuid::Uuid::new_v4());
    let newer = entry((1 << 53) + 1, "newer");
    cache.put(&[(key.clone(), newer.clone())]).await;
    cache.put(&[(key.clone(), entry(1 << 53, "older"))]).await;
    assert_eq!(cache.get(&key, 0).await, Some(newer));
    let newest = entry(u64::MAX, "newest");
    cache.put(&[(key.clone(), newest.clone())]).await;
    cache
        .put(&[(key.clone(), entry(0x7fff_ffff_ffff_ffff, "older"))])
        .await;
    assert_eq!(cache.get(&key, u64::MAX).await, Some(newest));
}

#[tokio::test]
async fn a_value_of_another_type_under_a_key_is_a_miss_for_that_key_alone() {
    let url = redis_url();
    let cache = Redis::new(Config::new(url.clone())).unwrap();
    let (other, ours) = (
        format!("{{{}}}:list", uuid::Uuid::new_v4()),
        format!("{{{}}}:ours", uuid::Uuid::new_v4()),
    );
    let mut admin = connected(&url).await;
    let info: String = redis::cmd("INFO").query_async(&mut admin).await.unwrap();
    let digits = |name| {
        let (_, number) = info.split_once(name).unwrap();
        number.get(..8).unwrap()
    };
    let run = [digits("run_id:"), digits("master_replid:")].concat();
    redis::cmd("RPUSH")
        .arg(format!("{run}:{other}"))
        .arg("x")
        .exec_async(&mut admin)
        .await
        .unwrap();
    cache.put(&[(ours.clone(), entry(1, "x"))]).await;
    assert_eq!(cache.get(&other, 0).await, None);
    assert!(!cache.put(&[(other, entry(1, "x"))]).await);
    assert_eq!(cache.get(&ours, 0).await, Some(entry(1, "x")));
}
