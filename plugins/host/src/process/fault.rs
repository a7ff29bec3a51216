//! Where a segmenter crashes, for its author: the place in its file, as `addr2line` takes it.
#![expect(unsafe_code, reason = "handles signals")]

use std::ffi::{c_int, c_void};
use std::fmt::Arguments;
use std::fs;
use std::io::{Cursor, Write as _};
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::library::Object;
use crate::process::lines::{FAULT, MARK};

/// Where the segmenter and its code are in memory; 0 until it is loaded.
static BEGIN: AtomicUsize = AtomicUsize::new(0);
static END: AtomicUsize = AtomicUsize::new(0);
static CODE_BEGIN: AtomicUsize = AtomicUsize::new(0);
static CODE_END: AtomicUsize = AtomicUsize::new(0);
/// Where the stack of the main thread ends, which makes all calls.
static STACK_END: AtomicUsize = AtomicUsize::new(0);
/// Bytes of the stack that are looked at for the place where the segmenter was left.
const MAX_STACK_BYTES: usize = 64 << 10;

static IS_TOLD: AtomicBool = AtomicBool::new(false);

/// Leaves what a crash does to the kernel, once it is told where it was. The handlers of the standard library would give way by a call
/// that the sandbox refuses, and run for ever; the kernel takes these away as it calls them.
pub(crate) fn tell() {
    STACK_END.store(stack_end(), Ordering::Relaxed);
    for signal in [
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGILL,
        libc::SIGFPE,
        libc::SIGABRT,
    ] {
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
pub(crate) fn is_at(object: &Object) {
    BEGIN.store(object.memory.start, Ordering::Relaxed);
    END.store(object.memory.end, Ordering::Relaxed);
    CODE_BEGIN.store(object.code.start, Ordering::Relaxed);
    CODE_END.store(object.code.end, Ordering::Relaxed);
}

/// Where the stack of the main thread ends; 0: not known.
fn stack_end() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let stack = maps.lines().find(|line| line.ends_with("[stack]"));
    let range = stack.and_then(|line| line.split(' ').next());
    let end = range.and_then(|range| range.split_once('-'));
    end.and_then(|(_, end)| usize::from_str_radix(end, 16).ok())
        .unwrap_or(0)
}

extern "C" fn handle(signal: c_int, _info: *mut libc::siginfo_t, context: *mut c_void) {
    if IS_TOLD.swap(true, Ordering::Relaxed) {
        // Somebody else's handler hands it on each time, and is not taken away.
        // SAFETY: ends the process and runs nothing.
        unsafe { libc::_exit(128 + signal) };
    }
    // SAFETY: the kernel hands a handler with `SA_SIGINFO` this struct, or who hands the signal on does.
    let (at, stack) = unsafe { instruction_and_stack(context.cast()) };
    let memory = BEGIN.load(Ordering::Relaxed)..END.load(Ordering::Relaxed);
    let place = |at: usize| at - memory.start;
    if memory.contains(&at) {
        tell_place(format_args!("at {:#x} of its file", place(at)));
    } else if let Some(left) = left_at(stack) {
        tell_place(format_args!(
            "outside of its file, which was left at {:#x}",
            place(left)
        ));
    } else if !memory.is_empty() {
        tell_place(format_args!("outside of its file"));
    }
    // SAFETY: it is blocked while its handler runs, and ends the process after that, also where nothing would fail again.
    let _never_fails = unsafe { libc::raise(signal) };
}

/// The call of the segmenter that has not come back: the youngest address on the stack that is one of its code.
fn left_at(stack: usize) -> Option<usize> {
    let code = CODE_BEGIN.load(Ordering::Relaxed)..CODE_END.load(Ordering::Relaxed);
    let end = STACK_END.load(Ordering::Relaxed);
    let begin = stack.next_multiple_of(size_of::<usize>());
    let end = end.min(begin.saturating_add(MAX_STACK_BYTES));
    let mut words = (begin..end).step_by(size_of::<usize>()).map(|address| {
        let word = ptr::with_exposed_provenance::<usize>(address);
        // SAFETY: between the pointer of the stack and its end the kernel keeps it; where it does not, as in a stack that was moved, the
        // process ends by that signal.
        unsafe { word.read() }
    });
    // It would have come back to the instruction after the call.
    words.find(|word| code.contains(word)).map(|word| word - 1)
}

/// Writes without memory of its own: nobody knows what was interrupted.
fn tell_place(place: Arguments<'_>) {
    let mut line = Cursor::new([0_u8; 128]);
    let written = writeln!(
        line,
        "{MARK}{{\"level\":\"{FAULT}\",\"details\":\"\",\"message\":\"{place}\"}}"
    );
    let n_bytes = usize::try_from(line.position()).unwrap_or(0);
    if let (Ok(()), Some(line)) = (written, line.get_ref().get(..n_bytes)) {
        // SAFETY: the bytes are this function's.
        let _nobody_reads =
            unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
    }
}

/// The address of the instruction that was interrupted, and of the end of the stack that grows.
///
/// # Safety
///
/// `context` is what the kernel gives a signal's handler.
#[cfg(target_arch = "x86_64")]
unsafe fn instruction_and_stack(context: *const libc::ucontext_t) -> (usize, usize) {
    // SAFETY: by contract of this function.
    let registers = unsafe { &(*context).uc_mcontext.gregs };
    let register = |number: c_int| {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let value = registers.get(number).copied().unwrap_or(0);
        usize::try_from(value).unwrap_or(0)
    };
    (register(libc::REG_RIP), register(libc::REG_RSP))
}
/// The same.
///
/// # Safety
///
/// As above.
#[cfg(target_arch = "aarch64")]
unsafe fn instruction_and_stack(context: *const libc::ucontext_t) -> (usize, usize) {
    // SAFETY: by contract of this function.
    let machine = unsafe { &(*context).uc_mcontext };
    let address = |number: u64| usize::try_from(number).unwrap_or(0);
    (address(machine.pc), address(machine.sp))
}
