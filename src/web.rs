//! The runtime for what waits: the dashboard, the store, signals. The analysis itself runs on plain threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use capture::live::rights;
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

/// Signals that come so soon after the first are part of it; a later one is impatience.
const SAME_STOP: Duration = Duration::from_millis(300);

/// A runtime that knows when the user wants an end.
pub struct Web {
    runtime: Runtime,
    end: watch::Receiver<bool>,
    stop: Arc<AtomicBool>,
    reload: Arc<AtomicBool>,
    tell: Arc<watch::Sender<bool>>,
    server: Option<JoinHandle<std::io::Result<()>>>,
}

impl Web {
    /// Starts it. From now on the first interrupt or termination signal sets [`Web::stop`]; a second one kills.
    pub fn start() -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .on_thread_start(rights::give_up)
            .enable_all()
            .build()
            .map_err(|why| Failure::new("cannot start the server's threads", why, "look at the limits (ulimit -a)"))?;
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, end) = watch::channel(false);
        let tell = Arc::new(tell);
        let (flag, telling) = (stop.clone(), tell.clone());
        let signals = runtime
            .block_on(async { Ok((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)) })
            .map_err(|why: std::io::Error| Failure::new("cannot listen for signals", why, ""))?;
        runtime.spawn(async move {
            let (mut interrupt, mut terminate) = signals;
            let mut asked: Option<Instant> = None;
            loop {
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
                // One stop may come as two signals: to the process, and to its group.
                if asked.get_or_insert_with(Instant::now).elapsed() > SAME_STOP {
                    std::process::exit(130);
                }
                flag.store(true, Ordering::Relaxed);
                telling.send_replace(true);
            }
        });
        Ok(Self { runtime, end, stop, reload: Arc::default(), tell, server: None })
    }

    /// For those who write to a store from a plain thread.
    pub fn handle(&self) -> tokio::runtime::Handle {
        self.runtime.handle().clone()
    }

    /// From now on SIGHUP sets this instead of ending the process.
    pub fn reload(&self) -> Result<Arc<AtomicBool>, Failure> {
        let _inside = self.runtime.enter();
        let mut hangup =
            signal(SignalKind::hangup()).map_err(|why| Failure::new("cannot listen for SIGHUP", why, ""))?;
        let flag = self.reload.clone();
        self.runtime.spawn(async move {
            while hangup.recv().await.is_some() {
                flag.store(true, Ordering::Relaxed);
            }
        });
        Ok(self.reload.clone())
    }

    /// Set once the user wants an end.
    pub fn stop(&self) -> &AtomicBool {
        &self.stop
    }

    /// As if the user wanted an end after this time.
    pub fn stop_after(&self, time: Duration) {
        let (flag, tell) = (self.stop.clone(), self.tell.clone());
        self.runtime.spawn(async move {
            tokio::time::sleep(time).await;
            flag.store(true, Ordering::Relaxed);
            tell.send_replace(true);
        });
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
    pub fn wait_for_end(&mut self) -> Result<(), Failure> {
        let mut end = self.end.clone();
        let server = self.server.take();
        let stopped = |why: &dyn std::fmt::Display| Failure::new("the dashboard stopped", why, "");
        self.runtime.block_on(async move {
            let _ = end.wait_for(|end| *end).await;
            let Some(server) = server else { return Ok(()) };
            server.await.map_err(|why| stopped(&why))?.map_err(|why| stopped(&why))
        })
    }

    /// Closes a store: what it still holds is written, a server of our own is stopped.
    pub fn close(&self, store: &dyn Store) -> Result<(), Failure> {
        self.runtime.block_on(store.close()).map_err(|why| Failure::new("the store did not close", why, ""))
    }
}
