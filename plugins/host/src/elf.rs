//! What can be said about a shared object without running it.

mod needs;

pub(crate) use crate::elf::needs::FOLDERS;

use object::read::elf::ElfFile64;
use object::{Architecture, Object as _, ObjectKind, ObjectSection as _, ObjectSymbol as _};

use sextant_segmenter_abi::{
    ABI_MAJOR, ABI_MINOR, DESCRIPTOR_MAX_BYTES, DESCRIPTOR_SECTION, ENTRY_SYMBOL,
};

use crate::Descriptor;
use crate::check::{Check, Finding};

/// Judges the bytes of a file and returns its descriptor: the exact text and its meaning.
pub(crate) fn verify(bytes: &[u8]) -> Result<(String, Descriptor), Finding> {
    if !bytes.starts_with(b"\x7fELF") {
        return Err(Finding::new(
            Check::Elf,
            "the file does not start like an ELF file",
        ));
    }
    let here = this_machine();
    // Byte 4 of an ELF file is its class: 2 for 64 bit.
    if bytes.get(4) != Some(&2) {
        return Err(Finding::new(
            Check::Machine,
            format!("it is not a 64-bit file; this host is {here:?}"),
        ));
    }
    let damaged = |error: object::Error| {
        Finding::new(Check::Elf, "the file is damaged or cut off").caused_by(error)
    };
    let file = ElfFile64::parse(bytes).map_err(damaged)?;
    if file.architecture() != here {
        let what = format!(
            "it is compiled for {:?}; this host is {here:?}",
            file.architecture()
        );
        return Err(Finding::new(Check::Machine, what));
    }
    if file.kind() != ObjectKind::Dynamic {
        return Err(Finding::new(
            Check::SharedObject,
            format!("it is of kind {:?}", file.kind()),
        ));
    }
    check_size(&file)?;
    let entry = file
        .dynamic_symbols()
        .find(|symbol| symbol.name() == Ok(ENTRY_SYMBOL));
    if !entry.is_some_and(|symbol| symbol.is_definition()) {
        return Err(Finding::new(
            Check::Entry,
            format!("it does not export {ENTRY_SYMBOL}"),
        ));
    }
    let Some(section) = file.section_by_name(DESCRIPTOR_SECTION) else {
        return Err(Finding::new(
            Check::DescriptorSection,
            format!("it has no section {DESCRIPTOR_SECTION}"),
        ));
    };
    let text = section_text(section.data().map_err(damaged)?)?;
    let descriptor = descriptor(text.as_bytes())?;
    needs::check(&file)?;
    Ok((text.to_owned(), descriptor))
}

/// Most bytes in the names of sections, and of symbols: names may overlap, so that a small file has many long ones.
const MAX_NAME_BYTES: usize = 16 << 20;

/// Judges what there is to go through: whoever looks at a file for the first time does not know who made it.
fn check_size(file: &ElfFile64<'_>) -> Result<(), Finding> {
    let mut sections = file.sections().map(|section| section.name_bytes());
    let mut symbols = file.dynamic_symbols().map(|symbol| symbol.name_bytes());
    let within = |n_bytes: usize, name: Result<&[u8], object::Error>| {
        let n_bytes = n_bytes + name.map_or(0, <[u8]>::len) + 1;
        (n_bytes <= MAX_NAME_BYTES).then_some(n_bytes)
    };
    if sections.try_fold(0, within).is_some() && symbols.try_fold(0, within).is_some() {
        return Ok(());
    }
    let what =
        format!("the names of its sections or symbols have more than {MAX_NAME_BYTES} bytes");
    Err(Finding::new(Check::Elf, what))
}

/// Judges a descriptor, wherever it is from.
pub(crate) fn descriptor(bytes: &[u8]) -> Result<Descriptor, Finding> {
    let descriptor = Descriptor::parse(section_text(bytes)?)?;
    if descriptor.abi.major != ABI_MAJOR || descriptor.abi.minor > ABI_MINOR {
        let what = format!(
            "it needs ABI {}; this host serves {ABI_MAJOR}.{ABI_MINOR}",
            descriptor.abi
        );
        return Err(Finding::new(Check::Abi, what));
    }
    Ok(descriptor)
}

/// The document without the NULs that may follow it.
fn section_text(section: &[u8]) -> Result<&str, Finding> {
    let length = section
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let document = section.split_at(length).0;
    if document.is_empty() || document.len() > DESCRIPTOR_MAX_BYTES {
        let what =
            format!("the descriptor has {length} bytes; 1 to {DESCRIPTOR_MAX_BYTES} are allowed");
        return Err(Finding::new(Check::DescriptorSection, what));
    }
    str::from_utf8(document).map_err(|error| {
        Finding::new(Check::DescriptorSection, "the descriptor is not UTF-8").caused_by(error)
    })
}

const fn this_machine() -> Architecture {
    if cfg!(target_arch = "x86_64") {
        Architecture::X86_64
    } else if cfg!(target_arch = "aarch64") {
        Architecture::Aarch64
    } else {
        Architecture::Unknown
    }
}
