use sextant_store::embedded::Embedded;

use super::Program;
use crate::installation::{Installation as _, Role};
use crate::testing::loaded;

fn told<T>(answer: Result<T, sextant_runtime::lifecycle::BoxError>) -> String {
    answer
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default()
}

const POSTGRES: [(&str, &str); 2] = [
    ("store.kind", "postgres"),
    (
        "store.postgres_url",
        "postgresql://nobody@127.0.0.1:1/nothing",
    ),
];

#[tokio::test]
async fn commands_for_files_of_the_embedded_engine_make_no_store_where_none_is() {
    let folder = tempfile::tempdir().unwrap();
    let (data, to) = (folder.path().join("data"), folder.path().join("to"));
    let data_dir = ("store.data_dir", data.to_str().unwrap());
    let embedded = loaded(&[data_dir]);
    let absent = format!(
        "directory \"{}\" holds no store: correct store.data_dir",
        data.display()
    );
    assert_eq!(
        told(Program::default().backup(&embedded, &to).await),
        absent
    );
    assert_eq!(told(Program::default().migrate(&embedded).await), absent);

    let postgres = loaded(&[data_dir, POSTGRES[0], POSTGRES[1]]);
    for refused in [
        Program::default().backup(&postgres, &to).await,
        Program::default().restore(&postgres, &to).await,
    ] {
        let told = told(refused);
        assert!(told.contains("store.kind is postgres"), "{told}");
    }
    assert!(!data.exists() && !to.exists());

    drop(Embedded::open(&data).unwrap());
    assert_eq!(told(Program::default().backup(&embedded, &to).await), "");
    assert!(to.join("manifest").is_file());
}

#[tokio::test]
async fn the_kind_of_the_store_decides_what_is_migrated() {
    let folder = tempfile::tempdir().unwrap();
    drop(Embedded::open(folder.path()).unwrap());
    let data_dir = ("store.data_dir", folder.path().to_str().unwrap());
    let embedded = loaded(&[data_dir, POSTGRES[1]]);
    let done = Program::default().migrate(&embedded).await.unwrap();
    let services: Vec<&str> = done.iter().map(|one| one.service).collect();
    assert_eq!(
        services,
        ["ingestion", "scoring", "segmentation", "metrics"]
    );
    assert!(done.iter().all(|one| one.from == one.to && one.to > 0));
    let postgres = loaded(&[data_dir, POSTGRES[0], POSTGRES[1]]);
    assert!(Program::default().migrate(&postgres).await.is_err());
}

#[tokio::test]
async fn the_embedded_engine_is_not_served_to_other_machines_unless_it_may_be() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let set = [
        ("store.data_dir", data.to_str().unwrap()),
        ("server.listen", "0.0.0.0:0"),
        ("server.admin_listen", "127.0.0.1:0"),
        ("plugins.builtin_dir", "no/such/directory"),
    ];
    let refused = told(Program::default().start(&loaded(&set), Role::All).await);
    assert!(refused.contains("server.expose"), "{refused}");
    assert!(!data.exists());
    // Now it is the segmenters that are missing.
    let allowed = [&set[..], &[("server.expose", "true")]].concat();
    let refused = told(Program::default().start(&loaded(&allowed), Role::All).await);
    assert!(
        !refused.contains("server.expose") && data.exists(),
        "{refused}"
    );
}

#[tokio::test]
async fn a_first_key_that_is_none_is_named_with_where_it_is_from() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = ("store.data_dir", folder.path().to_str().unwrap());
    let ports = [
        ("server.listen", "127.0.0.1:0"),
        ("server.admin_listen", "127.0.0.1:0"),
    ];
    let set = [data_dir, ports[0], ports[1]];
    let configured = [
        &set[..],
        &[POSTGRES[0], POSTGRES[1], ("auth.admin_key", "sx_short")],
    ]
    .concat();
    let refused = told(
        Program::default()
            .start(&loaded(&configured), Role::Ingestion)
            .await,
    );
    assert!(
        refused.starts_with("auth.admin_key (flag --set): not a key"),
        "{refused}"
    );

    let path = folder.path().join("local.key");
    std::fs::write(&path, "sx_short").unwrap();
    let refused = told(Program::default().start(&loaded(&set), Role::All).await);
    let named = format!("file \"{}\": not a key", path.display());
    assert!(refused.starts_with(&named), "{refused}");
}
