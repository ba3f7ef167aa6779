//! A store of your own: one that wraps another and prints a line for every transition of a session.
//!
//! The trait's promises are checked by the contract suite: `cargo test --example custom_store --features testing`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use bytes::Bytes;
use clap::Parser;
use futures::stream::BoxStream;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, schemars, tool, tool_handler, tool_router};
use serde::Deserialize;
use tower::Layer;
use tower_mcp_sessions::store::{
    Adoption, AgeLimits, Appended, Asked, Blueprint, Bus, BusSignal, Census, DataPut, DataRemoved, Ended, EndedBy,
    EventHead, EventLog, EventSignal, EventSlice, Fact, Heard, Inbox, InnerReplaced, Letters, Lifetimes, Limiter,
    ListenCursor, Listening, LogLimits, LogSlice, MemoryStore, Opening, Place, Posted, Presence, QuestionName, Rate,
    Reconnected, Reconnection, Refusal, ReplicaId, Revival, SessionStore, Shaped, Shaping, Store, StoreError,
    StreamLog, StreamName, Survey, Swept, Taken, Touch, Touched, Vitals, WindowName,
};
use tower_mcp_sessions::{
    ClientInfo, EndReason, NewSession, Principal, SessionKey, SessionLayer, SessionRecord, SessionStatus, SessionView,
};

#[path = "support/log.rs"]
mod log;
#[path = "support/serve.rs"]
mod serve;

/// A store that does what the store inside does, and says so.
struct Journal<S> {
    inside: S,
    line: fn(&str, &SessionKey),
}

#[async_trait]
impl<S: Store> SessionStore for Journal<S> {
    async fn open(&self, session: &NewSession, cap: Option<u64>) -> Result<Opening, StoreError> {
        let opening = self.inside.open(session, cap).await?;
        if let Opening::Opened { .. } = opening {
            (self.line)("opened", &session.key);
        }
        Ok(opening)
    }

    async fn find(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        self.inside.find(key).await
    }

    async fn blueprint(&self, key: &SessionKey) -> Result<Option<Blueprint>, StoreError> {
        self.inside.blueprint(key).await
    }

    async fn touch(&self, batch: &[Touch]) -> Result<Touched, StoreError> {
        self.inside.touch(batch).await
    }

    async fn revive(&self, key: &SessionKey, generation: u32, replica: &str) -> Result<Revival, StoreError> {
        let revival = self.inside.revive(key, generation, replica).await?;
        if let Revival::Revived { .. } = revival {
            (self.line)("revived", key);
        }
        Ok(revival)
    }

    async fn reconnect(&self, change: &Reconnection) -> Result<Reconnected, StoreError> {
        let reconnected = self.inside.reconnect(change).await?;
        if let Reconnected::Done { .. } = reconnected {
            (self.line)("reconnected", &change.key);
        }
        Ok(reconnected)
    }

    async fn adopt(&self, key: &SessionKey, generation: u32, principal: &Principal) -> Result<Adoption, StoreError> {
        let adoption = self.inside.adopt(key, generation, principal).await?;
        if let Adoption::Adopted { again: false, .. } = adoption {
            (self.line)("adopted", key);
        }
        Ok(adoption)
    }

    async fn replace_inner(
        &self,
        key: &SessionKey,
        generation: u32,
        expected: Option<u64>,
        sealed: Bytes,
    ) -> Result<InnerReplaced, StoreError> {
        self.inside.replace_inner(key, generation, expected, sealed).await
    }

    async fn take_inner(&self, key: &SessionKey) -> Result<Option<Bytes>, StoreError> {
        self.inside.take_inner(key).await
    }

    async fn end(&self, key: &SessionKey, by: EndedBy, reason: EndReason) -> Result<Ended, StoreError> {
        let ended = self.inside.end(key, by, reason).await?;
        if let Ended::Done { .. } = ended {
            (self.line)(reason.as_str(), key);
        }
        Ok(ended)
    }

    async fn sweep(&self, grace: Duration, limit: usize) -> Result<Swept, StoreError> {
        let swept = self.inside.sweep(grace, limit).await?;
        swept.disconnected.iter().for_each(|key| (self.line)("disconnected", key));
        swept.ended.iter().for_each(|(key, reason)| (self.line)(reason.as_str(), key));
        Ok(swept)
    }

    async fn apply_lifetimes(&self, lifetimes: &Lifetimes) -> Result<u64, StoreError> {
        self.inside.apply_lifetimes(lifetimes).await
    }

    async fn announce_lifetimes(&self, lifetimes: &Lifetimes) -> Result<Option<Lifetimes>, StoreError> {
        self.inside.announce_lifetimes(lifetimes).await
    }

    async fn data_get(&self, key: &SessionKey, name: &str) -> Result<Option<Bytes>, StoreError> {
        self.inside.data_get(key, name).await
    }

    async fn data_put(
        &self,
        key: &SessionKey,
        generation: u32,
        name: &str,
        value: Bytes,
        limit: usize,
    ) -> Result<DataPut, StoreError> {
        self.inside.data_put(key, generation, name, value, limit).await
    }

    async fn data_remove(&self, key: &SessionKey, generation: u32, name: &str) -> Result<DataRemoved, StoreError> {
        self.inside.data_remove(key, generation, name).await
    }

    async fn census(&self) -> Result<Census, StoreError> {
        self.inside.census().await
    }
}

#[async_trait]
impl<S: Store> StreamLog for Journal<S> {
    async fn begin(
        &self,
        key: &SessionKey,
        generation: u32,
        stream: &StreamName,
        about: &[u8],
    ) -> Result<Appended, StoreError> {
        self.inside.begin(key, generation, stream, about).await
    }

    async fn append(
        &self,
        key: &SessionKey,
        generation: u32,
        stream: &StreamName,
        messages: &[Bytes],
        limits: &LogLimits,
    ) -> Result<Appended, StoreError> {
        self.inside.append(key, generation, stream, messages, limits).await
    }

    async fn finish(
        &self,
        key: &SessionKey,
        generation: u32,
        stream: &StreamName,
        messages: &[Bytes],
        limits: &LogLimits,
    ) -> Result<Appended, StoreError> {
        self.inside.finish(key, generation, stream, messages, limits).await
    }

    async fn read(
        &self,
        key: &SessionKey,
        stream: &StreamName,
        after: u64,
        max: usize,
    ) -> Result<LogSlice, StoreError> {
        self.inside.read(key, stream, after, max).await
    }

    async fn listen(
        &self,
        key: &SessionKey,
        generation: u32,
        replica: &ReplicaId,
        cursor: Option<ListenCursor>,
    ) -> Result<Listening, StoreError> {
        self.inside.listen(key, generation, replica, cursor).await
    }

    async fn hear(&self, key: &SessionKey, listener: u64, after: u64, max: usize) -> Result<Heard, StoreError> {
        self.inside.hear(key, listener, after, max).await
    }

    async fn leave(&self, key: &SessionKey, listener: u64, after: u64) -> Result<(), StoreError> {
        self.inside.leave(key, listener, after).await
    }
}

#[async_trait]
impl<S: Store> Inbox for Journal<S> {
    async fn ask(
        &self,
        key: &SessionKey,
        generation: u32,
        question: &QuestionName,
        most: usize,
    ) -> Result<Asked, StoreError> {
        self.inside.ask(key, generation, question, most).await
    }

    async fn settle(&self, key: &SessionKey, generation: u32, question: &QuestionName) -> Result<bool, StoreError> {
        self.inside.settle(key, generation, question).await
    }

    async fn post(
        &self,
        key: &SessionKey,
        generation: u32,
        letter: &Bytes,
        answers: Option<&QuestionName>,
        limits: &LogLimits,
    ) -> Result<Posted, StoreError> {
        self.inside.post(key, generation, letter, answers, limits).await
    }

    async fn shape(
        &self,
        key: &SessionKey,
        generation: u32,
        shaping: &Shaping,
        most: usize,
        limits: &LogLimits,
    ) -> Result<Shaped, StoreError> {
        self.inside.shape(key, generation, shaping, most, limits).await
    }

    async fn letters(&self, key: &SessionKey, after: u64, max: usize) -> Result<Letters, StoreError> {
        self.inside.letters(key, after, max).await
    }
}

#[async_trait]
impl<S: Store> Presence for Journal<S> {
    async fn announce(&self, replica: &ReplicaId, ttl: Duration) -> Result<(), StoreError> {
        self.inside.announce(replica, ttl).await
    }

    async fn withdraw(&self, replica: &ReplicaId) -> Result<(), StoreError> {
        self.inside.withdraw(replica).await
    }

    async fn is_present(&self, replica: &ReplicaId) -> Result<bool, StoreError> {
        self.inside.is_present(replica).await
    }

    async fn declare(&self, facts: &[Fact], ttl: Duration) -> Result<Vec<Option<String>>, StoreError> {
        self.inside.declare(facts, ttl).await
    }
}

#[async_trait]
impl<S: Store> Limiter for Journal<S> {
    async fn take(&self, window: &WindowName, rate: &Rate) -> Result<Taken, StoreError> {
        self.inside.take(window, rate).await
    }
}

#[async_trait]
impl<S: Store> EventLog for Journal<S> {
    async fn event_heads(&self) -> Result<Vec<EventHead>, StoreError> {
        self.inside.event_heads().await
    }

    fn event_part(&self, key: &SessionKey) -> usize {
        self.inside.event_part(key)
    }

    async fn events(&self, part: usize, after: u64, max: usize) -> Result<EventSlice, StoreError> {
        self.inside.events(part, after, max).await
    }

    async fn record_refusal(&self, refusal: &Refusal) -> Result<(), StoreError> {
        self.inside.record_refusal(refusal).await
    }

    async fn renew_epoch(&self, part: usize, known: &EventHead) -> Result<EventHead, StoreError> {
        self.inside.renew_epoch(part, known).await
    }

    async fn hear_events(&self) -> Result<BoxStream<'static, EventSignal>, StoreError> {
        self.inside.hear_events().await
    }
}

#[async_trait]
impl<S: Store> Survey for Journal<S> {
    async fn vitals(&self, ages: &AgeLimits) -> Result<Vitals, StoreError> {
        self.inside.vitals(ages).await
    }

    async fn view(&self, key: &SessionKey) -> Result<Option<SessionView>, StoreError> {
        self.inside.view(key).await
    }

    async fn page(
        &self,
        status: Option<SessionStatus>,
        from: Option<&Place>,
        max: usize,
    ) -> Result<Vec<SessionView>, StoreError> {
        self.inside.page(status, from, max).await
    }

    async fn count_modern(&self, client: &ClientInfo, requests: u64) -> Result<(), StoreError> {
        self.inside.count_modern(client, requests).await
    }
}

#[async_trait]
impl<S: Store> Bus for Journal<S> {
    async fn subscribe(&self) -> Result<BoxStream<'static, BusSignal>, StoreError> {
        self.inside.subscribe().await
    }
}

/// An MCP server whose sessions live in a store of our own, which prints a line for each transition.
#[derive(Parser)]
struct Options {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:8934")]
    listen: std::net::SocketAddr,
    /// How long a session may go unused before it is disconnected.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    idle_timeout: Duration,
    #[command(flatten)]
    log: log::LogOptions,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Echo {
    text: String,
}

struct Tools;

#[tool_router]
impl Tools {
    #[tool(description = "Says back what it is told")]
    fn echo(&self, Parameters(Echo { text }): Parameters<Echo>) -> String {
        text
    }
}

#[tool_handler]
impl ServerHandler for Tools {}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    options.log.begin();
    serve::exit_code(run(options).await)
}

async fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let server = serve::Server::bind(options.listen).await?;
    let store = Journal { inside: MemoryStore::new(), line: |what, key| println!("{key} {what}") };
    let sessions = SessionLayer::builder(store).idle_timeout(options.idle_timeout).try_build()?;
    let config = StreamableHttpServerConfig::default();
    let mcp: StreamableHttpService<Tools, LocalSessionManager> =
        StreamableHttpService::new(|| Ok(Tools), Arc::default(), config);
    let endpoint = sessions.layer(mcp);
    let app = Router::new().route_service("/mcp", endpoint.clone()).route_service("/mcp/", endpoint);
    server.announce()?;
    server.serve(app, sessions).await
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;

    async fn fresh() -> (Arc<dyn Store>, ()) {
        (Arc::new(Journal { inside: MemoryStore::new(), line: |_, _| {} }), ())
    }

    tower_mcp_sessions::store_contract_tests!(fresh);
}
