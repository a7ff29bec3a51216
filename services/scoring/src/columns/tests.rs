use super::*;

#[test]
fn a_message_is_cut_by_accounts_and_by_the_length_of_their_names() {
    let half = MAX_TEXT_BYTES / 2;
    let cases: [(usize, usize, &[usize]); 5] = [
        (0, 0, &[]),
        (MAX_ROWS, 10, &[MAX_ROWS]),
        (MAX_ROWS + 1, 10, &[MAX_ROWS, 1]),
        (5, half, &[2, 2, 1]),
        (2, 3 * half, &[1, 1]),
    ];
    for (n_accounts, n_bytes, expected) in cases {
        let uids: Vec<AccountUid> = (0..n_accounts as u128).map(AccountUid).collect();
        let parts = cut(uids.clone(), |_| n_bytes);
        let sizes: Vec<usize> = parts.iter().map(Vec::len).collect();
        assert_eq!(sizes, expected);
        assert_eq!(parts.concat(), uids);
    }
}
