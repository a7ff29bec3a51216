//! What can be told of a plugin for another machine, where it cannot run.

use std::collections::BTreeSet;
use std::fs;
use std::mem::offset_of;
use std::ops::Range;
use std::path::PathBuf;

use object::read::elf::ElfFile64;
use object::{
    Object as _, ObjectKind, ObjectSection as _, ObjectSymbol as _, RelocationFlags, elf,
};
use sha2::{Digest as _, Sha256};

use sextant_plugin_host::{Plugin, Verified};
use sextant_segmenter_abi::{
    ABI_MAJOR, ABI_MINOR, DESCRIPTOR_SECTION, ENTRY_SYMBOL, SEG_CAP_DETERMINISTIC, SEG_CAP_EXPLAIN,
    SEG_CAP_ROW_INDEPENDENT, SEG_CAP_THREAD_SAFE, SegPlugin,
};

use super::{MACHINES, archived, name, own};

/// SHA-256 in hexadecimal digits.
pub(super) fn digest(bytes: &[u8]) -> String {
    let digits = Sha256::digest(bytes);
    digits.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn foreign() -> Vec<PathBuf> {
    let others = MACHINES
        .iter()
        .filter(|one| **one != std::env::consts::ARCH);
    others.flat_map(|machine| archived(machine)).collect()
}

/// The document in the section of its own, without the NULs behind it.
fn descriptor(file: &ElfFile64<'_>) -> Vec<u8> {
    let section = file.section_by_name(DESCRIPTOR_SECTION).unwrap();
    let text = section.data().unwrap().split(|byte| *byte == 0).next();
    text.unwrap().to_vec()
}

/// Where the loader will put the address of a place in the file, and which: the words that are relative to the file.
fn words(file: &ElfFile64<'_>) -> Vec<(u64, u64)> {
    let relocations = file.dynamic_relocations().unwrap();
    let relative = relocations.filter(|(_, relocation)| {
        let RelocationFlags::Elf { r_type } = relocation.flags() else {
            return false;
        };
        r_type == elf::R_AARCH64_RELATIVE || r_type == elf::R_X86_64_RELATIVE
    });
    relative
        .map(|(at, relocation)| (at, u64::try_from(relocation.addend()).unwrap()))
        .collect()
}

/// The bytes at an address, if the file has them.
fn bytes<'f>(file: &ElfFile64<'f>, at: u64, n_bytes: usize) -> Option<&'f [u8]> {
    let n_bytes = u64::try_from(n_bytes).unwrap();
    file.sections()
        .find_map(|section| section.data_range(at, n_bytes).ok().flatten())
}

/// A whole number at an address.
fn number(file: &ElfFile64<'_>, at: u64, n_bytes: usize) -> Option<u64> {
    let digits = bytes(file, at, n_bytes)?.iter().rev();
    Some(digits.fold(0, |number, byte| (number << 8) | u64::from(*byte)))
}

/// The addresses of the file's code.
fn code(file: &ElfFile64<'_>) -> Range<u64> {
    let text = file.section_by_name(".text").unwrap();
    text.address()..text.address() + text.size()
}

fn field(offset: usize) -> u64 {
    u64::try_from(offset).unwrap()
}

/// Where the table is: something that begins with its size and version, and points to the text of the descriptor.
fn table(file: &ElfFile64<'_>, words: &[(u64, u64)]) -> u64 {
    let text = descriptor(file);
    let is_table = |(at, to): &(u64, u64)| {
        let table = at.checked_sub(field(offset_of!(SegPlugin, descriptor_json)))?;
        let read = |offset, n_bytes| number(file, table + field(offset), n_bytes);
        let head = [
            read(offset_of!(SegPlugin, struct_size), 4)?,
            read(offset_of!(SegPlugin, abi_major), 2)?,
            read(offset_of!(SegPlugin, abi_minor), 2)?,
            read(offset_of!(SegPlugin, descriptor_len), 8)?,
        ];
        let expected = [
            field(size_of::<SegPlugin>()),
            ABI_MAJOR.into(),
            ABI_MINOR.into(),
            field(text.len()),
        ];
        (head == expected && bytes(file, *to, text.len())? == text).then_some(table)
    };
    let tables: Vec<u64> = words.iter().filter_map(is_table).collect();
    assert_eq!(tables.len(), 1);
    tables[0]
}

/// The table as it will be once it is loaded: every function that is needed or promised is there, and no other.
fn check_table(file: &ElfFile64<'_>) {
    let words = words(file);
    let table = table(file, &words);
    let read = |offset, n_bytes| number(file, table + field(offset), n_bytes).unwrap();
    let caps = read(offset_of!(SegPlugin, caps), 8);
    let known = SEG_CAP_DETERMINISTIC | SEG_CAP_ROW_INDEPENDENT | SEG_CAP_THREAD_SAFE;
    assert_eq!(caps & !(known | SEG_CAP_EXPLAIN), 0, "{caps:#x}");
    let code = code(file);
    for offset in (offset_of!(SegPlugin, create)..size_of::<SegPlugin>()).step_by(8) {
        let at = table + field(offset);
        let word = words.iter().find(|(word, _)| *word == at);
        let is_set = word.is_some_and(|(_, to)| code.contains(to));
        let is_needed = [
            offset_of!(SegPlugin, create),
            offset_of!(SegPlugin, bind),
            offset_of!(SegPlugin, segment),
            offset_of!(SegPlugin, destroy),
        ]
        .contains(&offset);
        let is_promised = offset == offset_of!(SegPlugin, explain) && caps & SEG_CAP_EXPLAIN != 0;
        assert_eq!(is_set, is_needed || is_promised, "function at {offset}");
    }
}

/// The versions of libraries that a file needs, such as `libc.so.6 GLIBC_2.17`.
fn versions(file: &ElfFile64<'_>) -> BTreeSet<String> {
    let (endian, data, sections) = (file.endian(), file.data(), file.elf_section_table());
    let (mut needs, link) = sections.gnu_verneed(endian, data).unwrap().unwrap();
    let strings = sections.strings(endian, data, link).unwrap();
    let mut found = BTreeSet::new();
    while let Some((need, mut of_library)) = needs.next().unwrap() {
        let library = String::from_utf8_lossy(need.file(endian, strings).unwrap());
        while let Some(version) = of_library.next().unwrap() {
            let version = String::from_utf8_lossy(version.name(endian, strings).unwrap());
            found.insert(format!("{library} {version}"));
        }
    }
    found
}

#[test]
fn a_plugin_for_another_machine_has_all_that_its_own_machine_will_look_for() {
    for path in own().into_iter().chain(foreign()) {
        let whole = fs::read(&path).unwrap();
        let file = ElfFile64::parse(&*whole).unwrap();
        assert_eq!(file.kind(), ObjectKind::Dynamic);
        let machine = path.parent().unwrap().file_name().unwrap();
        let compiled_for = format!("{:?}", file.architecture()).to_lowercase();
        assert_eq!(compiled_for, machine.to_str().unwrap());
        let entry = file
            .dynamic_symbols()
            .find(|symbol| symbol.name() == Ok(ENTRY_SYMBOL))
            .unwrap();
        assert!(entry.is_definition() && code(&file).contains(&entry.address()));
        // In C++ the entry function makes the table when it is called first.
        if name(&path) != "seat_pressure_cpp.so" {
            check_table(&file);
        }
    }
}

/// Its twin for this machine is loaded and judged: what is said of the one holds for the other.
#[test]
fn a_plugin_says_of_itself_on_every_machine_the_same() {
    for (here, there) in own().into_iter().zip(foreign()) {
        assert_eq!(name(&here), name(&there));
        let whole = fs::read(&there).unwrap();
        let text = descriptor(&ElfFile64::parse(&*whole).unwrap());
        let own = Verified::read(&here).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), own.descriptor_json());
    }
}

#[test]
fn a_plugin_for_another_machine_is_refused_here_by_its_machine() {
    for path in foreign() {
        let error = Plugin::load(&path).unwrap_err();
        assert_eq!(error.check_id(), "V-machine", "{error}");
        assert!(error.what().contains("it is compiled for"), "{error}");
    }
}

/// What the host asks of a file beside its machine: the same file, said to be for this one. Versions of glibc begin with 2.17 on
/// aarch64, and not all libraries of other machines have that one, so it may be what is missing.
#[cfg(target_arch = "x86_64")]
#[test]
fn of_a_plugin_for_aarch64_nothing_else_would_be_refused() {
    // Bytes 18 and 19 of an ELF file are its machine.
    const MACHINE: Range<usize> = 18..20;
    for path in archived("aarch64") {
        let mut whole = fs::read(&path).unwrap();
        assert_eq!(whole[MACHINE], elf::EM_AARCH64.0.to_le_bytes());
        whole[MACHINE].copy_from_slice(&elf::EM_X86_64.0.to_le_bytes());
        if let Err(error) = Verified::new(&path, &whole) {
            assert_eq!(error.check_id(), "V-library-versions", "{error}");
            assert!(error.what().contains("it needs GLIBC_2.17 of"), "{error}");
        }
    }
}

#[test]
fn a_plugin_for_aarch64_needs_libraries_that_distributions_of_2021_have() {
    let needed = [
        ("health_groups_c.so", "libc.so.6 GLIBC_2.17"),
        (
            "seat_pressure_cpp.so",
            "libc.so.6 GLIBC_2.17, libgcc_s.so.1 GCC_3.0, libm.so.6 GLIBC_2.17, libstdc++.so.6 CXXABI_1.3, \
             libstdc++.so.6 CXXABI_1.3.9, libstdc++.so.6 GLIBCXX_3.4, libstdc++.so.6 GLIBCXX_3.4.20, \
             libstdc++.so.6 GLIBCXX_3.4.21",
        ),
        (
            "team_size_rust.so",
            "libc.so.6 GLIBC_2.17, libc.so.6 GLIBC_2.18, libc.so.6 GLIBC_2.28, libc.so.6 GLIBC_2.30, libc.so.6 GLIBC_2.33, \
             libc.so.6 GLIBC_2.34, libgcc_s.so.1 GCC_3.0, libgcc_s.so.1 GCC_3.3, libgcc_s.so.1 GCC_4.2.0",
        ),
    ];
    for (path, (file, expected)) in archived("aarch64").iter().zip(needed) {
        let whole = fs::read(path).unwrap();
        let versions = versions(&ElfFile64::parse(&*whole).unwrap());
        let versions: Vec<String> = versions.into_iter().collect();
        assert_eq!((name(path), versions.join(", ").as_str()), (file, expected));
    }
}
