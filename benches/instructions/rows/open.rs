//! A session is opened: `initialize`.

use crate::client::Client;
use crate::stage::Stage;
use crate::support::handler::handler;

const TIMES: usize = 200;

pub fn run(stage: &mut Stage) {
    let service = stage.mount(handler);
    let client = stage.run(Client::open(&service));
    stage.warm_up(&client);
    let newcomer = Client::unknown(&service);
    let open = async |times| {
        for _ in 0..times {
            newcomer.initialize().await;
        }
    };
    stage.run(open(20));
    stage.count(TIMES, open(TIMES));
}
