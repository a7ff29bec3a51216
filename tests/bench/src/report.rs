//! The table of results.

use serde_json::{Value, json};

/// What a measured value should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// measured ÷ comparator, at least this.
    RatioAtLeast(f64),
    /// measured ÷ comparator, at most this.
    RatioAtMost(f64),
    /// The measured value itself, at most this.
    AtMost(f64),
    /// None: the number is information.
    None,
}

/// One result: a measured value and a comparator of each round.
#[derive(Debug)]
pub(crate) struct Row {
    name: String,
    unit: &'static str,
    measured: Vec<f64>,
    /// Name and values, one for each measured one; empty without a comparator.
    comparator: (&'static str, Vec<f64>),
    target: Target,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, unit: &'static str, measured: Vec<f64>) -> Self {
        assert!(!measured.is_empty(), "nothing was measured");
        Self {
            name: name.into(),
            unit,
            measured,
            comparator: ("", Vec::new()),
            target: Target::None,
        }
    }

    pub(crate) fn against(mut self, name: &'static str, values: &[f64]) -> Self {
        assert_eq!(
            values.len(),
            self.measured.len(),
            "a round lacks its comparator"
        );
        self.comparator = (name, values.to_vec());
        self
    }

    pub(crate) fn should_be(mut self, target: Target) -> Self {
        self.target = target;
        self
    }

    /// measured ÷ comparator of each round.
    fn ratios(&self) -> Vec<f64> {
        let pairs = self.measured.iter().zip(&self.comparator.1);
        pairs.map(|(ours, theirs)| ours / theirs).collect()
    }

    fn ratio(&self) -> Option<f64> {
        let ratios = self.ratios();
        (!ratios.is_empty()).then(|| median(&ratios))
    }

    fn is_met(&self) -> Option<bool> {
        match self.target {
            Target::RatioAtLeast(target) => self.ratio().map(|ratio| ratio >= target),
            Target::RatioAtMost(target) => self.ratio().map(|ratio| ratio <= target),
            Target::AtMost(target) => Some(median(&self.measured) <= target),
            Target::None => None,
        }
    }

    fn verdict(&self) -> &'static str {
        match self.is_met() {
            Some(true) => "met",
            Some(false) => "missed",
            None => "",
        }
    }

    fn target_text(&self) -> String {
        match self.target {
            Target::RatioAtLeast(target) => format!(">= {target} x"),
            Target::RatioAtMost(target) => format!("<= {target} x"),
            Target::AtMost(target) => format!("<= {} {}", number(target), self.unit),
            Target::None => String::new(),
        }
    }

    /// How far apart the rounds are: of the ratio where there is one, else of the value.
    fn spread(&self) -> String {
        let ratios = self.ratios();
        let values = if ratios.is_empty() {
            &self.measured
        } else {
            &ratios
        };
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(0.0, f64::max);
        format!("{} - {}", number(least), number(most))
    }

    fn cells(&self) -> [String; 8] {
        let comparator = match self.comparator.1.as_slice() {
            [] => String::new(),
            values => format!("{} {}", number(median(values)), self.comparator.0),
        };
        [
            self.name.clone(),
            format!("{} {}", number(median(&self.measured)), self.unit),
            comparator,
            self.ratio().map_or_else(String::new, number),
            self.spread(),
            self.measured.len().to_string(),
            self.target_text(),
            self.verdict().to_owned(),
        ]
    }

    fn json(&self) -> Value {
        let target = match self.target {
            Target::RatioAtLeast(value) => json!({"of": "ratio", "at_least": value}),
            Target::RatioAtMost(value) => json!({"of": "ratio", "at_most": value}),
            Target::AtMost(value) => json!({"of": "measured", "at_most": value}),
            Target::None => Value::Null,
        };
        let comparator = match self.comparator.1.as_slice() {
            [] => Value::Null,
            values => {
                json!({"name": self.comparator.0, "median": median(values), "rounds": values})
            },
        };
        json!({
            "name": self.name,
            "unit": self.unit,
            "measured": {"median": median(&self.measured), "rounds": self.measured},
            "comparator": comparator,
            "ratio": self.ratio(),
            "ratios": self.ratios(),
            "target": target,
            "met": self.is_met(),
        })
    }
}

/// All results, in the order in which they were measured.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

const HEAD: [&str; 8] = [
    "what",
    "measured",
    "comparator",
    "ratio",
    "spread",
    "rounds",
    "target",
    "",
];

impl Report {
    pub(crate) fn add(&mut self, row: Row) {
        eprintln!("  {}", row.cells().join(" | "));
        self.rows.push(row);
    }

    pub(crate) fn print(&self) {
        let table: Vec<[String; 8]> = std::iter::once(HEAD.map(str::to_owned))
            .chain(self.rows.iter().map(Row::cells))
            .collect();
        let width = |column: usize| {
            table
                .iter()
                .map(|cells| cells[column].chars().count())
                .max()
        };
        let widths: Vec<usize> = (0..HEAD.len())
            .map(|column| width(column).unwrap_or(0))
            .collect();
        for cells in &table {
            let padded = cells
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"));
            println!("{}", padded.collect::<Vec<_>>().join("  ").trim_end());
        }
    }

    pub(crate) fn json(&self) -> String {
        let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        format!("{:#}\n", json!({"cores": cores, "rows": rows}))
    }
}

/// The middle value; of an even number of values, the higher of the two in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value that a share of all values is not above.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = place(sorted.len(), share);
    sorted[place]
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place among far fewer than 2^52 values; the share is from 0 to 1"
)]
fn place(length: usize, share: f64) -> usize {
    ((length as f64 * share) as usize).min(length - 1)
}

/// Three digits that count, or all of a whole number.
fn number(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0..100.0 => format!("{value:.1}"),
        1.0..10.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
