//! A segmenter driven through its C table.
#![expect(
    unsafe_code,
    reason = "calls the C functions of the table as a host does"
)]

use std::error::Error;
use std::ffi::{CStr, c_void};
use std::fmt;
use std::marker::PhantomData;
use std::ptr;
use std::slice;

use sextant_segmenter_abi::{
    ArrowArray, ArrowSchema, SEG_ABSTAIN, SEG_NO_SEGMENT, SEG_OK, SegCall, SegError, SegInstance,
    SegPlugin, SegSink, SegStatus, SegToSink,
};

use crate::column::{RawColumn, Strings};
use crate::json::Json;
use crate::testing::batch::{self, Feature};
use crate::{Fit, InputError, Output, Segmenter, fitted_table, table};

/// Passes over a population, at most.
const MAX_PASSES: u32 = 32;

/// The segmenter refused a call, or the test asked for something that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `SEG_E_…` code; 0 if the test itself is wrong.
    pub code: SegStatus,
    /// Feature, or JSON pointer into the config.
    pub field: String,
    /// What happened.
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "code {}, field \"{}\": {}",
            self.code, self.field, self.message
        )
    }
}

impl Error for Refusal {}

impl Refusal {
    fn test(message: impl Into<String>) -> Self {
        Self {
            code: SEG_OK,
            field: String::new(),
            message: message.into(),
        }
    }

    fn from_record(code: SegStatus, record: &SegError) -> Self {
        // SAFETY: the record was zeroed before the call and the SDK ends every text with a NUL.
        let field = unsafe { CStr::from_ptr(record.field.as_ptr()) };
        // SAFETY: as above.
        let message = unsafe { CStr::from_ptr(record.message.as_ptr()) };
        Self {
            code,
            field: field.to_string_lossy().into_owned(),
            message: message.to_string_lossy().into_owned(),
        }
    }
}

impl From<InputError> for Refusal {
    fn from(error: InputError) -> Self {
        Self::test(error.to_string())
    }
}

/// A reason as the host would receive it.
#[derive(Debug, Clone, PartialEq)]
pub struct TestReason {
    /// Name of the feature.
    pub feature: String,
    /// Signed contribution.
    pub contribution: f32,
    /// The sentence.
    pub text: String,
}

impl fmt::Display for TestReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {:+.2}: {}",
            self.feature, self.contribution, self.text
        )
    }
}

/// One instance of a segmenter, bound to the columns of its descriptor.
#[derive(Debug)]
pub struct Session<S> {
    table: SegPlugin,
    instance: *mut SegInstance,
    features: Vec<Feature>,
    keys: Vec<String>,
    /// Least scores of the segments, where the model answers scores.
    cuts: Vec<Option<f32>>,
    marker: PhantomData<S>,
}

impl<S: Segmenter> Session<S> {
    /// Creates and binds an instance. Defaults of the descriptor's `config_schema` are filled in, as by the host; the
    /// other rules of the schema are the host's to check.
    ///
    /// # Errors
    ///
    /// The descriptor or config is not usable, or the segmenter refuses it.
    pub fn new(config: &str) -> Result<Self, Refusal> {
        let mut session = Self::start(table::<S>(S::DESCRIPTOR.as_bytes()), config)?;
        session.list_segments()?;
        Ok(session)
    }

    /// Creates and binds an instance of a table.
    fn start(table: SegPlugin, config: &str) -> Result<Self, Refusal> {
        let config = with_defaults(&descriptor::<S>()?, config)?;
        let mut session = Self {
            table,
            instance: ptr::null_mut(),
            features: Vec::new(),
            keys: Vec::new(),
            cuts: Vec::new(),
            marker: PhantomData,
        };
        session.create(&config)?;
        let wanted = match session.table.requirements {
            Some(requirements) => session.written(requirements)?,
            None => b"[]".to_vec(),
        };
        let wanted = parse(&wanted)?;
        session.features = batch::features(&descriptor::<S>()?, &wanted).map_err(Refusal::test)?;
        session.bind()?;
        Ok(session)
    }

    /// Which segments there are, of the descriptor or of the configuration.
    fn list_segments(&mut self) -> Result<(), Refusal> {
        let list = match self.table.segments {
            Some(segments) => parse(&self.written(segments)?)?,
            None => descriptor::<S>()?
                .get("segments")
                .cloned()
                .unwrap_or(Json::Null),
        };
        let key = |segment: &Json| {
            let key = segment.get("key").and_then(Json::as_text);
            key.unwrap_or_default().to_owned()
        };
        self.keys = list.as_array().iter().map(key).collect();
        let cut = |segment: &Json| segment.get("from_score").and_then(Json::as_f32);
        self.cuts = list.as_array().iter().map(cut).collect();
        Ok(())
    }

    /// The keys of the segments that there are, in the order of their positions.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// What a function of the table writes.
    fn written(&self, function: SegToSink) -> Result<Vec<u8>, Refusal> {
        let (mut bytes, mut record) = (Vec::<u8>::new(), SegError::blank());
        let sink = SegSink {
            struct_size: 0,
            reserved: 0,
            ctx: (&raw mut bytes).cast(),
            write: Some(take),
        };
        // SAFETY: every pointer is valid during the call and the instance was created before.
        let code = unsafe { function(self.instance, &raw const sink, &raw mut record) };
        if code == SEG_OK {
            Ok(bytes)
        } else {
            Err(Refusal::from_record(code, &record))
        }
    }

    fn create(&mut self, config: &str) -> Result<(), Refusal> {
        let create = self
            .table
            .create
            .ok_or_else(|| Refusal::test("no create"))?;
        let mut record = SegError::blank();
        // SAFETY: every pointer is valid during the call; the SDK's table does not read the host services.
        let code = unsafe {
            create(
                ptr::null(),
                config.as_ptr().cast(),
                config.len(),
                &raw mut self.instance,
                &raw mut record,
            )
        };
        if code == SEG_OK {
            Ok(())
        } else {
            Err(Refusal::from_record(code, &record))
        }
    }

    fn bind(&mut self) -> Result<(), Refusal> {
        let bind = self.table.bind.ok_or_else(|| Refusal::test("no bind"))?;
        let mut record = SegError::blank();
        let mut input = batch::schema(&self.features).export();
        let mut output = ArrowSchema::released();
        // SAFETY: every pointer is valid during the call and the instance was created above.
        let code = unsafe {
            bind(
                self.instance,
                &raw const input,
                &raw mut output,
                &raw mut record,
            )
        };
        for schema in [&mut input, &mut output] {
            if let Some(release) = schema.release {
                // SAFETY: not released yet.
                unsafe { release(schema) };
            }
        }
        if code == SEG_OK {
            Ok(())
        } else {
            Err(Refusal::from_record(code, &record))
        }
    }

    /// The key of every row's segment: `None` where the segmenter abstains, `""` where the row is in no segment.
    ///
    /// # Errors
    ///
    /// The rows do not fit the descriptor, or the segmenter fails.
    pub fn segments(&self, rows: &str) -> Result<Vec<Option<String>>, Refusal> {
        let segment = self
            .table
            .segment
            .ok_or_else(|| Refusal::test("no segment"))?;
        let output = self.call(rows, |call, input, output, record| {
            // SAFETY: every pointer is valid during the call and the instance is bound.
            unsafe { segment(self.instance, call, input, output, record) }
        })?;
        let column = output.child(0)?;
        if S::OUTPUT == Output::Score {
            let scores = column.values::<f32>()?.iter();
            return Ok(scores.map(|score| self.cut(*score)).collect());
        }
        let mut keys = Vec::new();
        for index in column.values::<u16>()? {
            keys.push(match *index {
                SEG_ABSTAIN => None,
                SEG_NO_SEGMENT => Some(String::new()),
                index => {
                    let key = self.keys.get(usize::from(index));
                    let unknown = || format!("segment {index} is not among the segments");
                    Some(key.ok_or_else(|| Refusal::test(unknown()))?.clone())
                },
            });
        }
        Ok(keys)
    }

    /// The key of the segment that a score reaches, as the host cuts it.
    fn cut(&self, score: f32) -> Option<String> {
        if score.is_nan() {
            return None;
        }
        let least = self.cuts.iter().map(|cut| cut.unwrap_or(f32::NEG_INFINITY));
        let reached = self
            .keys
            .iter()
            .zip(least)
            .filter(|(_, least)| score >= *least);
        let highest = reached.max_by(|(_, one), (_, other)| one.total_cmp(other));
        Some(highest.map_or_else(String::new, |(key, _)| key.clone()))
    }

    /// The strongest `top_k` reasons of every row.
    ///
    /// # Errors
    ///
    /// The rows do not fit the descriptor, or the segmenter fails.
    pub fn reasons(&self, rows: &str, top_k: u32) -> Result<Vec<Vec<TestReason>>, Refusal> {
        let explain = self
            .table
            .explain
            .ok_or_else(|| Refusal::test("no explain"))?;
        let output = self.call(rows, |call, input, output, record| {
            // SAFETY: every pointer is valid during the call and the instance is bound.
            unsafe { explain(self.instance, call, top_k, input, output, record) }
        })?;
        let ends = output.child(0)?.offsets()?;
        let item = output.grandchild(0)?;
        let (features, contributions) = (
            item.child(0)?.values::<u16>()?,
            item.child(1)?.values::<f32>()?,
        );
        let texts = Strings::open(item.child(2)?)?;
        let mut answers = Vec::new();
        for row in ends.windows(2) {
            let mut reasons = Vec::new();
            for k in usize::try_from(row[0]).unwrap_or(0)..usize::try_from(row[1]).unwrap_or(0) {
                reasons.push(TestReason {
                    feature: self.features[usize::from(features[k])].name.clone(),
                    contribution: contributions[k],
                    text: texts.get(k).unwrap_or_default().to_owned(),
                });
            }
            answers.push(reasons);
        }
        Ok(answers)
    }

    fn call(
        &self,
        rows: &str,
        entry: impl FnOnce(*const SegCall, *mut ArrowArray, *mut ArrowArray, *mut SegError) -> SegStatus,
    ) -> Result<Owned, Refusal> {
        let rows = Json::parse(rows).map_err(|error| Refusal::test(error.to_string()))?;
        let mut input = Owned(
            batch::batch(&self.features, rows.as_array())
                .map_err(Refusal::test)?
                .export(),
        );
        let mut output = Owned(ArrowArray::released());
        let (call, mut record) = (SegCall::blank(), SegError::blank());
        let code = entry(
            &raw const call,
            &raw mut input.0,
            &raw mut output.0,
            &raw mut record,
        );
        if code == SEG_OK {
            Ok(output)
        } else {
            Err(Refusal::from_record(code, &record))
        }
    }
}

impl<S: Fit> Session<S> {
    /// An instance that was fitted to rows, shown in two batches where there are several, and then made again from what it has saved.
    ///
    /// # Errors
    ///
    /// The descriptor or config is not usable, the rows do not fit, or the segmenter refuses something.
    pub fn fitted(config: &str, rows: &str) -> Result<Self, Refusal> {
        let table = fitted_table::<S>(S::DESCRIPTOR.as_bytes());
        let learner = Self::start(table, config)?;
        let state = learner.learned(rows)?;
        let mut session = Self::start(table, config)?;
        session.load(&state)?;
        session.bind()?;
        session.list_segments()?;
        if session.written_by(|table| table.state_save)? == state {
            Ok(session)
        } else {
            Err(Refusal::test("it saves other bytes than it has loaded"))
        }
    }

    /// What it has learned.
    ///
    /// # Errors
    ///
    /// It refuses to save it.
    pub fn state(&self) -> Result<Vec<u8>, Refusal> {
        self.written_by(|table| table.state_save)
    }

    fn written_by(
        &self,
        function: impl FnOnce(&SegPlugin) -> Option<SegToSink>,
    ) -> Result<Vec<u8>, Refusal> {
        let function = function(&self.table);
        self.written(function.ok_or_else(|| Refusal::test("a function is missing"))?)
    }

    /// Shows rows until it asks for no more of them.
    fn learned(&self, rows: &str) -> Result<Vec<u8>, Refusal> {
        let missing = || Refusal::test("a function is missing");
        let begin = self.table.fit_begin.ok_or_else(missing)?;
        let batch = self.table.fit_batch.ok_or_else(missing)?;
        let end = self.table.fit_end.ok_or_else(missing)?;
        let rows = Json::parse(rows).map_err(|error| Refusal::test(error.to_string()))?;
        let rows = rows.as_array();
        let call = SegCall::blank();
        let asked = |ask: &mut dyn FnMut(*mut SegError) -> SegStatus| {
            let mut record = SegError::blank();
            match ask(&raw mut record) {
                SEG_OK => Ok(()),
                code => Err(Refusal::from_record(code, &record)),
            }
        };
        let n_rows = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        // SAFETY: here and below, every pointer is valid during the call and the instance is bound.
        asked(&mut |record| unsafe { begin(self.instance, &raw const call, n_rows, record) })?;
        for _pass in 0..MAX_PASSES {
            for part in rows.chunks(rows.len().div_ceil(2).max(1)) {
                let array = batch::batch(&self.features, part).map_err(Refusal::test)?;
                let mut input = Owned(array.export());
                // SAFETY: as above.
                asked(&mut |record| unsafe {
                    batch(self.instance, &raw const call, &raw mut input.0, record)
                })?;
            }
            let mut again = 0;
            // SAFETY: as above.
            asked(&mut |record| unsafe {
                end(self.instance, &raw const call, &raw mut again, record)
            })?;
            if again == 0 {
                return self.state();
            }
        }
        Err(Refusal::test("it asks for more than 32 passes"))
    }

    /// Takes up a state, which may be anybody's.
    ///
    /// # Errors
    ///
    /// The segmenter refuses it.
    pub fn load(&mut self, state: &[u8]) -> Result<(), Refusal> {
        let load = self.table.state_load;
        let load = load.ok_or_else(|| Refusal::test("a function is missing"))?;
        let mut record = SegError::blank();
        // SAFETY: every pointer is valid during the call, and `&mut self` makes it the only one.
        let code = unsafe {
            load(
                self.instance,
                state.as_ptr().cast(),
                state.len(),
                &raw mut record,
            )
        };
        if code == SEG_OK {
            Ok(())
        } else {
            Err(Refusal::from_record(code, &record))
        }
    }
}

/// A sink that takes everything.
unsafe extern "C" fn take(ctx: *mut c_void, bytes: *const c_void, length: usize) -> SegStatus {
    // SAFETY: `ctx` is the vector of `written`, which nobody else looks at during the call.
    let taken = unsafe { &mut *ctx.cast::<Vec<u8>>() };
    // SAFETY: the SDK passes a slice.
    taken.extend_from_slice(unsafe { slice::from_raw_parts(bytes.cast(), length) });
    SEG_OK
}

fn descriptor<S: Segmenter>() -> Result<Json, Refusal> {
    Json::parse(S::DESCRIPTOR).map_err(|error| Refusal::test(error.to_string()))
}

fn parse(list: &[u8]) -> Result<Json, Refusal> {
    let text = str::from_utf8(list).map_err(|error| Refusal::test(error.to_string()))?;
    Json::parse(text).map_err(|error| Refusal::test(error.to_string()))
}

impl<S> Drop for Session<S> {
    fn drop(&mut self) {
        if let (Some(destroy), false) = (self.table.destroy, self.instance.is_null()) {
            // SAFETY: made by this table's create and destroyed once.
            unsafe { destroy(self.instance) };
        }
    }
}

/// An array that this side has to release.
struct Owned(ArrowArray);

impl Owned {
    fn child(&self, index: usize) -> Result<RawColumn<'_>, Refusal> {
        column(&self.0, index)
    }

    /// The child of the first child.
    fn grandchild(&self, index: usize) -> Result<Item<'_>, Refusal> {
        Ok(Item(array(array(&self.0, 0)?, index)?))
    }
}

struct Item<'a>(&'a ArrowArray);

impl<'a> Item<'a> {
    fn child(&self, index: usize) -> Result<RawColumn<'a>, Refusal> {
        column(self.0, index)
    }
}

fn array(parent: &ArrowArray, index: usize) -> Result<&ArrowArray, Refusal> {
    if parent.children.is_null() {
        return Err(Refusal::test("the output has no children"));
    }
    let count = usize::try_from(parent.n_children).unwrap_or(0);
    // SAFETY: an array of `n_children` pointers that the SDK exported.
    let children = unsafe { slice::from_raw_parts(parent.children, count) };
    let child = children.get(index).copied().unwrap_or(ptr::null_mut());
    // SAFETY: NULL, or a child that lives as long as its parent.
    unsafe { child.as_ref() }.ok_or_else(|| Refusal::test("the output has too few children"))
}

fn column(parent: &ArrowArray, index: usize) -> Result<RawColumn<'_>, Refusal> {
    // SAFETY: exported by the SDK with the types that the header fixes, which are the ones read here.
    Ok(unsafe { RawColumn::new(array(parent, index)?, None, "output", 0) }?)
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(release) = self.0.release {
            // SAFETY: not released yet.
            unsafe { release(&raw mut self.0) };
        }
    }
}

/// The config with the defaults of `config_schema`, as canonical text.
fn with_defaults(descriptor: &Json, config: &str) -> Result<String, Refusal> {
    let given = Json::parse(config).map_err(|error| Refusal::test(error.to_string()))?;
    let mut members = given.as_object().to_vec();
    let properties = descriptor
        .get("config_schema")
        .and_then(|schema| schema.get("properties"));
    for (key, property) in properties.map_or(&[][..], Json::as_object) {
        if let (None, Some(default)) = (given.get(key), property.get("default")) {
            members.push((key.clone(), default.clone()));
        }
    }
    Ok(Json::Object(members).to_string())
}
