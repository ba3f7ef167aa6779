//! Who × era × route → answer: the table of the guide, as a real deployment answers it.

use std::fmt::Write;

use http::{Method, StatusCode};
use serde_json::json;

use super::{BANNED, Era, PANIC, Stage, USER};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::raw::{Client, SESSION_ID, initialize};
use crate::harness::replica::Replica;

on_every_backend! {
    the_guide_says_who_is_let_in,
}

const GUIDE: &str = include_str!("../../src/guide.md");
const BEGIN: &str = "<!-- doors: kept by integration/doors/matrix.rs -->\n";
const END: &str = "<!-- end of doors -->";

/// Somebody with a session's id.
struct Who {
    name: &'static str,
    client: Client,
    /// Whose session it is.
    owner: Owner,
}

#[derive(Clone, Copy)]
enum Owner {
    Alice,
    Nobody,
    /// Alice, since it was nobody's.
    Adopter,
}

/// A session, and the token that its client was given.
struct Held {
    id: String,
    token: String,
}

#[derive(Clone, Copy)]
enum Route {
    Post(&'static str),
    Mcp(&'static str),
    Reconnect,
    Token,
    Terminate,
}

const ROUTES: [(&str, Route); 9] = [
    ("`initialize`", Route::Post("initialize")),
    ("call", Route::Post("echo")),
    ("GET", Route::Mcp("GET")),
    ("DELETE", Route::Mcp("DELETE")),
    ("OPTIONS", Route::Mcp("OPTIONS")),
    ("PUT", Route::Mcp("PUT")),
    ("reconnect", Route::Reconnect),
    ("token", Route::Token),
    ("terminate", Route::Terminate),
];

fn everybody(stage: &Stage) -> Vec<Who> {
    let user = |replica: &Replica, name: &str| Client::of(replica).with(USER, name);
    let who = |name, client| Who { name, client, owner: Owner::Alice };
    let of_nobody = |name, client| Who { name, client, owner: Owner::Nobody };
    let of_adopter = |name, client| Who { name, client, owner: Owner::Adopter };
    vec![
        who("its principal", user(&stage.open, "alice")),
        who("its principal, where one is required", user(&stage.strict, "alice")),
        who("another principal", user(&stage.open, "mallory")),
        who("nobody", Client::of(&stage.open)),
        of_nobody("nobody, in an anonymous session", Client::of(&stage.open)),
        of_nobody("a principal, in an anonymous session", user(&stage.open, "alice")),
        of_nobody("a principal, in an anonymous session that may not be adopted", user(&stage.aloof, "alice")),
        of_adopter("its adopter, in one that was anonymous", user(&stage.open, "alice")),
        of_adopter("nobody, in one that was anonymous", Client::of(&stage.open)),
        of_adopter("another principal, in one that was anonymous", user(&stage.open, "mallory")),
        who("nobody, where a principal is required", Client::of(&stage.strict)),
        who("whom the hook refuses with 403", user(&stage.open, BANNED)),
        who("on whom the hook panics", user(&stage.open, PANIC)),
        who(
            "its principal, from a foreign `Origin`",
            user(&stage.open, "alice").with("origin", "https://evil.example"),
        ),
        who("its principal, at a foreign `Host`", user(&stage.open, "alice").with("host", "evil.example")),
    ]
}

impl Owner {
    async fn open(self, stage: &Stage) -> Held {
        let client = Client::of(&stage.open);
        let client = match self {
            Self::Alice => client.with(USER, "alice"),
            Self::Nobody | Self::Adopter => client,
        };
        let opened = client.post(&initialize("2025-11-25")).await.whole().await;
        let held = Held { id: opened.session_id().expect("an id"), token: opened.reconnect_token().expect("a token") };
        if let Self::Adopter = self {
            let adopting = client.with(USER, "alice").with(SESSION_ID, &held.id).call("echo", json!({})).await;
            assert_eq!(adopting.status, StatusCode::OK);
        }
        held
    }
}

impl Route {
    /// How it is asked in an era, and answered; `None` where there is no such request.
    async fn ask(self, era: Era, client: &Client, held: &Held) -> Option<StatusCode> {
        let client = era.client(client).with(SESSION_ID, &held.id);
        let api = |route: &str| client.at_path(format!("/api/mcp/sessions/{}{route}", &held.id[..16]));
        let answer = match (self, era) {
            (Self::Post(method), era) => client.post(&era.message(method)).await,
            (_, Era::Body) => return None,
            (Self::Mcp(method), _) => client.send(method.parse::<Method>().expect("a method"), "").await,
            (Self::Reconnect, _) => api("/reconnect").without(SESSION_ID).post(&json!({ "token": held.token })).await,
            (Self::Token, _) => api("/token").get().await,
            (Self::Terminate, _) => api("").without(SESSION_ID).delete().await,
        };
        assert!(!answer.headers.contains_key(SESSION_ID) || matches!(self, Self::Post("initialize")));
        Some(answer.status)
    }
}

/// One status where the eras agree, else all of them.
fn cell(statuses: &[Option<StatusCode>]) -> String {
    let told: Vec<_> = statuses.iter().flatten().map(|status| status.as_u16().to_string()).collect();
    match told.iter().all(|status| *status == told[0]) {
        true => told[0].clone(),
        false => told.join(" · "),
    }
}

async fn table(stage: &Stage) -> String {
    let mut table = format!("| who |{}\n|---|", ROUTES.map(|(name, _)| format!(" {name} |")).concat());
    table.push_str(&"---|".repeat(ROUTES.len()));
    table.push('\n');
    for who in everybody(stage) {
        write!(table, "| {} |", who.name).unwrap();
        for (_, route) in ROUTES {
            let mut statuses = Vec::new();
            for era in Era::ALL {
                statuses.push(route.ask(era, &who.client, &who.owner.open(stage).await).await);
            }
            write!(table, " {} |", cell(&statuses)).unwrap();
        }
        table.push('\n');
    }
    table
}

async fn the_guide_says_who_is_let_in(backend: Backend) {
    let found = table(&Stage::of(backend).await).await;
    println!("{found}");
    let kept = GUIDE.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END)).map(|(table, _)| table.trim());
    assert_eq!(
        kept,
        Some(found.trim()),
        "the guide's table of doors is not what is so. If the change is meant, put this between the two comments about doors in \
         src/guide.md:\n\n{found}\n"
    );
}
