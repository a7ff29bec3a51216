//! The CDNOW purchase log: account, day, number of CDs and dollars, separated by blanks.
//!
//! Each row becomes one payment in US dollars at noon of its day, for the log knows days only. The log has no rows for
//! accounts, so the first row of an account brings a record of the account with it. A row's identity is its content and its
//! occurrence number: 255 rows of the log repeat another one, and they are purchases.

use std::collections::HashSet;

use sextant_domain::time::{Day, Zone};
use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::ingestion::v1::{AccountFact, PaymentFact, PaymentStatus, Record};
use sextant_wire::time::timestamp;

use crate::import::batch::{Origin, TIME};
use crate::import::identity::RowIds;
use crate::import::input::{Ending, Input, no_line_end, too_long};
use crate::import::rejects::CDNOW_NOTE;
use crate::import::{Error, Fault, Item, Original, Part, values};

/// The names of the columns, as the log's first line has them.
const COLUMNS: [&str; 4] = ["customer_id", "date", "number_of_cds", "dollar_value"];
const CURRENCY: &str = "USD";
const NOON_US: i64 = 43_200_000_000;

/// Reads rows as records.
#[derive(Debug)]
pub struct CdnowRows {
    input: Input,
    source: String,
    /// Where days begin.
    zone: Zone,
    ids: RowIds,
    known: HashSet<String>,
    row: u64,
    line: u64,
    buffer: Vec<u8>,
    /// The payment of a row whose account went out before it.
    waiting: Option<Item>,
}

impl CdnowRows {
    /// Reads a log from its beginning. Its days are those of the zone.
    #[must_use]
    pub fn new(input: Input, source: &str, zone: &Zone) -> Self {
        Self {
            input,
            source: source.to_owned(),
            zone: zone.clone(),
            ids: RowIds::default(),
            known: HashSet::new(),
            row: 0,
            line: 0,
            buffer: Vec::new(),
            waiting: None,
        }
    }

    fn read(&mut self) -> Result<Option<Item>, Error> {
        if let Some(waiting) = self.waiting.take() {
            return Ok(Some(waiting));
        }
        loop {
            let Some(ending) = self.input.line(&mut self.buffer)? else {
                return Ok(None);
            };
            self.line += 1;
            let buffer = std::mem::take(&mut self.buffer);
            let item = self.item(&buffer, ending);
            self.buffer = buffer;
            if item.is_some() {
                return Ok(item);
            }
        }
    }

    /// The first item of a line; nothing for blank lines and the header.
    fn item(&mut self, bytes: &[u8], ending: Ending) -> Option<Item> {
        if let Ending::TooLong(bytes) = ending {
            self.row += 1;
            let complaint = too_long(bytes).at(self.row, self.line, Original::NotKept);
            return Some(Item::Malformed(complaint));
        }
        if bytes.first() == Some(&CDNOW_NOTE) {
            return None;
        }
        if ending == Ending::EndOfFile && !bytes.trim_ascii().is_empty() {
            self.row += 1;
            // In a file of rejects it would have a line end, and be taken for whole when that is imported.
            let complaint = no_line_end().at(self.row, self.line, Original::NotKept);
            return Some(Item::Malformed(complaint));
        }
        let original = || Original::Line(bytes.to_vec());
        let Ok(text) = std::str::from_utf8(bytes) else {
            self.row += 1;
            let fault = Fault::of_row("is not UTF-8; save the file as UTF-8");
            return Some(Item::Malformed(fault.at(self.row, self.line, original())));
        };
        let cells: Vec<&str> = text
            .trim_start_matches('\u{feff}')
            .split_ascii_whitespace()
            .collect();
        if cells.is_empty() || (self.line == 1 && cells == COLUMNS) {
            return None;
        }
        self.row += 1;
        let (row, line) = (self.row, self.line);
        match self.purchase(&cells) {
            Err(fault) => Some(Item::Malformed(fault.at(row, line, original()))),
            Ok(payment) => {
                let item = |part, record| Item::Record {
                    origin: Origin {
                        row,
                        line,
                        part,
                        original: original(),
                        time: TIME,
                        header: None,
                    },
                    record: Box::new(record),
                };
                let account = self.introduce(&payment);
                let payment = item(Part::Row, payment);
                match account {
                    None => Some(payment),
                    Some(account) => {
                        self.waiting = Some(payment);
                        Some(item(Part::Companion, account))
                    },
                }
            },
        }
    }

    fn purchase(&mut self, cells: &[&str]) -> Result<Record, Fault> {
        let [account, date, cds, dollars] = cells else {
            return Err(Fault::of_row(format!(
                "has {} columns; a purchase has 4: {}",
                cells.len(),
                COLUMNS.join(" ")
            )));
        };
        let day = compact_day(date).map_err(|problem| Fault::new("date", problem))?;
        let _cds: u32 =
            values::integer(cds).map_err(|problem| Fault::new("number_of_cds", problem))?;
        let amount = values::money(dollars, CURRENCY)
            .map_err(|problem| Fault::new("dollar_value", problem))?;
        let id = self
            .ids
            .next("cdnow", COLUMNS.into_iter().zip(cells.iter().copied()));
        let fact = PaymentFact {
            account_id: (*account).to_owned(),
            payment_id: format!("{date}-{}", id.short()),
            status: PaymentStatus::Succeeded.into(),
            amount: Some(amount),
            ..PaymentFact::default()
        };
        Ok(Record {
            source: self.source.clone(),
            id: id.record_id(),
            time: Some(timestamp(self.zone.start_of(day).plus_us(NOON_US))),
            sent_at: None,
            fact: Some(Fact::Payment(fact)),
            ..Record::default()
        })
    }

    /// The account of a payment, if the payment is its first.
    fn introduce(&mut self, payment: &Record) -> Option<Record> {
        let Some(Fact::Payment(fact)) = &payment.fact else {
            return None;
        };
        if !self.known.insert(fact.account_id.clone()) {
            return None;
        }
        let account = AccountFact {
            account_id: fact.account_id.clone(),
            name: format!("CDNOW account {}", fact.account_id),
            created_at: payment.time,
            ..AccountFact::default()
        };
        Some(Record {
            source: self.source.clone(),
            id: format!("account-{}", fact.account_id),
            fact: Some(Fact::Account(account)),
            time: payment.time,
            ..Record::default()
        })
    }
}

/// A day written as `YYYYMMDD`.
fn compact_day(text: &str) -> Result<Day, String> {
    let wrong = || format!("\"{text}\" is no day such as 19970131");
    if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let (year, rest) = text.split_at(4);
    let (month, day) = rest.split_at(2);
    Day::parse(&format!("{year}-{month}-{day}")).map_err(|_no_day| wrong())
}

impl Iterator for CdnowRows {
    type Item = Result<Item, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

#[cfg(test)]
mod tests;
