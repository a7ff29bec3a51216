//! The segmenter and its instances, on the thread that called its entry function.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use sextant_proto::segmenter::v1 as pb;
use sextant_proto::segmenter::v1::configure_response::Result as Configured;
use sextant_proto::segmenter::v1::explain_response::Result as Explained;
use sextant_proto::segmenter::v1::prepare_response::Result as Made;
use sextant_proto::segmenter::v1::segment_response::Result as Segmented;

use crate::instance::MAX_PASSES;
use crate::{Call, CallError, Deadline, Instance, Plugin, State, messages};

/// Instances that are kept; the one that was not asked for longest is the first to go.
const MAX_INSTANCES: usize = 256;

/// Bytes of what was learned in all of them, about, where that is much.
const MAX_LEARNED_BYTES: usize = 64 << 20;

/// When a call is of no use any more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ends {
    pub(crate) deadline: Option<Deadline>,
    /// Raised at the deadline, and when nobody waits any more.
    pub(crate) cancel: Arc<AtomicU32>,
}

/// What the plugin thread works with.
#[derive(Debug)]
pub(crate) struct Worker {
    plugin: Plugin,
    observed: bool,
    /// The one that was asked last is the last.
    instances: Vec<(Vec<u8>, Instance)>,
    /// The state that was sent last.
    state: Option<State>,
    fitting: Option<Fitting>,
}

/// What a part of a fit has come to.
#[derive(Debug)]
pub(crate) enum FitStep {
    /// It goes on.
    Taken,
    /// A pass has ended, and there is one more.
    Again,
    /// The last pass has ended, with this state.
    Learned(Vec<u8>),
}

/// An instance that is being fitted.
#[derive(Debug)]
struct Fitting {
    instance: Instance,
    context: pb::Context,
    n_passes: u32,
}

impl Worker {
    pub(crate) const fn new(plugin: Plugin, observed: bool) -> Self {
        Self {
            plugin,
            observed,
            instances: Vec::new(),
            state: None,
            fitting: None,
        }
    }

    pub(crate) fn describe(&self) -> pb::DescribeResponse {
        pb::DescribeResponse {
            descriptor_json: self.plugin.descriptor_json().to_owned(),
            server: concat!("sextant ", env!("CARGO_PKG_VERSION")).to_owned(),
            explains: self.plugin.explains(),
            deterministic: self.plugin.is_deterministic(),
            row_independent: self.plugin.is_row_independent(),
            fits: self.plugin.fits(),
        }
    }

    /// The state with this digest; none where none is asked for.
    fn state(&self, digest: &[u8]) -> Result<Option<&State>, CallError> {
        let state = self.state.as_ref().filter(|state| state.digest() == digest);
        match state {
            None if !digest.is_empty() => Err(CallError::StateUnknown),
            state => Ok(state),
        }
    }

    /// Takes a state in the place of the one before.
    pub(crate) fn load_state(&mut self, bytes: Vec<u8>) -> pb::LoadStateResponse {
        let state = State::new(bytes);
        let digest = state.digest().to_vec().into();
        self.state = Some(state);
        pb::LoadStateResponse { digest }
    }

    /// The state of an instance as it saves it.
    pub(crate) fn save_state(&mut self, instance_id: &[u8]) -> Result<Vec<u8>, pb::Failure> {
        let instance = self.instance(instance_id);
        let saved = instance.and_then(Instance::save);
        saved.map_err(|error| messages::failure(&error))
    }

    pub(crate) fn configure(&self, request: &pb::ConfigureRequest) -> pb::ConfigureResponse {
        let configured = || {
            let state = self.state(&request.state_digest)?;
            let instance = Instance::with_state(&self.plugin, &request.config_json, state)?;
            Ok::<_, CallError>(instance.lists())
        };
        let result = match configured() {
            Ok((features_json, segments_json)) => Configured::Configured(pb::Configured {
                features_json,
                segments_json,
            }),
            Err(error) => Configured::Failure(messages::failure(&error)),
        };
        pb::ConfigureResponse {
            result: Some(result),
        }
    }

    /// Does a part of a fit.
    pub(crate) fn fit(
        &mut self,
        part: pb::fit_request::Part,
        ends: &Ends,
    ) -> Result<FitStep, pb::Failure> {
        use pb::fit_request::Part;

        let done = match part {
            Part::Start(start) => self.begin_fit(start, ends),
            Part::Batch(batch) => self.fit_batch(&batch, ends),
            Part::PassEnd(_) => self.end_pass(ends),
        };
        done.map_err(|error| {
            self.fitting = None;
            messages::failure(&error)
        })
    }

    fn begin_fit(&mut self, start: pb::FitStart, ends: &Ends) -> Result<FitStep, CallError> {
        let mut instance = Instance::to_fit(&self.plugin, &start.config_json)?;
        if self.observed {
            instance.observe();
        }
        instance.bind(&*messages::decode_schema(&start.input_schema)?)?;
        let context = start.context.unwrap_or_default();
        instance.fit_begin(&call(Some(&context), ends), start.rows)?;
        self.fitting = Some(Fitting {
            instance,
            context,
            n_passes: 0,
        });
        Ok(FitStep::Taken)
    }

    fn fit_batch(&mut self, batch: &[u8], ends: &Ends) -> Result<FitStep, CallError> {
        let fitting = self.fitting.as_mut().ok_or(CallError::NotBound)?;
        let batch = messages::decode(batch)?;
        let call = call(Some(&fitting.context), ends);
        fitting.instance.fit_batch(&batch, &call)?;
        Ok(FitStep::Taken)
    }

    fn end_pass(&mut self, ends: &Ends) -> Result<FitStep, CallError> {
        let fitting = self.fitting.as_mut().ok_or(CallError::NotBound)?;
        let again = fitting
            .instance
            .fit_end(&call(Some(&fitting.context), ends))?;
        fitting.n_passes += 1;
        if again && fitting.n_passes >= MAX_PASSES {
            let what = format!("it asks for more than {MAX_PASSES} passes");
            return Err(CallError::output(what));
        }
        if again {
            return Ok(FitStep::Again);
        }
        let learned = fitting.instance.save()?;
        self.fitting = None;
        Ok(FitStep::Learned(learned))
    }

    pub(crate) fn prepare(&mut self, request: &pb::PrepareRequest) -> pb::PrepareResponse {
        let result = match self.make(request) {
            Ok(instance) => Made::Instance(instance),
            Err(error) => Made::Failure(messages::failure(&error)),
        };
        pb::PrepareResponse {
            result: Some(result),
        }
    }

    fn make(&mut self, request: &pb::PrepareRequest) -> Result<pb::Instance, CallError> {
        let id = messages::made_of(request).to_vec();
        self.instances.retain(|(known, _)| *known != id);
        let state = self.state(&request.state_digest)?;
        let mut instance = Instance::with_state(&self.plugin, &request.config_json, state)?;
        let schema = messages::decode_schema(&request.input_schema)?;
        instance.bind(&schema)?;
        if self.observed {
            instance.observe();
        }
        let output_schema = messages::encode_schema(&instance.output_schema())?;
        // What was learned is in each of them.
        let learned = self
            .state
            .as_ref()
            .filter(|_| !request.state_digest.is_empty());
        let learned = learned.map_or(0, |state| state.bytes().len());
        let most = MAX_LEARNED_BYTES
            .checked_div(learned)
            .unwrap_or(MAX_INSTANCES);
        while self.instances.len() >= most.clamp(1, MAX_INSTANCES) {
            self.instances.remove(0);
        }
        self.instances.push((id.clone(), instance));
        Ok(pb::Instance {
            id: id.into(),
            output_schema: output_schema.into(),
        })
    }

    pub(crate) fn segment(
        &mut self,
        request: &pb::SegmentRequest,
        ends: &Ends,
    ) -> pb::SegmentResponse {
        let context = request.context.as_ref();
        let answered = self.instance(&request.instance_id).and_then(|instance| {
            let batch = messages::decode(&request.batch)?;
            let answer = instance.segment(&batch, &call(context, ends))?;
            let output = instance.descriptor().output;
            Ok(messages::encode(&messages::answer_batch(&answer, output)?)?)
        });
        let result = match answered {
            Ok(batch) => Segmented::Batch(batch.into()),
            Err(error) => Segmented::Failure(messages::failure(&error)),
        };
        pb::SegmentResponse {
            result: Some(result),
        }
    }

    pub(crate) fn explain(
        &mut self,
        request: &pb::ExplainRequest,
        ends: &Ends,
    ) -> pb::ExplainResponse {
        let context = request.context.as_ref();
        let answered = self.instance(&request.instance_id).and_then(|instance| {
            let batch = messages::decode(&request.batch)?;
            instance.explain(&batch, &call(context, ends), request.top_k)
        });
        let result = match answered {
            Ok(reasons) => Explained::Explanations(messages::explanations(reasons)),
            Err(error) => Explained::Failure(messages::failure(&error)),
        };
        pb::ExplainResponse {
            result: Some(result),
        }
    }

    fn instance(&mut self, id: &[u8]) -> Result<&mut Instance, CallError> {
        let place = self.instances.iter().position(|(known, _)| known == id);
        // Who is asked for one that is not there says so as of one that cannot be used any more.
        let known = self.instances.remove(place.ok_or(CallError::Poisoned)?);
        self.instances.push(known);
        let (_, instance) = self.instances.last_mut().ok_or(CallError::Poisoned)?;
        Ok(instance)
    }
}

fn call<'c>(context: Option<&'c pb::Context>, ends: &'c Ends) -> Call<'c> {
    Call {
        tenant: context.map_or("", |context| &context.tenant_id),
        as_of_us: context.map_or(0, |context| context.as_of_us),
        seed: context.map_or(0, |context| context.seed),
        deadline: ends.deadline,
        cancel: Some(&ends.cancel),
    }
}
