//! Segmenters that do harm, on purpose or by mistake: their rows have no answer, and everything else goes on.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::thread;
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};
use tokio::time::Instant;

use sextant_plugin_host::{Allowance, Call, CallError, Deadline, External, Trouble, Verified};

use crate::fixture::{DESCRIPTOR, Fixture, bound, call, hosts, values};

fn with(segment: &str) -> Fixture {
    Fixture {
        segment: format!("{segment} return answer(out, values, rows);"),
        ..Fixture::default()
    }
}

/// What a segmenter does when it sees the value 9; all else it answers.
fn at_nine(does: &str) -> Fixture {
    with(&format!(
        "for (int64_t k = 0; k < rows; k++) if (values[k] == 9) {{ {does} }}"
    ))
}

/// Shows it a row with a nine between good ones: those are answered, and the nine's trouble is given back. Then it is asked again.
fn trouble_of(fixture: &Fixture) -> Trouble {
    let plugin = fixture.isolated();
    let instance = bound(&plugin);
    let batch = values([Some(1), Some(2), Some(9), Some(0), Some(1)]);
    let answers = instance.segment(&batch, &call()).unwrap();
    let [only] = answers.unanswered.as_slice() else {
        panic!("{:?}", answers.unanswered)
    };
    assert_eq!(only.row, 2);
    let answered = [0, 1, 3, 4].map(|row: usize| answers.segment[row]);
    assert_eq!(answered, [1, 2, 0, 1]);
    let after = instance.segment(&values([Some(2)]), &call()).unwrap();
    assert_eq!((after.segment, after.unanswered), (vec![2], vec![]));
    only.trouble.clone()
}

fn signal_of(does: &str) -> Option<i32> {
    match trouble_of(&at_nine(does)) {
        Trouble::Crashed(crash) => crash.signal,
        other => panic!("{does}: {other:?}"),
    }
}

#[test]
fn crashes_cost_their_row_alone() {
    assert_eq!(signal_of("*(volatile int *)0 = 1;"), Some(11));
    assert_eq!(signal_of("abort();"), Some(6));
    assert_eq!(
        signal_of("volatile int zero = 0; if (7 / zero) return SEG_E_STATE;"),
        Some(8)
    );
    assert_eq!(signal_of("__builtin_trap();"), Some(4));
}

#[test]
fn some_rows_that_crash_it_cost_no_others_and_too_many_are_its_end() {
    let of = |n_fatal: usize| {
        let plugin = at_nine("abort();").independent().isolated();
        let mut cells = [Some(1); 1_000];
        (0..n_fatal).for_each(|k| cells[k * 50 + 7] = Some(9));
        let batch = values(cells);
        let instance = bound(&plugin);
        let answers = instance.segment(&batch, &within(Duration::from_secs(60)));
        let again = instance.segment(&batch, &call()).unwrap();
        (answers.unwrap().unanswered, again.unanswered)
    };
    let (lacking, again) = of(17);
    let rows: Vec<usize> = lacking.iter().map(|one| one.row).collect();
    assert_eq!(rows, (0..17).map(|k| k * 50 + 7).collect::<Vec<_>>());
    assert!(lacking.iter().all(|one| one.is_its_own));
    assert_eq!(again, lacking);
    // One of fifty: it is not looked for all of them, and nobody takes those that were with them for more of them.
    let (lacking, again) = of(20);
    assert_eq!(lacking.iter().filter(|one| one.is_its_own).count(), 20);
    assert!(again.iter().all(|one| one.trouble.kind() == "quarantined"));
    assert_eq!(again.len(), 1_000);
}

#[test]
fn a_stack_that_overflows_is_a_crash() {
    let deep = "static int deep(volatile int n) { volatile char room[4096]; room[n % 4096] = 1; return n < 0 ? room[0] : deep(n + 1) + room[n % 4096]; }";
    let fixture = Fixture {
        prelude: deep.to_owned(),
        ..at_nine("if (deep(0)) return SEG_E_STATE;")
    };
    assert!(matches!(trouble_of(&fixture), Trouble::Crashed(crash) if crash.signal == Some(11)));
}

#[test]
fn who_ends_the_process_or_hangs_up_costs_its_row_alone() {
    let Trouble::Crashed(crash) = trouble_of(&at_nine("exit(3);")) else {
        panic!()
    };
    assert_eq!((crash.signal, crash.code), (None, Some(3)));
    let closed = trouble_of(&at_nine("for (int fd = 0; fd < 64; fd++) close(fd);"));
    assert!(matches!(closed, Trouble::Crashed(_)), "{closed:?}");
}

#[test]
fn memory_that_is_never_enough_ends_the_process_and_not_the_machine() {
    let signal_of = |does: &str| {
        let fixture = Fixture {
            descriptor: DESCRIPTOR.replacen('{', r#"{"limits":{"memory_mb":16},"#, 1),
            ..at_nine(does)
        };
        match trouble_of(&fixture) {
            Trouble::Crashed(crash) => crash.signal,
            other => panic!("{does}: {other:?}"),
        }
    };
    let bomb = "for (;;) { char *more = malloc(1 << 20); if (more == NULL) abort(); memset(more, 1, 1 << 20); }";
    assert_eq!(signal_of(bomb), Some(6));
    let shared = "for (;;) { char *more = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); \
                  if (more == MAP_FAILED) abort(); memset(more, 1, 1 << 20); }";
    assert_eq!(signal_of(shared), Some(6));
    // A stack is not counted, so there is none but those that the process has.
    let stack = "for (;;) { char *more = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0); \
                 if (more == MAP_FAILED) abort(); memset(more, 1, 1 << 20); }";
    assert_eq!(signal_of(stack), Some(6));
    let polite = trouble_of(&at_nine(
        "void *most = malloc(2ul << 30); if (most == NULL) return SEG_E_RESOURCE; free(most);",
    ));
    assert!(
        matches!(&polite, Trouble::Failed(what) if what.contains("Resource")),
        "{polite:?}"
    );
}

#[test]
fn a_state_of_two_gibibytes_is_refused_by_the_limit_that_its_descriptor_names() {
    let create = "static seg_status huge(const seg_host *host, const char *config, size_t len, seg_instance **out, seg_error *err) { \
                  (void)host, (void)config, (void)len, (void)err; *out = calloc(1, 2ul << 30); \
                  if (*out == NULL) return SEG_E_RESOURCE; memset(*out, 1, 2ul << 30); return SEG_OK; }";
    let fixture = Fixture {
        prelude: create.to_owned(),
        table: ".create = huge".to_owned(),
        descriptor: DESCRIPTOR.replacen('{', r#"{"limits":{"memory_mb":64},"#, 1),
        ..Fixture::default()
    };
    let plugin = fixture.isolated();
    let schema = values([]);
    let refused = sextant_plugin_host::ExternalInstance::create(&plugin, "", schema.schema_ref());
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("Resource"), "{refused}");
}

#[test]
fn an_instance_that_is_never_made_is_said_to_be_late() {
    let create = "static seg_status never(const seg_host *host, const char *config, size_t len, seg_instance **out, seg_error *err) { \
                  (void)host, (void)config, (void)len, (void)out, (void)err; for (;;) pause(); return SEG_OK; }";
    let fixture = Fixture {
        prelude: create.to_owned(),
        table: ".create = never".to_owned(),
        ..Fixture::default()
    };
    let plugin = fixture.isolated();
    let schema = values([]);
    let refused = sextant_plugin_host::ExternalInstance::create(&plugin, "", schema.schema_ref());
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused, CallError::Lost(Trouble::Overran)),
        "{refused}"
    );
}

#[test]
fn answers_that_break_the_contract_are_no_answers() {
    for (does, what) in [
        (
            "return answer(out, values, rows - 1);",
            "rows, the input has",
        ),
        (
            "return answer(out, values, rows + 1);",
            "rows, the input has",
        ),
        ("return SEG_OK;", "returned OK and no array"),
    ] {
        let failed = trouble_of(&at_nine(does));
        assert!(
            matches!(&failed, Trouble::Failed(told) if told.contains(what)),
            "{failed:?}"
        );
    }
    // A segment that the descriptor does not have: the nine itself.
    let failed = trouble_of(&Fixture::default());
    assert!(
        matches!(&failed, Trouble::Failed(told) if told.contains("is in segment 9")),
        "{failed:?}"
    );
}

#[test]
fn a_row_that_it_refuses_is_told_in_its_words() {
    let failed = trouble_of(&at_nine(
        "err->row = k; strcpy(err->message, \"nine is no number\"); return SEG_E_INVALID_INPUT;",
    ));
    assert!(
        matches!(&failed, Trouble::Failed(told) if told.contains("nine is no number")),
        "{failed:?}"
    );
    // Who says which row it is is not asked about others in vain.
    let mut cells = [Some(1); 1_000];
    cells[100..117].fill(Some(9));
    let fixture = at_nine("err->row = k; return SEG_E_INVALID_INPUT;");
    let plugin = fixture.independent().isolated();
    let answers = bound(&plugin).segment(&values(cells), &call()).unwrap();
    let own = answers.unanswered.iter().filter(|one| one.is_its_own);
    let own: Vec<usize> = own.map(|one| one.row).collect();
    assert_eq!(own, (100..117).collect::<Vec<_>>());
    assert_eq!(answers.unanswered.len(), 17);
    // After these its instance is made again.
    for code in ["SEG_E_INTERNAL", "SEG_E_PANIC", "77"] {
        let failed = trouble_of(&at_nine(&format!("return {code};")));
        assert!(matches!(failed, Trouble::Failed(_)), "{failed:?}");
    }
}

#[test]
fn what_it_writes_into_its_input_stays_with_it() {
    let fixture = with("for (int64_t k = 0; k < rows; k++) ((int64_t *)values)[k] = 2;");
    let plugin = fixture.isolated();
    let batch = values([Some(0), Some(1)]);
    let before = batch.clone();
    let answers = bound(&plugin).segment(&batch, &call()).unwrap();
    assert_eq!((answers.segment, &batch), (vec![2, 2], &before));
}

/// Answers 1 where the kernel refuses, and 2 where it does not.
const ATTEMPTS: &str = r#"
static int try(int attempt) {
  switch (attempt) {
    case 0: return open("/etc/passwd", O_RDONLY);
    case 1: return open("/lib/x86_64-linux-gnu/libc.so.6", O_RDONLY);
    case 2: return open("segmenter_was_here", O_WRONLY | O_CREAT, 0600);
    case 3: return socket(AF_INET, SOCK_STREAM, 0);
    case 4: return socket(AF_UNIX, SOCK_STREAM, 0);
    case 5: return fork();
    case 6: return execl("/bin/true", "true", NULL);
    case 7: return kill(SERVICE, 0);
    case 8: return signal(SIGUSR1, SIG_IGN) == SIG_ERR ? -1 : 0;
    case 9: return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
    case 10: return mprotect((void *)((uintptr_t)&errno & ~4095ul), 4096, PROT_READ | PROT_EXEC);
    case 11: return (int)syscall(SYS_ptrace, 0, 0, 0, 0);
    case 12: return (int)syscall(SYS_unshare, 0x10000000);
    case 13: return (int)syscall(SYS_process_vm_readv, SERVICE, NULL, 0, NULL, 0, 0);
    case 14: return (int)syscall(SYS_io_uring_setup, 1, NULL);
    case 15: return (int)syscall(SYS_bpf, 0, NULL, 0);
    case 16: return (int)syscall(SYS_memfd_create, "x", 0);
    case 17: return (int)syscall(SYS_tgkill, SERVICE, SERVICE, 0);
    case 18: return chdir("/");
    case 19: return (int)syscall(SYS_prlimit64, SERVICE, 7, limits, NULL);
    case 20: return (int)syscall(SYS_fcntl, 0, F_SETOWN, SERVICE);
    case 21: return mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
    case 22: return (int)syscall(SYS_prctl, 1, 0);
    case 23: return open("/dev/null", O_WRONLY) < 0 && errno == EPERM ? -1 : 0; /* also where the kernel has no Landlock */
    default: return 0;
  }
}
static int is_refused(int attempt) { errno = 0; return try(attempt) < 0 && (errno == EPERM || errno == EACCES); }
"#;

/// The attempts with what they are made at: this process.
fn attempts() -> String {
    let service = std::process::id();
    format!("#define SERVICE {service}\nstatic unsigned long limits[2] = {{64, 64}};\n{ATTEMPTS}")
}

#[test]
fn files_sockets_processes_and_handlers_are_refused_by_the_kernel() {
    let fixture = Fixture {
        prelude: attempts(),
        segment: "int64_t said[32]; for (int64_t k = 0; k < rows; k++) said[k] = is_refused((int)values[k]) ? 1 : 2; \
                  return answer(out, said, rows);"
            .to_owned(),
        ..Fixture::default()
    };
    let plugin = fixture.isolated();
    assert_eq!(plugin.sandbox_lacks(), Vec::<String>::new());
    let attempts = std::array::from_fn::<_, 25, _>(|attempt| i64::try_from(attempt).ok());
    let answers = bound(&plugin).segment(&values(attempts), &call()).unwrap();
    let allowed: Vec<usize> = (0..25).filter(|row| answers.segment[*row] != 1).collect();
    // The last one does nothing.
    assert_eq!(allowed, [24], "{:?}", answers.unanswered);
    assert_eq!(plugin.losses(), 0);
}

#[test]
fn an_initialiser_reads_system_libraries_and_does_nothing_to_others() {
    // Files of the system's libraries, handlers, and code are for the loader.
    let refused = [
        0, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
    ];
    let refused = refused
        .map(|attempt| format!("!is_refused({attempt})"))
        .join(" || ");
    let start = format!(
        "__attribute__((constructor)) static void start(void) {{ if ({refused}) abort(); }}"
    );
    let fixture = Fixture {
        prelude: format!("{}\n{start}", attempts()),
        ..Fixture::default()
    };
    let plugin = fixture.isolated();
    let answers = bound(&plugin).segment(&values([Some(1)]), &call()).unwrap();
    assert_eq!(answers.segment, [1]);
}

#[test]
fn what_the_service_was_started_with_does_not_reach_it() {
    let inherited = || {
        let file = File::open("/dev/null").unwrap();
        fcntl_setfd(&file, FdFlags::empty()).unwrap();
        file
    };
    // The number of the last one is beyond those of what it opens itself.
    let files: Vec<File> = std::iter::repeat_with(inherited).take(30).collect();
    let number = files[29].as_raw_fd();
    let fixture = Fixture {
        segment: format!(
            "int64_t said = fcntl({number}, F_GETFD) == -1 && errno == EBADF ? 1 : 2; return answer(out, &said, rows);"
        ),
        ..Fixture::default()
    };
    let answers = bound(&fixture.isolated())
        .segment(&values([Some(0)]), &call())
        .unwrap();
    assert_eq!(answers.segment, [1]);
}

#[test]
fn threads_are_started_and_those_left_behind_end_with_the_process() {
    let thread = "static void *forever(void *nothing) { for (;;) pause(); return nothing; }";
    let fixture = Fixture {
        prelude: thread.to_owned(),
        ..with(
            "pthread_t thread; if (pthread_create(&thread, NULL, forever, NULL) != 0) return SEG_E_RESOURCE;",
        )
    };
    let plugin = fixture.isolated();
    let answers = bound(&plugin).segment(&values([Some(1)]), &call()).unwrap();
    assert_eq!((answers.segment, answers.unanswered), (vec![1], vec![]));
}

fn within(left: Duration) -> Call<'static> {
    Call {
        deadline: Some(Deadline::after(left)),
        ..call()
    }
}

#[test]
fn a_call_that_does_not_end_is_killed_and_the_next_one_is_answered() {
    let fixture = with("volatile int spin = values[0] == 9; while (spin) {}");
    let plugin = fixture.isolated();
    let instance = bound(&plugin);
    let late = instance
        .segment(
            &values([Some(9), Some(1)]),
            &within(Duration::from_millis(500)),
        )
        .unwrap();
    assert_eq!(late.unanswered.len(), 2);
    assert!(
        late.unanswered
            .iter()
            .all(|one| one.trouble == Trouble::Overran)
    );
    let after = instance.segment(&values([Some(2)]), &call()).unwrap();
    assert_eq!((after.segment, after.unanswered), (vec![2], vec![]));
    assert_eq!(plugin.losses(), 1);
}

#[test]
fn who_looks_at_the_flag_is_not_killed() {
    let fixture = with("while (values[0] == 9) if (SEG_CANCELLED(call)) return SEG_E_CANCELLED;");
    let plugin = fixture.isolated();
    let instance = bound(&plugin);
    let late = instance
        .segment(&values([Some(9)]), &within(Duration::from_millis(500)))
        .unwrap();
    assert_eq!(late.unanswered[0].trouble, Trouble::Overran);
    let after = instance.segment(&values([Some(2)]), &call()).unwrap();
    assert_eq!((after.segment, after.unanswered), (vec![2], vec![]));
    assert_eq!(plugin.losses(), 0);
}

fn refused(prelude: &str, entry: &str) -> (String, String) {
    let fixture = Fixture {
        prelude: prelude.to_owned(),
        entry: format!("{entry} return &table;"),
        ..Fixture::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let file = Verified::read(&fixture.compile_with(folder.path(), &[])).unwrap();
    let refused = External::start(&hosts(), file, Allowance::default()).unwrap_err();
    (refused.check_id().to_owned(), refused.what().to_owned())
}

#[test]
fn harm_while_it_is_loaded_is_a_failed_check() {
    let constructor =
        |does: &str| format!("__attribute__((constructor)) static void start(void) {{ {does} }}");
    let (id, what) = refused(
        &constructor("volatile int *volatile nowhere = NULL; *nowhere = 1;"),
        "",
    );
    assert_eq!(
        (id.as_str(), what.as_str()),
        ("L-crash", "it crashed (SIGSEGV)")
    );
    let (id, what) = refused(&constructor("_exit(0);"), "");
    assert_eq!(
        (id.as_str(), what.as_str()),
        ("L-crash", "it ended its process with code 0")
    );
    let (id, _) = refused("", "abort();");
    assert_eq!(id, "L-crash");
    // What a constructor may not do, it does not do.
    let written = "/segmenter_was_here";
    let open = format!(
        "if (open(\"{written}\", O_WRONLY | O_CREAT, 0600) >= 0 || socket(AF_INET, SOCK_STREAM, 0) >= 0 || fork() >= 0) abort();"
    );
    let fixture = Fixture {
        prelude: constructor(&open),
        ..Fixture::default()
    };
    fixture.isolated();
    assert!(!std::path::Path::new(written).exists());
}

#[test]
fn a_constructor_that_does_not_end_is_killed() {
    let (id, what) = refused(
        "__attribute__((constructor)) static void start(void) { for (;;) pause(); }",
        "",
    );
    assert_eq!(
        (id.as_str(), what.as_str()),
        ("L-time", "it is not loaded after 5s")
    );
}

#[test]
fn one_row_of_thousands_that_never_ends_is_found_and_the_others_are_answered() {
    let fixture = with(
        "volatile int spin = 1; for (int64_t k = 0; k < rows; k++) while (values[k] == 9 && spin) {}",
    );
    let folder = tempfile::tempdir().unwrap();
    let path = fixture.independent().compile_with(folder.path(), &[]);
    let allowance = Allowance {
        longest_call: Duration::from_millis(300),
        ..Allowance::default()
    };
    let plugin = External::start(&hosts(), Verified::read(&path).unwrap(), allowance).unwrap();
    let cells: [Option<i64>; 4_000] = std::array::from_fn(|row| {
        Some(if row == 1_234 {
            9
        } else {
            i64::try_from(row % 3).unwrap()
        })
    });
    let answers = bound(&plugin)
        .segment(&values(cells), &within(Duration::from_secs(60)))
        .unwrap();
    let unanswered: Vec<usize> = answers.unanswered.iter().map(|one| one.row).collect();
    assert_eq!(unanswered, [1_234]);
    assert_eq!(answers.unanswered[0].trouble, Trouble::Overran);
    let mut others = answers
        .segment
        .iter()
        .enumerate()
        .filter(|(row, _)| *row != 1_234);
    assert!(others.all(|(row, segment)| usize::from(*segment) == row % 3));
}

/// Waits until something is so.
fn until(is_so: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < until, "it is not ended");
        thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn a_process_that_takes_more_than_it_may_between_calls_is_ended_and_at_last_not_asked() {
    let idle = "static void *more(void *nothing) { for (;;) pause(); return nothing; }";
    let spins =
        "static void *more(void *nothing) { for (volatile int k = 0;; k++) {} return nothing; }";
    let takes = "takes a processor beside the calls";
    for (prelude, n_threads, is_asked_meanwhile, told) in [
        (idle, 100, false, "threads, 1 are declared"),
        (spins, 1, false, takes),
        (spins, 1, true, takes),
    ] {
        let starts = format!(
            "pthread_t thread; pthread_attr_t small; pthread_attr_init(&small); \
             pthread_attr_setstacksize(&small, 16384); \
             static int n_threads = 0; \
             for (; n_threads < {n_threads}; n_threads++) if (pthread_create(&thread, &small, more, NULL) != 0) abort(); \
             return answer(out, values, rows);"
        );
        let fixture = Fixture {
            prelude: prelude.to_owned(),
            segment: starts,
            ..Fixture::default()
        };
        let plugin = fixture.isolated();
        let instance = bound(&plugin);
        for n_lost in 1..=3 {
            assert!(!plugin.is_quarantined());
            let answers = instance.segment(&values([Some(1)]), &call()).unwrap();
            assert_eq!((answers.unanswered.len(), answers.segment[0]), (0, 1));
            until(|| {
                if is_asked_meanwhile {
                    thread::park_timeout(Duration::from_millis(80));
                    instance.segment(&values([Some(1)]), &call()).unwrap();
                }
                plugin.losses() >= n_lost
            });
        }
        until(|| plugin.is_quarantined());
        let failure = plugin.failure().unwrap().to_string();
        assert!(failure.contains(told), "{failure}");
        let answers = instance.segment(&values([Some(1)]), &call()).unwrap();
        assert_eq!(answers.unanswered[0].trouble.kind(), "quarantined");
    }
}
