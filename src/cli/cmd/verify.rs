//! `swarmhold verify`: holds a container against its manifest.

use serde_json::json;

use super::create::described;
use crate::cli::args::Verify;
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::cli::progress::{self, Work};
use crate::node::{SignatureState, compare, read_manifest_file};

pub(in crate::cli) fn run(verify: &Verify, out: &Output) -> anyhow::Result<()> {
    let manifest = read_manifest_file(&verify.manifest)?;
    let size = manifest.layout().size();
    let comparison = progress::working(out, Work::Hashing, size, |show| {
        compare(&manifest, &verify.container, show)
    })?;
    if !comparison.damaged.is_empty() {
        let total = manifest.layout().chunk_count();
        let damaged = comparison.damaged;
        return Err(CliError::Damaged { damaged, total }.into());
    }
    if !comparison.is_match() {
        let (expected, found) = (comparison.expected, comparison.found);
        return Err(CliError::WrongWhole { expected, found }.into());
    }
    let signed = matches!(manifest.signature(), SignatureState::Signed { .. });
    let owner = manifest.address();
    out.note(&match signed {
        true => format!("signed by {owner}"),
        false => format!("unsigned; it names {owner} as its owner"),
    });
    let text = format!("ok: {} is {}", manifest.program_id(), described(&manifest));
    Ok(out.result(text, || {
        json!({
            "ok": true,
            "program_id": manifest.program_id().to_string(),
            "manifest_id": manifest.id().to_string(),
            "size": size,
            "chunks": manifest.layout().chunk_count(),
            "owner": owner.to_string(),
            "signed": signed,
        })
    })?)
}
