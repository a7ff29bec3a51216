use super::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row(u64, usize);

impl Numbered for Row {
    fn ordinal(&self) -> u64 {
        self.0
    }

    fn n_bytes(&self) -> usize {
        self.1
    }
}

/// Numbers of each page of a list of rows of the given sizes.
async fn pages(sizes: &[usize], size: usize) -> Vec<Vec<u64>> {
    let rows: Vec<Row> = (1..)
        .zip(sizes)
        .map(|(number, bytes)| Row(number, *bytes))
        .collect();
    let (mut behind, mut pages) = (None, Vec::new());
    loop {
        let read = |behind: Option<u64>, limit: usize| -> BoxFuture<'_, Result<Vec<Row>>> {
            let found = rows
                .iter()
                .filter(|row| row.0 > behind.unwrap_or(0))
                .take(limit)
                .copied()
                .collect();
            Box::pin(std::future::ready(Ok(found)))
        };
        let page = gather(size, behind, read).await.unwrap();
        pages.push(page.rows.iter().map(|row| row.0).collect());
        behind = page.continue_behind;
        if behind.is_none() {
            return pages;
        }
    }
}

#[tokio::test]
async fn pages_cover_the_list_once_and_the_last_one_says_so() {
    assert_eq!(pages(&[], 2).await, vec![Vec::<u64>::new()]);
    assert_eq!(pages(&[1, 1], 2).await, vec![vec![1, 2]]);
    assert_eq!(pages(&[1, 1, 1], 2).await, vec![vec![1, 2], vec![3]]);
    let long = pages(&vec![1; 2 * CHUNK + 5], 1_000).await;
    assert_eq!((long.len(), long[0].len()), (1, 2 * CHUNK + 5));
}

#[tokio::test]
async fn a_page_of_large_records_is_cut_before_it_outgrows_a_message() {
    let huge = MAX_PAGE_BYTES + 1;
    assert_eq!(
        pages(&[huge, huge, 1, 1], 50).await,
        vec![vec![1], vec![2], vec![3, 4]]
    );
    assert_eq!(
        pages(&[1, MAX_PAGE_BYTES, 1], 50).await,
        vec![vec![1], vec![2], vec![3]]
    );
}
