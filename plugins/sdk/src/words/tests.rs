use super::*;

#[test]
fn amounts_have_separators_and_the_digits_of_the_currency() {
    for (minor, digits, expected) in [
        (0, 2, "0.00"),
        (5, 2, "0.05"),
        (-123_456, 2, "-1,234.56"),
        (1_000, 0, "1,000"),
        (999, 3, "0.999"),
        (i64::MIN, 0, "-9,223,372,036,854,775,808"),
    ] {
        assert_eq!(amount(minor, digits), expected);
    }
}
