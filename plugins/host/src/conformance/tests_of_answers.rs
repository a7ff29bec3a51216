//! What a segmenter answers: its examples, odd rows, and the same again.

use std::time::Duration;

use arrow_array::{RecordBatch, UInt32Array};
use arrow_select::take::take_record_batch;

use crate::conformance::found::{Found, Wrong, fail, pass, skipped, warning};
use crate::conformance::rows::{Kind, hidden, recoded};
use crate::conformance::subject::{AS_OF_US, Subject, answers, answers_at, call, timed};
use crate::conformance::{OF_A_PROCESS, Test, tests_of_instances};
use crate::{
    ABSTAIN, Assignments, Call, Descriptor, Example, ExternalInstance, NO_SEGMENT, Reason,
};

/// Rows of most tests.
pub(super) const ROWS: usize = 1_000;
/// Rows that are asked about in another order and in pieces: more than whoever looks at the number of rows makes a difference at.
const ORDERED_ROWS: usize = MANY_ROWS;
const PIECE_ROWS: usize = 211;
/// How often the same is asked.
const TIMES: usize = 20;
const TIMES_EXPLAINED: usize = 5;
/// Rows whose reasons are asked for, so many of each, within this time; and how long people wait for those of a page.
pub(super) const EXPLAINED: usize = 100;
pub(super) const MOST_REASONS: u32 = 4;
/// Rows whose reasons tell how long those of others take, and how long is asked for reasons at one time where that is done again and again.
pub(super) const FEW: usize = 10;
const A_WHILE: Duration = Duration::from_millis(250);
pub(super) const A_MOMENT: Duration = Duration::from_millis(25);
const LONGEST_EXPLANATION: Duration = Duration::from_secs(5);
pub(super) const LONGEST_OF_A_PAGE: Duration = Duration::from_secs(2);
/// More than fit into one batch of the service, and no round number.
const MANY_ROWS: usize = 16_411;

/// Moments that are asked about: in 2026 not at midnight, a leap day, before 1970, and beyond 32 bits of seconds.
const MOMENTS_US: [i64; 4] = [
    1_782_841_512_345_678,
    1_709_251_199_999_999,
    -86_399_000_001,
    4_102_444_799_000_001,
];
/// Configurations that are tried, at most.
pub(super) const MAX_CONFIGS: usize = 16;
/// Other processes that have to answer the same.
const OTHERS: usize = 3;

pub(super) const TESTS: &[Test] = &[
    Test {
        id: "E-examples",
        why: "examples are what the author promises, and what a reader of the catalogue sees",
        fix: "correct the example or the model; `expect` holds a segment's key, \"\" for none, null where it abstains",
        run: examples,
    },
    Test {
        id: "D-empty",
        why: "a batch without rows is a batch",
        fix: "answer an array of length 0; do not look at the first row before the loop",
        run: |subject| shows(subject, 0, Kind::Plain),
    },
    Test {
        id: "D-one",
        why: "most evaluations are of one account",
        fix: "answer as many rows as there are",
        run: |subject| shows(subject, 1, Kind::Plain),
    },
    Test {
        id: "D-many",
        why: "a tenant's accounts come in batches of up to 16,384, and indices are 64 bits wide",
        fix: "see what it was lost with, if it was; answer as many rows as there are, with positions of segments; keep no buffer of a fixed size, and count rows with 64 bits",
        run: |subject| shows(subject, MANY_ROWS, Kind::Plain),
    },
    Test {
        id: "D-wide",
        why: "features are shares and counts, and percentages, amounts of cents and changes to less as well",
        fix: "judge whatever a feature's type can hold, or abstain",
        run: |subject| shows(subject, MANY_ROWS, Kind::Wide),
    },
    Test {
        id: "D-unknown",
        why: "absent means unknown, never zero: columns with on_missing null carry nulls",
        fix: "look at the validity bitmap before the value, which means nothing where it is unknown; it may be NULL where there are no nulls",
        run: unknown,
    },
    Test {
        id: "D-extremes",
        why: "facts come from systems with defects: NaN, infinity, the greatest integers, long and empty texts",
        fix: "abstain for what cannot be judged; add and multiply so that nothing overflows",
        run: |subject| shows(subject, ROWS, Kind::Extreme),
    },
    Test {
        id: "D-offset",
        why: "columns may begin in the middle of a buffer, and are everybody's",
        fix: "add the offset of a child to its index, of bitmaps too; read nothing behind the last row; never write to the input",
        run: offset,
    },
    Test {
        id: "D-dictionary",
        why: "a dictionary is of its batch: the next one holds other texts, in another order",
        fix: "look texts up in every batch, and compare as many bytes as their offsets say, for no NUL ends them",
        run: dictionary,
    },
    Test {
        id: "D-moment",
        why: "it is asked about the past as well, and about any time of a day",
        fix: "take the moment of a call as it is, microseconds since 1970, before which moments are negative; keep nothing of it for the next call",
        run: moments,
    },
    Test {
        id: "X-again",
        why: "a replay has to give the same segments, whenever and wherever it runs",
        fix: "take time and randomness from the call only; keep nothing from one call to the next; do not depend on addresses or on the order of a hash map",
        run: again,
    },
    Test {
        id: "X-order",
        why: "with SEG_CAP_ROW_INDEPENDENT batches are cut anywhere and in any order, as after a crash",
        fix: "judge each row by itself, or do not promise it",
        run: order,
    },
    Test {
        id: "X-instances",
        why: "one process serves all configurations of all tenants",
        fix: "keep a configuration in its instance, never in a static variable",
        run: tests_of_instances::instances,
    },
    Test {
        id: "C-explain",
        why: "people see the reasons of every move: at most as many as asked for, strongest first, of features that there are, in a sentence",
        fix: "give reasons for every row that segment judges, whatever its values; sort by the absolute contribution, cut off at top_k, index features as the descriptor lists them, and keep a text below 1,024 bytes",
        run: explains,
    },
    Test {
        id: "X-explain",
        why: "reasons are asked for whenever somebody looks: they are the same again, and change nothing",
        fix: "let explain take time and randomness from the call only, leave its input and the instance as they are, and add the offset of a child to its index",
        run: explains_again,
    },
    Test {
        id: "C-segments",
        why: "a segment that no row can reach is a mistake in the model or in its list",
        fix: "remove the segment, or add an example that reaches it",
        run: segments,
    },
];

/// The key that an example expects, as answers carry it.
fn index_of(descriptor: &Descriptor, key: Option<&String>) -> Result<u16, Wrong> {
    match key.map(String::as_str) {
        None => Ok(ABSTAIN),
        Some("") => Ok(NO_SEGMENT),
        Some(key) => {
            let index = descriptor.segment_index(key);
            index.ok_or_else(|| format!("it expects \"{key}\", which is no segment").into())
        },
    }
}

fn example_holds(subject: &Subject, example: &Example) -> Result<(), Wrong> {
    let (instance, rows) = subject.of_example(example)?;
    if example.expect.len() != rows.num_rows() {
        let (expected, found) = (example.expect.len(), rows.num_rows());
        return Err(format!("it expects {expected} answers for {found} rows").into());
    }
    let answered = answers(&instance, &rows)?;
    let descriptor = instance.descriptor();
    for (row, key) in example.expect.iter().enumerate() {
        let expected = index_of(descriptor, key.as_ref())?;
        let found = answered.segment.get(row).copied();
        if found != Some(expected) {
            let found = found.map_or_else(String::new, |found| named(descriptor, found));
            let expected = named(descriptor, expected);
            return Err(format!("row {row}: expected {expected}, answered {found}").into());
        }
    }
    Ok(())
}

fn named(descriptor: &Descriptor, answer: u16) -> String {
    match answer {
        ABSTAIN => "abstained".to_owned(),
        NO_SEGMENT => "no segment".to_owned(),
        index => {
            let segment = descriptor.segments.get(usize::from(index));
            segment.map_or_else(|| index.to_string(), |segment| segment.key.clone())
        },
    }
}

fn examples(subject: &Subject) -> Found {
    let examples = &subject.descriptor().examples;
    if examples.is_empty() {
        return warning("there are none");
    }
    for (k, example) in examples.iter().enumerate() {
        example_holds(subject, example).map_err(|wrong| wrong.of(format_args!("example {k}")))?;
    }
    pass(format!("{} hold", examples.len()))
}

pub(super) fn rows(subject: &Subject, n_rows: usize, kind: Kind) -> Result<RecordBatch, Wrong> {
    subject.rows("{}", n_rows, kind)
}

fn answered(subject: &Subject, n_rows: usize, kind: Kind) -> Result<Assignments, Wrong> {
    let rows = rows(subject, n_rows, kind)?;
    answers(&subject.fresh("{}")?, &rows)
}

fn shows(subject: &Subject, n_rows: usize, kind: Kind) -> Found {
    let answers = answered(subject, n_rows, kind)?;
    let numbers = [&answers.score, &answers.confidence];
    let mut numbers = numbers.into_iter().flatten().flatten();
    if numbers.any(|number| number.is_infinite()) {
        return fail("a score or confidence is infinite");
    }
    pass(format!("{n_rows} rows"))
}

fn unknown(subject: &Subject) -> Found {
    shows(subject, ROWS, Kind::Unknown)?;
    let rows = rows(subject, ROWS, Kind::Plain)?;
    let instance = subject.fresh("{}")?;
    let plain = answers(&instance, &rows)?;
    if bits(&answers(&instance, &rows)?) != bits(&plain) {
        return skipped("it answers otherwise when it is asked again, whatever lies there");
    }
    let other = answers(&instance, &hidden(&rows)?)?;
    if subject.deterministic && bits(&other) != bits(&plain) {
        return fail("its answer is of what lies where a value is unknown");
    }
    pass(format!("{ROWS} rows"))
}

fn offset(subject: &Subject) -> Found {
    if !subject.has_process() {
        return skipped(OF_A_PROCESS);
    }
    for kind in [Kind::Plain, Kind::Unknown, Kind::Extreme] {
        let rows = rows(subject, ROWS, kind)?;
        let plain = answers(&subject.fresh("{}")?, &rows)?;
        let shifted = answers(&subject.observed()?, &rows)?;
        if subject.deterministic && bits(&shifted) != bits(&plain) {
            return fail(
                "the same rows give other answers where columns have an offset, and values of others before and behind theirs",
            );
        }
    }
    pass(format!("{ROWS} rows of each kind"))
}

fn dictionary(subject: &Subject) -> Found {
    for kind in [Kind::Plain, Kind::Unknown, Kind::Extreme] {
        let rows = rows(subject, ROWS, kind)?;
        let instance = subject.fresh("{}")?;
        let plain = answers(&instance, &rows)?;
        if bits(&answers(&instance, &rows)?) != bits(&plain) {
            return skipped("it answers otherwise when it is asked again, whatever the dictionary");
        }
        let other = answers(&instance, &recoded(&rows)?)?;
        if subject.deterministic && bits(&other) != bits(&plain) {
            return fail(
                "the same texts give other answers where a dictionary holds them in another order",
            );
        }
    }
    pass("whatever the order of their texts")
}

fn moments(subject: &Subject) -> Found {
    let rows = rows(subject, ROWS, Kind::Plain)?;
    let n_explained = quickly_explained(subject, A_MOMENT, FEW)?;
    let used = subject.fresh("{}")?;
    for as_of_us in MOMENTS_US {
        let told = |instance: &ExternalInstance| {
            let told = told_at(instance, (&rows, n_explained), as_of_us);
            told.map_err(|wrong| wrong.of(format_args!("as_of {as_of_us}")))
        };
        let is_same = told(&used)? == told(&subject.fresh("{}")?)?;
        if subject.deterministic && !is_same {
            if told(&used)? != told(&used)? {
                return skipped("it answers otherwise when it is asked again, whatever the moment");
            }
            return fail(format!(
                "as of {as_of_us} it answers otherwise, or for other reasons, once it was asked about other moments"
            ));
        }
    }
    pass(format!("{} moments", MOMENTS_US.len()))
}

fn again(subject: &Subject) -> Found {
    if !subject.deterministic {
        return warning("SEG_CAP_DETERMINISTIC is not set: the past cannot be evaluated again");
    }
    let rows = rows(subject, ROWS, Kind::Plain)?;
    let first = subject.fresh("{}")?;
    let answer = bits(&answers(&first, &rows)?);
    // The same instance, after other rows, and other processes, for addresses may be alike in two.
    answers(&first, &self::rows(subject, 17, Kind::Plain)?)?;
    let mut is_same = true;
    for _ in 0..TIMES {
        is_same &= bits(&answers(&first, &rows)?) == answer;
    }
    for _ in 0..OTHERS {
        is_same &= bits(&answers(&subject.fresh("{}")?, &rows)?) == answer;
    }
    if !is_same {
        return fail("the same rows, moment and seed give other answers");
    }
    if subject.has_process() && bits(&answers(&subject.later()?, &rows)?) != answer {
        return fail("the same rows, moment and seed give other answers on another day");
    }
    pass("the same in one instance, in other processes and on another day")
}

/// Answers so that they can be compared, NaN with NaN as well.
fn bits(answers: &Assignments) -> (Vec<u16>, Vec<u32>) {
    let numbers = [&answers.score, &answers.confidence];
    let numbers = numbers.into_iter().flatten().flatten();
    (
        answers.segment.clone(),
        numbers.map(|number| number.to_bits()).collect(),
    )
}

/// The same rows, the last one first.
fn backwards(rows: &RecordBatch) -> Result<RecordBatch, Wrong> {
    let order = (0..rows.num_rows()).rev();
    let order: UInt32Array = order.map(|row| u32::try_from(row).ok()).collect();
    Ok(take_record_batch(rows, &order)?)
}

fn order(subject: &Subject) -> Found {
    if !subject.row_independent {
        return skipped("it does not promise SEG_CAP_ROW_INDEPENDENT");
    }
    let rows = rows(subject, ORDERED_ROWS, Kind::Plain)?;
    let instance = subject.fresh("{}")?;
    let whole = answers(&instance, &rows)?.segment;
    let mut turned = answers(&instance, &backwards(&rows)?)?.segment;
    turned.reverse();
    let mut pieces = Vec::new();
    for start in (0..ORDERED_ROWS).step_by(PIECE_ROWS) {
        let piece = rows.slice(start, PIECE_ROWS.min(ORDERED_ROWS - start));
        pieces.extend(answers(&instance, &piece)?.segment);
    }
    if turned != whole || pieces != whole {
        return fail("a row's answer changes with the rows around it");
    }
    pass("backwards and in pieces")
}

/// Configurations at the edges of what the schema allows, beside what the first example has.
pub(super) fn edges(subject: &Subject) -> Vec<String> {
    let descriptor = subject.descriptor();
    let example = descriptor.examples.first();
    let given = example.and_then(|example| example.config.as_object().cloned());
    let edges = descriptor.config_schema.edges(&given.unwrap_or_default());
    edges.into_iter().collect()
}

/// Configurations of the examples, and the default one.
pub(super) fn configs(subject: &Subject) -> Vec<String> {
    let examples = subject.descriptor().examples.iter();
    let mut configs: Vec<String> = examples.map(|example| example.config.to_string()).collect();
    configs.push("{}".to_owned());
    configs.sort_unstable();
    configs.dedup();
    configs.truncate(MAX_CONFIGS);
    configs
}

/// Answers and reasons, so that they can be compared.
pub(super) type Told = ((Vec<u16>, Vec<u32>), Vec<Vec<Reason>>);

/// What an instance answers of rows at a moment, and why of the first of them.
pub(super) fn told_at(
    instance: &ExternalInstance,
    (rows, n_explained): (&RecordBatch, usize),
    as_of_us: i64,
) -> Result<Told, Wrong> {
    let answers = bits(&answers_at(instance, rows, as_of_us)?);
    let reasons = if n_explained > 0 {
        explained_at(
            instance,
            &rows.slice(0, n_explained),
            MOST_REASONS,
            as_of_us,
        )?
    } else {
        Vec::new()
    };
    Ok((answers, reasons))
}

fn explains(subject: &Subject) -> Found {
    if !subject.explains {
        return warning("it gives no reasons: people see only which features it reads");
    }
    let instance = subject.fresh("{}")?;
    let n_rows = quickly_explained(subject, A_WHILE, EXPLAINED)?;
    let plain = rows(subject, n_rows, Kind::Plain)?;
    let mut most = 0;
    for top_k in [0, 1, MOST_REASONS] {
        let reasons = explained(&instance, &plain, top_k)?;
        let asked_of = answers(&instance, &plain)?;
        let mut rows = reasons.iter().zip(&asked_of.segment);
        let silent = rows
            .position(|(of_row, segment)| top_k > 0 && of_row.is_empty() && *segment != ABSTAIN);
        if let Some(row) = silent {
            return fail(format!("row {row} is judged, and there is no reason"));
        }
        let is_blank = |one: &Reason| {
            let mut letters = one.text.iter().flat_map(|text| text.chars());
            one.text.is_some() && letters.all(|c| c.is_whitespace() || c.is_control())
        };
        if let Some(row) = reasons
            .iter()
            .position(|of_row| of_row.iter().any(is_blank))
        {
            return fail(format!("row {row} has a reason without words"));
        }
        most = reasons.iter().map(Vec::len).max().unwrap_or_default();
    }
    for kind in [Kind::Unknown, Kind::Extreme] {
        explained(&instance, &rows(subject, n_rows, kind)?, MOST_REASONS)?;
    }
    for (k, example) in subject.descriptor().examples.iter().enumerate() {
        let (instance, rows) = subject.of_example(example)?;
        let told = explained(&instance, &rows, MOST_REASONS);
        told.map_err(|wrong| wrong.of(format_args!("of example {k}")))?;
    }
    pass(format!("up to {most} reasons a row"))
}

fn explains_again(subject: &Subject) -> Found {
    if !subject.explains {
        return skipped("it gives no reasons");
    }
    let n_rows = quickly_explained(subject, A_WHILE, EXPLAINED)?;
    for kind in [Kind::Plain, Kind::Unknown, Kind::Extreme] {
        let rows = rows(subject, n_rows, kind)?;
        let instance = subject.fresh("{}")?;
        let answer = bits(&answers(&instance, &rows)?);
        let said = explained(&instance, &rows, MOST_REASONS)?;
        let again = (0..TIMES_EXPLAINED).map(|_| explained(&instance, &rows, MOST_REASONS));
        let mut others = again.collect::<Result<Vec<_>, _>>()?;
        if subject.deterministic && bits(&answers(&instance, &rows)?) != answer {
            return fail("the same rows get other answers once it was asked why");
        }
        others.push(explained(&subject.fresh("{}")?, &rows, MOST_REASONS)?);
        if subject.has_process() {
            others.push(explained(&subject.observed()?, &rows, MOST_REASONS)?);
            others.push(explained(&subject.later()?, &rows, MOST_REASONS)?);
        }
        others.push(explained(&instance, &recoded(&rows)?, MOST_REASONS)?);
        if subject.deterministic && others.iter().any(|other| *other != said) {
            return fail(
                "the same rows, moment and seed give other reasons: again, in another process, on another day, or where columns have an offset or other dictionaries",
            );
        }
        let mut turned = explained(&instance, &backwards(&rows)?, MOST_REASONS)?;
        turned.reverse();
        let is_same = said
            .iter()
            .zip(&turned)
            .all(|(one, other)| alike(one, other));
        if subject.deterministic && subject.row_independent && !is_same {
            return fail("a row's reasons change with the rows around it");
        }
    }
    pass("the same again, and answers stay")
}

/// Whether reasons are the same but for the last digits of a contribution, which whoever computes many rows at once may round otherwise
/// at another place.
fn alike(left: &[Reason], right: &[Reason]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).all(|(one, other)| {
            let (weight, other_weight) = (one.contribution, other.contribution);
            let is_close = (weight - other_weight).abs() <= weight.abs() * 1e-5;
            one.feature_index == other.feature_index
                && one.text == other.text
                && (is_close || weight.to_bits() == other_weight.to_bits())
        })
}

/// Of so many rows at most, those whose reasons are said within a while; none where it gives no reasons.
pub(super) fn quickly_explained(
    subject: &Subject,
    a_while: Duration,
    most: usize,
) -> Result<usize, Wrong> {
    if !subject.explains {
        return Ok(0);
    }
    let instance = subject.fresh("{}")?;
    let few = rows(subject, FEW, Kind::Plain)?;
    // The first time is that of a cold start.
    explained(&instance, &few.slice(0, 1), MOST_REASONS)?;
    let (_reasons, took) = timed(|| explained(&instance, &few, MOST_REASONS))?;
    let of_one = took.max(Duration::from_nanos(1)) / u32::try_from(FEW).unwrap_or(u32::MAX);
    let rows = a_while.as_nanos() / of_one.as_nanos().max(1);
    Ok(usize::try_from(rows).unwrap_or(most).clamp(1, most))
}

pub(super) fn explained(
    instance: &ExternalInstance,
    rows: &RecordBatch,
    top_k: u32,
) -> Result<Vec<Vec<Reason>>, Wrong> {
    explained_at(instance, rows, top_k, AS_OF_US)
}

/// The same of another moment, in microseconds since 1970.
fn explained_at(
    instance: &ExternalInstance,
    rows: &RecordBatch,
    top_k: u32,
    as_of_us: i64,
) -> Result<Vec<Vec<Reason>>, Wrong> {
    let call = Call {
        as_of_us,
        ..call(LONGEST_EXPLANATION)
    };
    Ok(instance.explain(rows, &call, top_k)?)
}

fn segments(subject: &Subject) -> Found {
    let descriptor = subject.descriptor();
    if descriptor.dynamic_segments.is_some() {
        return skipped("its segments are a configuration's");
    }
    let mut reached = answered(subject, 10_000, Kind::Plain)?.segment;
    for example in &descriptor.examples {
        let (instance, rows) = subject.of_example(example)?;
        reached.extend(answers(&instance, &rows)?.segment);
    }
    let segments = descriptor.segments.iter().zip(0_u16..);
    let unreached: Vec<&str> = segments
        .filter(|(_, index)| !reached.contains(index))
        .map(|(segment, _)| segment.key.as_str())
        .collect();
    if unreached.is_empty() {
        pass("every segment is reached")
    } else {
        warning(format!("no row is in {}", unreached.join(", ")))
    }
}
