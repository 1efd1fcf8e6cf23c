//! The names of cookies (RFC 6265 section 4.2). Read only where a rule names one.

use zeroserve_shared::bypass;

use super::{
    BYPASS, RequestScan,
    swar::{printable, until, wordy},
};

/// At or in a name.
const NAME: u8 = 0;
/// In a value.
const VALUE: u8 = 1;

/// In the value of `Cookie`.
#[inline(always)]
pub(super) fn take(scan: &mut RequestScan, text: u64, left: u32) -> u32 {
    let byte = text as u8;
    if byte == b';' {
        scan.clear_text();
        scan.phase = NAME;
        return 1;
    }
    if scan.phase == VALUE {
        let (run, end) = (printable(text), until(text, b';'));
        let run = if run < end { run } else { end };
        let run = if run < left { run } else { left };
        return if run == 0 { 1 } else { run };
    }
    match byte {
        b' ' | b'\t' => {}
        b'=' => {
            let [one, two, three, ..] = scan.text.words;
            let name = bypass::hash([one, two, three], u32::from(scan.text_bytes));
            if bypass::contains(&scan.bypass.cookies, name) {
                scan.facts |= BYPASS;
            }
            scan.phase = VALUE;
        }
        _ => {
            let run = wordy(text);
            let run = if run < left { run } else { left };
            let run = if run == 0 { 1 } else { run };
            scan.append(text, run);
            return run;
        }
    }
    1
}
