//! What accounts belong to, what belongs to them, and what that comes to.
//!
//! Which accounts may belong to one is known from the projection of places; whether they do at the moment of the read, from their own facts.

mod member;

use std::collections::{BTreeMap, BTreeSet};

use sextant_domain::id::{AccountKey, ExternalId};
use sextant_domain::mrr::{MetricPolicy, Preset};
use sextant_domain::time::Instant;
use sextant_proto::ingestion::v1 as pb;
use sextant_wire::status::Problem;

use crate::hierarchy::member::{Member, Terms, Totals};
use crate::reading::Reading;
use crate::service::Shared;
use crate::{failure, fold};

/// Accounts above one that are told.
const MAX_ANCESTORS: usize = 32;
/// Accounts below one that are told.
const MAX_TOLD: usize = 1_000;
/// Accounts below one that are counted; and facts of them, those of the last accounts come on top.
const MAX_COUNTED: usize = 10_000;
const MAX_FACTS: usize = 200_000;
/// Levels below one that are counted.
const MAX_DEPTH: u32 = 64;
/// Accounts that are read at a time.
const CHUNK: usize = 500;

/// The hierarchy around an account.
#[derive(Debug)]
pub(crate) struct Hierarchy {
    pub(crate) account: pb::HierarchyNode,
    pub(crate) ancestors: Vec<pb::HierarchyNode>,
    pub(crate) descendants: Vec<pb::HierarchyNode>,
    pub(crate) is_complete: bool,
    pub(crate) watermark: Instant,
}

/// Reads the hierarchy around an account; `None` when nothing of the account was known at the moment.
///
/// # Errors
/// The store's failure, or a stored record that is damaged.
pub(crate) async fn read(
    shared: &Shared,
    reading: &Reading,
    id: &ExternalId,
) -> Result<Option<Hierarchy>, Problem> {
    let reader = Reader {
        shared,
        reading,
        terms: Terms {
            moment: reading.moment,
            base: reading.base_currency(),
            policy: MetricPolicy::preset(Preset::Sextant, reading.zone()?),
        },
    };
    let Some(account) = reader
        .members(std::slice::from_ref(id))
        .await?
        .members
        .pop()
    else {
        return Ok(None);
    };
    let ancestors = reader.above(&account).await?;
    let tree = reader.below(account).await?;
    Ok(Some(tree.told(ancestors, reader.terms.base)))
}

struct Reader<'r> {
    shared: &'r Shared,
    reading: &'r Reading,
    terms: Terms,
}

/// Accounts of which something is known.
struct Read {
    members: Vec<Member>,
    n_facts: usize,
}

impl Reader<'_> {
    /// The accounts of ids, by id; those of which nothing was known at the moment are passed over.
    async fn members(&self, ids: &[ExternalId]) -> Result<Read, Problem> {
        let (accounts, tenant) = (&self.shared.deps.accounts, self.reading.tenant_id());
        let mut rows = accounts
            .resolve(tenant, ids)
            .await
            .map_err(failure::of_store)?;
        rows.sort_by(|one, other| one.id.cmp(&other.id));
        let uids: Vec<_> = rows.iter().map(|row| row.uid).collect();
        let versions = accounts
            .versions(tenant, &uids)
            .await
            .map_err(failure::of_store)?;
        let mut members = Vec::with_capacity(rows.len());
        for row in rows {
            let versions = fold::of_account(row.uid, &versions);
            members.extend(Member::of(&row.id, versions, &self.terms)?);
        }
        Ok(Read {
            members,
            n_facts: versions.len(),
        })
    }

    /// What an account belongs to, from the top down.
    async fn above(&self, account: &Member) -> Result<Vec<pb::HierarchyNode>, Problem> {
        let mut told = BTreeSet::from([account.id.clone()]);
        let mut above = Vec::new();
        let mut parent = account.parent.clone();
        while let Some(id) = parent.take()
            && above.len() < MAX_ANCESTORS
            && told.insert(id.clone())
            && let Some(found) = self.members(&[id]).await?.members.pop()
        {
            above.push(found.node(0));
            parent = found.parent;
        }
        above.reverse();
        Ok(above)
    }

    /// What belongs to an account, level after level.
    async fn below(&self, account: Member) -> Result<Tree, Problem> {
        let mut n_facts = 0;
        let mut tree = Tree::of(account);
        let mut level = 0..1;
        let mut depth = 0;
        while !level.is_empty() {
            if depth == MAX_DEPTH {
                tree.is_complete = false;
                return Ok(tree);
            }
            depth += 1;
            let parents: BTreeSet<ExternalId> = tree.ids(level.clone()).cloned().collect();
            let next = tree.members.len();
            let candidates = self.candidates(&parents, &tree).await?;
            for some in candidates.chunks(CHUNK) {
                if tree.members.len() > MAX_COUNTED || n_facts >= MAX_FACTS {
                    tree.is_complete = false;
                    return Ok(tree);
                }
                let read = self.members(some).await?;
                n_facts += read.n_facts;
                for child in read.members {
                    tree.add(child, level.clone());
                }
            }
            level = next..tree.members.len();
        }
        Ok(tree)
    }

    /// Accounts that ever said that they belong to one of these, and are not in the tree yet, by id.
    async fn candidates(
        &self,
        parents: &BTreeSet<ExternalId>,
        tree: &Tree,
    ) -> Result<Vec<ExternalId>, Problem> {
        let keys: Vec<AccountKey> = parents.iter().map(AccountKey::children_of).collect();
        let mut candidates = BTreeSet::new();
        // No more than the port takes.
        for some in keys.chunks(MAX_COUNTED) {
            let places = &self.shared.deps.places;
            let words = places.words(self.reading.tenant_id(), some).await;
            let words = words.map_err(failure::of_store)?;
            candidates.extend(words.into_iter().map(|one| one.word.account));
        }
        candidates.retain(|id| !tree.places.contains_key(id));
        Ok(candidates.into_iter().collect())
    }
}

/// An account and what belongs to it.
struct Tree {
    /// Parents before their children.
    members: Vec<Member>,
    /// The place of each one's parent; of the first one its own.
    parents: Vec<usize>,
    depths: Vec<u32>,
    places: BTreeMap<ExternalId, usize>,
    is_complete: bool,
}

impl Tree {
    fn of(account: Member) -> Self {
        Self {
            places: BTreeMap::from([(account.id.clone(), 0)]),
            members: vec![account],
            parents: vec![0],
            depths: vec![0],
            is_complete: true,
        }
    }

    fn ids(&self, level: std::ops::Range<usize>) -> impl Iterator<Item = &ExternalId> {
        let members = self.members.iter().skip(level.start).take(level.len());
        members.map(|member| &member.id)
    }

    /// Adds an account, if it belongs to one of a level.
    fn add(&mut self, child: Member, level: std::ops::Range<usize>) {
        let parent = child.parent.as_ref().and_then(|id| self.places.get(id));
        let parent = parent.copied().filter(|place| level.contains(place));
        if let Some(parent) = parent
            && !self.places.contains_key(&child.id)
        {
            let depth = self.depths.get(parent).map_or(1, |depth| depth + 1);
            self.places.insert(child.id.clone(), self.members.len());
            self.members.push(child);
            self.parents.push(parent);
            self.depths.push(depth);
        }
    }

    fn told(
        mut self,
        ancestors: Vec<pb::HierarchyNode>,
        base: sextant_domain::money::Currency,
    ) -> Hierarchy {
        let watermarks = self.members.iter().map(|member| member.watermark);
        let watermark = watermarks.max().unwrap_or(Instant(i64::MIN));
        let mut sums: Vec<Totals> = self
            .members
            .iter_mut()
            .map(|member| std::mem::take(&mut member.totals))
            .collect();
        // Children are behind their parents, so what is told of one is whole by then, and goes on into its parent.
        let mut told = Vec::with_capacity(sums.len());
        for parent in self.parents.iter().rev() {
            let Some(own) = sums.pop() else { break };
            told.push(own.told(base));
            if let Some(parent) = sums.get_mut(*parent) {
                parent.add(own);
            }
        }
        let told = told.into_iter().rev();
        let told = self.members.iter().zip(&self.depths).zip(told);
        let mut nodes = told.take(MAX_TOLD + 1).map(|((member, depth), totals)| {
            let mut node = member.node(*depth);
            node.totals = Some(totals);
            node
        });
        Hierarchy {
            account: nodes.next().unwrap_or_default(),
            ancestors,
            descendants: nodes.collect(),
            is_complete: self.is_complete,
            watermark,
        }
    }
}
