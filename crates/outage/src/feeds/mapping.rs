//! How a source's names become the product's own.
//!
//! ```toml
//! provider = "google-cloud"
//! service = "cloud"            # may be left out
//! unmapped = "keep"            # or "drop"; kept names are written in lower case with hyphens
//!
//! [components]
//! "Google Compute Engine" = "compute"
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;

/// What becomes of a component that the mapping does not name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Unmapped {
    /// It keeps its name, in lower case with hyphens.
    #[default]
    Keep,
    /// It is left out.
    Drop,
}

/// How a source's names become the product's own. The default keeps all names.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The provider; none for the format's own.
    pub provider: Option<String>,
    /// The service that all components belong to; none for all services.
    pub service: Option<String>,
    #[serde(default)]
    unmapped: Unmapped,
    #[serde(default)]
    components: BTreeMap<String, String>,
}

/// Why a mapping file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the mapping cannot be used: {0}")]
pub struct MappingError(#[from] toml::de::Error);

impl Mapping {
    /// Reads a mapping file's text.
    ///
    /// # Errors
    /// With line and column, for malformed TOML and for unknown keys.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        Ok(toml::from_str(text)?)
    }

    /// Gives the product's names for the source's: sorted, each once.
    #[must_use]
    pub fn components<'a>(&self, named: impl Iterator<Item = &'a str>) -> Vec<String> {
        let mut components: Vec<String> = named.filter_map(|name| self.component(name)).collect();
        components.sort();
        components.dedup();
        components
    }

    pub(super) fn provider_or(&self, own: &str) -> String {
        self.provider.clone().unwrap_or_else(|| own.to_owned())
    }

    fn component(&self, name: &str) -> Option<String> {
        match (self.components.get(name), self.unmapped) {
            (Some(mapped), _) => Some(mapped.clone()),
            (None, Unmapped::Keep) => Some(hyphenated(name)).filter(|text| !text.is_empty()),
            (None, Unmapped::Drop) => None,
        }
    }
}

/// Writes letters and digits in lower case and one hyphen for whatever stands between.
fn hyphenated(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_alphanumeric());
    let words = words.filter(|word| !word.is_empty()).map(str::to_lowercase);
    words.collect::<Vec<_>>().join("-")
}
