//! Writes the customer credit transfer initiation, pain.001.001.09, byte for byte the same for the
//! same arguments.
//!
//! Element order and names are the schema's; what is chosen where it leaves a choice follows
//! EPC132-08: transfers of a block are booked as one debit (`BtchBookg`), charges are shared as the
//! service level says (`SLEV`), addresses are structured or absent. The events are streamed into the
//! output one by one, so that no tree of a hundred thousand transfers is built.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::identifier::{block_id, message_id};
use super::payment::{Debtor, PaymentFileHeader, TownAddress, Transfer};
use super::rules::{PreparedDebtor, PreparedFile, PreparedTransfer, RuleViolation, prepare};

const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09";
/// What a transfer takes in the file, indentation included; only saves reallocations.
const BYTES_PER_TRANSFER: usize = 640;

/// Writes a payment file.
///
/// # Errors
/// The first [`RuleViolation`]; [`violations`](super::rules::violations) lists all of them. Nothing
/// is written unless every rule holds.
pub fn write(
    header: &PaymentFileHeader,
    debtor: &Debtor,
    transfers: &[Transfer],
) -> Result<Vec<u8>, RuleViolation> {
    let file = prepare(header, debtor, transfers).map_err(|mut found| found.swap_remove(0))?;
    let mut document = Document::with_capacity((transfers.len() + 4) * BYTES_PER_TRANSFER);
    document.emit(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
    let root = BytesStart::new("Document").with_attributes([("xmlns", NAMESPACE)]);
    document.emit(Event::Start(root));
    document.open("CstmrCdtTrfInitn");
    write_group_header(&mut document, header, &file);
    let blocks = file.transfers.chunks(header.transfers_per_block.get());
    for (block, transfers) in (1..).zip(blocks) {
        write_block_header(&mut document, header, block, transfers);
        write_debtor(&mut document, &file.debtor);
        for transfer in transfers {
            write_transfer(&mut document, transfer);
        }
        document.close("PmtInf");
    }
    document.close("CstmrCdtTrfInitn");
    document.close("Document");
    Ok(document.into_bytes())
}

fn write_group_header(document: &mut Document, header: &PaymentFileHeader, file: &PreparedFile) {
    document.open("GrpHdr");
    document.leaf("MsgId", &message_id(header.file));
    document.leaf("CreDtTm", &header.created_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    document.sums(&file.transfers);
    document.open("InitgPty");
    document.leaf("Nm", &file.initiating_party);
    document.close("InitgPty");
    document.close("GrpHdr");
}

/// Opens a payment block and writes what stands before the debtor.
fn write_block_header(
    document: &mut Document,
    header: &PaymentFileHeader,
    block: u32,
    transfers: &[PreparedTransfer],
) {
    let block = block_id(header.file, block).expect("the rules limit the number of blocks");
    document.open("PmtInf");
    document.leaf("PmtInfId", &block);
    document.leaf("PmtMtd", "TRF");
    document.leaf("BtchBookg", "true");
    document.sums(transfers);
    document.open("PmtTpInf");
    document.open("SvcLvl");
    document.leaf("Cd", "SEPA");
    document.close("SvcLvl");
    document.close("PmtTpInf");
    document.open("ReqdExctnDt");
    document.leaf("Dt", &header.execution_date.to_string());
    document.close("ReqdExctnDt");
}

fn write_debtor(document: &mut Document, debtor: &PreparedDebtor) {
    document.open("Dbtr");
    document.leaf("Nm", &debtor.name);
    if let Some(TownAddress { town, country }) = &debtor.address {
        document.open("PstlAdr");
        document.leaf("TwnNm", town);
        document.leaf("Ctry", country);
        document.close("PstlAdr");
    }
    document.close("Dbtr");
    document.account("DbtrAcct", debtor.iban.electronic());
    document.open("DbtrAgt");
    document.open("FinInstnId");
    match &debtor.bic {
        Some(bic) => document.leaf("BICFI", bic),
        None => {
            document.open("Othr");
            document.leaf("Id", "NOTPROVIDED");
            document.close("Othr");
        }
    }
    document.close("FinInstnId");
    document.close("DbtrAgt");
    document.leaf("ChrgBr", "SLEV");
}

fn write_transfer(document: &mut Document, transfer: &PreparedTransfer) {
    document.open("CdtTrfTxInf");
    document.open("PmtId");
    document.leaf("EndToEndId", &transfer.end_to_end_id);
    document.close("PmtId");
    document.open("Amt");
    let amount = BytesStart::new("InstdAmt").with_attributes([("Ccy", "EUR")]);
    document.leaf_with(amount, &euro(transfer.amount_minor));
    document.close("Amt");
    document.open("Cdtr");
    document.leaf("Nm", &transfer.creditor_name);
    document.close("Cdtr");
    document.account("CdtrAcct", transfer.creditor_iban.electronic());
    if let Some(remittance) = &transfer.remittance {
        document.open("RmtInf");
        document.leaf("Ustrd", remittance);
        document.close("RmtInf");
    }
    document.close("CdtTrfTxInf");
}

/// Cents as euro with two decimals. The rules let only positive amounts through.
fn euro(amount_minor: i64) -> String {
    format!("{}.{:02}", amount_minor / 100, amount_minor % 100)
}

/// The output; hides that writing to memory cannot fail.
struct Document {
    writer: Writer<Vec<u8>>,
}

impl Document {
    fn with_capacity(bytes: usize) -> Self {
        // Indented, because people do open these files when a bank refuses one.
        Self { writer: Writer::new_with_indent(Vec::with_capacity(bytes), b' ', 1) }
    }

    fn emit(&mut self, event: Event<'_>) {
        self.writer.write_event(event).expect("writing to a Vec cannot fail");
    }

    fn open(&mut self, name: &str) {
        self.emit(Event::Start(BytesStart::new(name)));
    }

    fn close(&mut self, name: &str) {
        self.emit(Event::End(BytesEnd::new(name)));
    }

    fn leaf(&mut self, name: &str, text: &str) {
        self.leaf_with(BytesStart::new(name), text);
    }

    fn leaf_with(&mut self, start: BytesStart<'_>, text: &str) {
        let end = start.to_end().into_owned();
        self.emit(Event::Start(start));
        self.emit(Event::Text(BytesText::new(text)));
        self.emit(Event::End(end));
    }

    fn account(&mut self, name: &str, iban: &str) {
        self.open(name);
        self.open("Id");
        self.leaf("IBAN", iban);
        self.close("Id");
        self.close(name);
    }

    /// How many transfers and their sum: at most 100,000 times 999,999,999.99, far within `i64`.
    fn sums(&mut self, transfers: &[PreparedTransfer]) {
        let sum_minor = transfers.iter().map(|transfer| transfer.amount_minor).sum();
        self.leaf("NbOfTxs", &transfers.len().to_string());
        self.leaf("CtrlSum", &euro(sum_minor));
    }

    fn into_bytes(self) -> Vec<u8> {
        self.writer.into_inner()
    }
}
