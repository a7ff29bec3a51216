//! Another day for a segmenter: whoever looks at the machine's clock answers otherwise then.
//!
//! What the object calls to know the time is found in its relocations, and replaced there; libraries and this process keep their clock.
#![expect(
    unsafe_code,
    reason = "functions of C, and addresses of a loaded object"
)]

use std::error::Error;
use std::ffi::c_int;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;
use std::ptr;

use object::read::elf::ElfFile64;
use object::{
    Object as _, ObjectSymbol, ObjectSymbolTable as _, Relocation, RelocationFlags,
    RelocationTarget, elf,
};

use crate::Plugin;

/// 401 days, 7 hours, 13 minutes and 20 seconds, and one: whatever people look at is another one.
const SHIFT_S: i64 = ((401 * 24 + 7) * 60 + 13) * 60 + 21;

/// `std::chrono::system_clock::now` of libstdc++, which gives nanoseconds.
const CHRONO: &[u8] = b"_ZNSt6chrono3_V212system_clock3nowEv";

/// Functions that wait until a moment of the machine's clock: who calls them would wait for 401 days.
const WAITS: [&[u8]; 7] = [
    b"clock_nanosleep",
    b"mq_timedreceive",
    b"pthread_cond_timedwait",
    b"pthread_mutex_timedlock",
    b"pthread_rwlock_timedrdlock",
    b"pthread_rwlock_timedwrlock",
    b"sem_timedwait",
];

/// Has a loaded segmenter live on another day from now on; one that waits until moments of the clock does not.
///
/// # Errors
/// Its file cannot be read, or its memory not be written.
pub(crate) fn shift(plugin: &Plugin) -> Result<(), Box<dyn Error>> {
    let file = File::from(plugin.memory().as_fd().try_clone_to_owned()?);
    let mut bytes = vec![0; usize::try_from(file.metadata()?.len())?];
    file.read_exact_at(&mut bytes, 0)?;
    let file = ElfFile64::<object::Endianness>::parse(&*bytes)?;
    let (Some(relocations), Some(symbols)) =
        (file.dynamic_relocations(), file.dynamic_symbol_table())
    else {
        return Ok(());
    };
    let mut wanted = symbols.symbols().filter(ObjectSymbol::is_undefined);
    if wanted.any(|one| one.name_bytes().is_ok_and(|name| WAITS.contains(&name))) {
        return Ok(());
    }
    let base = plugin.object().memory.start;
    for (offset, relocation) in relocations {
        let RelocationTarget::Symbol(index) = relocation.target() else {
            continue;
        };
        let symbol = symbols.symbol_by_index(index)?;
        let is_of_another = symbol.is_undefined() && is_address(&relocation);
        if let Some(shifted) = shifted(symbol.name_bytes()?).filter(|_| is_of_another) {
            put(base + usize::try_from(offset)?, shifted)?;
        }
    }
    Ok(())
}

/// Whether the loader writes the address of a symbol, and nothing else, where a relocation is.
fn is_address(relocation: &Relocation) -> bool {
    let RelocationFlags::Elf { r_type } = relocation.flags() else {
        return false;
    };
    let kinds = if cfg!(target_arch = "aarch64") {
        [
            elf::R_AARCH64_GLOB_DAT,
            elf::R_AARCH64_JUMP_SLOT,
            elf::R_AARCH64_ABS64,
        ]
    } else {
        [
            elf::R_X86_64_GLOB_DAT,
            elf::R_X86_64_JUMP_SLOT,
            elf::R_X86_64_64,
        ]
    };
    kinds.contains(&r_type) && relocation.addend() == 0
}

/// What stands in for a function.
fn shifted(name: &[u8]) -> Option<*const ()> {
    Some(match name {
        b"time" => time as *const (),
        b"gettimeofday" => gettimeofday as *const (),
        b"clock_gettime" => clock_gettime as *const (),
        b"timespec_get" => timespec_get as *const (),
        CHRONO => now as *const (),
        _ => return None,
    })
}

/// Writes the address of a function where the object looks for it.
fn put(at: usize, function: *const ()) -> Result<(), Box<dyn Error>> {
    // SAFETY: a question.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) })?;
    let begin = at / page * page;
    let length = at + size_of::<*const ()>() - begin;
    let begin = ptr::with_exposed_provenance_mut::<libc::c_void>(begin);
    // SAFETY: pages of the loaded object, which hold addresses and no code, and which nobody else writes.
    let opened = unsafe { libc::mprotect(begin, length, libc::PROT_READ | libc::PROT_WRITE) };
    if opened != 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    let slot = ptr::with_exposed_provenance_mut::<*const ()>(at);
    // SAFETY: the loader has written an address there, which is writable since; who reads it meanwhile has one of the two.
    unsafe { slot.write_unaligned(function) };
    Ok(())
}

const fn is_of_days(clock: libc::clockid_t) -> bool {
    matches!(
        clock,
        libc::CLOCK_REALTIME
            | libc::CLOCK_REALTIME_COARSE
            | libc::CLOCK_REALTIME_ALARM
            | libc::CLOCK_TAI
    )
}

unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, into: *mut libc::timespec) -> c_int {
    // SAFETY: as whoever calls it promises.
    let answer = unsafe { libc::clock_gettime(clock, into) };
    // SAFETY: where there was an answer, it was written there.
    if let Some(into) = unsafe { into.as_mut() }
        && answer == 0
        && is_of_days(clock)
    {
        into.tv_sec += SHIFT_S;
    }
    answer
}

/// Seconds since 1970, there.
fn seconds() -> libc::time_t {
    // SAFETY: it may be NULL.
    unsafe { libc::time(ptr::null_mut()) + SHIFT_S }
}

unsafe extern "C" fn time(into: *mut libc::time_t) -> libc::time_t {
    let seconds = seconds();
    // SAFETY: NULL, or as whoever calls it promises.
    if let Some(into) = unsafe { into.as_mut() } {
        *into = seconds;
    }
    seconds
}

unsafe extern "C" fn gettimeofday(into: *mut libc::timeval, zone: *mut libc::timezone) -> c_int {
    // SAFETY: as whoever calls it promises.
    let answer = unsafe { libc::gettimeofday(into, zone.cast()) };
    // SAFETY: NULL, or written by now.
    if let Some(into) = unsafe { into.as_mut() } {
        into.tv_sec += SHIFT_S;
    }
    answer
}

/// With the base of seconds since 1970 (`TIME_UTC`), the only one of C11.
unsafe extern "C" fn timespec_get(into: *mut libc::timespec, base: c_int) -> c_int {
    if base != 1 {
        return 0;
    }
    // SAFETY: as whoever calls it promises.
    let answer = unsafe { clock_gettime(libc::CLOCK_REALTIME, into) };
    if answer == 0 { base } else { 0 }
}

extern "C" fn now() -> i64 {
    let mut moment = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: it is written there.
    unsafe { clock_gettime(libc::CLOCK_REALTIME, &raw mut moment) };
    moment.tv_sec * 1_000_000_000 + moment.tv_nsec
}
