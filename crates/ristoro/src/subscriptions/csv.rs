//! Reads import files: a header that names the columns in any order, then one row for each period of a subscription.

use std::fmt;
use std::io::Read;

use super::lines::Lines;
use csv::{ByteRecord, ByteRecordsIntoIter, ReaderBuilder};
use jiff::tz::TimeZone;
use ristoro_domain::roster::ImportRow;
use ristoro_domain::roster::check::RowFault;
use ristoro_domain::roster::read::{COLUMNS, read as read_row};

/// The columns that a file cannot do without.
const REQUIRED: [&str; 7] =
    ["subscription_id", "subscriber_id", "service", "plan", "segment", "class", "valid_from"];

/// A row that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The line of the file on which it begins.
    pub line: u64,
    /// What it says.
    pub row: ImportRow,
}

/// A row that cannot be taken.
#[derive(Clone, PartialEq, Eq)]
pub struct RowError {
    /// The line of the file on which it begins.
    pub line: u64,
    /// The column of its first fault; empty where the whole row is no row.
    pub column: &'static str,
    /// What is wrong with it and what to do.
    pub reason: String,
    /// Its further faults.
    pub more: Vec<RowFault>,
    /// Its fields as they stand in the file, for a file of rejects. Personal data: not for logs.
    pub fields: Vec<String>,
}

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// The file could not be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] csv::Error),
    /// A column has a name that no column has.
    #[error("column {place} of the header is {name:?}, which is no column: write one of {}", COLUMNS.join(", "))]
    Unknown {
        /// Its place, from 1.
        place: usize,
        /// What it is called.
        name: String,
    },
    /// A column stands there twice.
    #[error("the header names {name} twice: remove one")]
    Twice {
        /// The column.
        name: &'static str,
    },
    /// A column is missing.
    #[error("the header lacks {}", .names.join(", "))]
    Missing {
        /// The columns that are.
        names: Vec<&'static str>,
    },
}

/// The rows of a file.
pub struct Rows<R> {
    records: ByteRecordsIntoIter<Lines<R>>,
    columns: Vec<&'static str>,
    zone: TimeZone,
    failed: bool,
}

/// Reads a file's header and gives its rows; local times and dates are of `zone`.
///
/// # Errors
/// `HeaderError`.
pub fn read<R: Read>(reader: R, zone: TimeZone) -> Result<Rows<R>, HeaderError> {
    let mut file = ReaderBuilder::new().flexible(true).from_reader(Lines::new(reader));
    let columns = columns(file.byte_headers()?)?;
    Ok(Rows { records: file.into_byte_records(), columns, zone, failed: false })
}

fn columns(header: &ByteRecord) -> Result<Vec<&'static str>, HeaderError> {
    let mut columns: Vec<&'static str> = Vec::new();
    for (place, field) in header.iter().enumerate() {
        // Spreadsheets put a byte order mark in front of the first name.
        let field =
            if place == 0 { field.strip_prefix(b"\xef\xbb\xbf").unwrap_or(field) } else { field };
        let name = String::from_utf8_lossy(field).trim().to_owned();
        let known = COLUMNS.iter().find(|column| **column == name);
        let Some(column) = known else {
            return Err(HeaderError::Unknown { place: place + 1, name });
        };
        if columns.contains(column) {
            return Err(HeaderError::Twice { name: column });
        }
        columns.push(column);
    }
    let missing: Vec<&str> =
        REQUIRED.into_iter().filter(|column| !columns.contains(column)).collect();
    if missing.is_empty() { Ok(columns) } else { Err(HeaderError::Missing { names: missing }) }
}

impl<R: Read> Iterator for Rows<R> {
    type Item = Result<Row, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        match self.records.next()? {
            Ok(record) => Some(self.read_record(&record)),
            Err(error) => {
                // After a failure of the file itself there is no telling where the next row begins.
                self.failed = true;
                let line = error.position().map_or(0, csv::Position::line);
                let reason = format!("the file cannot be read any further: {error}");
                Some(Err(RowError {
                    line,
                    column: "",
                    reason,
                    more: Vec::new(),
                    fields: Vec::new(),
                }))
            }
        }
    }
}

impl<R: Read> Rows<R> {
    fn read_record(&self, record: &ByteRecord) -> Result<Row, RowError> {
        // The parser knows the line after a row; blank lines before it are skipped without being counted in its start.
        let within = record.iter().flatten().filter(|byte| **byte == b'\n').count() as u64;
        let after = self.records.reader().position().line();
        let line = after.saturating_sub(1 + within);
        let fields: Vec<String> =
            record.iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect();
        let whole = |reason: String| RowError {
            line,
            column: "",
            reason,
            more: Vec::new(),
            fields: fields.clone(),
        };
        if fields.len() != self.columns.len() {
            let (found, wanted) = (fields.len(), self.columns.len());
            return Err(whole(format!(
                "has {found} fields and the header has {wanted}: quote fields that hold a comma"
            )));
        }
        if record.iter().any(|field| std::str::from_utf8(field).is_err()) {
            return Err(whole("is not UTF-8: save the file in that encoding".to_owned()));
        }
        let column = |name: &'static str| {
            let place = self.columns.iter().position(|column| *column == name);
            place.map_or("", |place| fields[place].as_str())
        };
        match read_row(column, &self.zone) {
            Ok(row) => Ok(Row { line, row }),
            Err(mut faults) => {
                let first = faults.remove(0);
                let (column, reason) = (first.column, first.reason);
                Err(RowError { line, column, reason, more: faults, fields })
            }
        }
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}: {} {}", self.line, self.column, self.reason)?;
        self.more
            .iter()
            .try_for_each(|fault| write!(formatter, "; {} {}", fault.column, fault.reason))
    }
}

// The fields may hold personal data, so they are not printed.
impl fmt::Debug for RowError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RowError({self})")
    }
}

impl std::error::Error for RowError {}

#[cfg(test)]
mod tests {
    use super::*;
    use ristoro_domain::time::zone;

    const HEADER: &str = "subscriber_id,subscription_id,service,plan,segment,class,fee,currency,fee_period,valid_from,iban,payee_name";
    const SOUND: &str = "p1,s1,libero-mail,plus-5gb,consumer,principal,19.99,EUR,year,2022-09-01,,";

    fn rows(text: &str) -> Vec<Result<Row, RowError>> {
        read(text.as_bytes(), zone("Europe/Rome").unwrap()).unwrap().collect()
    }

    fn error(text: &str) -> HeaderError {
        match read(text.as_bytes(), TimeZone::UTC) {
            Ok(_) => panic!("the header was taken"),
            Err(error) => error,
        }
    }

    #[test]
    fn columns_are_found_by_name_and_rows_keep_their_lines() {
        let found = rows(&format!("\u{feff}{HEADER}\r\n{SOUND}\r\n\r\n{SOUND}\n"));
        let lines: Vec<u64> = found.iter().map(|row| row.as_ref().unwrap().line).collect();
        assert_eq!(lines, [2, 4]);
        let row = &found[0].as_ref().unwrap().row;
        assert_eq!((row.subscriber.as_str(), row.subscription.as_str()), ("p1", "s1"));
    }

    #[test]
    fn a_bad_row_names_line_column_and_reason_and_the_next_is_read() {
        let bad = "p2,s2,libero-mail,plus-5gb,consumer,principal,\"19,99\",EUR,year,2022-02-30,,";
        let short = "p3,s3,libero-mail";
        let found = rows(&format!("{HEADER}\n{bad}\n{short}\n{SOUND}\n"));
        let first = found[0].as_ref().unwrap_err();
        assert_eq!((first.line, first.column), (2, "fee"));
        assert_eq!(first.more[0].column, "valid_from");
        assert!(first.to_string().starts_with("line 2: fee \"19,99\" is not an amount in EUR"));
        let second = found[1].as_ref().unwrap_err();
        assert_eq!((second.line, second.column), (3, ""));
        assert!(second.reason.contains("3 fields and the header has 12"), "{second}");
        assert!(found[2].is_ok());
    }

    #[test]
    fn what_is_not_utf_8_is_refused_row_by_row() {
        let mut bytes = format!("{HEADER}\n{SOUND}\n").into_bytes();
        let latin = SOUND.replace(",,", ",,Niccol\u{f2}");
        bytes.extend(latin.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()));
        let found: Vec<_> = read(bytes.as_slice(), TimeZone::UTC).unwrap().collect();
        assert!(found[0].is_ok());
        assert!(found[1].as_ref().unwrap_err().reason.contains("UTF-8"));
    }

    #[test]
    fn a_header_must_be_known_and_complete() {
        assert!(matches!(error("subscription_id,iban_\n"), HeaderError::Unknown { place: 2, .. }));
        assert!(matches!(error("plan,plan\n"), HeaderError::Twice { name: "plan" }));
        let missing = error("subscription_id,subscriber_id,service,plan,segment,class\n");
        assert_eq!(missing.to_string(), "the header lacks valid_from");
    }
}
