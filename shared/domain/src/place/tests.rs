use super::*;

fn word(at: i64, account: &str, left: bool) -> Word {
    Word {
        at: Instant(at),
        account: ExternalId::parse(account).unwrap(),
        left,
    }
}

fn joins(at: i64, account: &str) -> Word {
    word(at, account, false)
}

fn leaves(at: i64, account: &str) -> Word {
    word(at, account, true)
}

/// Where it is at the moments 0 to 9, whatever the order in which the words were stored.
fn places(words: &[Word]) -> Vec<&str> {
    let mut backwards = words.to_vec();
    backwards.reverse();
    (0..10)
        .map(|moment| {
            let found = at(words, Instant(moment));
            assert_eq!(found, at(&backwards, Instant(moment)));
            found.map_or("-", |account| {
                let same = words.iter().find(|word| word.account == *account);
                same.map_or("", |word| word.account.as_str())
            })
        })
        .collect()
}

#[test]
fn nothing_said_is_nowhere() {
    assert_eq!(at(&[], Instant(5)), None);
}

#[test]
fn before_the_first_arrival_it_belongs_there_already() {
    assert_eq!(places(&[joins(5, "a")]), ["a"; 10]);
}

#[test]
fn what_was_said_last_counts() {
    let words = [joins(2, "a"), joins(5, "b"), joins(7, "a")];
    assert_eq!(
        places(&words),
        ["a", "a", "a", "a", "a", "b", "b", "a", "a", "a"]
    );
}

#[test]
fn who_leaves_is_where_they_still_are_and_then_nowhere() {
    let words = [joins(1, "a"), joins(3, "b"), leaves(5, "b"), leaves(8, "a")];
    assert_eq!(
        places(&words),
        ["a", "a", "a", "b", "b", "a", "a", "a", "-", "-"]
    );
}

#[test]
fn who_comes_back_has_arrived_anew() {
    let words = [joins(1, "a"), joins(2, "b"), leaves(4, "a"), joins(6, "a")];
    assert_eq!(
        places(&words),
        ["a", "a", "b", "b", "b", "b", "a", "a", "a", "a"]
    );
}

#[test]
fn leaving_before_any_arrival_is_nowhere() {
    let words = [leaves(3, "a"), joins(6, "a")];
    assert_eq!(
        places(&words),
        ["a", "a", "a", "-", "-", "-", "a", "a", "a", "a"]
    );
}
