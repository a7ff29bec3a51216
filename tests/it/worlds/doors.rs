//! What products already send: unmodified libraries of others against a running installation.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use sextant::client::Client;
use sextant_proto::ingestion::v1::{
    CreateKeyRequest, GetTenantRequest, InvoiceStatus, Key, ListAccountsRequest, ListHeldRequest,
    ListInvoicesRequest, ListSourcesRequest, Scope, Source,
};

use crate::worlds::records::{ask, entity, feature, now};
use crate::worlds::world::{Shape, World, request_id, tenant_in};

/// Where `tests/tools` puts what it installs.
fn tools() -> PathBuf {
    let tools = std::env::var_os("SEXTANT_TEST_TOOLS");
    let tools = tools.unwrap_or_else(|| panic!("SEXTANT_TEST_TOOLS: the folder of tests/tools"));
    tools.into()
}

fn clients() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/clients"))
}

/// A tenant that lives today, and a write key of it.
struct Site {
    world: World,
    client: Client,
    write_key: String,
}

impl Site {
    async fn new(shape: Shape) -> Self {
        Self::new_with(shape, &[]).await
    }

    async fn new_with(shape: Shape, settings: &[String]) -> Self {
        let world = World::start_with(shape, settings).await;
        let installation = world.client();
        let client = tenant_in(&installation, "acme", "UTC", None).await;
        let request = GetTenantRequest::default();
        let tenant = ask!(client, tenants.get_tenant, request).tenant.unwrap();
        let key = Key {
            tenant_id: tenant.tenant_id,
            scopes: vec![Scope::Ingest.into()],
            title: "write key".to_owned(),
            ..Key::default()
        };
        let request = CreateKeyRequest {
            key: Some(key),
            request_id: request_id(),
        };
        let made = ask!(client, access.create_key, request);
        Self {
            world,
            client,
            write_key: made.secret,
        }
    }

    /// Runs a product to its end.
    fn run(&self, mut product: Command) {
        product
            .env("SEXTANT_ADDRESS", &self.world.addresses().ingestion)
            .env("SEXTANT_KEY", &self.write_key);
        let output = product.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{product:?}: {said}");
    }

    async fn counts(&self) -> Source {
        let counted = ask!(
            self.client,
            sources.list_sources,
            ListSourcesRequest::default()
        );
        counted.sources.into_iter().next().unwrap()
    }

    /// Returns when nothing waits any more.
    async fn settled(&self) {
        let settled = async {
            loop {
                let held = ask!(self.client, ingestion.list_held, ListHeldRequest::default());
                if held.held.is_empty() {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        let settled = tokio::time::timeout(std::time::Duration::from_secs(30), settled).await;
        settled.unwrap();
    }
}

/// The product in Python; with compressed bodies or without.
fn python(gzip: bool) -> Command {
    let mut command = Command::new(tools().join("clients/bin/python"));
    command.arg(clients().join("segment/product.py"));
    if gzip {
        command.arg("gzip");
    }
    command
}

/// A product in JavaScript, beside the libraries that are installed.
fn node(folder: &Path, script: &str) -> Command {
    let modules = folder.join("node_modules");
    if !modules.exists() {
        symlink(tools().join("node/node_modules"), &modules).unwrap();
    }
    let script = clients().join(script);
    let copy = folder.join(script.file_name().unwrap());
    std::fs::copy(script, &copy).unwrap();
    let mut command = Command::new(tools().join("python/bin/node"));
    command.arg(copy);
    command
}

/// What every product has sent of its three accounts: of each of six users an identity, a group, 20 events, a visit, and an alias.
async fn expect_all_of(site: &Site, product: &str, name: &str) {
    site.settled().await;
    let listed = ask!(
        site.client,
        accounts.list_accounts,
        ListAccountsRequest::default()
    );
    let accounts: Vec<(String, String)> = listed
        .accounts
        .iter()
        .map(|account| {
            (
                account.r#ref.as_ref().unwrap().id.clone(),
                account.name.clone(),
            )
        })
        .filter(|(id, _)| id.starts_with(product))
        .collect();
    let expected: Vec<(String, String)> = (0..3)
        .map(|number| (format!("{product}-{number}"), format!("{name} {number}")))
        .collect();
    assert_eq!(accounts, expected);
    let position = listed.freshness.unwrap().position;
    for (account, _) in accounts {
        let at = now(&position);
        let of = async |name: &str| feature(&site.client, &account, name, &at).await;
        assert_eq!(of("usage.events_28d").await, Some(42), "{account}");
        assert_eq!(of("usage.active_users_28d").await, Some(2), "{account}");
        assert_eq!(of("usage.product_features_28d").await, Some(1), "{account}");
    }
}

/// What one product sends, in records: a group is an account and a membership.
const N_RECORDS: u64 = 6 * (1 + 2 + 20 + 1 + 1);

async fn every_library_delivers(shape: Shape) {
    let site = Site::new(shape).await;
    let folder = tempfile::tempdir().unwrap();
    let products = [
        (python(false), "python", "Python"),
        (node(folder.path(), "segment/segment.mjs"), "node", "Node"),
        (
            node(folder.path(), "segment/rudder.mjs"),
            "rudder",
            "Rudder",
        ),
    ];
    let mut expected = 0;
    for (product, prefix, name) in products {
        site.run(product);
        expect_all_of(&site, prefix, name).await;
        expected += N_RECORDS;
        let counts = site.counts().await;
        assert_eq!(
            (counts.source.as_str(), counts.accepted),
            ("segment", expected),
            "{prefix}"
        );
        let others = [
            counts.duplicate,
            counts.conflict,
            counts.held,
            counts.rejected,
        ];
        assert_eq!(others, [0; 4], "{prefix}");
    }
    // The same product again, as another process: other messages of the same accounts.
    site.run(python(true));
    site.settled().await;
    assert_eq!(site.counts().await.accepted, expected + N_RECORDS);
}

#[tokio::test]
async fn libraries_of_segment_and_rudderstack_deliver_every_record_to_the_embedded_engine() {
    every_library_delivers(Shape::Embedded).await;
}

#[tokio::test]
async fn libraries_of_segment_and_rudderstack_deliver_every_record_to_services_apart() {
    every_library_delivers(Shape::Apart).await;
}

/// A customer of Stripe who buys seats and pays, from the events that Stripe's own library signs.
async fn stripe_delivers(shape: Shape) {
    let folder = tempfile::tempdir().unwrap();
    let endpoints = folder.path().join("endpoints");
    std::fs::create_dir(&endpoints).unwrap();
    let file = r#"{"tenant": "acme", "signing_secrets": ["whsec_of_the_endpoint"]}"#;
    std::fs::write(endpoints.join("live.json"), file).unwrap();
    let setting = format!("ingest.webhook_dir={}", endpoints.display());
    let site = Site::new_with(shape, &[setting]).await;
    let mut stripe = node(folder.path(), "stripe/deliver.mjs");
    stripe.env("STRIPE_SECRET", "whsec_of_the_endpoint");
    site.run(stripe);
    site.settled().await;
    let counts = site.counts().await;
    assert_eq!((counts.source.as_str(), counts.accepted), ("stripe", 6));
    assert_eq!(
        (counts.conflict, counts.held, counts.rejected),
        (0, 0, 0),
        "{counts:?}"
    );
    let request = ListInvoicesRequest {
        account: entity("acme"),
        ..ListInvoicesRequest::default()
    };
    let listed = ask!(site.client, accounts.list_invoices, request);
    let states: Vec<_> = listed
        .invoices
        .iter()
        .map(|one| one.state.as_ref().unwrap())
        .map(|state| (state.invoice_id.as_str(), state.status(), state.paid_minor))
        .collect();
    assert_eq!(states, [("in_1", InvoiceStatus::Paid, 24_000)]);
    let at = now(&listed.freshness.unwrap().position);
    // Twelve seats at 20 dollars a month.
    let mrr = feature(&site.client, "acme", "revenue.mrr_minor", &at).await;
    assert_eq!(mrr, Some(24_000));
}

#[tokio::test]
async fn events_of_stripe_become_an_account_with_what_it_is_worth_in_the_embedded_engine() {
    stripe_delivers(Shape::Embedded).await;
}

#[tokio::test]
async fn events_of_stripe_become_an_account_with_what_it_is_worth_in_services_apart() {
    stripe_delivers(Shape::Apart).await;
}
