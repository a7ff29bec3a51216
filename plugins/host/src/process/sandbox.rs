//! What a segmenter's process may do: little while the segmenter is loaded, and next to nothing once it is.
//!
//! What is refused while it is loaded is the boundary, also for hostile code: files but for system libraries, sockets, processes, and
//! what is done to other processes. What is refused once it is loaded (every file, handlers, code that is put in place later) is asked
//! for by a process in which code of the segmenter may have run: it holds for code that is broken, and for hostile code without
//! initialisers. Everything is set up on the main thread before there is another one, as Landlock
//! binds only the thread that asks for it.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::fs;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Is,
    SeccompCondition, SeccompFilter, SeccompRule, TargetArch, apply_filter_all_threads,
};

use crate::check::{Check, Finding};
use crate::elf::FOLDERS;

/// What the process itself needs on top of the segmenter: batches that are read and answered.
const HEADROOM_BYTES: u64 = 64 << 20;
/// Open files: the socket, the memory, pipes, what the runtime waits with, and system libraries while they are read.
const MAX_FILES: u64 = 64;

/// The stack of the main thread, which the limit of memory does not count.
const MAX_STACK_BYTES: u64 = 8 << 20;

/// Where the dynamic loader looks up which library is where.
const LOADER_CACHE: &str = "/etc/ld.so.cache";

/// Calls without which no thread lives and no memory is had.
const ALWAYS: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_clone3,
    // The run-time of Go waits for its own timers so; neither reaches anything outside of the process.
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mincore,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_ppoll,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_set_robust_list,
    libc::SYS_shutdown,
    libc::SYS_sigaltstack,
    libc::SYS_uname,
    libc::SYS_write,
    libc::SYS_writev,
];

/// What only this processor's kernels know under a name of its own.
#[cfg(target_arch = "x86_64")]
const ALWAYS_HERE: &[i64] = &[libc::SYS_epoll_wait, libc::SYS_poll, libc::SYS_time];
#[cfg(not(target_arch = "x86_64"))]
const ALWAYS_HERE: &[i64] = &[];

/// What the dynamic loader and initialisers need in addition: to read system libraries, which Landlock confines, and to put
/// handlers and code in place. A runtime that starts threads (Go's) does so here.
const TO_LOAD: &[i64] = &[
    libc::SYS_faccessat,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_restrict_self,
    libc::SYS_mprotect,
    libc::SYS_newfstatat,
    libc::SYS_pread64,
    libc::SYS_readlinkat,
    libc::SYS_rt_sigaction,
    libc::SYS_seccomp,
    libc::SYS_statx,
];
#[cfg(target_arch = "x86_64")]
const TO_LOAD_HERE: &[i64] = &[
    libc::SYS_access,
    libc::SYS_arch_prctl,
    libc::SYS_readlink,
    libc::SYS_stat,
];
#[cfg(not(target_arch = "x86_64"))]
const TO_LOAD_HERE: &[i64] = &[];

/// What this kernel does not offer of the sandbox, one entry each.
pub(crate) type Lacks = Vec<String>;

/// What it is refused for where the operator asks for the whole sandbox.
pub(crate) fn finding(lacks: &Lacks) -> Finding {
    let what = format!("this kernel lacks {}", lacks.join(", "));
    Finding::new(Check::WholeSandbox, what)
}

/// Closes what the process was started with beside its socket and its pipes: what the service itself was given, for one.
#[expect(
    unsafe_code,
    reason = "the standard library closes only what it opened"
)]
pub(crate) fn close_inherited() -> Lacks {
    // SAFETY: nothing in this process has opened anything yet.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    if closed == 0 {
        return Vec::new();
    }
    let error = std::io::Error::last_os_error();
    vec![format!("inherited descriptors: {error}")]
}

/// Memory, files and core dumps. What the process holds already is not the segmenter's.
pub(crate) fn limit(memory_bytes: u64) -> Lacks {
    let limits = [
        (Resource::Core, 0),
        (Resource::Nofile, MAX_FILES),
        (Resource::Stack, MAX_STACK_BYTES),
        (
            Resource::Data,
            data_bytes()
                .saturating_add(memory_bytes)
                .saturating_add(HEADROOM_BYTES),
        ),
    ];
    let set = limits.into_iter().map(|(resource, most)| {
        let most = Some(most);
        let limit = Rlimit {
            current: most,
            maximum: most,
        };
        let set = setrlimit(resource, limit);
        set.map_err(|error| format!("limit {resource:?}: {error}"))
    });
    set.filter_map(Result::err).collect()
}

/// Private memory that the process may write to, in bytes; the sixth number of the file, in pages.
fn data_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(5)
        .and_then(|number| number.parse::<u64>().ok());
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(4_096);
    pages.unwrap_or(0).saturating_mul(page)
}

/// Before the segmenter is loaded: it may read system libraries.
pub(crate) fn close_for_loading() -> Lacks {
    let mut readable = FOLDERS.to_vec();
    readable.push(LOADER_CACHE);
    let mut lacks = landlocked(&readable);
    let calls = [ALWAYS, ALWAYS_HERE, TO_LOAD, TO_LOAD_HERE].concat();
    let mut rules: Rules = calls.into_iter().map(|call| (call, Vec::new())).collect();
    match confined().and_then(|confined| Ok((confined, reading()?))) {
        Ok((confined, reading)) => rules.extend(confined.into_iter().chain(reading)),
        Err(error) => lacks.push(format!("seccomp: {error}")),
    }
    // Its flags are in memory, where a filter cannot look: who is told that it does not exist uses `clone`. This filter comes
    // first, for none may be added by what the other ones leave.
    let unknown = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    lacks.extend(filtered(unknown, Answer::Unknown));
    lacks.extend(filtered(rules, Answer::Allowed));
    lacks
}

/// Once it is loaded: memory, threads, the clock, and what is open already.
pub(crate) fn close() -> Lacks {
    let mut lacks = landlocked(&[]);
    let always = [ALWAYS, ALWAYS_HERE].concat();
    let mut rules: Rules = always.into_iter().map(|call| (call, Vec::new())).collect();
    match narrowed() {
        Ok(narrowed) => rules.extend(narrowed),
        Err(error) => lacks.push(format!("seccomp: {error}")),
    }
    lacks.extend(filtered(rules, Answer::Allowed));
    lacks
}

/// Calls, and which of their arguments are allowed; none: any.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// An argument whose bits under a mask have a value.
fn bits(argument: u8, mask: u64, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, Width::Qword, Is::MaskedEq(mask), value)
}

/// A call that is allowed where all conditions hold.
fn one(
    call: i64,
    conditions: Vec<SeccompCondition>,
) -> Result<(i64, Vec<SeccompRule>), BackendError> {
    Ok((call, vec![SeccompRule::new(conditions)?]))
}

/// Bits of a mapping's flags that are looked at: its kind, in the lowest four, and whether it is a stack, which the limit of memory does
/// not count.
const MAPPING: u64 = 0x0f | libc::MAP_GROWSDOWN.unsigned_abs() as u64;

const fn flag(number: libc::c_int) -> u64 {
    // Flags are bits, whatever sign C gives them.
    number.unsigned_abs() as u64
}

/// Calls that are allowed with some arguments only, while it is loaded as well: threads may be started and processes not, what is done
/// to processes and descriptors is done to this process, and memory is private, which the limit counts.
fn confined() -> Result<Rules, BackendError> {
    let thread = flag(libc::CLONE_THREAD);
    let process = u64::from(std::process::id());
    let (kind, private) = (MAPPING, flag(libc::MAP_PRIVATE));
    let is = |argument, number| SeccompRule::new(vec![bits(argument, u64::MAX, number)?]);
    let with = |argument, numbers: &[libc::c_int]| {
        let rules = numbers.iter().map(|number| is(argument, flag(*number)));
        rules.collect::<Result<Vec<_>, _>>()
    };
    // Not those that have signals sent to others.
    let of_descriptors = [
        libc::F_GETFD,
        libc::F_SETFD,
        libc::F_GETFL,
        libc::F_SETFL,
        libc::F_DUPFD_CLOEXEC,
        libc::F_GET_SEALS,
    ];
    let of_processes = [
        libc::PR_SET_NAME,
        libc::PR_SET_VMA,
        libc::PR_SET_NO_NEW_PRIVS,
    ];
    Ok(Rules::from([
        one(libc::SYS_clone, vec![bits(0, thread, thread)?])?,
        one(libc::SYS_mmap, vec![bits(3, kind, private)?])?,
        (libc::SYS_fcntl, with(1, &of_descriptors)?),
        (libc::SYS_prctl, with(0, &of_processes)?),
        // To ask for a limit, not to set one.
        one(libc::SYS_prlimit64, vec![bits(2, u64::MAX, 0)?])?,
        one(libc::SYS_tgkill, vec![bits(0, u64::MAX, process)?])?,
    ]))
}

/// Files are opened while it is loaded, and to be read: where the kernel has no Landlock, this is what keeps others from being written.
fn reading() -> Result<Rules, BackendError> {
    let writes = flag(libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND);
    let reads = |flags| bits(flags, writes, flag(libc::O_RDONLY));
    Ok(Rules::from([
        one(libc::SYS_openat, vec![reads(2)?])?,
        #[cfg(target_arch = "x86_64")]
        one(libc::SYS_open, vec![reads(1)?])?,
    ]))
}

/// The same once it is loaded: no more code is put in place.
fn narrowed() -> Result<Rules, BackendError> {
    let executable = flag(libc::PROT_EXEC);
    let (kind, private) = (MAPPING, flag(libc::MAP_PRIVATE));
    let mut rules = confined()?;
    rules.extend([
        one(
            libc::SYS_mmap,
            vec![bits(2, executable, 0)?, bits(3, kind, private)?],
        )?,
        one(libc::SYS_mprotect, vec![bits(2, executable, 0)?])?,
    ]);
    Ok(rules)
}

/// What becomes of the calls that a filter names; the others are the opposite.
#[derive(Clone, Copy)]
enum Answer {
    Allowed,
    Unknown,
}

fn filtered(rules: Rules, answer: Answer) -> Option<String> {
    let errno = |number: libc::c_int| SeccompAction::Errno(number.unsigned_abs());
    let (named, others) = match answer {
        Answer::Allowed => (SeccompAction::Allow, errno(libc::EPERM)),
        Answer::Unknown => (errno(libc::ENOSYS), SeccompAction::Allow),
    };
    let install = || -> Result<(), Box<dyn std::error::Error>> {
        let here = TargetArch::try_from(ARCH)?;
        let program: BpfProgram = SeccompFilter::new(rules, others, named, here)?.try_into()?;
        Ok(apply_filter_all_threads(&program)?)
    };
    install().err().map(|error| format!("seccomp: {error}"))
}

/// Confines this thread, and those that it starts, to reading some files and folders.
fn landlocked(readable: &[&str]) -> Lacks {
    match landlock(readable) {
        Ok(RulesetStatus::FullyEnforced) => Vec::new(),
        Ok(RulesetStatus::PartiallyEnforced) => vec!["landlock: in parts".to_owned()],
        Ok(RulesetStatus::NotEnforced) => vec!["landlock: the kernel has none".to_owned()],
        Err(error) => vec![format!("landlock: {error}")],
    }
}

fn landlock(readable: &[&str]) -> Result<RulesetStatus, RulesetError> {
    // The newest whose rights all mean something here: files, network, signals and sockets of others.
    let abi = ABI::V6;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .add_rules(path_beneath_rules(readable, AccessFs::from_read(abi)))?
        .restrict_self()?;
    Ok(status.ruleset)
}
