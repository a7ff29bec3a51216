//! In which account somebody or something is at a moment, by what was said of it.

use std::collections::BTreeMap;

use crate::id::ExternalId;
use crate::time::Instant;

/// What was said of a key, such as a user: from a moment on it belongs to an account, or does no more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Word {
    /// From when it holds.
    pub at: Instant,
    /// The account.
    pub account: ExternalId,
    /// True: it belongs there no more.
    pub left: bool,
}

/// The account that a key belongs to at a moment: of those that it has not left again the one that was said last.
///
/// Before anything was said it belongs where it came first: a product tells of what somebody does before it tells where they
/// are. Where everything that was said by then has ended it belongs nowhere.
#[must_use]
pub fn at(words: &[Word], moment: Instant) -> Option<&ExternalId> {
    let mut latest: BTreeMap<&ExternalId, &Word> = BTreeMap::new();
    for word in words.iter().filter(|word| word.at <= moment) {
        let known = latest.entry(&word.account).or_insert(word);
        // Of what was said for one moment, that it left counts.
        if (word.at, word.left) > (known.at, known.left) {
            *known = word;
        }
    }
    if latest.is_empty() {
        let arrivals = words.iter().filter(|word| !word.left);
        let first = arrivals.min_by_key(|word| (word.at, &word.account));
        return first.map(|word| &word.account);
    }
    let present = latest.into_values().filter(|word| !word.left);
    let newest = present.max_by_key(|word| (word.at, &word.account));
    newest.map(|word| &word.account)
}

#[cfg(test)]
mod tests;
