//! One file per rpc and door: parse, decide, store, answer.

pub(crate) mod advance_clock;
pub(crate) mod cloudevents;
pub(crate) mod complete_import;
pub(crate) mod create_key;
pub(crate) mod create_tenant;
pub(crate) mod get_account;
pub(crate) mod get_hierarchy;
pub(crate) mod get_tenant;
pub(crate) mod ingest;
pub(crate) mod ingest_batch;
pub(crate) mod list_accounts;
pub(crate) mod list_held;
pub(crate) mod list_invoices;
pub(crate) mod list_keys;
pub(crate) mod list_payments;
pub(crate) mod list_rejections;
pub(crate) mod list_sources;
pub(crate) mod list_tenants;
pub(crate) mod read_facts;
pub(crate) mod replay_rejections;
pub(crate) mod resolve_key;
pub(crate) mod revoke_key;
pub(crate) mod segment;
pub(crate) mod start_import;
pub(crate) mod stripe;
pub(crate) mod watch_heads;
