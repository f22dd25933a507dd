//! Who sees whom: this node's own row, and those of the others, who are asked over their read-only
//! HTTP listeners for what they tell anybody (`/v1/nodes`).

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::why::back;
use super::{Refusal, View};
use crate::api::{MeshRow, Node};

/// For all of them together; they are asked at once.
const PATIENCE: Duration = Duration::from_secs(8);

impl View {
    /// A row for each node of the configuration; `ask`: the others are asked for theirs.
    pub(super) async fn meshed(&self, ask: bool) -> Result<Vec<MeshRow>, Refusal> {
        let roster = self.roster();
        let mut own = Some(self.all_nodes().await?);
        let mut questions = JoinSet::new();
        let mut rows: BTreeMap<String, MeshRow> = BTreeMap::new();
        for node in &roster.config.nodes {
            let Some(address) = node.addresses.first().map(|own| own.address) else { continue };
            let name = node.name.clone();
            if name == roster.plan.name {
                let row = MeshRow::of(name.clone(), address, own.take().unwrap_or_default());
                rows.insert(name, row);
                continue;
            }
            let unknown = |why: String| {
                // The row has the name already.
                let why = why.strip_prefix(&format!("{name} ")).map(str::to_owned).unwrap_or(why);
                MeshRow { name: name.clone(), address, unknown: Some(why), sees: Vec::new() }
            };
            if !ask {
                rows.insert(name.clone(), unknown("is asked over the Unix socket only".to_owned()));
                continue;
            }
            match back::place(node, &roster.plan.http) {
                Err(why) => {
                    rows.insert(name.clone(), unknown(why));
                }
                Ok(place) => {
                    let late = format!("has not answered within {} s", PATIENCE.as_secs());
                    rows.insert(name.clone(), unknown(late));
                    questions.spawn(async move {
                        let nodes = back::get::<Vec<Node>>(place, "/v1/nodes").await;
                        match nodes {
                            Ok(nodes) => MeshRow::of(name, address, nodes),
                            Err(why) => {
                                MeshRow { name, address, unknown: Some(why), sees: Vec::new() }
                            }
                        }
                    });
                }
            }
        }
        let end = Instant::now() + PATIENCE;
        while let Ok(Some(answer)) = timeout_at(end, questions.join_next()).await {
            if let Ok(row) = answer {
                rows.insert(row.name.clone(), row);
            }
        }
        let mut rows: Vec<MeshRow> = rows.into_values().collect();
        rows.sort_by_key(|row| row.address);
        Ok(rows)
    }
}
