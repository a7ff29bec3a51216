//! Files that need what a machine may not have, or ask for what none should give.

use std::fs;
use std::path::{Path, PathBuf};

use sextant_plugin_host::{LoadError, Verified};

use crate::fixture::{Fixture, built_in_folder, compile};

/// Compiles the fixture with other options and other code in its entry function, and judges it.
fn judge(folder: &Path, entry: &str, options: &[&str]) -> Result<Verified, LoadError> {
    let fixture = Fixture {
        entry: format!("{entry} return &table;"),
        ..Fixture::default()
    };
    Verified::read(&fixture.compile_with(folder, options))
}

fn refused(entry: &str, options: &[&str], id: &str, what: &str) {
    let folder = tempfile::tempdir().unwrap();
    let error = judge(folder.path(), entry, options).unwrap_err();
    assert_eq!(error.check_id(), id, "{error}");
    assert!(error.what().contains(what), "{error}");
    assert!(!error.why().is_empty() && !error.fix().is_empty());
}

/// A library with the name of a system's one, as another system might have it.
fn stand_in(folder: &Path, name: &str, source: &str, options: &[&str]) -> PathBuf {
    let path = folder.join("stand_in.c");
    fs::write(&path, source).unwrap();
    let soname = format!("-Wl,-soname,{name}");
    let mut all = vec!["-fvisibility=default", soname.as_str()];
    all.extend(options);
    compile(folder, &path, "stand_in", &all)
}

#[test]
fn what_every_machine_has_may_be_needed() {
    let folder = tempfile::tempdir().unwrap();
    let entry =
        "extern double cos(double); volatile double one = 1; if (cos(one) > 2) return NULL;";
    judge(folder.path(), entry, &["-lm", "-lpthread", "-ldl"]).unwrap();
    for name in ["rfm", "value_tiers", "lifecycle"] {
        let file = built_in_folder().join(format!("libsextant_segmenter_{name}.so"));
        Verified::read(&file).unwrap();
    }
}

#[test]
fn a_library_that_not_every_machine_has_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let source = "int elsewhere(void) { return 1; }";
    let library = stand_in(folder.path(), "libelsewhere.so.3", source, &[]);
    let entry = "extern int elsewhere(void); if (!elsewhere()) return NULL;";
    refused(
        entry,
        &[library.to_str().unwrap()],
        "V-libraries",
        "it needs libelsewhere.so.3",
    );
}

#[test]
fn a_symbol_that_nobody_exports_is_named_before_the_library_runs() {
    let entry = "extern int nowhere_to_be_found(void); if (!nowhere_to_be_found()) return NULL;";
    refused(
        entry,
        &[],
        "V-symbols",
        "it needs nowhere_to_be_found, which",
    );
}

#[test]
fn a_symbol_that_may_stay_open_is_not_missed() {
    let folder = tempfile::tempdir().unwrap();
    let entry =
        "extern int perhaps(void) __attribute__((weak)); if (perhaps && !perhaps()) return NULL;";
    judge(folder.path(), entry, &[]).unwrap();
}

#[test]
fn a_newer_system_library_is_named_with_the_version_that_is_here() {
    let folder = tempfile::tempdir().unwrap();
    let map = folder.path().join("versions.map");
    fs::write(&map, "GLIBC_9.42 { global: cos; };").unwrap();
    let script = format!("-Wl,--version-script={}", map.display());
    let source = "double cos(double x) { return x; }";
    let library = stand_in(
        folder.path(),
        "libm.so.6",
        source,
        &["-fno-builtin", &script],
    );
    let entry =
        "extern double cos(double); volatile double one = 1; if (cos(one) > 2) return NULL;";
    let what = "it needs GLIBC_9.42 of libm.so.6; this machine has GLIBC_2.";
    refused(
        entry,
        &[library.to_str().unwrap()],
        "V-library-versions",
        what,
    );
}

#[test]
fn a_folder_for_libraries_is_refused() {
    for option in [
        "-Wl,-rpath,/opt/mine",
        "-Wl,--disable-new-dtags,-rpath,/opt/mine",
    ] {
        refused(
            "",
            &[option],
            "V-search-path",
            "looks for libraries in \"/opt/mine\"",
        );
    }
}

#[test]
fn an_executable_stack_is_refused() {
    refused(
        "",
        &["-Wl,-z,execstack"],
        "V-executable-stack",
        "asks for an executable stack",
    );
}

#[test]
fn relocations_in_code_are_refused() {
    let entry = "void *address; __asm__(\"movabs $table, %0\" : \"=r\"(address)); if (!address) return NULL;";
    if cfg!(target_arch = "x86_64") {
        refused(
            entry,
            &["-Wl,-z,notext"],
            "V-text-relocations",
            "relocations in its code",
        );
    }
}

#[test]
fn sections_that_hide_what_is_loaded_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::default();
    let path = fixture.compile_with(folder.path(), &[]);
    let bytes = fs::read(&path).unwrap();
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let place = |at: usize| usize::try_from(number(at)).unwrap();
    // Program header of type 2 (PT_DYNAMIC): its offset in the file is the third of its fields, 8 bytes behind the type.
    let headers = usize::from(u16::from_le_bytes([bytes[56], bytes[57]]));
    let dynamic = (0..headers)
        .map(|k| place(32) + 56 * k)
        .find(|at| bytes[*at] == 2)
        .unwrap();
    // Dynamic entries of the types 5 (DT_STRTAB) and 6 (DT_SYMTAB): their addresses are behind the types.
    let entry = |kind: u64| {
        let mut entries = (place(dynamic + 8)..).step_by(16);
        entries.find(|at| number(*at) == kind).unwrap() + 8
    };
    for changed in [dynamic + 8, entry(5), entry(6)] {
        let mut bytes = bytes.clone();
        bytes[changed] ^= 16;
        let error = Verified::new(&path, &bytes).unwrap_err();
        assert_eq!(error.check_id(), "V-elf", "{error}");
        let what = "different dynamic entries";
        assert!(error.what().contains(what), "{error}");
    }
    // Notes (type 4) are of nobody's interest, and two of the others are the loader's choice: PT_DYNAMIC, and PT_GNU_STACK.
    let note = (0..headers)
        .map(|k| place(32) + 56 * k)
        .find(|at| bytes[*at] == 4)
        .unwrap();
    for kind in [2_u32, 0x6474_e551] {
        let mut bytes = bytes.clone();
        bytes[note..note + 4].copy_from_slice(&kind.to_le_bytes());
        let error = Verified::new(&path, &bytes).unwrap_err();
        assert_eq!(error.check_id(), "V-elf", "{error}");
        assert!(error.what().contains("two program headers"), "{error}");
    }
}

#[test]
fn a_library_that_has_its_symbols_looked_for_elsewhere_is_refused() {
    for option in ["-Wl,--auxiliary=libother.so", "-Wl,--filter=libother.so"] {
        let folder = tempfile::tempdir().unwrap();
        let path = Fixture::default().compile_with(folder.path(), &[option]);
        let error = Verified::read(&path).unwrap_err();
        assert_eq!(error.check_id(), "V-libraries", "{error}");
        assert!(error.what().contains("libother.so"), "{error}");
    }
}
