//! Whether instances know of each other.

use std::time::Duration;

use arrow_array::RecordBatch;

use crate::conformance::found::{Found, Wrong, fail, pass, skipped};
use crate::conformance::rows::Kind;
use crate::conformance::subject::{AS_OF_US, Subject, instance};
use crate::conformance::tests_of_answers::{
    A_MOMENT, FEW, MAX_CONFIGS, ROWS, Told, configs, edges, quickly_explained, rows, told_at,
};
use crate::{Deadline, ExternalInstance};

/// How long instances are tried beside each other.
const LONGEST_OF_INSTANCES: Duration = Duration::from_secs(15);

pub(super) fn instances(subject: &Subject) -> Found {
    let n_explained = quickly_explained(subject, A_MOMENT, FEW)?;
    let told = |instance: &ExternalInstance, rows: &RecordBatch| {
        told_at(instance, (rows, n_explained), AS_OF_US)
    };
    let rows = rows(subject, ROWS, Kind::Plain)?;
    let first = subject.fresh("{}")?;
    let alone = told(&first, &rows)?;
    if told(&first, &rows)? != alone {
        return skipped("it answers otherwise when it is asked again, whatever is beside it");
    }
    let neighbours = neighbours(subject);
    let n_neighbours = neighbours.len();
    let share = Deadline::after(LONGEST_OF_INSTANCES);
    let mut n_tried = 0;
    for neighbour in neighbours {
        if share.left().is_zero() {
            break;
        }
        subject.in_time()?;
        if let Some(wrong) = neighbour.differs_beside(subject, &first, told)? {
            return fail(wrong);
        }
        let config = &neighbour.config;
        if told(&first, &rows)? != alone {
            return fail(format!(
                "an instance answers otherwise, or for other reasons, once there is one with {config}"
            ));
        }
        n_tried += 1;
    }
    pass(if n_tried == n_neighbours {
        "none changes another".to_owned()
    } else {
        format!("none changes another, of the {n_tried} of {n_neighbours} that there was time for")
    })
}

/// What an instance may have beside it.
struct Neighbour {
    config: String,
    origin: Origin,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Example,
    /// It has learned from other accounts.
    OtherPopulation,
    /// At the edges of what the schema allows.
    Edge,
}

/// Configurations of the examples, the default one of another population, and some of the edges: the examples may all have the same
/// configuration.
fn neighbours(subject: &Subject) -> Vec<Neighbour> {
    let examples = configs(subject);
    let edges = edges(subject);
    let step = edges.len().div_ceil(MAX_CONFIGS).max(1);
    let edges = edges.into_iter().step_by(step);
    let edges: Vec<_> = edges.filter(|edge| !examples.contains(edge)).collect();
    let of = |origin| move |config| Neighbour { config, origin };
    let default = subject.fits().then(|| "{}".to_owned());
    let others = default.into_iter().map(of(Origin::OtherPopulation));
    let examples = examples.into_iter().map(of(Origin::Example));
    let edges = edges.into_iter().map(of(Origin::Edge));
    examples.chain(others).chain(edges).collect()
}

impl Neighbour {
    /// How it answers otherwise in the process of `first` than in one of its own; `None` where it does not, or cannot be asked at all.
    fn differs_beside(
        &self,
        subject: &Subject,
        first: &ExternalInstance,
        told: impl Fn(&ExternalInstance, &RecordBatch) -> Result<Told, Wrong>,
    ) -> Result<Option<String>, Wrong> {
        let config = self.config.as_str();
        let in_a_process_of_its_own = || {
            let state = match self.origin {
                Origin::OtherPopulation => Some(subject.state_of_others(config)?),
                Origin::Example | Origin::Edge => subject.state(config)?,
            };
            let rows = subject.rows(config, ROWS, Kind::Plain)?;
            let alone = instance(&subject.process()?, (config, state.as_ref()))?;
            let answer = told(&alone, &rows)?;
            Ok::<_, Wrong>((state, rows, answer))
        };
        let (state, rows, answer) = match in_a_process_of_its_own() {
            // What it cannot bear by itself is another test's; it has to bear its examples.
            Err(_) if self.origin != Origin::Example => return Ok(None),
            own => own?,
        };
        let who = match self.origin {
            Origin::OtherPopulation => {
                format!("an instance with {config} that has learned from other accounts")
            },
            Origin::Example | Origin::Edge => format!("an instance with {config}"),
        };
        let beside = instance(first.plugin(), (config, state.as_ref()))
            .and_then(|beside| told(&beside, &rows));
        Ok(match beside {
            Err(wrong) => Some(format!(
                "{who} fails where there is one with {{}} before it, and alone does not: {wrong}"
            )),
            Ok(beside) if subject.deterministic && beside != answer => Some(format!(
                "{who} answers otherwise, or for other reasons, where there is one with {{}} before it"
            )),
            Ok(_) => None,
        })
    }
}
