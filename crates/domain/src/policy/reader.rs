//! Reads a policy file's TOML by position, so that every fault is found in one go, with its line and its cure.

use std::cell::RefCell;
use std::ops::Range;

use jiff::civil::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::faults::Source;
use super::suggest::nearest;
use crate::money::{Currency, Money};
use crate::rounding::Exact;

/// The most tables or texts of one list.
const LIST_LIMIT: usize = 500;

/// A table of the file. Every key that is asked for becomes known; `finish` refuses the others.
pub(crate) struct Section<'s, 't> {
    pub(crate) source: &'s Source<'t>,
    table: &'s DeTable<'t>,
    span: Range<usize>,
    name: String,
    known: RefCell<Vec<&'static str>>,
}

impl<'s, 't> Section<'s, 't> {
    pub(crate) fn new(
        source: &'s Source<'t>,
        table: &'s DeTable<'t>,
        span: Range<usize>,
        name: String,
    ) -> Self {
        Self { source, table, span, name, known: RefCell::new(Vec::new()) }
    }

    /// Gives the section's name for messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Notes a fault at a key's value, or at the section where the key is missing.
    pub(crate) fn fault(&self, key: &str, what: impl Into<String>, fix: impl Into<String>) {
        let span = self.table.get(key).map_or(self.span.clone(), Spanned::span);
        self.source.fault(&span, what.into(), fix.into());
    }

    /// Says whether the key is there, whatever its value.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Looks at a text without asking for it.
    pub(crate) fn peek_text(&self, key: &str) -> Option<&'s str> {
        self.table.get(key).and_then(|value| value.get_ref().as_str())
    }

    fn find(&self, key: &'static str) -> Option<&'s Spanned<DeValue<'t>>> {
        self.known.borrow_mut().push(key);
        self.table.get(key)
    }

    fn need(&self, key: &'static str, example: &str) -> Option<&'s Spanned<DeValue<'t>>> {
        let found = self.find(key);
        if found.is_none() {
            let what = format!("{} has no {key:?}", self.name);
            self.source.fault(&self.span, what, format!("write {key} = {example}"));
        }
        found
    }

    fn wrong(&self, key: &str, value: &DeValue<'_>, wanted: &str, example: &str) {
        let what = format!("{key:?} of {} is {}, not {wanted}", self.name, value.type_str());
        self.fault(key, what, format!("write {key} = {example}"));
    }

    fn as_text(
        &self,
        key: &str,
        value: &'s Spanned<DeValue<'t>>,
        example: &str,
    ) -> Option<&'s str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong(key, value.get_ref(), "a text in quotes", example);
        }
        text
    }

    /// Reads a text that must be there and not be empty.
    pub(crate) fn text(&self, key: &'static str, example: &str) -> Option<&'s str> {
        let text = self.as_text(key, self.need(key, example)?, example)?;
        if text.is_empty() {
            self.fault(
                key,
                format!("{key:?} of {} is empty", self.name),
                format!("write {key} = {example}"),
            );
            return None;
        }
        Some(text)
    }

    /// Reads a text that may be missing.
    pub(crate) fn optional_text(&self, key: &'static str, example: &str) -> Option<&'s str> {
        self.find(key).and_then(|value| self.as_text(key, value, example))
    }

    /// Reads one of a set of words.
    pub(crate) fn choice<T: Copy>(
        &self,
        key: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let example = format!("{:?}", words.first().map_or("", |(word, _)| word));
        let value = self.need(key, &example)?;
        self.word(key, value, words)
    }

    /// Reads one of a set of words that may be missing.
    pub(crate) fn optional_choice<T: Copy>(
        &self,
        key: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let value = self.find(key)?;
        self.word(key, value, words)
    }

    fn word<T: Copy>(
        &self,
        key: &str,
        value: &'s Spanned<DeValue<'t>>,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let text = self.as_text(key, value, &format!("{:?}", names.first().unwrap_or(&"")))?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let hint = nearest(text, &names)
                .map_or_else(String::new, |near| format!(" (did you mean {near:?}?)"));
            let what = format!("{key:?} of {} does not know {text:?}{hint}", self.name);
            self.fault(key, what, format!("write one of {}", names.join(", ")));
        }
        found
    }

    /// Reads a whole number that is not negative.
    pub(crate) fn whole(&self, key: &'static str, example: &str) -> Option<u64> {
        let value = self.need(key, example)?;
        self.as_whole(key, value, example)
    }

    /// Reads a whole number that may be missing.
    pub(crate) fn optional_whole(&self, key: &'static str, example: &str) -> Option<u64> {
        let value = self.find(key)?;
        self.as_whole(key, value, example)
    }

    fn as_whole(&self, key: &str, value: &'s Spanned<DeValue<'t>>, example: &str) -> Option<u64> {
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|integer| u64::from_str_radix(integer.as_str(), integer.radix()).ok());
        if number.is_none() {
            self.wrong(key, value.get_ref(), "a whole number from 0", example);
        }
        number
    }

    /// Reads a date.
    pub(crate) fn date(&self, key: &'static str, example: &str) -> Option<Date> {
        let value = self.need(key, example)?;
        self.as_date(key, value, example)
    }

    /// Reads a date that may be missing.
    pub(crate) fn optional_date(&self, key: &'static str, example: &str) -> Option<Date> {
        let value = self.find(key)?;
        self.as_date(key, value, example)
    }

    fn as_date(&self, key: &str, value: &'s Spanned<DeValue<'t>>, example: &str) -> Option<Date> {
        let date = value.get_ref().as_datetime().filter(|datetime| datetime.time.is_none());
        let date = date.and_then(|datetime| datetime.to_string().parse().ok());
        if date.is_none() {
            self.wrong(key, value.get_ref(), "a date without quotes", example);
        }
        date
    }

    /// Reads an amount of the policy's currency, written in quotes.
    pub(crate) fn money(&self, key: &'static str, currency: Currency) -> Option<Money> {
        self.need(key, "\"6.00\"")?;
        self.optional_money(key, currency)
    }

    /// Reads an amount that may be missing.
    pub(crate) fn optional_money(&self, key: &'static str, currency: Currency) -> Option<Money> {
        let text = self.as_text(key, self.find(key)?, "\"6.00\"")?;
        let money = Money::parse(text, currency);
        if let Err(error) = &money {
            self.fault(
                key,
                format!("{key:?} of {}: {error}", self.name),
                format!("write {key} = \"6.00\""),
            );
        }
        money.ok().filter(|money| {
            let negative = money.minor < 0;
            if negative {
                let what = format!("{key:?} of {} is negative", self.name);
                self.fault(key, what, "write an amount from 0");
            }
            !negative
        })
    }

    /// Reads an exact decimal from 0, written in quotes.
    pub(crate) fn decimal(&self, key: &'static str, example: &str) -> Option<Exact> {
        let text = self.text(key, example)?;
        let decimal = Exact::parse(text).filter(|_| !text.starts_with('-'));
        if decimal.is_none() {
            let what = format!("{key:?} of {} is {text:?}, not a decimal from 0", self.name);
            self.fault(key, what, format!("write {key} = {example}"));
        }
        decimal
    }

    /// Opens a table that must be there.
    pub(crate) fn section(&self, key: &'static str, example: &str) -> Option<Section<'s, 't>> {
        let value = self.need(key, example)?;
        self.as_section(key, value, example)
    }

    /// Opens a table that may be missing.
    pub(crate) fn optional_section(
        &self,
        key: &'static str,
        example: &str,
    ) -> Option<Section<'s, 't>> {
        let value = self.find(key)?;
        self.as_section(key, value, example)
    }

    fn as_section(
        &self,
        key: &str,
        value: &'s Spanned<DeValue<'t>>,
        example: &str,
    ) -> Option<Section<'s, 't>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong(key, value.get_ref(), "a table", example);
        }
        Some(Section::new(self.source, table?, value.span(), format!("[{key}]")))
    }

    /// Opens a list of tables; a missing one is empty.
    pub(crate) fn sections(&self, key: &'static str, example: &str) -> Vec<Section<'s, 't>> {
        let Some(value) = self.find(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong(key, value.get_ref(), "a list of tables", example);
            return Vec::new();
        };
        if array.len() > LIST_LIMIT {
            self.too_long(key, array.len());
            return Vec::new();
        }
        let mut sections = Vec::new();
        for element in array.iter() {
            match element.get_ref().as_table() {
                Some(table) => {
                    let name = format!("[[{key}]] {}", sections.len() + 1);
                    sections.push(Section::new(self.source, table, element.span(), name));
                }
                None => self.wrong(key, element.get_ref(), "a table", example),
            }
        }
        sections
    }

    /// Reads a list of texts; a missing one is empty.
    pub(crate) fn texts(&self, key: &'static str, example: &str) -> Vec<String> {
        let Some(value) = self.find(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong(key, value.get_ref(), "a list of texts", example);
            return Vec::new();
        };
        if array.len() > LIST_LIMIT {
            self.too_long(key, array.len());
            return Vec::new();
        }
        array
            .iter()
            .filter_map(|value| self.as_text(key, value, example))
            .map(str::to_owned)
            .collect()
    }

    fn too_long(&self, key: &str, length: usize) {
        let what = format!("{key:?} of {} has {length} elements", self.name);
        self.fault(key, what, format!("write at most {LIST_LIMIT}"));
    }

    /// Gives all entries of a table whose keys are data, such as components.
    pub(crate) fn entries<T: Copy>(&self, words: &[(&'static str, T)]) -> Vec<(String, T)> {
        let entries = self.table.iter().filter_map(|(key, value)| {
            let meaning = self.word(key.get_ref(), value, words)?;
            Some((key.get_ref().to_string(), meaning))
        });
        entries.collect()
    }

    /// Notes a fault where a key is missing that something else depends on.
    pub(crate) fn require(&self, key: &str, what: &str) {
        if self.table.get(key).is_none() {
            self.source.fault(
                &self.span,
                what.to_owned(),
                format!("write {key} = ... in {}", self.name),
            );
        }
    }

    /// Refuses every key that nobody asked for.
    pub(crate) fn finish(self) {
        let known = self.known.borrow();
        for key in self.table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            if self.source.is_full() {
                break;
            }
            let mut words = known.clone();
            words.sort_unstable();
            words.dedup();
            let written = key.get_ref();
            let what = format!("unknown key {written:?} in {}", self.name);
            let fix = match nearest(written, &words) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("remove it; known keys are {}", words.join(", ")),
            };
            self.source.fault(&key.span(), what, fix);
        }
    }
}
