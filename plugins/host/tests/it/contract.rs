//! Calls of segmenters that keep or break the contract.

use std::sync::atomic::AtomicU32;
use std::thread;
use std::time::Duration;

use sextant_plugin_host::{
    ABSTAIN, Call, CallError, Deadline, FailureCode, Instance, Missing, NO_SEGMENT,
};

use crate::fixture::{Fixture, call, values};

fn segmenting(body: &str) -> Fixture {
    Fixture {
        segment: body.to_owned(),
        ..Fixture::default()
    }
}

/// The error of a call whose `segment` has this body.
fn error_of(body: &str) -> CallError {
    segmenting(body)
        .instance()
        .segment(&values([Some(0), Some(1)]), &call())
        .unwrap_err()
}

#[test]
fn answers_are_copied_in_row_order() {
    let instance = Fixture::default().instance();
    let batch = values([Some(2), Some(0), Some(0xFFFF), Some(0xFFFE), Some(1)]);
    let answers = instance.segment(&batch, &call()).unwrap();
    assert_eq!(answers.segment, [2, 0, NO_SEGMENT, ABSTAIN, 1]);
    assert_eq!((answers.score, answers.confidence), (None, None));
    assert!(
        instance
            .segment(&values([]), &call())
            .unwrap()
            .segment
            .is_empty()
    );
}

#[test]
fn rows_without_the_feature_abstain_and_name_it() {
    let instance = Fixture::default().instance();
    let answers = instance
        .segment(&values([None, Some(1), None, Some(2)]), &call())
        .unwrap();
    assert_eq!(answers.segment, [ABSTAIN, 1, ABSTAIN, 2]);
    assert_eq!(
        answers.missing,
        [
            Missing { row: 0, feature: 0 },
            Missing { row: 2, feature: 0 }
        ]
    );
    assert_eq!(
        (answers.missing_of(0).len(), answers.missing_of(1).len()),
        (1, 0)
    );
    let answers = instance.segment(&values([None]), &call()).unwrap();
    assert_eq!(
        (answers.segment.as_slice(), answers.missing.len()),
        (&[ABSTAIN][..], 1)
    );
}

#[test]
fn a_batch_of_another_length_is_refused() {
    let error = error_of("return answer(out, values, rows - 1);");
    assert_eq!(
        error.to_string(),
        "the segmenter's answer breaks the contract: it has 1 rows, the input has 2"
    );
    let error = error_of(
        "seg_status s = answer(out, values, rows); out->children[0]->length = 1; return s;",
    );
    assert_eq!(
        error.to_string(),
        "the segmenter's answer breaks the contract: column 0 has 1 rows, the input has 2"
    );
}

#[test]
fn an_index_out_of_range_is_refused() {
    let instance = Fixture::default().instance();
    let error = instance
        .segment(&values([Some(1), Some(3)]), &call())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the segmenter's answer breaks the contract: row 1 is in segment 3, there are 3 segments"
    );
}

#[test]
fn damaged_output_is_refused_piece_by_piece() {
    for (damage, what) in [
        ("return SEG_OK;", "no array"),
        (
            "seg_status s = answer(out, values, rows); out->offset = 1; return s;",
            "root has an offset",
        ),
        (
            "seg_status s = answer(out, values, rows); out->length = -1; return s;",
            "negative",
        ),
        (
            "seg_status s = answer(out, values, rows); out->n_children = 2; return s;",
            "2 columns",
        ),
        (
            "seg_status s = answer(out, values, rows); out->children = NULL; return s;",
            "missing",
        ),
        (
            "seg_status s = answer(out, values, rows); out->children[0] = NULL; return s;",
            "NULL",
        ),
        (
            "seg_status s = answer(out, values, rows); out->children[0]->n_buffers = 1; return s;",
            "too few buffers",
        ),
        (
            "seg_status s = answer(out, values, rows); out->children[0]->buffers[1] = NULL; return s;",
            "NULL or not aligned",
        ),
        (
            "seg_status s = answer(out, values, rows); static const uint8_t none[8]; out->children[0]->null_count = -1; \
             out->children[0]->buffers[0] = none; return s;",
            "segment is null in row 0",
        ),
    ] {
        let error = error_of(damage);
        assert!(
            matches!(&error, CallError::Output { what: found } if found.contains(what)),
            "{damage}: {error}"
        );
    }
}

#[test]
fn a_child_offset_is_honoured() {
    let body = "static int64_t shifted[3]; memcpy(shifted + 1, values, sizeof *values * 2); \
                seg_status s = answer(out, shifted, rows + 1); out->length = rows; out->children[0]->length = rows; \
                out->children[0]->offset = 1; return s;";
    let answers = segmenting(body)
        .instance()
        .segment(&values([Some(2), Some(1)]), &call())
        .unwrap();
    assert_eq!(answers.segment, [2, 1]);
}

#[test]
fn an_announced_column_of_another_type_is_refused_at_bind() {
    let plugin = Fixture {
        table: ".bind = bind_wrong".to_owned(),
        ..Fixture::default()
    };
    let declared = "static seg_status bind_wrong(seg_instance *self, const struct ArrowSchema *in, struct ArrowSchema *out, \
                    seg_error *err) { seg_status s = bind_columns(self, in, out, err); static struct ArrowSchema wrong; \
                    wrong = column_schema; wrong.format = \"I\"; static struct ArrowSchema *children[] = {&wrong}; \
                    out->children = children; return s; }";
    let explain =
        format!("return SEG_E_UNSUPPORTED; }}\n{declared}\nstatic inline void unused(void) {{");
    let mut instance =
        Instance::create(&Fixture { explain, ..plugin }.load().unwrap(), "").unwrap();
    let error = instance
        .bind(values([]).schema_ref())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("column 0 is \"segment\" with Arrow format \"I\""),
        "{error}"
    );
}

#[test]
fn an_error_of_the_segmenter_keeps_its_fields_and_the_instance() {
    let body = "if (values[0] == 9) { err->code = SEG_E_INVALID_INPUT; err->row = 0; err->flags = SEG_ERROR_RETRYABLE; \
                strcpy(err->field, \"test.value\"); strcpy(err->message, \"nine\"); return SEG_E_INVALID_INPUT; } \
                return answer(out, values, rows);";
    let instance = segmenting(body).instance();
    match instance.segment(&values([Some(9)]), &call()).unwrap_err() {
        CallError::Plugin(failure) => {
            assert_eq!(
                failure.to_string(),
                "InvalidInput, field \"test.value\", row 0: nine"
            );
            assert!(failure.retryable);
        },
        other => panic!("{other}"),
    }
    assert_eq!(
        instance
            .segment(&values([Some(1)]), &call())
            .unwrap()
            .segment,
        [1]
    );
}

#[test]
fn an_unknown_code_is_internal_and_poisons_the_instance() {
    let instance = segmenting("return 4711;").instance();
    match instance.segment(&values([Some(1)]), &call()).unwrap_err() {
        CallError::Plugin(failure) => assert_eq!(failure.code, FailureCode::Internal),
        other => panic!("{other}"),
    }
    assert!(matches!(
        instance.segment(&values([Some(1)]), &call()),
        Err(CallError::Poisoned)
    ));
}

#[test]
fn an_error_text_without_nul_ends_at_the_record() {
    let body = "memset(err->message, 'x', sizeof err->message); return SEG_E_RESOURCE;";
    match error_of(body) {
        CallError::Plugin(failure) => assert_eq!(failure.message, "x".repeat(904)),
        other => panic!("{other}"),
    }
}

#[test]
fn input_may_be_released_by_the_segmenter_or_left() {
    let body = "seg_status s = answer(out, values, rows); in->release(in); return s;";
    let instance = segmenting(body).instance();
    assert_eq!(
        instance
            .segment(&values([Some(1), Some(2)]), &call())
            .unwrap()
            .segment,
        [1, 2]
    );
}

#[test]
fn time_seed_tenant_deadline_and_cancel_reach_the_segmenter() {
    let body = "if (call->cancel != NULL && SEG_CANCELLED(call)) return SEG_E_CANCELLED; \
                if (strcmp(call->tenant, \"acme\") != 0 || call->seed != 7 || call->deadline_mono_ns <= 0 || \
                call->as_of_unix_us != 1767225600000000) return SEG_E_INVALID_INPUT; return answer(out, values, rows);";
    let instance = segmenting(body).instance();
    let cancel = AtomicU32::new(0);
    let deadline = Some(Deadline::after(Duration::from_secs(60)));
    let full = Call {
        deadline,
        cancel: Some(&cancel),
        ..call()
    };
    assert_eq!(
        instance.segment(&values([Some(1)]), &full).unwrap().segment,
        [1]
    );
    cancel.store(1, std::sync::atomic::Ordering::Relaxed);
    match instance.segment(&values([Some(1)]), &full).unwrap_err() {
        CallError::Plugin(failure) => assert_eq!(failure.code, FailureCode::Cancelled),
        other => panic!("{other}"),
    }
    let invalid = Call {
        tenant: "a\0b",
        ..call()
    };
    assert!(matches!(
        instance.segment(&values([Some(1)]), &invalid),
        Err(CallError::TenantInvalid)
    ));
}

#[test]
fn calls_of_a_segmenter_that_is_not_thread_safe_wait_for_each_other() {
    let body = "static volatile int inside; if (inside) return SEG_E_INTERNAL; inside = 1; \
                for (volatile int k = 0; k < 100000; k++) {} inside = 0; return answer(out, values, rows);";
    let instance = segmenting(body).instance();
    let batch = values([Some(1)]);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(instance.segment(&batch, &call()).unwrap().segment, [1]);
                }
            });
        }
    });
}

#[test]
fn a_call_before_bind_is_an_error() {
    let instance = Instance::create(&Fixture::default().load().unwrap(), "").unwrap();
    assert!(matches!(
        instance.segment(&values([Some(1)]), &call()),
        Err(CallError::NotBound)
    ));
}

#[test]
fn an_instance_that_was_not_made_is_an_error() {
    let explain = "return SEG_E_UNSUPPORTED; }\nstatic seg_status nothing(const seg_host *h, const char *c, size_t l, \
                   seg_instance **o, seg_error *e) { (void)h, (void)c, (void)l, (void)e; *o = NULL; return SEG_OK; }\n\
                   static inline void unused(void) { (void)create;";
    let fixture = Fixture {
        explain: explain.to_owned(),
        table: ".create = nothing".to_owned(),
        ..Fixture::default()
    };
    let error = Instance::create(&fixture.load().unwrap(), "").unwrap_err();
    assert!(
        matches!(&error, CallError::Output { what } if what.contains("no instance")),
        "{error}"
    );
}

#[test]
fn the_file_may_change_after_it_was_loaded() {
    let first = Fixture::default().instance();
    let second = segmenting(
        "(void)values; static const int64_t two[1] = {2}; return answer(out, two, rows);",
    )
    .instance();
    assert_ne!(first.plugin().digest(), second.plugin().digest());
    assert_eq!(
        first.segment(&values([Some(0)]), &call()).unwrap().segment,
        [0]
    );
    assert_eq!(
        second.segment(&values([Some(0)]), &call()).unwrap().segment,
        [2]
    );
}
