//! Real purchases of an online store: who buys, who will buy, and who is about to be lost.

use sextant_domain::time::{Instant, Zone};
use sextant_proto::ingestion::v1::HistorySchedule;
use sextant_proto::segmentation::v1::{ListMembersRequest, Member};

use crate::client::Client;
use crate::demo::load::{Extent, Ready, Records, Setup, load};
use crate::demo::occupied;
use crate::error::Error;
use crate::import::Input;
use crate::import::cdnow::CdnowRows;
use crate::output::{Block, format};
use crate::progress::Visibility;
use crate::view::{self, MemberColumns, Titles};

/// Name of the tenant, and of the source of its records.
pub(crate) const TENANT: &str = "cdnow";
/// The segmentation.
const RFM: &str = "rfm";
/// The purchase log; its origin and licence lie beside it.
const LOG: &[u8] = include_bytes!("../../data/cdnow/CDNOW_master.txt.gz");
/// 1998-07-01, the day after the log ends.
const CLOCK: Instant = Instant(899_251_200_000_000);
/// Accounts of each list.
const LIST: i32 = 8;
/// What accounts are expected to bring.
const EXPECTED: &str = "clv.value_12m_minor";
/// What accounts brought.
const SPENT: &str = "purchase.total_minor";
/// Shown of each account.
const FEATURES: [(&str, &str); 5] = [
    (EXPECTED, "Expected"),
    (SPENT, "Spent"),
    ("purchase.count", "Purchases"),
    ("purchase.days_since_last", "Days since"),
    ("clv.alive_probability", "Active"),
];

/// The tenant of the log.
pub(crate) fn setup() -> Setup {
    Setup {
        tenant: TENANT.to_owned(),
        clock: CLOCK,
        segmentations: &[(RFM, "sextant.rfm", r#"{"map":"ten"}"#)],
        sources: &[TENANT],
        history: HistorySchedule::Monthly,
    }
}

/// Loads the log and shows what comes of it.
pub(crate) async fn show(client: &Client, visibility: Visibility) -> Result<Vec<Block>, Error> {
    let input = Input::of_bytes("CDNOW_master.txt.gz", LOG)?;
    let extent = Extent::of(&input);
    let items = Box::new(CdnowRows::new(input, TENANT, &Zone::utc()));
    let ready = load(client, &setup(), Records { items, extent }, visibility).await?;
    let titles = Titles::load(&ready.client).await?;
    Ok(vec![
        rows_block(&ready),
        segments(&ready).await?,
        most_valuable(&ready, &titles).await?,
        endangered(&ready, &titles).await?,
    ])
}

fn rows_block(ready: &Ready) -> Block {
    let title = format!(
        "CDNOW, a real online store: {} purchases of {} accounts, January 1997 to June 1998",
        format::count(ready.tally.rows_judged()),
        format::count(ready.tally.companions.total()),
    );
    ready.tally.block("cdnow_rows", title).noted(
        "Every row of the file is under exactly one verdict. The file holds rows that say the same as another one; they are purchases and count.",
    )
}

async fn segments(ready: &Ready) -> Result<Block, Error> {
    let answer = ready.segments(RFM, &[SPENT, EXPECTED]).await?;
    let sums = [
        (SPENT, "Revenue so far"),
        (EXPECTED, "Expected, next 12 months"),
    ];
    let mut block = view::segments(&occupied(answer), &sums, &ready.currency);
    block.key = "cdnow_segments";
    block.title = format!(
        "CDNOW, segments on {} by recency and frequency of purchases (RFM)",
        format::day_of(ready.clock)
    );
    Ok(block.noted(
        "Read a row as: so many accounts, with this share of all revenue, of whom this revenue is expected in the next 12 months (BG/NBD and Gamma-Gamma models). Each Share is of the column before it. Segments without accounts are left out. The map in use, ten, goes by the scores of recency and frequency; the monetary score has no say. An account that has crossed a border stays in its segment until 2 % of the accounts lie between it and the border.",
    ))
}

async fn members(ready: &Ready, segments: &[&str]) -> Result<Vec<Member>, Error> {
    let request = ListMembersRequest {
        segmentation: RFM.to_owned(),
        segments: segments.iter().map(|key| (*key).to_owned()).collect(),
        at: ready.at.clone(),
        order_by_feature: EXPECTED.to_owned(),
        show_features: FEATURES
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect(),
        page_size: LIST,
        page_token: String::new(),
    };
    let answer = ready
        .client
        .segmentation()
        .list_members(ready.client.request(request))
        .await?;
    Ok(answer.into_inner().members)
}

fn list(key: &'static str, members: &[Member], titles: &Titles, currency: &str) -> Block {
    let show = MemberColumns {
        key,
        segmentation: RFM,
        features: &FEATURES,
        currency,
    };
    let mut block = view::members(members, show, titles);
    // The names of this data set are made from the ids.
    if let Some(index) = block.columns.iter().position(|column| column.key == "name") {
        block.columns.remove(index);
        for row in &mut block.rows {
            row.remove(index);
        }
    }
    block
}

async fn most_valuable(ready: &Ready, titles: &Titles) -> Result<Block, Error> {
    let mut block = list(
        "cdnow_most_valuable",
        &members(ready, &[]).await?,
        titles,
        &ready.currency,
    );
    "CDNOW, the most valuable accounts".clone_into(&mut block.title);
    Ok(block.noted(
        "Ordered by what each is expected to bring in the next 12 months. Active: the probability that the account has not left for good. Why, now: what keeps the account in its segment, with the values of today; \"kept as\" where it has crossed a border by less than 2 % of the accounts. Why it entered: what brought it there, with the values of the day under Since, which may be long ago.",
    ))
}

async fn endangered(ready: &Ready, titles: &Titles) -> Result<Block, Error> {
    let members = members(ready, &["at_risk", "cant_lose"]).await?;
    let mut block = list("cdnow_most_endangered", &members, titles, &ready.currency);
    "CDNOW, the most endangered accounts".clone_into(&mut block.title);
    Ok(block.noted(
        "Accounts that bought more often than most (half of all bought once, so two purchases may be often) and have stopped, ordered by what is still expected of them: that much is lost if nobody calls. Why it entered has the values of the day under Since; those of today are in Days since and in Why, now.",
    ))
}
