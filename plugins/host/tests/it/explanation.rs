//! Reasons that keep or break the contract.

use sextant_plugin_host::{CallError, Reason};

use crate::fixture::{Fixture, call, values};

/// What a segmenter whose `explain` has this body says about two rows, of which it sees one.
fn explain(body: &str, top_k: u32) -> Result<Vec<Vec<Reason>>, CallError> {
    let body = format!("int64_t rows = in->length; (void)rows; {body}");
    let instance = Fixture {
        explain: body,
        ..Fixture::default()
    }
    .instance();
    instance.explain(&values([None, Some(1)]), &call(), top_k)
}

const TWO: &str = "static const struct reason of[2] = {{0, -2.0f, 'a'}, {0, 1.0f, 'b'}};";

#[test]
fn reasons_are_copied_to_their_rows() {
    let reasons = explain(&format!("{TWO} return reasons(out, rows, 2, of);"), 2).unwrap();
    let reason = |contribution, text: &str| Reason {
        feature_index: 0,
        contribution,
        text: Some(text.to_owned()),
    };
    assert_eq!(
        reasons,
        [
            vec![reason(0.0, "test.value is unknown")],
            vec![reason(-2.0, "a"), reason(1.0, "b")]
        ]
    );
}

#[test]
fn a_reason_may_have_no_text() {
    let body = "static const uint8_t none[1]; seg_status s = reasons(out, rows, 1, of); \
                struct ArrowArray *text = out->children[0]->children[0]->children[2]; \
                text->null_count = 1; text->buffers[0] = none; return s;";
    assert_eq!(
        explain(&format!("{TWO} {body}"), 2).unwrap()[1][0].text,
        None
    );
}

#[test]
fn reasons_that_break_the_contract_are_refused() {
    for (body, top_k, what) in [
        (
            "return reasons(out, rows, 2, of);",
            1,
            "row 0 has 2 reasons, 1 were asked for",
        ),
        ("return SEG_OK;", 2, "no array"),
        (
            "return reasons(out, rows + 1, 2, of);",
            2,
            "it has 2 rows, the input has 1",
        ),
        (
            "static const struct reason up[2] = {{0, 1, 'a'}, {0, 2, 'b'}}; return reasons(out, rows, 2, up);",
            2,
            "reasons of row 0 are not ordered",
        ),
        (
            "static const struct reason far[1] = {{1, 1, 'a'}}; return reasons(out, rows, 1, far);",
            2,
            "a reason names feature 1, the descriptor has 1",
        ),
        (
            "static const struct reason inf[1] = {{0, 1e39 * 10, 'a'}}; return reasons(out, rows, 1, inf);",
            2,
            "a contribution is not a number",
        ),
        (
            "static const struct reason bad[1] = {{0, 1, (char)0xFF}}; return reasons(out, rows, 1, bad);",
            2,
            "not UTF-8",
        ),
        (
            "static char long_text[2000]; memset(long_text, 'a', sizeof long_text); seg_status s = reasons(out, rows, 1, of); \
             struct ArrowArray *text = out->children[0]->children[0]->children[2]; \
             text->buffers[2] = long_text; ((int32_t *)text->buffers[1])[1] = 2000; return s;",
            2,
            "has 2000 bytes, at most 1024",
        ),
        (
            "seg_status s = reasons(out, rows, 2, of); out->children[0]->children[0]->children[2]->null_count = 1; return s;",
            2,
            "counts nulls and does not say which",
        ),
        (
            "seg_status s = reasons(out, rows, 2, of); out->children[0]->children[0]->length = 1; return s;",
            2,
            "reasons end at 2, there are 1",
        ),
        (
            "seg_status s = reasons(out, rows, 2, of); ((int32_t *)out->children[0]->buffers[1])[0] = 9; return s;",
            2,
            "offsets do not ascend",
        ),
        (
            "seg_status s = reasons(out, rows, 2, of); out->children[0]->children[0]->children[1]->length = 1; return s;",
            2,
            "columns of reasons differ in length",
        ),
    ] {
        let error = explain(&format!("{TWO} (void)of; {body}"), top_k).unwrap_err();
        assert!(
            matches!(&error, CallError::Output { what: found } if found.contains(what)),
            "{body}: {error}"
        );
    }
}
