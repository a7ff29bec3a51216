use std::env::consts::ARCH;

use super::{FOLDERS, read_library};

#[test]
fn libraries_of_this_architecture_come_first_and_those_of_others_never() {
    let named: Vec<&str> = FOLDERS
        .into_iter()
        .filter(|folder| folder.ends_with("-linux-gnu"))
        .collect();
    let own = ["/lib", "/usr/lib"].map(|root| format!("{root}/{ARCH}-linux-gnu"));
    assert_eq!(named, own);
    assert_eq!(FOLDERS.first(), named.first());
    assert!(read_library("libc.so.6").is_ok());
}
