//! What segmenters learn from the accounts of a tenant, and answer from afterwards.

use std::iter;
use std::sync::Arc;

use prost::Message as _;
use tonic::Status;
use uuid::Uuid;

use sextant_domain::id::TenantId;
use sextant_domain::position::Position;
use sextant_plugin_host::{Call, CallError, Deadline, FailureCode, Segmenter, State};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_runtime::{blocking, deadline};
use sextant_store::port::Request;
use sextant_wire::status::{Problem, store};
use sextant_wire::time;

use crate::columns::{self, Of};
use crate::engine::Engine;
use crate::registry::{chain, instance};

impl Engine {
    /// What a segmenter learns from the accounts of the tenant as they are now, encoded; empty of one that does not learn, and for a
    /// request that changes nothing any more: it came before, or is refused.
    ///
    /// # Errors
    /// SEGMENTER_STATE where it cannot learn from these accounts, UNAVAILABLE where it was lost, REQUEST_ID_REUSED.
    pub(crate) async fn fitted_once(
        &self,
        tenant: TenantId,
        (segmenter, config): (Segmenter, String),
        (request, is_there): (&Request, bool),
    ) -> Result<Vec<u8>, Status> {
        if is_there || !segmenter.fits() {
            return Ok(Vec::new());
        }
        let answered = self.segmentations.answered(request).await;
        if answered.map_err(store)?.is_some() {
            return Ok(Vec::new());
        }
        self.fitted(tenant, segmenter, config).await
    }

    async fn fitted(
        &self,
        tenant: TenantId,
        segmenter: Segmenter,
        config: String,
    ) -> Result<Vec<u8>, Status> {
        // One at a time: it takes a processor, and the features of all accounts.
        let turn = Arc::clone(&self.fits).acquire_owned().await;
        let (as_of, tables) = self.present(tenant).await?;
        let state_version = segmenter.descriptor().state_version.unwrap_or_default();
        let remaining = deadline::remaining();
        let (state, accounts) = blocking(move || {
            // Also where nobody waits for it any more.
            let _turn = turn;
            let batches = tables
                .iter()
                .map(|table| columns::with_previous(table, iter::repeat_n(None, table.num_rows())));
            let batches = batches.collect::<Result<Vec<_>, _>>()?;
            let accounts: usize = batches.iter().map(|batch| batch.num_rows()).sum();
            let call = Call {
                tenant: &Uuid::from_u128(tenant.0).to_string(),
                as_of_us: as_of.0,
                seed: 0,
                // Who asks does not wait longer.
                deadline: remaining.map(Deadline::after),
                cancel: None,
            };
            let state = segmenter.fit(&config, &batches, &call);
            let state = state.map_err(|error| not_fitted(&segmenter, accounts, &error))?;
            // What it does not take itself is no state.
            let taken = instance(&segmenter, &config, Some(&state));
            taken.map_err(|problem| Problem {
                reason: match problem.reason {
                    ErrorReason::Unavailable => ErrorReason::Unavailable,
                    _ => ErrorReason::SegmenterState,
                },
                field: String::new(),
                ..problem
            })?;
            Ok::<_, Problem>((state, accounts))
        })
        .await?;
        let (digest, bytes) = (state.digest_hex(), state.bytes().to_vec());
        let fit = pb::Fit {
            state_digest: digest.clone(),
            state_bytes: bytes.len() as u64,
            accounts: accounts as u64,
            as_of: Some(time::timestamp(as_of)),
            state_version,
        };
        let kept = self.segmentations.keep_state(tenant, &digest, bytes);
        kept.await.map_err(store)?;
        tracing::info!(
            tenant = %Uuid::from_u128(tenant.0),
            accounts,
            bytes = fit.state_bytes,
            digest,
            "a segmenter is fitted"
        );
        Ok(fit.encode_to_vec())
    }

    /// The features of all accounts now.
    pub(crate) async fn present(
        &self,
        tenant: TenantId,
    ) -> Result<(sextant_domain::time::Instant, Vec<arrow_array::RecordBatch>), Status> {
        let now = self.now(tenant, &Position::default()).await?;
        let slices: Vec<_> = {
            let reading = self.read(tenant).await?;
            let state = reading.as_ref();
            state.map_or_else(Vec::new, |state| state.slices.keys().copied().collect())
        };
        let mut tables = Vec::new();
        for slice in slices {
            let columns = self.columns(tenant, slice, Of::Present, Vec::new());
            tables.extend(columns.await?.tables);
        }
        Ok((now, tables))
    }

    /// What a segmenter answers from; `None`: it does not learn.
    pub(crate) async fn learned(
        &self,
        tenant: TenantId,
        fit: &[u8],
    ) -> Result<Option<State>, Problem> {
        let Some(fit) = fit_of(fit) else {
            return Ok(None);
        };
        let kept = self.segmentations.state(tenant, &fit.state_digest).await?;
        let state = kept.map(State::new);
        let whole = state.filter(|state| state.digest_hex() == fit.state_digest);
        whole.map(Some).ok_or_else(|| {
            let message = format!(
                "what was learned ({}) is missing, or damaged",
                fit.state_digest
            );
            Problem::new(ErrorReason::Internal, message)
        })
    }
}

/// What a stored revision was fitted to.
pub(crate) fn fit_of(bytes: &[u8]) -> Option<pb::Fit> {
    (!bytes.is_empty()).then(|| pb::Fit::decode(bytes).ok())?
}

fn not_fitted(segmenter: &Segmenter, accounts: usize, error: &CallError) -> Problem {
    let reason = match error {
        CallError::Lost(_) => ErrorReason::Unavailable,
        CallError::Plugin(failure) if failure.code == FailureCode::InvalidConfig => {
            ErrorReason::ConfigInvalid
        },
        _ => ErrorReason::SegmenterState,
    };
    let message = format!(
        "segmenter \"{}\" has learned nothing from the {accounts} accounts of the tenant: {}",
        segmenter.descriptor().id,
        chain(error)
    );
    Problem::new(reason, message)
}
