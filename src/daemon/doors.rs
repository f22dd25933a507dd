//! Everything that others come in by, opened before anything else is done: BGP's port, the control
//! sockets, the HTTP listeners, the sockets of BIRD's tools.
//!
//! What may only be opened with rights that are then given up is open by then, and a daemon that
//! cannot have one of them has touched nothing yet. Callers wait until [`Doors::serve`].

use std::path::Path;
use std::sync::Arc;

use starling_bgp::types::Family;
use starling_config::NodePlan;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::bird;
use super::callers::Callers;
use super::control::Listener;
use super::listen;
use super::view::View;

/// Open, and nobody is served yet.
#[derive(Debug)]
pub struct Doors {
    bgp: Vec<Arc<TcpListener>>,
    control: Vec<Listener>,
    bird: Vec<bird::Socket>,
}

impl Doors {
    /// Opens what `plan` has, and the control socket.
    ///
    /// # Errors
    /// The first that cannot be had, for people.
    pub async fn open(plan: &NodePlan, control: &Path) -> Result<Doors, String> {
        let bgp = listen::bind(plan.listen.as_deref(), plan.port).map_err(|e| e.to_string())?;
        let mut doors = Doors { bgp, control: Vec::new(), bird: Vec::new() };
        doors.control.push(Listener::unix(control).await.map_err(|e| e.to_string())?);
        if let Some(group) = &plan.readers {
            match Listener::readers(control, group).await {
                Ok(listener) => doors.control.push(listener),
                // Nobody's packets wait for those who only look.
                Err(error) => tracing::warn!("no socket for reading: {error}"),
            }
        }
        for address in &plan.http {
            doors.control.push(Listener::tcp(*address).await.map_err(|e| e.to_string())?);
        }
        for (family, path) in Family::ALL.into_iter().zip(&plan.bird) {
            let Some(path) = path else { continue };
            doors.bird.push(bird::Socket::bind(path, family).await.map_err(|e| e.to_string())?);
        }
        Ok(doors)
    }

    /// The listening sockets of BGP.
    pub fn bgp(&self) -> &[Arc<TcpListener>] {
        &self.bgp
    }

    /// Serves: neighbours for ever, everybody else until `stopping` says so.
    pub fn serve(
        self,
        callers: &Callers,
        view: &View,
        stopping: &watch::Receiver<bool>,
    ) -> JoinSet<()> {
        let mut services = JoinSet::new();
        for listener in self.bgp {
            services.spawn(listen::serve(listener, callers.clone()));
        }
        for listener in self.control {
            services.spawn(listener.serve(view.clone(), told(stopping.clone())));
        }
        for socket in self.bird {
            services.spawn(socket.serve(view.clone(), told(stopping.clone())));
        }
        services
    }
}

/// Waits until the daemon is told to stop.
async fn told(mut stopping: watch::Receiver<bool>) {
    // An error means that nobody is left to tell, which says the same.
    let _ = stopping.wait_for(|stop| *stop).await;
}
