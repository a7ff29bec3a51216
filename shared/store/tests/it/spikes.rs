//! Two mechanisms, each beside the naive variant that does not hold: first the loss, then ours under the same schedule.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior, params};
use tempfile::TempDir;

use sextant_domain::id::Slice;
use sextant_store::embedded::Embedded;
use sextant_store::port::{Facts, Intake, Outcome};

use crate::build::{TENANT, account, batch, event};

const DEDUPE: &str = include_str!("../queries/naive_dedupe.sql");
const DEDUPE_CHECK: &str = include_str!("../queries/naive_dedupe_check.sql");
const DEDUPE_INSERT: &str = include_str!("../queries/naive_dedupe_insert.sql");
const FEED: &str = include_str!("../queries/naive_feed.sql");
const FEED_NUMBER: &str = include_str!("../queries/naive_feed_number.sql");
const FEED_APPEND: &str = include_str!("../queries/naive_feed_append.sql");
const FEED_FOLLOW: &str = include_str!("../queries/naive_feed_follow.sql");
const SCHEMA: &str = include_str!("../../queries/sqlite/migrations/ingestion/0001_initial.sql");
const HEAD_NEXT: &str = include_str!("../../queries/sqlite/feed/head_next.sql");

const KEY: [u8; 16] = [1; 16];

fn open(directory: &Path) -> Connection {
    let connection = Connection::open(directory.join("spike.db")).unwrap();
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .unwrap();
    connection.busy_timeout(std::time::Duration::ZERO).unwrap();
    connection
}

fn begin(connection: &mut Connection) -> Transaction<'_> {
    connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .unwrap()
}

#[test]
fn check_then_insert_counts_a_record_twice() {
    let directory = TempDir::new().unwrap();
    let (first, second) = (open(directory.path()), open(directory.path()));
    first.execute_batch(DEDUPE).unwrap();
    let count = |writer: &Connection| -> i64 {
        writer
            .query_row(DEDUPE_CHECK, params![KEY, 1, KEY], |row| row.get(0))
            .unwrap()
    };
    // Both look before either writes.
    let free = [&first, &second].map(|writer| count(writer) == 0);
    for (writer, free) in [&first, &second].into_iter().zip(free) {
        if free {
            writer
                .execute(DEDUPE_INSERT, params![KEY, 1, KEY, b"record"])
                .unwrap();
        }
    }
    assert_eq!(count(&first), 2, "one record, counted twice");
}

#[tokio::test]
async fn inserting_as_the_check_counts_a_record_once() {
    let directory = TempDir::new().unwrap();
    let store = Embedded::open(directory.path()).unwrap().ingestion();
    store.commit(batch(1, vec![account()])).await.unwrap();
    for round in 0..20_u128 {
        let same = |n: u128| {
            store.commit(batch(
                100 + 2 * round + n,
                vec![event(&format!("event {round}"))],
            ))
        };
        let (first, second) = futures_util::future::join(same(0), same(1)).await;
        let mut outcomes = [first.unwrap().outcomes, second.unwrap().outcomes].concat();
        outcomes.sort_by_key(|outcome| *outcome != Outcome::Accepted);
        assert_eq!(outcomes, [Outcome::Accepted, Outcome::Duplicate]);
    }
    let entries = store
        .fact_entries(TENANT, Slice(0), 0, usize::MAX)
        .await
        .unwrap();
    assert_eq!(
        entries.iter().map(|entry| entry.facts.len()).sum::<usize>(),
        21
    );
}

#[test]
fn a_number_taken_before_the_transaction_makes_a_follower_skip_an_entry() {
    let directory = TempDir::new().unwrap();
    let (early, late, follower) = (
        open(directory.path()),
        open(directory.path()),
        open(directory.path()),
    );
    early.execute_batch(FEED).unwrap();
    let number = |writer: &Connection| -> i64 {
        writer
            .query_row(FEED_NUMBER, params![KEY], |row| row.get(0))
            .unwrap()
    };
    let append = |writer: &Connection, number: i64| {
        writer.execute(FEED_APPEND, params![KEY, number]).unwrap()
    };
    let follow = |cursor: i64| -> Vec<i64> {
        let mut statement = follower.prepare(FEED_FOLLOW).unwrap();
        statement
            .query_map(params![KEY, cursor], |row| row.get(0))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap()
    };
    // Numbers as a database sequence gives them: at once, whatever becomes of the transaction.
    let (first, second) = (number(&early), number(&late));
    append(&late, second);
    let seen = follow(0);
    append(&early, first);
    assert_eq!(seen, [second]);
    assert_eq!(
        follow(second),
        [0; 0],
        "entry 1 is there and no follower will ever see it"
    );
}

/// The number is taken inside the writing transaction, and SQLite has one of these at a time: a second one cannot even begin
/// until the first has ended, so it cannot take a later number and commit earlier. A number that is rolled back is given again.
#[test]
fn a_second_writer_cannot_take_a_number_while_one_is_held() {
    let directory = TempDir::new().unwrap();
    let (mut early, mut late) = (open(directory.path()), open(directory.path()));
    early.execute_batch(SCHEMA).unwrap();
    let next = |writer: &Transaction<'_>| -> i64 {
        writer
            .query_row(HEAD_NEXT, params![KEY, 0], |row| row.get(0))
            .unwrap()
    };

    let holder = begin(&mut early);
    assert_eq!(next(&holder), 1);
    let refused = late
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map(|_| ())
        .unwrap_err();
    assert_eq!(refused.sqlite_error_code(), Some(ErrorCode::DatabaseBusy));
    holder.rollback().unwrap();

    let holder = begin(&mut late);
    assert_eq!(next(&holder), 1, "no gap");
    holder.commit().unwrap();
    assert_eq!(next(&begin(&mut early)), 2);
}
