//! The contract behind a process border, `sextant.segmenter.v1`: what both of its sides say, in this crate's own types.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float32Type, UInt16Type};
use arrow_array::{
    Array as _, ArrayRef, Float32Array, RecordBatch, RecordBatchOptions, UInt16Array,
};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema};
use sha2::{Digest as _, Sha256};

use sextant_proto::segmenter::v1 as pb;
use sextant_segmenter_abi::SEG_ABSTAIN;

use crate::assignment::{self, Answer};
use crate::{Assignments, CallError, FailureCode, Output, PluginFailure, Reason};

/// Largest message of the contract: 16,384 rows of 60 columns are 8 MiB.
pub(crate) const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// What one side may send before the other has taken it: a whole batch.
pub(crate) const WINDOW_BYTES: u32 = 16 << 20;

/// Largest piece in which a message travels: the default of 16 KiB costs a system call for each.
pub(crate) const FRAME_BYTES: u32 = 1 << 20;

/// Bytes of the largest piece of a state.
pub(crate) const PIECE_BYTES: usize = 1 << 20;

/// Longest text of a failure that is taken over.
const MAX_TEXT_BYTES: usize = 1_024;

/// The header with the time that a caller waits.
const TIMEOUT_HEADER: &str = "grpc-timeout";

/// A batch with its schema as an Arrow IPC stream.
pub(crate) fn encode(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut bytes = Vec::with_capacity(batch.get_array_memory_size() + 4_096);
    let mut writer = StreamWriter::try_new(&mut bytes, batch.schema_ref())?;
    writer.write(batch)?;
    writer.finish()?;
    drop(writer);
    Ok(bytes)
}

/// The one batch of an Arrow IPC stream.
pub(crate) fn decode(bytes: &[u8]) -> Result<RecordBatch, ArrowError> {
    let mut reader = StreamReader::try_new(Cursor::new(bytes), None)?;
    let none = || ArrowError::IpcError("the stream has no batch".to_owned());
    let batch = reader.next().ok_or_else(none)??;
    if reader.next().is_some() {
        return Err(ArrowError::IpcError(
            "the stream has more than one batch".to_owned(),
        ));
    }
    Ok(batch)
}

/// A schema as an Arrow IPC stream without batches.
pub(crate) fn encode_schema(schema: &Schema) -> Result<Vec<u8>, ArrowError> {
    let mut bytes = Vec::new();
    StreamWriter::try_new(&mut bytes, schema)?.finish()?;
    Ok(bytes)
}

pub(crate) fn decode_schema(bytes: &[u8]) -> Result<Arc<Schema>, ArrowError> {
    Ok(StreamReader::try_new(Cursor::new(bytes), None)?.schema())
}

/// Names and Arrow types of the columns of an answer, of those that are there: segment, score, confidence.
pub(crate) fn output_schema(there: [bool; 3]) -> Schema {
    let columns = [
        ("segment", DataType::UInt16, false),
        ("score", DataType::Float32, true),
        ("confidence", DataType::Float32, true),
    ];
    let columns = columns
        .into_iter()
        .zip(there)
        .filter(|(_, is_there)| *is_there);
    let fields = columns.map(|((name, kind, nullable), _)| Field::new(name, kind, nullable));
    Schema::new(fields.collect::<Vec<_>>())
}

/// An answer as a batch.
pub(crate) fn answer_batch(
    answer: &Assignments,
    output: Output,
) -> Result<RecordBatch, ArrowError> {
    let has_segment = output == Output::Single;
    let segment = has_segment.then(|| UInt16Array::from(answer.segment.clone()));
    let mut columns: Vec<ArrayRef> = Vec::new();
    columns.extend(segment.map(|column| Arc::new(column) as ArrayRef));
    for numbers in [&answer.score, &answer.confidence].into_iter().flatten() {
        columns.push(Arc::new(Float32Array::from(numbers.clone())));
    }
    let there = [
        has_segment,
        answer.score.is_some(),
        answer.confidence.is_some(),
    ];
    let options = RecordBatchOptions::new().with_row_count(Some(answer.segment.len()));
    RecordBatch::try_new_with_options(Arc::new(output_schema(there)), columns, &options)
}

/// An answer from a batch that somebody sent: its columns, their types and its length are checked.
pub(crate) fn answer(
    batch: &RecordBatch,
    rows: usize,
    output: Output,
) -> Result<Answer, CallError> {
    let schema = batch.schema_ref();
    let columns = schema.fields().iter().zip(batch.columns());
    let has = |name: &str| schema.index_of(name).is_ok();
    let is_single = output == Output::Single;
    let expected = output_schema([is_single, !is_single || has("score"), has("confidence")]);
    let as_expected = |(found, expected): (&Arc<Field>, &Arc<Field>)| {
        found.name() == expected.name() && found.data_type() == expected.data_type()
    };
    let fields = schema.fields();
    if fields.len() != expected.fields().len()
        || !fields.iter().zip(expected.fields()).all(as_expected)
    {
        let what = format!("its columns are not {}", assignment::words(output));
        return Err(CallError::output(what));
    }
    if batch.num_rows() != rows {
        let found = batch.num_rows();
        return Err(CallError::output(format!(
            "it has {found} rows, the input has {rows}"
        )));
    }
    let mut answer = Answer {
        segment: Vec::new(),
        score: None,
        confidence: None,
    };
    for (field, column) in columns {
        match field.name().as_str() {
            "segment" if column.null_count() > 0 => {
                return Err(CallError::output("segment is null in a row"));
            },
            "segment" => answer.segment = column.as_primitive::<UInt16Type>().values().to_vec(),
            "score" => answer.score = Some(numbers(column)),
            _ => answer.confidence = Some(numbers(column)),
        }
    }
    Ok(answer)
}

fn numbers(column: &ArrayRef) -> Vec<f32> {
    let column = column.as_primitive::<Float32Type>();
    column.iter().map(|cell| cell.unwrap_or(f32::NAN)).collect()
}

/// Reasons as they are sent.
pub(crate) fn explanations(reasons: Vec<Vec<Reason>>) -> pb::Explanations {
    let ground = |reason: Reason| pb::Ground {
        feature: reason.feature_index.into(),
        contribution: reason.contribution,
        text: reason.text.unwrap_or_default(),
    };
    let rows = reasons.into_iter().map(|of_row| pb::Explanation {
        grounds: of_row.into_iter().map(ground).collect(),
    });
    pb::Explanations {
        rows: rows.collect(),
    }
}

/// Reasons that somebody sent. A feature that no column can have stays one: whoever checks them refuses it.
pub(crate) fn reasons(explanations: pb::Explanations) -> Vec<Vec<Reason>> {
    let reason = |ground: pb::Ground| Reason {
        feature_index: u16::try_from(ground.feature).unwrap_or(SEG_ABSTAIN),
        contribution: ground.contribution,
        text: Some(ground.text).filter(|text| !text.is_empty()),
    };
    let rows = explanations.rows.into_iter();
    rows.map(|row| row.grounds.into_iter().map(reason).collect())
        .collect()
}

/// What an instance is made of: its configuration, its state and the columns of its input. It names the instance, so that who makes it again
/// after a restart gets it under its old name.
pub(crate) fn made_of(request: &pb::PrepareRequest) -> [u8; 32] {
    Sha256::new_with_prefix(request.config_json.len().to_le_bytes())
        .chain_update(&request.config_json)
        .chain_update(request.state_digest.len().to_le_bytes())
        .chain_update(&request.state_digest)
        .chain_update(&request.input_schema)
        .finalize()
        .into()
}

/// What went wrong, as it is sent.
pub(crate) fn failure(error: &CallError) -> pb::Failure {
    let (code, field) = match error {
        CallError::Plugin(failure) => return plugin_failure(failure),
        CallError::Config(faults) => {
            let first = faults.first().map(|fault| fault.pointer.clone());
            (pb::FailureCode::InvalidConfig, first.unwrap_or_default())
        },
        // An instance that panicked is made again like one that is forgotten.
        CallError::Poisoned => (pb::FailureCode::InstanceUnknown, String::new()),
        CallError::StateUnknown => (pb::FailureCode::StateUnknown, String::new()),
        CallError::Output { .. } => (pb::FailureCode::Output, String::new()),
        CallError::ExplainUnsupported | CallError::FitUnsupported => {
            (pb::FailureCode::Unsupported, String::new())
        },
        _ => (pb::FailureCode::InvalidInput, String::new()),
    };
    let message = match error {
        CallError::Output { what } => what.clone(),
        _ => error.to_string(),
    };
    pb::Failure {
        code: code.into(),
        message,
        field,
        row: None,
        retryable: false,
    }
}

fn plugin_failure(failure: &PluginFailure) -> pb::Failure {
    pb::Failure {
        code: code_to_wire(failure.code).into(),
        message: failure.message.clone(),
        field: failure.field.clone(),
        row: failure.row.and_then(|row| u32::try_from(row).ok()),
        retryable: failure.retryable,
    }
}

/// A text from another process, as far as people read it: nobody else says how long it is, or what is in it.
pub(crate) fn told(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_TEXT_BYTES);
    plain(text.split_at(end).0)
}

/// A text without what would begin another line of a log, or mean something to a terminal.
pub(crate) fn plain(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// What somebody says went wrong.
pub(crate) fn call_error(mut failure: pb::Failure) -> CallError {
    failure.message = told(&failure.message);
    failure.field = told(&failure.field);
    match failure.code() {
        pb::FailureCode::Output => CallError::Output {
            what: failure.message,
        },
        pb::FailureCode::InstanceUnknown => CallError::Poisoned,
        pb::FailureCode::StateUnknown => CallError::StateUnknown,
        code => CallError::Plugin(PluginFailure {
            code: code_from_wire(code),
            field: failure.field,
            row: failure.row.and_then(|row| usize::try_from(row).ok()),
            message: failure.message,
            retryable: failure.retryable,
        }),
    }
}

const fn code_to_wire(code: FailureCode) -> pb::FailureCode {
    match code {
        FailureCode::InvalidConfig => pb::FailureCode::InvalidConfig,
        FailureCode::InvalidInput => pb::FailureCode::InvalidInput,
        FailureCode::NotFitted => pb::FailureCode::NotFitted,
        FailureCode::Cancelled => pb::FailureCode::Cancelled,
        FailureCode::Deadline => pb::FailureCode::Deadline,
        FailureCode::Resource => pb::FailureCode::Resource,
        FailureCode::Unsupported => pb::FailureCode::Unsupported,
        FailureCode::State => pb::FailureCode::State,
        FailureCode::Panic => pb::FailureCode::Panic,
        FailureCode::Internal => pb::FailureCode::Internal,
    }
}

const fn code_from_wire(code: pb::FailureCode) -> FailureCode {
    match code {
        pb::FailureCode::InvalidConfig => FailureCode::InvalidConfig,
        pb::FailureCode::InvalidInput => FailureCode::InvalidInput,
        pb::FailureCode::NotFitted => FailureCode::NotFitted,
        pb::FailureCode::Cancelled => FailureCode::Cancelled,
        pb::FailureCode::Deadline => FailureCode::Deadline,
        pb::FailureCode::Resource => FailureCode::Resource,
        pb::FailureCode::Unsupported => FailureCode::Unsupported,
        pb::FailureCode::State => FailureCode::State,
        pb::FailureCode::Panic => FailureCode::Panic,
        pb::FailureCode::Unspecified
        | pb::FailureCode::Internal
        | pb::FailureCode::InstanceUnknown
        | pb::FailureCode::StateUnknown
        | pb::FailureCode::Output => FailureCode::Internal,
    }
}

/// How long the caller of a request waits; gRPC's own notation, at most eight digits and a unit.
pub(crate) fn timeout(metadata: &tonic::metadata::MetadataMap) -> Option<Duration> {
    let text = metadata.get(TIMEOUT_HEADER)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number.checked_mul(3_600)?)),
        "M" => Some(Duration::from_secs(number.checked_mul(60)?)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}
