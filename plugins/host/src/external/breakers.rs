//! A breaker for each configuration, and one for what has to do with none: who is asked with a configuration that it cannot bear goes
//! on answering with the others.

use std::collections::{BTreeMap, BTreeSet};

use tracing::error;

use crate::external::Trouble;
use crate::external::breaker::Breaker;
use crate::segmenter::hex;

/// What an instance is made of.
type Key = [u8; 32];

/// No instance's: what has to do with no configuration.
const WHOLE: Key = [0; 32];

/// What a segmenter is asked for. Reasons are beside the matter: who gives none answers all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Matter {
    Answers,
    Reasons,
}

/// A configuration with which a segmenter has failed too often, and is not asked at present.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failing {
    /// The canonical configuration.
    pub config: String,
    /// SHA-256 of what it answers from, if it learns.
    pub state_digest: Option<[u8; 32]>,
    /// What it has failed with last.
    pub trouble: Trouble,
}

impl Failing {
    /// SHA-256 of what it answers from, in lower-case hexadecimal digits.
    pub fn state_digest_hex(&self) -> Option<String> {
        self.state_digest.as_ref().map(|digest| hex(digest))
    }
}

#[derive(Debug)]
struct OfConfiguration {
    config: String,
    state_digest: Option<[u8; 32]>,
    /// Instances that there are.
    n_instances: usize,
    breaker: Breaker,
    reasons: Breaker,
}

/// The breakers of a segmenter.
#[derive(Debug, Default)]
pub(crate) struct Breakers {
    /// Id of the segmenter.
    segmenter: String,
    whole: Breaker,
    /// What it was asked with since its process was last looked at and found sound, and in the time before that look, whose effects
    /// may not have been seen in it.
    asked: BTreeSet<Key>,
    asked_before: BTreeSet<Key>,
    /// What it may have been each time that its process took more than it may.
    suspects: BTreeSet<Key>,
    configurations: BTreeMap<Key, OfConfiguration>,
}

impl Breakers {
    /// The breakers of a segmenter.
    pub(crate) fn of(segmenter: &str) -> Self {
        Self {
            segmenter: segmenter.to_owned(),
            ..Self::default()
        }
    }

    /// An instance is made.
    pub(crate) fn made(&mut self, key: Key, config: &str, state_digest: Option<[u8; 32]>) {
        let of = self.configurations.entry(key);
        let of = of.or_insert_with(|| OfConfiguration {
            config: config.to_owned(),
            state_digest,
            n_instances: 0,
            breaker: Breaker::default(),
            reasons: Breaker::default(),
        });
        of.n_instances += 1;
    }

    /// An instance is dropped. Incidents are remembered while they count.
    pub(crate) fn dropped(&mut self, key: &Key) {
        if let Some(of) = self.configurations.get_mut(key) {
            of.n_instances = of.n_instances.saturating_sub(1);
        }
        self.asked.remove(key);
        self.asked_before.remove(key);
        self.configurations
            .retain(|_, of| of.n_instances > 0 || of.breaker.counts() || of.reasons.counts());
    }

    /// It has failed in a batch.
    pub(crate) fn incident(&mut self, of: (&Key, Matter), batch: u64, trouble: Trouble) {
        let told = trouble.clone();
        let breaker = self.with(of.0, of.1);
        let opened = breaker.and_then(|breaker| breaker.incident(batch, trouble));
        self.tell(of, opened, Some(&told));
    }

    /// Rows were answered, and it has failed for others, which are told once, at last so.
    pub(crate) fn rows(
        &mut self,
        of: (&Key, Matter),
        n_answered: usize,
        (n_failed, trouble): (usize, Option<&Trouble>),
    ) {
        let breaker = self.with(of.0, of.1);
        let opened = breaker.and_then(|breaker| breaker.rows(n_answered, (n_failed, trouble)));
        self.tell(of, opened, trouble);
    }

    /// Tells of what is not asked any more from now on.
    fn tell(
        &self,
        (key, matter): (&Key, Matter),
        opened: Option<String>,
        trouble: Option<&Trouble>,
    ) {
        let Some(how_often) = opened else {
            return;
        };
        let config = self.configurations.get(key).map(|of| of.config.as_str());
        let is_away = matches!(trouble, Some(Trouble::Gone(_)));
        error!(
            segmenter = self.segmenter,
            config,
            how_often,
            trouble = trouble.map(ToString::to_string),
            "a segmenter has failed too often, and is not asked{} for some {}",
            match matter {
                Matter::Answers => "",
                Matter::Reasons => " why it answers as it does",
            },
            if is_away { "seconds" } else { "minutes" }
        );
    }

    /// The breaker of a configuration; of one that is not known, for answers, that of what has to do with none.
    fn with(&mut self, key: &Key, matter: Matter) -> Option<&mut Breaker> {
        match (self.configurations.get_mut(key), matter) {
            (Some(of), Matter::Answers) => Some(&mut of.breaker),
            (Some(of), Matter::Reasons) => Some(&mut of.reasons),
            (None, Matter::Answers) => Some(&mut self.whole),
            (None, Matter::Reasons) => None,
        }
    }

    /// What it has failed with last, where it is not asked why it answers as it does with a configuration.
    pub(crate) fn no_reasons_with(&mut self, key: &Key) -> Option<Trouble> {
        let of = self.configurations.get_mut(key)?;
        of.reasons.last().cloned()
    }

    /// It is asked with a configuration.
    pub(crate) fn asked(&mut self, key: Key) {
        self.asked.insert(key);
    }

    /// Its process was found to be as it should, so far.
    pub(crate) fn is_sound(&mut self) {
        self.asked_before = std::mem::take(&mut self.asked);
    }

    /// Its process was found to take more than it may: an incident of the configuration that it was asked with lately, or of the one
    /// that it was asked with each time. While that may be several, or none, it is the segmenter's own.
    pub(crate) fn excess(&mut self, batch: u64, trouble: Trouble) {
        let mut asked = std::mem::take(&mut self.asked);
        asked.append(&mut self.asked_before);
        if self.whole.counts() && !self.suspects.is_disjoint(&asked) {
            self.suspects.retain(|key| asked.contains(key));
        } else {
            self.suspects = asked;
        }
        let only = self.suspects.first().filter(|_| self.suspects.len() == 1);
        let of = only.copied().unwrap_or(WHOLE);
        self.incident((&of, Matter::Answers), batch, trouble);
    }

    /// What it has failed with last, where it is not asked with a configuration.
    pub(crate) fn failure_with(&mut self, key: &Key) -> Option<Trouble> {
        let of = self.configurations.get_mut(key);
        let whole = self.whole.last();
        whole.or_else(|| of?.breaker.last()).cloned()
    }

    /// What it has failed with last, where that has to do with no configuration.
    pub(crate) fn failure_of_all(&mut self) -> Option<Trouble> {
        self.whole.last().cloned()
    }

    /// What it has failed with last, where it is not asked with any of its configurations.
    pub(crate) fn failure(&mut self) -> Option<Trouble> {
        if let Some(trouble) = self.failure_of_all() {
            return Some(trouble);
        }
        let in_use = self.configurations.values_mut();
        let mut in_use = in_use.filter(|of| of.n_instances > 0);
        let first = in_use.next()?.breaker.last().cloned()?;
        in_use.all(|of| of.breaker.is_open()).then_some(first)
    }

    /// The configurations with which it is not asked.
    pub(crate) fn failing(&mut self) -> Vec<Failing> {
        let failing = self.configurations.values_mut().filter_map(|of| {
            Some(Failing {
                trouble: of.breaker.last().cloned()?,
                config: of.config.clone(),
                state_digest: of.state_digest,
            })
        });
        failing.collect()
    }

    pub(crate) fn close(&mut self) {
        self.whole.close();
        let all = self.configurations.values_mut();
        all.for_each(|of| {
            of.breaker.close();
            of.reasons.close();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(breakers: &mut Breakers, key: Key, batches: std::ops::Range<u64>) {
        for batch in batches {
            breakers.incident((&key, Matter::Answers), batch, Trouble::Overran);
        }
    }

    #[test]
    fn one_configuration_takes_no_other_one_along() {
        let mut breakers = Breakers::default();
        let (good, bad) = ([1; 32], [2; 32]);
        breakers.made(good, "{}", None);
        breakers.made(bad, r#"{"odd":1}"#, None);
        fails(&mut breakers, bad, 0..3);
        assert!(breakers.failure_with(&bad).is_some());
        assert!(breakers.failure_with(&good).is_none());
        assert_eq!(breakers.failure(), None);
        let failing = breakers.failing();
        assert_eq!(failing.len(), 1);
        assert_eq!(failing[0].config, r#"{"odd":1}"#);
    }

    #[test]
    fn with_its_last_configuration_it_has_failed_as_a_whole() {
        let mut breakers = Breakers::default();
        let (one, other) = ([1; 32], [2; 32]);
        breakers.made(one, "{}", None);
        breakers.made(other, r#"{"odd":1}"#, None);
        fails(&mut breakers, one, 0..3);
        fails(&mut breakers, other, 3..6);
        assert_eq!(breakers.failure(), Some(Trouble::Overran));
        breakers.close();
        assert_eq!(breakers.failure(), None);
    }

    #[test]
    fn who_fails_for_all_rows_or_for_more_than_one_in_a_hundred_is_not_asked_any_more() {
        let is_open = |batches: &[(usize, usize)]| {
            let mut breakers = Breakers::default();
            breakers.made([1; 32], "{}", None);
            for (answered, failed) in batches {
                let failed = (*failed, Some(&Trouble::Overran));
                breakers.rows((&[1; 32], Matter::Answers), *answered, failed);
            }
            breakers.failure_with(&[1; 32]) == Some(Trouble::Overran)
        };
        // All of them, or twenty of a thousand.
        assert!(is_open(&[(0, 2)]));
        assert!(is_open(&[(1_000, 20)]));
        assert!(is_open(&[(1_000, 10), (0, 10)]));
        // One account, some odd ones of a small tenant, one in a thousand.
        assert!(!is_open(&[(0, 1)]));
        assert!(!is_open(&[(30, 19)]));
        assert!(!is_open(&[(1_000, 1), (0, 1)]));
        assert!(!is_open(&[(50_000, 50)]));
    }

    #[test]
    fn who_gives_no_reasons_answers_all_the_same() {
        let (mut breakers, key) = (Breakers::default(), [1; 32]);
        breakers.made(key, "{}", None);
        for batch in 0..3 {
            breakers.incident((&key, Matter::Reasons), batch, Trouble::Overran);
        }
        assert_eq!(breakers.no_reasons_with(&key), Some(Trouble::Overran));
        assert_eq!(
            (breakers.failure_with(&key), breakers.failure()),
            (None, None)
        );
        assert!(breakers.failing().is_empty());
        breakers.close();
        assert_eq!(breakers.no_reasons_with(&key), None);
        // At once, where there were none for any of several rows; and what is not known any more takes nobody along.
        breakers.rows((&key, Matter::Reasons), 0, (2, Some(&Trouble::Overran)));
        assert_eq!(breakers.no_reasons_with(&key), Some(Trouble::Overran));
        for batch in 0..3 {
            breakers.incident((&[2; 32], Matter::Reasons), batch, Trouble::Overran);
        }
        assert_eq!(breakers.failure(), None);
    }

    #[test]
    fn a_configuration_that_is_made_again_is_as_it_was() {
        let mut breakers = Breakers::default();
        breakers.made([1; 32], "{}", None);
        fails(&mut breakers, [1; 32], 0..3);
        breakers.dropped(&[1; 32]);
        // One that nobody uses does not tell of the others.
        breakers.made([2; 32], r#"{"odd":1}"#, None);
        assert_eq!(breakers.failure(), None);
        breakers.made([1; 32], "{}", None);
        assert!(breakers.failure_with(&[1; 32]).is_some());
    }

    #[test]
    fn excess_is_of_the_one_configuration_that_was_asked_with_and_of_all_while_nobody_knows() {
        let (good, bad, other) = ([1; 32], [2; 32], [3; 32]);
        let made = || {
            let mut breakers = Breakers::default();
            for key in [good, bad, other] {
                breakers.made(key, "{}", None);
            }
            breakers
        };
        // It was asked with one, just before a look that found nothing yet.
        let mut breakers = made();
        for batch in 0..3 {
            breakers.asked(good);
            breakers.is_sound();
            breakers.asked(bad);
            breakers.is_sound();
            breakers.excess(batch, Trouble::Overran);
        }
        assert!(breakers.failure_with(&bad).is_some());
        assert!(breakers.failure_with(&good).is_none());
        // With one of several, the same each time.
        let mut breakers = made();
        for (batch, beside) in (0..).zip([good, other, good, other]) {
            breakers.asked(beside);
            breakers.asked(bad);
            breakers.excess(batch, Trouble::Overran);
        }
        assert!(breakers.failure_with(&bad).is_some());
        assert!(breakers.failure_with(&good).is_none());
        // With the same several.
        let mut breakers = made();
        for batch in 0..3 {
            assert!(breakers.failure_with(&good).is_none());
            breakers.asked(good);
            breakers.asked(bad);
            breakers.excess(batch, Trouble::Overran);
        }
        assert!(breakers.failure_with(&good).is_some());
    }

    #[test]
    fn what_has_to_do_with_no_configuration_is_of_all() {
        let mut breakers = Breakers::default();
        breakers.made([1; 32], "{}", None);
        for batch in 0..3 {
            breakers.excess(batch, Trouble::Overran);
        }
        assert!(breakers.failure_with(&[1; 32]).is_some());
        assert_eq!(breakers.failure(), Some(Trouble::Overran));
    }
}
