//! axe-core finds nothing, in light and dark, with everything open.

use std::fs;

use super::browser::Page;
use super::{live_page, open_as, trio};
use crate::harness::backend::Backend;
use crate::harness::clients::installed;

const RUN: &str = "
    const done = arguments[arguments.length - 1];
    axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then(
      ({ violations, passes }) => done({
        passed: passes.length,
        found: violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target}: ${failureSummary}`)),
      }),
      (error) => done({ passed: 0, found: [String(error)] }));";

async fn is_clean(page: &Page, axe: &str, state: &str) {
    page.run(axe).await;
    let result = page.run_async(RUN).await;
    let found: Vec<&str> = result["found"].as_array().expect("a list").iter().filter_map(|one| one.as_str()).collect();
    assert!(found.is_empty(), "{state}:\n{}", found.join("\n"));
    let passed = result["passed"].as_u64().expect("a count");
    println!("{state}: {passed} rules passed");
    assert!(passed > 10, "{state}: axe looked at next to nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axe_finds_nothing() {
    let axe = fs::read_to_string(installed("node_modules/axe-core/axe.min.js")).expect("it can be read");
    let trio = trio(Backend::Memory).await;
    let page = live_page(&trio).await;
    page.until("it is empty", "return document.querySelector('#none pre') !== null").await;
    is_clean(&page, &axe, "empty").await;
    for name in ["cursor", "zed", "claude-code", "<b>"] {
        open_as(&trio.client(), name, "1.0").await;
    }
    page.until("all is there", "return document.querySelectorAll('#clients li').length === 4").await;
    for scheme in ["light", "dark"] {
        page.prefer(scheme).await;
        for width in [1280, 320] {
            page.resize(width, 900).await;
            is_clean(&page, &axe, &format!("{scheme}, {width} wide")).await;
        }
        page.run("document.querySelector('#rows button').click()").await;
        page.until("it is open", "return document.querySelectorAll('#drawer .timeline li').length === 1").await;
        is_clean(&page, &axe, &format!("{scheme}, a session open")).await;
        page.run("document.querySelector('#drawer [data-hold=end]').click()").await;
        is_clean(&page, &axe, &format!("{scheme}, asking to end it")).await;
        page.run("document.querySelector('#dialog').close(); document.querySelector('#drawer').close()").await;
        page.run("document.querySelector('#help').click()").await;
        is_clean(&page, &axe, &format!("{scheme}, help")).await;
        page.run(
            "document.querySelector('#dialog').close(); document.querySelector('[data-filter=\"age=stale\"]').click()",
        )
        .await;
        is_clean(&page, &axe, &format!("{scheme}, nothing found")).await;
        page.run("document.querySelector('#clear').click(); document.querySelector('#hours details').open = true")
            .await;
        is_clean(&page, &axe, &format!("{scheme}, the day as a table")).await;
        page.run("document.querySelector('#hours details').open = false").await;
    }
    trio.store.set_down(true);
    page.until("it is degraded", "return document.querySelector('#state').dataset.state === 'degraded'").await;
    is_clean(&page, &axe, "degraded").await;
    page.close().await;
}
