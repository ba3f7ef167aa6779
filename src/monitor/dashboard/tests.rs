use http::Request;

use super::*;

/// The most that all files together may weigh.
const BUDGET: usize = 100_000;

fn asking(tag: Option<&HeaderValue>) -> Parts {
    let mut request = Request::new(());
    if let Some(tag) = tag {
        request.headers_mut().insert(header::IF_NONE_MATCH, tag.clone());
    }
    request.into_parts().0
}

#[test]
fn all_files_together_stay_within_their_budget() {
    let weight: usize = ASSETS.iter().chain([&INDEX, &DENIED]).map(|file| file.text.len()).sum();
    assert!(weight <= BUDGET, "{weight} bytes, of {BUDGET}");
}

#[test]
fn the_page_links_to_what_is_here_and_to_nothing_else() {
    let page = &SHELL.page;
    let mut links = 0;
    for quoted in page.split("=\"").skip(1) {
        let value = quoted.split('"').next().unwrap();
        if let Some(path) = value.strip_prefix("assets/") {
            assert!(asset(&asking(None), path).is_ok(), "{value}");
            links += 1;
        }
        assert!(!value.contains("//"), "{value} leads elsewhere");
    }
    assert!(links >= 3, "the page has a style, a script and an icon");
    assert!(!page.contains(PLACE));
}

#[test]
fn nothing_is_inline() {
    for page in [&SHELL.page, DENIED.text] {
        for inline in ["<style", "style=", " onclick", " onload", "javascript:", "<script>"] {
            assert!(!page.contains(inline), "{inline}");
        }
    }
}

#[test]
fn modules_import_what_is_here_and_never_write_markup() {
    for file in ASSETS.iter().filter(|file| file.name.ends_with(".js")) {
        let text = file.text.replace("http://www.w3.org/2000/svg", "");
        for import in file.text.split("from './").skip(1) {
            let name = import.split('\'').next().unwrap();
            assert!(ASSETS.iter().any(|file| file.name == name), "{} imports {name}", file.name);
        }
        for forbidden in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "http://", "https://"]
        {
            assert!(!text.contains(forbidden), "{} has {forbidden}", file.name);
        }
    }
}

#[test]
fn assets_are_kept_for_ever_and_the_page_is_asked_for_each_time() {
    let known = page(&asking(None));
    let tag = known.headers().get(header::ETAG).unwrap();
    assert_eq!(known.headers()[header::CACHE_CONTROL], "no-cache");
    assert_eq!(page(&asking(Some(tag))).status(), StatusCode::NOT_MODIFIED);
    let path = format!("{}/app.js", SHELL.digest);
    let script = asset(&asking(None), &path).unwrap();
    assert!(script.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    let tag = script.headers().get(header::ETAG).unwrap();
    assert_eq!(asset(&asking(Some(tag)), &path).unwrap().status(), StatusCode::NOT_MODIFIED);
}

#[test]
fn what_another_version_links_to_is_not_found() {
    for path in ["app.js", "AAAAAAAAAAAA/app.js", "", "/", "../index.html"] {
        let refusal = asset(&asking(None), path).expect_err(path);
        assert_eq!(refusal.into_response().status(), StatusCode::NOT_FOUND, "{path}");
    }
}
