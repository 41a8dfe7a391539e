//! The descriptions of settings, for their pages in the documentation.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::schema::{Constraints, Scalar};

/// One setting in the page.
#[derive(Debug)]
pub struct SettingDescription {
    /// Name of the setting in its section.
    pub name: &'static str,
    /// The default in backquotes, as TOML writes it. Otherwise words, such as `required`.
    pub default: String,
    /// The values that the setting may have.
    pub values: SettingValues,
    /// Meaning of the setting: its doc comment.
    pub meaning: &'static str,
}

/// The values that a setting may have.
#[derive(Debug)]
pub enum SettingValues {
    /// Values, in words.
    Text(String),
    /// A section with these settings.
    Section(Vec<SettingDescription>),
    /// A list of sections with these settings.
    Sections(Vec<SettingDescription>),
}

/// The type of a setting that is in a page. [`derive(Settings)`](macro@super::Settings) implements it for sections.
pub trait SettingType {
    /// Returns the values that the setting may have.
    fn values() -> SettingValues;

    /// Returns the value as TOML writes it; `None` for an absent value, an empty list and a section.
    fn toml_text(&self) -> Option<String> {
        None
    }
}

/// Returns the text for a default; `None` stands for a required setting.
pub fn default_text<T: SettingType>(default: Option<&T>) -> String {
    let Some(default) = default else { return "required".to_owned() };
    default.toml_text().map_or_else(|| "none".to_owned(), |text| format!("`{text}`"))
}

impl<T: Scalar> SettingType for T {
    fn values() -> SettingValues {
        let Constraints { code_table, description, min_length, max_length, .. } = T::CONSTRAINTS;
        let words = code_table.map(|table| table.words().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "));
        let text = words.unwrap_or_else(|| match (description, max_length) {
            ("", Some(max_length)) => format!("text of {} to {max_length} characters", min_length.unwrap_or_default()),
            _ => description.trim_end_matches('.').to_owned(),
        });
        SettingValues::Text(text)
    }

    fn toml_text(&self) -> Option<String> {
        Some(format!("{:?}", self.text()))
    }
}

impl<T: SettingType> SettingType for Option<T> {
    fn values() -> SettingValues {
        T::values()
    }

    fn toml_text(&self) -> Option<String> {
        self.as_ref().and_then(T::toml_text)
    }
}

impl<T: SettingType> SettingType for Vec<T> {
    fn values() -> SettingValues {
        match T::values() {
            SettingValues::Text(text) => SettingValues::Text(format!("list: {text}")),
            SettingValues::Section(settings) | SettingValues::Sections(settings) => SettingValues::Sections(settings),
        }
    }

    fn toml_text(&self) -> Option<String> {
        let items: Vec<String> = self.iter().filter_map(T::toml_text).collect();
        (!items.is_empty()).then(|| format!("[{}]", items.join(", ")))
    }
}

impl SettingType for bool {
    fn values() -> SettingValues {
        SettingValues::Text("`true`, `false`".to_owned())
    }

    fn toml_text(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl SettingType for String {
    fn values() -> SettingValues {
        SettingValues::Text("text".to_owned())
    }

    fn toml_text(&self) -> Option<String> {
        Some(format!("{self:?}"))
    }
}

impl SettingType for SocketAddr {
    fn values() -> SettingValues {
        SettingValues::Text("IP address and port".to_owned())
    }

    fn toml_text(&self) -> Option<String> {
        Some(format!("\"{self}\""))
    }
}

impl SettingType for PathBuf {
    fn values() -> SettingValues {
        SettingValues::Text("path".to_owned())
    }
}
