//! A browser that loads much at a time, and one that jumps about in a video.

use std::{fmt::Write as _, fs};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use zeroserve_tests::{Lab, binary::wait_until, browser::Browser, lab::check_books, webm};

/// Scripts, style sheets, pictures and data: so many of each.
const OF_EACH: usize = 10;

/// A script that looks whether everything has arrived, and puts the outcome where the test finds it.
const CHECK: &str = "
const wrong = [];
const each = (check) => { for (let n = 0; n < 10; n++) if (!check(n)) wrong.push(check.name + n); };
const style = getComputedStyle(document.documentElement);
addEventListener('load', async () => {
  each(function script(n) { return window['script' + n] === 'x'.repeat(3000 * (n + 1)).length; });
  each(function sheet(n) { return style.getPropertyValue('--sheet' + n).trim() === String(n); });
  each(function picture(n) { return document.images[n].naturalWidth === 10 * (n + 1); });
  for (let n = 0; n < 10; n++) {
    const numbers = await (await fetch('data' + n + '.json')).json();
    if (numbers.length !== 1000 * (n + 1) || numbers.at(-1) !== numbers.length - 1) wrong.push('data' + n);
  }
  document.documentElement.dataset.ready = wrong.length ? 'no: ' + wrong : 'yes';
});
";

/// The value of an expression once it is something.
fn eventually(browser: &mut Browser, expression: &str) -> Result<Value> {
    let mut value = Value::Null;
    wait_until(expression, || {
        value = browser.evaluate(expression)?;
        Ok(!value.is_null())
    })?;
    Ok(value)
}

/// Writes a page of forty assets.
fn write_page(lab: &Lab) -> Result<()> {
    let site = lab.folder.path().join("site");
    fs::create_dir(&site)?;
    let mut page = String::from("<!doctype html>\n<title>Forty</title>\n");
    for n in 0..OF_EACH {
        let padding = "x".repeat(3000 * (n + 1));
        fs::write(
            site.join(format!("script{n}.js")),
            format!("script{n} = '{padding}'.length;\n"),
        )?;
        let sheet = format!("/* {padding} */\n:root {{ --sheet{n}: {n}; }}\n");
        fs::write(site.join(format!("sheet{n}.css")), sheet)?;
        let side = 10 * (n + 1);
        let picture = format!(
            "<svg xmlns='http://www.w3.org/2000/svg' width='{side}' height='{side}'>\n\
             <!-- {padding} -->\n<rect width='{side}' height='{side}'/></svg>\n"
        );
        fs::write(site.join(format!("picture{n}.svg")), picture)?;
        let numbers: Vec<usize> = (0..1000 * (n + 1)).collect();
        fs::write(site.join(format!("data{n}.json")), serde_json::to_vec(&numbers)?)?;
        writeln!(
            page,
            "<link rel=stylesheet href=sheet{n}.css><script src=script{n}.js></script>\
             <img src=picture{n}.svg>"
        )?;
    }
    writeln!(page, "<script>{CHECK}</script>")?;
    fs::write(site.join("index.html"), page)?;
    Ok(())
}

#[test]
fn chromium_loads_a_page_of_forty_assets_over_parallel_connections() -> Result<()> {
    let mut lab = Lab::new()?;
    write_page(&lab)?;
    let site = lab.folder.path().join("site");
    lab.publish_folder(&site)?;
    let mut browser = Browser::open(lab.client(), &lab.url("/"))?;
    let ready = "document.documentElement?.dataset.ready ?? null";
    assert_eq!(eventually(&mut browser, ready)?, "yes");
    let totals = lab.totals()?;
    assert!(totals.requests >= 41, "{} requests", totals.requests);
    assert!(totals.flows_created >= 3, "only {} connections", totals.flows_created);
    check_books(&totals);
    Ok(())
}

/// Seconds of the video.
const SECONDS: usize = 300;

/// Where to jump to, there and back.
const JUMPS: [usize; 5] = [290, 100, 200, 3, 250];

/// A page that draws a picture for each second, jumps about in the video that is made of them, and
/// tells what it has seen and how a range is answered. The picture of a second is its number, nine
/// bits in squares of black and white, and on white in the tenth, so that no picture at all is no number.
const PLAYER: &str = "<!doctype html>\n<title>Player</title>\n<script>
const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 64 });
const context = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
const square = (bit) => [16 * (bit % 4), 16 * (bit >> 2), 16, 16];
const draw = (number) => {
  for (let bit = 0; bit < 16; bit++) {
    context.fillStyle = number + 512 >> bit & 1 ? 'white' : 'black';
    context.fillRect(...square(bit));
  }
  const url = canvas.toDataURL('image/webp', 0.5);
  return Array.from(atob(url.split(',')[1]), (c) => c.charCodeAt(0));
};
const see = (video) => {
  context.fillStyle = 'black';
  context.fillRect(0, 0, 64, 64);
  context.drawImage(video, 0, 0);
  let number = -512;
  for (let bit = 0; bit < 16; bit++) {
    const [x, y] = square(bit);
    if (context.getImageData(x + 8, y + 8, 1, 1).data[0] > 127) number += 1 << bit;
  }
  return number;
};
const tell = (outcome) => { document.documentElement.dataset.outcome ??= JSON.stringify(outcome); };
const play = (jumps) => {
  const video = document.createElement('video');
  const jump = (second) => new Promise((done) => {
    video.onseeked = () => done(see(video));
    video.currentTime = second + 0.5;
  });
  video.onerror = () => tell({ error: video.error.message });
  video.onloadeddata = async () => {
    video.onloadeddata = null;
    const seen = [];
    for (const second of jumps) seen.push(await jump(second));
    const part = await fetch('video.webm', { headers: { Range: 'bytes=-16000' } });
    tell({ duration: video.duration, seen, status: part.status,
           range: part.headers.get('Content-Range'), bytes: (await part.arrayBuffer()).byteLength });
  };
  Object.assign(video, { muted: true, preload: 'metadata', src: 'video.webm' });
};
</script>\n";

/// The frame of VP8 in a picture of the format WebP (RFC 9649 section 2).
fn frame(picture: &Value) -> Result<Vec<u8>> {
    let picture: Vec<u8> = serde_json::from_value(picture.clone())?;
    let mut chunks =
        picture.strip_prefix(b"RIFF").and_then(|rest| rest.get(8..)).context("RIFF")?;
    // What a picture says of its colours goes before the frame.
    while let Some((head, rest)) = chunks.split_at_checked(8) {
        let bytes = u32::from_le_bytes(head[4..].try_into()?) as usize;
        let (content, rest) = rest.split_at_checked(bytes).context("a chunk is cut off")?;
        if head.starts_with(b"VP8 ") {
            return Ok(content.to_vec());
        }
        // Chunks are even in length.
        chunks = rest.get(bytes % 2..).unwrap_or_default();
    }
    bail!("no frame in {:?}", picture[..picture.len().min(64)].escape_ascii().to_string())
}

#[test]
fn a_video_in_chromium_jumps_about_by_ranges() -> Result<()> {
    let mut lab = Lab::new()?;
    let (page, clip) = (lab.folder.path().join("page"), lab.folder.path().join("clip"));
    fs::create_dir(&page)?;
    fs::write(page.join("index.html"), PLAYER)?;
    lab.publish_folder(&page)?;
    let mut browser = Browser::open(lab.client(), &lab.url("/"))?;
    eventually(&mut browser, "typeof play === 'function' || null")?;
    let pictures = browser.evaluate(&format!("[...Array({SECONDS}).keys()].map(draw)"))?;
    let pictures = pictures.as_array().context("no pictures")?;
    let frames = pictures.iter().map(frame).collect::<Result<Vec<_>>>()?;
    let video = webm::video(&frames);
    fs::create_dir(&clip)?;
    fs::write(clip.join("video.webm"), &video)?;
    lab.publish_folder(&clip)?;
    browser.evaluate(&format!("play({JUMPS:?})"))?;
    let outcome = eventually(&mut browser, "document.documentElement.dataset.outcome ?? null")?;
    let outcome: Value = serde_json::from_str(outcome.as_str().context("no text")?)?;
    assert_eq!(outcome["duration"], SECONDS, "{outcome}");
    assert_eq!(outcome["seen"], json!(JUMPS), "{outcome}");
    let total = video.len();
    let range = format!("bytes {}-{}/{total}", total - 16_000, total - 1);
    assert_eq!((&outcome["status"], &outcome["range"]), (&json!(206), &json!(range)), "{outcome}");
    assert_eq!(outcome["bytes"], 16_000, "{outcome}");
    // Parts came from where it jumped to, and not all of it. How much is between them the browser reads
    // ahead depends on how fast it comes.
    let hits = lab.hits("/video.webm")?;
    assert!(hits.requests >= 4 && hits.delivered_bytes < total as u64, "{total}: {hits:?}");
    check_books(&lab.totals()?);
    Ok(())
}
