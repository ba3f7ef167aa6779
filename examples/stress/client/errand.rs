//! What clients call, and how an answer proves whose it is: it must hold the text that was sent.

use serde_json::json;

use super::{Failure, Session};

/// A call that any client may make as often as it likes.
#[derive(Clone, Debug)]
pub enum Errand {
    /// A tool that answers with the text it is given.
    Saying { tool: String, argument: String },
    /// The list of tools: its answer is everybody's, only the request's id tells something.
    List,
}

/// Tools that are known to do no harm, and the argument that comes back.
const KNOWN: [(&str, &str); 2] = [("echo", "text"), ("greet", "name")];
/// Begins every text that is sent, so that a stranger's is recognised.
const MARK: &str = "stress:";

impl Errand {
    /// What this server offers. A tool of an unknown name is not called: it might do something.
    pub fn among(tools: &[String]) -> Self {
        let known = KNOWN.iter().find(|(tool, _)| tools.iter().any(|offered| offered == tool));
        known.map_or(Self::List, |&(tool, argument)| Self::Saying { tool: tool.into(), argument: argument.into() })
    }

    /// Whether an answer that belongs to another call is recognised by what it says.
    pub const fn tells_whose(&self) -> bool {
        matches!(self, Self::Saying { .. })
    }

    /// Runs it once. `unique` is said nowhere else in this run.
    pub async fn run(&self, session: &Session, unique: &str) -> Result<(), Failure> {
        match self {
            Self::List => session.ask("tools/list", json!({})).await.map(drop),
            Self::Saying { tool, argument } => {
                let text = format!("{MARK}{unique};");
                let answer = session.call(tool, json!({argument: &text})).await?;
                match () {
                    () if answer.contains(&text) => Ok(()),
                    () if answer.contains(MARK) => Err(Failure::Crossed),
                    () => Err(Failure::Wrong(format!("{tool} does not answer with its {argument}"))),
                }
            }
        }
    }

    /// In words.
    pub fn told(&self) -> String {
        match self {
            Self::Saying { tool, argument } => format!("{tool} {{{argument}}}"),
            Self::List => "tools/list".to_owned(),
        }
    }
}

/// The names of a server's tools.
pub async fn tools(session: &Session) -> Result<Vec<String>, Failure> {
    let listed = session.ask("tools/list", json!({})).await?;
    let tools = listed["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(tools.iter().filter_map(|tool| Some(tool["name"].as_str()?.to_owned())).collect())
}
