//! How results are printed: a table for people, JSON for programs.

use std::io::IsTerminal;

use clap::ValueEnum;
use comfy_table::{Table, presets};

/// The form of a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// One JSON value.
    Json,
    /// One JSON value a line.
    Ndjson,
}

impl Output {
    /// Gives the wish, or the default: a table on a terminal, JSON elsewhere.
    pub fn or_default(wish: Option<Output>) -> Output {
        let terminal = std::io::stdout().is_terminal();
        wish.unwrap_or(if terminal { Output::Table } else { Output::Json })
    }
}

/// Makes a table without frames around every cell.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(header.iter().copied());
    table
}

/// Prints a list in the wanted form; a table is made only where it is wanted.
pub fn print_list(output: Output, values: &[serde_json::Value], table: impl FnOnce() -> Table) {
    match output {
        Output::Table => println!("{}", table()),
        Output::Json => println!("{:#}", serde_json::Value::from(values.to_vec())),
        Output::Ndjson => values.iter().for_each(|value| println!("{value}")),
    }
}
