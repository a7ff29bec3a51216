//! The segmenter and its instances, on the thread that called its entry function.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use sextant_proto::segmenter::v1 as pb;
use sextant_proto::segmenter::v1::explain_response::Result as Explained;
use sextant_proto::segmenter::v1::prepare_response::Result as Made;
use sextant_proto::segmenter::v1::segment_response::Result as Segmented;

use crate::{Call, CallError, Deadline, Instance, Plugin, messages};

/// Instances that are kept; the one that was not asked for longest is the first to go.
const MAX_INSTANCES: usize = 256;

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
}

impl Worker {
    pub(crate) const fn new(plugin: Plugin, observed: bool) -> Self {
        Self {
            plugin,
            observed,
            instances: Vec::new(),
        }
    }

    pub(crate) fn describe(&self) -> pb::DescribeResponse {
        pb::DescribeResponse {
            descriptor_json: self.plugin.descriptor_json().to_owned(),
            server: concat!("sextant ", env!("CARGO_PKG_VERSION")).to_owned(),
            explains: self.plugin.explains(),
            deterministic: self.plugin.is_deterministic(),
            row_independent: self.plugin.is_row_independent(),
        }
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
        let mut instance = Instance::create(&self.plugin, &request.config_json)?;
        let schema = messages::decode_schema(&request.input_schema)?;
        instance.bind(&schema)?;
        if self.observed {
            instance.observe();
        }
        let output_schema = messages::encode_schema(&instance.output_schema())?;
        if self.instances.len() >= MAX_INSTANCES {
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
            Ok(messages::encode(&messages::answer_batch(&answer)?)?)
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

    fn instance(&mut self, id: &[u8]) -> Result<&Instance, CallError> {
        let place = self.instances.iter().position(|(known, _)| known == id);
        // Who is asked for one that is not there says so as of one that cannot be used any more.
        let known = self.instances.remove(place.ok_or(CallError::Poisoned)?);
        self.instances.push(known);
        let (_, instance) = self.instances.last().ok_or(CallError::Poisoned)?;
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
