//! The generated code in `src/gen` is what the `.proto` files say.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use prost::Message as _;
use prost_types::FileDescriptorSet;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn proto_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            proto_files(&path, found);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "proto")
        {
            found.push(path);
        }
    }
}

pub(crate) fn descriptors() -> FileDescriptorSet {
    let mut files = Vec::new();
    proto_files(&root().join("sextant"), &mut files);
    protox::compile(&files, [root()]).unwrap()
}

fn generate(into: &Path) {
    let descriptors = descriptors();
    tonic_prost_build::configure()
        .out_dir(into)
        .btree_map(".")
        .bytes(".")
        .extern_path(
            ".sextant.segmentation.v1.GetMembershipResponse",
            "crate::encoded::GetMembershipResponse",
        )
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors.clone())
        .unwrap();
    fs::write(into.join("methods.rs"), methods(&descriptors)).unwrap();
    fs::write(into.join("descriptor_set.rs"), descriptor_set(&descriptors)).unwrap();
}

/// The compiled contract itself, for whoever reads messages by the names of their fields.
fn descriptor_set(descriptors: &FileDescriptorSet) -> String {
    const BYTES_PER_LINE: usize = 96;
    let mut bare = descriptors.clone();
    for file in &mut bare.file {
        // Comments and places in the sources: most of the bytes.
        file.source_code_info = None;
    }
    let mut text = String::from("b\"\\\n");
    for line in bare.encode_to_vec().chunks(BYTES_PER_LINE) {
        for byte in line {
            match byte {
                b'"' | b'\\' => text += &format!("\\{}", char::from(*byte)),
                // A blank at the beginning of a line would be skipped.
                0x21..=0x7e => text.push(char::from(*byte)),
                _ => text += &format!("\\x{byte:02x}"),
            }
        }
        text += "\\\n";
    }
    text + "\"\n"
}

/// The names of all methods, for the check that each has been given its scope.
fn methods(descriptors: &FileDescriptorSet) -> String {
    let mut text = String::from("// This file is generated from the .proto files.\n");
    for file in descriptors
        .file
        .iter()
        .filter(|file| file.package().starts_with("sextant."))
    {
        for service in &file.service {
            let path = format!("{}.{}", file.package(), service.name());
            let package = file
                .package()
                .trim_start_matches("sextant.")
                .trim_end_matches(".v1");
            let constant = format!("{package}_{}", snake(service.name())).to_uppercase();
            let names: Vec<String> = service
                .method
                .iter()
                .map(|method| format!("    \"{}\",\n", method.name()))
                .collect();
            text += &format!(
                "/// Methods of {path}.\npub const {constant}: &[&str] = &[\n{}];\n",
                names.concat()
            );
        }
    }
    text
}

fn snake(name: &str) -> String {
    name.char_indices()
        .map(|(at, c)| {
            if at > 0 && c.is_uppercase() {
                format!("_{c}")
            } else {
                c.to_string()
            }
        })
        .collect()
}

fn contents(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        files.insert(name, fs::read_to_string(path).unwrap());
    }
    files
}

#[test]
fn generated_code_is_what_the_proto_files_say() {
    let fresh = tempfile::tempdir().unwrap();
    generate(fresh.path());
    let checked_in = root().join("src/gen");
    if std::env::var_os("UPDATE_GEN").is_some() {
        for (name, text) in contents(fresh.path()) {
            fs::write(checked_in.join(name), text).unwrap();
        }
    }
    let (fresh, checked_in) = (contents(fresh.path()), contents(&checked_in));
    assert_eq!(
        fresh.keys().collect::<Vec<_>>(),
        checked_in.keys().collect::<Vec<_>>()
    );
    for (name, text) in &fresh {
        assert!(
            checked_in[name] == *text,
            "{name} is stale: run UPDATE_GEN=1 cargo test -p sextant-proto"
        );
    }
}
