//! Messages of Segment's tracking API, as its SDKs and those of RudderStack send them, as records.
//!
//! | message | becomes |
//! |---|---|
//! | identify | the state of a user; with `traits.company.id` also of that account, and the user's place in it |
//! | group | the state of an account, and the user's place in it |
//! | track | an event; `Account Created` also the account, `Account Added User` and `Account Removed User` also the user's place in it |
//! | page, screen | an event of that type |
//! | alias | the other id of a user |
//!
//! The record's id is the message's; what else it says has ids that begin with it.

use serde_json::{Map, Value as Json};

use sextant_domain::time::Instant;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_wire::status::Problem;
use sextant_wire::time::timestamp;

use crate::admission::Arrived;
use crate::doors::json::{self, Values};
use crate::doors::product;

/// What a message is about that is not named by its own type: the path it came to.
pub(crate) const KINDS: [&str; 6] = ["identify", "group", "track", "page", "screen", "alias"];

/// What all messages of one request have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivery<'d> {
    /// The source of the records.
    pub(crate) source: &'d str,
    /// The kind of messages that name none.
    pub(crate) kind: Option<&'d str>,
    /// When the client sent them, by its own clock, where a message does not say so.
    pub(crate) sent_at: Option<&'d Json>,
    /// What messages without a context of their own have.
    pub(crate) context: Option<&'d Json>,
}

/// The records of a message; of one that cannot be understood the one that is refused.
pub(crate) fn records(message: &Json, of: Delivery<'_>) -> Vec<Arrived> {
    match read(message, of) {
        Ok(records) => records.into_iter().map(Arrived::of).collect(),
        Err(problem) => {
            let record = pb::Record {
                source: of.source.to_owned(),
                id: id_of(message),
                original: message.to_string().into(),
                ..pb::Record::default()
            };
            vec![Arrived::refused(record, problem)]
        },
    }
}

/// The id of a message, as far as it has one.
fn id_of(message: &Json) -> String {
    let id = message.get("messageId").and_then(Json::as_str);
    id.unwrap_or_default().to_owned()
}

fn read(message: &Json, of: Delivery<'_>) -> Result<Vec<pb::Record>, Problem> {
    let Json::Object(fields) = message else {
        return Err(invalid("", "is no object; each message is one"));
    };
    let message = Message { fields, of };
    let records = match message.kind()? {
        "identify" => message.identify()?,
        "group" => message.group()?,
        "track" => message.track()?,
        "page" => vec![message.visit("page")?],
        "screen" => vec![message.visit("screen")?],
        "alias" => vec![message.alias()?],
        other => {
            let known = KINDS.join(", ");
            return Err(invalid("type", &format!("{other:?} is none of {known}")));
        },
    };
    Ok(records)
}

fn invalid(field: &str, message: &str) -> Problem {
    Problem::field(ErrorReason::FieldInvalid, field, message)
}

fn missing(field: &str, message: &str) -> Problem {
    Problem::field(ErrorReason::FieldMissing, field, message)
}

/// A message that is an object.
struct Message<'m> {
    fields: &'m Map<String, Json>,
    of: Delivery<'m>,
}

impl<'m> Message<'m> {
    fn kind(&self) -> Result<&'m str, Problem> {
        let named = self.fields.get("type").and_then(Json::as_str);
        named
            .or(self.of.kind)
            .ok_or_else(|| missing("type", "must be set, such as \"track\""))
    }

    /// A record of this message; `part` tells several apart.
    fn record(&self, part: &str, fact: Fact) -> Result<pb::Record, Problem> {
        let id = self
            .id("messageId")?
            .ok_or_else(|| missing("messageId", "must be set: a retry is known by it"))?;
        let own = ["timestamp", "originalTimestamp"];
        let time = own.iter().find_map(|name| Some((name, self.set(name)?)));
        let (name, time) = time.ok_or_else(|| {
            let message = "must be set: with messageId it says which message this is, and when it was meant to happen";
            missing("timestamp", message)
        })?;
        let sent_at = self.set("sentAt").or(self.of.sent_at);
        Ok(pb::Record {
            source: self.of.source.to_owned(),
            id: format!("{id}{part}"),
            time: Some(timestamp(moment(time, name)?)),
            sent_at: sent_at
                .map(|at| moment(at, "sentAt").map(timestamp))
                .transpose()?,
            fact: Some(fact),
            ..pb::Record::default()
        })
    }

    fn set(&self, name: &str) -> Option<&'m Json> {
        self.fields.get(name).filter(|json| !json.is_null())
    }

    /// An id, which some clients send as a number; `None` where there is none.
    fn id(&self, name: &str) -> Result<Option<String>, Problem> {
        id(self.fields, name, name)
    }

    fn object(&self, name: &str) -> Result<Option<&'m Map<String, Json>>, Problem> {
        match self.set(name) {
            None => Ok(None),
            Some(Json::Object(object)) => Ok(Some(object)),
            Some(_) => Err(invalid(name, "must be an object")),
        }
    }

    fn values(&self, name: &str) -> Result<Values, Problem> {
        Ok(self.object(name)?.map(json::values).unwrap_or_default())
    }

    fn context(&self) -> Option<&'m Map<String, Json>> {
        self.set("context").or(self.of.context)?.as_object()
    }

    /// The account that the context names.
    fn group_id(&self) -> Result<Option<String>, Problem> {
        match self.context() {
            Some(context) => id(context, "groupId", "context.groupId"),
            None => Ok(None),
        }
    }

    /// The user, or who was seen before there was one.
    fn somebody(&self) -> Result<String, Problem> {
        let user = self.id("userId")?;
        let somebody = match user {
            Some(user) => Some(user),
            None => self.id("anonymousId")?,
        };
        somebody.ok_or_else(|| missing("userId", "or anonymousId must be set"))
    }

    fn identify(&self) -> Result<Vec<pb::Record>, Problem> {
        let user_id = self.somebody()?;
        let Values { set, cleared } = self.values("traits")?;
        let anonymous = self.id("anonymousId")?.filter(|id| *id != user_id);
        let user = pb::UserFact {
            user_id: user_id.clone(),
            traits: set,
            cleared_traits: cleared,
            anonymous_ids: anonymous.into_iter().collect(),
            ..pb::UserFact::default()
        };
        let mut records = vec![self.record("", Fact::User(user))?];
        let traits = self.object("traits")?;
        let company = traits.and_then(|traits| traits.get("company")?.as_object());
        if let Some(company) = company
            && let Some(account_id) = id(company, "id", "traits.company.id")?
        {
            let mut company = company.clone();
            company.shift_remove("id");
            let account = account(account_id.clone(), &company);
            records.push(self.record("/account", Fact::Account(account))?);
            records.push(self.member(account_id, user_id, false)?);
        } else if let Some(account_id) = self.group_id()? {
            records.push(self.member(account_id, user_id, false)?);
        }
        Ok(records)
    }

    fn group(&self) -> Result<Vec<pb::Record>, Problem> {
        let account_id = self
            .id("groupId")?
            .ok_or_else(|| missing("groupId", "must be set: it names the account"))?;
        let empty = Map::new();
        let traits = self.object("traits")?.unwrap_or(&empty);
        let account = account(account_id.clone(), traits);
        let mut records = vec![self.record("", Fact::Account(account))?];
        if let Ok(user_id) = self.somebody() {
            records.push(self.member(account_id, user_id, false)?);
        }
        Ok(records)
    }

    fn member(
        &self,
        account_id: String,
        user_id: String,
        left: bool,
    ) -> Result<pb::Record, Problem> {
        let fact = pb::AccountUserFact {
            account_id,
            user_id,
            left,
            ..pb::AccountUserFact::default()
        };
        self.record("/member", Fact::AccountUser(fact))
    }

    fn track(&self) -> Result<Vec<pb::Record>, Problem> {
        let name = self
            .id("event")?
            .ok_or_else(|| missing("event", "must be set: it says what happened"))?;
        let properties = self.object("properties")?;
        let event = self.event(&name, properties)?;
        let account_id = event.account_id.clone();
        let mut records = vec![self.record("", Fact::Event(event))?];
        if account_id.is_empty() {
            return Ok(records);
        }
        match name.as_str() {
            "Account Created" => {
                let named = properties.and_then(|all| all.get("account_name")?.as_str());
                let account = pb::AccountFact {
                    account_id,
                    name: named.unwrap_or_default().to_owned(),
                    ..pb::AccountFact::default()
                };
                records.push(self.record("/account", Fact::Account(account))?);
            },
            "Account Added User" => {
                records.push(self.member(account_id, self.somebody()?, false)?)
            },
            "Account Removed User" => {
                records.push(self.member(account_id, self.somebody()?, true)?);
            },
            _ => {},
        }
        Ok(records)
    }

    fn visit(&self, kind: &str) -> Result<pb::Record, Problem> {
        let mut properties = self.object("properties")?.cloned().unwrap_or_default();
        for name in ["name", "category"] {
            if let Some(json) = self.set(name) {
                properties.insert(name.to_owned(), json.clone());
            }
        }
        let event = self.event(kind, Some(&properties))?;
        self.record("", Fact::Event(event))
    }

    fn event(
        &self,
        kind: &str,
        properties: Option<&Map<String, Json>>,
    ) -> Result<pb::EventFact, Problem> {
        let mut event = pb::EventFact {
            account_id: self.group_id()?.unwrap_or_default(),
            user_id: self.id("userId")?.unwrap_or_default(),
            anonymous_id: self.id("anonymousId")?.unwrap_or_default(),
            r#type: kind.to_owned(),
            ..pb::EventFact::default()
        };
        if let Some(context) = self.context()
            && let Some(session) = id(context, "sessionId", "context.sessionId")?
        {
            event.session_id = session;
        }
        let Some(properties) = properties else {
            return Ok(event);
        };
        let mut properties = properties.clone();
        product::use_of(&mut event, &mut properties);
        event.data = json::values(&properties).set;
        Ok(event)
    }

    fn alias(&self) -> Result<pb::Record, Problem> {
        let user_id = self
            .id("userId")?
            .ok_or_else(|| missing("userId", "must be set: it is who the other id belongs to"))?;
        let previous = self.id("previousId")?.ok_or_else(|| {
            missing(
                "previousId",
                "must be set: it is the id that userId replaces",
            )
        })?;
        let user = pb::UserFact {
            user_id,
            anonymous_ids: vec![previous],
            ..pb::UserFact::default()
        };
        self.record("", Fact::User(user))
    }
}

/// The state of an account by the traits of a group.
fn account(account_id: String, traits: &Map<String, Json>) -> pb::AccountFact {
    let mut traits = traits.clone();
    let mut fact = pb::AccountFact {
        account_id,
        ..pb::AccountFact::default()
    };
    if let Some(Json::String(name)) = traits.get("name") {
        fact.name = name.clone();
        traits.shift_remove("name");
    }
    if let Some(Ok(at)) = traits.get("createdAt").map(|at| moment(at, "createdAt")) {
        fact.created_at = Some(timestamp(at));
        traits.shift_remove("createdAt");
    }
    // What is known under another name here.
    if !traits.contains_key("employee_count")
        && let Some(json) = traits.shift_remove("employees")
    {
        traits.insert("employee_count".to_owned(), json);
    }
    let country = traits
        .get("address")
        .and_then(|address| address.get("country"));
    if let (Some(country), false) = (country.cloned(), traits.contains_key("country")) {
        traits.insert("country".to_owned(), country);
    }
    let Values { set, cleared } = json::values(&traits);
    (fact.traits, fact.cleared_traits) = (set, cleared);
    fact
}

/// An id, which some clients send as a number.
fn id(of: &Map<String, Json>, name: &str, path: &str) -> Result<Option<String>, Problem> {
    match of.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) if text.is_empty() => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.clone())),
        Some(Json::Number(number)) => Ok(Some(number.to_string())),
        Some(Json::Bool(_) | Json::Array(_) | Json::Object(_)) => {
            Err(invalid(path, "must be a text"))
        },
    }
}

fn moment(json: &Json, path: &str) -> Result<Instant, Problem> {
    let text = json.as_str();
    let text =
        text.ok_or_else(|| invalid(path, "must be a text such as \"2026-01-31T09:30:00Z\""))?;
    json::moment(text, path)
}

#[cfg(test)]
mod tests;
