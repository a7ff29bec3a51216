//! JSON rows as an Arrow batch of the descriptor's types.

use sextant_segmenter_abi::ARROW_FLAG_NULLABLE;

use crate::export::{Array, Buffer, Schema};
use crate::json::Json;

/// An input column of the descriptor.
#[derive(Debug)]
pub(crate) struct Feature {
    pub(crate) name: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    F64,
    I64,
    Timestamp,
    Bool,
    Utf8,
    Dictionary,
    List,
}

/// The input columns of a descriptor: `requires`, then `optional`; then those that a configuration asked for.
pub(crate) fn features(descriptor: &Json, wanted: &Json) -> Result<Vec<Feature>, String> {
    let mut features = Vec::new();
    let of = |list: &str| descriptor.get(list).map_or(&[][..], Json::as_array);
    for (list, items) in [
        ("requires", of("requires")),
        ("optional", of("optional")),
        ("requirements", wanted.as_array()),
    ] {
        for item in items {
            let name = item
                .get("feature")
                .and_then(Json::as_text)
                .ok_or_else(|| format!("{list}: a feature has no name"))?;
            let declared = item.get("type").and_then(Json::as_text).unwrap_or_default();
            let kind = match declared.replace(' ', "").as_str() {
                "float64" => Kind::F64,
                "int64" => Kind::I64,
                "timestamp[us,UTC]" => Kind::Timestamp,
                "bool" => Kind::Bool,
                "utf8" => Kind::Utf8,
                "dictionary<int32,utf8>" => Kind::Dictionary,
                "list<float64>" => Kind::List,
                _ => {
                    return Err(format!(
                        "feature \"{name}\" has unknown type \"{declared}\""
                    ));
                },
            };
            features.push(Feature {
                name: name.to_owned(),
                kind,
            });
        }
    }
    Ok(features)
}

/// The schema of the batches of [`batch`].
pub(crate) fn schema(features: &[Feature]) -> Schema {
    let column = |feature: &Feature| {
        let format = match feature.kind {
            Kind::F64 => "g",
            Kind::I64 => "l",
            Kind::Timestamp => "tsu:UTC",
            Kind::Bool => "b",
            Kind::Utf8 => "u",
            Kind::Dictionary => "i",
            Kind::List => "+l",
        };
        let dictionary =
            matches!(feature.kind, Kind::Dictionary).then(|| Box::new(Schema::column("", "u")));
        let children = match feature.kind {
            Kind::List => vec![Schema::column("item", "g")],
            _ => Vec::new(),
        };
        Schema {
            flags: ARROW_FLAG_NULLABLE,
            children,
            dictionary,
            ..Schema::column(&feature.name, format)
        }
    };
    Schema::batch(features.iter().map(column).collect())
}

/// A batch of JSON rows.
pub(crate) fn batch(features: &[Feature], rows: &[Json]) -> Result<Array, String> {
    for (k, row) in rows.iter().enumerate() {
        if row.as_array().len() != features.len() {
            return Err(format!(
                "row {k} has {} values, the descriptor has {} columns",
                row.as_array().len(),
                features.len()
            ));
        }
    }
    let mut columns = Vec::new();
    for (k, feature) in features.iter().enumerate() {
        let values: Vec<&Json> = rows.iter().map(|row| &row.as_array()[k]).collect();
        let column = column(feature.kind, &values);
        columns.push(column.ok_or_else(|| {
            format!(
                "feature \"{}\": a value does not have its type",
                feature.name
            )
        })?);
    }
    Ok(Array::nested(rows.len(), vec![Buffer::Absent], columns))
}

fn column(kind: Kind, values: &[&Json]) -> Option<Array> {
    let nulls = values.iter().filter(|value| ***value == Json::Null).count();
    let validity = if nulls == 0 {
        Buffer::Absent
    } else {
        Buffer::Bytes(bits(values.iter().map(|value| **value != Json::Null)))
    };
    let (mut dictionary, mut children) = (None, Vec::new());
    let mut buffers = vec![validity];
    match kind {
        Kind::F64 => buffers.push(Buffer::F64(each(values, Json::as_f64)?)),
        Kind::I64 | Kind::Timestamp => buffers.push(Buffer::I64(each(values, Json::as_i64)?)),
        Kind::Bool => {
            let flags = each(values, |value| {
                if let Json::Bool(flag) = value {
                    Some(*flag)
                } else {
                    None
                }
            })?;
            buffers.push(Buffer::Bytes(bits(flags.into_iter())));
        },
        Kind::List => {
            let (mut ends, mut items) = (vec![0_i32], Vec::new());
            for value in values {
                if !matches!(value, Json::Null | Json::Array(_)) {
                    return None;
                }
                for item in value.as_array() {
                    items.push(item.as_f64()?);
                }
                ends.push(i32::try_from(items.len()).ok()?);
            }
            buffers.push(Buffer::I32(ends));
            let n_items = items.len();
            let parts = vec![Buffer::Absent, Buffer::F64(items)];
            children.push(Array::column(n_items, parts));
        },
        Kind::Utf8 => buffers.extend(strings(&each(values, Json::as_text)?)?),
        Kind::Dictionary => {
            let texts = each(values, Json::as_text)?;
            let mut entries: Vec<&str> = Vec::new();
            let mut keys = Vec::new();
            for text in texts {
                let key = entries
                    .iter()
                    .position(|entry| *entry == text)
                    .unwrap_or(entries.len());
                if key == entries.len() {
                    entries.push(text);
                }
                keys.push(i32::try_from(key).ok()?);
            }
            buffers.push(Buffer::I32(keys));
            let mut parts = vec![Buffer::Absent];
            parts.extend(strings(&entries)?);
            dictionary = Some(Box::new(Array::column(entries.len(), parts)));
        },
    }
    Some(Array {
        null_count: nulls,
        children,
        dictionary,
        ..Array::column(values.len(), buffers)
    })
}

/// Every value, a default in place of null; `None` if one has another type.
fn each<'a, T: Default>(
    values: &[&'a Json],
    read: impl Fn(&'a Json) -> Option<T>,
) -> Option<Vec<T>> {
    values
        .iter()
        .map(|value| {
            if **value == Json::Null {
                Some(T::default())
            } else {
                read(value)
            }
        })
        .collect()
}

fn strings(texts: &[&str]) -> Option<[Buffer; 2]> {
    let mut ends = vec![0_i32];
    let mut bytes = Vec::new();
    for text in texts {
        bytes.extend_from_slice(text.as_bytes());
        ends.push(i32::try_from(bytes.len()).ok()?);
    }
    Some([Buffer::I32(ends), Buffer::Bytes(bytes)])
}

fn bits(flags: impl Iterator<Item = bool>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (k, flag) in flags.enumerate() {
        if k % 8 == 0 {
            bytes.push(0);
        }
        if let Some(last) = bytes.last_mut() {
            *last |= u8::from(flag) << (k % 8);
        }
    }
    bytes
}
