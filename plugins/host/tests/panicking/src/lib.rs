//! A segmenter for tests of those who ask it: it panics where its input says so, and answers with a score and a confidence.

use sextant_segmenter::{Answer, Call, Config, ConfigError, Extra, Reasons, Segmenter, features};

features! {
    /// What the segmenter reads.
    pub struct Row {
        value: I64 = "revenue.mrr_minor",
        text: Text = "test.text",
        flag: Bool = "test.flag",
        at: Timestamp = "test.at",
    }
}

/// The segmenter: value 13 panics, and what is asked why it has value 14.
#[derive(Debug)]
pub struct Panicking;

impl Segmenter for Panicking {
    type Rows<'a> = Row<'a>;

    const DESCRIPTOR: &'static str = r#"{
        "id": "fixture.panicking", "version": "1.0.0", "abi": "1.0", "title": "Panicking", "output": "single",
        "requires": [{"feature": "revenue.mrr_minor", "type": "int64", "on_missing": "skip_row"}],
        "optional": [{"feature": "test.text", "type": "utf8"}, {"feature": "test.flag", "type": "bool"},
                     {"feature": "test.at", "type": "timestamp[us, UTC]"}],
        "segments": [{"key": "even"}, {"key": "odd"}],
        "config_schema": {"type": "object", "properties": {"panic": {"type": "boolean", "default": false}}}
    }"#;
    const EXTRAS: &'static [Extra] = &[Extra::Score, Extra::Confidence];

    #[expect(clippy::panic, reason = "the purpose of this segmenter")]
    fn create(config: &Config) -> Result<Self, ConfigError> {
        if config.bool("panic")? {
            panic!("asked to panic in create");
        }
        Ok(Self)
    }

    #[expect(clippy::panic, reason = "the purpose of this segmenter")]
    fn assign(&self, _call: &Call<'_>, rows: &Row<'_>, row: usize) -> Answer {
        match rows.value.get(row) {
            None => Answer::ABSTAIN,
            Some(13) => panic!("unlucky row {row}"),
            Some(value) => Answer::segment(u16::from(value % 2 != 0))
                .with_score(0.5)
                .with_confidence(1.0),
        }
    }

    #[expect(clippy::panic, reason = "the purpose of this segmenter")]
    fn explain(&self, _call: &Call<'_>, rows: &Row<'_>, row: usize, reasons: &mut Reasons) {
        if rows.value.get(row) == Some(14) {
            panic!("speechless about row {row}");
        }
        reasons.push(&rows.value, 2.0, format!("value {:?}", rows.value.get(row)));
        reasons.push(&rows.text, -1.0, format!("text {:?}", rows.text.get(row)));
        reasons.push(&rows.flag, 0.5, format!("flag {:?}", rows.flag.get(row)));
        reasons.push(&rows.at, 0.25, format!("at {:?}", rows.at.get(row)));
    }
}

sextant_segmenter::export_segmenter!(Panicking);
