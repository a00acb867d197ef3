//! The runtime for what waits: the dashboard, the store, signals. The analysis itself runs on plain threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dashboard::{Live, SensorInfo};
use store::Store;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::failure::Failure;

/// Threads that wait for sockets; the work behind them is the store's.
const THREADS: usize = 2;

/// A runtime that knows when the user wants an end.
pub struct Web {
    runtime: Runtime,
    end: watch::Receiver<bool>,
    stop: Arc<AtomicBool>,
    server: Option<JoinHandle<std::io::Result<()>>>,
}

impl Web {
    /// Starts it. From now on the first interrupt or termination signal sets [`Web::stop`]; a second one kills.
    pub fn start() -> Result<Self, Failure> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build().map_err(
                |why| Failure::new("cannot start the server's threads", why, "look at the limits (ulimit -a)"),
            )?;
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, end) = watch::channel(false);
        let flag = stop.clone();
        let signals = runtime
            .block_on(async { Ok((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)) })
            .map_err(|why: std::io::Error| Failure::new("cannot listen for signals", why, ""))?;
        runtime.spawn(async move {
            let (mut interrupt, mut terminate) = signals;
            for impatient in [false, true] {
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
                if impatient {
                    std::process::exit(130);
                }
                flag.store(true, Ordering::Relaxed);
                let _ = tell.send(true);
            }
        });
        Ok(Self { runtime, end, stop, server: None })
    }

    /// For those who write to a store from a plain thread.
    pub fn handle(&self) -> tokio::runtime::Handle {
        self.runtime.handle().clone()
    }

    /// Set once the user wants an end.
    pub fn stop(&self) -> &AtomicBool {
        &self.stop
    }

    /// Opens the dashboard; gives its address for a browser.
    pub fn open(
        &mut self,
        address: &str,
        store: Arc<dyn Store>,
        live: Option<Live>,
        info: SensorInfo,
    ) -> Result<String, Failure> {
        let listener = self.runtime.block_on(TcpListener::bind(address)).map_err(|why| {
            let to_do = "choose another with --serve=ADDRESS:PORT";
            Failure::new(format!("cannot open the dashboard on {address}"), why, to_do)
        })?;
        let at = listener.local_addr().map_or_else(|_| address.to_owned(), |a| a.to_string());
        let mut end = self.end.clone();
        let shutdown = async move {
            // The sender lives as long as the runtime: an error here means an end as well.
            let _ = end.wait_for(|end| *end).await;
        };
        self.server =
            Some(self.runtime.spawn(dashboard::serve(listener, dashboard::router(store, live, info), shutdown)));
        Ok(format!("http://{at}/"))
    }

    /// Waits until the user wants an end, and the server has closed.
    pub fn wait(mut self) -> Result<(), Failure> {
        let mut end = self.end.clone();
        let server = self.server.take();
        self.runtime.block_on(async move {
            let _ = end.wait_for(|end| *end).await;
            match server {
                Some(server) => match server.await {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(why)) => Err(Failure::new("the dashboard stopped", why, "")),
                    Err(why) => Err(Failure::new("the dashboard stopped", why, "")),
                },
                None => Ok(()),
            }
        })
    }
}
