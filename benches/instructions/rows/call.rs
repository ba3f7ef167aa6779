//! One small `tools/call`, answered with small JSON.

use crate::client::Client;
use crate::stage::Stage;
use crate::support::handler::handler;

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2},"_meta":{"progressToken":"a-token-of-some-length"}}}"#;
const TIMES: usize = 400;
/// Several, since what a hash map does with one key is chance.
const SESSIONS: usize = 8;

pub fn run(stage: &mut Stage) {
    let service = stage.mount(handler);
    let clients: Vec<_> = (0..SESSIONS).map(|_| stage.run(Client::open(&service))).collect();
    for client in &clients {
        stage.warm_up(client);
        let answer = stage.run(client.post(CALL));
        assert_eq!(answer, r#"{"id":1,"jsonrpc":"2.0","result":{"content":[{"text":"3","type":"text"}]}}"#);
    }
    stage.count(TIMES, async {
        for client in clients.iter().cycle().take(TIMES) {
            client.post(CALL).await;
        }
    });
}
