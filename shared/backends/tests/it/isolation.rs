use tokio::task::JoinSet;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use sextant_backends::postgres::{Ingestion, SYSTEM_TABLES, Service};
use sextant_backends::testing::{Database, database, migrated_database};
use sextant_domain::fact::FactKind;
use sextant_store::port::Facts;

use crate::support::{batch, connect, connect_as_app, fact, tenant};

/// Tables of ours with a tenant, by schema and name.
async fn tenant_tables(client: &Client) -> Vec<(String, String)> {
    let sql = "SELECT nspname::text, relname::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'tenant_id' AND NOT attisdropped
        WHERE nspname LIKE 'sextant%' AND relkind IN ('r', 'p') ORDER BY 1, 2";
    let rows = client.query(sql, &[]).await.unwrap();
    let tables = rows.iter().map(|row| (row.get(0), row.get::<_, String>(1)));
    tables
        .filter(|(_, name)| !SYSTEM_TABLES.contains(&name.as_str()))
        .collect()
}

/// A database in which partitions exist.
async fn with_partitions() -> Database {
    let database = migrated_database().await;
    let store = Ingestion::connect(&database.config()).await.unwrap();
    store
        .commit(batch(
            tenant(),
            vec![fact(FactKind::Account, "acme", "state")],
        ))
        .await
        .unwrap();
    database
}

#[tokio::test]
async fn every_tenant_table_has_row_level_security_forced() {
    let database = with_partitions().await;
    let mut tasks = JoinSet::new();
    let client = connect(database.url(), &mut tasks).await;
    let tables = tenant_tables(&client).await;
    assert!(
        tables.iter().any(|(_, name)| name == "fact_2026_01"),
        "partitions are checked too: {tables:?}"
    );
    for (schema, name) in tables {
        let sql = "SELECT relrowsecurity, relforcerowsecurity,
              (SELECT count(*) FROM pg_policy WHERE polrelid = pg_class.oid AND polcmd = '*' AND polpermissive
                AND pg_get_expr(polqual, polrelid) = pg_get_expr(polwithcheck, polrelid)
                AND pg_get_expr(polqual, polrelid) LIKE '%current_setting(''app.tenant_id''%'),
              (SELECT count(*) FROM pg_policy WHERE polrelid = pg_class.oid),
              pg_get_userbyid(relowner) <> 'sextant_app'
            FROM pg_class WHERE oid = format('%I.%I', $1::text, $2::text)::regclass";
        let row = client.query_one(sql, &[&schema, &name]).await.unwrap();
        let state: (bool, bool, i64, i64, bool) =
            (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4));
        assert_eq!(state, (true, true, 1, 1, true), "{schema}.{name}");
    }
}

#[tokio::test]
async fn the_application_role_has_no_rights_beyond_the_wall() {
    let database = migrated_database().await;
    let mut tasks = JoinSet::new();
    let client = connect(database.url(), &mut tasks).await;
    let sql = "SELECT rolsuper OR rolbypassrls OR rolcanlogin OR rolcreatedb OR rolcreaterole,
        (SELECT count(*) FROM pg_class WHERE relowner = pg_roles.oid) FROM pg_roles WHERE rolname = 'sextant_app'";
    let row = client.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get::<_, bool>(0), row.get::<_, i64>(1)), (false, 0));
}

#[tokio::test]
async fn the_tenant_leads_every_key_of_tenant_tables() {
    let database = with_partitions().await;
    let mut tasks = JoinSet::new();
    let client = connect(database.url(), &mut tasks).await;
    for (schema, name) in tenant_tables(&client).await {
        let sql = "SELECT indexrelid::regclass::text, attname::text FROM pg_index
            JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
            WHERE indrelid = format('%I.%I', $1::text, $2::text)::regclass";
        let indexes = client.query(sql, &[&schema, &name]).await.unwrap();
        assert!(!indexes.is_empty(), "{schema}.{name} has no key");
        for index in indexes {
            assert_eq!(
                index.get::<_, &str>(1),
                "tenant_id",
                "first column of {}",
                index.get::<_, &str>(0)
            );
        }
    }
    let foreign = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal";
    assert_eq!(
        client
            .query_one(foreign, &[])
            .await
            .unwrap()
            .get::<_, i64>(0),
        0,
        "no triggers"
    );
}

/// Values that make a row of any of the tables.
async fn insert_row(
    client: &Client,
    owner: &Client,
    schema: &str,
    table: &str,
    tenant: Uuid,
) -> Result<u64, tokio_postgres::Error> {
    let sql = "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute
        WHERE attrelid = format('%I.%I', $1::text, $2::text)::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = ''";
    let columns = owner.query(sql, &[&schema, &table]).await.unwrap();
    let names: Vec<&str> = columns.iter().map(|column| column.get(0)).collect();
    let values: Vec<String> = columns
        .iter()
        .map(
            |column| match (column.get::<_, &str>(0), column.get::<_, &str>(1)) {
                ("tenant_id", _) => format!("'{tenant}'"),
                ("occurred_at", _) => "1768478400000000".to_owned(),
                ("hour", _) => "491244".to_owned(),
                (_, "uuid") => format!("'{}'", Uuid::new_v4()),
                (_, "text") => "'x'".to_owned(),
                (_, "bytea") => "'\\x00'".to_owned(),
                (_, "boolean") => "false".to_owned(),
                (_, _) => "1".to_owned(),
            },
        )
        .collect();
    client
        .execute(
            &format!(
                "INSERT INTO {table} ({}) VALUES ({})",
                names.join(", "),
                values.join(", ")
            ),
            &[],
        )
        .await
}

#[tokio::test]
async fn two_tenants_never_see_or_write_each_others_rows_in_any_table() {
    let database = with_partitions().await;
    let mut tasks = JoinSet::new();
    let owner = connect(database.url(), &mut tasks).await;
    let mut n_checked = 0;
    for (schema, table) in tenant_tables(&owner).await {
        if table.contains("_2026_") {
            continue; // the application has no rights on partitions, only on their parent
        }
        let client = connect_as_app(database.url(), &schema, &mut tasks).await;
        let (ours, theirs) = (Uuid::new_v4(), Uuid::new_v4());
        let as_tenant = async |tenant: Uuid| {
            client
                .batch_execute(&format!("BEGIN; SET LOCAL app.tenant_id = '{tenant}'"))
                .await
                .unwrap()
        };
        for tenant in [ours, theirs] {
            as_tenant(tenant).await;
            insert_row(&client, &owner, &schema, &table, tenant)
                .await
                .unwrap();
            client.batch_execute("COMMIT").await.unwrap();
        }
        as_tenant(ours).await;
        let seen = client
            .query(&format!("SELECT DISTINCT tenant_id FROM {table}"), &[])
            .await
            .unwrap();
        assert_eq!(
            seen.iter().map(|row| row.get(0)).collect::<Vec<Uuid>>(),
            [ours],
            "{schema}.{table}"
        );
        let refused = insert_row(&client, &owner, &schema, &table, theirs)
            .await
            .unwrap_err();
        assert_eq!(
            refused.code(),
            Some(&SqlState::INSUFFICIENT_PRIVILEGE),
            "{schema}.{table}: {refused:?}"
        );
        client.batch_execute("ROLLBACK").await.unwrap();
        // Without a tenant nothing is visible, and nothing fails.
        let seen = client
            .query(&format!("SELECT FROM {table}"), &[])
            .await
            .unwrap();
        assert_eq!(seen.len(), 0, "{schema}.{table}");
        n_checked += 1;
    }
    assert_eq!(n_checked, 13 + 5 + 8 + 3, "tables of the four services");
}

#[tokio::test]
async fn copy_is_refused_behind_the_wall_and_bulk_inserts_are_not() {
    let database = migrated_database().await;
    let mut tasks = JoinSet::new();
    let client = connect_as_app(database.url(), Service::Ingestion.schema(), &mut tasks).await;
    let (ours, theirs) = (Uuid::new_v4(), Uuid::new_v4());
    let begin = format!("BEGIN; SET LOCAL app.tenant_id = '{ours}'");
    client.batch_execute(&begin).await.unwrap();
    let refused = client
        .batch_execute("COPY account FROM STDIN BINARY")
        .await
        .unwrap_err();
    assert_eq!(
        refused.code(),
        Some(&SqlState::FEATURE_NOT_SUPPORTED),
        "{refused:?}"
    );
    client.batch_execute("ROLLBACK").await.unwrap();

    let insert = include_str!("../../queries/postgres/ingestion/insert_accounts.sql");
    let (ids, uids, slices) = (
        vec!["a", "b"],
        vec![Uuid::new_v4(), Uuid::new_v4()],
        vec![0, 0],
    );
    client.batch_execute(&begin).await.unwrap();
    assert_eq!(
        client
            .execute(insert, &[&ours, &ids, &uids, &slices])
            .await
            .unwrap(),
        2
    );
    client.batch_execute("COMMIT").await.unwrap();
    client.batch_execute(&begin).await.unwrap();
    let refused = client
        .execute(insert, &[&theirs, &ids, &uids, &slices])
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
}

#[tokio::test]
async fn without_the_wall_a_foreign_row_is_stored() {
    // What the wall is for: the same statement, the same setting, no row-level security.
    let database = database().await;
    let mut tasks = JoinSet::new();
    let client = connect(database.url(), &mut tasks).await;
    client
        .batch_execute(
            "CREATE TABLE account (tenant_id uuid, external_id text, uid uuid, slice integer)",
        )
        .await
        .unwrap();
    let insert = include_str!("../../queries/postgres/ingestion/insert_accounts.sql");
    client
        .batch_execute(&format!(
            "BEGIN; SET LOCAL app.tenant_id = '{}'",
            Uuid::new_v4()
        ))
        .await
        .unwrap();
    let written = client
        .execute(
            insert,
            &[&Uuid::new_v4(), &vec!["a"], &vec![Uuid::new_v4()], &vec![0]],
        )
        .await
        .unwrap();
    assert_eq!(written, 1);
}
