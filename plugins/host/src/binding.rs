//! From the caller's batch to the plugin's: which column goes where, and which rows the plugin sees.

use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow_buffer::NullBuffer;
use arrow_data::ArrayData;
use arrow_data::ffi::FFI_ArrowArray;
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{DataType, Field, Fields, Schema};
use arrow_select::concat::concat;
use arrow_select::filter::FilterBuilder;

use crate::assignment::{Missing, OutputShape};
use crate::columns::{contents, filled, laid_out};
use crate::{CallError, Descriptor, Feature, OnMissing};

/// Where the plugin's columns come from, and what it answers.
#[derive(Debug)]
pub(crate) struct Binding {
    /// For every input column, its place in the caller's batch; `None` for an optional feature that is not there.
    sources: Vec<Option<usize>>,
    fields: Fields,
    pub(crate) output: OutputShape,
}

/// A batch as the plugin will see it.
#[derive(Debug)]
pub(crate) struct Prepared {
    columns: Vec<ArrayRef>,
    /// Rows of the plugin's batch.
    pub(crate) rows: usize,
    /// For every row of the plugin's batch, its row in the caller's batch; `None` if they are the same.
    pub(crate) origins: Option<Vec<usize>>,
    /// Rows that the plugin does not see, and the features they lack.
    pub(crate) missing: Vec<Missing>,
}

impl Prepared {
    /// The plugin's columns.
    pub(crate) fn columns(&self) -> &[ArrayRef] {
        &self.columns
    }
}

/// The plugin's columns as the ABI promises them.
#[derive(Debug)]
pub(crate) struct Shown {
    columns: Vec<ArrayData>,
    /// What was in them before they were shown, to somebody who is being judged.
    before: Option<Vec<Box<[u8]>>>,
}

impl Shown {
    /// Between two rows more, and looked at again, where the plugin is `observed`.
    pub(crate) fn new(prepared: &Prepared, observed: bool) -> Result<Self, CallError> {
        let columns = prepared.columns.iter().map(|column| {
            if !observed || prepared.rows == 0 {
                return Ok(laid_out(column.to_data()));
            }
            // Not all of them in a circle, of which whoever forgets the offset would see each once.
            let first = column.slice(0, 1);
            let between = concat(&[&*first, &**column, &*first])?;
            Ok(laid_out(between.to_data()).slice(1, prepared.rows))
        });
        let columns = columns.collect::<Result<Vec<_>, CallError>>()?;
        let before = observed.then(|| columns.iter().flat_map(contents).collect());
        Ok(Self { columns, before })
    }

    /// Fails where the plugin has written to them.
    pub(crate) fn is_unwritten(&self) -> Result<(), CallError> {
        let is_as = |before: &Vec<_>| {
            self.columns
                .iter()
                .flat_map(contents)
                .eq(before.iter().cloned())
        };
        if self.before.as_ref().is_none_or(is_as) {
            return Ok(());
        }
        Err(CallError::output("it wrote to its input"))
    }
}

impl Binding {
    /// Finds every feature of the descriptor among the caller's columns.
    pub(crate) fn plan(descriptor: &Descriptor, schema: &Schema) -> Result<Self, CallError> {
        let mut sources = Vec::new();
        let mut fields = Vec::new();
        for feature in &descriptor.features {
            let declared = feature.kind.data_type();
            let source = schema.index_of(&feature.name).ok();
            match source {
                None if feature.is_required => {
                    return Err(CallError::FeatureUnknown {
                        feature: feature.name.clone(),
                    });
                },
                Some(index) if schema.field(index).data_type() != &declared => {
                    return Err(CallError::FeatureType {
                        feature: feature.name.clone(),
                        declared: declared.to_string(),
                        found: schema.field(index).data_type().to_string(),
                    });
                },
                _ => sources.push(source),
            }
            fields.push(Field::new(
                &feature.name,
                declared,
                feature.on_missing == OnMissing::Null,
            ));
        }
        Ok(Self {
            sources,
            fields: fields.into(),
            output: OutputShape::default(),
        })
    }

    /// Names and types of the plugin's columns.
    pub(crate) const fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The input schema in C.
    pub(crate) fn schema(&self) -> Result<FFI_ArrowSchema, CallError> {
        Ok(FFI_ArrowSchema::try_from(DataType::Struct(
            self.fields.clone(),
        ))?)
    }

    /// Picks the columns and applies every `on_missing`.
    pub(crate) fn prepare(
        &self,
        descriptor: &Descriptor,
        batch: &RecordBatch,
    ) -> Result<Prepared, CallError> {
        let mut columns = Vec::with_capacity(self.sources.len());
        let mut missing = Vec::new();
        let mut complete: Option<NullBuffer> = None;
        for ((feature, source), position) in
            descriptor.features.iter().zip(&self.sources).zip(0_u16..)
        {
            let column = column(batch, feature, *source)?;
            let nulls = column
                .logical_nulls()
                .filter(|nulls| nulls.null_count() > 0);
            let Some(nulls) = nulls else {
                columns.push(column);
                continue;
            };
            match &feature.on_missing {
                OnMissing::Null => {},
                OnMissing::Default(value) => {
                    columns.push(filled(&column, value));
                    continue;
                },
                OnMissing::Fail => {
                    let row = nulls
                        .iter()
                        .position(|present| !present)
                        .unwrap_or_default();
                    return Err(CallError::ValueMissing {
                        feature: feature.name.clone(),
                        row,
                    });
                },
                OnMissing::SkipRow => {
                    let rows = nulls.iter().enumerate().filter(|(_, present)| !present);
                    missing.extend(rows.map(|(row, _)| Missing {
                        row,
                        feature: position,
                    }));
                    complete = NullBuffer::union(complete.as_ref(), Some(&nulls));
                },
            }
            columns.push(column);
        }
        let Some(complete) = complete else {
            return Ok(Prepared {
                columns,
                rows: batch.num_rows(),
                origins: None,
                missing,
            });
        };
        missing.sort_unstable();
        let origins: Vec<usize> = complete.valid_indices().collect();
        let mask = BooleanArray::new(complete.into_inner(), None);
        let filter = FilterBuilder::new(&mask).optimize().build();
        for column in &mut columns {
            *column = filter.filter(column)?;
        }
        Ok(Prepared {
            columns,
            rows: origins.len(),
            origins: Some(origins),
            missing,
        })
    }

    /// The plugin's batch in C. It owns what it points to until it is released.
    pub(crate) fn export(&self, shown: &Shown, rows: usize) -> Result<FFI_ArrowArray, CallError> {
        let columns = shown.columns.clone();
        let batch = ArrayData::builder(DataType::Struct(self.fields.clone()))
            .len(rows)
            .child_data(columns)
            .build()?;
        Ok(FFI_ArrowArray::new(&batch))
    }
}

/// The caller's column of a feature, checked against the descriptor; nulls for an optional feature that is not there.
fn column(
    batch: &RecordBatch,
    feature: &Feature,
    source: Option<usize>,
) -> Result<ArrayRef, CallError> {
    let declared = feature.kind.data_type();
    let Some(source) = source else {
        return Ok(new_null_array(&declared, batch.num_rows()));
    };
    let schema = batch.schema_ref();
    let same = schema
        .fields()
        .get(source)
        .is_some_and(|field| field.name() == &feature.name);
    match batch.columns().get(source) {
        Some(column) if same && column.data_type() == &declared => Ok(Arc::clone(column)),
        _ => Err(CallError::BatchChanged {
            feature: feature.name.clone(),
        }),
    }
}
