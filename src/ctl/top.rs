//! `bgpctl top`: a live view that fills the terminal, until `q`.
//!
//! ```text
//!   keys, sizes (a thread that reads) ──┐
//!   /v1/summary, /v1/neighbors, 1/s  ───┼──► [Screen] ──draw──► terminal
//!   /v1/events ─────────────────────────┘
//! ```
//!
//! [`Screen`] holds what is seen and decides what a key does; it reads no clock and no terminal. The
//! terminal is put back as it was whatever happens: at the end, on an error, a signal or a panic. A
//! daemon that goes away is waited for.

mod columns;
mod draw;
mod screen;

use std::io::{self, IsTerminal};
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event as Input};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::cli::Cli;
use super::client::{self, Client, Failure};
use crate::api::{ApiError, Event, Neighbor, Summary};
pub use screen::{Column, Key, Screen};

/// How often the daemon is asked.
const EVERY: Duration = Duration::from_secs(1);
/// Pieces of news that wait to be shown; whoever brings them waits for room.
const NEWS: usize = 16;

/// What the screen is told of the daemon.
enum News {
    Sample(Box<Summary>, Vec<Neighbor>),
    Events(Vec<Event>),
    Trouble(String),
}

/// Runs until somebody has seen enough.
///
/// # Errors
/// Where standard output is no terminal, where the terminal fails, and where no daemon answers at
/// the beginning.
pub(super) async fn run(cli: &Cli, client: &Client) -> Result<u8, Failure> {
    if cli.json || !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        let refusal = ApiError::new("top fills a terminal, and there is none here");
        let hint =
            "for a pipe or a script: `bgpctl show neighbors --json`, `bgpctl monitor --json`";
        return Err(Failure::Refused(refusal.hint(hint)));
    }
    // Before the terminal is taken: an error is told as that of any other command.
    let (summary, neighbors) = sample(client).await?;
    let (tell, mut news) = mpsc::channel(NEWS);
    tokio::spawn(ask(client.clone(), tell.clone()));
    tokio::spawn(listen(client.clone(), tell));
    let mut guard = Guard { terminal: ratatui::try_init().map_err(Failure::Output)? };
    let mut screen = Screen::default();
    let begun = Instant::now();
    screen.sample(Duration::ZERO, summary, neighbors);
    let outcome = show(&mut guard.terminal, &mut screen, &mut news, begun).await;
    drop(guard);
    outcome.map(|()| 0).map_err(Failure::Output)
}

/// The terminal, put back when this is dropped; ratatui's hook does it at a panic.
struct Guard {
    terminal: DefaultTerminal,
}

impl Drop for Guard {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

async fn show(
    terminal: &mut DefaultTerminal,
    screen: &mut Screen,
    news: &mut mpsc::Receiver<News>,
    begun: Instant,
) -> io::Result<()> {
    let mut inputs = inputs();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        terminal.draw(|frame| screen.draw(frame))?;
        tokio::select! {
            input = inputs.recv() => match input {
                Some(Ok(Input::Key(key))) if key.is_press() => {
                    if Key::of(&key).is_some_and(|key| screen.press(key)) {
                        return Ok(());
                    }
                }
                // A new size is seen when the screen is drawn.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
            told = news.recv() => match told {
                Some(News::Sample(summary, neighbors)) => {
                    screen.sample(begun.elapsed(), *summary, neighbors);
                }
                Some(News::Events(events)) => screen.happened(events),
                Some(News::Trouble(text)) => screen.trouble(text),
                None => return Ok(()),
            },
            _ = terminate.recv() => return Ok(()),
            _ = hangup.recv() => return Ok(()),
        }
    }
}

/// Keys and new sizes, read by a thread of its own that ends with the program.
fn inputs() -> mpsc::Receiver<io::Result<Input>> {
    let (tell, inputs) = mpsc::channel(NEWS);
    std::thread::spawn(move || {
        loop {
            let input = event::read();
            let failed = input.is_err();
            if tell.blocking_send(input).is_err() || failed {
                return;
            }
        }
    });
    inputs
}

async fn sample(client: &Client) -> Result<(Summary, Vec<Neighbor>), Failure> {
    let summary = client.document("/v1/summary").await?;
    let neighbors = client.document("/v1/neighbors").await?;
    Ok((client::read(&summary)?, client::read(&neighbors)?))
}

/// Asks at intervals, until the screen is gone.
async fn ask(client: Client, tell: mpsc::Sender<News>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first one is at once, and the first sample is there.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let news = match sample(&client).await {
            Ok((summary, neighbors)) => News::Sample(Box::new(summary), neighbors),
            Err(failure) => News::Trouble(words(failure)),
        };
        if tell.send(news).await.is_err() {
            return;
        }
    }
}

/// Listens, and again where the daemon went away.
async fn listen(client: Client, tell: mpsc::Sender<News>) {
    while !tell.is_closed() {
        if let Ok(mut rows) = client.events("/v1/events").await {
            while let Ok(Some(lines)) = rows.next().await {
                let events = lines.iter().filter_map(|line| client::read(line).ok()).collect();
                if tell.send(News::Events(events)).await.is_err() {
                    return;
                }
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

fn words(failure: Failure) -> String {
    match failure {
        Failure::Absent(error) | Failure::Refused(error) => error.error,
        Failure::Output(error) => error.to_string(),
    }
}
