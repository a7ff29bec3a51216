//! A configured segmenter in another process, bound to columns.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::Schema;
use bytes::Bytes;
use tonic::Request;

use sextant_proto::segmenter::v1 as pb;
use sextant_proto::segmenter::v1::prepare_response::Result as Made;

use crate::assignment::{Answer, Unanswered};
use crate::binding::{Binding, Prepared};
use crate::isolated::answering::{Answering, Ask, Explain, Found, Segment};
use crate::isolated::{Isolated, Trouble, start};
use crate::{Assignments, Call, CallError, Reason, explanation, messages};

fn lost(what: String) -> CallError {
    CallError::Lost(Trouble::Failed(what))
}

/// What became of a configuration.
fn created(answer: pb::PrepareResponse) -> Result<Bytes, CallError> {
    match answer.result {
        Some(Made::Instance(instance)) => Ok(instance.id),
        Some(Made::Failure(failure)) => Err(messages::call_error(failure)),
        None => Err(CallError::output("the answer is empty")),
    }
}

/// A segmenter with a configuration, bound to columns, in a process of its own. Calls wait for each other. None of its calls may
/// be made on a thread of an asynchronous runtime: they wait.
#[derive(Debug)]
pub struct IsolatedInstance {
    plugin: Isolated,
    config: String,
    binding: Binding,
    create: pb::PrepareRequest,
    id: Bytes,
}

impl IsolatedInstance {
    /// Makes an instance from a configuration, with defaults filled in, for batches of a schema. The schema may have any number of
    /// further columns; the features of the descriptor are found by name.
    ///
    /// # Errors
    ///
    /// The configuration breaks the schema or is refused by the segmenter, a required feature is missing or has another type, or
    /// the process was lost.
    pub fn create(
        plugin: &Isolated,
        config_json: &str,
        schema: &Schema,
    ) -> Result<Self, CallError> {
        let descriptor = plugin.descriptor();
        let config = descriptor.config_schema.canonical(config_json);
        let config = config.map_err(CallError::Config)?;
        let binding = Binding::plan(descriptor, schema)?;
        let input = Schema::new(binding.fields().clone());
        let create = pb::PrepareRequest {
            config_json: config.clone(),
            input_schema: messages::encode_schema(&input)?.into(),
        };
        let id = Self::make(plugin, &create)?;
        Ok(Self {
            plugin: plugin.clone(),
            config,
            binding,
            create,
            id,
        })
    }

    /// Has the process make the instance, and gives its name there.
    fn make(plugin: &Isolated, create: &pb::PrepareRequest) -> Result<Bytes, CallError> {
        let longest = plugin.shared.allowance.longest_call;
        let shared = Arc::clone(&plugin.shared);
        let create = create.clone();
        let making = async move {
            let mut turn = Arc::clone(&shared.turn).lock_owned().await;
            if turn.is_none() {
                let (hosts, file) = (shared.hosts.clone(), Arc::clone(&shared.file));
                let started = start(hosts, file, shared.memory_bytes).await;
                let (process, _) = started.map_err(|error| lost(error.finding().told()))?;
                *turn = Some(process);
            }
            let Some(process) = turn.as_ref() else {
                return Err(lost("its process is gone".to_owned()));
            };
            let mut client = process.client();
            match tokio::time::timeout(longest, client.prepare(Request::new(create))).await {
                Ok(Ok(answer)) => created(answer.into_inner()),
                Ok(Err(_hung_up)) => {
                    shared.breaker().lost();
                    let crash = match turn.take() {
                        Some(process) => process.end().await,
                        None => super::Crash::default(),
                    };
                    Err(CallError::Lost(Trouble::Crashed(crash)))
                },
                Err(_elapsed) => {
                    shared.breaker().lost();
                    *turn = None;
                    Err(CallError::Lost(Trouble::Overran))
                },
            }
        };
        let gone = || lost("the thread of host processes has ended".to_owned());
        let made = plugin.shared.hosts.wait_for(None, making);
        made.unwrap_or_else(|| Err(gone()))
    }

    /// The segmenter.
    pub const fn plugin(&self) -> &Isolated {
        &self.plugin
    }

    /// The canonical configuration: every default filled in, names in byte order, no spaces.
    pub fn config(&self) -> &str {
        &self.config
    }

    /// Judges every row of a batch, as [`Instance::segment`](crate::Instance::segment) does. Rows that the segmenter could not be
    /// asked about, for it crashes with them or does not answer in time, are among `unanswered`; the others are answered.
    ///
    /// # Errors
    ///
    /// What would fail for every row.
    pub fn segment(&self, batch: &RecordBatch, call: &Call<'_>) -> Result<Assignments, CallError> {
        let descriptor = self.plugin.descriptor();
        let prepared = self.binding.prepare(descriptor, batch)?;
        let rows = batch.num_rows();
        let found = self.ask(&prepared, call, Segment)?;
        let mut whole = Answer::blank(prepared.rows);
        for (range, answer) in found.answers {
            whole.put(range.start, answer);
        }
        let row_of = |row: usize| {
            prepared
                .origins
                .as_ref()
                .map_or(row, |origins| origins[row])
        };
        let unanswered = found.without.into_iter().map(|(row, trouble)| Unanswered {
            row: row_of(row),
            trouble,
        });
        let mut unanswered: Vec<Unanswered> = unanswered.collect();
        unanswered.sort_unstable_by_key(|one| one.row);
        let mut assignments = whole.arranged(prepared, descriptor.segments.len(), rows)?;
        assignments.unanswered = unanswered;
        Ok(assignments)
    }

    /// The strongest `top_k` reasons for every row of a batch, as [`Instance::explain`](crate::Instance::explain) gives them; none
    /// for rows that the segmenter could not be asked about.
    ///
    /// # Errors
    ///
    /// What would fail for every row.
    pub fn explain(
        &self,
        batch: &RecordBatch,
        call: &Call<'_>,
        top_k: u32,
    ) -> Result<Vec<Vec<Reason>>, CallError> {
        if !self.plugin.explains() {
            return Err(CallError::ExplainUnsupported);
        }
        let descriptor = self.plugin.descriptor();
        let prepared = self.binding.prepare(descriptor, batch)?;
        let rows = batch.num_rows();
        let most = usize::try_from(top_k).unwrap_or(usize::MAX);
        let found = self.ask(&prepared, call, Explain { top_k })?;
        let mut said = vec![Vec::new(); prepared.rows];
        for (range, answer) in found.answers {
            if answer.len() != range.len() {
                return Err(CallError::output("it gives reasons of other rows"));
            }
            for (row, reasons) in range.zip(answer) {
                said[row] = reasons;
            }
        }
        explanation::arranged(said, &prepared, descriptor, most, rows)
    }

    /// Shows the rows that are not known to bring the segmenter down.
    fn ask<A: Ask>(
        &self,
        prepared: &Prepared,
        call: &Call<'_>,
        ask: A,
    ) -> Result<Found<A::Answer>, CallError> {
        let shared = &self.plugin.shared;
        let everyone = |trouble: Trouble| Found {
            answers: Vec::new(),
            without: (0..prepared.rows)
                .map(|row| (row, trouble.clone()))
                .collect(),
        };
        if shared.breaker().is_open() {
            return Ok(everyone(Trouble::Quarantined));
        }
        let batch = self.shown(prepared)?;
        let poison = shared.poison().among(&self.id, &batch);
        let answering = Answering {
            shared: Arc::clone(shared),
            create: self.create.clone(),
            instance_id: self.id.clone(),
            context: pb::Context {
                tenant_id: call.tenant.to_owned(),
                as_of_us: call.as_of_us,
                seed: call.seed,
            },
            deadline: call.deadline,
            ask,
        };
        let longest = call.deadline.map(crate::Deadline::left);
        let answered = shared.hosts.wait_for(longest, answering.all(batch, poison));
        answered.unwrap_or_else(|| Ok(everyone(Trouble::Overran)))
    }

    /// The rows as the segmenter's process gets them.
    fn shown(&self, prepared: &Prepared) -> Result<RecordBatch, CallError> {
        let schema = Arc::new(Schema::new(self.binding.fields().clone()));
        let columns: Vec<ArrayRef> = prepared.columns().to_vec();
        let options = RecordBatchOptions::new().with_row_count(Some(prepared.rows));
        Ok(RecordBatch::try_new_with_options(
            schema, columns, &options,
        )?)
    }
}
