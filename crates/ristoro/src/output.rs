//! How results are printed: a table for people, JSON for programs. Tables are made from the JSON.

use std::io::{IsTerminal, Write, stdout};

use anyhow::Result;
use clap::ValueEnum;
use comfy_table::{Cell, CellAlignment, LineStyle, Table, TableStyle};
use serde_json::{Map, Value};

/// A rule under the header, and none between the rows.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// The fields that a thing's list of fields begins with.
const FIRST: [&str; 2] = ["name", "state"];

/// The form of a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Output {
    /// For people
    Table,
    /// One JSON value
    Json,
    /// One JSON value a line
    Ndjson,
}

/// The columns of a table: each a header, and the path of its value in a row's JSON, such as `grant.quota`.
pub type Columns<'a> = &'a [(&'a str, &'a str)];

impl Output {
    /// Gives the wish, or the default: a table on a terminal, JSON elsewhere.
    pub fn or_default(wish: Option<Output>) -> Output {
        let terminal = stdout().is_terminal();
        wish.unwrap_or(if terminal { Output::Table } else { Output::Json })
    }
}

/// Makes a table without frames.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_header(header.iter().copied());
    table
}

/// Prints a list in the wanted form.
pub fn print_list(output: Output, values: &[Value], columns: Columns<'_>) -> Result<()> {
    match output {
        Output::Table => print_table(values, columns),
        Output::Json => line(&format!("{:#}", Value::from(values.to_vec()))),
        Output::Ndjson => values.iter().try_for_each(|value| line(&value.to_string())),
    }
}

/// Prints one thing: as a table a line for each of its fields that holds something.
pub fn print_one(output: Output, value: &Value) -> Result<()> {
    match output {
        Output::Json => return line(&format!("{value:#}")),
        Output::Ndjson => return line(&value.to_string()),
        Output::Table => {}
    }
    let mut fields: Vec<(String, String)> =
        value.as_object().into_iter().flatten().map(named).collect();
    // What a thing is called and how far it is come first; the rest by name.
    fields.sort_by_key(|(name, _)| FIRST.iter().position(|one| one == name).unwrap_or(FIRST.len()));
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, text) in fields.iter().filter(|(_, text)| !text.is_empty()) {
        line(&format!("{name:width$}  {text}"))?;
    }
    Ok(())
}

/// Prints rows as a table, or says that there are none.
pub fn print_table(rows: &[Value], columns: Columns<'_>) -> Result<()> {
    if rows.is_empty() {
        return line("none");
    }
    line(&written(rows, columns))
}

/// Writes a table; a column that holds nothing is left out, since terminals are narrow.
fn written(rows: &[Value], columns: Columns<'_>) -> String {
    let values = |path| rows.iter().map(move |row| at(row, path));
    let mut shown = Vec::new();
    for (header, path) in columns {
        if values(path).any(|value| !text(value).is_empty()) {
            shown.push((*header, *path, values(path).any(is_figure)));
        }
    }
    let mut table = table(&[]);
    table.set_header(shown.iter().map(|(header, _, figure)| cell(header, *figure)));
    for row in rows {
        table.add_row(shown.iter().map(|(_, path, figure)| cell(&text(at(row, path)), *figure)));
    }
    table.trim_fmt()
}

/// Prints a line; nobody reading any more is an error that `main` knows.
pub fn line(text: &str) -> Result<()> {
    Ok(writeln!(stdout().lock(), "{text}")?)
}

fn named((name, value): (&String, &Value)) -> (String, String) {
    (name.replace('_', " "), text(value))
}

fn at<'a>(row: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(row, |value, key| value.get(key).unwrap_or(&Value::Null))
}

fn is_figure(value: &Value) -> bool {
    value.is_number() || value.get("currency").is_some()
}

/// Makes a cell: numbers and amounts stand to the right.
fn cell(text: &str, figure: bool) -> Cell {
    let alignment = if figure { CellAlignment::Right } else { CellAlignment::Left };
    Cell::new(text).set_alignment(alignment)
}

/// Writes a value for people: an amount as `12.34 EUR`, a list with commas, what is absent as nothing.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => object(fields),
    }
}

fn object(fields: &Map<String, Value>) -> String {
    let pair = |one: &str, other: &str| Some((text(fields.get(one)?), text(fields.get(other)?)));
    if let Some((amount, currency)) = pair("amount", "currency") {
        return format!("{amount} {currency}");
    }
    if let Some((kind, grant)) = pair("kind", "grant") {
        return format!("{kind}: {grant}");
    }
    let fields = fields.iter().map(named).filter(|(_, text)| !text.is_empty());
    fields.map(|(name, text)| format!("{name} {text}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_for_people() {
        for (value, expected) in [
            (json!({"amount": "12.34", "currency": "EUR"}), "12.34 EUR"),
            (json!(["a", "b"]), "a, b"),
            (json!(null), ""),
            (json!(true), "yes"),
            (
                json!({"name": "Italiaonline", "town": "", "country_code": "IT"}),
                "country code IT name Italiaonline",
            ),
            (
                json!({"kind": "goodwill", "grant": {"quota": {"bytes": 5}}, "payer": "fund"}),
                "goodwill: quota bytes 5",
            ),
            (json!([{"amount": "1.00", "currency": "EUR"}, 7]), "1.00 EUR, 7"),
        ] {
            assert_eq!(text(&value), expected);
        }
    }

    #[test]
    fn a_table_has_figures_to_the_right_and_no_empty_columns() {
        let amount = |text: &str| json!({"amount": text, "currency": "EUR"});
        let rows = [
            json!({"name": "a", "sum": amount("1.00"), "note": null}),
            json!({"name": "b", "sum": amount("100.00"), "note": ""}),
        ];
        let table = written(&rows, &[("thing", "name"), ("note", "note"), ("sum", "sum")]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0].trim(), "thing          sum");
        assert_eq!(lines[2].trim(), "a         1.00 EUR");
        assert_eq!(lines[3].trim(), "b       100.00 EUR");
    }

    #[test]
    fn a_path_leads_into_a_value() {
        let row = json!({"grant": {"quota": {"bytes": 5}}});
        assert_eq!(at(&row, "grant.quota.bytes"), &json!(5));
        assert_eq!(at(&row, "grant.money"), &Value::Null);
    }
}
