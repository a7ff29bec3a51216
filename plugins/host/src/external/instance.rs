//! A configured segmenter outside of this process, bound to columns.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use sextant_proto::segmenter::v1 as pb;

use crate::assignment::{Answer, Unanswered};
use crate::binding::{Binding, Prepared};
use crate::external::answering::{Answering, Found, prepared, to_prepare};
use crate::external::asking::{Ask, Explain, Segment};
use crate::external::breakers::Matter;
use crate::external::{External, Purpose, Trouble};
use crate::{Assignments, Call, CallError, Descriptor, Reason, State, explanation, messages, rows};

/// A segmenter with a configuration, bound to columns, outside of this process. None of its calls may be made on a thread of an
/// asynchronous runtime: they wait.
#[derive(Debug)]
pub struct ExternalInstance {
    plugin: External,
    config: String,
    /// With the features and segments of the configuration.
    descriptor: Arc<Descriptor>,
    binding: Binding,
    prepare: pb::PrepareRequest,
    state: Option<State>,
    /// Its name in the last answer to that.
    id: Arc<Mutex<Bytes>>,
    made_of: [u8; 32],
}

impl ExternalInstance {
    /// Makes an instance from a configuration, with defaults filled in, for batches of a schema. The schema may have any number of
    /// further columns; features are found by name.
    ///
    /// # Errors
    ///
    /// The configuration breaks the schema or is refused by the segmenter, a required feature is missing or has another type, or
    /// the process was lost.
    pub fn create(
        plugin: &External,
        config_json: &str,
        schema: &Schema,
    ) -> Result<Self, CallError> {
        Self::with_state(plugin, (config_json, None), schema)
    }

    /// The same, answering from what a fit has left.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create); the segmenter refuses the state.
    pub fn with_state(
        plugin: &External,
        (config_json, state): (&str, Option<&State>),
        schema: &Schema,
    ) -> Result<Self, CallError> {
        let config = plugin.descriptor().config_schema.canonical(config_json);
        let config = config.map_err(CallError::Config)?;
        let descriptor = plugin.configured(&config, state)?;
        let binding = Binding::plan(&descriptor, schema)?;
        let input = Schema::new(binding.fields().clone());
        let digest = state.map(|state| state.digest().to_vec());
        let prepare = pb::PrepareRequest {
            config_json: config.clone(),
            input_schema: messages::encode_schema(&input)?.into(),
            state_digest: digest.unwrap_or_default().into(),
        };
        let made_of = messages::made_of(&prepare);
        let (request, made_with) = (prepare.clone(), state.cloned());
        let longest = to_prepare(plugin.shared.allowance.longest_call, state);
        let id = plugin.asked(longest, move |mut client| async move {
            prepared(&mut client, &request, (made_with.as_ref(), longest)).await
        })?;
        let state_digest = state.map(|state| *state.digest());
        let mut breakers = plugin.shared.breakers();
        breakers.made(made_of, &config, state_digest);
        breakers.asked(made_of);
        drop(breakers);
        Ok(Self {
            plugin: plugin.clone(),
            config,
            descriptor,
            binding,
            prepare,
            state: state.cloned(),
            id: Arc::new(Mutex::new(id)),
            made_of,
        })
    }

    /// The segmenter.
    pub const fn plugin(&self) -> &External {
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

    /// What it saves of the state that it answers from.
    pub(crate) fn saved(&self) -> Result<State, CallError> {
        let name = self.id.lock().unwrap_or_else(PoisonError::into_inner);
        let instance_id = name.clone();
        drop(name);
        let longest = to_prepare(
            self.plugin.shared.allowance.longest_call,
            self.state.as_ref(),
        );
        let request = pb::SaveStateRequest { instance_id };
        self.plugin.asked(longest, move |mut client| async move {
            let saved = client.save_state(request, longest).await?;
            Ok(saved.map(State::new).map_err(messages::call_error))
        })
    }

    /// Judges every row of a batch, as [`Instance::segment`](crate::Instance::segment) does. Rows that the segmenter could not be
    /// asked about, for it crashes with them or does not answer in time, are among `unanswered`; the others are answered.
    ///
    /// # Errors
    ///
    /// What would fail for every row.
    pub fn segment(&self, batch: &RecordBatch, call: &Call<'_>) -> Result<Assignments, CallError> {
        let descriptor = &self.descriptor;
        let prepared = self.binding.prepare(descriptor, batch)?;
        let rows = batch.num_rows();
        if prepared.rows == 0 && rows > 0 {
            return Ok(Answer::blank(0).arranged(prepared, rows));
        }
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
        let unanswered = found.without.into_iter().map(|one| Unanswered {
            row: row_of(one.row),
            ..one
        });
        let mut unanswered: Vec<Unanswered> = unanswered.collect();
        unanswered.sort_unstable_by_key(|one| one.row);
        Ok(Assignments {
            unanswered,
            ..whole.arranged(prepared, rows)
        })
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
        let descriptor = &self.descriptor;
        let prepared = self.binding.prepare(descriptor, batch)?;
        let rows = batch.num_rows();
        let most = usize::try_from(top_k).unwrap_or(usize::MAX);
        let found = if prepared.rows == 0 {
            Found::default()
        } else {
            let asked = self.ask(&prepared, call, Explain { top_k });
            asked.inspect_err(|error| {
                let lines = self.plugin.shared.peer.lines();
                lines.tell("WARN", &format!("no reasons: {error}"));
            })?
        };
        // Whoever is judged is told what is wrong with its reasons.
        if self.plugin.shared.purpose != Purpose::Serve
            && let Some(first) = found.without.into_iter().next()
        {
            return Err(CallError::Lost(first.trouble));
        }
        let mut said = vec![Vec::new(); prepared.rows];
        for (range, answer) in found.answers {
            for (row, reasons) in range.zip(answer) {
                said[row] = reasons;
            }
        }
        Ok(explanation::arranged(
            said, &prepared, descriptor, most, rows,
        ))
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
                .map(|row| Unanswered {
                    row,
                    trouble: trouble.clone(),
                    is_its_own: false,
                })
                .collect(),
        };
        let mut breakers = shared.breakers();
        let failure = breakers.failure_with(&self.made_of);
        let failure = failure.or_else(|| match A::MATTER {
            Matter::Answers => None,
            Matter::Reasons => breakers.no_reasons_with(&self.made_of),
        });
        drop(breakers);
        if let Some(failure) = failure {
            // Who was away is asked again soon.
            return Ok(everyone(match failure {
                Trouble::Gone(_) => failure,
                other => Trouble::Quarantined(other.to_string().into()),
            }));
        }
        let batch = self.shown(prepared)?;
        // A row that cannot be explained may be judged all the same.
        let made_of = Sha256::new_with_prefix(A::NAME).chain_update(self.made_of);
        let made_of: [u8; 32] = made_of.finalize().into();
        let poison = shared.poison().among(&made_of, &batch);
        let answering = Answering {
            shared: Arc::clone(shared),
            descriptor: Arc::clone(&self.descriptor),
            prepare: self.prepare.clone(),
            state: self.state.clone(),
            instance_id: Arc::clone(&self.id),
            made_of,
            config: self.made_of,
            context: pb::Context {
                tenant_id: call.tenant.to_owned(),
                as_of_us: call.as_of_us,
                seed: call.seed,
            },
            deadline: call.deadline,
            number: shared.batches.fetch_add(1, Ordering::Relaxed),
            ask,
        };
        // It ends by itself soon after the deadline, with what it has found until then.
        let answered = shared.hosts.wait_for(None, answering.all(batch, poison));
        answered.unwrap_or_else(|| Ok(everyone(Trouble::Overran)))
    }

    /// The rows as the segmenter's process gets them.
    fn shown(&self, prepared: &Prepared) -> Result<RecordBatch, CallError> {
        let schema = Schema::new(self.binding.fields().clone());
        let columns = prepared.columns().to_vec();
        Ok(rows::batch(schema, prepared.rows, columns)?)
    }
}

impl Drop for ExternalInstance {
    fn drop(&mut self) {
        self.plugin.shared.breakers().dropped(&self.made_of);
    }
}
