//! The configuration of one segmentation, as typed values.

use std::error::Error;
use std::fmt;

use crate::json::Json;

/// The configuration object: canonical JSON, already valid under the descriptor's `config_schema`.
#[derive(Debug)]
pub struct Config {
    values: Vec<(String, Json)>,
}

/// A value of the configuration that the model cannot work with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// JSON pointer of the value, for example `/onboarding_days`; empty for the whole document.
    pub pointer: String,
    /// What is wrong with it and what would fit.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "config \"{}\": {}", self.pointer, self.message)
    }
}

impl Error for ConfigError {}

impl ConfigError {
    /// An error about the top-level value `key`.
    pub fn at(key: &str, message: impl Into<String>) -> Self {
        Self {
            pointer: format!("/{key}"),
            message: message.into(),
        }
    }
}

impl Config {
    pub(crate) fn parse(text: &str) -> Result<Self, ConfigError> {
        match Json::parse(text) {
            Ok(Json::Object(values)) => Ok(Self { values }),
            Ok(_) => Err(ConfigError {
                pointer: String::new(),
                message: "must be a JSON object".to_owned(),
            }),
            Err(error) => Err(ConfigError {
                pointer: String::new(),
                message: error.to_string(),
            }),
        }
    }

    fn get(&self, key: &str) -> Result<&Json, ConfigError> {
        let found = self
            .values
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value);
        found.ok_or_else(|| {
            ConfigError::at(
                key,
                "is missing; give it a value or a default in config_schema",
            )
        })
    }

    /// An integer.
    ///
    /// # Errors
    ///
    /// The key is missing or holds something else.
    pub fn i64(&self, key: &str) -> Result<i64, ConfigError> {
        self.get(key)?
            .as_i64()
            .ok_or_else(|| ConfigError::at(key, "must be an integer"))
    }

    /// A number.
    ///
    /// # Errors
    ///
    /// The key is missing or holds something else.
    pub fn f64(&self, key: &str) -> Result<f64, ConfigError> {
        self.get(key)?
            .as_f64()
            .ok_or_else(|| ConfigError::at(key, "must be a number"))
    }

    /// A boolean.
    ///
    /// # Errors
    ///
    /// The key is missing or holds something else.
    pub fn bool(&self, key: &str) -> Result<bool, ConfigError> {
        match self.get(key)? {
            Json::Bool(value) => Ok(*value),
            _ => Err(ConfigError::at(key, "must be true or false")),
        }
    }

    /// A string.
    ///
    /// # Errors
    ///
    /// The key is missing or holds something else.
    pub fn text(&self, key: &str) -> Result<&str, ConfigError> {
        match self.get(key)? {
            Json::Text(value) => Ok(value),
            _ => Err(ConfigError::at(key, "must be a string")),
        }
    }

    /// A list of strings.
    ///
    /// # Errors
    ///
    /// The key is missing or holds something else.
    pub fn texts(&self, key: &str) -> Result<Vec<&str>, ConfigError> {
        let refused = || ConfigError::at(key, "must be an array of strings");
        match self.get(key)? {
            Json::Array(items) => {
                let texts = items.iter().map(|item| item.as_text().ok_or_else(refused));
                texts.collect()
            },
            _ => Err(refused()),
        }
    }

    /// A list of numbers.
    ///
    /// # Errors
    ///
    /// The key is missing or holds something else.
    pub fn numbers(&self, key: &str) -> Result<Vec<f64>, ConfigError> {
        let refused = || ConfigError::at(key, "must be an array of numbers");
        match self.get(key)? {
            Json::Array(items) => {
                let numbers = items.iter().map(|item| item.as_f64().ok_or_else(refused));
                numbers.collect()
            },
            _ => Err(refused()),
        }
    }

    /// One of several named choices.
    ///
    /// # Errors
    ///
    /// The key is missing or its value is none of the names, which the error lists.
    pub fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Result<T, ConfigError> {
        let text = self.text(key)?;
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text) {
            return Ok(*choice);
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        Err(ConfigError::at(
            key,
            format!("\"{text}\" is not one of: {}", names.join(", ")),
        ))
    }
}

#[cfg(test)]
mod tests;
