use std::collections::BTreeSet;

use super::*;

const CONTRACT: [&str; 5] = [
    include_str!("../../../../proto/sextant/ingestion/v1/ingestion_service.proto"),
    include_str!("../../../../proto/sextant/ingestion/v1/account_service.proto"),
    include_str!("../../../../proto/sextant/ingestion/v1/source_service.proto"),
    include_str!("../../../../proto/sextant/ingestion/v1/tenant_service.proto"),
    include_str!("../../../../proto/sextant/ingestion/v1/feed_service.proto"),
];

/// Path and documented scope of every rpc of the contract.
fn contract() -> BTreeSet<(String, &'static str)> {
    let mut found = BTreeSet::new();
    let (mut service, mut comment) = ("", String::new());
    for line in CONTRACT.iter().flat_map(|text| text.lines()).map(str::trim) {
        if let Some(text) = line.strip_prefix("//") {
            comment.push_str(text);
        } else if let Some(rest) = line.strip_prefix("service ") {
            service = rest.split(' ').next().unwrap();
            comment.clear();
        } else if let Some(rest) = line.strip_prefix("rpc ") {
            let method = rest.split('(').next().unwrap();
            let scope = ["read", "ingest", "admin", "any"]
                .into_iter()
                .find(|scope| comment.contains(&format!("Scope: {scope}")));
            found.insert((
                format!("/sextant.ingestion.v1.{service}/{method}"),
                scope.unwrap_or("service"),
            ));
            comment.clear();
        }
    }
    found
}

#[test]
fn every_rpc_of_the_contract_asks_for_the_scope_that_the_contract_names() {
    let table: BTreeSet<(String, &str)> = METHODS
        .iter()
        .map(|(path, access)| match access {
            Access::Scope(scope) | Access::Stream(scope) => ((*path).to_owned(), scope.as_str()),
            Access::AnyScope => ((*path).to_owned(), "any"),
            Access::Public => ((*path).to_owned(), "public"),
        })
        .collect();
    assert_eq!(table, contract());
}
