//! How it looks: light and dark, narrow and wide. The shots are looked at by people; here it is checked that nothing sticks out.

use std::fmt::Write;

use super::browser::Page;
use super::{live_page, open_as, trio};
use crate::harness::backend::Backend;

/// Elements wider than the page, not counting what scrolls by itself.
const STICKS_OUT: &str = "
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth > width) return 'the page scrolls sideways';
    for (const element of document.querySelectorAll('body *')) {
      if (!element.checkVisibility() || element.closest('.visually-hidden, .skip, pre, svg, option, td *')) continue;
      const { left, right } = element.getBoundingClientRect();
      if (left < -1 || right > width + 1) return element.outerHTML.slice(0, 200);
    }
    return ''";

async fn fits(page: &Page, shot: &str) {
    page.screenshot(shot).await;
    assert_eq!(page.run(STICKS_OUT).await, "", "{shot}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_sticks_out_at_any_width_in_light_and_dark() {
    let trio = trio(Backend::Memory).await;
    let mut longest = String::new();
    for index in 0..16 {
        write!(longest, "{index}-a-client-with-a-name-that-never-ends").expect("a string takes text");
    }
    for (name, version) in
        [(longest.as_str(), "1.0.0-beta+with.build"), ("cursor", "1.7.2"), ("日本語クライアント", "二")]
    {
        open_as(&trio.client(), name, version).await;
    }
    let page = live_page(&trio).await;
    page.until("all is there", "return document.querySelectorAll('#clients li').length === 3").await;
    for scheme in ["light", "dark"] {
        page.prefer(scheme).await;
        for (width, height) in [(320, 640), (640, 800), (1024, 768), (1440, 900), (2560, 1200)] {
            page.resize(width, height).await;
            fits(&page, &format!("{scheme}-{width}")).await;
        }
        page.resize(320, 640).await;
        page.run("document.querySelector('#rows button').click()").await;
        page.until("it is open", "return document.querySelectorAll('#drawer .timeline li').length === 1").await;
        fits(&page, &format!("{scheme}-320-drawer")).await;
        page.run("document.querySelector('#drawer').close(); document.querySelector('#help').click()").await;
        fits(&page, &format!("{scheme}-320-help")).await;
        page.run("document.querySelector('#dialog').close()").await;
    }
    let background = async || page.run("return getComputedStyle(document.body).backgroundColor").await;
    let dark = background().await;
    page.run("const t = document.querySelector('#theme'); t.value = 'light'; t.dispatchEvent(new Event('change'));")
        .await;
    assert_ne!(background().await, dark, "the choice counts for more than the system");
    page.reload().await;
    assert_eq!(page.run("return document.documentElement.dataset.theme").await, "light");
    page.close().await;
}

#[tokio::test]
async fn an_empty_page_says_how_to_begin() {
    let trio = trio(Backend::Memory).await;
    let page = live_page(&trio).await;
    page.until("it says how", "return document.querySelector('#none pre')?.checkVisibility() === true").await;
    fits(&page, "empty").await;
    page.resize(320, 640).await;
    fits(&page, "empty-320").await;
    page.close().await;
}
