//! An object of Stripe's API, read by paths such as `recurring.interval`.

use prost_types::Timestamp;
use serde_json::Value as Json;

use sextant_domain::time::Instant;
use sextant_proto::common::v1::{ErrorReason, Money};
use sextant_wire::status::Problem;
use sextant_wire::time::timestamp;

/// Where Stripe's amounts have other decimals than ISO 4217 gives the currency, and what its amounts are multiplied and divided by: ISK
/// and UGX are sent with two decimals that are always 0, MGA is sent without its two.
const ODD_DECIMALS: [(&str, i64, i64); 3] = [("ISK", 1, 100), ("UGX", 1, 100), ("MGA", 100, 1)];

/// An object within an event, and where it lies there.
#[derive(Debug, Clone)]
pub(super) struct Object<'j> {
    json: &'j Json,
    path: String,
}

impl<'j> Object<'j> {
    pub(super) fn new(json: &'j Json, path: impl Into<String>) -> Self {
        Self {
            json,
            path: path.into(),
        }
    }

    /// What lies at a path; `None` where it is null or missing.
    pub(super) fn get(&self, path: &str) -> Option<&'j Json> {
        let mut json = self.json;
        for name in path.split('.') {
            json = json.get(name)?;
        }
        (!json.is_null()).then_some(json)
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.get(path).is_some()
    }

    /// A text; empty where there is none.
    pub(super) fn text(&self, path: &str) -> Result<&'j str, Problem> {
        self.read(path, "a text", Json::as_str)
            .map(Option::unwrap_or_default)
    }

    /// The id of something, which may be written out whole; empty where there is none.
    pub(super) fn id(&self, path: &str) -> Result<&'j str, Problem> {
        let of = |json: &'j Json| json.as_str().or_else(|| json.get("id")?.as_str());
        self.read(path, "an id", of).map(Option::unwrap_or_default)
    }

    /// The id at the first of several paths that has one; empty where none has.
    pub(super) fn first_id<const N: usize>(&self, paths: [&str; N]) -> Result<&'j str, Problem> {
        for path in paths {
            let id = self.id(path)?;
            if !id.is_empty() {
                return Ok(id);
            }
        }
        Ok("")
    }

    pub(super) fn flag(&self, path: &str) -> Result<bool, Problem> {
        self.read(path, "true or false", Json::as_bool)
            .map(Option::unwrap_or_default)
    }

    pub(super) fn integer(&self, path: &str) -> Result<Option<i64>, Problem> {
        self.read(path, "a whole number", Json::as_i64)
    }

    /// A number of things; `None` where it is not said.
    pub(super) fn count(&self, path: &str) -> Result<Option<u64>, Problem> {
        self.read(path, "a whole number that is not negative", Json::as_u64)
    }

    /// The same of fewer.
    pub(super) fn small_count(&self, path: &str) -> Result<Option<u32>, Problem> {
        let of = |json: &Json| json.as_u64()?.try_into().ok();
        self.read(path, "a whole number below 4294967296", of)
    }

    pub(super) fn number(&self, path: &str) -> Result<Option<f64>, Problem> {
        self.read(path, "a number", Json::as_f64)
    }

    /// A moment, which Stripe writes as seconds since 1970.
    pub(super) fn moment(&self, path: &str) -> Result<Option<Timestamp>, Problem> {
        let of = |json: &Json| json.as_i64()?.checked_mul(1_000_000);
        let micros = self.read(path, "a number of seconds since 1970", of)?;
        Ok(micros.map(|micros| timestamp(Instant(micros))))
    }

    /// The elements of a list, or of the `data` of what Stripe calls one; none where it is missing.
    pub(super) fn list(&self, path: &str) -> Result<Vec<Object<'j>>, Problem> {
        let of = |json: &'j Json| json.as_array().or_else(|| json.get("data")?.as_array());
        let elements = self
            .read(path, "a list", of)?
            .map_or(&[][..], Vec::as_slice);
        let place = self.place(path);
        let objects = elements
            .iter()
            .enumerate()
            .map(|(at, json)| Object::new(json, format!("{place}[{at}]")));
        Ok(objects.collect())
    }

    /// An object within this one.
    pub(super) fn object(&self, path: &str) -> Option<Object<'j>> {
        let json = self.get(path).filter(|json| json.is_object())?;
        Some(Object::new(json, self.place(path)))
    }

    /// Currency of the object, in capitals as ISO 4217 has it.
    pub(super) fn currency(&self) -> Result<String, Problem> {
        Ok(self.text("currency")?.to_ascii_uppercase())
    }

    /// An amount in ISO 4217's minor units, of a currency that may have other decimals at Stripe; 0 where it is not said.
    pub(super) fn minor(&self, path: &str, currency: &str) -> Result<i64, Problem> {
        let amount = self.integer(path)?.unwrap_or(0);
        scaled(amount, currency).ok_or_else(|| self.invalid(path, "is beyond all amounts"))
    }

    /// An amount in the object's currency.
    pub(super) fn money(&self, path: &str) -> Result<Money, Problem> {
        let currency = self.currency()?;
        let minor = self.minor(path, &currency)?;
        Ok(Money { minor, currency })
    }

    /// What is wrong with something in it.
    pub(super) fn invalid(&self, path: &str, message: impl Into<String>) -> Problem {
        Problem::field(ErrorReason::FieldInvalid, self.place(path), message)
    }

    pub(super) fn place(&self, path: &str) -> String {
        if self.path.is_empty() {
            path.to_owned()
        } else {
            format!("{}.{path}", self.path)
        }
    }

    fn read<T>(
        &self,
        path: &str,
        what: &str,
        of: impl FnOnce(&'j Json) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(json) = self.get(path) else {
            return Ok(None);
        };
        let read = of(json).ok_or_else(|| self.invalid(path, format!("must be {what}")))?;
        Ok(Some(read))
    }
}

/// An amount of Stripe's in the minor units of ISO 4217; `None` beyond all amounts.
pub(super) fn scaled(amount: i64, currency: &str) -> Option<i64> {
    let odd = ODD_DECIMALS.iter().find(|(code, _, _)| *code == currency);
    match odd {
        Some((_, times, by)) => Some(amount.checked_mul(*times)? / by),
        None => Some(amount),
    }
}
