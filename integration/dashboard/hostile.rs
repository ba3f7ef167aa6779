//! What clients say of themselves stays text, wherever it is shown.

use super::{live_page, open_as, trio};
use crate::harness::backend::Backend;

const PAYLOADS: [&str; 30] = [
    "<script>window.owned=1</script>",
    "<img src=x onerror=window.owned=1>",
    "<svg onload=window.owned=1>",
    "\"><script>window.owned=1</script>",
    "'><img src=x onerror=window.owned=1>",
    "</td></tr></table><script>window.owned=1</script>",
    "</title><script>window.owned=1</script>",
    "</textarea><script>window.owned=1</script>",
    "<iframe srcdoc='<script>parent.owned=1</script>'>",
    "<a href=javascript:window.owned=1>x</a>",
    "<body onpageshow=window.owned=1>",
    "<details open ontoggle=window.owned=1>",
    "<input autofocus onfocus=window.owned=1>",
    "<math><mtext></mtext><script>window.owned=1</script></math>",
    "<style>*{display:none}</style>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<base href=//evil.example/>",
    "<form action=//evil.example><button>Sign in</button></form>",
    "{{constructor.constructor('window.owned=1')()}}",
    "${window.owned=1}",
    "javascript:window.owned=1",
    "&lt;script&gt;window.owned=1&lt;/script&gt;",
    "&#60;script&#62;window.owned=1&#60;/script&#62;",
    "\u{202e}gnp.exe\u{202c}",
    "\u{2066}hidden\u{2069}\u{200b}",
    "\u{1b}]0;owned\u{7}\u{1b}[2J",
    "a\r\nSet-Cookie: owned=1",
    "__proto__",
    "Z\u{0351}\u{036b}\u{0343}\u{032a}a\u{0321}lgo \u{feff}\u{2028}end",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_call_themselves_stays_text() {
    let trio = trio(Backend::Memory).await;
    let page = live_page(&trio).await;
    let mut keys = Vec::new();
    for payload in PAYLOADS {
        keys.push(open_as(&trio.client(), payload, payload).await.key().to_owned());
    }
    page.until("all rows are there", "return document.querySelectorAll('#rows tr').length === 30").await;
    page.until("all events are there", "return document.querySelectorAll('#events li').length === 30").await;
    page.until("the clients are there", "return document.querySelectorAll('#client option').length > 25").await;
    for (payload, key) in PAYLOADS.iter().zip(&keys) {
        let cell =
            page.run(&format!("return document.querySelector('[data-key={key:?}] td.client bdi').textContent")).await;
        let cell = cell.as_str().expect("text");
        let unseen = |c: char| {
            c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        };
        assert!(!cell.contains(unseen), "{cell:?}");
        if !payload.contains(unseen) {
            assert_eq!(cell, *payload);
        }
        page.run(&format!("document.querySelector('[data-key={key:?}] button').click()")).await;
        page.until("it is open", &format!("return document.querySelector('#drawer-key')?.textContent === {key:?}"))
            .await;
        page.run("document.querySelector('#drawer [data-hold=end]').click()").await;
        assert_eq!(
            page.run("return document.querySelector('#dialog strong').children.length").await,
            1,
            "a bdi of text"
        );
        page.run("document.querySelector('#dialog').close(); document.querySelector('#drawer').close()").await;
    }
    page.run("const c = document.querySelector('#client'); c.selectedIndex = 3; c.dispatchEvent(new Event('input'));")
        .await;
    page.until("they are filtered by one", "return document.querySelectorAll('#rows tr').length === 1").await;
    assert_eq!(page.run("return window.owned ?? null").await, serde_json::Value::Null);
    page.run("document.querySelector('#clear').click()").await;
    page.run("URL.createObjectURL = (blob) => { blob.text().then((text) => { window.saved = text; }); return '#'; }")
        .await;
    page.run("document.querySelector('#export-csv').click()").await;
    page.until("a file was made", "return window.saved !== undefined").await;
    let csv = page.run("return window.saved").await;
    let lines: Vec<&str> = csv.as_str().expect("text").split_terminator("\r\n").collect();
    assert_eq!(lines.len(), PAYLOADS.len() + 1, "{csv}");
    for line in lines {
        assert!(line.starts_with('"') && line.ends_with('"') && !line.contains(|c: char| c.is_control()), "{line}");
    }
    let elements = "return document.querySelectorAll('main img, main script, main iframe, main style, main math, main form, dialog img, base, meta[http-equiv]').length";
    assert_eq!(page.run(elements).await, 0);
    assert_eq!(page.run("return document.cookie").await, "");
    assert_eq!(page.complaints().await, Vec::<String>::new());
    page.close().await;
}
