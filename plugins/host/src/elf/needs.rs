//! What a shared object needs of the machine that loads it: libraries, their versions, and symbols.
//!
//! The dynamic loader would find all of this out as well, one thing at a time and in its own words; here it is said
//! before anything runs, with the version that the machine has.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use object::elf::{
    DF_TEXTREL, DT_AUXILIARY, DT_FILTER, DT_FLAGS, DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_STRTAB,
    DT_SYMTAB, DT_TEXTREL, PF_X, PT_DYNAMIC, PT_GNU_STACK, PT_LOAD, ProgramHeader64, ProgramType,
    SHT_DYNAMIC, SHT_DYNSYM, SectionHeader64,
};
use object::read::elf::{ElfFile64, ProgramHeader as _, SectionHeader as _};
use object::{Endianness, Object as _, ObjectSymbol as _};

use crate::check::{Check, Finding};
use crate::library;

/// Libraries that a segmenter may name. They belong to every machine with glibc; all else has to be linked statically.
const ALLOWED: [&str; 9] = [
    "libc.so.6",
    "libm.so.6",
    "libgcc_s.so.1",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libstdc++.so.6",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
];

/// Where distributions keep those of this machine; an emulated one may have the other's beside them. The dynamic loader's own
/// folders come first, as it looks there first.
pub(crate) const FOLDERS: [&str; 6] = if cfg!(target_arch = "aarch64") {
    of("/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu")
} else {
    of("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu")
};

const fn of(architecture: &'static str, beside_programs: &'static str) -> [&'static str; 6] {
    [
        architecture,
        beside_programs,
        "/lib64",
        "/usr/lib64",
        "/lib",
        "/usr/lib",
    ]
}

/// Longest name that is shown whole.
const MAX_SHOWN_BYTES: usize = 256;
/// Most versions of libraries that a file may name: they can overlap, so that a small one names many.
const MAX_VERSIONS: usize = 1_000;

/// A library of this machine.
struct Library {
    /// Names of the symbols that it exports.
    symbols: BTreeSet<Vec<u8>>,
    /// Names of the versions that it defines, such as `GLIBC_2.34`.
    versions: BTreeSet<String>,
    needed: Vec<String>,
}

/// Judges everything that the loader will look for outside of the file, and what it will make of the file's own memory.
pub(super) fn check(file: &ElfFile64<'_>) -> Result<(), Finding> {
    check_dynamic_place(file)?;
    let needed = dynamic_entries(file)?;
    let libraries = libraries(&needed)?;
    check_versions(file, &libraries)?;
    check_symbols(file, &libraries)?;
    check_stack(file)
}

fn damaged(error: object::Error) -> Finding {
    Finding::new(Check::Elf, "the file is damaged or cut off").caused_by(error)
}

/// Tools find the dynamic entries and their names by section, the loader by segment and by address; what is judged has to be what is
/// loaded.
fn check_dynamic_place(file: &ElfFile64<'_>) -> Result<(), Finding> {
    let endian = file.endian();
    let segment =
        only(file, PT_DYNAMIC)?.map(|header| (header.p_offset(endian), header.p_vaddr(endian)));
    let sections = || file.elf_section_table().iter();
    let section = sections().find(|section| section.sh_type(endian) == SHT_DYNAMIC);
    let place = section.map(|section| (section.sh_offset(endian), section.sh_addr(endian)));
    let names = section.and_then(|section| {
        let strings = section.link(endian);
        file.elf_section_table().section(strings).ok()
    });
    let symbols = sections().find(|section| section.sh_type(endian) == SHT_DYNSYM);
    let table = file.elf_dynamic_table().map_err(damaged)?;
    let is_said = |tag, section: Option<&SectionHeader64<Endianness>>| {
        let mut said = table.iter().filter(|entry| entry.tag == tag);
        section.is_some_and(|section| {
            is_loaded(file, section) && said.all(|entry| entry.val == section.sh_addr(endian))
        })
    };
    let is_same = segment.is_some() && segment == place;
    if is_same && is_said(DT_STRTAB, names) && is_said(DT_SYMTAB, symbols) {
        return Ok(());
    }
    let what = "its sections and its segments name different dynamic entries, or none";
    Err(Finding::new(Check::Elf, what))
}

/// The program header of a kind of which there may be one: of several, tools take the first, and the loader the last.
fn only<'f>(
    file: &ElfFile64<'f>,
    kind: ProgramType,
) -> Result<Option<&'f ProgramHeader64<Endianness>>, Finding> {
    let endian = file.endian();
    let headers = file.elf_program_headers().iter();
    let mut found = headers.filter(|header| header.p_type(endian) == kind);
    let first = found.next();
    if found.next().is_some() {
        let what = "it has two program headers of a kind of which there may be one";
        return Err(Finding::new(Check::Elf, what));
    }
    Ok(first)
}

/// Whether the bytes of a section are those that a segment loads to its address.
fn is_loaded(file: &ElfFile64<'_>, section: &SectionHeader64<Endianness>) -> bool {
    let endian = file.endian();
    let (offset, address) = (section.sh_offset(endian), section.sh_addr(endian));
    let mut segments = file.elf_program_headers().iter();
    segments.any(|segment| {
        let begin = segment.p_offset(endian);
        let into = offset
            .checked_sub(begin)
            .zip(address.checked_sub(segment.p_vaddr(endian)));
        segment.p_type(endian) == PT_LOAD
            && into
                .is_some_and(|(bytes, memory)| bytes == memory && bytes < segment.p_filesz(endian))
    })
}

/// The libraries that the file names, after its other dynamic entries were judged.
fn dynamic_entries(file: &ElfFile64<'_>) -> Result<BTreeSet<&'static str>, Finding> {
    let table = file.elf_dynamic_table().map_err(damaged)?;
    let mut needed = BTreeSet::new();
    for entry in table.iter() {
        let text = || table.string(entry).map_err(damaged);
        match entry.tag {
            DT_NEEDED => {
                let name = text()?;
                let allowed = ALLOWED.iter().find(|allowed| allowed.as_bytes() == name);
                let other = || Finding::new(Check::Libraries, format!("it needs {}", lossy(name)));
                needed.insert(*allowed.ok_or_else(other)?);
            },
            DT_AUXILIARY | DT_FILTER => {
                let what = format!("it has its symbols looked for in \"{}\"", lossy(text()?));
                return Err(Finding::new(Check::Libraries, what));
            },
            DT_RPATH | DT_RUNPATH => {
                let what = format!("it looks for libraries in \"{}\"", lossy(text()?));
                return Err(Finding::new(Check::SearchPath, what));
            },
            DT_TEXTREL => return Err(writes_code()),
            DT_FLAGS if entry.val & DF_TEXTREL.0 != 0 => return Err(writes_code()),
            _ => {},
        }
    }
    Ok(needed)
}

fn writes_code() -> Finding {
    Finding::new(Check::TextRelocations, "it has relocations in its code")
}

/// The libraries and what they need themselves, read from this machine.
fn libraries(needed: &BTreeSet<&str>) -> Result<BTreeMap<String, Arc<Library>>, Finding> {
    let mut libraries = BTreeMap::new();
    let mut open: Vec<String> = needed.iter().map(|name| (*name).to_owned()).collect();
    while let Some(name) = open.pop() {
        if let Entry::Vacant(place) = libraries.entry(name) {
            let library = library(place.key())?;
            open.extend(library.needed.iter().cloned());
            place.insert(library);
        }
    }
    Ok(libraries)
}

/// Libraries that were read. A process keeps those it runs with, also where the system's files are replaced meanwhile.
static READ: Mutex<BTreeMap<String, Arc<Library>>> = Mutex::new(BTreeMap::new());

fn library(name: &str) -> Result<Arc<Library>, Finding> {
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(library) = read.get(name) {
        return Ok(Arc::clone(library));
    }
    let library = Arc::new(read_library(name)?);
    read.insert(name.to_owned(), Arc::clone(&library));
    Ok(library)
}

fn read_library(name: &str) -> Result<Library, Finding> {
    let found = FOLDERS
        .iter()
        .find_map(|folder| fs::read(Path::new(folder).join(name)).ok());
    let Some(bytes) = found else {
        let what = format!("it needs {name}, which this machine does not have");
        return Err(Finding::new(Check::Libraries, what));
    };
    let read = || {
        let file = ElfFile64::parse(&*bytes)?;
        let exported = file.dynamic_symbols().filter(|one| !one.is_undefined());
        let symbols = exported.filter_map(|symbol| Some(symbol.name_bytes().ok()?.to_vec()));
        let table = file.elf_dynamic_table()?;
        let named = table.iter().filter(|entry| entry.tag == DT_NEEDED);
        let needed = named.filter_map(|entry| table.string(entry).ok());
        Ok(Library {
            symbols: symbols.collect(),
            versions: defined_versions(&file)?,
            needed: needed.map(lossy).collect(),
        })
    };
    read().map_err(|error: object::Error| {
        let what = format!("this machine's {name} cannot be read");
        Finding::new(Check::Libraries, what).caused_by(error)
    })
}

/// A name, as far as people read it.
fn lossy(name: &[u8]) -> String {
    let shown = name.get(..MAX_SHOWN_BYTES).unwrap_or(name);
    String::from_utf8_lossy(shown).into_owned()
}

fn defined_versions(file: &ElfFile64<'_>) -> object::Result<BTreeSet<String>> {
    let (endian, data, sections) = (file.endian(), file.data(), file.elf_section_table());
    let mut names = BTreeSet::new();
    let Some((mut definitions, link)) = sections.gnu_verdef(endian, data)? else {
        return Ok(names);
    };
    let strings = sections.strings(endian, data, link)?;
    while let Some((_, mut own_and_contained)) = definitions.next()? {
        if let Some(own) = own_and_contained.next()? {
            names.insert(lossy(own.name(endian, strings)?));
        }
    }
    Ok(names)
}

/// Every version of a library that the file was linked against exists here.
fn check_versions(
    file: &ElfFile64<'_>,
    libraries: &BTreeMap<String, Arc<Library>>,
) -> Result<(), Finding> {
    let (endian, data, sections) = (file.endian(), file.data(), file.elf_section_table());
    let needs = sections.gnu_verneed(endian, data).map_err(damaged)?;
    let Some((mut needs, link)) = needs else {
        return Ok(());
    };
    let strings = sections.strings(endian, data, link).map_err(damaged)?;
    let mut left = MAX_VERSIONS;
    while let Some((need, mut versions)) = needs.next().map_err(damaged)? {
        left = left.checked_sub(1).ok_or_else(too_many_versions)?;
        let library = lossy(need.file(endian, strings).map_err(damaged)?);
        let here = libraries.get(&library);
        while let Some(version) = versions.next().map_err(damaged)? {
            left = left.checked_sub(1).ok_or_else(too_many_versions)?;
            let version = lossy(version.name(endian, strings).map_err(damaged)?);
            check_version((&library, &version), here.map(|here| &here.versions))?;
        }
    }
    Ok(())
}

fn too_many_versions() -> Finding {
    let what = format!("it names more than {MAX_VERSIONS} versions of libraries");
    Finding::new(Check::LibraryVersions, what)
}

fn check_version(
    (library, version): (&str, &str),
    here: Option<&BTreeSet<String>>,
) -> Result<(), Finding> {
    let Some(here) = here else {
        let what = format!("it needs {version} of {library}, which it does not name");
        return Err(Finding::new(Check::Libraries, what));
    };
    if here.contains(version) {
        return Ok(());
    }
    let newest = newest_like(version, here);
    let what = format!("it needs {version} of {library}; this machine has {newest}");
    Err(Finding::new(Check::LibraryVersions, what))
}

/// The newest version with the same name before its number, such as `GLIBC_2.36` for `GLIBC_2.38`.
fn newest_like(version: &str, defined: &BTreeSet<String>) -> String {
    let (name, _) = split(version);
    let alike = defined.iter().filter(|one| split(one).0 == name);
    let newest = alike.max_by_key(|one| split(one).1);
    newest.map_or_else(|| format!("no {name}"), Clone::clone)
}

fn split(version: &str) -> (&str, Vec<u32>) {
    let (name, numbers) = version.rsplit_once('_').unwrap_or((version, ""));
    let numbers = numbers.split('.').filter_map(|number| number.parse().ok());
    (name, numbers.collect())
}

/// Every symbol that the file leaves open is exported by one of the libraries, unless it may stay open.
fn check_symbols(
    file: &ElfFile64<'_>,
    libraries: &BTreeMap<String, Arc<Library>>,
) -> Result<(), Finding> {
    for symbol in file.dynamic_symbols() {
        let name = symbol.name_bytes().map_err(damaged)?;
        let is_there = !symbol.is_undefined()
            || symbol.is_weak()
            || name.is_empty()
            || libraries.values().any(|one| one.symbols.contains(name))
            || library::is_exported_here(name);
        if !is_there {
            let name = lossy(name);
            let what = format!("it needs {name}, which no library that it names exports");
            return Err(Finding::new(Check::Symbols, what));
        }
    }
    Ok(())
}

fn check_stack(file: &ElfFile64<'_>) -> Result<(), Finding> {
    let endian = file.endian();
    let what = match only(file, PT_GNU_STACK)? {
        Some(stack) if (stack.p_flags(endian) & PF_X).0 == 0 => return Ok(()),
        Some(_) => "it asks for an executable stack",
        None => "it does not say that its stack is not executable",
    };
    Err(Finding::new(Check::ExecutableStack, what))
}

#[cfg(test)]
mod tests;
