//! `swarmhold config`: the settings of a home.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::cli::args::library::{Config, ConfigAction};
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::cli::units::{self, Size};
use crate::node::{QUOTA, Settings};

/// Every setting.
const NAMES: &[&str] = &[QUOTA];
/// What stands for a setting that is not set.
const NONE: &str = "none";

pub(super) fn run(home: &Path, config: &Config, out: &Output) -> anyhow::Result<()> {
    let settings = Settings::open(home);
    match &config.action {
        ConfigAction::List => list(&settings, out),
        ConfigAction::Get { name } => {
            let value = value_of(&settings, known(name)?)?;
            Ok(out.result(text(value), || json!({ name: value }))?)
        }
        ConfigAction::Set { name, value } => set(&settings, known(name)?, value, out),
    }
}

fn list(settings: &Settings, out: &Output) -> anyhow::Result<()> {
    let (mut lines, mut object) = (Vec::new(), Map::new());
    for name in NAMES {
        let value = value_of(settings, name)?;
        lines.push(format!("{name} {}", text(value)));
        object.insert((*name).to_owned(), json!(value));
    }
    Ok(out.result(lines.join("\n"), || Value::Object(object))?)
}

fn set(settings: &Settings, name: &str, value: &str, out: &Output) -> anyhow::Result<()> {
    let bytes = match value {
        NONE => None,
        value => match units::size(value) {
            Ok(Size(0)) => None,
            Ok(Size(bytes)) => Some(bytes),
            Err(error) => {
                let (value, why) = (value.to_owned(), error.to_string());
                return Err(CliError::Setting { value, why }.into());
            }
        },
    };
    settings.set(name, bytes.map(|bytes| bytes.to_string()).as_deref())?;
    Ok(out.result(format!("{name} {}", text(bytes)), || json!({ name: bytes }))?)
}

fn known(name: &str) -> Result<&str, CliError> {
    match NAMES.contains(&name) {
        true => Ok(name),
        false => Err(CliError::NoSetting(name.to_owned())),
    }
}

/// All settings are numbers of bytes today.
fn value_of(settings: &Settings, name: &str) -> anyhow::Result<Option<u64>> {
    Ok(settings.value(name)?.and_then(|value| value.parse().ok()))
}

fn text(value: Option<u64>) -> String {
    value.map_or_else(|| NONE.to_owned(), units::bytes)
}
