//! Files that must not be loaded, and the check that says so.

use std::error::Error as _;
use std::fs;
use std::path::Path;

use sextant_plugin_host::{LoadError, Plugin, discover, left_alone};

use crate::fixture::{DESCRIPTOR, Fixture, built_in_folder, compile};

/// Loads bytes as a file.
fn load_bytes(bytes: &[u8]) -> LoadError {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plugin.so");
    fs::write(&path, bytes).unwrap();
    Plugin::load(&path).unwrap_err()
}

/// Compiles and loads C code that is not a fixture.
fn load_c(source: &str, options: &[&str]) -> LoadError {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plugin.c");
    fs::write(&path, source).unwrap();
    Plugin::load(&compile(folder.path(), &path, "plugin", options)).unwrap_err()
}

fn check(error: &LoadError, id: &str, what: &str) {
    assert_eq!(error.check_id(), id, "{error}");
    assert!(error.what().contains(what), "{error}");
    assert!(!error.why().is_empty() && !error.fix().is_empty());
}

fn refused(fixture: &Fixture) -> LoadError {
    fixture.load().unwrap_err()
}

#[test]
fn a_file_that_is_not_there_is_not_readable() {
    let error = Plugin::load(Path::new("no/such/plugin.so")).unwrap_err();
    check(&error, "V-readable", "the file could not be read");
    assert!(error.source().is_some());
}

#[test]
fn a_text_file_is_not_an_elf_file() {
    check(
        &load_bytes(b"#!/bin/sh\necho hello\n"),
        "V-elf",
        "does not start like an ELF file",
    );
    check(&load_bytes(b""), "V-elf", "does not start like an ELF file");
}

#[test]
fn a_truncated_file_is_refused_at_every_length_without_a_crash() {
    let whole = fs::read(built_in_folder().join("libsextant_segmenter_rfm.so")).unwrap();
    for length in [5, 40, 64, 200, 4_096, whole.len() / 2, whole.len() - 1] {
        let error = load_bytes(&whole[..length]);
        assert!(error.check_id().starts_with("V-"), "{length}: {error}");
    }
}

#[test]
fn a_32_bit_file_and_a_foreign_processor_are_another_machine() {
    let mut bytes = fs::read(built_in_folder().join("libsextant_segmenter_rfm.so")).unwrap();
    bytes[4] = 1;
    check(&load_bytes(&bytes), "V-machine", "not a 64-bit file");
    bytes[4] = 2;
    // e_machine: 243 is RISC-V.
    bytes[18..20].copy_from_slice(&243_u16.to_le_bytes());
    check(&load_bytes(&bytes), "V-machine", "compiled for Riscv64");
}

#[test]
fn an_object_file_is_not_a_shared_object() {
    let mut bytes = fs::read(built_in_folder().join("libsextant_segmenter_rfm.so")).unwrap();
    // e_type: 1 is a relocatable object.
    bytes[16..18].copy_from_slice(&1_u16.to_le_bytes());
    check(&load_bytes(&bytes), "V-shared-object", "Relocatable");
}

#[test]
fn a_library_without_the_entry_symbol_is_refused() {
    check(
        &load_c("int add(int a, int b) { return a + b; }", &[]),
        "V-entry",
        "does not export seg_plugin_entry_v1",
    );
}

#[test]
fn an_undefined_entry_symbol_is_no_entry() {
    let source =
        "extern void *seg_plugin_entry_v1(void); void *f(void) { return seg_plugin_entry_v1(); }";
    check(
        &load_c(source, &["-fvisibility=default"]),
        "V-entry",
        "does not export",
    );
}

#[test]
fn a_library_without_descriptor_is_refused_before_it_runs() {
    let source = "#include <stdlib.h>\n\
        __attribute__((constructor)) static void start(void) { abort(); }\n\
        __attribute__((visibility(\"default\"))) void *seg_plugin_entry_v1(void) { return 0; }";
    check(
        &load_c(source, &[]),
        "V-descriptor",
        "no section .segmenter.desc",
    );
}

#[test]
fn descriptors_are_judged_before_the_library_runs() {
    for (descriptor, id, what) in [
        ("", "V-descriptor", "has 0 bytes"),
        ("{", "V-descriptor", "not one JSON document"),
        ("{} {}", "V-descriptor", "not one JSON document"),
        ("[]", "V-descriptor-schema", "must be an object"),
        ("{}", "V-descriptor-schema", "\"/output\": is missing"),
    ] {
        let fixture = Fixture {
            descriptor: descriptor.to_owned(),
            entry: "abort();".to_owned(),
            ..Fixture::default()
        };
        check(&refused(&fixture), id, what);
    }
    let huge = format!("{}{}", " ".repeat(64 * 1024), DESCRIPTOR);
    check(
        &refused(&Fixture {
            descriptor: huge,
            ..Fixture::default()
        }),
        "V-descriptor",
        "1 to 65536 are allowed",
    );
}

#[test]
fn a_descriptor_for_a_newer_host_is_refused() {
    for abi in ["1.1", "2.0"] {
        let descriptor = DESCRIPTOR.replace("\"abi\":\"1.0\"", &format!("\"abi\":\"{abi}\""));
        check(
            &refused(&Fixture {
                descriptor,
                ..Fixture::default()
            }),
            "V-abi",
            &format!("needs ABI {abi}"),
        );
    }
}

#[test]
fn tables_that_break_the_contract_are_refused() {
    for (table, id, what) in [
        (".abi_major = 2", "L-version", "abi_major is 2"),
        (".struct_size = 135", "L-version", "struct_size is 135"),
        (".struct_size = 0", "L-version", "struct_size is 0"),
        (
            ".struct_size = 0xFFFFFFFF",
            "L-version",
            "struct_size is 4294967295",
        ),
        (".create = NULL", "L-functions", "create is NULL"),
        (".bind = NULL", "L-functions", "bind is NULL"),
        (".segment = NULL", "L-functions", "segment is NULL"),
        (".destroy = NULL", "L-functions", "destroy is NULL"),
        (".explain = NULL", "L-caps", "explain is promised, but NULL"),
        (
            ".caps = 0",
            "L-caps",
            "explain is set, but nothing promises it",
        ),
        (
            ".caps = SEG_CAP_EXPLAIN | SEG_CAP_FIT",
            "L-caps",
            "fit_begin is promised, but NULL",
        ),
        (
            ".caps = SEG_CAP_EXPLAIN | (1ull << 48)",
            "L-caps-unknown",
            "unknown bits 0x1000000000000",
        ),
        (
            ".caps = SEG_CAP_EXPLAIN | (1ull << 63)",
            "L-caps-unknown",
            "unknown bits 0x8000000000000000",
        ),
        (
            ".caps = SEG_CAP_EXPLAIN | SEG_CAP_ISOLATED_ONLY",
            "L-isolated-only",
            "SEG_CAP_ISOLATED_ONLY",
        ),
        (".descriptor_json = NULL", "L-descriptor", "bytes"),
        (".descriptor_len = 10", "L-descriptor", "has 10 bytes"),
    ] {
        check(
            &refused(&Fixture {
                table: table.to_owned(),
                ..Fixture::default()
            }),
            id,
            what,
        );
    }
}

#[test]
fn another_descriptor_of_the_same_length_is_refused() {
    let other = "static char other[sizeof seg_descriptor]; memcpy(other, seg_descriptor, sizeof other); other[9] = 'x';";
    let fixture = Fixture {
        entry: format!(
            "{other} static seg_plugin copy; copy = table; copy.descriptor_json = other; return &copy;"
        ),
        ..Fixture::default()
    };
    check(
        &refused(&fixture),
        "L-descriptor",
        "differs from the section",
    );
}

#[test]
fn a_null_table_means_that_the_host_is_too_old() {
    check(
        &refused(&Fixture {
            entry: "return NULL;".to_owned(),
            ..Fixture::default()
        }),
        "L-table",
        "returned NULL",
    );
}

#[test]
fn unknown_low_capabilities_and_a_longer_table_of_a_later_minor_are_accepted() {
    let later = "static struct { seg_plugin base; void *appended; } later; later.base = table; \
                 later.base.struct_size = sizeof later; later.base.abi_minor = 3; later.base.caps |= 1ull << 47; \
                 return &later.base;";
    assert!(
        Fixture {
            entry: later.to_owned(),
            ..Fixture::default()
        }
        .load()
        .is_ok()
    );
}

#[test]
fn a_second_file_with_the_id_of_another_is_refused_and_one_with_another_name_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let built_in = built_in_folder().join("libsextant_segmenter_rfm.so");
    for name in [
        "libsextant_segmenter_a.so",
        "libsextant_segmenter_b.so",
        "rfm.so",
    ] {
        fs::copy(&built_in, folder.path().join(name)).unwrap();
    }
    let found = discover(folder.path());
    let [Ok(first), Err(second)] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert!(first.path().ends_with("libsextant_segmenter_a.so"));
    check(
        second,
        "L-one-of-its-id",
        "libsextant_segmenter_a.so has the id sextant.rfm, too",
    );
    assert!(second.to_string().contains("libsextant_segmenter_b.so"));
    assert_eq!(
        left_alone(folder.path()).unwrap(),
        [folder.path().join("rfm.so")]
    );
}

#[test]
fn a_folder_that_cannot_be_read_is_one_error() {
    let found = discover(Path::new("no/such/folder"));
    assert_eq!(found.len(), 1);
    check(
        found[0].as_ref().unwrap_err(),
        "V-readable",
        "the folder could not be read",
    );
}
