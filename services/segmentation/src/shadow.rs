//! What a proposed revision would change: both revisions are asked about all accounts, with the features of one moment, and nothing
//! is decided by the answers.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use prost::Message as _;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tracing::warn;
use uuid::Uuid;

use sextant_domain::feature::Feature;
use sextant_domain::id::{AccountUid, TenantId};
use sextant_domain::time;
use sextant_plugin_host::{Assignments, Bound, Segmenter, State};
use sextant_proto::segmentation::v1 as pb;
use sextant_proto::segmentation::v1::MembershipState;
use sextant_runtime::blocking;
use sextant_store::port::{RevisionRow, RevisionState, SegmentationRow, UseRow};
use sextant_wire::status::{Problem, store};
use sextant_wire::time as wire_time;

use crate::columns;
use crate::decide;
use crate::drivers;
use crate::engine::Engine;
use crate::gates;
use crate::grounds::call;
use crate::registry::{chain, instance};
use crate::revise::diff_of;
use crate::state::Standing;
use crate::tenant::dropped;

/// Between two looks for accounts that have changed.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Moves whose reasons are asked for: those with the most revenue.
const MAX_EXPLAINED: usize = 1_000;
const MAX_DRIVERS: usize = 10;
const MAX_EXAMPLES: usize = 5;
/// Rows that costs are told for.
const FEW_ROWS: usize = 1_000;
/// Times that the first batch is asked about for what it costs.
const MEASURED: usize = 7;

/// Proposed revisions that were evaluated: with the version of their segmentation, and how much had changed until then.
type Seen = HashMap<(TenantId, u16, u32), (u32, u64)>;

/// What stood where, when accounts were last evaluated.
#[derive(Debug, Default)]
struct Known {
    /// Where accounts stood at the last close, and stand now.
    standings: HashMap<AccountUid, (Option<Standing>, Standing)>,
    ids: HashMap<AccountUid, Arc<str>>,
}

/// One of the two that are compared.
struct Side {
    segmenter: Segmenter,
    bound: Bound,
    /// Microseconds for 1,000 rows, of each batch; a smaller batch counts as one of 1,000 rows, for most of it is the call.
    costs: Vec<u32>,
}

/// An account that would move.
#[derive(Debug, Clone)]
struct Moved {
    table: usize,
    row: usize,
    uid: AccountUid,
    mrr_minor: i64,
    from: Standing,
    to: Standing,
}

/// How an account stands, in an order.
type Place = (MembershipState, Arc<str>);

/// What the comparison has found until now.
#[derive(Debug, Default)]
struct Compared {
    accounts: u64,
    /// Accounts and their revenue, by where they stay.
    agreed: BTreeMap<Place, (u64, i64)>,
    moved: Vec<Moved>,
    mrr_minor: i64,
    unanswered: u64,
    /// Some of those.
    without_answer: Vec<AccountUid>,
    trouble: String,
}

impl Side {
    fn new((segmenter, state): (Segmenter, Option<State>), config: &str) -> Result<Self, Problem> {
        let bound = instance(&segmenter, config, state.as_ref())?;
        Ok(Self {
            segmenter,
            bound,
            costs: Vec::new(),
        })
    }

    /// What it answers for a batch.
    fn asked(
        &mut self,
        input: &RecordBatch,
        tenant: &str,
        as_of: time::Instant,
    ) -> Result<Assignments, String> {
        let began = Instant::now();
        let answers = self.bound.segment(input, &call(tenant, as_of));
        let answers = answers.map_err(|error| chain(&error))?;
        let rows = input.num_rows().max(FEW_ROWS) as u128;
        let cost = began.elapsed().as_micros() * FEW_ROWS as u128 / rows;
        self.costs.push(u32::try_from(cost).unwrap_or(u32::MAX));
        Ok(answers)
    }

    /// Asks some times more about a batch, for what it costs.
    fn measure(&mut self, input: &RecordBatch, tenant: &str, as_of: time::Instant) {
        // The first time is that of a cold start.
        self.costs.clear();
        for _ in 0..MEASURED {
            if self.asked(input, tenant, as_of).is_err() {
                return;
            }
        }
    }

    /// Whether contributions of both mean the same: they are of one segmenter.
    fn is_comparable_with(&self, other: &Self) -> bool {
        self.segmenter.explains()
            && self.segmenter.descriptor().id == other.segmenter.descriptor().id
    }

    fn cost(&mut self, percent: usize) -> u32 {
        self.costs.sort_unstable();
        let last = self.costs.len().saturating_sub(1);
        self.costs.get(last * percent / 100).copied().unwrap_or(0)
    }
}

impl Engine {
    /// Evaluates a proposed revision beside the one that decides, and keeps what was found.
    pub(crate) async fn shadow(
        &self,
        tenant: TenantId,
        of: &SegmentationRow,
        proposed: &RevisionRow,
    ) -> Result<pb::ShadowDiff, Status> {
        let known = {
            let reading = self.read(tenant).await?;
            let state = reading.as_ref().ok_or_else(dropped)?;
            let mut known = Known::default();
            for (uid, present) in state.present.get(&of.number).into_iter().flatten() {
                let standing = (present.at_close.clone(), present.standing.clone());
                known.standings.insert(*uid, standing);
            }
            let ids = state
                .names
                .iter()
                .map(|(uid, names)| (*uid, Arc::clone(&names.id)));
            known.ids.extend(ids);
            known
        };
        let (now, tables) = self.present(tenant).await?;
        let as_proposed = SegmentationRow {
            segmenter_id: proposed.segmenter_id.clone(),
            plugin_digest: proposed.digest.clone(),
            config: proposed.config.clone(),
            ..of.clone()
        };
        let active = match self.segmenters.of(tenant, of).await {
            Ok(segmenter) => {
                let state = self.learned(tenant, &of.fit).await.ok();
                state.map(|state| (segmenter, state))
            },
            Err(_problem) => None,
        };
        let segmenter = self.segmenters.of(tenant, &as_proposed).await?;
        let state = self.learned(tenant, &proposed.fit).await?;
        let rows_before = diff_of(proposed).map_or(0, |diff| diff.rows);
        let active_config = of.config.clone();
        let comparing = blocking(move || {
            let active = active.and_then(|active| Side::new(active, &active_config).ok());
            let proposed = Side::new((segmenter, state), &as_proposed.config)?;
            let text = Uuid::from_u128(tenant.0).to_string();
            Ok::<_, Problem>(compare(
                (active, proposed),
                (&tables, &known),
                (&text, now),
                rows_before,
            ))
        });
        let diff = pb::ShadowDiff {
            segmentation_version: of.version,
            ..comparing.await?
        };
        let kept = self.segmentations.keep_shadow(
            tenant,
            of.number,
            proposed.revision,
            diff.encode_to_vec(),
        );
        kept.await.map_err(store)?;
        Ok(diff)
    }

    /// Evaluates proposed revisions again where accounts have changed, until `stop`.
    pub(crate) async fn keep_shadows(&self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = Seen::new();
        loop {
            tokio::select! {
                _ = ticks.tick() => {},
                () = stop.cancelled() => return,
            }
            let looked = stop
                .run_until_cancelled(self.look_at_shadows(&mut seen))
                .await;
            if let Some(Err(status)) = looked {
                warn!(code = ?status.code(), message = status.message(), "proposed revisions are not looked at; trying again");
            }
        }
    }

    async fn look_at_shadows(&self, seen: &mut Seen) -> Result<(), Status> {
        let uses = self.segmenters.catalogue.uses().await.map_err(store)?;
        let proposed = uses
            .iter()
            .filter(|one| one.state == RevisionState::Proposed);
        for one in proposed {
            // One that cannot be evaluated keeps no other one from it.
            if let Err(status) = self.look_at_shadow(one, seen).await {
                warn!(tenant = %Uuid::from_u128(one.tenant.0), code = ?status.code(), message = status.message(), "a proposed revision is not evaluated; trying again");
            }
        }
        seen.retain(|key, _| {
            uses.iter()
                .any(|one| (one.tenant, one.segmentation, one.revision) == *key)
        });
        Ok(())
    }

    /// Evaluates a proposed revision where something has changed since it was seen.
    async fn look_at_shadow(&self, one: &UseRow, seen: &mut Seen) -> Result<(), Status> {
        let key = (one.tenant, one.segmentation, one.revision);
        let what = [
            &one.tenant.0.to_be_bytes()[..],
            &one.segmentation.to_be_bytes(),
        ]
        .concat();
        let all = self.segmentations.all(one.tenant).await.map_err(store)?;
        let of = all.into_iter().find(|row| row.number == one.segmentation);
        let slices = self.memberships.slices(one.tenant).await.map_err(store)?;
        let changes: u64 = slices.iter().map(|(_, progress)| progress.version).sum();
        let state = (of.as_ref().map_or(0, |of| of.version), changes);
        if seen.get(&key) == Some(&state) || !self.segmenters.is_mine(&what).await? {
            return Ok(());
        }
        let revision = self.revisions(one.tenant, one.segmentation).await?;
        let revision = revision
            .into_iter()
            .find(|row| row.revision == one.revision && row.state == RevisionState::Proposed);
        if let (Some(of), Some(revision)) = (of, revision) {
            self.shadow(one.tenant, &of, &revision).await?;
        }
        seen.insert(key, state);
        Ok(())
    }
}

fn compare(
    (mut active, mut proposed): (Option<Side>, Side),
    (tables, known): (&[RecordBatch], &Known),
    (tenant, as_of): (&str, time::Instant),
    rows_before: u64,
) -> pb::ShadowDiff {
    let mut compared = Compared::default();
    let mut inputs = Vec::with_capacity(tables.len());
    for (place, table) in tables.iter().enumerate() {
        let uids = sextant_columns::uids(table);
        let at_close = uids.iter().map(|uid| {
            let (at_close, _) = known.standings.get(uid)?;
            at_close.as_ref()?.member_of()
        });
        let input = match columns::with_previous(table, at_close) {
            Ok(input) => input,
            Err(problem) => {
                compared.trouble = problem.message;
                continue;
            },
        };
        let of_active = active
            .as_mut()
            .map(|side| side.asked(&input, tenant, as_of));
        let of_proposed = proposed.asked(&input, tenant, as_of);
        // One that cannot be asked about some of them costs whatever the search for these takes.
        let has_answered = |answers: &Assignments| answers.unanswered.is_empty();
        if place == 0 && of_proposed.as_ref().is_ok_and(has_answered) {
            proposed.measure(&input, tenant, as_of);
            if let (Some(active), Some(Ok(_))) = (active.as_mut(), &of_active) {
                active.measure(&input, tenant, as_of);
            }
        }
        let descriptor = active.as_ref().map(|side| side.bound.descriptor());
        let stands = |row: usize, uid: &AccountUid| match (&of_active, descriptor) {
            (Some(Ok(answers)), Some(descriptor)) if answers.trouble_of(row).is_none() => answers
                .segment
                .get(row)
                .map(|answer| decide::standing(descriptor, *answer)),
            _ => known.standings.get(uid).map(|(_, now)| now.clone()),
        };
        match &of_proposed {
            Ok(answers) => compared.take(place, (table, &uids), (answers, &proposed), stands),
            Err(trouble) => {
                compared.unanswered += table.num_rows() as u64;
                compared.trouble.clone_from(trouble);
                let room = MAX_EXAMPLES - compared.without_answer.len();
                compared.without_answer.extend(uids.iter().take(room));
            },
        }
        inputs.push((place, input));
    }
    let sides = (active.as_ref(), &proposed);
    let driven = driven(&compared, sides, &inputs, (tenant, as_of));
    let cost = pb::ShadowCost {
        active_p50_us: active.as_mut().map_or(0, |side| side.cost(50)),
        active_p99_us: active.as_mut().map_or(0, |side| side.cost(99)),
        proposed_p50_us: proposed.cost(50),
        proposed_p99_us: proposed.cost(99),
    };
    compared.told(known, driven, cost, (as_of, rows_before))
}

impl Compared {
    fn take(
        &mut self,
        table: usize,
        (rows, uids): (&RecordBatch, &[AccountUid]),
        (answers, proposed): (&Assignments, &Side),
        stands: impl Fn(usize, &AccountUid) -> Option<Standing>,
    ) {
        let descriptor = proposed.bound.descriptor();
        for (row, (uid, answer)) in uids.iter().zip(&answers.segment).enumerate() {
            let mrr = sextant_columns::number(rows, Feature::RevenueMrrMinor, row);
            let mrr_minor = whole(mrr);
            self.accounts += 1;
            self.mrr_minor += mrr_minor;
            if let Some(trouble) = answers.trouble_of(row) {
                self.unanswered += 1;
                self.trouble = trouble.to_string();
                if self.without_answer.len() < MAX_EXAMPLES {
                    self.without_answer.push(*uid);
                }
                continue;
            }
            let to = decide::standing(descriptor, *answer);
            let nowhere = || Standing::new(MembershipState::Unspecified, "");
            let from = stands(row, uid).unwrap_or_else(nowhere);
            if from == to {
                let agreed = self.agreed.entry((to.state, to.segment)).or_default();
                agreed.0 += 1;
                agreed.1 += mrr_minor;
                continue;
            }
            self.moved.push(Moved {
                table,
                row,
                uid: *uid,
                mrr_minor,
                from,
                to,
            });
        }
        self.moved
            .sort_by_key(|one| (Reverse(one.mrr_minor), one.uid));
    }

    fn told(
        self,
        known: &Known,
        driven: Driven,
        cost: pb::ShadowCost,
        (as_of, rows_before): (time::Instant, u64),
    ) -> pb::ShadowDiff {
        let moves = self.moves(known);
        let agreed: u64 = self.agreed.values().map(|(accounts, _)| accounts).sum();
        let mut diff = pb::ShadowDiff {
            as_of: Some(wire_time::timestamp(as_of)),
            accounts: self.accounts,
            rows: rows_before + self.accounts,
            agreed,
            moved: self.moved.len() as u64,
            mrr_minor: self.mrr_minor,
            moved_mrr_minor: self.moved.iter().map(|one| one.mrr_minor).sum(),
            moves,
            drivers: driven.drivers,
            explained: driven.explained,
            unexplained: driven.unexplained,
            unanswered: self.unanswered,
            unanswered_examples: self
                .without_answer
                .iter()
                .filter_map(|uid| known.ids.get(uid))
                .map(|id| id.to_string())
                .collect(),
            trouble: self.trouble,
            cost: Some(cost),
            gates: Vec::new(),
            segmentation_version: 0,
        };
        diff.gates = gates::of(&diff);
        diff
    }

    /// Accounts by where they are and would be.
    fn moves(&self, known: &Known) -> Vec<pb::ShadowMove> {
        let mut cells: BTreeMap<_, pb::ShadowMove> = BTreeMap::new();
        for one in &self.moved {
            let key = (
                (one.from.state, Arc::clone(&one.from.segment)),
                (one.to.state, Arc::clone(&one.to.segment)),
            );
            let cell = cells.entry(key).or_insert_with(|| pb::ShadowMove {
                from_state: one.from.state.into(),
                from_segment: one.from.segment.to_string(),
                to_state: one.to.state.into(),
                to_segment: one.to.segment.to_string(),
                ..pb::ShadowMove::default()
            });
            cell.accounts += 1;
            cell.mrr_minor += one.mrr_minor;
            if cell.examples.len() < MAX_EXAMPLES
                && let Some(id) = known.ids.get(&one.uid)
            {
                cell.examples.push(id.to_string());
            }
        }
        let mut moves: Vec<_> = cells.into_values().collect();
        moves.sort_by_key(|cell| Reverse((cell.mrr_minor, cell.accounts)));
        let stays = self
            .agreed
            .iter()
            .map(|((state, segment), (accounts, mrr_minor))| pb::ShadowMove {
                from_state: (*state).into(),
                from_segment: segment.to_string(),
                to_state: (*state).into(),
                to_segment: segment.to_string(),
                accounts: *accounts,
                mrr_minor: *mrr_minor,
                examples: Vec::new(),
            });
        moves.extend(stays);
        moves
    }
}

/// What drives moves.
#[derive(Debug, Default)]
struct Driven {
    drivers: Vec<pb::ShadowDriver>,
    /// Accounts that were asked about, and those without a reason.
    explained: u64,
    unexplained: u64,
}

/// The features whose contributions have changed most between both revisions, for those who would move.
fn driven(
    compared: &Compared,
    (active, proposed): (Option<&Side>, &Side),
    inputs: &[(usize, RecordBatch)],
    (tenant, as_of): (&str, time::Instant),
) -> Driven {
    let mut driven = Driven::default();
    if !proposed.segmenter.explains() {
        return driven;
    }
    let before = active.filter(|active| active.is_comparable_with(proposed));
    let mut found: BTreeMap<Arc<str>, pb::ShadowDriver> = BTreeMap::new();
    for (place, input) in inputs {
        let explained = compared.moved.iter().take(MAX_EXPLAINED);
        let rows: Vec<usize> = explained
            .filter(|one| one.table == *place)
            .map(|one| one.row)
            .collect();
        let Ok(shown) = columns::rows(input, &rows) else {
            continue;
        };
        let said = drivers::reasons(&proposed.bound, &shown, (tenant, as_of));
        let said_before = before.map(|side| drivers::reasons(&side.bound, &shown, (tenant, as_of)));
        let mut said_before = said_before.unwrap_or_default().into_iter();
        driven.explained += rows.len() as u64;
        driven.unexplained += rows.len().saturating_sub(said.len()) as u64;
        for reasons in said {
            let before = said_before.next().unwrap_or_default();
            let Some(driver) = drivers::driver(&reasons, &before) else {
                driven.unexplained += 1;
                continue;
            };
            let counted = found.entry(Arc::clone(&driver.feature)).or_default();
            counted.accounts += 1;
            if counted.example.is_empty() {
                counted.example.clone_from(&driver.text);
            }
        }
    }
    let named = found.into_iter().map(|(feature, driver)| pb::ShadowDriver {
        feature: feature.to_string(),
        ..driver
    });
    driven.drivers = named.collect();
    let drivers = &mut driven.drivers;
    drivers.sort_by_key(|driver| Reverse(driver.accounts));
    drivers.truncate(MAX_DRIVERS);
    driven
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "whole minor units that came from 64 bits; saturates"
)]
fn whole(number: Option<f64>) -> i64 {
    number.map_or(0, |number| number as i64)
}
