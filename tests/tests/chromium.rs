//! A browser: the page is there only when everything it is made of has arrived.

use anyhow::Result;
use zeroserve_tests::{
    Lab,
    binary::wait_until,
    browser::Browser,
    lab::{DEMO_SITE, check_books},
};

/// What the page's script sets to "yes" once the style sheet, the pictures, the fonts and every
/// file it fetches have arrived and their checksums are right, and to the reason if one is not.
const READY: &str = "document.documentElement?.dataset.ready ?? ''";

/// Opens the page, waits until it has checked itself, and returns what it says.
fn outcome(lab: &Lab) -> Result<String> {
    let mut browser = Browser::open(lab.client(), &lab.url("/"))?;
    let mut ready = String::new();
    wait_until("the page says whether it is whole", || {
        ready = browser.evaluate(READY)?.as_str().unwrap_or_default().to_owned();
        Ok(!ready.is_empty())
    })?;
    Ok(ready)
}

#[test]
fn chromium_shows_the_demo_page_with_all_it_is_made_of() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.publish_folder(DEMO_SITE.as_ref())?;
    assert_eq!(outcome(&lab)?, "yes");
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn chromium_notices_when_a_file_is_not_what_it_should_be() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.publish_folder(DEMO_SITE.as_ref())?;
    lab.replace("/robots.txt", b"something else")?;
    let ready = outcome(&lab)?;
    assert!(ready.starts_with("no: /robots.txt"), "{ready}");
    Ok(())
}
