use rusqlite::{Connection, params};

use crate::Error;
use crate::embedded::failure::Work;
use crate::embedded::feed;
use crate::embedded::segmentation::find_progress;
use crate::embedded::sql;
use crate::embedded::value::{id, number};
use crate::port::{Behind, Judged, MembershipRow, SegmentationCommit, TransitionRow};

/// Stores results, if the slice is where they were computed from; returns the newest number of the feed.
pub(super) fn store(connection: &Connection, commit: &SegmentationCommit) -> Work<u64> {
    let SegmentationCommit {
        tenant,
        slice,
        version,
        cursor: reached,
        facts_sequence,
        closed_on,
        ..
    } = commit;
    if find_progress(connection, *tenant, *slice)?.version != *version {
        return Err(Error::Fenced.into());
    }
    let tenant_id = id(tenant.0);
    let closed_on = closed_on.map(|day| day.0);
    let mut put = connection.prepare_cached(sql!("segmentation/cursor_put"))?;
    put.execute(params![
        tenant_id,
        slice.0,
        number(*reached),
        number(*facts_sequence),
        closed_on,
        number(version.saturating_add(1)),
        Behind::to_bytes(&commit.behind),
        Judged::to_bytes(&commit.judged)
    ])?;
    let mut put = connection.prepare_cached(sql!("segmentation/account_put"))?;
    for account in &commit.accounts {
        put.execute(params![
            tenant_id,
            id(account.uid.0),
            account.id.as_str(),
            account.name
        ])?;
    }
    let mut put = connection.prepare_cached(sql!("segmentation/membership_put"))?;
    for row in &commit.memberships {
        let MembershipRow {
            segmentation,
            uid,
            state,
            segment,
            entered_at,
            close_state,
            close_segment,
            transition,
            trouble,
        } = row;
        let at = entered_at.0;
        let uid = id(uid.0);
        put.execute(params![
            tenant_id,
            uid,
            segmentation,
            slice.0,
            state,
            segment,
            at,
            close_state,
            close_segment,
            transition,
            trouble
        ])?;
    }
    store_transitions(connection, tenant_id, &commit.transitions)?;
    for payload in &commit.entries {
        feed::append(connection, *tenant, *slice, payload)?;
    }
    feed::newest(connection, *tenant, *slice)
}

fn store_transitions(
    connection: &Connection,
    tenant_id: [u8; 16],
    transitions: &[TransitionRow],
) -> Work<()> {
    let mut insert = connection.prepare_cached(sql!("segmentation/transition_insert"))?;
    for row in transitions {
        insert.execute(params![
            tenant_id,
            id(row.id),
            row.segmentation,
            id(row.uid.0),
            row.at.0,
            row.known_at.0,
            row.to_state,
            row.to_segment,
            row.value_minor,
            row.downward,
            row.is_move,
            row.is_correction,
            row.transition
        ])?;
    }
    Ok(())
}
