//! Fits, and the states that they leave.

use crate::conformance::Test;
use crate::conformance::found::{Found, Wrong, fail, pass, skipped, warning};
use crate::conformance::subject::{Subject, answers, configured, fitted, instance, population};
use crate::{CallError, ExternalInstance, FailureCode, State, Trouble, rows};

pub(super) const TESTS: &[Test] = &[
    Test {
        id: "F-fit",
        why: "a segmenter that has to be fitted answers nothing before it is",
        fix: "let fit_begin, fit_batch and fit_end take what they are shown, ask for at most 32 passes, and let state_save write what was learned, at most 256 MiB",
        run: fits,
    },
    Test {
        id: "F-again",
        why: "a fit has to be repeatable: whoever audits a state fits once more",
        fix: "learn from the rows, the configuration, as_of and seed alone; write the state without addresses and in a fixed order",
        run: again,
    },
    Test {
        id: "F-save",
        why: "a state is known by its digest, so saving what was loaded must give the same bytes",
        fix: "keep in an instance everything that state_save writes, exactly",
        run: saves,
    },
    Test {
        id: "F-foreign",
        why: "a state may be another model's, older or damaged",
        fix: "begin the state with a mark and its length, check both in state_load, and refuse with SEG_E_STATE",
        run: foreign,
    },
    Test {
        id: "F-damaged",
        why: "no byte of a state may bring a process down",
        fix: "check every length and index that state_load reads",
        run: damaged,
    },
    Test {
        id: "F-unfitted",
        why: "whoever asks before a fit has to be told so",
        fix: "return SEG_E_NOT_FITTED from segment while there is no state",
        run: unfitted,
    },
    Test {
        id: "F-few",
        why: "a tenant may have one account, or none yet",
        fix: "fit to what there is, or refuse it with SEG_E_INVALID_INPUT or SEG_E_NOT_FITTED",
        run: few,
    },
];

fn found(subject: &Subject, test: impl FnOnce() -> Found) -> Found {
    if !subject.fits() {
        return skipped("it is none that is fitted");
    }
    test()
}

fn state(subject: &Subject) -> Result<State, Wrong> {
    let state = subject.state("{}")?;
    state.ok_or_else(|| "it has no state".into())
}

fn fits(subject: &Subject) -> Found {
    found(subject, || {
        let length = state(subject)?.bytes().len();
        pass(format!("its state has {length} bytes"))
    })
}

fn again(subject: &Subject) -> Found {
    if subject.fits() && !subject.deterministic {
        return warning("SEG_CAP_DETERMINISTIC is not set: a fit cannot be audited");
    }
    found(subject, || {
        let first = state(subject)?;
        let process = subject.process()?;
        let population = population(&process, "{}")?;
        if fitted(&process, "{}", &population)? != first {
            return fail("the same rows, moment and seed leave another state");
        }
        // With columns at an offset, which are looked at again afterwards.
        if fitted(&subject.observing()?, "{}", &population)? != first {
            return fail("columns at an offset leave another state");
        }
        pass("the same state three times")
    })
}

fn saves(subject: &Subject) -> Found {
    found(subject, || {
        let state = state(subject)?;
        if subject.fresh("{}")?.saved()? == state {
            pass("the same bytes after loading")
        } else {
            fail("it saves other bytes than it has loaded")
        }
    })
}

/// What becomes of a state that somebody has changed; `None`: it was taken.
fn refused(subject: &Subject, state: Vec<u8>) -> Result<Option<CallError>, Wrong> {
    let process = subject.process()?;
    let schema = rows::schema(&*configured(&process, "{}")?);
    let made = ExternalInstance::with_state(&process, ("{}", Some(&State::new(state))), &schema);
    match made {
        // What it has taken it answers from.
        Ok(taken) => {
            let rows = crate::conformance::made_up(taken.descriptor(), 100)?;
            let call = super::subject::call(std::time::Duration::from_secs(5));
            let answered = taken.segment(&rows, &call);
            let lost = |trouble: Trouble| {
                let what = format!("it was taken, and segment went down with it: {trouble}");
                Wrong::of_trouble(what, &trouble)
            };
            match answered {
                Err(CallError::Lost(trouble)) => Err(lost(trouble)),
                Ok(answers) => match answers.unanswered.into_iter().next().map(|one| one.trouble) {
                    Some(trouble @ Trouble::Crashed(_)) => Err(lost(trouble)),
                    _ => Ok(None),
                },
                Err(_refused) => Ok(None),
            }
        },
        Err(CallError::Lost(trouble)) => {
            let what = format!("state_load brought it down: {trouble}");
            Err(Wrong::of_trouble(what, &trouble))
        },
        Err(error) => Ok(Some(error)),
    }
}

fn is_of_a_state(error: &CallError) -> bool {
    matches!(error, CallError::Plugin(failure) if failure.code == FailureCode::State)
}

fn foreign(subject: &Subject) -> Found {
    found(subject, || {
        let state = state(subject)?;
        let half = state.bytes().len() / 2;
        let longer = [state.bytes(), &b"more"[..]].concat();
        let others = [
            (
                "one that is cut in half",
                state.bytes().slice(..half).to_vec(),
            ),
            ("one that goes on behind its end", longer),
            ("a text", b"{\"weights\": [1, 2, 3]}".to_vec()),
            ("zeros", vec![0; state.bytes().len()]),
        ];
        for (what, other) in others {
            match refused(subject, other)? {
                Some(error) if is_of_a_state(&error) => {},
                Some(error) => return fail(format!("{what} is refused so: {error}")),
                None => return fail(format!("{what} is taken for a state")),
            }
        }
        pass("refused as none of its own")
    })
}

fn damaged(subject: &Subject) -> Found {
    /// Places at which a state is changed.
    const PLACES: usize = 64;
    found(subject, || {
        let state = state(subject)?;
        let length = state.bytes().len();
        for place in (0..length).step_by(length.div_ceil(PLACES).max(1)) {
            let mut other = state.bytes().to_vec();
            other[place] ^= 0xff;
            refused(subject, other)?;
        }
        pass("taken or refused")
    })
}

fn unfitted(subject: &Subject) -> Found {
    found(subject, || {
        let process = subject.process()?;
        let descriptor = configured(&process, "{}")?;
        let rows = crate::conformance::made_up(&descriptor, 10)?;
        let told = instance(&process, ("{}", None));
        let said = match told {
            Err(wrong) => wrong,
            Ok(unfitted) => match answers(&unfitted, &rows) {
                Err(wrong) => wrong,
                Ok(_) => return fail("it answers although it was not fitted"),
            },
        };
        if said.to_string().contains("NotFitted") {
            pass("it says so")
        } else {
            Err(said.of("it says"))
        }
    })
}

fn few(subject: &Subject) -> Found {
    found(subject, || {
        let process = subject.process()?;
        let rows = population(&process, "{}")?;
        for n_rows in [0, 1] {
            let some: Vec<_> = rows
                .iter()
                .take(1)
                .map(|batch| batch.slice(0, n_rows))
                .collect();
            let call = super::subject::call(std::time::Duration::from_secs(5));
            match process.fit("{}", &some, &call) {
                Ok(_state) => {},
                Err(CallError::Plugin(failure))
                    if matches!(
                        failure.code,
                        FailureCode::InvalidInput | FailureCode::NotFitted
                    ) => {},
                Err(error) => {
                    return Err(Wrong::from(error).of(format_args!("{n_rows} rows")));
                },
            }
        }
        pass("none and one")
    })
}
