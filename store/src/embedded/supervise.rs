//! Keeps the server running: starts it, waits until it answers, starts it again when it ends by itself.

use std::fs::File;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::{Launch, Notice};
use crate::StoreError;
use crate::sql::{Address, Connection, shown};

/// A start that takes longer has failed; a disk after a crash may need a while.
const START: Duration = Duration::from_secs(60);
/// The server ends what it does; then it waits 5 s for idle connections to close, ours among them, which is not worth waiting for.
/// What was acknowledged is in the system's hands by then: force loses nothing.
const STOP: Duration = Duration::from_millis(500);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A server that ran this long starts with the first pause again.
const STEADY: Duration = Duration::from_secs(60);

/// Holds the task that watches the server.
pub struct Supervisor {
    stop: watch::Sender<bool>,
    stopped: watch::Receiver<bool>,
    process: Arc<AtomicU32>,
}

impl Supervisor {
    /// Asks the server to end and waits for it.
    pub async fn stop(&self) {
        // Without receivers the task has ended, and the server with it.
        let _ = self.stop.send(true);
        let _ = self.stopped.clone().wait_for(|stopped| *stopped).await;
    }

    /// 0 while it is not running.
    pub fn process_id(&self) -> Option<u32> {
        Some(self.process.load(Ordering::Relaxed)).filter(|id| *id != 0)
    }
}

/// A server, and the pipe whose end is its sign to stop. Waiting for a child closes its own end, so the pipe is held apart.
struct Running {
    child: Child,
    _pipe: Option<ChildStdin>,
}

/// Ends when a stop is asked for, or when nobody is left to ask.
async fn stop_asked(asked: &mut watch::Receiver<bool>) {
    let _ = asked.wait_for(|stop| *stop).await;
}

/// Starts the server; returns when it answers.
pub async fn start(launch: Launch, restarts: Arc<AtomicU64>, notice: Notice) -> Result<Supervisor, StoreError> {
    let process = Arc::new(AtomicU32::new(0));
    let child = up(&launch, &process).await?;
    let (stop, asked) = watch::channel(false);
    let (done, stopped) = watch::channel(false);
    let watcher = Watcher { launch, process: process.clone(), restarts, notice };
    tokio::spawn(async move {
        watcher.watch(child, asked).await;
        let _ = done.send(true);
    });
    Ok(Supervisor { stop, stopped, process })
}

fn spawn(launch: &Launch) -> std::io::Result<Child> {
    let log = File::create(launch.dir.join("start.log"))?;
    let mut command = Command::new(&launch.program);
    command.arg0("fabricscope").args(&launch.arguments).stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
    // In a group of its own: Ctrl-C in a terminal is for this process, which still has facts to write.
    command.process_group(0).spawn()
}

/// A server that answers.
async fn up(launch: &Launch, process: &AtomicU32) -> Result<Running, StoreError> {
    let dir = launch.dir.display();
    let spawned = spawn(launch);
    let mut child = spawned.map_err(|why| {
        StoreError::Never(format!("embedded ClickHouse: cannot start {}: {why}", launch.program.display()))
    })?;
    let pipe = child.stdin.take();
    process.store(child.id().unwrap_or_default(), Ordering::Relaxed);
    let connection = Connection::new(Address::of(&launch.url)?);
    let deadline = Instant::now() + START;
    loop {
        if matches!(timeout(Duration::from_secs(5), connection.version()).await, Ok(Ok(_))) {
            return Ok(Running { child, _pipe: pipe });
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(StoreError::Retry(format!(
                "embedded ClickHouse in {dir} ended at its start ({status}): {}",
                last_words(launch)
            )));
        }
        if Instant::now() >= deadline {
            return Err(StoreError::Retry(format!(
                "embedded ClickHouse in {dir} does not answer after {} s",
                START.as_secs()
            )));
        }
        sleep(Duration::from_millis(25)).await;
    }
}

/// What the server said before it ended: its exceptions first.
fn last_words(launch: &Launch) -> String {
    let text = std::fs::read(launch.dir.join("start.log")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("Logging "));
    let telling = lines.clone().find(|line| line.contains("Exception")).or_else(|| lines.next_back());
    let said = telling.map_or_else(|| "it said nothing".to_owned(), |line| shown(line, 300));
    if said.contains("Code: 76") {
        return format!("{said}; another process uses the same folder");
    }
    said
}

struct Watcher {
    launch: Launch,
    process: Arc<AtomicU32>,
    restarts: Arc<AtomicU64>,
    notice: Notice,
}

impl Watcher {
    async fn watch(&self, mut running: Running, mut asked: watch::Receiver<bool>) {
        let mut pause = FIRST_PAUSE;
        loop {
            let began = Instant::now();
            tokio::select! {
                () = stop_asked(&mut asked) => return self.end(running).await,
                ended = running.child.wait() => self.tell_end(ended, pause),
            }
            self.process.store(0, Ordering::Relaxed);
            if began.elapsed() >= STEADY {
                pause = FIRST_PAUSE;
            }
            let again = self.again(&mut pause);
            tokio::select! {
                () = stop_asked(&mut asked) => return,
                started = again => running = started,
            }
        }
    }

    fn tell_end(&self, ended: std::io::Result<std::process::ExitStatus>, pause: Duration) {
        let count = self.restarts.fetch_add(1, Ordering::Relaxed) + 1;
        let status = ended.map_or_else(|why| why.to_string(), |status| status.to_string());
        let pause = pause.as_millis();
        (self.notice)(&format!(
            "the embedded ClickHouse ended by itself ({status}); starting it again in {pause} ms (restart {count})"
        ));
    }

    /// Tries until it is up.
    async fn again(&self, pause: &mut Duration) -> Running {
        loop {
            sleep(*pause).await;
            *pause = (*pause * 2).min(LONGEST_PAUSE);
            match up(&self.launch, &self.process).await {
                Ok(running) => {
                    (self.notice)("the embedded ClickHouse answers again");
                    return running;
                }
                Err(why) => (self.notice)(&format!("{why}; trying again in {} ms", pause.as_millis())),
            }
        }
    }

    /// The end of its standard input is the server's sign to stop.
    async fn end(&self, running: Running) {
        let Running { mut child, _pipe: pipe } = running;
        drop(pipe);
        if timeout(STOP, child.wait()).await.is_err() {
            // An error here means that it is gone already.
            let _ = child.kill().await;
        }
        self.process.store(0, Ordering::Relaxed);
    }
}
