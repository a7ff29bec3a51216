//! What a configuration decides on: features to read, and segments.

use crate::conformance::Test;
use crate::conformance::found::{Found, Wrong, pass, skipped};
use crate::conformance::rows::Kind;
use crate::conformance::subject::{Subject, answers, configured};
use crate::conformance::tests_of_answers::{configs, edges as configurations_at_the_edges};

/// Rows of a batch here.
const ROWS: usize = 1_000;
/// Configurations at the edges that are tried at most, with so many rows each, and bytes of one that are shown.
const MAX_EDGES: usize = 64;
const EDGE_ROWS: usize = 100;
const SHOWN_BYTES: usize = 200;

pub(super) const TESTS: &[Test] = &[
    Test {
        id: "Q-lists",
        why: "what a configuration reads is checked with the feature catalogue before anything is shown, and what it answers is shown to people",
        fix: "write JSON arrays like requires and segments: features within feature_scope and none of the descriptor's, at most dynamic_segments.max segments with keys of their own",
        run: lists,
    },
    Test {
        id: "Q-stable",
        why: "features and segments are asked for in every process, and stored answers are read with them later",
        fix: "let requirements depend on the configuration alone, and segments on configuration and state",
        run: stable,
    },
    Test {
        id: "Q-state",
        why: "a segmenter is fitted to the features that it reads afterwards",
        fix: "let requirements depend on the configuration alone, not on what was learned",
        run: stateless,
    },
    Test {
        id: "Q-edges",
        why: "every tenant may configure whatever the schema allows",
        fix: "say what is allowed in config_schema (minimum, maximum, enum), and refuse what is useless beyond that in create, with SEG_E_INVALID_CONFIG",
        run: edges,
    },
    Test {
        id: "Q-answers",
        why: "an answer is a position in the segments of its configuration",
        fix: "answer positions in the list that segments writes for this configuration",
        run: in_list,
    },
];

/// Makes a test of every configuration of the examples.
fn of_each(subject: &Subject, is_about: bool, test: impl Fn(&str) -> Result<(), Wrong>) -> Found {
    if !is_about {
        return skipped("no configuration decides on that");
    }
    let configs = configs(subject);
    for config in &configs {
        test(config).map_err(|wrong| wrong.of(format_args!("with {config}")))?;
    }
    pass(format!("{} configurations", configs.len()))
}

fn lists(subject: &Subject) -> Found {
    of_each(subject, subject.descriptor().is_dynamic(), |config| {
        subject.configured(config).map(|_fits| ())
    })
}

fn stable(subject: &Subject) -> Found {
    of_each(subject, subject.descriptor().is_dynamic(), |config| {
        let first = subject.configured(config)?;
        let used = subject.fresh(config)?;
        answers(&used, &subject.rows(config, ROWS, Kind::Plain)?)?;
        let state = subject.state(config)?;
        // In the process that has answered, and in new ones.
        let again = super::subject::instance(used.plugin(), (config, state.as_ref()))?;
        for other in [again, subject.fresh(config)?, subject.fresh(config)?] {
            if other.descriptor().features != first.features {
                return Err("it reads other features when it is asked again".into());
            }
            if other.descriptor().segments != first.segments {
                return Err("it has other segments when it is asked again".into());
            }
        }
        Ok(())
    })
}

fn stateless(subject: &Subject) -> Found {
    let is_about = subject.fits() && subject.descriptor().dynamic_features.is_some();
    of_each(subject, is_about, |config| {
        let before = configured(&subject.process()?, config)?;
        if before.features == subject.configured(config)?.features {
            Ok(())
        } else {
            Err("it reads other features once it is fitted".into())
        }
    })
}

fn in_list(subject: &Subject) -> Found {
    let is_about = subject.descriptor().dynamic_segments.is_some();
    of_each(subject, is_about, |config| {
        let rows = subject.rows(config, ROWS, Kind::Plain)?;
        answers(&subject.fresh(config)?, &rows).map(|_in_list| ())
    })
}

fn edges(subject: &Subject) -> Found {
    let edges = configurations_at_the_edges(subject);
    if edges.is_empty() {
        return skipped("there is nothing to configure");
    }
    // Of each property some.
    let (n_edges, step) = (edges.len(), edges.len().div_ceil(MAX_EDGES));
    let (mut n_refused, process) = (0, subject.process()?);
    for config in edges.into_iter().step_by(step) {
        let asked = subject.state(&config).and_then(|state| {
            let instance = super::subject::instance(&process, (&config, state.as_ref()))?;
            let rows = crate::conformance::made_up(instance.descriptor(), EDGE_ROWS)?;
            answers(&instance, &rows)
        });
        match asked {
            Ok(_answers) => {},
            Err(wrong) if wrong.is_refusal() => n_refused += 1,
            Err(wrong) => {
                let end = config.floor_char_boundary(SHOWN_BYTES);
                let shown = config.get(..end).unwrap_or_default();
                return Err(wrong.of(format_args!("with {shown}")));
            },
        }
    }
    let n_tried = n_edges.div_ceil(step);
    pass(format!(
        "{n_tried} of {n_edges} configurations, of which it refuses {n_refused}"
    ))
}
