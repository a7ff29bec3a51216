//! Who moved.

use sextant_proto::segmentation::v1::Transition;

use crate::output::{Block, Cell, Column};
use crate::view::{Titles, id_of, why};

/// Moves in the order given.
pub(crate) fn transitions(
    key: &'static str,
    transitions: &[Transition],
    titles: &Titles,
    currency: &str,
) -> Block {
    let columns = vec![
        Column::left("at", "When"),
        Column::left("account", "Account"),
        Column::left("name", "Name"),
        Column::left("segmentation", "In"),
        Column::left("from", "From"),
        Column::left("to", "To"),
        Column::left("downward", "Down"),
        Column::rare("correction", "Learned late"),
        Column::right("value", "Worth a year"),
        Column::prose("reasons", "Why"),
    ];
    let mut block = Block::new(key, "", columns);
    for one in transitions {
        block.rows.push(vec![
            Cell::moment(one.at.as_ref()),
            id_of(one.account.as_ref()),
            Cell::text(one.account_name.clone()),
            Cell::text(one.segmentation.clone()),
            titles.cell(&one.segmentation, one.from_state(), &one.from_segment),
            titles.cell(&one.segmentation, one.to_state(), &one.to_segment),
            Cell::Flag(one.downward),
            Cell::Flag(one.correction),
            Cell::money(one.value_minor, currency),
            why(&one.reasons),
        ]);
    }
    block
}
