use std::time::Duration;

use crate::Error;
use crate::embedded::Embedded;
use crate::embedded::failure::Work;
use crate::port::Writable as _;

#[tokio::test]
async fn a_store_of_which_one_writer_has_ended_cannot_be_written() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path()).unwrap();
    store.check_writable().await.unwrap();
    let file = store.scoring.file();
    let died = file.write("dying", |_connection| -> Work<()> {
        panic!("as if the program had a bug")
    });
    assert!(matches!(died.await, Err(Error::Unavailable { .. })));
    // The caller hears of it while the thread is still on its way out.
    let ended = async {
        loop {
            match store.check_writable().await {
                Ok(()) => tokio::task::yield_now().await,
                Err(error) => break error,
            }
        }
    };
    let error = tokio::time::timeout(Duration::from_secs(20), ended).await;
    assert!(matches!(error.unwrap(), Error::Unavailable { .. }));
}
