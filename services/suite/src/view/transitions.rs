//! Who moved.

use sextant_proto::segmentation::v1::Transition;

use crate::output::{Block, Cell, Column};
use crate::view::{Titles, id_of, segment_columns, why};

/// Moves in the order given.
pub(crate) fn transitions(
    key: &'static str,
    transitions: &[Transition],
    titles: &Titles,
    currency: &str,
) -> Block {
    let mut columns = vec![
        Column::left("at", "When"),
        Column::left("account", "Account"),
        Column::left("name", "Name"),
        Column::left("segmentation", "In"),
    ];
    columns.extend(segment_columns("from", "From"));
    columns.extend(segment_columns("to", "To"));
    columns.extend([
        Column::left("downward", "Down"),
        Column::rare("correction", "Learned late"),
        Column::right("value", "Worth a year"),
        Column::prose("reasons", "Why"),
    ]);
    let mut block = Block::new(key, "", columns);
    for one in transitions {
        let mut row = vec![
            Cell::moment_or_close(one.at.as_ref()),
            id_of(one.account.as_ref()),
            Cell::text(one.account_name.clone()),
            Cell::text(one.segmentation.clone()),
        ];
        row.extend(titles.cells(&one.segmentation, one.from_state(), &one.from_segment));
        row.extend(titles.cells(&one.segmentation, one.to_state(), &one.to_segment));
        row.extend([
            Cell::Flag(one.downward),
            Cell::Flag(one.correction),
            one.value_minor
                .map_or(Cell::Nothing, |minor| Cell::money(minor, currency)),
            why(&one.reasons, currency),
        ]);
        block.rows.push(row);
    }
    block
}
