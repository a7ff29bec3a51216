//! Where a call is stopped on its way: it says that it is there, and goes on when it is told.

use std::sync::Mutex;

use tokio::sync::oneshot;

/// Lets calls pass, but for one that a test asked for.
#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<Option<Stop>>);

#[derive(Debug)]
struct Stop {
    /// Calls that pass before it.
    others: usize,
    here: oneshot::Sender<()>,
    going: oneshot::Receiver<()>,
}

/// A call that is stopped.
pub(crate) struct Stopped {
    pub(crate) is_there: oneshot::Receiver<()>,
    pub(crate) go_on: oneshot::Sender<()>,
}

impl Gate {
    /// Stops a call behind so many others.
    pub(crate) fn stop_after(&self, others: usize) -> Stopped {
        let (here, is_there) = oneshot::channel();
        let (go_on, going) = oneshot::channel();
        *self.0.lock().unwrap() = Some(Stop {
            others,
            here,
            going,
        });
        Stopped { is_there, go_on }
    }

    pub(crate) async fn pass(&self) {
        let stop = {
            let mut held = self.0.lock().unwrap();
            match &mut *held {
                Some(stop) if stop.others > 0 => {
                    stop.others -= 1;
                    None
                },
                _ => held.take(),
            }
        };
        if let Some(stop) = stop {
            stop.here.send(()).unwrap();
            stop.going.await.unwrap();
        }
    }
}
