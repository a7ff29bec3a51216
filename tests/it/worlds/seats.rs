//! A segmenter of a team's own, compiled from C.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = include_str!("../../../plugins/host/tests/it/fixture.c");

/// Seats from which on it crashes, and with which it never ends, ten of them each: none that the check of a segmenter tries.
pub(crate) const CRASHES: u64 = 131_313;
pub(crate) const HANGS: u64 = 141_414;

/// One of its versions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seats {
    pub(crate) id: &'static str,
    pub(crate) version: &'static str,
    /// Accounts with so many seats or more are large, others small.
    pub(crate) large_from: u64,
    pub(crate) crashes: u64,
    pub(crate) hangs: u64,
    pub(crate) feature: &'static str,
    /// What it does when a tenant of the service asks why; the check of a segmenter is told.
    pub(crate) explains: Option<&'static str>,
}

impl Default for Seats {
    fn default() -> Self {
        Self {
            id: "acme.seats",
            version: "1.0.0",
            large_from: 50,
            crashes: CRASHES,
            hangs: HANGS,
            feature: "revenue.seats",
            explains: None,
        }
    }
}

impl Seats {
    /// Compiles it into a folder; a file for each version.
    pub(crate) fn compile_into(self, folder: &Path) -> PathBuf {
        let Self {
            id,
            version,
            large_from,
            crashes,
            hangs,
            feature,
            explains,
        } = self;
        let descriptor = format!(
            r#"{{"id":"{id}","version":"{version}","abi":"1.0","title":"Seats","output":"single","requires":[{{"feature":"{feature}","type":"int64","on_missing":"skip_row"}}],"segments":[{{"key":"small","title":"Small"}},{{"key":"large","title":"Large"}}],"config_schema":{{"type":"object","additionalProperties":false,"properties":{{"unit":{{"type":"string","default":"seat"}}}}}}}}"#
        );
        let judge = format!(
            "static int64_t said[16384]; volatile int spin = 1; \
             for (int64_t k = 0; k < rows; k++) {{ \
               if (strstr(self->config, \"crash\") != NULL) abort(); \
               if (values[k] >= {crashes} && values[k] < {crashes} + 10) *(volatile int *)0 = 1; \
               while (values[k] >= {hangs} && values[k] < {hangs} + 10 && spin) {{}} \
               said[k] = values[k] >= {large_from}; }} \
             return answer(out, said, rows);"
        );
        let table = match explains {
            Some(_) => ".caps = SEG_CAP_ROW_INDEPENDENT | SEG_CAP_DETERMINISTIC | SEG_CAP_EXPLAIN",
            None => ".caps = SEG_CAP_ROW_INDEPENDENT, .explain = NULL",
        };
        let explain = format!(
            "static const struct reason of[1] = {{{{0, 1.0f, 'a'}}}}; \
             if (strncmp(call->tenant, \"00000000\", 8) == 0) return reasons(out, in->length, top_k > 0, of); \
             {}",
            explains.unwrap_or("return SEG_E_UNSUPPORTED;")
        );
        let source = SOURCE
            .replace("@DESCRIPTOR@", &descriptor.replace('"', "\\\""))
            .replace("@TABLE@", table)
            .replace("@SEGMENT@", &judge)
            .replace("@ENTRY@", "(void)explain; return &table;")
            .replace("@EXPLAIN@", &explain)
            .replace("@PRELUDE@", "");
        let file = folder.join(format!("seats-{version}.c"));
        let library = match version {
            "1.0.0" => folder.join("seats.so"),
            later => folder.join(format!("seats-{later}.so")),
        };
        fs::write(&file, source).unwrap();
        let mut roots = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let header = roots.find_map(|root| {
            let header = root.join("plugins/abi/include");
            header.is_dir().then_some(header)
        });
        let compiled = Command::new("cc")
            .args([
                "-O1",
                "-std=gnu11",
                "-fvisibility=hidden",
                "-shared",
                "-fPIC",
                "-I",
            ])
            .arg(header.unwrap())
            .arg("-o")
            .args([&library, &file])
            .output()
            .unwrap();
        let complaints = String::from_utf8_lossy(&compiled.stderr);
        assert!(compiled.status.success(), "{complaints}");
        library
    }
}
