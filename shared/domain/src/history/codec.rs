//! The stored form of a month. Version 2, little numbers as LEB128:
//! `2, n_users, user hashes (8 bytes each), n_product_features, their hashes, n_cells, cells, n_ahead, ahead`. A cell is
//! `day − first day of the month, known − day, events, n_users, user numbers…, n_product_features, their numbers…`, with
//! numbers counted within the month; what was known ahead is `place of the cell, moment in microseconds since 1970`. Version 1
//! ends after the cells. Golden files of every version are in the tests.

use std::fmt;

use super::{Cell, Directory, History};
use crate::time::{Day, Instant};

const VERSION: u8 = 2;
/// Knows of no events ahead.
const VERSION_1: u8 = 1;

/// A stored month cannot be read: it is damaged or of a newer version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeError;

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stored roll-up month is damaged or of a newer version")
    }
}

impl std::error::Error for DecodeError {}

impl History {
    /// The stored form of one month (`Day::month`).
    #[must_use]
    pub fn encode_month(&self, month: i32) -> Vec<u8> {
        let (first, next) = (Day::first_of_month(month), Day::first_of_month(month + 1));
        let from = self.cells.partition_point(|cell| cell.day < first);
        let until = self.cells.partition_point(|cell| cell.day < next);
        let cells = &self.cells[from..until];
        let (mut users, mut product_features) = (Directory::default(), Directory::default());
        let mut body = Vec::new();
        write(&mut body, cells.len() as u64);
        for cell in cells {
            write(&mut body, number(first.days_until(cell.day)));
            write(&mut body, number(cell.day.days_until(cell.known)));
            write(&mut body, u64::from(cell.events));
            write_numbers(&mut body, &cell.users, &self.users, &mut users);
            write_numbers(
                &mut body,
                &cell.product_features,
                &self.product_features,
                &mut product_features,
            );
        }
        let ahead: Vec<(u64, u64)> = (0..)
            .zip(cells)
            .filter_map(|(place, cell)| Some((place, u64::try_from(cell.ahead?.0).ok()?)))
            .collect();
        write(&mut body, ahead.len() as u64);
        for (place, at) in ahead {
            write(&mut body, place);
            write(&mut body, at);
        }
        let mut bytes = vec![VERSION];
        write_directory(&mut bytes, &users);
        write_directory(&mut bytes, &product_features);
        bytes.extend_from_slice(&body);
        bytes
    }

    /// Adds a stored month. Months may come in any order, each once.
    ///
    /// # Errors
    /// Damaged, or of a newer version; the history is then unusable.
    pub fn decode_month(&mut self, month: i32, bytes: &[u8]) -> Result<(), DecodeError> {
        let first = Day::first_of_month(month);
        let mut reader = Reader { bytes };
        let version = reader.byte()?;
        if version != VERSION && version != VERSION_1 {
            return Err(DecodeError);
        }
        let users = read_directory(&mut reader, &mut self.users)?;
        let product_features = read_directory(&mut reader, &mut self.product_features)?;
        let n_cells = reader.length()?;
        let mut cells = Vec::with_capacity(n_cells);
        for _ in 0..n_cells {
            let day = first.plus(reader.small()?);
            let known = day.plus(reader.small()?);
            let events = u32::try_from(reader.number()?).map_err(|_too_large| DecodeError)?;
            let users = read_numbers(&mut reader, &users)?;
            let product_features = read_numbers(&mut reader, &product_features)?;
            cells.push(Cell {
                day,
                known,
                ahead: None,
                events,
                users,
                product_features,
            });
        }
        let n_ahead = if version == VERSION {
            reader.length()?
        } else {
            0
        };
        for _ in 0..n_ahead {
            let place = usize::try_from(reader.number()?).map_err(|_too_large| DecodeError)?;
            let at = i64::try_from(reader.number()?).map_err(|_too_large| DecodeError)?;
            cells.get_mut(place).ok_or(DecodeError)?.ahead = Some(Instant(at));
        }
        if !reader.bytes.is_empty() {
            return Err(DecodeError);
        }
        let at = self.cells.partition_point(|cell| cell.day < first);
        self.cells.splice(at..at, cells);
        Ok(())
    }
}

fn number(days: i32) -> u64 {
    u64::try_from(days).unwrap_or(0)
}

fn write(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or(0);
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn write_directory(bytes: &mut Vec<u8>, directory: &Directory) {
    write(bytes, directory.hashes.len() as u64);
    for hash in &directory.hashes {
        bytes.extend_from_slice(&hash.to_le_bytes());
    }
}

fn write_numbers(bytes: &mut Vec<u8>, numbers: &[u32], from: &Directory, to: &mut Directory) {
    write(bytes, numbers.len() as u64);
    for number in numbers {
        write(bytes, u64::from(to.number(from.hash(*number))));
    }
}

fn read_directory(
    reader: &mut Reader<'_>,
    directory: &mut Directory,
) -> Result<Vec<u32>, DecodeError> {
    let length = reader.length()?;
    let mut numbers = Vec::with_capacity(length);
    for _ in 0..length {
        let mut hash = [0; 8];
        hash.copy_from_slice(reader.take(8)?);
        numbers.push(directory.number(u64::from_le_bytes(hash)));
    }
    Ok(numbers)
}

fn read_numbers(reader: &mut Reader<'_>, directory: &[u32]) -> Result<Vec<u32>, DecodeError> {
    let length = reader.length()?;
    let mut numbers = Vec::with_capacity(length);
    for _ in 0..length {
        let index = usize::try_from(reader.number()?).map_err(|_too_large| DecodeError)?;
        numbers.push(*directory.get(index).ok_or(DecodeError)?);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self.bytes.split_at_checked(length).ok_or(DecodeError)?;
        self.bytes = tail;
        Ok(head)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self) -> Result<u64, DecodeError> {
        let mut number = 0_u64;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(DecodeError)
    }

    fn small(&mut self) -> Result<i32, DecodeError> {
        i32::try_from(self.number()?).map_err(|_too_large| DecodeError)
    }

    /// A length that the remaining bytes can hold at one byte an entry, so that damage cannot ask for all memory.
    fn length(&mut self) -> Result<usize, DecodeError> {
        let length = usize::try_from(self.number()?).map_err(|_too_large| DecodeError)?;
        if length > self.bytes.len() {
            Err(DecodeError)
        } else {
            Ok(length)
        }
    }
}
