//! Fitting an instance to a population, and the state that this leaves.
#![expect(unsafe_code, reason = "calls the functions of a plugin's table")]

use arrow_array::RecordBatch;

use sextant_segmenter_abi::{ArrowArray, SegError};

use crate::binding::Shown;
use crate::library::Fit;
use crate::sink::Sink;
use crate::state::MAX_STATE_BYTES;
use crate::{Call, CallError, Instance};

/// Passes over a population, at most.
pub(crate) const MAX_PASSES: u32 = 32;

impl Instance {
    fn fit(&self) -> Result<Fit, CallError> {
        self.plugin.table().fit.ok_or(CallError::FitUnsupported)
    }

    /// Begins a fit to so many rows; those count that lack a feature and are not shown.
    pub(crate) fn fit_begin(&mut self, call: &Call<'_>, rows: u64) -> Result<(), CallError> {
        let begin = self.fit()?.begin;
        // SAFETY: `&mut self` makes this the only call on the instance; every pointer is valid during the call.
        self.within(call, |handle, call, record| unsafe {
            begin(handle, call, rows, record)
        })
    }

    /// Shows a batch of the population.
    pub(crate) fn fit_batch(
        &mut self,
        batch: &RecordBatch,
        call: &Call<'_>,
    ) -> Result<(), CallError> {
        let function = self.fit()?.batch;
        let binding = self.binding.as_ref().ok_or(CallError::NotBound)?;
        let prepared = binding.prepare(&self.descriptor, batch)?;
        if prepared.rows == 0 {
            return Ok(());
        }
        let shown = Shown::new(&prepared, self.observed)?;
        let mut input = binding.export(&shown, prepared.rows)?;
        // SAFETY: as above; the input is moved in, and dropped here if the plugin left it.
        self.within(call, |handle, call, record| unsafe {
            function(handle, call, (&raw mut input).cast::<ArrowArray>(), record)
        })?;
        shown.is_unwritten()
    }

    /// Ends a pass; true: the population is asked for once more.
    pub(crate) fn fit_end(&mut self, call: &Call<'_>) -> Result<bool, CallError> {
        let end = self.fit()?.end;
        let mut again = 0;
        // SAFETY: as above.
        self.within(call, |handle, call, record| unsafe {
            end(handle, call, &raw mut again, record)
        })?;
        Ok(again != 0)
    }

    /// What it has learned.
    pub(crate) fn save(&mut self) -> Result<Vec<u8>, CallError> {
        let save = self.fit()?.save;
        self.written(save, MAX_STATE_BYTES)
    }

    /// Takes up what another one has learned.
    pub(super) fn load(&mut self, state: &[u8]) -> Result<(), CallError> {
        let load = self.fit()?.load;
        let mut record = SegError::blank();
        // SAFETY: as above.
        let status = unsafe {
            load(
                self.handle,
                state.as_ptr().cast(),
                state.len(),
                &raw mut record,
            )
        };
        self.accept(status, &record)
    }

    /// What a function of the table writes, at most so many bytes.
    pub(super) fn written(
        &self,
        function: sextant_segmenter_abi::SegToSink,
        most: usize,
    ) -> Result<Vec<u8>, CallError> {
        self.check_usable()?;
        let mut record = SegError::blank();
        // SAFETY: as above.
        let (status, bytes) =
            Sink::new(most).taken(|sink| unsafe { function(self.handle, sink, &raw mut record) });
        self.accept(status, &record)?;
        Ok(bytes)
    }
}
