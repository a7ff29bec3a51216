//! One configured segmenter: bind it to columns, then ask it.
#![expect(unsafe_code, reason = "calls the functions of a plugin's table")]

mod fitting;

use std::ffi::CString;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::Schema;

use sextant_segmenter_abi::{
    ArrowArray, ArrowSchema, SEG_OK, SegCall, SegError, SegInstance, SegStatus,
};

use crate::assignment::OutputShape;
use crate::binding::{Binding, Shown};
use crate::descriptor::MAX_LIST_BYTES;
use crate::foreign::{OwnedArray, OwnedSchema, output_columns};
use crate::services::Services;
use crate::{
    Assignments, Call, CallError, Descriptor, Plugin, PluginFailure, Reason, State, explanation,
};

pub(crate) use fitting::MAX_PASSES;

/// A segmenter with a configuration. It may be called from several threads: where the segmenter itself may not, calls
/// wait for each other.
#[derive(Debug)]
pub struct Instance {
    plugin: Plugin,
    config: String,
    /// With the features and segments of the configuration.
    descriptor: Arc<Descriptor>,
    /// Those as it wrote them; empty where the descriptor has them.
    lists: (String, String),
    handle: *mut SegInstance,
    binding: Option<Binding>,
    poisoned: AtomicBool,
    /// True: it is being judged. Columns have an offset, and are looked at again after a call.
    observed: bool,
    /// Held during calls of a segmenter that is not thread-safe.
    turn: Mutex<()>,
    /// The plugin keeps its address until `destroy` returns, so it is dropped after the handle.
    services: Arc<Services>,
}

// SAFETY: the contract ties an instance to no thread, only to one call at a time, which `turn` and `&mut` guarantee.
unsafe impl Send for Instance {}
// SAFETY: concurrent `segment` and `explain` are either allowed by SEG_CAP_THREAD_SAFE or serialised by `turn`.
unsafe impl Sync for Instance {}

impl Instance {
    /// Makes an instance from a configuration; defaults are filled in.
    ///
    /// # Errors
    ///
    /// [`CallError::Config`] if the configuration breaks the schema, [`CallError::Plugin`] if the segmenter refuses it.
    pub fn create(plugin: &Plugin, config_json: &str) -> Result<Self, CallError> {
        Self::with_state(plugin, config_json, None)
    }

    /// The same, answering from what a fit has left. Without a state, one that has to be fitted answers nothing, and its segments may
    /// be missing.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create); the segmenter refuses the state.
    pub fn with_state(
        plugin: &Plugin,
        config_json: &str,
        state: Option<&State>,
    ) -> Result<Self, CallError> {
        if plugin.fits() && state.is_none() {
            return Self::to_fit(plugin, config_json);
        }
        let mut instance = Self::made(plugin, config_json)?;
        let features = instance.features_json()?;
        if let Some(state) = state {
            instance.load(state.bytes())?;
            if instance.features_json()? != features {
                let what = "it asks for other features once it has what was learned";
                return Err(CallError::output(what));
            }
        }
        let segments = match plugin.table().segments {
            Some(segments) => instance.text(segments)?,
            None => String::new(),
        };
        instance.configure(features, segments)?;
        Ok(instance)
    }

    /// One that is about to be fitted: which segments there are may not be known before that.
    pub(crate) fn to_fit(plugin: &Plugin, config_json: &str) -> Result<Self, CallError> {
        let mut instance = Self::made(plugin, config_json)?;
        let features = instance.features_json()?;
        let mut descriptor = plugin.descriptor().clone();
        descriptor.dynamic_segments = None;
        instance.descriptor = Arc::new(descriptor);
        instance.configure(features, String::new())?;
        Ok(instance)
    }

    /// The features and segments of its configuration as it wrote them; empty where the descriptor has them.
    pub(crate) fn lists(&self) -> (String, String) {
        self.lists.clone()
    }

    fn features_json(&self) -> Result<String, CallError> {
        let requirements = self.plugin.table().requirements;
        let features = requirements
            .map(|features| self.text(features))
            .transpose()?;
        Ok(features.unwrap_or_default())
    }

    fn text(&self, function: sextant_segmenter_abi::SegToSink) -> Result<String, CallError> {
        let bytes = self.written(function, MAX_LIST_BYTES)?;
        String::from_utf8(bytes).map_err(|error| {
            CallError::output(format!("a list that it wrote is not UTF-8: {error}"))
        })
    }

    fn configure(&mut self, features: String, segments: String) -> Result<(), CallError> {
        let configured = self.descriptor.configured(&features, &segments);
        let configured = configured.map_err(|fault| CallError::output(fault.to_string()))?;
        self.descriptor = Arc::new(configured);
        self.lists = (features, segments);
        Ok(())
    }

    fn made(plugin: &Plugin, config_json: &str) -> Result<Self, CallError> {
        let config = plugin
            .canonical_config(config_json)
            .map_err(CallError::Config)?;
        let services = Services::new(plugin);
        // Canonical JSON escapes NUL, so the text has none.
        let text = CString::new(config.as_str()).unwrap_or_default();
        let mut handle = ptr::null_mut();
        let mut record = SegError::blank();
        // SAFETY: the table was checked when it was loaded; every pointer is valid during the call, `services` until
        // after `destroy`.
        let status = unsafe {
            (plugin.table().create)(
                services.record(),
                text.as_ptr(),
                config.len(),
                &raw mut handle,
                &raw mut record,
            )
        };
        services.tell_measured();
        if status != SEG_OK {
            return Err(CallError::Plugin(PluginFailure::from_record(
                status, &record,
            )));
        }
        if handle.is_null() {
            return Err(CallError::output("create returned OK and no instance"));
        }
        Ok(Self {
            plugin: plugin.clone(),
            config,
            descriptor: Arc::new(plugin.descriptor().clone()),
            lists: (String::new(), String::new()),
            handle,
            binding: None,
            poisoned: AtomicBool::new(false),
            observed: false,
            turn: Mutex::new(()),
            services,
        })
    }

    /// From now on, columns have an offset, and are looked at again after a call.
    pub(crate) const fn observe(&mut self) {
        self.observed = true;
    }

    /// The segmenter.
    pub const fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// The canonical configuration: every default filled in, names in byte order, no spaces.
    pub fn config(&self) -> &str {
        &self.config
    }

    /// What it reads and answers with its configuration.
    pub const fn descriptor(&self) -> &Arc<Descriptor> {
        &self.descriptor
    }

    /// Announces the columns of the batches to come. The schema may have any number of further columns; the features are found by name. It may be called again, the last one counts.
    ///
    /// # Errors
    ///
    /// A required feature is missing or has another type, or the segmenter refuses the columns.
    pub fn bind(&mut self, schema: &Schema) -> Result<(), CallError> {
        self.check_usable()?;
        let mut binding = Binding::plan(&self.descriptor, schema)?;
        let input = binding.schema()?;
        let mut output = OwnedSchema(ArrowSchema::released());
        let mut record = SegError::blank();
        // SAFETY: `&mut self` makes this the only call on the instance. Both mirrors of ArrowSchema have the layout of
        // the Arrow C Data Interface; every pointer is valid during the call.
        let status = unsafe {
            (self.plugin.table().bind)(
                self.handle,
                (&raw const input).cast::<ArrowSchema>(),
                &raw mut output.0,
                &raw mut record,
            )
        };
        self.accept(status, &record)?;
        binding.output =
            OutputShape::from_columns(&output_columns(&output)?, self.descriptor.output)?;
        self.binding = Some(binding);
        Ok(())
    }

    /// Names and types of the columns that it answers.
    pub(crate) fn output_schema(&self) -> Schema {
        let shape = self.binding.as_ref().map(|binding| binding.output);
        shape.unwrap_or_default().schema()
    }

    /// Judges every row of a batch. Rows that lack a feature with `on_missing: skip_row` are not shown to the segmenter
    /// and come back as abstained, with the feature named.
    ///
    /// # Errors
    ///
    /// See [`CallError`]. After [`FailureCode::poisons`](crate::FailureCode::poisons) a new instance is needed.
    pub fn segment(&self, batch: &RecordBatch, call: &Call<'_>) -> Result<Assignments, CallError> {
        let binding = self.binding.as_ref().ok_or(CallError::NotBound)?;
        let descriptor = &self.descriptor;
        let prepared = binding.prepare(descriptor, batch)?;
        let rows = batch.num_rows();
        if prepared.rows == 0 && rows > 0 {
            return Ok(binding.output.all_missing(prepared, rows));
        }
        let shown = Shown::new(&prepared, self.observed)?;
        let mut input = binding.export(&shown, prepared.rows)?;
        let function = self.plugin.table().segment;
        let output = self.ask(call, |handle, call, output, record| {
            // SAFETY: the instance is bound to this schema. Both mirrors of ArrowArray have the layout of the Arrow C
            // Data Interface; the input is moved in, and dropped here if the plugin left it.
            unsafe {
                function(
                    handle,
                    call,
                    (&raw mut input).cast::<ArrowArray>(),
                    output,
                    record,
                )
            }
        })?;
        shown.is_unwritten()?;
        let answer = binding.output.read(&output, prepared.rows)?;
        let answer = answer.checked(descriptor)?;
        Ok(answer.arranged(prepared, rows))
    }

    /// The strongest `top_k` reasons for every row of a batch, strongest first. Ask only for rows that somebody will
    /// look at: reasons are sentences, and cost much more than answers. For a row that lacks a feature with
    /// `on_missing: skip_row` the reasons name the missing features.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub fn explain(
        &self,
        batch: &RecordBatch,
        call: &Call<'_>,
        top_k: u32,
    ) -> Result<Vec<Vec<Reason>>, CallError> {
        let function = self
            .plugin
            .table()
            .explain
            .ok_or(CallError::ExplainUnsupported)?;
        let binding = self.binding.as_ref().ok_or(CallError::NotBound)?;
        let descriptor = &self.descriptor;
        let prepared = binding.prepare(descriptor, batch)?;
        let rows = batch.num_rows();
        let most = usize::try_from(top_k).unwrap_or(usize::MAX);
        let said = if prepared.rows == 0 {
            Vec::new()
        } else {
            let shown = Shown::new(&prepared, self.observed)?;
            let mut input = binding.export(&shown, prepared.rows)?;
            let output = self.ask(call, |handle, call, output, record| {
                // SAFETY: as in `segment`.
                unsafe {
                    function(
                        handle,
                        call,
                        top_k,
                        (&raw mut input).cast::<ArrowArray>(),
                        output,
                        record,
                    )
                }
            })?;
            shown.is_unwritten()?;
            explanation::read(&output, prepared.rows)?
        };
        explanation::check(&said, prepared.rows, descriptor.features.len(), most)?;
        Ok(explanation::arranged(
            said, &prepared, descriptor, most, rows,
        ))
    }

    /// Makes one call of `segment` or `explain`.
    fn ask(
        &self,
        call: &Call<'_>,
        function: impl FnOnce(
            *mut SegInstance,
            *const SegCall,
            *mut ArrowArray,
            *mut SegError,
        ) -> SegStatus,
    ) -> Result<OwnedArray, CallError> {
        let mut output = OwnedArray(ArrowArray::released());
        self.within(call, |handle, call, record| {
            function(handle, call, &raw mut output.0, record)
        })?;
        Ok(output)
    }

    /// Makes one call that has a context.
    fn within(
        &self,
        call: &Call<'_>,
        function: impl FnOnce(*mut SegInstance, *const SegCall, *mut SegError) -> SegStatus,
    ) -> Result<(), CallError> {
        let tenant = CString::new(call.tenant)
            .ok()
            .ok_or(CallError::TenantInvalid)?;
        let context = SegCall {
            deadline_mono_ns: call.deadline.map_or(0, |deadline| deadline.mono_ns),
            cancel: call.cancel.map_or(ptr::null(), ptr::from_ref),
            as_of_unix_us: call.as_of_us,
            seed: call.seed,
            tenant: tenant.as_ptr(),
            ..SegCall::blank()
        };
        let mut record = SegError::blank();
        let turn = (!self.plugin.is_thread_safe())
            .then(|| self.turn.lock().unwrap_or_else(PoisonError::into_inner));
        self.check_usable()?;
        let status = function(self.handle, &raw const context, &raw mut record);
        // Before another call has its turn.
        let accepted = self.accept(status, &record);
        drop(turn);
        self.services.tell_measured();
        accepted
    }

    /// True: a failure has left the segmenter in an unknown state, every further call fails, and a new instance is needed.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    fn check_usable(&self) -> Result<(), CallError> {
        if self.is_poisoned() {
            Err(CallError::Poisoned)
        } else {
            Ok(())
        }
    }

    /// Turns a status into an error, and remembers the ones after which only `destroy` may follow.
    fn accept(&self, status: SegStatus, record: &SegError) -> Result<(), CallError> {
        if status == SEG_OK {
            return Ok(());
        }
        let failure = PluginFailure::from_record(status, record);
        if failure.code.poisons() {
            self.poisoned.store(true, Ordering::Release);
        }
        Err(CallError::Plugin(failure))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: made by this plugin's create, destroyed once, and nobody else looks at it any more.
        unsafe { (self.plugin.table().destroy)(self.handle) };
    }
}
