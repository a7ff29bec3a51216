use super::place;

#[test]
fn no_secret_of_a_url_is_shown() {
    for (url, expected) in [
        (
            "postgresql://me:secret@db:5432,db2/sextant?password=secret",
            "db:5432,db2",
        ),
        ("postgresql://db/sextant", "db"),
        (
            "postgresql:///sextant?host=/run&password=secret",
            "the host of its options",
        ),
        ("host=db password=secret", "the host of its options"),
    ] {
        assert_eq!(place(url), expected);
    }
}
