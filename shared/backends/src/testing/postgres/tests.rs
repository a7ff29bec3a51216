use super::with_database;

#[test]
fn the_url_of_another_database_keeps_host_and_options() {
    let cases = [
        (
            "postgresql://u:p@h:5432/postgres",
            "postgresql://u:p@h:5432/x",
        ),
        (
            "postgresql://u@h/postgres?sslmode=disable",
            "postgresql://u@h/x?sslmode=disable",
        ),
        (
            "postgresql:///postgres?host=/run/pg&user=postgres",
            "postgresql:///x?host=/run/pg&user=postgres",
        ),
        ("postgresql://h", "postgresql://h/x"),
    ];
    for (given, expected) in cases {
        assert_eq!(with_database(given, "x"), expected);
    }
}
