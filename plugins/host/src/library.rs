//! Loading: from sealed memory into the process, and the checks of the table.
//!
//! Nothing is ever unloaded. A shared object with thread-local destructors or threads of its own stays mapped anyway,
//! and an array that outlives its library would free itself through unmapped code; so the end of a plugin is the end of
//! the process, and every load of a new version costs its memory and one file descriptor.
#![expect(unsafe_code, reason = "loads a shared object and reads its table")]

use std::ffi::{c_int, c_void};
use std::mem::offset_of;
use std::ops::Range;
use std::os::fd::IntoRawFd as _;
use std::slice;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use sextant_segmenter_abi::{
    ABI_MAJOR, ABI_MINOR, ENTRY_SYMBOL, SEG_CAP_EXPLAIN, SEG_CAP_FIT, SEG_CAP_ISOLATED_ONLY,
    SEG_CAP_MUST_UNDERSTAND, SegBind, SegCreate, SegDestroy, SegExplain, SegFitBatch, SegFitBegin,
    SegFitEnd, SegPlugin, SegPluginEntry, SegSegment, SegStateLoad, SegToSink,
};

use crate::Descriptor;
use crate::check::{Check, Finding};
use crate::sealed::Sealed;

/// Keeps the object mapped whatever else happens; Linux value, which `libloading` does not name.
const RTLD_NODELETE: i32 = 0x1000;

/// Where a segmenter is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the process that uses it.
    Service,
    /// In a process of its own.
    Sandbox,
}

/// The functions of a checked table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    pub(crate) caps: u64,
    pub(crate) create: SegCreate,
    pub(crate) bind: SegBind,
    pub(crate) segment: SegSegment,
    pub(crate) destroy: SegDestroy,
    pub(crate) explain: Option<SegExplain>,
    pub(crate) requirements: Option<SegToSink>,
    pub(crate) segments: Option<SegToSink>,
    pub(crate) fit: Option<Fit>,
}

/// The functions of a segmenter that has to be fitted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fit {
    pub(crate) begin: SegFitBegin,
    pub(crate) batch: SegFitBatch,
    pub(crate) end: SegFitEnd,
    pub(crate) save: SegToSink,
    pub(crate) load: SegStateLoad,
}

impl Fit {
    fn of(table: &SegPlugin) -> Option<Self> {
        Some(Self {
            begin: table.fit_begin?,
            batch: table.fit_batch?,
            end: table.fit_end?,
            save: table.state_save?,
            load: table.state_load?,
        })
    }
}

/// Loads verified memory and checks the table against its descriptor.
pub(crate) fn load(
    memory: &Sealed,
    (descriptor, json): (&Descriptor, &str),
    place: Place,
) -> Result<Table, Finding> {
    let entry = open(memory.again()?)?;
    // SAFETY: the symbol has this signature by contract; loading it ran code of the same object.
    let table = unsafe { entry(ABI_MINOR) };
    if table.is_null() {
        return Err(Finding::new(
            Check::TablePresent,
            "the entry function returned NULL",
        ));
    }
    check_version(table)?;
    // SAFETY: the plugin says that the table has at least the size of this struct; a table is constant and never freed.
    let table = unsafe { &*table };
    if table.caps & SEG_CAP_ISOLATED_ONLY != 0 && place == Place::Service {
        return Err(Finding::new(
            Check::InProcess,
            "SEG_CAP_ISOLATED_ONLY is set",
        ));
    }
    check(table, (descriptor, json))
}

/// Whether a symbol is found although no library that was named exports it: in this program, as where a sanitizer is part of it.
pub(crate) fn is_exported_here(name: &[u8]) -> bool {
    // SAFETY: the address is not looked at.
    unsafe { Library::this().get::<*const ()>(name) }.is_ok()
}

/// Where an object is in memory, with its first byte at the address 0 of its file, and its code among that.
#[derive(Debug, Default)]
pub(crate) struct Object {
    pub(crate) memory: Range<usize>,
    pub(crate) code: Range<usize>,
}

/// The object of a table; empty: the loader does not know it.
pub(crate) fn object_of(table: &Table) -> Object {
    let mut found = Found {
        of: table.create as usize,
        object: Object::default(),
    };
    // SAFETY: the function gets what it takes, and is done before this one.
    unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut found).cast()) };
    found.object
}

/// The object of an address.
struct Found {
    of: usize,
    object: Object,
}

/// Looks at one object; another number than 0: it was the right one.
unsafe extern "C" fn look(
    object: *mut libc::dl_phdr_info,
    _size: usize,
    found: *mut c_void,
) -> c_int {
    // SAFETY: the loader gives an object that stays while this runs.
    let object = unsafe { &*object };
    // SAFETY: the loader hands on what it got, and nobody else looks at it meanwhile.
    let found = unsafe { &mut *found.cast::<Found>() };
    // SAFETY: so many headers are there, says the loader.
    let headers = unsafe { slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into()) };
    let address = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let base = address(object.dlpi_addr);
    let loaded = headers.iter().filter(|one| one.p_type == libc::PT_LOAD);
    let range = |one: &libc::Elf64_Phdr| {
        let begin = base.saturating_add(address(one.p_vaddr));
        begin..begin.saturating_add(address(one.p_memsz))
    };
    let end = loaded.clone().map(|one| range(one).end).max();
    let code = loaded
        .filter(|one| one.p_flags & libc::PF_X != 0)
        .map(range);
    let memory = base..end.unwrap_or(base);
    let is_it = memory.contains(&found.of);
    if is_it {
        found.object = Object {
            code: code.into_iter().next().unwrap_or_default(),
            memory,
        };
    }
    is_it.into()
}

fn open(memory: Sealed) -> Result<SegPluginEntry, Finding> {
    let path = memory.path();
    // The descriptor stays open for ever: the loader recognises objects by path, so a path that is used again would
    // give back the object that was loaded under it before.
    let _never_closed = memory.into_inner().into_raw_fd();
    let refused =
        |error| Finding::new(Check::Loadable, "the dynamic loader refused it").caused_by(error);
    // SAFETY: runs the initialisers of the object: in the service those of trusted code, else in a sandbox. It is never
    // unloaded, so no finaliser runs.
    let library =
        unsafe { Library::open(Some(path.as_str()), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) };
    let library = library.map_err(refused)?;
    // SAFETY: the symbol has this signature by contract.
    let entry = unsafe { library.get::<SegPluginEntry>(ENTRY_SYMBOL) }.map_err(refused)?;
    let entry = *entry;
    let _never_closed = library.into_raw();
    Ok(entry)
}

/// Size and major version, the two facts that must hold before the rest of the table may be read.
fn check_version(table: *const SegPlugin) -> Result<(), Finding> {
    // SAFETY: every table of every version starts with these eight bytes.
    let head = unsafe { slice::from_raw_parts(table.cast::<u8>(), offset_of!(SegPlugin, caps)) };
    let [s0, s1, s2, s3, major0, major1, ..] = *head else {
        return Err(Finding::new(Check::TableVersion, "the table is too short"));
    };
    let size = usize::try_from(u32::from_ne_bytes([s0, s1, s2, s3])).unwrap_or(usize::MAX);
    let major = u16::from_ne_bytes([major0, major1]);
    if major != ABI_MAJOR {
        return Err(Finding::new(
            Check::TableVersion,
            format!("abi_major is {major}, this host needs {ABI_MAJOR}"),
        ));
    }
    // 65 536 is far beyond any table of major version 1: such a number is not a size.
    if !(size_of::<SegPlugin>()..65_536).contains(&size) {
        let least = size_of::<SegPlugin>();
        return Err(Finding::new(
            Check::TableVersion,
            format!("struct_size is {size}, ABI 1.0 has {least}"),
        ));
    }
    Ok(())
}

fn check(table: &SegPlugin, (descriptor, json): (&Descriptor, &str)) -> Result<Table, Finding> {
    let missing = |name: &str| Finding::new(Check::TableFunctions, format!("{name} is NULL"));
    let create = table.create.ok_or_else(|| missing("create"))?;
    let bind = table.bind.ok_or_else(|| missing("bind"))?;
    let segment = table.segment.ok_or_else(|| missing("segment"))?;
    let destroy = table.destroy.ok_or_else(|| missing("destroy"))?;
    let unknown = table.caps & SEG_CAP_MUST_UNDERSTAND;
    if unknown != 0 {
        return Err(Finding::new(
            Check::CapabilitiesKnown,
            format!("caps has unknown bits {unknown:#x}"),
        ));
    }
    check_capabilities(table, descriptor)?;
    if table.descriptor_json.is_null() || table.descriptor_len != json.len() {
        let what = format!(
            "the table's descriptor has {} bytes, the section {}",
            table.descriptor_len,
            json.len()
        );
        return Err(Finding::new(Check::DescriptorEqual, what));
    }
    // SAFETY: not NULL, and the plugin says that it has this many bytes, which are constant.
    let said =
        unsafe { slice::from_raw_parts(table.descriptor_json.cast::<u8>(), table.descriptor_len) };
    if said != json.as_bytes() {
        return Err(Finding::new(
            Check::DescriptorEqual,
            "the table's descriptor differs from the section",
        ));
    }
    Ok(Table {
        caps: table.caps,
        create,
        bind,
        segment,
        destroy,
        explain: table.explain,
        requirements: table.requirements,
        segments: table.segments,
        fit: Fit::of(table),
    })
}

/// Every function is set exactly when its capability, or the descriptor, says so.
fn check_capabilities(table: &SegPlugin, descriptor: &Descriptor) -> Result<(), Finding> {
    let fit = table.caps & SEG_CAP_FIT != 0;
    for (name, set, promised) in [
        (
            "explain",
            table.explain.is_some(),
            table.caps & SEG_CAP_EXPLAIN != 0,
        ),
        ("fit_begin", table.fit_begin.is_some(), fit),
        ("fit_batch", table.fit_batch.is_some(), fit),
        ("fit_end", table.fit_end.is_some(), fit),
        ("state_save", table.state_save.is_some(), fit),
        ("state_load", table.state_load.is_some(), fit),
        (
            "requirements",
            table.requirements.is_some(),
            descriptor.dynamic_features.is_some(),
        ),
        (
            "segments",
            table.segments.is_some(),
            descriptor.dynamic_segments.is_some(),
        ),
    ] {
        if set != promised {
            let what = if set {
                "is set, but nothing promises it"
            } else {
                "is promised, but NULL"
            };
            return Err(Finding::new(Check::Capabilities, format!("{name} {what}")));
        }
    }
    if fit != descriptor.state_version.is_some() {
        let what =
            "SEG_CAP_FIT and state_version of the descriptor: one is there without the other";
        return Err(Finding::new(Check::Capabilities, what));
    }
    Ok(())
}
