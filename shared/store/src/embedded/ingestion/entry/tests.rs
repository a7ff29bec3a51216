use super::*;

const AT: Instant = Instant(0x0102_0304_0506_0708);

#[track_caller]
fn check(entry: Entry, hexadecimal: &str) {
    let bytes = entry.encode();
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(text, hexadecimal);
    assert_eq!(Entry::decode(&bytes), Some(entry));
    assert_eq!(Entry::decode(&bytes[..bytes.len() - 1]), None, "cut short");
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(Entry::decode(&longer), None, "too long");
}

#[test]
fn entries_are_stored_as_in_version_1() {
    let batch_id = 0x1112_1314_1516_1718_191a_1b1c_1d1e_1f20;
    check(
        Entry::Facts {
            recorded_at: AT,
            batch_id,
            first: 5,
            end: 9,
            trace: None,
        },
        "010102030405060708111213141516171819\
1a1b1c1d1e1f200000000500000009",
    );
    check(
        Entry::Facts {
            recorded_at: AT,
            batch_id,
            first: 5,
            end: 9,
            trace: Some([0xab; 24]),
        },
        &format!(
            "0501020304050607081112131415161718191a1b1c1d1e1f200000000500000009{}",
            "ab".repeat(24)
        ),
    );
    check(
        Entry::Import {
            recorded_at: AT,
            mark: Import::Started,
        },
        "020102030405060708",
    );
    check(
        Entry::Import {
            recorded_at: AT,
            mark: Import::Completed(7),
        },
        "03010203040506070807",
    );
    check(
        Entry::Clock {
            recorded_at: AT,
            to: Instant(-2),
        },
        "040102030405060708fffffffffffffffe",
    );
}

#[test]
fn an_unknown_tag_is_not_read() {
    assert_eq!(Entry::decode(&[9, 1, 2, 3, 4, 5, 6, 7, 8]), None);
    assert_eq!(Entry::decode(&[]), None);
}
