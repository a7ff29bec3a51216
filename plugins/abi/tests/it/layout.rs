use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::mem::offset_of;
use std::path::{Path, PathBuf};
use std::process::Command;

use sextant_segmenter_abi::{
    ArrowArray, ArrowSchema, SegCall, SegError, SegHost, SegPlugin, SegSink,
};

/// One number that both languages must agree on: a C expression and what Rust says about it.
struct Number {
    expression: String,
    rust: usize,
}

macro_rules! numbers {
    ($($rust:ident = $c:literal { $($field:ident),+ $(,)? })+) => {{
        let mut numbers = Vec::new();
        $(
            numbers.push(Number { expression: format!("sizeof({})", $c), rust: size_of::<$rust>() });
            $(numbers.push(Number {
                expression: format!("offsetof({}, {})", $c, stringify!($field)),
                rust: offset_of!($rust, $field),
            });)+
        )+
        numbers
    }};
}

fn numbers() -> Vec<Number> {
    numbers! {
        ArrowSchema = "struct ArrowSchema" {
            format, name, metadata, flags, n_children, children, dictionary, release, private_data,
        }
        ArrowArray = "struct ArrowArray" {
            length, null_count, offset, n_buffers, n_children, buffers, children, dictionary, release, private_data,
        }
        SegError = "seg_error" { struct_size, code, flags, reserved, row, field, message }
        SegCall = "seg_call" {
            struct_size, flags, deadline_mono_ns, cancel, as_of_unix_us, seed, tenant, traceparent,
        }
        SegHost = "seg_host" { struct_size, abi_major, abi_minor, ctx, name, version, log, metric, get_extension }
        SegSink = "seg_sink" { struct_size, reserved, ctx, write }
        SegPlugin = "seg_plugin" {
            struct_size, abi_major, abi_minor, caps, descriptor_json, descriptor_len, create, bind, segment, destroy,
            requirements, segments, explain, fit_begin, fit_batch, fit_end, state_save, state_load, get_extension,
        }
    }
}

/// A program that prints every number of the header, and every constant, as `expression=value`.
fn program(numbers: &[Number]) -> String {
    let mut source =
        String::from("#include \"segmenter.h\"\n#include <stdio.h>\nint main(void) {\n");
    for number in numbers {
        writeln!(
            source,
            "  printf(\"{0}=%llu\\n\", (unsigned long long)({0}));",
            number.expression
        )
        .unwrap();
    }
    source.push_str("  return 0;\n}\n");
    source
}

fn constants() -> Vec<Number> {
    macro_rules! constants {
        ($($name:ident),+ $(,)?) => {
            vec![$(Number {
                expression: stringify!($name).to_owned(),
                rust: usize::try_from(sextant_segmenter_abi::$name).unwrap(),
            }),+]
        };
    }
    let mut all = constants![
        ARROW_FLAG_NULLABLE,
        SEG_NO_SEGMENT,
        SEG_ABSTAIN,
        SEG_OK,
        SEG_E_INVALID_CONFIG,
        SEG_E_INVALID_INPUT,
        SEG_E_NOT_FITTED,
        SEG_E_CANCELLED,
        SEG_E_DEADLINE,
        SEG_E_RESOURCE,
        SEG_E_UNSUPPORTED,
        SEG_E_STATE,
        SEG_E_PANIC,
        SEG_E_INTERNAL,
        SEG_ERROR_RETRYABLE,
        SEG_CAP_FIT,
        SEG_CAP_EXPLAIN,
        SEG_CAP_THREAD_SAFE,
        SEG_CAP_DETERMINISTIC,
        SEG_CAP_ROW_INDEPENDENT,
        SEG_CAP_ISOLATED_ONLY,
        SEG_LOG_TRACE,
        SEG_LOG_DEBUG,
        SEG_LOG_INFO,
        SEG_LOG_WARN,
        SEG_LOG_ERROR,
        SEG_METRIC_COUNTER,
        SEG_METRIC_GAUGE,
        SEG_METRIC_HISTOGRAM,
    ];
    for (name, rust) in [
        ("SEG_ABI_MAJOR", sextant_segmenter_abi::ABI_MAJOR),
        ("SEG_ABI_MINOR", sextant_segmenter_abi::ABI_MINOR),
    ] {
        all.push(Number {
            expression: name.to_owned(),
            rust: usize::from(rust),
        });
    }
    all
}

/// Compiles the program with every warning an error, runs it, and compares what it prints with Rust.
fn check(compiler: &str, standard: &str, extension: &str) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("layout-{standard}"));
    fs::create_dir_all(&folder).unwrap();
    let mut numbers = numbers();
    numbers.extend(constants());
    let source = folder.join("layout").with_extension(extension);
    fs::write(&source, program(&numbers)).unwrap();
    let binary = folder.join("layout");
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let compiled = Command::new(compiler)
        .arg(format!("-std={standard}"))
        .args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-I"])
        .arg(&include)
        .arg("-o")
        .args([&binary, &source])
        .output()
        .unwrap_or_else(|error| panic!("{compiler} is needed by this test: {error}"));
    assert!(
        compiled.status.success(),
        "{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    let printed = String::from_utf8(Command::new(&binary).output().unwrap().stdout).unwrap();
    let c: BTreeMap<&str, &str> = printed
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    assert_eq!(c.len(), numbers.len());
    for number in &numbers {
        assert_eq!(
            c[number.expression.as_str()],
            number.rust.to_string(),
            "{}",
            number.expression
        );
    }
}

#[test]
fn header_compiled_as_c11_agrees_with_rust() {
    check("cc", "c11", "c");
}

#[test]
fn header_compiled_as_cxx11_agrees_with_rust() {
    check("c++", "c++11", "cpp");
}
