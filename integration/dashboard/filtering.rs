//! What somebody chooses to see stands in the address, and is there again after a reload.

use super::{live_page, open_as, trio};
use crate::harness::backend::Backend;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_filter_survives_a_reload() {
    let trio = trio(Backend::Memory).await;
    for name in ["cursor", "cursor", "zed"] {
        open_as(&trio.client(), name, "1.0").await;
    }
    let page = live_page(&trio).await;
    let rows = |count| format!("return document.querySelectorAll('#rows tr').length === {count}");
    page.until("all are there", &rows(3)).await;
    page.press("/").await;
    page.press("CURS").await;
    page.until("the others are gone", &rows(2)).await;
    page.run("document.querySelector('#table th.num button').click()").await;
    let address = page.address().await;
    assert!(address.contains("q=CURS") && address.contains("sort=idle"), "{address}");
    page.reload().await;
    page.until("the same are there", &rows(2)).await;
    assert_eq!(page.run("return document.querySelector('#q').value").await, "CURS");
    assert_eq!(page.text("#count").await, "2 of 3 sessions");
    assert_eq!(page.run("return document.querySelector('th[aria-sort]').textContent").await, "Idle");

    page.press("x").await;
    page.until("all are there again", &rows(3)).await;
    page.click("[data-filter=\"status=disconnected\"]").await;
    page.until("none is disconnected", "return document.querySelector('#none').checkVisibility()").await;
    assert!(page.address().await.contains("status=disconnected"));
    page.click("#clear").await;
    page.until("and all again", &rows(3)).await;
    page.until("the clients are known", "return document.querySelectorAll('#client option').length === 3").await;
    page.run("const c = document.querySelector('#client'); c.value = 'zed'; c.dispatchEvent(new Event('input'));")
        .await;
    page.until("only zed", &rows(1)).await;

    // The open session stands there, too; going back closes it.
    page.click("#rows button").await;
    page.until("it is open", "return document.querySelector('#drawer').open").await;
    assert!(page.address().await.contains("session="));
    page.reload().await;
    page.until("it is open again", "return document.querySelectorAll('#drawer .timeline li').length === 1").await;
    page.run("history.back()").await;
    page.until("it is closed", "return !document.querySelector('#drawer').open").await;
    assert!(page.address().await.contains("client=zed"));
    assert_eq!(page.complaints().await, Vec::<String>::new());
    page.close().await;
}

#[tokio::test]
async fn what_is_exported_is_what_is_shown() {
    let trio = trio(Backend::Memory).await;
    let formula = open_as(&trio.client(), "=1+1", "\"quoted\", and more").await;
    open_as(&trio.client(), "zed", "1.0").await;
    let page = live_page(&trio).await;
    page.until("all are there", "return document.querySelectorAll('#rows tr').length === 2").await;
    page.run(
        "window.saved = [];
         const make = URL.createObjectURL;
         URL.createObjectURL = (blob) => { blob.text().then((text) => window.saved.push(text)); return make.call(URL, blob); };",
    )
    .await;
    page.press("/").await;
    page.press("=1").await;
    page.click("#export-csv").await;
    page.until("a file was made", "return window.saved.length === 1").await;
    let csv = page.run("return window.saved[0]").await;
    let lines: Vec<&str> = csv.as_str().expect("text").lines().collect();
    assert_eq!(lines.len(), 2, "{csv}");
    let begins = format!(r#""{}","'=1+1","""quoted"", and more","active","a","2025-11-25","#, formula.key());
    assert!(lines[1].starts_with(&begins), "{csv}");
    page.click("#export-json").await;
    page.until("another file was made", "return window.saved.length === 2").await;
    let json: serde_json::Value =
        serde_json::from_str(page.run("return window.saved[1]").await.as_str().expect("text")).expect("JSON");
    assert_eq!(json[0]["client_type"], "=1+1");
    assert_eq!(json.as_array().map(Vec::len), Some(1));
    page.close().await;
}
