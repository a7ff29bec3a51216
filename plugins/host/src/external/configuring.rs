//! What a segmenter outside of this process says of a configuration before it is bound to columns.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tonic::Status;

use sextant_proto::segmenter::v1 as pb;
use sextant_proto::segmenter::v1::configure_response::Result as Configured;

use crate::external::answering::{is_late, to_prepare};
use crate::external::client::Client;
use crate::external::peer::Lost;
use crate::external::{External, Trouble};
use crate::{CallError, Descriptor, State, messages};

impl External {
    /// What it reads and answers with a canonical configuration; of one that has to be fitted and is not, its segments may be
    /// missing. May wait for another process: not for threads of an asynchronous runtime.
    ///
    /// # Errors
    ///
    /// The segmenter refuses the configuration or the state, asks for features outside of its scope, or could not be asked.
    pub fn configured(
        &self,
        config: &str,
        state: Option<&State>,
    ) -> Result<Arc<Descriptor>, CallError> {
        let descriptor = &self.shared.descriptor;
        if !descriptor.is_dynamic() {
            return Ok(Arc::clone(descriptor));
        }
        let digest = state.map(|state| state.digest().to_vec());
        let request = pb::ConfigureRequest {
            config_json: config.to_owned(),
            state_digest: digest.unwrap_or_default().into(),
        };
        let sent = state.cloned();
        let longest = to_prepare(self.shared.allowance.longest_call, state);
        let said = self.asked(longest, move |mut client| async move {
            said(&mut client, &request, (sent.as_ref(), longest)).await
        })?;
        let mut of = Descriptor::clone(descriptor);
        if said.segments_json.is_empty() && self.shared.told.fits && state.is_none() {
            of.dynamic_segments = None;
        }
        Ok(Arc::new(taken(&of, &said)?))
    }

    /// Makes a call that shows no rows, at most so long.
    pub(super) fn asked<T: Send + 'static, F>(
        &self,
        longest: Duration,
        ask: impl FnOnce(Client) -> F + Send + 'static,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<Result<T, CallError>, Status>> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        let asking = async move {
            let lost = |lost: Lost| match lost {
                Lost::Trouble(trouble) | Lost::Row(_, trouble) => CallError::Lost(trouble),
                Lost::All(error) => error,
            };
            let (turn, client) = shared.peer.turn().await.map_err(lost)?;
            let trouble = match timeout(longest, ask(client.clone())).await {
                Ok(Ok(answer)) => return answer,
                Ok(Err(status)) if !is_late(&status) => shared.peer.broke_off(turn, &status).await,
                Ok(Err(_)) | Err(_) => shared.peer.overran(turn, client, (longest, || ())).await,
            };
            Err(CallError::Lost(trouble))
        };
        let ended = || CallError::Lost(Trouble::Gone("the service ends".to_owned()));
        let asked = self.shared.hosts.wait_for(None, asking);
        asked.unwrap_or_else(|| Err(ended()))
    }
}

/// Whether a segmenter that had forgotten an instance says the same of its configuration as before. The descriptor alone does not
/// tell.
pub(super) async fn is_same(
    client: &mut Client,
    prepare: &pb::PrepareRequest,
    (known, state): (&Descriptor, Option<&State>),
    (of, longest): (&Descriptor, Duration),
) -> Result<Result<bool, CallError>, Status> {
    if !of.is_dynamic() {
        return Ok(Ok(true));
    }
    let request = pb::ConfigureRequest {
        config_json: prepare.config_json.clone(),
        state_digest: prepare.state_digest.clone(),
    };
    let said = said(client, &request, (state, longest)).await?;
    let mut of = of.clone();
    of.dynamic_segments = known.dynamic_segments;
    let now = said.and_then(|said| taken(&of, &said));
    Ok(now.map(|now| now.features == known.features && now.segments == known.segments))
}

/// What a segmenter says of a configuration. Who does not have its state is sent it first.
async fn said(
    client: &mut Client,
    request: &pb::ConfigureRequest,
    (state, longest): (Option<&State>, Duration),
) -> Result<Result<pb::Configured, CallError>, Status> {
    let answer = answer(client.configure(request.clone(), longest).await?);
    match (answer, state) {
        (Err(CallError::StateUnknown), Some(state)) => {
            client.load_state(state, longest).await?;
            Ok(self::answer(
                client.configure(request.clone(), longest).await?,
            ))
        },
        (answer, _) => Ok(answer),
    }
}

fn answer(answer: pb::ConfigureResponse) -> Result<pb::Configured, CallError> {
    match answer.result {
        Some(Configured::Configured(configured)) => Ok(configured),
        Some(Configured::Failure(failure)) => Err(messages::call_error(failure)),
        None => Err(CallError::output("the answer is empty")),
    }
}

/// The descriptor with what was said.
fn taken(of: &Descriptor, said: &pb::Configured) -> Result<Descriptor, CallError> {
    let configured = of.configured(&said.features_json, &said.segments_json);
    configured.map_err(|fault| CallError::output(messages::told(&fault.to_string())))
}
