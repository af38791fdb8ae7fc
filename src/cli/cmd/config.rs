//! `swarmhold config`: the settings of a home.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::cli::args::library::{Config, ConfigAction};
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::cli::units::{self, Size};
use crate::node::{MASTERS, MasterHint, NO_RELAY, ON, QUOTA, Settings, VAULT};

/// Every setting, and what it can be.
const SETTINGS: &[(&str, Kind)] = &[
    (MASTERS, Kind::Masters),
    (NO_RELAY, Kind::Switch),
    (QUOTA, Kind::Bytes),
    (VAULT, Kind::Switch),
];
/// What stands for a setting that is not set.
const NONE: &str = "none";

/// What a setting can be.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A number of bytes.
    Bytes,
    /// On, or not set.
    Switch,
    /// SwarmMasters, with commas between them.
    Masters,
}

impl Kind {
    /// What is kept of what the user says; none takes the setting back.
    fn read(self, value: &str) -> Result<Option<String>, String> {
        match self {
            _ if value == NONE => Ok(None),
            Self::Bytes => match units::size(value) {
                Ok(Size(0)) => Ok(None),
                Ok(Size(bytes)) => Ok(Some(bytes.to_string())),
                Err(error) => Err(error.to_string()),
            },
            Self::Switch => match value {
                ON => Ok(Some(ON.to_owned())),
                "off" => Ok(None),
                _ => Err("expected on or off".to_owned()),
            },
            Self::Masters => {
                let all = value
                    .split(',')
                    .map(str::trim)
                    .map(str::parse::<MasterHint>);
                let all = all.collect::<Result<Vec<_>, _>>();
                let all = all.map_err(|error| error.to_string())?;
                let all: Vec<String> = all.iter().map(ToString::to_string).collect();
                Ok(Some(all.join(",")))
            }
        }
    }

    /// What is kept, as people read it.
    fn text(self, kept: Option<&str>) -> String {
        let Some(kept) = kept else {
            return NONE.to_owned();
        };
        match self {
            Self::Bytes => kept.parse().map_or_else(|_| NONE.to_owned(), units::bytes),
            Self::Switch | Self::Masters => kept.to_owned(),
        }
    }

    fn json(self, kept: Option<&str>) -> Value {
        match self {
            Self::Bytes => json!(kept.and_then(|kept| kept.parse::<u64>().ok())),
            Self::Switch => json!(kept == Some(ON)),
            Self::Masters => json!(kept.map(|kept| kept.split(',').collect::<Vec<_>>())),
        }
    }
}

pub(super) fn run(home: &Path, config: &Config, out: &Output) -> anyhow::Result<()> {
    let settings = Settings::open(home);
    match &config.action {
        ConfigAction::List => list(&settings, out),
        ConfigAction::Get { name } => {
            let (name, kind) = known(name)?;
            let value = settings.value(name)?;
            let value = value.as_deref();
            Ok(out.result(kind.text(value), || json!({ name: kind.json(value) }))?)
        }
        ConfigAction::Set { name, value } => set(&settings, known(name)?, value, out),
    }
}

fn list(settings: &Settings, out: &Output) -> anyhow::Result<()> {
    let (mut lines, mut object) = (Vec::new(), Map::new());
    for (name, kind) in SETTINGS {
        let value = settings.value(name)?;
        let value = value.as_deref();
        lines.push(format!("{name} {}", kind.text(value)));
        object.insert((*name).to_owned(), kind.json(value));
    }
    Ok(out.result(lines.join("\n"), || Value::Object(object))?)
}

fn set(
    settings: &Settings,
    (name, kind): (&str, Kind),
    value: &str,
    out: &Output,
) -> anyhow::Result<()> {
    let kept = kind.read(value).map_err(|why| {
        let value = value.to_owned();
        CliError::Setting { value, why }
    })?;
    let kept = kept.as_deref();
    settings.set(name, kept)?;
    let line = format!("{name} {}", kind.text(kept));
    Ok(out.result(line, || json!({ name: kind.json(kept) }))?)
}

fn known(name: &str) -> Result<(&str, Kind), CliError> {
    let found = SETTINGS.iter().find(|(known, _)| *known == name);
    let found = found.map(|(known, kind)| (*known, *kind));
    found.ok_or_else(|| CliError::NoSetting(name.to_owned()))
}
