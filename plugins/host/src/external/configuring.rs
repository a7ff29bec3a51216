//! What a segmenter outside of this process says of a configuration before it is bound to columns.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tonic::Status;

use sextant_proto::segmenter::v1 as pb;
use sextant_proto::segmenter::v1::configure_response::Result as Configured;

use crate::external::answering::to_prepare;
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
            let said = said(client.configure(request.clone(), longest).await?);
            match (said, &sent) {
                (Err(CallError::StateUnknown), Some(state)) => {
                    client.load_state(state, longest).await?;
                    Ok(self::said(client.configure(request, longest).await?))
                },
                (said, _) => Ok(said),
            }
        })?;
        let mut of = Descriptor::clone(descriptor);
        if said.segments_json.is_empty() && self.shared.told.fits && state.is_none() {
            of.dynamic_segments = None;
        }
        let configured = of.configured(&said.features_json, &said.segments_json);
        let configured = configured.map_err(|fault| CallError::output(fault.to_string()))?;
        Ok(Arc::new(configured))
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
                Lost::Trouble(trouble) => CallError::Lost(trouble),
                Lost::All(error) => error,
            };
            let (turn, client) = shared.peer.turn().await.map_err(lost)?;
            let trouble = match timeout(longest, ask(client.clone())).await {
                Ok(Ok(answer)) => return answer,
                Ok(Err(status)) => shared.peer.broke_off(turn, &status).await,
                Err(_elapsed) => shared.peer.overran(turn, client, (longest, || ())),
            };
            Err(CallError::Lost(trouble))
        };
        let ended = || CallError::Lost(Trouble::Gone("the service ends".to_owned()));
        let asked = self.shared.hosts.wait_for(None, asking);
        asked.unwrap_or_else(|| Err(ended()))
    }
}

fn said(answer: pb::ConfigureResponse) -> Result<pb::Configured, CallError> {
    match answer.result {
        Some(Configured::Configured(configured)) => Ok(configured),
        Some(Configured::Failure(failure)) => Err(messages::call_error(failure)),
        None => Err(CallError::output("the answer is empty")),
    }
}
