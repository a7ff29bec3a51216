use super::RowIds;

fn id(ids: &mut RowIds, says: &[(&str, &str)]) -> String {
    ids.next("payments", says.iter().copied()).record_id()
}

#[test]
fn identical_rows_of_a_file_are_told_apart_and_the_same_file_gives_the_same_ids() {
    let row = [("account_id", "acme"), ("amount", "12.00")];
    let mut first = RowIds::default();
    let once = id(&mut first, &row);
    let twice = id(&mut first, &row);
    assert_ne!(once, twice);
    assert!(once.ends_with("-1") && twice.ends_with("-2"));
    let mut again = RowIds::default();
    assert_eq!(id(&mut again, &row), once);
    assert_eq!(id(&mut again, &row), twice);
}

#[test]
fn where_one_value_ends_and_the_next_begins_is_part_of_the_identity() {
    let mut ids = RowIds::default();
    let left = id(&mut ids, &[("a", "xy"), ("b", "z")]);
    let right = id(&mut ids, &[("a", "x"), ("b", "yz")]);
    assert_ne!(left, right);
}

#[test]
fn an_id_fits_the_door() {
    let id = RowIds::default().next("events", std::iter::empty());
    assert_eq!(id.record_id().len(), 66);
    assert_eq!(id.short().len(), 14);
}
