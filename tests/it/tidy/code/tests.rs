use super::Code;

#[test]
fn comments_and_literals_are_no_code() {
    let code = Code::of(
        "let a = \"b\\\"c\"; // d\n/* e /* f */ g */ let h = 'i'; let j: &'k str = r#\"l\"m\"#;\n",
    );
    let words: Vec<&str> = code.identifiers().map(|(_, word)| word).collect();
    assert_eq!(words, ["let", "a", "let", "h", "let", "j", "k", "str"]);
    assert_eq!(
        code.literals,
        [(1, "b\\\"c".to_owned()), (2, "l\"m".to_owned())]
    );
}

#[test]
fn a_word_counts_where_it_begins() {
    let code = Code::of("Status::new(1);\nExitStatus::new(2);\n");
    assert_eq!(code.lines_with("Status::new(").collect::<Vec<_>>(), [1]);
}

#[test]
fn inline_tests_are_left_out() {
    let code = Code::of("fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n");
    assert_eq!(code.lines_with("fn").collect::<Vec<_>>(), [1]);
}
