use std::fmt::Write as _;

use csv::ReaderBuilder;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use sextant_proto::ingestion::v1::Record;

use super::Records;
use crate::import::columns::Kind;
use crate::import::input::MAX_LINE_BYTES;
use crate::import::rejects::Form;
use crate::import::tests::{leaked, open, read, rejected};
use crate::import::{Input, Item, Original};

const HEADER: &str = "time,account_id,type,id,data.x\n";

fn ids(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.id.as_str()).collect()
}

/// Lines of a file that were read as these cells, or refused.
fn cells(text: String) -> Vec<Option<Vec<Vec<u8>>>> {
    let mut records = Records::new(Input::of_bytes("f", leaked(text)).unwrap(), b',').unwrap();
    let mut found = Vec::new();
    while let Some(record) = records.read().unwrap() {
        let cells = record.cells.ok();
        found.push(cells.map(|cells| cells.iter().map(<[u8]>::to_vec).collect()));
    }
    found
}

/// What is written of the rows of a file that are refused.
fn rejects(text: &'static [u8]) -> String {
    let rows = open(Kind::Events, text).unwrap();
    let form = Form::Csv {
        delimiter: b',',
        names: rows.names().clone(),
    };
    let refused = rows.filter(|item| matches!(item, Ok(Item::Malformed(_))));
    rejected(form, Box::new(refused)).0
}

#[test]
fn a_stray_quote_costs_its_own_line_and_that_is_imported_once_it_is_corrected() {
    for (rest, told) in [
        // A later cell closes it.
        (
            "2025-03-05,b1,t,r4,\"fine\"\n2025-03-05,b1,t,r5,ok\n",
            "a quote opened here is never closed",
        ),
        // Nothing does.
        (
            "2025-03-05,b1,t,r4,fine\n2025-03-05,b1,t,r5,ok\n",
            "a quote opened here is never closed",
        ),
        // Escaped quotes and quoted delimiters do not either.
        (
            "2025-03-05,b1,t,r4,\"\"\n2025-03-05,b1,t,r5,\",\"\n",
            "a quote opened here is never closed",
        ),
    ] {
        let text = format!(
            "{HEADER}2025-03-05,b1,t,r1,ok\n2025-03-05,b1,t,r2,\"open\n2025-03-05,b1,t,r3,ok\n{rest}"
        );
        let text = leaked(text);
        let (records, complaints) = read(Kind::Events, text);
        assert_eq!(ids(&records), ["r1", "r3", "r4", "r5"]);
        let told = format!("row 2 (line 3), field \"data.x\": {told}");
        assert_eq!(complaints.len(), 1);
        assert!(complaints[0].starts_with(&told), "{}", complaints[0]);
        assert!(complaints[0].ends_with("write quotes inside a quoted cell twice"));

        let written = rejects(text);
        assert!(
            written.ends_with(",2025-03-05,b1,t,r2,\"open\n"),
            "{written}"
        );
        // As it is, it is refused again, with the same text.
        let again = rejects(leaked(written.clone()));
        assert!(
            again.ends_with("twice\",2025-03-05,b1,t,r2,\"open\n"),
            "{again}"
        );
        assert_eq!(again.lines().count(), 2);
        let corrected = written.replace("r2,\"open", "r2,open");
        let (records, complaints) = read(Kind::Events, leaked(corrected));
        assert_eq!((ids(&records), complaints.len()), (vec!["r2"], 0));
    }
}

#[test]
fn text_behind_a_closing_quote_is_refused_with_its_line() {
    let text = format!(
        "{HEADER}2025-03-05,b1,t,r1,\"say \"hello\" twice\"\r\n2025-03-05,b1,\"t\" ,r2,x\r2025-03-05,b1,t,r3,ok\n2025-03-05,b1,t,r4,\"say \"\"hello\"\"\"\n2025-03-05,b1,t,r5,5\" pipe\n"
    );
    let text = leaked(text);
    let (records, complaints) = read(Kind::Events, text);
    assert_eq!(ids(&records), ["r3", "r4", "r5"]);
    for (complaint, place) in complaints.iter().zip([
        "row 1 (line 2), field \"data.x\"",
        "row 2 (line 3), field \"type\"",
    ]) {
        let told =
            format!("{place}: a quote opened here is followed by text behind its closing quote");
        assert!(complaint.starts_with(&told), "{complaint}");
    }
    let corrected = rejects(text)
        .replace("\"say \"hello\" twice\"", "hello")
        .replace("\"t\" ", "t");
    let (records, complaints) = read(Kind::Events, leaked(corrected));
    assert_eq!((ids(&records), complaints.len()), (vec!["r1", "r2"], 0));
}

#[test]
fn a_row_of_several_lines_is_refused_by_its_first_line_where_a_cell_without_quotes_holds_one() {
    let text =
        b"account_id,created_at,name,owner_id\na,2025-03-05,5\" pipe,\"x\nb,2025-03-05,y,z\n";
    let (records, complaints) = read(Kind::Accounts, text);
    assert_eq!((records.len(), complaints.len()), (1, 1));
    let told = "row 1 (line 2), field \"name\": holds a quote and is not quoted";
    assert!(complaints[0].starts_with(told), "{}", complaints[0]);
}

#[test]
fn a_quoted_cell_of_several_lines_is_one_value_and_the_rows_behind_it_have_their_lines() {
    let text = b"time,account_id,type,id,data.x\n2025-03-05,b1,t,r1,\"one\r\ntwo \"\"2\"\"\n\nthree\"\n\r\n2025-03-05,b1,t,r2\n";
    let (records, complaints) = read(Kind::Events, text);
    assert_eq!(ids(&records), ["r1"]);
    assert!(
        complaints[0].starts_with("row 2 (line 7), field \"data.x\": is missing"),
        "{complaints:?}"
    );
    let read = cells("a,\"one\r\ntwo \"\"2\"\"\n\nthree\"\n".into());
    let value = b"one\r\ntwo \"2\"\n\nthree".to_vec();
    assert_eq!(read, [Some(vec![b"a".to_vec(), value])]);
}

#[test]
fn a_quote_that_opens_in_the_header_is_an_error_of_the_file() {
    let told = open(Kind::Events, b"time,\"account_id,type\nx,y,z\n").unwrap_err();
    let told = told.to_string();
    assert!(
        told.contains("its header is no row: column 2: a quote opened here"),
        "{told}"
    );
}

#[test]
fn a_line_or_a_quoted_cell_beyond_the_limit_costs_one_line_and_bounded_memory() {
    let long = "x".repeat(MAX_LINE_BYTES);
    let found = cells(format!("a,b\n{long}yy,\"\n\"c\",d\n"));
    assert_eq!(found.len(), 3);
    assert!(found[0].is_some() && found[1].is_none() && found[2].is_some());

    // The quote would be closed behind the limit.
    let line = "a,b\n";
    let n_lines = 3 * MAX_LINE_BYTES / line.len();
    let text = format!("a,\"b\n{}c\",d\n", line.repeat(n_lines));
    let mut records = Records::new(Input::of_bytes("f", leaked(text)).unwrap(), b',').unwrap();
    let first = records.read().unwrap().unwrap().cells.unwrap_err();
    assert_eq!(first.original, Original::Line(b"a,\"b".to_vec()));
    let mut n_read = 0;
    while let Some(record) = records.read().unwrap() {
        n_read += usize::from(record.cells.is_ok());
        assert!(records.buffer.len() < MAX_LINE_BYTES + (1 << 16));
    }
    // The last line has a quote within a cell that is not quoted.
    assert_eq!(n_read, n_lines + 1);
}

/// A random cell as it is and as a file has it; `may_break` says whether it may hold line ends.
fn cell(random: &mut ChaCha8Rng, may_break: bool) -> (String, String) {
    const PARTS: [&str; 9] = ["a", "é", " ", ",", "\"", "\"\"", "\n", "\r\n", "\r"];
    let n_kinds = if may_break {
        PARTS.len()
    } else {
        PARTS.len() - 3
    };
    let n_parts = random.random_range(0..6);
    let text: String = (0..n_parts)
        .map(|_| PARTS[random.random_range(0..n_kinds)])
        .collect();
    let is_special = text.contains(['"', ',', '\n', '\r']);
    let written = if is_special || random.random() {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.clone()
    };
    (text, written)
}

/// Random rows as they are, and each as a file has it.
fn rows(random: &mut ChaCha8Rng, may_break: bool) -> Vec<(Vec<Vec<u8>>, String)> {
    let row = |random: &mut ChaCha8Rng| {
        let (mut cells, mut written) = (vec![b"row".to_vec()], "row".to_owned());
        for _ in 0..random.random_range(1..5) {
            let (text, as_written) = cell(random, may_break);
            cells.push(text.into_bytes());
            write!(written, ",{as_written}").unwrap();
        }
        written.push_str(["\n", "\r\n", "\r", "\n\n"][random.random_range(0..4)]);
        (cells, written)
    };
    (0..random.random_range(1..60))
        .map(|_| row(random))
        .collect()
}

#[test]
fn well_formed_files_are_read_as_the_reader_of_the_csv_crate_does() {
    for seed in 0..400 {
        println!("seed {seed}");
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        // Some are longer than what is read at once.
        let mut rows = rows(&mut random, true);
        if seed % 10 == 0 {
            rows = (0..200).flat_map(|_| rows.clone()).collect();
        }
        let text: String = rows.iter().map(|(_, written)| written.as_str()).collect();
        let theirs = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes())
            .into_byte_records()
            .map(|record| Some(record.unwrap().iter().map(<[u8]>::to_vec).collect()))
            .collect::<Vec<_>>();
        let expected: Vec<_> = rows.into_iter().map(|(cells, _)| Some(cells)).collect();
        let ours = cells(text);
        assert!(ours == expected && ours == theirs);
    }
}

#[test]
fn a_stray_quote_anywhere_costs_no_other_row() {
    for seed in 0..400 {
        println!("seed {seed}");
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut rows = rows(&mut random, false);
        let hit = random.random_range(0..rows.len());
        rows[hit].1 = "row,\"open,x\n".to_owned();
        let text: String = rows.iter().map(|(_, written)| written.as_str()).collect();
        let expected: Vec<_> = rows
            .into_iter()
            .enumerate()
            .map(|(place, (cells, _))| Some(cells).filter(|_| place != hit))
            .collect();
        assert!(cells(text) == expected);
    }
}
