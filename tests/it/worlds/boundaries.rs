//! A service that dies before and after each of its commits loses nothing and counts nothing twice.

use prost_types::Timestamp;
use tonic::{Code, Status};

use sextant::client::Client;
use sextant::installation::Role;
use sextant_proto::ingestion::v1::{
    CompleteImportRequest, HistorySchedule, Record, StartImportRequest, Tenant, VerdictKind,
};
use sextant_proto::metrics::v1::GetRevenueRequest;
use sextant_proto::scoring::v1::GetScoresRequest;
use sextant_proto::segmentation::v1::GetMembershipRequest;

use crate::worlds::compared::{compare, compare_moves};
use crate::worlds::oracle::{Oracle, VALUES};
use crate::worlds::records::{advance_by, entity, later, now, send, try_ask};
use crate::worlds::story::{DAYS, START, story};
use crate::worlds::world::{Shape, World, request_id, segmentation, segmentation_by, tenant};

/// Days that are stored before the first death: the clock then stands at noon of the day after them.
const DAYS_BEFORE: usize = DAYS - 4;
/// Records of one batch; ingestion commits each at once.
const BATCH: usize = 250;
/// Deaths of one step before the test gives up: a step has a handful of commits.
const MAX_LIVES: usize = 60;

const MOMENTS: [&str; 2] = ["before", "after"];

/// What happens to the tenant, one after the other. A change has the ids of its requests, by which it is sent again.
#[derive(Debug)]
enum Step {
    Records(Vec<Record>),
    Clock(Timestamp, String),
    /// An import without records: after it, everything is as before.
    Import([String; 2]),
}

/// A service that dies again and again.
struct Victim<'w> {
    world: &'w World,
    tenant: &'w Tenant,
    service: &'static str,
    /// Of the process that it is in.
    role: Role,
    /// Deaths before and after commits.
    deaths: [usize; 2],
}

fn noon(day: usize) -> Timestamp {
    later(START, day * 24 + 12)
}

/// What is stored before the first death, and what comes then: the last days in three batches, with two moves of the clock
/// and an import between them. Each move closes days.
fn script(records: Vec<(usize, Record)>) -> (Vec<Record>, Vec<Step>) {
    let of_days = |first: usize, last: usize| -> Vec<Record> {
        let days = records
            .iter()
            .filter(|(day, _)| (first..=last).contains(day));
        days.map(|(_, record)| record.clone()).collect()
    };
    let steps = vec![
        Step::Records(of_days(DAYS_BEFORE, DAYS - 4)),
        Step::Clock(noon(DAYS - 2), request_id()),
        Step::Records(of_days(DAYS - 3, DAYS - 2)),
        Step::Import([request_id(), request_id()]),
        Step::Clock(noon(DAYS), request_id()),
        Step::Records(of_days(DAYS - 1, DAYS - 1)),
    ];
    (of_days(0, DAYS_BEFORE - 1), steps)
}

/// Where the clock stands when [`script`] sends the records of a day.
fn known_on(day: usize) -> usize {
    match day {
        ..=56 => DAYS_BEFORE,
        57 | 58 => DAYS - 2,
        _ => DAYS,
    }
}

/// Sends a batch, and gives the position that stands for it.
async fn records(client: &Client, batch: &[Record]) -> Result<String, Status> {
    Ok(send(client, batch.to_vec()).await?.position)
}

/// Opens an import and completes it, and gives the position that stands for that.
async fn import(client: &Client, [start, complete]: &[String; 2]) -> Result<String, Status> {
    let request = StartImportRequest {
        request_id: start.clone(),
    };
    client
        .tenants()
        .start_import(client.request(request))
        .await?;
    let request = CompleteImportRequest {
        history: HistorySchedule::Latest.into(),
        request_id: complete.clone(),
    };
    let answer = client
        .tenants()
        .complete_import(client.request(request))
        .await?;
    Ok(answer.into_inner().position)
}

/// Returns when all services have processed a position, in the order in which they do.
async fn processed(client: &Client, position: &str) -> Result<(), Status> {
    let (account, at) = (entity("account-01"), Some(now(position)));
    let scores = GetScoresRequest {
        account: account.clone(),
        at: at.clone(),
    };
    try_ask!(client, scoring.get_scores, scores)?;
    let membership = GetMembershipRequest {
        account,
        segmentation: "lifecycle".to_owned(),
        at: at.clone(),
    };
    try_ask!(client, segmentation.get_membership, membership)?;
    let revenue = GetRevenueRequest {
        at,
        segmentation: "lifecycle".to_owned(),
    };
    try_ask!(client, metrics.get_revenue, revenue)?;
    Ok(())
}

impl Victim<'_> {
    /// A client without the connections of a life before.
    fn client(&self) -> Client {
        self.world.client().of_tenant(self.tenant).unwrap()
    }

    /// Takes a step in one life after another until one of them brings it to its end. What was acknowledged is not sent again.
    async fn survive(&mut self, step: &Step) -> String {
        let (mut acknowledged, mut next) = (None, 0);
        for _ in 0..MAX_LIVES {
            self.world
                .restart_dying(self.role, [self.service, MOMENTS[next]]);
            let client = self.client();
            let outcome = async {
                let position = match (&acknowledged, step) {
                    (Some(position), _) => String::clone(position),
                    (None, Step::Records(batch)) => records(&client, batch).await?,
                    (None, Step::Clock(to, id)) => advance_by(&client, *to, id.clone()).await?,
                    (None, Step::Import(ids)) => import(&client, ids).await?,
                };
                acknowledged = Some(position.clone());
                processed(&client, &position).await.map(|()| position)
            };
            match outcome.await {
                Ok(position) => return position,
                Err(status) => {
                    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                    self.world.wait_for_death(self.role).await;
                    self.deaths[next] += 1;
                    next = 1 - next;
                },
            }
        }
        panic!("{} does not survive {step:?}", self.service);
    }
}

/// All records twice again: nothing is new, and nothing changes.
async fn replay(client: &Client, all: &[Record], oracle: &Oracle) {
    for _ in 0..2 {
        let mut position = String::new();
        for batch in all.chunks(BATCH) {
            let answer = send(client, batch.to_vec()).await.unwrap();
            let odd = answer
                .verdicts
                .iter()
                .find(|verdict| verdict.kind() != VerdictKind::Duplicate);
            assert_eq!(odd, None);
            position = answer.position;
        }
        compare(client, oracle, all.len(), &position).await;
    }
}

async fn check(shape: Shape, services: [(&'static str, Role); 4]) {
    let world = World::start(shape).await;
    for (service, role) in services {
        let (lives, all) = story();
        let oracle = Oracle::new(lives, known_on);
        let client = world.client();
        tenant(&client, service, noon(DAYS_BEFORE)).await;
        let tenant = client.find_tenant(Some(service)).await.unwrap();
        let client = client.of_tenant(&tenant).unwrap();
        segmentation(&client, "lifecycle").await;
        for (key, config) in VALUES {
            segmentation_by(&client, key, "value_tiers", config).await;
        }
        let (before, steps) = script(all.clone());
        let mut position = String::new();
        for batch in before.chunks(BATCH) {
            position = records(&client, batch).await.unwrap();
        }
        processed(&client, &position).await.unwrap();

        let mut victim = Victim {
            world: &world,
            tenant: &tenant,
            service,
            role,
            deaths: [0, 0],
        };
        for step in &steps {
            position = victim.survive(step).await;
        }
        println!(
            "{shape:?}: {service} died {:?} times before and after a commit",
            victim.deaths
        );
        // Ingestion commits the batches and the changes, the others what each step brings about.
        let [before, after] = victim.deaths;
        assert!(before >= after && after >= 3, "{before} and {after}");

        world.kill_and_restart(role);
        let client = victim.client();
        compare(&client, &oracle, all.len(), &position).await;
        let all: Vec<Record> = all.into_iter().map(|(_, record)| record).collect();
        replay(&client, &all, &oracle).await;
        compare_moves(&client, &oracle, DAYS_BEFORE + 1, &position).await;
    }
    world.end().await;
}

#[tokio::test]
async fn one_process_that_dies_at_every_commit_of_each_service_ends_with_the_oracles_totals() {
    let services = ["ingestion", "scoring", "segmentation", "metrics"];
    check(
        Shape::Embedded,
        services.map(|service| (service, Role::All)),
    )
    .await;
}

#[tokio::test]
async fn processes_that_die_at_every_commit_of_their_service_end_with_the_oracles_totals() {
    let services = [
        ("ingestion", Role::Ingestion),
        ("scoring", Role::Scoring),
        ("segmentation", Role::Segmentation),
        ("metrics", Role::Metrics),
    ];
    check(Shape::Apart, services).await;
}
