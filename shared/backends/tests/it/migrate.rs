use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::JoinSet;

use sextant_backends::postgres::{Config, ConnectError, Ingestion, MigrateError, Service, migrate};
use sextant_backends::testing::{Database, PostgresServer, database};

use crate::support::{connect, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_migrators_at_once_migrate_once() {
    let database = database().await;
    let migrators = (0..4).map(|_| migrate(database.url()));
    let results = within(Duration::from_secs(60), join_all(migrators)).await;
    let migrated: Vec<_> = results.into_iter().map(Result::unwrap).collect();
    let first = migrated
        .iter()
        .filter(|services| services.iter().all(|service| service.from == 0))
        .count();
    let later = migrated
        .iter()
        .filter(|services| services.iter().all(|service| service.from == service.to))
        .count();
    assert_eq!((first, later), (1, 3));
}

#[tokio::test]
async fn a_service_refuses_a_database_that_was_never_migrated() {
    let database = database().await;
    let error = Ingestion::connect(&database.config()).await.unwrap_err();
    let told = error.to_string();
    let ConnectError::Outdated {
        schema: "sextant_ingestion",
        stored: 0,
        known,
    } = error
    else {
        panic!("{error:?}")
    };
    assert!(
        told.contains("`sextant migrate`") && told.contains("--set store.postgres_url=URL"),
        "{told}"
    );
    let migrated = migrate(database.url()).await.unwrap();
    let schema = |service: Service| service.schema() == "sextant_ingestion";
    let done = migrated.iter().find(|one| schema(one.service)).unwrap();
    assert_eq!((done.from, done.to), (0, known));
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_services_and_migrators() {
    let database = database().await;
    migrate(database.url()).await.unwrap();
    let mut tasks = JoinSet::new();
    let client = connect(database.url(), &mut tasks).await;
    client
        .batch_execute("INSERT INTO sextant_ingestion.migration VALUES (99, 'of tomorrow')")
        .await
        .unwrap();
    let error = Ingestion::connect(&database.config()).await.unwrap_err();
    assert!(
        matches!(error, ConnectError::Newer { stored: 99, .. }),
        "{error:?}"
    );
    let error = migrate(database.url()).await.unwrap_err();
    assert!(
        matches!(error, MigrateError::Newer { stored: 99, .. }),
        "{error:?}"
    );
    assert_eq!(Service::Ingestion.schema(), "sextant_ingestion");
}

#[tokio::test]
async fn a_migrator_that_owns_no_server_can_migrate_and_its_services_can_work() {
    let database = database().await;
    migrate(database.url()).await.unwrap(); // the role exists from here on
    let mut tasks = JoinSet::new();
    let client = connect(database.url(), &mut tasks).await;
    let owner = format!("owner_{}", uuid::Uuid::new_v4().simple());
    let schemas = Service::ALL.map(Service::schema).join(", ");
    client
        .batch_execute(&format!("DROP SCHEMA {schemas} CASCADE"))
        .await
        .unwrap();
    let grant = format!(
        "CREATE ROLE {owner} LOGIN; GRANT sextant_app TO {owner};
         DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO {owner}', current_database()); END $$"
    );
    client.batch_execute(&grant).await.unwrap();
    let url = database
        .url()
        .replace("user=postgres", &format!("user={owner}"));
    migrate(&url).await.unwrap();
    let store = Ingestion::connect(&Config::new(url)).await.unwrap();
    let tenant = crate::support::tenant();
    crate::support::account(&store, tenant, "acme").await;
    assert_eq!(crate::support::records(&store, tenant).await.len(), 1);
}

#[tokio::test]
async fn a_user_who_may_not_make_roles_is_told_what_a_superuser_has_to_run_and_that_suffices() {
    let server = PostgresServer::start();
    let database = Database::on(&server).await;
    let url = database.url_of_new_user().await;
    let error = migrate(&url).await.unwrap_err();
    let MigrateError::Forbidden { fix, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(error.to_string().ends_with(fix.as_str()), "{error}");
    let mut tasks = JoinSet::new();
    let superuser = connect(database.url(), &mut tasks).await;
    superuser.batch_execute(fix).await.unwrap();
    migrate(&url).await.unwrap();
    Ingestion::connect(&Config::new(url)).await.unwrap();

    // The same for the user of a service, who owns nothing.
    let url = database.url_of_new_user().await;
    let error = Ingestion::connect(&Config::new(url.clone()))
        .await
        .unwrap_err();
    let ConnectError::Forbidden { fix, .. } = &error else {
        panic!("{error:?}")
    };
    superuser.batch_execute(fix).await.unwrap();
    Ingestion::connect(&Config::new(url)).await.unwrap();
}
