//! What became of every row.

use std::collections::BTreeMap;

use sextant_proto::ingestion::v1::{Verdict, VerdictKind};

use crate::import::batch::{Delivery, Origin};
use crate::import::rejects::Rejects;
use crate::import::{Complaint, Error, Original, Part, Refusal};
use crate::output::{Block, Cell, Column};

/// How many records had each verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verdicts {
    /// Stored, and counted once.
    pub accepted: u64,
    /// Stored before.
    pub duplicate: u64,
    /// Sent again after the connection broke, and stored by then: by the first delivery, or before the import. No answer tells
    /// which.
    pub resent: u64,
    /// Stored before with other content.
    pub conflict: u64,
    /// Waiting for their account.
    pub held: u64,
    /// Refused.
    pub rejected: u64,
}

impl Verdicts {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.accepted + self.duplicate + self.resent + self.conflict + self.held + self.rejected
    }

    /// Those of what is stored: now, before, or to be counted with its account.
    #[must_use]
    pub fn stored(&self) -> u64 {
        self.accepted + self.duplicate + self.resent + self.held
    }

    fn add(&mut self, kind: VerdictKind, delivery: Delivery) {
        match (kind, delivery) {
            (VerdictKind::Accepted, _) => self.accepted += 1,
            (VerdictKind::Duplicate, Delivery::First) => self.duplicate += 1,
            (VerdictKind::Duplicate, Delivery::Repeated) => self.resent += 1,
            (VerdictKind::Conflict, _) => self.conflict += 1,
            (VerdictKind::Held, _) => self.held += 1,
            (VerdictKind::Unspecified | VerdictKind::Rejected, _) => self.rejected += 1,
        }
    }

    /// The verdicts by name, in the order in which they are shown.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64, &'static str); 6] {
        [
            ("accepted", self.accepted, "stored, and counted once"),
            (
                "duplicate",
                self.duplicate,
                "stored before, not counted again",
            ),
            (
                "resent",
                self.resent,
                "stored, by this import or before: sent again after the connection broke",
            ),
            (
                "conflict",
                self.conflict,
                "same id as a stored record but other content, not counted",
            ),
            (
                "held",
                self.held,
                "waits for its account and is counted when that appears",
            ),
            (
                "rejected",
                self.rejected,
                "refused by the service, kept for correction",
            ),
        ]
    }
}

/// Whether what is sent is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Run {
    /// It is.
    #[default]
    Real,
    /// It is only checked: identities are not looked up, so no record is told from one that was stored before.
    Dry,
}

impl Run {
    /// What a verdict means whose meaning is `stored` where things are stored; `None`: it is not given.
    fn meaning(self, verdict: &str, stored: &'static str) -> Option<&'static str> {
        match (self, verdict) {
            (Self::Real, _) => Some(stored),
            (Self::Dry, "accepted") => {
                Some("would be stored; duplicates and conflicts are found only when it is")
            },
            (Self::Dry, "held") => Some("would wait for its account"),
            (Self::Dry, "rejected") => Some("would be refused by the service"),
            (Self::Dry, _) => None,
        }
    }
}

/// What became of everything that was sent.
#[derive(Debug, Default)]
pub struct Tally {
    /// Whether it is stored.
    run: Run,
    /// Rows by verdict.
    pub rows: Verdicts,
    /// Accounts that rows brought with them, by verdict.
    pub companions: Verdicts,
    /// Rows that could not be read.
    pub malformed: u64,
    /// Refused records by reason.
    pub reasons: BTreeMap<String, u64>,
    /// The first rows that were not taken, and why.
    pub complaints: Vec<Complaint>,
    /// What is stored, for reads that must include it; empty before the first acknowledgement.
    pub position: String,
    /// How many complaints are kept.
    max_complaints: usize,
    /// How many there were.
    n_complaints: usize,
    /// Where every row that was not taken is written.
    rejects: Option<Rejects>,
}

impl Tally {
    /// Nothing yet; keeps the first `max_complaints` complaints and counts the rest.
    #[must_use]
    pub fn new(max_complaints: usize) -> Self {
        Self {
            max_complaints,
            ..Self::default()
        }
    }

    /// The same, of what is stored or only checked.
    #[must_use]
    pub fn of(mut self, run: Run) -> Self {
        self.run = run;
        self
    }

    /// Whether what is counted is stored.
    #[must_use]
    pub fn run(&self) -> Run {
        self.run
    }

    /// The same, writing every row that is not taken to a file.
    #[must_use]
    pub fn writing(mut self, rejects: Option<Rejects>) -> Self {
        self.rejects = rejects;
        self
    }

    /// Completes the file of rows that were not taken and says how many are in it; `None` where there is no such file.
    ///
    /// # Errors
    /// Not every row could be written.
    pub fn finish_rejects(&mut self) -> Result<Option<u64>, Error> {
        self.rejects.take().map(Rejects::finish).transpose()
    }

    /// Complaints beyond those that are kept.
    #[must_use]
    pub fn n_more_complaints(&self) -> usize {
        self.n_complaints - self.complaints.len()
    }

    /// Rows that have been judged.
    #[must_use]
    pub fn rows_judged(&self) -> u64 {
        self.rows.total() + self.malformed
    }

    /// Records that were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.rows.total() + self.companions.total()
    }

    /// Whether every row is stored, now or before, or will be with its account.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.malformed == 0 && self.rows.rejected == 0 && self.rows.conflict == 0
    }

    /// Counts a row that could not be read.
    pub fn malformed(&mut self, complaint: Complaint) {
        self.malformed += 1;
        self.complain(complaint);
    }

    /// Counts a batch: the verdicts that are not ACCEPTED by ascending index, all others are. Rows between them that could not be
    /// read are told in their places, so that complaints have the order of the file.
    pub fn judge(
        &mut self,
        origins: &[Origin],
        malformed: Vec<Complaint>,
        exceptions: &[Verdict],
        delivery: Delivery,
    ) {
        let mut malformed = malformed.into_iter().peekable();
        let mut exceptions = exceptions.iter().peekable();
        for (index, origin) in origins.iter().enumerate() {
            while let Some(complaint) = malformed.next_if(|complaint| complaint.row < origin.row) {
                self.malformed(complaint);
            }
            let verdict = exceptions.next_if(|verdict| usize::try_from(verdict.index) == Ok(index));
            let kind = verdict.map_or(VerdictKind::Accepted, Verdict::kind);
            match origin.part {
                Part::Row => self.rows.add(kind, delivery),
                Part::Companion => self.companions.add(kind, delivery),
            }
            match (kind, verdict.and_then(|verdict| verdict.rejection.as_ref())) {
                (VerdictKind::Rejected, Some(rejection)) => {
                    *self.reasons.entry(rejection.reason.clone()).or_default() += 1;
                    let refusal = Refusal::Rejected(rejection.reason.clone());
                    let problem = origin.sentence(&rejection.hint);
                    self.complain(complaint(origin, &rejection.field, problem, refusal));
                },
                (VerdictKind::Conflict, _) => {
                    let problem = "another content was stored under this id; give a changed record an id of its own".to_owned();
                    self.complain(complaint(origin, "id", problem, Refusal::Conflict));
                },
                _ => {},
            }
        }
        for complaint in malformed {
            self.malformed(complaint);
        }
    }

    fn complain(&mut self, complaint: Complaint) {
        self.n_complaints += 1;
        if let Some(rejects) = &mut self.rejects {
            rejects.add(&complaint);
        }
        if self.complaints.len() < self.max_complaints {
            // The row itself may be large, and is not shown.
            self.complaints.push(Complaint {
                original: Original::NotKept,
                ..complaint
            });
        }
    }

    /// The summary: every row under one verdict.
    #[must_use]
    pub fn block(&self, key: &'static str, title: String) -> Block {
        let columns = vec![
            Column::left("verdict", "Verdict"),
            Column::right("rows", "Rows"),
            Column::right("companions", "Accounts"),
            Column::left("meaning", "Meaning"),
        ];
        let mut block = Block::new(key, title, columns);
        let pairs = self.rows.named().into_iter().zip(self.companions.named());
        for ((verdict, rows, stored), (_, companions, _)) in pairs {
            let Some(meaning) = self.run.meaning(verdict, stored) else {
                continue;
            };
            // Nearly no import has these.
            if verdict == "resent" && rows + companions == 0 {
                continue;
            }
            block.rows.push(vec![
                Cell::text(verdict),
                Cell::Count(rows),
                Cell::Count(companions),
                Cell::text(meaning),
            ]);
        }
        block.rows.push(vec![
            Cell::text("malformed"),
            Cell::Count(self.malformed),
            Cell::Count(0),
            Cell::text("could not be read, not sent"),
        ]);
        block.rows.push(vec![
            Cell::text("all"),
            Cell::Count(self.rows_judged()),
            Cell::Count(self.companions.total()),
            Cell::Nothing,
        ]);
        if self.companions.total() == 0 {
            drop_column(&mut block, 2);
        }
        block
    }
}

fn drop_column(block: &mut Block, index: usize) {
    block.columns.remove(index);
    for row in &mut block.rows {
        row.remove(index);
    }
}

fn complaint(origin: &Origin, field: &str, problem: String, refusal: Refusal) -> Complaint {
    Complaint {
        row: origin.row,
        line: origin.line,
        field: origin.field(field),
        problem,
        refusal,
        original: origin.original.clone(),
    }
}

#[cfg(test)]
mod tests;
