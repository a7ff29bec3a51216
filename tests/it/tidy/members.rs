//! The crates of the workspace, as cargo sees them.

use std::process::Command;

use serde_json::Value;

use crate::tidy::tree::root;

/// A dependency that a crate states.
#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Only tests use it.
    pub(crate) is_dev: bool,
}

/// A crate of the workspace.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
}

impl Member {
    /// What the crate itself is built of.
    pub(crate) fn built_of(&self) -> impl Iterator<Item = &str> {
        self.dependencies
            .iter()
            .filter(|dependency| !dependency.is_dev)
            .map(|dependency| dependency.name.as_str())
    }
}

/// All members, in order of name.
pub(crate) fn members() -> Vec<Member> {
    let metadata = metadata(&["--no-deps", "--offline"]);
    let mut members: Vec<Member> = packages(&metadata).iter().map(member).collect();
    members.sort_by(|a, b| a.name.cmp(&b.name));
    members
}

/// The member of that name.
pub(crate) fn member_named(name: &str) -> Member {
    members()
        .into_iter()
        .find(|member| member.name == name)
        .unwrap()
}

fn member(package: &Value) -> Member {
    let dependency = |one: &Value| Dependency {
        name: text(one, "name"),
        is_dev: one["kind"] == "dev",
    };
    Member {
        name: text(package, "name"),
        dependencies: package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .map(dependency)
            .collect(),
    }
}

/// What cargo says about the packages that are built on this platform.
pub(crate) fn metadata(arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1"])
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn packages(metadata: &Value) -> &[Value] {
    metadata["packages"].as_array().unwrap()
}

/// A text of an object; empty where there is none.
pub(crate) fn text(object: &Value, key: &str) -> String {
    object[key].as_str().unwrap_or_default().to_owned()
}
