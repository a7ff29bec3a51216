//! The functions of the table: C on the outside, [`Segmenter`] on the inside. No panic leaves this file.
#![expect(unsafe_code, reason = "implements the C functions of segmenter.h")]

mod fitting;
mod guard;
mod lists;

use std::any::Any;
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;
use std::sync::atomic::AtomicBool;

use sextant_segmenter_abi::{
    ArrowArray, ArrowSchema, SEG_CAP_DETERMINISTIC, SEG_CAP_EXPLAIN, SEG_CAP_ROW_INDEPENDENT,
    SEG_CAP_THREAD_SAFE, SEG_E_CANCELLED, SEG_E_INTERNAL, SEG_E_INVALID_CONFIG,
    SEG_E_INVALID_INPUT, SEG_E_NOT_FITTED, SEG_E_RESOURCE, SegCall, SegError, SegHost, SegInstance,
    SegPlugin, SegStatus,
};

use crate::export::{Array, Buffer, Schema};
use crate::{Call, Columns, Config, Extra, Features, Kind, Output, Reasons, Segmenter, Wanted};

pub use fitting::fitted_table;
pub use guard::record_panic_locations;

use guard::{Failure, guard};

/// Rows between two looks at the cancel flag.
const ROWS_PER_POLL: usize = 4096;

/// The bytes of a descriptor as an array, for the descriptor section.
pub const fn descriptor_bytes<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(text.as_bytes());
    bytes
}

/// The table of a segmenter.
pub const fn table<S: Segmenter>(descriptor: &'static [u8]) -> SegPlugin {
    SegPlugin {
        caps: SEG_CAP_EXPLAIN
            | SEG_CAP_THREAD_SAFE
            | SEG_CAP_DETERMINISTIC
            | SEG_CAP_ROW_INDEPENDENT,
        descriptor_json: descriptor.as_ptr().cast(),
        descriptor_len: descriptor.len(),
        create: Some(create::<S>),
        bind: Some(bind::<S>),
        segment: Some(segment::<S>),
        destroy: Some(destroy::<S>),
        explain: Some(explain::<S>),
        requirements: if S::DYNAMIC_FEATURES {
            Some(lists::requirements::<S>)
        } else {
            None
        },
        segments: if S::DYNAMIC_SEGMENTS {
            Some(lists::segments::<S>)
        } else {
            None
        },
        ..SegPlugin::blank()
    }
}

/// What a `seg_instance` is on this side.
struct Instance<S> {
    segmenter: S,
    /// What the configuration asked for.
    wanted: Vec<Wanted>,
    /// What a fit has gathered until now.
    learning: Option<Box<dyn Any + Send>>,
    /// For every declared column, its place in the bound schema; `None` before the first bind.
    positions: Option<Vec<u16>>,
    poisoned: AtomicBool,
    /// Valid until `destroy` returns, or NULL.
    host: *const SegHost,
}

unsafe extern "C" fn create<S: Segmenter>(
    host: *const SegHost,
    config: *const c_char,
    config_len: usize,
    out: *mut *mut SegInstance,
    err: *mut SegError,
) -> SegStatus {
    let body = || {
        // SAFETY: the host passes `config_len` bytes, valid during the call.
        let bytes = unsafe { slice::from_raw_parts(config.cast::<u8>(), config_len) };
        let Ok(text) = str::from_utf8(bytes) else {
            return Err(Failure::new(
                SEG_E_INVALID_CONFIG,
                "",
                "the config is not UTF-8",
            ));
        };
        let segmenter = Config::parse(text)
            .and_then(|config| S::create(&config))
            .map_err(|error| Failure::new(SEG_E_INVALID_CONFIG, error.pointer, error.message))?;
        let wanted = if S::DYNAMIC_FEATURES {
            segmenter.features()
        } else {
            Vec::new()
        };
        let instance = Instance {
            segmenter,
            wanted,
            learning: None,
            positions: None,
            poisoned: AtomicBool::new(false),
            host,
        };
        // SAFETY: `out` is valid for a write during the call.
        unsafe { out.write(Box::into_raw(Box::new(instance)).cast()) };
        Ok(())
    };
    // SAFETY: the host's error record is valid for writes during the call.
    unsafe { guard(err, None, body) }
}

unsafe extern "C" fn bind<S: Segmenter>(
    instance: *mut SegInstance,
    input: *const ArrowSchema,
    output: *mut ArrowSchema,
    err: *mut SegError,
) -> SegStatus {
    // SAFETY: made by `create::<S>`; the contract marks bind [serial], so nobody else looks at the instance now.
    let instance = unsafe { &mut *instance.cast::<Instance<S>>() };
    let Instance {
        positions,
        wanted,
        poisoned,
        ..
    } = instance;
    let body = || {
        // SAFETY: the host's schema is valid during the call.
        let input = unsafe { &*input };
        // SAFETY: the host's schema follows the Arrow C Data Interface.
        *positions = Some(unsafe { resolve::<S>(input, wanted) }?);
        let segment = (S::OUTPUT == Output::Single).then(|| Schema::column("segment", "S"));
        let extras = extras::<S>().map(|extra| Schema::column(extra_name(extra), "f"));
        let columns = segment.into_iter().chain(extras).collect();
        // SAFETY: `output` is valid for a write during the call and zeroed, so nothing is overwritten.
        unsafe { output.write(Schema::batch(columns).export()) };
        Ok(())
    };
    // SAFETY: the host's error record is valid for writes during the call.
    unsafe { guard(err, Some(poisoned), body) }
}

/// The place of every declared column in the input schema.
///
/// # Safety
///
/// The schema follows the Arrow C Data Interface.
unsafe fn resolve<S: Segmenter>(
    input: &ArrowSchema,
    wanted: &[Wanted],
) -> Result<Vec<u16>, Failure> {
    let children = if input.children.is_null() {
        &[]
    } else {
        // SAFETY: an array of `n_children` pointers, by the promise of the caller.
        unsafe {
            slice::from_raw_parts(
                input.children,
                usize::try_from(input.n_children).unwrap_or(0),
            )
        }
    };
    let mut positions = Vec::new();
    let fixed = <S::Rows<'static> as Features<'static>>::COLUMNS.iter();
    let fixed = fixed.map(|spec| (spec.feature, spec.kind));
    let wanted = wanted
        .iter()
        .map(|one| (one.feature.as_str(), one.kind.of()));
    for (feature, kind) in fixed.chain(wanted) {
        let mut found = None;
        for (child, position) in children.iter().zip(0_u16..) {
            // SAFETY: a child of the schema is valid, by the promise of the caller.
            let child = unsafe { &**child };
            // SAFETY: names and formats are NUL-terminated, by the promise of the caller.
            let name = unsafe { CStr::from_ptr(child.name) };
            if name.to_bytes() == feature.as_bytes() {
                // SAFETY: as above.
                found = Some((position, unsafe { CStr::from_ptr(child.format) }, child));
                break;
            }
        }
        let Some((position, format, column)) = found else {
            let message = "the segmenter reads this feature, so requires or optional of its descriptor must list it";
            return Err(Failure::new(SEG_E_INVALID_INPUT, feature, message));
        };
        let format = format.to_str().unwrap_or_default();
        // SAFETY: by the promise of the caller.
        let has_items = kind != Kind::List || unsafe { is_of_floats(column) };
        if !kind.accepts(format) || !has_items {
            let message =
                format!("the segmenter reads {kind:?}, the column has Arrow format \"{format}\"",);
            return Err(Failure::new(SEG_E_INVALID_INPUT, feature, message));
        }
        positions.push(position);
    }
    Ok(positions)
}

/// Whether the items of a list are float64.
///
/// # Safety
///
/// The schema follows the Arrow C Data Interface.
unsafe fn is_of_floats(list: &ArrowSchema) -> bool {
    if list.n_children != 1 || list.children.is_null() {
        return false;
    }
    // SAFETY: an array of one pointer, by the promise of the caller.
    let item = unsafe { *list.children };
    // SAFETY: a child of the schema is valid, by the promise of the caller.
    let format = unsafe { (*item).format };
    // SAFETY: formats are NUL-terminated, by the promise of the caller.
    unsafe { CStr::from_ptr(format) }.to_bytes() == b"g"
}

unsafe extern "C" fn segment<S: Segmenter>(
    instance: *mut SegInstance,
    call: *const SegCall,
    input: *mut ArrowArray,
    output: *mut ArrowArray,
    err: *mut SegError,
) -> SegStatus {
    // SAFETY: made by `create::<S>`; concurrent calls share it, which `Segmenter: Sync` allows.
    let instance = unsafe { &*instance.cast::<Instance<S>>() };
    let body = || {
        // SAFETY: the host's record is valid during the call.
        let call = unsafe { &*call };
        // SAFETY: the host keeps the pointers of its records valid during the call.
        let call = unsafe { Call::open(call, instance.host) };
        // SAFETY: the host's batch is valid during the call; it is left for the host to release.
        let input = unsafe { &*input };
        // SAFETY: the host sends what it announced in `bind`.
        let answers = unsafe { judge(instance, &call, input) }?;
        // SAFETY: `output` is valid for a write during the call and zeroed, so nothing is overwritten.
        unsafe { output.write(answers.export()) };
        Ok(())
    };
    // SAFETY: the host's error record is valid for writes during the call.
    unsafe { guard(err, Some(&instance.poisoned), body) }
}

unsafe extern "C" fn explain<S: Segmenter>(
    instance: *mut SegInstance,
    call: *const SegCall,
    top_k: u32,
    input: *mut ArrowArray,
    output: *mut ArrowArray,
    err: *mut SegError,
) -> SegStatus {
    // SAFETY: made by `create::<S>`; concurrent calls share it, which `Segmenter: Sync` allows.
    let instance = unsafe { &*instance.cast::<Instance<S>>() };
    let body = || {
        // SAFETY: the host's record is valid during the call.
        let call = unsafe { &*call };
        // SAFETY: the host keeps the pointers of its records valid during the call.
        let call = unsafe { Call::open(call, instance.host) };
        let top_k = usize::try_from(top_k).unwrap_or(usize::MAX);
        // SAFETY: the host's batch is valid during the call; it is left for the host to release.
        let input = unsafe { &*input };
        // SAFETY: the host sends what it announced in `bind`.
        let reasons = unsafe { reasons(instance, &call, top_k, input) }?;
        // SAFETY: `output` is valid for a write during the call and zeroed, so nothing is overwritten.
        unsafe { output.write(reasons.export()) };
        Ok(())
    };
    // SAFETY: the host's error record is valid for writes during the call.
    unsafe { guard(err, Some(&instance.poisoned), body) }
}

unsafe extern "C" fn destroy<S: Segmenter>(instance: *mut SegInstance) {
    // SAFETY: made by `create::<S>`, destroyed once, and nobody else looks at it any more.
    let instance = unsafe { Box::from_raw(instance.cast::<Instance<S>>()) };
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(instance))) {
        // A payload may itself panic when dropped; leaking it is the one thing that cannot fail.
        std::mem::forget(payload);
    }
}

/// The columns of a batch, and how many rows it has.
///
/// # Safety
///
/// The batch follows the Arrow C Data Interface and has the bound schema.
unsafe fn open_rows<'a, S: Segmenter>(
    instance: &'a Instance<S>,
    input: &'a ArrowArray,
) -> Result<(S::Rows<'a>, usize), Failure> {
    let Some(positions) = &instance.positions else {
        return Err(Failure::new(SEG_E_INTERNAL, "", "called before bind"));
    };
    let (Ok(rows), 0) = (usize::try_from(input.length), input.offset) else {
        return Err(Failure::new(
            SEG_E_INVALID_INPUT,
            "",
            "a batch needs a length and offset 0",
        ));
    };
    let children = if input.children.is_null() {
        &[]
    } else {
        // SAFETY: an array of `n_children` pointers, by the promise of the caller.
        unsafe {
            slice::from_raw_parts(
                input.children,
                usize::try_from(input.n_children).unwrap_or(0),
            )
        }
    };
    let specs = <S::Rows<'static> as Features<'static>>::COLUMNS;
    let mut columns = Columns {
        children,
        positions,
        specs,
        wanted: &instance.wanted,
        rows,
        next: 0,
    };
    let opened = S::Rows::open(&mut columns)
        .map_err(|error| Failure::new(SEG_E_INVALID_INPUT, error.feature, error.message))?;
    Ok((opened, rows))
}

/// # Safety
///
/// As for [`open_rows`].
unsafe fn judge<S: Segmenter>(
    instance: &Instance<S>,
    call: &Call<'_>,
    input: &ArrowArray,
) -> Result<Array, Failure> {
    if !instance.segmenter.is_fitted() {
        return Err(not_fitted());
    }
    // SAFETY: by the promise of the caller.
    let (rows, count) = unsafe { open_rows(instance, input) }?;
    let mut segments = Vec::with_capacity(count);
    let mut numbers: Vec<Vec<f32>> = extras::<S>().map(|_| Vec::with_capacity(count)).collect();
    for row in 0..count {
        if row % ROWS_PER_POLL == 0 && call.cancelled() {
            return Err(Failure::new(SEG_E_CANCELLED, "", "cancelled"));
        }
        let answer = instance.segmenter.assign(call, &rows, row);
        segments.push(answer.segment);
        for (values, extra) in numbers.iter_mut().zip(extras::<S>()) {
            values.push(match extra {
                Extra::Score => answer.score,
                Extra::Confidence => answer.confidence,
            });
        }
    }
    let mut columns = Vec::new();
    if S::OUTPUT == Output::Single {
        let buffers = vec![Buffer::Absent, Buffer::U16(segments)];
        columns.push(Array::column(count, buffers));
    }
    for values in numbers {
        columns.push(Array::column(
            count,
            vec![Buffer::Absent, Buffer::F32(values)],
        ));
    }
    Ok(Array::nested(count, vec![Buffer::Absent], columns))
}

/// # Safety
///
/// As for [`open_rows`].
unsafe fn reasons<S: Segmenter>(
    instance: &Instance<S>,
    call: &Call<'_>,
    top_k: usize,
    input: &ArrowArray,
) -> Result<Array, Failure> {
    // SAFETY: by the promise of the caller.
    let (rows, count) = unsafe { open_rows(instance, input) }?;
    let (mut features, mut contributions) = (Vec::new(), Vec::new());
    let (mut text, mut text_ends, mut row_ends) = (Vec::new(), vec![0_i32], vec![0_i32]);
    let mut reasons = Reasons::default();
    for row in 0..count {
        if row % ROWS_PER_POLL == 0 && call.cancelled() {
            return Err(Failure::new(SEG_E_CANCELLED, "", "cancelled"));
        }
        instance.segmenter.explain(call, &rows, row, &mut reasons);
        reasons.keep_strongest(top_k);
        for reason in reasons.items.drain(..) {
            features.push(reason.feature);
            contributions.push(reason.contribution);
            text.extend_from_slice(reason.text.as_bytes());
            text_ends.push(offset(text.len())?);
        }
        row_ends.push(offset(features.len())?);
    }
    let items = features.len();
    let fields = vec![
        Array::column(items, vec![Buffer::Absent, Buffer::U16(features)]),
        Array::column(items, vec![Buffer::Absent, Buffer::F32(contributions)]),
        Array::column(
            items,
            vec![Buffer::Absent, Buffer::I32(text_ends), Buffer::Bytes(text)],
        ),
    ];
    let item = Array::nested(items, vec![Buffer::Absent], fields);
    let list = Array::nested(
        count,
        vec![Buffer::Absent, Buffer::I32(row_ends)],
        vec![item],
    );
    Ok(Array::nested(count, vec![Buffer::Absent], vec![list]))
}

fn not_fitted() -> Failure {
    Failure::new(SEG_E_NOT_FITTED, "", "it has to be fitted first")
}

fn offset(value: usize) -> Result<i32, Failure> {
    let too_much = |_| {
        Failure::new(
            SEG_E_RESOURCE,
            "",
            "more than 2 GiB of reasons; explain fewer rows at once",
        )
    };
    i32::try_from(value).map_err(too_much)
}

/// The numbers of an answer: with scores, always the score.
fn extras<S: Segmenter>() -> impl Iterator<Item = Extra> {
    let is_score = S::OUTPUT == Output::Score;
    let others = S::EXTRAS.iter().copied();
    let score = is_score.then_some(Extra::Score);
    score
        .into_iter()
        .chain(others.filter(move |extra| !is_score || *extra != Extra::Score))
}

fn extra_name(extra: Extra) -> &'static str {
    match extra {
        Extra::Score => "score",
        Extra::Confidence => "confidence",
    }
}
