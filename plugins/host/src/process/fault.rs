//! Where a segmenter crashes, for its author: the place in its file, as `addr2line` takes it.
#![expect(unsafe_code, reason = "handles signals")]

use std::ffi::{c_int, c_void};
use std::io::{Cursor, Write as _};
use std::mem;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::process::lines::{FAULT, MARK};

/// Where the segmenter is in memory; both are 0 until it is loaded.
static BEGIN: AtomicUsize = AtomicUsize::new(0);
static END: AtomicUsize = AtomicUsize::new(0);

static IS_TOLD: AtomicBool = AtomicBool::new(false);

/// Leaves what a crash does to the kernel, once it is told where it was. The handlers of the standard library would give way by a call
/// that the sandbox refuses, and run for ever; the kernel takes these away as it calls them.
pub(crate) fn tell() {
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE] {
        // SAFETY: a struct of C whose fields may all be 0: no flags, and no signals that wait.
        let mut action: libc::sigaction = unsafe { mem::zeroed() };
        action.sa_sigaction =
            handle as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESETHAND;
        // SAFETY: the handler does nothing that is not allowed while anything else was interrupted.
        let _where_it_cannot_it_is_not_told =
            unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
    }
}

/// The segmenter is loaded there.
pub(crate) fn is_at(memory: &Range<usize>) {
    BEGIN.store(memory.start, Ordering::Relaxed);
    END.store(memory.end, Ordering::Relaxed);
}

extern "C" fn handle(signal: c_int, _info: *mut libc::siginfo_t, context: *mut c_void) {
    if IS_TOLD.swap(true, Ordering::Relaxed) {
        // Somebody else's handler hands it on each time, and is not taken away.
        // SAFETY: ends the process and runs nothing.
        unsafe { libc::_exit(128 + signal) };
    }
    // SAFETY: the kernel hands a handler with `SA_SIGINFO` this struct, or who hands the signal on does.
    let at = unsafe { instruction(context.cast()) };
    let memory = BEGIN.load(Ordering::Relaxed)..END.load(Ordering::Relaxed);
    if !memory.is_empty() {
        tell_place(memory.contains(&at).then(|| at - memory.start));
    }
    // SAFETY: it is blocked while its handler runs, and ends the process after that, also where nothing would fail again.
    let _never_fails = unsafe { libc::raise(signal) };
}

/// Writes without memory of its own: nobody knows what was interrupted.
fn tell_place(in_file: Option<usize>) {
    let mut line = Cursor::new([0_u8; 128]);
    let begin = format_args!("{MARK}{{\"level\":\"{FAULT}\",\"details\":\"\",\"message\":\"");
    let written = line.write_fmt(begin).and_then(|()| match in_file {
        Some(place) => writeln!(line, "at {place:#x} of its file\"}}"),
        None => writeln!(line, "outside of its file\"}}"),
    });
    let n_bytes = usize::try_from(line.position()).unwrap_or(0);
    if let (Ok(()), Some(line)) = (written, line.get_ref().get(..n_bytes)) {
        // SAFETY: the bytes are this function's.
        let _nobody_reads =
            unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
    }
}

/// The address of the instruction that was interrupted.
///
/// # Safety
///
/// `context` is what the kernel gives a signal's handler.
#[cfg(target_arch = "x86_64")]
unsafe fn instruction(context: *const libc::ucontext_t) -> usize {
    let register = usize::try_from(libc::REG_RIP).unwrap_or(0);
    // SAFETY: by contract of this function.
    let registers = unsafe { &(*context).uc_mcontext.gregs };
    let address = registers.get(register).copied().unwrap_or(0);
    usize::try_from(address).unwrap_or(0)
}
/// The same.
///
/// # Safety
///
/// As above.
#[cfg(target_arch = "aarch64")]
unsafe fn instruction(context: *const libc::ucontext_t) -> usize {
    // SAFETY: by contract of this function.
    let address = unsafe { (*context).uc_mcontext.pc };
    usize::try_from(address).unwrap_or(0)
}
