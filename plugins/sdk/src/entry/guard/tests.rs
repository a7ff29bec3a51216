use std::ffi::CStr;

use sextant_segmenter_abi::SEG_E_INVALID_INPUT;

use super::*;

fn run(
    poisoned: &AtomicBool,
    body: impl FnOnce() -> Result<(), Failure>,
) -> (SegStatus, String, String) {
    let mut record = SegError::blank();
    // SAFETY: the record is a local of this function.
    let status = unsafe { guard(&raw mut record, Some(poisoned), body) };
    // SAFETY: the record was zeroed, so the text ends with a NUL.
    let field = unsafe { CStr::from_ptr(record.field.as_ptr()) };
    // SAFETY: as above.
    let message = unsafe { CStr::from_ptr(record.message.as_ptr()) };
    (
        status,
        field.to_str().unwrap().to_owned(),
        message.to_str().unwrap().to_owned(),
    )
}

#[test]
fn a_failure_fills_the_record_and_leaves_the_instance_usable() {
    let poisoned = AtomicBool::new(false);
    let result = run(&poisoned, || {
        Err(Failure::new(
            SEG_E_INVALID_INPUT,
            "usage.events_28d",
            "wrong type",
        ))
    });
    assert_eq!(
        result,
        (
            SEG_E_INVALID_INPUT,
            "usage.events_28d".to_owned(),
            "wrong type".to_owned()
        )
    );
    assert_eq!(run(&poisoned, || Ok(())).0, SEG_OK);
}

#[test]
fn a_panic_becomes_an_error_and_poisons_the_instance() {
    let poisoned = AtomicBool::new(false);
    let (status, _, message) = run(&poisoned, || panic!("row 7 has no parent"));
    assert_eq!(
        (status, message.as_str()),
        (SEG_E_PANIC, "row 7 has no parent")
    );
    let (status, _, message) = run(&poisoned, || Ok(()));
    assert_eq!(
        (status, message.as_str()),
        (SEG_E_INTERNAL, "the instance failed before; destroy it")
    );
}

#[test]
fn a_payload_that_panics_when_dropped_is_contained() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("second panic");
        }
    }
    let (status, _, message) = run(&AtomicBool::new(false), || panic::panic_any(Bomb));
    assert_eq!(
        (status, message.as_str()),
        (SEG_E_PANIC, "panic without a message")
    );
}

#[test]
fn long_texts_are_cut_at_a_character() {
    let long = "é".repeat(600);
    let (_, field, message) = run(&AtomicBool::new(false), || {
        Err(Failure::new(
            SEG_E_INVALID_INPUT,
            long.clone(),
            long.clone(),
        ))
    });
    assert_eq!((field, message), ("é".repeat(47), "é".repeat(451)));
}
